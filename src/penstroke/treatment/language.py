"""The languages of what a patient is given: English as written in the source, others by gettext.

The catalogues are made by `scripts/translations.py` from `src/penstroke/locale/`. A translation that nobody
has reviewed yet says so in its header, and whatever is printed with it says it too.
"""

from __future__ import annotations

import datetime
import gettext
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DOMAIN = "penstroke"
FOLDER = Path(__file__).parent.parent / "locale"
LANGUAGES = ("en", "de")

_REVIEW = "last-translator"
TO_BE_REVIEWED = "to be reviewed"


def N_(text: str) -> str:  # noqa: N802 - the mark's usual name
    """Marks a text for translation; the text itself."""
    return text


WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
MONTHS = (
    N_("Jan"),
    N_("Feb"),
    N_("Mar"),
    N_("Apr"),
    N_("May"),
    N_("Jun"),
    N_("Jul"),
    N_("Aug"),
    N_("Sep"),
    N_("Oct"),
    N_("Nov"),
    N_("Dec"),
)
DAY = N_("{weekday} {day} {month}")
DAY_OF_YEAR = N_("{day} {month} {year}")
TIME = N_("{date}, {hour:02d}:{minute:02d}")


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its texts and its dates."""

    code: str
    reviewed: bool
    _catalogue: gettext.NullTranslations

    def text(self, english: str) -> str:
        """The text in this language; as it is where there is no translation (a clinic's own words)."""
        return self._catalogue.gettext(english) if english else ""

    def day(self, day: datetime.date) -> str:
        """`Wed 25 Nov`."""
        words = {"weekday": self.text(WEEKDAYS[day.weekday()]), "month": self.text(MONTHS[day.month - 1])}
        return self.text(DAY).format(day=day.day, **words)

    def full_day(self, day: datetime.date) -> str:
        """`25 Nov 2026`."""
        month = self.text(MONTHS[day.month - 1])
        return self.text(DAY_OF_YEAR).format(day=day.day, month=month, year=day.year)

    def time(self, when: datetime.datetime) -> str:
        """`Wed 25 Nov, 14:30`."""
        return self.text(TIME).format(date=self.day(when.date()), hour=when.hour, minute=when.minute)


@cache
def language(code: str) -> Language:
    """The language of this code, one of `LANGUAGES`. Raises `ValueError` for any other."""
    if code not in LANGUAGES:
        raise ValueError(f"there is no language {code!r}; there are {', '.join(LANGUAGES)}")
    if code == "en":
        return Language(code, True, gettext.NullTranslations())
    catalogue = gettext.translation(DOMAIN, FOLDER, [code])
    # `fuzzy` in the catalogue's source stands for that, and does not reach the compiled one.
    return Language(code, catalogue.info().get(_REVIEW) != TO_BE_REVIEWED, catalogue)
