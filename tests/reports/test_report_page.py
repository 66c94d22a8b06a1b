"""The report: what it says, as values and as an HTML page."""

from __future__ import annotations

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from reportentries import TREATMENT, Chain, treatment

from penstroke.data import zone_table
from penstroke.records.summary import summary_of
from penstroke.records.told import TreatmentSummary
from penstroke.reports import drawing
from penstroke.reports.content import report_of
from penstroke.reports.german import GERMAN, ZONES
from penstroke.reports.html import html_report
from penstroke.reports.parts import Cell, Figure, Notice, Report, all_cells
from penstroke.reports.plain import clean

HEAD = (1234, "ab" * 32)
HOSTILE = "</title></svg><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>\x00\x1b[31m\u202e\ud800"


class Page(HTMLParser):
    """What a browser would make of it: tags with attributes, and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(summary: TreatmentSummary, lang: str = "en") -> str:
    return html_report(report_of(summary, lang=lang, head=HEAD))


def section(report: Report, title: str) -> str:
    """All text of one section."""
    found = next(one for one in report.sections if one.title == title)
    lines = [f"{cell.text} | {cell.old} | {cell.note}" for cell in all_cells(found.blocks)]
    lines += [item for block in found.blocks if isinstance(block, Notice) for item in block.items]
    return "\n".join(lines)


def test_it_tells_who_what_when_and_with_what(summary: TreatmentSummary) -> None:
    told = section(report_of(summary), "Treatment")
    for text in (
        "P-2041",
        "Dr. Ada Example",
        "2026-11-23 14:03",
        "SIM00000007",
        "firmware 1.0.0",
        "lot L22217, expires 2028-03-31, 16 needles, 2.5 mm",
        "lot L22218",
        "Example Clinic",
    ):
        assert text in told


def test_what_was_not_as_planned_stands_in_plain_sight(summary: TreatmentSummary) -> None:
    told = section(report_of(summary), "Faults, overrides and incidents")
    assert "OVERRIDE hard-ceiling, cheek, left, by Dr. Ada Example: deep scar, seen and agreed" in told
    assert "FAULT over-current" in told
    assert "REFUSED 0.80 mm + 0.05 mm tolerance is over the 0.75 mm ceiling (set by: screening)" in told
    assert "CARTRIDGE CHANGED lot L22218" in told


def test_a_quiet_treatment_says_so() -> None:
    chain = Chain(simulated=False, operator="A")
    chain.add("opened", patient="P", plan={}, plan_file="p", penstroke="0", token="0")
    chain.add("closed", ended="finished", code=0)
    told = section(report_of(summary_of(chain.entries)), "Faults, overrides and incidents")
    assert "No faults, no overrides, no refusals." in told


def test_of_what_the_pen_tells_only_the_unusual_is_news() -> None:
    chain = Chain(simulated=False, operator="A")
    chain.add("opened", patient="P", plan={}, plan_file="p", penstroke="0", token="0")
    for event in ("run-started", "run-ended", "retracted", "disarmed", "stop-key", "faults-cleared"):
        chain.add("event", event=event, arg=0, missed=0)
    told = section(report_of(summary_of(chain.entries)), "Faults, overrides and incidents")
    assert "EVENT stop-key" in told
    assert "EVENT faults-cleared" in told
    assert "run-" not in told
    assert "retracted" not in told


def test_a_skipped_step_and_an_open_record_are_told() -> None:
    chain = Chain(simulated=False, operator="A")
    chain.add(
        "opened", patient="P", plan={"zones": [{"zone": "chin"}]}, plan_file="p", penstroke="0", token="0"
    )
    chain.step("numbing", after_s=1, state="skipped", reason="not wanted", by="Dr. B")
    told = section(report_of(summary_of(chain.entries)), "Faults, overrides and incidents")
    assert "STEP SKIPPED numbing, by Dr. B: not wanted" in told
    assert "The record of this treatment was not closed." in told


def test_why_it_ended_is_told() -> None:
    chain = Chain(simulated=False, operator="A")
    chain.add("opened", patient="P", plan={}, plan_file="p", penstroke="0", token="0")
    chain.add("closed", ended="error", code="fault-latched")
    assert "(error: fault-latched)" in section(report_of(summary_of(chain.entries)), "Treatment")


def test_an_override_of_a_solution_names_it() -> None:
    chain = Chain(simulated=False, operator="A")
    chain.add("override", what="solution-not-sterile", product="Serum X", by="Dr. B", reason="known")
    told = section(report_of(summary_of(chain.entries)), "Faults, overrides and incidents")
    assert "OVERRIDE solution-not-sterile, Serum X, by Dr. B: known" in told


def test_a_correction_shows_old_and_new_where_the_value_stands(summary: TreatmentSummary) -> None:
    report = report_of(summary)
    cells = [cell for one in report.sections for cell in all_cells(one.blocks)]
    assert Cell("3 g", old="30", note="corrected by Dr. Ada Example: slip of the keyboard") in cells
    told = section(report, "Corrections")
    for text in ("30", "3", "Dr. Ada Example", "slip of the keyboard", "numbing (entry"):
        assert text in told
    page = html_report(report)
    assert "<del>30</del> <ins>3 g</ins>" in page


def test_screening_steps_solutions_aftercare_and_follow_up(summary: TreatmentSummary) -> None:
    report = report_of(summary)
    assert "anticoagulant: Dr. Ada Example, bleeding time normal" in section(report, "Screening")
    assert "upper lip" in section(report, "Screening")
    assert "3/4" in section(report, "Screening")
    steps = section(report, "Steps")
    for step in (
        "consent",
        "screening",
        "pre-use",
        "cleaning",
        "numbing",
        "needling",
        "mesotherapy",
        "aftercare",
    ):
        assert f"{step} |" in steps
    assert "Warning: history of cold sores" in steps
    solutions = section(report, "Numbing and solutions")
    for text in ("lidocaine 4 %", "M-881", "2027-08-31", "sodium hyaluronate 1 %", "cheek, left"):
        assert text in solutions
    assert "Until 7 Dec 2026: sunscreen of SPF 30 or more." in section(report, "Aftercare")
    assert "arnica, seen again in a week" in section(report, "Follow-up")


def test_the_zones_are_told_in_numbers(summary: TreatmentSummary) -> None:
    told = section(report_of(summary), "Map and zones")
    for text in ("cheek, left", "0.60–0.80", "3/3", "pinpoint-bleeding", "periorbital, right", "skipped"):
        assert text in told


def test_face_and_body_are_shown_where_they_were_treated(summary: TreatmentSummary) -> None:
    def figures(of: TreatmentSummary) -> list[str]:
        return [
            block.name for one in report_of(of).sections for block in one.blocks if isinstance(block, Figure)
        ]

    assert figures(summary) == ["face", "plot"]
    summary.zones[0].zone, summary.zones[0].side = "thigh", "left"
    assert figures(summary) == ["face", "body", "plot"]


def test_two_visits_to_one_zone_are_one_mark(summary: TreatmentSummary) -> None:
    again, first = summary.zones[2], summary.zones[1]
    again.side = "left"
    page = page_of(summary)
    total = (again.density_per_cm2 or 0) + (first.density_per_cm2 or 0)
    assert f"≈ {total:.0f} per cm²" in page


# -- simulated, head -------------------------------------------------------------------------------------


def test_simulated_stands_across_it(summary: TreatmentSummary) -> None:
    page = page_of(summary)
    assert '<div class="across" aria-hidden="true"><span>SIMULATED</span></div>' in page
    assert "nobody was treated" in page


def test_a_real_treatment_is_not_called_simulated(real: TreatmentSummary) -> None:
    assert "simulated" not in page_of(real).lower()
    assert 'class="across"' not in page_of(real)


def test_partly_simulated_does_not_say_that_nobody_was_treated(summary: TreatmentSummary) -> None:
    summary.partly_simulated = True
    page = page_of(summary)
    assert "PARTLY SIMULATED" in page
    assert "nobody was treated" not in page


def test_the_chain_head_stands_at_the_foot(summary: TreatmentSummary) -> None:
    foot = page_of(summary).split("<footer>")[1]
    assert f"{HEAD[0]}:{HEAD[1]}" in foot
    own = html_report(report_of(summary)).split("<footer>")[1]
    assert f"{summary.last}:{summary.head}" in own
    assert TREATMENT in page_of(summary)


# -- the page ----------------------------------------------------------------------------------------------

MAY_HAVE = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer", "div", "span"),
    *("h1", "h2", "p", "strong", "dl", "dt", "dd", "ul", "li", "del", "ins", "figure"),
    *("table", "caption", "colgroup", "col", "thead", "tbody", "tr", "th", "td"),
    *("svg", "defs", "pattern", "g", "path", "rect", "circle", "text", "polyline", "polygon"),
}


def test_nothing_is_fetched_and_nothing_runs(summary: TreatmentSummary) -> None:
    page = page_of(summary)
    names = {tag for tag, _ in Page(page).tags}
    assert names <= MAY_HAVE
    attributes = {name for _, given in Page(page).tags for name in given}
    assert not {name for name in attributes if name.startswith("on") or name in ("src", "href", "srcset")}
    assert set(re.findall(r"https?://[^\"'\s<]+", page)) == {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"url\(([^#][^)]*)\)|@import", page)) == set()


def test_no_text_of_a_person_becomes_markup() -> None:
    page = page_of(summary_of(treatment(hostile=HOSTILE, seconds=2)))
    assert {tag for tag, _ in Page(page).tags} <= MAY_HAVE
    assert page.count("&lt;script&gt;") > 20
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e\ud800-\udfff]", page)
    page.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"), [("a\nb\tc", "a b c"), ("a\x00b", "a\ufffdb"), ("Grüße 漢字 😀", "Grüße 漢字 😀")]
)
def test_texts_are_cleaned_of_what_no_page_may_hold(text: str, shown: str) -> None:
    assert clean(text) == shown


def luminance(colour: str) -> float:
    short = len(colour) == 4
    digits = [colour[i] * 2 if short else colour[2 * i - 1 : 2 * i + 1] for i in (1, 2, 3)]
    parts = [int(one, 16) / 255 for one in digits]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_text_has_a_contrast_of_seven_to_one(summary: TreatmentSummary) -> None:
    """On white, or on the palest ground it can stand on; what lies across the page is no text to be read."""
    page = re.sub(r"\.across span \{[^}]*\}", "", page_of(summary))
    colours = set(re.findall(r"[{; ]color: (#[0-9a-f]{3,6})", page))
    colours |= set(re.findall(r'<(?:text|svg)[^>]* fill="(#[0-9a-f]{6})"', page))
    assert len(colours) >= 3
    ground = luminance("#ffffff")
    for colour in colours:
        assert (ground + 0.05) / (luminance(colour) + 0.05) >= 7, colour


def test_it_prints_on_a4(summary: TreatmentSummary) -> None:
    page = page_of(summary)
    assert "@page { size: A4;" in page
    assert "print-color-adjust: exact" in page


def test_every_picture_tells_what_it_shows(summary: TreatmentSummary) -> None:
    page = page_of(summary)
    assert page.count('role="img"') == page.count("<svg") == 2
    assert page.count("<title>") == 3


# -- German ------------------------------------------------------------------------------------------------


def said() -> set[str]:
    """Every text that a report hands to its words as it is."""
    found: set[str] = set()
    for file in Path(drawing.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if (
                name == "say"
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
            ):
                found.add(node.args[0].value)
    return found


def test_every_word_of_a_report_has_its_german() -> None:
    assert len(said()) > 100
    assert said() - set(GERMAN) == set()


def test_every_zone_has_its_german() -> None:
    assert {zone.name.replace("_", " ") for zone in zone_table()} | {"left", "right"} == set(ZONES)


def test_a_german_report_says_that_it_is_to_be_reviewed(summary: TreatmentSummary) -> None:
    page = page_of(summary, "de")
    assert '<html lang="de">' in page
    assert "Wange, links" in page
    assert "Diese Übersetzung ist noch zu prüfen." in page
    assert "to be reviewed" not in page_of(summary)


def test_another_language_is_refused(summary: TreatmentSummary) -> None:
    with pytest.raises(ValueError, match="only in en, de"):
        report_of(summary, lang="fr")


# -- odd records ---------------------------------------------------------------------------------------------


def test_a_record_that_broke_off_has_a_report() -> None:
    page = page_of(summary_of(treatment(finished=False, seconds=3)))
    assert "not closed" in page
    assert "not finished" in page


def test_an_empty_record_has_a_report() -> None:
    assert "No faults" in page_of(summary_of([]))


def test_a_bench_run_has_a_report() -> None:
    chain = Chain(simulated=True, operator="A")
    chain.add("opened", patient=None, plan=None, plan_file=None, penstroke="0", token="0", bench="gauge")
    chain.add("command", command="run", depth_mm=0.5, rate_hz=100.0, for_s=2.0)
    page = page_of(summary_of(chain.entries))
    assert "Microneedling bench run" in page
    assert "gauge" in page


# -- incidents, and times ------------------------------------------------------------------------------------

SIGHT = "Faults, overrides and incidents"


def test_bleeding_warnings_and_a_lost_program_stand_in_plain_sight_in_the_order_of_time() -> None:
    chain = Chain(simulated=False, operator="A")
    chain.add("opened", patient="P", plan={"zones": [{"zone": "cheek", "side": "left"}]})
    chain.step("numbing", after_s=1, state="skipped", reason="not wanted", by="Dr. B")
    chain.step("cleaning", after_s=1, warnings=["more than 4 % lidocaine"])
    chain.add("zone", index=1, zone="cheek", side="left", answer="start")
    chain.add("endpoint", zone="cheek", side="left", endpoint="continuous-bleeding", **{"pass": 2})
    chain.add("endpoint", zone="cheek", side="left", endpoint="erythema", **{"pass": 3})
    chain.add("command", command="run", zone="cheek", side="left", number=1, depth_mm=0.5, rate_hz=110.0)
    chain.add("resumed", after_s=60, at_step="needling")
    told = section(report_of(summary_of(chain.entries)), SIGHT)
    places = [
        told.index(text)
        for text in (
            "STEP SKIPPED numbing, by Dr. B: not wanted",
            "WARNING cleaning: more than 4 % lidocaine",
            "BLEEDING continuous-bleeding (cheek, left, pass 2)",
            "PROGRAM LOST cheek, left: the program died while needles moved",
            "RESUMED at needling",
        )
    ]
    assert places == sorted(places)
    assert "erythema" not in told
    german = section(report_of(summary_of(chain.entries), lang="de"), GERMAN[SIGHT])
    assert "BLUTUNG anhaltende Blutung (Wange, links, Gang 2)" in german


def test_events_are_told_in_words() -> None:
    chain = Chain(simulated=False, operator="A")
    chain.add("event", event="fault", arg=32, faults=["cartridge-off"], at_device_ms=77, missed=0)
    chain.add("event", event="faults-cleared", faults=["lease"])
    chain.add("event", event="stop-key", arg=0, at_device_ms=78, missed=2)
    chain.add("event", event="shallower", zone="chin", side=None, depth_mm=0.5, **{"pass": 1})
    chain.add("error", code="stopped", message="a stop was asked for")
    chain.add("error", code="link-lost", message="the pen is gone")
    told = section(report_of(summary_of(chain.entries)), SIGHT)
    for text in (
        "EVENT fault (cartridge-off)",
        "EVENT faults-cleared (lease)",
        "EVENT stop-key (2 events lost before it)",
        "EVENT shallower (chin, pass 1, depth mm 0.5)",
        "INTERRUPTED a stop was asked for",
        "ERROR the pen is gone",
    ):
        assert text in told
    assert "EREIGNIS Störung (Nadelmodul ab)" in section(
        report_of(summary_of(chain.entries), lang="de"), GERMAN[SIGHT]
    )


def at_clinic(*offsets: str) -> TreatmentSummary:
    chain = Chain(simulated=False, operator="A")
    chain.add("opened", patient="P", plan={})
    for offset in offsets:
        chain.step("cleaning", after_s=60, local=f"2026-11-23T15:04:05.123{offset}", started_utc=chain.utc)
    return summary_of(chain.entries)


def test_times_are_those_of_the_clinic_and_the_foot_says_so() -> None:
    report = report_of(at_clinic("+01:00"))
    assert "2026-11-23 15:03" in section(report, "Treatment")
    assert "15:04" in section(report, "Steps")
    assert "all times are the clinic's: UTC+01:00" in report.foot[1]
    assert "all times are UTC" in report_of(at_clinic()).foot[1]
    assert "2026-11-23 14:03" in section(report_of(at_clinic()), "Treatment")


def test_a_clock_that_was_set_on_the_way_is_told_with_each_time() -> None:
    report = report_of(at_clinic("-03:30", "+00:00"))
    told = section(report, "Steps")
    assert "10:34 -03:30" in told
    assert "14:05 +00:00" in told
    assert "with their distance from UTC" in report.foot[1]


def test_who_corrects_or_follows_up_did_not_treat() -> None:
    chain = Chain(simulated=False, operator="A. Berg")
    chain.add("opened", patient="P", plan={})
    chain._operator = "C. Lind"
    chain.add("follow-up", effect="redness", grade="mild", onset="2026-11-24", by="C. Lind")
    chain.add("correction", of=1, key="patient", old="P", new="Q", by="C. Lind", reason="a slip")
    assert summary_of(chain.entries).operators == ["A. Berg"]
