"""Aftercare: dated for the patient, as text and as a page, in English and German; templates read strictly."""

from __future__ import annotations

import datetime
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from visits import BACKGROUND, BEN, ROOT, START, Visit

from penstroke import data
from penstroke.errors import PlanError
from penstroke.treatment.aftercare_page import UNREVIEWED, as_html, as_text
from penstroke.treatment.language import LANGUAGES, Language, language
from penstroke.treatment.session import Background
from penstroke.treatment.steps.aftercare import Directions, dated
from penstroke.treatment.table import Step
from penstroke.treatment.templates import load_templates, packaged_templates, parse_template

ENDED = datetime.datetime(2026, 11, 22, 14, 30, tzinfo=START.tzinfo)
NEXT = datetime.date(2026, 12, 20)


def directions(code: str = "en") -> tuple[Directions, Language]:
    lang = language(code)
    return dated(packaged_templates()["standard"], ENDED, NEXT, lang), lang


@pytest.mark.parametrize(
    "line",
    [
        "Until Mon 23 Nov, 14:30: do not touch the treated skin, and put on no make-up and no sunscreen.",
        "Until Wed 25 Nov, 14:30: no sun on the treated skin.",
        "Until Wed 25 Nov, 14:30: no exercise that makes you sweat.",
        "Until Wed 25 Nov: no swimming pool and no sauna.",
        "Until Sat 28 Nov: no retinoid and no acids on the treated skin.",
        "From Mon 23 Nov, 14:30 until Sun 6 Dec: sunscreen of SPF 30 or more, every day.",
        "No other session before Sun 20 Dec.",
    ],
)
def test_the_dates_of_this_patient(line: str) -> None:
    assert line in directions()[0].directions


def test_the_same_in_german() -> None:
    found, _ = directions("de")
    assert "Bis Mi, 25. November, 14:30 Uhr: keine Sonne auf die behandelte Haut." in found.directions
    assert "Keine weitere Sitzung vor So, 20. Dezember." in found.directions


def test_dates_over_the_end_of_a_year() -> None:
    ended = datetime.datetime(2026, 12, 30, 23, 59, tzinfo=START.tzinfo)
    found = dated(packaged_templates()["standard"], ended, ended.date(), language("en"))
    assert "Until Sat 2 Jan, 23:59: no sun on the treated skin." in found.directions


def test_what_was_said_is_on_record() -> None:
    visit = Visit().to(Step.AFTERCARE)
    ended = visit.session.needling_ended
    assert ended is not None
    body = visit.submit(Step.AFTERCARE).body
    until = language("en").time(ended + datetime.timedelta(hours=72))
    assert f"Until {until}: no sun on the treated skin." in body["directions"]


