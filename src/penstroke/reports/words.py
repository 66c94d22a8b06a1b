"""The words of a report in its languages. English is the text itself; the German is to be reviewed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

LANGUAGES = ("en", "de")

Words = Callable[[str], str]
"""From the English text to that of the report's language."""


@cache
def words(lang: str) -> Words:
    """The words of `en` or `de`. Raises `ValueError` for any other language."""
    if lang == "en":
        return _english
    if lang == "de":
        from penstroke.reports.german import GERMAN

        return lambda text: GERMAN.get(text, text)
    raise ValueError(f"there is no report in {lang!r}, only in {', '.join(LANGUAGES)}")


def _english(text: str) -> str:
    return text


def zone_words(zone: str, side: str | None, say: Words) -> str:
    """The zone as people write it: `upper lip`, `cheek, left`. The side is the patient's."""
    name = say(zone.replace("_", " "))
    return f"{name}, {say(side)}" if side else name
