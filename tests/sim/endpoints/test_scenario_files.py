"""Scenario files: what they may say, and that a wrong one is refused in one clear sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstroke_sim.errors import ScenarioError
from penstroke_sim.scenario import Expectation, Scenario, load, scenario_of


def text(tmp_path: Path, yaml: str) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml, encoding="utf-8")
    return path


def test_a_whole_scenario_is_read(tmp_path: Path) -> None:
    scenario = load(
        text(
            tmp_path,
            """
            about: words
            seed: 7
            profile: fine
            drive:
              - {do: hello}
              - {at: 0.5, do: set-depth, depth_mm: 0.25, refused: no-zone}
            timeline:
              - {at: 2, inject: reset}
              - {at: 1.5, inject: motor-stall}
            expect:
              - {by: 3, motor: off}
              - {from: 0.1, by: 0.2, fault: none}
            """,
        )
    )
    assert (scenario.seed, scenario.profile) == (7, "fine")
    assert [(entry.at_ns, entry.name) for entry in scenario.timeline] == [
        (1_500_000_000, "motor-stall"),
        (2_000_000_000, "reset"),
    ]
    hello, set_depth = scenario.drive
    assert (hello.do, hello.at_ns, hello.refused) == ("hello", None, None)
    assert (set_depth.at_ns, set_depth.params, set_depth.refused) == (
        500_000_000,
        {"depth_mm": 250},
        "no-zone",
    )
    assert scenario.expect == (
        Expectation("motor", "off", 3_000_000_000),
        Expectation("fault", "none", 200_000_000, 100_000_000),
    )


def test_an_empty_mapping_is_an_empty_scenario() -> None:
    assert scenario_of({}) == Scenario()


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        ("", "must be keys and values"),
        ("[1, 2]", "must be keys and values"),
        ("seed: 1\nseed: 2", "'seed' is given twice"),
        ("seed: -1", "seed: must be a whole number"),
        ("seed: true", "seed: must be a whole number"),
        ("profile: golden", "profile: 'golden' is unknown; known: fine"),
        ("when: 1", "unknown key 'when'; known: about, seed"),
        ("about: 3", "about: must be text"),
        ("timeline: {}", "timeline: must be a list"),
        ("timeline: [3]", "timeline[0]: must be keys and values"),
        ("timeline: [{inject: reset}]", "timeline[0]: at is missing"),
        ("timeline: [{at: 1}]", "timeline[0]: inject is missing"),
        ("timeline: [{at: x, inject: reset}]", "timeline[0]: at: must be a number, not 'x'"),
        ("timeline: [{at: .nan, inject: reset}]", "must be a finite number"),
        ("timeline: [{at: true, inject: reset}]", "must be a number, not True"),
        ("timeline: [{at: -1, inject: reset}]", "from 0 to 86400 seconds"),
        ("timeline: [{at: 1, inject: [reset]}]", "must be the name of a fault"),
        ("timeline: [{at: 1, inject: gremlin}]", "gremlin"),
        ("timeline: [{at: 1, inject: reset, depth_mm: 3}]", "depth_mm"),
        ("drive: [{do: fly}]", "drive[0]: 'fly' is no act; known: hello"),
        ("drive: [{do: set-depth}]", "depth_mm is missing"),
        ("drive: [{do: set-depth, depth_um: 3}]", "unknown key 'depth_um'"),
        ("drive: [{do: set-depth, depth_mm: 0.0005}]", "whole micrometres"),
        ("drive: [{do: set-depth, depth_mm: 70}]", "from 0.001 to 65.535 mm"),
        ("drive: [{do: set-depth, depth_mm: 1, refused: mood}]", "'mood' is no reason"),
        ("drive: [{do: stop, refused: no-zone}]", "stop is never refused"),
        ("drive: [{do: select-zone, zone: moon, ceiling_mm: 1}]", "'moon' is no zone"),
        ("drive: [{do: select-zone, zone: cheek, side: up, ceiling_mm: 1}]", "'up' is no side"),
        ("drive: [{do: clear-faults, faults: []}]", "at least one fault"),
        ("drive: [{at: 2, do: hello}, {at: 1, do: stop}]", "stop cannot be before hello"),
        ("expect: [{by: 1}]", "exactly one of state, motor, needles, fault"),
        ("expect: [{by: 1, motor: on, state: idle}]", "exactly one of"),
        ("expect: [{motor: on}]", "expect[0]: by is missing"),
        ("expect: [{by: 1, motor: fast}]", "motor cannot be 'fast'; known: on, off"),
        ("expect: [{by: 1, state: off}]", "state cannot be False"),
        ("expect: [{by: 1, fault: [lease]}]", "fault cannot be ['lease']"),
        ("expect: [{from: 2, by: 1, motor: on}]", "from must be before by"),
        ("seed: 2001-99-99", "month must be in 1..12"),
        ("a: [1", "expected ',' or ']'"),
        ("? [a, b]\n: 1", "unhashable"),
        ("[" * 2000, "nested too deeply"),
    ],
)
def test_a_wrong_scenario_is_refused_in_one_sentence(tmp_path: Path, yaml: str, says: str) -> None:
    path = text(tmp_path, yaml)
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        load(tmp_path / "absent.yaml")
    with pytest.raises(ScenarioError, match="directory"):
        load(tmp_path)
    binary = tmp_path / "binary"
    binary.write_bytes(b"seed: \xff")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load(binary)
    endless = tmp_path / "endless"
    endless.write_bytes(b"#" * 1_000_001)
    with pytest.raises(ScenarioError, match="this is no scenario"):
        load(endless)


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_keys = st.sampled_from(["at", "inject", "do", "by", "from", "motor", "fault", "seed", "drive", "depth_mm"])
_values = st.recursive(
    _scalars | st.sampled_from(["reset", "hello", "set-depth", "cut", "flip"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=8,
)
_documents = st.dictionaries(
    st.sampled_from(["seed", "profile", "drive", "timeline", "expect", "about"]), _values, max_size=4
)


@settings(max_examples=300)
@given(_documents)
def test_any_document_is_a_scenario_or_an_error_of_ours(document: dict[str, object]) -> None:
    try:
        made = scenario_of(document)
    except ScenarioError as error:
        said = str(error)
    else:
        said = "a scenario" if isinstance(made, Scenario) else ""
    assert said