class Page(HTMLParser):
    """What a page names from elsewhere, and whether its tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("simulated", [False, True])
def test_the_printed_page(code: str, simulated: bool) -> None:
    found, lang = directions(code)
    page = as_html(found, lang, patient="P<1>&", treated=ENDED.date(), simulated=simulated)
    # Well-formed, as XML is: every tag is closed.
    ElementTree.fromstring(page.replace("<!DOCTYPE html>", ""))
    reader = Page()
    reader.feed(page)
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.tags)
    assert not {"src", "href", "style", "onload"} & reader.names
    assert not re.search(r"https?:|//|url\(|@import", page)
    assert "P&lt;1&gt;&amp;" in page
    assert f'<html lang="{code}">' in page
    assert ("SIMUL" in page) == simulated
    assert lang.full_day(ENDED.date()) in page
    for sentence in (*found.directions, *found.expected, *found.call):
        assert sentence.replace("'", "&#x27;") in page


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_same_as_text(code: str) -> None:
    found, lang = directions(code)
    text = as_text(found, lang, patient="P-1", treated=ENDED.date(), simulated=True)
    assert max(map(len, text.splitlines())) <= 92
    flat = " ".join(text.split())
    for sentence in (found.title, found.intro, *found.directions, *found.expected, *found.call):
        assert " ".join(sentence.split()) in flat
    assert "SIMUL" in text


def test_a_translation_that_nobody_reviewed_says_so() -> None:
    found, lang = directions("de")
    assert not lang.reviewed
    assert lang.text(UNREVIEWED) in as_html(found, lang, patient="P-1", treated=ENDED.date())
    assert lang.text(UNREVIEWED) in as_text(found, lang, patient="P-1", treated=ENDED.date())
    english, lang = directions("en")
    assert lang.reviewed
    assert UNREVIEWED not in as_text(english, lang, patient="P-1", treated=ENDED.date())


def test_a_language_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="'fr'"):
        language("fr")


# -- templates ---------------------------------------------------------------------------------------------

OWN = """
format = 1
title = "Nach der Behandlung"
intro = "Liebe Patientin, lieber Patient"
[[direction]]
text = "Bis {until} nicht schwimmen. {{ wörtlich }}"
days = 2
"""


def test_a_clinic_replaces_the_directions(tmp_path: Path) -> None:
    (tmp_path / "standard.toml").write_text(OWN, encoding="utf-8")
    (tmp_path / "scalp.toml").write_text(OWN, encoding="utf-8")
    templates = load_templates(tmp_path)
    assert set(templates) == {"standard", "scalp"}
    found = dated(templates["standard"], ENDED, NEXT, language("en"))
    assert found.directions == ("Bis Tue 24 Nov nicht schwimmen. { wörtlich }",)
    visit = Visit(background=Background(BACKGROUND.roster, (), templates)).to(Step.AFTERCARE)
    assert visit.session.questions_of(Step.AFTERCARE, visit.now)[0].choices == ("standard", "scalp")
    visit.submit(Step.AFTERCARE, template="scalp", given_by=BEN)


def test_without_a_folder_there_are_the_packaged_ones(tmp_path: Path) -> None:
    assert load_templates(tmp_path / "none") == packaged_templates()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format = 1", "format = 2", "format must be 1"),
        ("format = 1", "format = ", "not TOML"),
        ('title = "Nach der Behandlung"', "", "title must be text"),
        ('title = "', 'colour = "red"\ntitle = "', "colour: no key of a template"),
        ("[[direction]]", "[[call]]", "it has no"),
        ("{until}", "{start}", "no date for {start}"),
        ("{until}", "{until.year}", "no date for {until.year}"),
        ("{until}", "{0}", "no date for {0}"),
        ("{until}", "{until", "direction 1"),
        ("Bis {until}", "Nie", "until is not in its text"),
        ("days = 2", "", "no date for {until}"),
        ("days = 2", "days = 0", "days must be a whole number above zero"),
        ("days = 2", "days = 2.5", "days must be a whole number"),
        ("days = 2", "days = true", "days must be a whole number"),
        ("days = 2", "hours = 100000", "hours must be a whole number"),
        ("days = 2", "days = 2\nhours = 48", "hours or days, not both"),
        ("days = 2", "days = 2\nstart_hours = 3", "start is not in its text"),
        ("days = 2", "days = 2\nweeks = 1", "needs text, and may have"),
        ("[[direction]]", "direction = 5\n[[call]]", "must be written as"),
    ],
)
def test_a_template_that_is_wrong(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in OWN
    (tmp_path / "own.toml").write_text(OWN.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PlanError) as wrong:
        load_templates(tmp_path)
    assert words in wrong.value.message
    assert str(tmp_path) in wrong.value.message
    assert wrong.value.code == "template-invalid"


def test_a_template_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_bytes(b'title = "\xe9"')
    with pytest.raises(PlanError, match="UTF-8"):
        load_templates(tmp_path)
    (tmp_path / "own.toml").write_bytes(b"#" * 70_000)
    with pytest.raises(PlanError, match="too large"):
        load_templates(tmp_path)
    (tmp_path / "own.toml").unlink()
    (tmp_path / "own.toml").mkdir()
    with pytest.raises(PlanError, match="director"):
        load_templates(tmp_path)


def test_every_packaged_template_is_whole() -> None:
    for file in (ROOT / "src" / "penstroke" / "data" / "aftercare").glob("*.toml"):
        parse_template(data.packaged_text(f"aftercare/{file.name}"), file.name)
        assert file.stem in packaged_templates()
