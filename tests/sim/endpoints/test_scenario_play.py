"""Scenarios played to their end: the shipped ones, what an expectation means, what the built-in host does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from penstroke_sim.acts import ACTS
from penstroke_sim.errors import ScenarioError
from penstroke_sim.expect import History
from penstroke_sim.play import Report, play
from penstroke_sim.profiles import PROFILES
from penstroke_sim.scenario import Expectation, load, scenario_of

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples" / "scenarios").glob("*.yaml"))
S = 1_000_000_000
OTHERWISE = {"on": "off", "off": "on", "extended": "retracted", "retracted": "extended"}
TO_RUNNING: list[dict[str, Any]] = [
    {"do": "hello"},
    {"at": 0.3, "do": "select-zone", "zone": "cheek", "side": "left", "ceiling_mm": 1.0},
    {"do": "set-depth", "depth_mm": 0.9},
    {"do": "set-rate", "rate_hz": 110},
    {"do": "arm"},
    {"at": 0.5, "do": "start", "longest_s": 60},
]


def played(document: dict[str, Any], profile: str = "fine", seed: int = 1) -> Report:
    return play(scenario_of(document), profile=PROFILES[profile], seed=seed)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_shipped_scenario_passes_and_says_what_it_is_about(path: Path) -> None:
    scenario = load(path)
    assert scenario.expect
    assert path.read_text(encoding="utf-8").startswith("about: ")
    profile = PROFILES[scenario.profile or "fine"]
    report = play(scenario, profile=profile, seed=scenario.seed or 0)
    assert report.passed, report.to_json()
    # What passes must also be able to fail: turned round, every expectation does.
    turned = tuple(replace(wish, wanted=OTHERWISE.get(wish.wanted, "self-test")) for wish in scenario.expect)
    against = play(replace(scenario, expect=turned), profile=profile, seed=scenario.seed or 0)
    assert not any(judgement.met for judgement in against.judgements)
    assert against.journal == report.journal


def test_the_shipped_scenarios_are_there() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize(
    ("wish", "met", "found"),
    [
        (Expectation("motor", "off", 1 * S), True, "off since 0 s"),
        (Expectation("motor", "on", 2 * S), True, "on since 2 s"),
        (Expectation("motor", "off", 2 * S), False, "on since 2 s"),
        (Expectation("motor", "on", 5 * S), False, "off since 4 s"),
        (Expectation("motor", "on", 4 * S - 1, 2 * S), True, "on since 2 s"),
        (Expectation("motor", "on", 4 * S, 2 * S), False, "off since 4 s"),
        (Expectation("motor", "off", 6 * S, 1 * S), False, "on since 2 s"),
        (Expectation("fault", "none", 3 * S), True, "none since 0 s"),
        (Expectation("fault", "lease", 5 * S), True, "lease+stall since 4 s"),
        (Expectation("fault", "stall", 5 * S), True, "lease+stall since 4 s"),
        (Expectation("fault", "depth", 5 * S), False, "lease+stall since 4 s"),
        (Expectation("fault", "none", 9 * S), True, "none since 8 s"),
        (Expectation("state", "fault", 5 * S), True, "fault since 4 s"),
        (Expectation("needles", "extended", 3 * S), True, "extended since 2 s"),
        (Expectation("state", "fault", 11 * S), False, "the pen was watched for 10 s only"),
    ],
)
def test_an_expectation_is_judged_at_its_instant_or_through_its_span(
    wish: Expectation, met: bool, found: str
) -> None:
    history = History()
    for entry in (
        {"t": 0.0, "event": "boot"},
        {"t": 2.0, "event": "motor", "on": True},
        {"t": 2.0, "event": "needles", "extended": True},
        {"t": 4.0, "event": "motor", "on": False},
        {"t": 4.0, "event": "fault", "new": ["lease"], "latched": ["lease", "stall"]},
        {"t": 4.0, "event": "state", "from": "running", "to": "fault"},
        {"t": 8.0, "event": "boot"},
    ):
        history.note(entry)
    (judgement,) = history.judge([wish], 10 * S)
    assert (judgement.met, judgement.found) == (met, found)


def test_an_unmet_expectation_fails_the_scenario() -> None:
    report = played({"drive": TO_RUNNING, "expect": [{"by": 2, "motor": "off"}]})
    assert not report.passed
    assert report.to_json()["expect"] == [
        {"by": 2.0, "motor": "off", "met": False, "found": report.judgements[0].found}
    ]


def test_an_act_that_goes_otherwise_fails_the_scenario() -> None:
    refused = played({"drive": [{"do": "hello"}, {"at": 0.3, "do": "set-depth", "depth_mm": 0.9}]})
    assert [done.outcome for done in refused.done] == ["done", "no-zone"]
    assert not refused.passed
    carried_out = played({"drive": [{"do": "hello"}, {"do": "get-status", "refused": "wrong-state"}]})
    assert carried_out.done[-1].outcome == "done"
    assert not carried_out.passed


def test_an_act_without_a_session_and_one_without_an_answer() -> None:
    report = played(
        {
            "drive": [{"do": "get-status"}, {"do": "hello"}, {"at": 1, "do": "get-status"}],
            "timeline": [{"at": 0.5, "inject": "half-open"}],
        }
    )
    assert [done.outcome for done in report.done] == ["no session", "done", "silent"]
    assert not report.passed


def test_the_host_keeps_a_run_alive_until_it_falls_silent() -> None:
    report = played(
        {
            "drive": [*TO_RUNNING, {"at": 5, "do": "silence"}],
            "expect": [
                {"from": 0.6, "by": 5, "motor": True},
                {"by": 5.305, "motor": False},
                {"by": 6, "fault": "lease"},
            ],
        }
    )
    assert report.passed, report.to_json()


def test_every_act_can_be_done() -> None:
    acts: list[dict[str, Any]] = [
        {"do": "hello", "role": "observer"},
        {"do": "get-status"},
        {"do": "get-cartridge"},
        {"do": "get-witness"},
        {"do": "set-telemetry", "rate_hz": 50},
        {"do": "set-rate", "rate_hz": 100, "refused": "not-controller"},
        *TO_RUNNING,
        {"do": "lower-ceiling", "ceiling_mm": 0.95},
        {"do": "release"},
        {"do": "stop"},
        {"do": "silence"},
        {"do": "speak"},
        {"do": "clear-faults", "faults": ["lease", "stall"]},
        {"do": "bye"},
    ]
    report = played({"drive": acts})
    assert {act["do"] for act in acts} == set(ACTS)
    assert report.passed, report.to_json()


def test_the_timeline_is_played_to_its_end() -> None:
    report = played({"timeline": [{"at": 3, "inject": "stop-key"}], "expect": [{"by": 1, "state": "idle"}]})
    assert report.ended_ns == 3 * S
    assert '"by":"key"' in report.journal


def test_a_scenario_that_cannot_fail_is_refused() -> None:
    with pytest.raises(ScenarioError, match="would show nothing"):
        played({"timeline": [{"at": 1, "inject": "reset"}]})


def test_seeds_differ_and_repeat() -> None:
    document = {
        "drive": TO_RUNNING,
        "timeline": [{"at": 1, "inject": "flip", "probability": 0.02}],
        "expect": [{"by": 3, "fault": "none"}],
    }
    first, again, other = played(document), played(document), played(document, seed=2)
    assert first.journal == again.journal
    assert first.journal != other.journal
