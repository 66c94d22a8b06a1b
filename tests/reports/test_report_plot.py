"""Depth and rate over time, drawn."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from reportentries import limits

from penstroke.records.told import Change, Reading, Run, TreatmentSummary
from penstroke.reports.plot import depth_rate_plot, plot_words
from penstroke.reports.words import words

SAY = words("en")
SVG = "{http://www.w3.org/2000/svg}"


def run(seconds: int, *, depth_mm: float = 0.5, limit_mm: float | None = 1.0, zone: str = "chin") -> Run:
    readings = [
        Reading(0, "", None, None, float(s), depth_mm, 110.0, depth_mm, depth_mm, 110.0, 110.0, {})
        for s in range(1, seconds + 1)
    ]
    held = limits(limit_mm, "zone") if limit_mm is not None else {}
    return Run(1, "", 1, zone, None, 1, depth_mm, 110.0, None, held, readings, "duration", float(seconds))


def plot(runs: list[Run]) -> ElementTree.Element:
    svg = depth_rate_plot(runs, say=SAY)
    assert svg is not None
    return ElementTree.fromstring(svg)


def level(svg: ElementTree.Element, dashes: str) -> list[float]:
    """The heights of the horizontal lines drawn so."""
    found = []
    for path in svg.iter(f"{SVG}path"):
        at = re.fullmatch(r"M[\d.]+,([\d.]+) H[\d.]+", path.get("d", ""))
        if at and path.get("stroke-dasharray") == dashes:
            found.append(float(at[1]))
    return found


def test_limit_wish_and_measured_stand_at_their_heights() -> None:
    svg = plot([run(10)])
    labels = {
        text.text: float(text.get("y", ""))
        for text in svg.iter(f"{SVG}text")
        if text.get("text-anchor") == "end" and text.get("x") == "47"
    }
    depth_limit, rate_low, rate_high = level(svg, "7 3")[0], *level(svg, "7 3")[1:3]
    per_mm = (labels["0.00"] - labels["1.00"]) / 1.0
    zero = labels["0.00"] - 3.5
    assert zero - depth_limit == pytest.approx(1.0 * per_mm, abs=0.2)
    assert zero - level(svg, "1.5 2.5")[0] == pytest.approx(0.5 * per_mm, abs=0.2)
    line = next(svg.iter(f"{SVG}polyline")).get("points", "")
    assert float(line.split()[0].split(",")[1]) == pytest.approx(level(svg, "1.5 2.5")[0], abs=0.2)
    assert rate_low > rate_high


def test_a_limit_that_is_not_known_is_not_drawn() -> None:
    assert level(plot([run(5, limit_mm=None)]), "7 3") == []


def test_a_depth_and_a_limit_that_are_lowered_are_drawn_so() -> None:
    lowered = run(10)
    lowered.changes += [Change(4.0, 0.3, 1.0), Change(8.0, 0.25, 0.3)]
    svg = plot([lowered])
    wishes, depth_limits = level(svg, "1.5 2.5")[:3], level(svg, "7 3")[:2]
    assert wishes[0] < wishes[1] < wishes[2]
    assert depth_limits[0] < depth_limits[1]
    assert depth_limits[1] == wishes[1]


def test_where_nothing_moved_there_is_no_plot() -> None:
    assert depth_rate_plot([], say=SAY) is None
    assert depth_rate_plot([run(0)], say=SAY) is None


def test_pauses_between_runs_are_left_out(summary: TreatmentSummary) -> None:
    svg = depth_rate_plot(summary.runs, say=SAY)
    assert svg is not None
    assert "pauses left out" in svg
    ends = [float(x) for x in re.findall(r'" H([\d.]+)"', svg)]
    assert all(x <= 700 for x in ends)


def test_an_hour_of_readings_stays_small_and_keeps_its_extremes() -> None:
    long = run(3600)
    long.readings[1000].depth_max_mm = 0.93
    svg = depth_rate_plot([long], say=SAY)
    assert svg is not None
    assert len(svg) < 80_000
    band = next(ElementTree.fromstring(svg).iter(f"{SVG}polygon")).get("points", "")
    highest = min(float(point.split(",")[1]) for point in band.split())
    wish = level(ElementTree.fromstring(svg), "1.5 2.5")[0]
    assert highest < wish - 30


def test_the_plot_is_told_in_words(summary: TreatmentSummary) -> None:
    told = plot_words(summary.runs, SAY)
    assert "cheek, left: deepest measured 0.82 mm, limit 1.12 mm" in told


def test_a_short_run_in_the_air_before_a_long_pass_keeps_its_name() -> None:
    tried = run(3)
    tried.number = tried.index = None
    svg = plot([tried, run(600)])
    (name,) = [text for text in svg.iter(f"{SVG}text") if text.text == "in the air"]
    (zone,) = [text for text in svg.iter(f"{SVG}text") if text.text == "chin"]
    assert float(name.get("x", "")) < 60
    assert float(name.get("y", "")) < float(zone.get("y", ""))


def test_a_run_in_the_air_is_called_so() -> None:
    tried = run(8)
    tried.number = None
    svg = depth_rate_plot([tried], say=SAY)
    assert svg is not None
    assert "in the air" in svg
    assert "chin" not in svg


@pytest.mark.parametrize("zone", ["<script>", "a&b", "\x00\ud800"])
def test_any_text_leaves_the_plot_well_formed(zone: str) -> None:
    plot([run(5, zone=zone)])
