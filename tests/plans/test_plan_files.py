"""Plans as files: what is written is what is taken, and what is wrong is named by line and place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstroke.errors import PlanError
from penstroke.treatment.plan import TreatmentPlan, load_plan

GOOD = """\
version: 1
title: Chin
notes: "as written"
zones:
  - zone: chin
    area_cm2: 18
    depth_mm: 0.6
    rate_hz: 110
    passes: 3
    target_density: {min_per_cm2: 200}
  - zone: cheek
    side: left
    area_cm2: 40.5
    rate_hz: 110
    passes:
      - {depth_mm: 0.7, direction: diagonal}
      - {depth_mm: 0.9, rate_hz: 120}
"""


def write(folder: Path, text: str | bytes, name: str = "plan.yaml") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def error(folder: Path, text: str | bytes, name: str = "plan.yaml") -> PlanError:
    with pytest.raises(PlanError) as caught:
        load_plan(write(folder, text, name))
    assert caught.value.code == "plan-invalid"
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def plan_or_error(file: Path) -> TreatmentPlan | PlanError:
    try:
        return load_plan(file)
    except PlanError as problem:
        return problem


def test_a_good_plan(tmp_path: Path) -> None:
    plan = load_plan(write(tmp_path, GOOD))
    chin, cheek = plan.zones
    assert (plan.title, plan.notes) == ("Chin", "as written")
    assert [(one.number, one.depth_mm, one.rate_hz, one.direction) for one in chin.planned_passes()] == [
        (1, 0.6, 110, "vertical"),
        (2, 0.6, 110, "horizontal"),
        (3, 0.6, 110, "diagonal"),
    ]
    assert [(one.depth_mm, one.rate_hz, one.direction) for one in cheek.planned_passes()] == [
        (0.7, 110, "diagonal"),
        (0.9, 120, "horizontal"),
    ]
    assert (chin.target_density.min_per_cm2, chin.target_density.max_per_cm2) == (200, 300)
    assert cheek.label() == "cheek left"
    assert TreatmentPlan.read(str(tmp_path / "plan.yaml")) == plan


def test_the_same_plan_in_json(tmp_path: Path) -> None:
    plan = load_plan(write(tmp_path, GOOD))
    for text in (plan.model_dump_json(), plan.model_dump_json(exclude_defaults=True)):
        assert load_plan(write(tmp_path, text, "plan.json")) == plan


def test_a_byte_order_mark_is_no_trouble(tmp_path: Path) -> None:
    assert load_plan(write(tmp_path, b"\xef\xbb\xbf" + GOOD.encode())).title == "Chin"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version: 1", "version: 2", "line 1: version 2 is not known here; this program reads version 1"),
        ("version: 1", "version: true", "line 1: version must be a valid integer"),
        ("version: 1\n", "", "line 1: version is missing"),
        ("title: Chin", "title: 12", "line 2: title must be a valid string"),
        ("title: Chin", "titel: Chin", "titel is no key of a plan (did you mean title?)"),
        ("title: Chin", "title: ''", "line 2: title"),
        ("area_cm2: 18", "area_cm2: 0,3", "line 6: zones[0].area_cm2 must be a plain number like 0.45"),
        ("area_cm2: 18", "area_cm2: 018", "not '018'"),
        ("area_cm2: 18", "area_cm2: 1:30", "not '1:30'"),
        ("area_cm2: 18", "area_cm2: 1_8", "not '1_8'"),
        ("area_cm2: 18", "area_cm2: 0x12", "not '0x12'"),
        ("area_cm2: 18", "area_cm2: 18cm2", "not '18cm2'"),
        ("area_cm2: 18", "area_cm2: .nan", "not '.nan'"),
        ("area_cm2: 18", "area_cm2: .inf", "not '.inf'"),
        ("area_cm2: 18", "area_cm2: 1e3", "not '1e3'"),
        ("area_cm2: 18", "area_cm2: 0", "must be greater than 0"),
        ("area_cm2: 18", "area_cm2: 5000", "must be less than or equal to 2000"),
        ("area_cm2: 18", "area_cm2: true", "line 6: zones[0].area_cm2 must be a valid number"),
        ("area_cm2: 18", "area_cm2:", "line 6: zones[0].area_cm2 must be a valid number"),
        ("    area_cm2: 18\n", "", "line 5: zones[0].area_cm2 is missing"),
        ("depth_mm: 0.6", "depth_mm: -0.6", "line 7: zones[0].depth_mm must be greater than 0"),
        ("depth_mm: 0.6", "depth_mm: '0.6'", "not '0.6'"),
        ("depth_mm: 0.6", "depth: 0.6", "zones[0].depth is no key of a plan (did you mean depth_mm?)"),
        (
            "    depth_mm: 0.6\n",
            "",
            "zones[0] depth_mm is missing: give it for the zone, or in each of its passes",
        ),
        ("rate_hz: 110\n    passes:\n", "passes:\n", "rate_hz is missing"),
        ("passes: 3", "passes: 0", "line 9: zones[0].passes must be greater than or equal to 1"),
        ("passes: 3", "passes: 13", "less than or equal to 12"),
        ("passes: 3", "passes: 2.5", "zones[0].passes must be a valid integer"),
        ("passes: 3", "passes: many", "zones[0].passes must be a plain number"),
        ("passes: 3", "passes: []", "zones[0].passes must not be empty"),
        ("passes: 3", "passes: [3]", "zones[0].passes[0]"),
        ("side: left", "side: links", "line 12: zones[1].side must be 'left' or 'right'"),
        ("side: left", "side: Left", "zones[1].side must be 'left' or 'right'"),
        ("diagonal}", "askew}", "line 16: zones[1].passes[0].direction"),
        ("depth_mm: 0.9", "depth_mm: deep", "line 17: zones[1].passes[1].depth_mm"),
        ("{min_per_cm2: 200}", "{min_per_cm2: 301}", "min_per_cm2 is above max_per_cm2"),
        ("title: Chin", "title: Chin\ntitle: Cheek", "line 3: 'title' is there twice"),
        ("depth_mm: 0.6", "depth_mm: 0.6\n    depth_mm: 1.2", "line 8: 'depth_mm' is there twice"),
        ("title: Chin", "title: &t Chin\nx: *t", "line 2: it uses an anchor"),
        ("title: Chin", "title: !!python/object:os.system x", "tag python/object:os.system"),
        ("depth_mm: 0.6", "depth_mm: !!float abc", "line 7: 'abc' carries the tag float"),
        ("depth_mm: 0.6", "depth_mm: !!int 012345678901234567890", "carries the tag int"),
        ("title: Chin", "title: [", "it is not YAML"),
        ("title: Chin", "? [a]\n: b", "a key is not a plain word"),
        ("notes:", "<<: {a: 1}\nnotes:", "<< is no key of a plan"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    assert says in error(tmp_path, GOOD.replace(old, new, 1)).message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("# nothing\n", "it is empty"),
        ("- 1\n- 2", "it is not a plan"),
        ("just words", "it is not a plan"),
        ("[" * 10_000, "nested too deeply"),
        ("a:\n" + "".join("  " * depth + "b:\n" for depth in range(1, 60)), "nested too deeply"),
        ("title: \x00", "it is not YAML"),
        (b"title: \xff", "UTF-8"),
        (b"#" * 300_000, "larger than 256 KiB"),
        ("a: 1\n---\nb: 2", "it is not YAML"),
        ("version: 1\ntitle: x\nzones: []", "line 3: zones must not be empty"),
    ],
)
def test_files_that_are_no_plan(tmp_path: Path, text: str | bytes, says: str) -> None:
    assert says in error(tmp_path, text).message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: it is not JSON"),
        ("{\n\n", "line 3: it is not JSON"),
        ('{"version": 1, "version": 1}', "'version' is there twice"),
        ('{"version": NaN}', "NaN is not a number"),
        ('{"version": -Infinity}', "-Infinity is not a number"),
        ('{"version": ' + "9" * 5000 + "}", "far too long"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "it is not a plan"),
        ("null", "it is not a plan"),
    ],
)
def test_json_that_is_no_plan(tmp_path: Path, text: str, says: str) -> None:
    assert says in error(tmp_path, text, "plan.json").message


def test_every_problem_is_named_with_its_line(tmp_path: Path) -> None:
    text = GOOD.replace("18", "big").replace("0.6", "-1").replace("side: left", "side: up")
    message = error(tmp_path, text).message
    assert "line 6: zones[0].area_cm2" in message
    assert "line 7: zones[0].depth_mm" in message
    assert "line 12: zones[1].side" in message


def test_many_problems_are_counted(tmp_path: Path) -> None:
    text = GOOD + "".join(f"wrong_{number}: 1\n" for number in range(9))
    assert error(tmp_path, text).message.endswith("; and 4 more")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.yaml", tmp_path, Path("nul\0byte.yaml")):
        with pytest.raises(PlanError, match=r"cannot read|no ordinary file") as caught:
            load_plan(path)
        assert caught.value.code == "plan-invalid"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(PlanError, match="no ordinary file"):
        load_plan(tmp_path / "pipe.yaml")


@pytest.mark.parametrize("title", ["red\x1b[31m", "bell\a", "right to left\u202e"])
def test_what_a_terminal_would_obey_is_no_title(tmp_path: Path, title: str) -> None:
    content = json.loads(load_plan(write(tmp_path, GOOD)).model_dump_json())
    content["title"] = title
    error(tmp_path, json.dumps(content), "plan.json")


def test_huge_numbers_in_json_are_numbers_or_errors(tmp_path: Path) -> None:
    for number in ("1e400", "9" * 400):
        content = json.loads(load_plan(write(tmp_path, GOOD)).model_dump_json())
        content["zones"][0]["depth_mm"] = "NUMBER"
        error(tmp_path, json.dumps(content).replace('"NUMBER"', number), "plan.json")


@settings(max_examples=250, deadline=None)
@given(
    st.integers(0, len(GOOD) - 1),
    st.integers(0, 8),
    st.text(alphabet=" \t\n-:{}[]&*!|>'\"%@`,?#abc019.~\x07é", max_size=6),
    st.sampled_from(["plan.yaml", "plan.json"]),
)
def test_any_damage_is_a_plan_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, start: int, cut: int, put: str, name: str
) -> None:
    text = GOOD[:start] + put + GOOD[start + cut :]
    file = write(tmp_path_factory.getbasetemp(), text, name)
    outcome = plan_or_error(file)
    if isinstance(outcome, PlanError):
        assert outcome.code == "plan-invalid"
        assert "\n" not in outcome.message
    else:
        assert all(one.depth_mm > 0 for zone in outcome.zones for one in zone.planned_passes())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    for name in ("plan.yaml", "plan.json"):
        with pytest.raises(PlanError):
            load_plan(write(tmp_path_factory.getbasetemp(), content, name))
