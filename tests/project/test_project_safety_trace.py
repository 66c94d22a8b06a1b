"""The safety file: every hazard has a control, every requirement a test, every mark a requirement."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


page = _load(ROOT / "scripts" / "safety_page.py")
TRACE: dict[str, Any] = page.read_trace()
MARKS: dict[str, list[str]] = page.marks()
RULES: set[str] = page.rules()


def repeated(ids: list[str]) -> set[str]:
    return {one for one in ids if ids.count(one) > 1}


def problems(trace: dict[str, Any], marks: dict[str, list[str]], rules: set[str]) -> list[str]:
    """All that is wrong with a safety file, in words."""
    requirements = {one["id"]: one for one in trace["requirement"]}
    hazards = {one["id"]: one for one in trace["hazard"]}
    in_force = {one for one, requirement in requirements.items() if requirement["status"] == "in force"}
    found = [
        f"{one} is there twice" for kind in ("hazard", "requirement") for one in repeated(_ids(trace, kind))
    ]
    for one, requirement in requirements.items():
        if requirement["status"] not in ("in force", "planned"):
            found.append(f"{one}: status {requirement['status']!r}")
        if one in in_force and not marks.get(one):
            found.append(f"{one} is in force and has no test")
        if one not in in_force and not requirement.get("reason"):
            found.append(f"{one} is planned without a reason")
    for one, tests in marks.items():
        if one not in requirements and one not in rules:
            found.append(f"{one} is marked by {tests[0]} and is neither a requirement nor a rule")
    for hazard in trace["hazard"]:
        found += _hazard_problems(hazard, requirements, in_force)
    controlled = {
        one
        for hazard in trace["hazard"]
        for control in hazard["controls"]
        for one in control.get("requirements", [])
    }
    found += [f"{one} controls no hazard" for one in requirements if one not in controlled]
    found += [
        f"a deadline names {one}, which is no hazard"
        for deadline in trace["deadline"]
        for one in deadline["hazards"]
        if one not in hazards
    ]
    return found


def _ids(trace: dict[str, Any], kind: str) -> list[str]:
    return [one["id"] for one in trace[kind]]


def _hazard_problems(hazard: dict[str, Any], requirements: dict[str, Any], in_force: set[str]) -> list[str]:
    one = hazard["id"]
    found = []
    if hazard["severity"] not in page.SEVERITIES:
        found.append(f"{one}: severity {hazard['severity']!r}")
    for control in hazard["controls"]:
        if control["by"] not in page.CONTROLS:
            found.append(f"{one}: a control by {control['by']!r}")
        if not control["text"]:
            found.append(f"{one}: a control says nothing")
        found += [
            f"{one} names {name}, which is no requirement"
            for name in control.get("requirements", [])
            if name not in requirements
        ]
    standing = page.controls_in_force(hazard)
    shown = any(in_force.intersection(control.get("requirements", [])) for control in standing)
    stated = any(control["by"] in ("hardware", "outside") for control in standing)
    if not shown and not stated:
        found.append(f"{one} has no control that stands today")
    if hazard["severity"] in ("S3", "S4", "S5") and all(c["by"] == "information" for c in standing):
        found.append(f"{one} is {hazard['severity']}, and information is its only control")
    return found


def test_the_safety_file_holds_together() -> None:
    assert problems(TRACE, MARKS, RULES) == []


def test_the_safety_file_is_complete() -> None:
    """Numbers are handed out once and never taken back."""
    assert _ids(TRACE, "hazard") == [f"H{number:02}" for number in range(1, 28)]
    base = [f"S-{number:02}" for number in range(1, 26)]
    assert sorted(_ids(TRACE, "requirement")) == sorted([*base, "S-15b", "S-17b"])


def test_the_written_pages_are_fresh() -> None:
    names = [str(path.relative_to(ROOT)) for path in page.stale()]
    assert not names, f"{names} do not follow from the trace and the marks: run python scripts/safety_page.py"


# -- each rule can fail ----------------------------------------------------------------------


def minimal() -> tuple[dict[str, Any], dict[str, list[str]], set[str]]:
    """A small safety file with nothing wrong."""
    control = {"by": "host", "text": "checks", "requirements": ["S-01"]}
    trace = {
        "hazard": [{"id": "H01", "severity": "S3", "controls": [control]}],
        "requirement": [{"id": "S-01", "status": "in force"}],
        "deadline": [{"hazards": ["H01"]}],
    }
    return trace, {"S-01": ["test_x.py::test_x"]}, {"R-1.1"}


def only_information(trace: dict[str, Any], marks: dict[str, list[str]]) -> None:
    hazard = {"id": "H02", "severity": "S3", "controls": [{"by": "information", "text": "a label"}]}
    trace["hazard"].append(hazard)


SPOILT: dict[str, tuple[Callable[[dict[str, Any], dict[str, list[str]]], object], str]] = {
    "no test": (lambda trace, marks: marks.clear(), "S-01 is in force and has no test"),
    "unknown mark": (lambda trace, marks: marks.update({"S-99": ["t"]}), "neither a requirement nor a rule"),
    "unknown rule": (lambda trace, marks: marks.update({"R-9.9": ["t"]}), "neither a requirement nor a rule"),
    "no reason": (
        lambda trace, marks: trace["requirement"][0].update(status="planned"),
        "S-01 is planned without a reason",
    ),
    "other status": (lambda trace, marks: trace["requirement"][0].update(status="done"), "status 'done'"),
    "control to come": (
        lambda trace, marks: trace["hazard"][0]["controls"][0].update(later="soon"),
        "H01 has no control that stands today",
    ),
    "unknown requirement": (
        lambda trace, marks: trace["hazard"][0]["controls"][0].update(requirements=["S-02"]),
        "S-02, which is no requirement",
    ),
    "only information": (only_information, "H02 is S3, and information is its only control"),
    "unknown severity": (lambda trace, marks: trace["hazard"][0].update(severity="S9"), "severity 'S9'"),
    "unknown control": (
        lambda trace, marks: trace["hazard"][0]["controls"][0].update(by="luck"),
        "a control by 'luck'",
    ),
    "twice": (lambda trace, marks: trace["hazard"].append(trace["hazard"][0]), "H01 is there twice"),
    "controls nothing": (
        lambda trace, marks: trace["requirement"].append({"id": "S-02", "status": "planned", "reason": "x"}),
        "S-02 controls no hazard",
    ),
    "deadline of no hazard": (
        lambda trace, marks: trace["deadline"][0].update(hazards=["H99"]),
        "H99, which is no hazard",
    ),
}


def test_a_sound_safety_file_has_no_problems() -> None:
    assert problems(*minimal()) == []


@pytest.mark.parametrize("case", SPOILT)
def test_each_rule_finds_its_breach(case: str) -> None:
    trace, marks, rules = minimal()
    spoil, words = SPOILT[case]
    spoil(trace, marks)
    assert any(words in problem for problem in problems(trace, marks, rules))


def test_marks_are_found_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "test_all.py").write_text(
        "import pytest\n"
        '@pytest.mark.req("S-01", "R-1.1")\n'
        "def test_plain(): ...\n"
        '@pytest.mark.req("S-02")\n'
        "class TestGroup:\n"
        '    @pytest.mark.req("S-03")\n'
        "    def test_inside(self): ...\n"
        '@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.req("S-04"))])\n'
        "def test_one_case(x): ...\n"
        '@pytest.mark.req("S-05")\n'
        "class Machine: ...\n"
        '@pytest.mark.req("S-06")\n'
        "def helper(): ...\n"
    )
    (tmp_path / "test_file.py").write_text(
        'import pytest\npytestmark = [pytest.mark.req("S-07")]\ndef test_it(): ...\n'
    )
    (tmp_path / "conftest.py").write_text('import pytest\n@pytest.mark.req("S-08")\ndef test_not(): ...\n')
    assert page.marks(tmp_path) == {
        "S-01": ["room/test_all.py::test_plain"],
        "R-1.1": ["room/test_all.py::test_plain"],
        "S-02": ["room/test_all.py::TestGroup::test_inside"],
        "S-03": ["room/test_all.py::TestGroup::test_inside"],
        "S-04": ["room/test_all.py::test_one_case"],
        "S-05": ["room/test_all.py::Machine"],
        "S-07": ["test_file.py::test_it"],
    }


def test_a_mark_that_hides_its_requirement_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "test_hidden.py").write_text("import pytest\n@pytest.mark.req(*NAMES)\ndef test_it(): ...\n")
    with pytest.raises(ValueError, match="plain strings"):
        page.marks(tmp_path)


def test_a_change_of_the_trace_makes_the_page_stale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "hazards.md"
    changed.write_text(page.PAGE.read_text(encoding="utf-8").replace("Deeper", "Shallower"), encoding="utf-8")
    monkeypatch.setattr(page, "PAGE", changed)
    monkeypatch.setattr(page, "ROOT", changed.parent)
    monkeypatch.setattr(page, "README", _copy(page.README, tmp_path))
    assert page.main(["--check"]) == 1
    assert "stale: hazards.md" in capsys.readouterr().err
    assert page.main([]) == 0
    assert page.main(["--check"]) == 0


def _copy(path: Path, folder: Path) -> Path:
    copied = folder / path.name
    copied.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    return copied


def test_no_rule_of_the_specification_is_missed() -> None:
    """The rules are read from the page: a change of its style must not leave the set empty."""
    assert {"R-1.1", "R-7.1", "R-17.7"} <= RULES
    assert len(RULES) > 80
