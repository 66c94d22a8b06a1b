"""`treat --resume`: after whatever ended the program, at its step; nothing is given twice, nothing moves."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from clitools import (
    ANTICOAGULANT,
    CHEEK,
    CLINICIAN,
    EXAMPLES,
    FOREHEAD,
    OPERATOR,
    ROSTER,
    Clinic,
    Process,
    Result,
    Server,
)

from penstroke.records.recorder import Recorder
from penstroke.records.store import open_store

Call = Callable[..., Result]
PlanFile = Callable[..., Path]
Spawn = Callable[..., Process]
STEPS = [
    "consent", "screening", "pre-use", "cleaning", "numbing", "needling", "mesotherapy", "aftercare",
    "follow-up",
]  # fmt: skip
IN_ZONE_ONE = 4.5
"""Virtual seconds after which needles move in the first zone, when a file answers."""


def on(pens: list[Any]) -> list[bool]:
    """What the motor of the pen that was opened last did."""
    return [entry["on"] for entry in pens[-1].journal.of("motor")]


@pytest.mark.parametrize("step", STEPS)
def test_it_goes_on_at_the_step_it_was_left_in(
    treat: Call, plan_file: PlanFile, clinic: Clinic, step: str
) -> None:
    """Left because nobody was there to answer; every step is done once in the end."""
    plan = plan_file(CHEEK)
    # Needling itself is answered by `start` and by what follows it.
    without = {"needling": {"start": None}} if step == "needling" else {step.replace("-", "_"): None}
    left = treat(plan, "--json", answers=clinic.answers(**without))
    assert left.code in (2, 7), left.err
    result = treat(plan, "--json", "--resume")
    assert (result.code, result.err[-300:]) == (0, result.err[-300:])
    assert [body["at_step"] for body in clinic.bodies("resumed")] == [step]
    settled = [body["step"] for body in clinic.bodies("step") if body["state"] in ("done", "skipped")]
    assert settled == STEPS
    assert len(clinic.treatments()) == 1
    assert result.lines[0]["resumed"] is True
    assert result.lines[0]["id"] == clinic.treatments()[0]
    assert [body["ended"] for body in clinic.bodies("closed")] == ["error", "finished"]
    clinic.make_sure_it_is_whole()


def test_numbing_that_is_on_the_skin_goes_on_counting(treat: Call, clinic: Clinic) -> None:
    plan, answers = EXAMPLES / "demo.yaml", EXAMPLES / "answers.yaml"
    numbing = {"product": "cream", "ingredients": ["lidocaine"], "lidocaine_pct": 4, "grams": 3}
    numbing |= {"over_the_counter": True, "area_cm2": 22, "zones": ["forehead"], "dwell_min": 5}
    zones = {"numbing": {"skip": None, **numbing}}
    assert treat(plan, answers=clinic.answers(**zones), follow_up=None).code == 7  # wiped_off is missing
    assert clinic.bodies("step")[-1]["state"] == "begun"
    assert treat(plan, "--resume", answers=answers).code == 0
    (resumed,) = clinic.bodies("resumed")
    assert resumed["at_step"] == "numbing"
    assert resumed["dwell_s"] >= 300
    (begun, done) = [body["state"] for body in clinic.bodies("step") if body["step"] == "numbing"]
    assert (begun, done) == ("begun", "done")


@pytest.mark.req("S-20")
def test_a_pass_that_was_begun_is_given(
    treat: Call, plan_file: PlanFile, clinic: Clinic, scenario: Callable[..., str], pens: list[Any]
) -> None:
    """The line is cut in the first pass of two: what follows is the second, and then the next zone."""
    plan = plan_file(CHEEK | {"area_cm2": 16}, FOREHEAD)
    assert treat(plan, port=scenario((IN_ZONE_ONE, "cut", {}))).code == 6
    result = treat(plan, "--json", "--resume")
    assert (result.code, result.err[-300:]) == (0, result.err[-300:])
    assert [line["pass"] for line in result.lines if line["event"] == "pass"] == [2, 1]
    assert on(pens) == [True, False] * 2
    (summary,) = [line for line in result.lines if line["event"] == "summary"]
    cheek, forehead = summary["zones"]
    assert (cheek["state"], cheek["passes_done"], forehead["state"]) == ("done", 2, "done")
    # What the first pass gave is in the account of the zone, too.
    first, second = clinic.bodies("run-ended")[1:3]
    assert cheek["seconds"] == pytest.approx(first["elapsed_s"] + second["elapsed_s"], abs=0.01)
    assert first["zone_strokes"] > 10
    assert second["zone_strokes"] == cheek["strokes"] > first["zone_strokes"] + 1000


@pytest.mark.req("S-20")
def test_a_zone_whose_last_pass_was_begun_is_not_needled_again(
    treat: Call, plan_file: PlanFile, clinic: Clinic, scenario: Callable[..., str], pens: list[Any]
) -> None:
    plan = plan_file(CHEEK | {"area_cm2": 16, "passes": 1})
    assert treat(plan, port=scenario((IN_ZONE_ONE, "cut", {}))).code == 6
    result = treat(plan, "--json", "--resume")
    assert (result.code, result.err[-300:]) == (0, result.err[-300:])
    assert on(pens) == []
    assert clinic.bodies("zone-done")[-1]["state"] == "done"
    assert [body["answer"] for body in clinic.bodies("zone")] == ["start"]


@pytest.mark.req("S-20")
def test_the_time_in_a_zone_is_capped_over_restarts(
    treat: Call, plan_file: PlanFile, clinic: Clinic, scenario: Callable[..., str], pens: list[Any]
) -> None:
    """Programs that were killed in this zone, each in a run of which no end is on record."""
    plan = plan_file(CHEEK | {"area_cm2": 16})  # two passes of ten seconds
    assert treat(plan, port=scenario((IN_ZONE_ONE, "cut", {}))).code == 6
    (treatment,) = clinic.treatments()
    with open_store(clinic.store) as store, Recorder(store, treatment=treatment) as recorder:
        for _ in range(6):  # to three times the plan, which is the cap
            recorder.write("zone", index=1, zone="cheek", side="left", answer="start")
            recorder.write("command", command="run", number=1, rate_hz=110.0, for_s=10.0)
    result = treat(plan, "--json", "--resume")
    assert (result.code, result.error["code"]) == (3, "zone-time-exceeded")
    assert "leave this zone" in result.error["hint"]
    assert on(pens) == []
    assert clinic.bodies("refused")[-1]["code"] == "zone-time-exceeded"


@pytest.mark.req("S-20")
def test_finished_zones_keep_what_they_were_given(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    plan = plan_file(CHEEK, FOREHEAD)
    zones = {"forehead": {"answer": "quit"}}
    assert treat(plan, "--json", answers=clinic.answers(needling={"zones": zones})).code == 130
    before = clinic.bodies("summary")[0]["zones"][0]
    result = treat(plan, "--resume")
    assert result.code == 0
    after = clinic.bodies("summary")[1]["zones"][0]
    assert after == {**before, "seconds": pytest.approx(before["seconds"], abs=0.01)}
    assert after["strokes"] > 150
    assert on(pens) == [True, False]  # the forehead alone


@pytest.mark.req("S-11")
def test_needles_never_go_on_by_themselves(
    treat: Call,
    plan_file: PlanFile,
    clinic: Clinic,
    scenario: Callable[..., str],
    pens: list[Any],
    person: Callable[[Sequence[str]], list[str]],
) -> None:
    """The zone that was being needled is asked for again; whoever says nothing moves nothing."""
    plan = plan_file(CHEEK | {"area_cm2": 16})
    assert treat(plan, port=scenario((IN_ZONE_ONE, "cut", {}))).code == 6
    silent = clinic.answers(needling={"start": None})
    nobody = treat(plan, "--json", "--resume", answers=silent)
    assert (nobody.code, nobody.error["code"], on(pens)) == (2, "needs-terminal", [])
    asked = person(["start"])
    assert treat(plan, "--resume", answers=silent).code == 0
    assert asked == ["  start, skip or quit?"]
    assert on(pens) == [True, False]


def test_what_was_too_deep_before_is_too_deep_after(
    treat: Call,
    plan_file: PlanFile,
    clinic: Clinic,
    scenario: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It bled in the first pass and was made shallower; then the line was cut."""
    from penstroke.cli import treating
    from penstroke.treatment.needling import Wish

    wishes = iter([*[None] * 10, Wish.SHALLOWER])
    monkeypatch.setattr(treating.Treating, "wish", lambda _self: next(wishes, None))
    plan = plan_file(CHEEK | {"area_cm2": 16})
    assert treat(plan, port=scenario((IN_ZONE_ONE + 2, "cut", {}))).code == 6
    resumed = treat(plan, "--resume")
    assert resumed.code == 0
    assert "first 0.85 mm = 850 µm" in resumed.err, "what is started is what is named"
    assert [body["depth_mm"] for body in clinic.bodies("held")] == [0.9, 0.85]


def test_where_it_bled_continuously_nothing_goes_deeper_neither_now_nor_after_a_restart(
    treat: Call,
    plan_file: PlanFile,
    clinic: Clinic,
    scenario: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from penstroke.cli import treating
    from penstroke.treatment.needling import Wish

    wishes = iter([*[None] * 10, Wish.BLEEDING, *[None] * 5, Wish.DEEPER, *[None] * 100])
    monkeypatch.setattr(treating.Treating, "wish", lambda _self: next(wishes, None))
    plan = plan_file(CHEEK | {"area_cm2": 16, "passes": 3})
    assert treat(plan, port=scenario((IN_ZONE_ONE + 2, "cut", {}))).code == 6
    again = iter([*[None] * 10, Wish.DEEPER])
    monkeypatch.setattr(treating.Treating, "wish", lambda _self: next(again, None))
    assert treat(plan, "--resume").code == 0
    refused = [body["refused"] for body in clinic.bodies("event") if body["event"] == "deeper"]
    assert refused == ["it bled continuously here: this zone goes no deeper"] * 2
    assert [body["depth_mm"] for body in clinic.bodies("held")] == [0.9, 0.5, 0.5]


# -- what screening found stays, and who goes on is named ------------------------------------------------


def test_who_goes_on_is_responsible_from_there(treat: Call, plan_file: PlanFile, clinic: Clinic) -> None:
    plan = plan_file(CHEEK)
    assert treat(plan, answers=clinic.answers(cleaning=None)).code == 7
    unknown = treat(plan, "--resume", "--json", operator="Dr. Who")
    assert (unknown.code, unknown.error["code"]) == (2, "person-unknown")
    assert treat(plan, "--resume", operator=CLINICIAN).code == 0
    resumed = clinic.entries("resumed")[0].number
    assert {entry.operator for entry in clinic.entries() if 1 < entry.number < resumed} == {OPERATOR}
    assert {entry.operator for entry in clinic.entries() if entry.number >= resumed} == {CLINICIAN}


@pytest.mark.req("S-22")
def test_what_screening_found_stays_over_a_restart(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    plan = plan_file(FOREHEAD)  # 0.40 mm of 0.50; three quarters of that are too little
    result = treat(plan, "--json", answers=clinic.answers(screening=ANTICOAGULANT))
    assert (result.code, result.error["code"]) == (3, "depth-above-limit")
    assert result.error["bound_by"] == "screening"
    again = treat(plan, "--json", "--resume")  # with a file whose screening finds nothing
    assert (again.code, again.error["code"]) == (3, "depth-above-limit")
    assert again.error["bound_by"] == "screening"
    assert on(pens) == []


def test_a_step_is_done_anew(treat: Call, plan_file: PlanFile, clinic: Clinic) -> None:
    plan, left = plan_file(CHEEK), clinic.answers(aftercare=None)
    assert treat(plan, answers=left).code == 7
    again = ("--resume", "--redo", "consent", "--reason", "the wrong form was signed")
    assert treat(plan, *again).code == 0
    told = [(body["step"], body["state"]) for body in clinic.bodies("step")]
    assert told[0] == ("consent", "done")
    assert told[told.index(("consent", "redone")) :] == [
        ("consent", "redone"),
        ("consent", "done"),
        ("aftercare", "done"),
        ("follow-up", "done"),
    ]
    (redone,) = [body for body in clinic.bodies("step") if body["state"] == "redone"]
    assert (redone["reason"], redone["by"]) == ("the wrong form was signed", OPERATOR)


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("--redo", "consent", "--reason", "x"), 2, "usage"),
        (("--resume", "--redo", "consent"), 2, "usage"),
        (("--resume", "--reason", "x"), 2, "usage"),
        (("--resume", "--redo", "tea", "--reason", "x"), 2, "usage"),
        (("--resume", "--redo", "needling", "--reason", "x"), 2, "usage"),
        (("--resume", "--redo", "aftercare", "--reason", "x"), 3, "step-out-of-order"),
    ],
)
def test_what_cannot_be_done_anew(
    treat: Call,
    plan_file: PlanFile,
    clinic: Clinic,
    pens: list[Any],
    words: tuple[str, ...],
    code: int,
    error: str,
) -> None:
    plan = plan_file(CHEEK)
    assert treat(plan, answers=clinic.answers(cleaning=None)).code == 7
    made = len(pens)
    result = treat(plan, "--json", *words)
    assert (result.code, result.error["code"], len(pens)) == (code, error, made)


# -- what cannot be resumed ------------------------------------------------------------------------------


def test_another_plan_is_refused(treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]) -> None:
    assert treat(plan_file(CHEEK), answers=clinic.answers(cleaning=None)).code == 7
    count = len(pens)
    result = treat(plan_file(CHEEK | {"depth_mm": 0.5}), "--json", "--resume")
    assert (result.code, result.error["code"]) == (7, "plan-other")
    assert clinic.treatments()[0] in result.error["message"]
    assert len(pens) == count


def test_which_of_several_must_be_said(treat: Call, plan_file: PlanFile, clinic: Clinic) -> None:
    plan = plan_file(CHEEK)
    left = clinic.answers(cleaning=None)
    begun, anew = (treat(plan, answers=left) for _ in range(2))
    first, second = clinic.treatments()
    assert (begun.code, anew.code) == (7, 7)
    assert "not finished" not in begun.err
    assert f"treatment {first} of this patient was not finished; --resume {first} goes on" in anew.err
    result = treat(plan, "--json", "--resume")
    assert (result.code, result.error["code"]) == (2, "record-ambiguous")
    assert first in result.error["message"]
    assert second in result.error["message"]
    assert treat(plan, "--resume", first).code == 0
    assert {entry.treatment for entry in clinic.entries("resumed")} == {first}
    # Now there is one left, and it is found by itself; then there is none.
    assert treat(plan, "--resume").code == 0
    for wanted in ((), (first,)):
        none = treat(plan, "--json", "--resume", *wanted)
        assert (none.code, none.error["code"]) == (2, "record-unknown")


def test_nobody_resumes_the_treatment_of_another(treat: Call, plan_file: PlanFile, clinic: Clinic) -> None:
    plan = plan_file(CHEEK)
    assert treat(plan, answers=clinic.answers(cleaning=None)).code == 7
    (theirs,) = clinic.treatments()
    for wanted in ((), (theirs,)):
        result = treat(plan, "--json", "--resume", *wanted, patient="P-18")
        assert (result.code, result.error["code"]) == (2, "record-unknown")


def test_a_treatment_is_one_visit(
    treat: Call, plan_file: PlanFile, clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was left a day ago is not gone on with."""
    import datetime

    from penstroke.treatment import visit

    plan = plan_file(CHEEK)
    assert treat(plan, answers=clinic.answers(cleaning=None)).code == 7
    tomorrow = datetime.datetime.now().astimezone() + datetime.timedelta(hours=25)
    monkeypatch.setattr(visit.Visit.__init__, "__kwdefaults__", {"local_now": lambda: tomorrow})
    result = treat(plan, "--json", "--resume")
    assert (result.code, result.error["code"]) == (3, "step-out-of-order")
    assert "begin a new one" in result.error["hint"]


@pytest.mark.req("S-17", "S-20")
def test_two_programs_do_not_go_on_with_one_treatment(
    spawn: Spawn, server: Server, cli: Call, treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    """Each would give what is left of it. One that was killed holds nothing."""
    plan = plan_file(CHEEK)
    first = spawn("--port", server.port, "treat", plan, *clinic.flags(clinic.answers(consent=None)))
    first.read_until("yes or no")
    for more in ((), (clinic.treatments()[0],)):
        result = treat(plan, "--json", "--resume", *more)
        assert (result.code, result.error["code"]) == (3, "treatment-under-way")
        assert f"process {first.pid}" in result.error["message"]
    assert pens == []
    first.send(signal.SIGKILL)
    first.end()
    assert treat(plan, "--resume").code == 0


# -- real processes --------------------------------------------------------------------------------------


def test_after_ctrl_c_at_a_prompt(
    spawn: Spawn, server: Server, plan_file: PlanFile, clinic: Clinic, treat: Call
) -> None:
    plan = plan_file(CHEEK)
    process = spawn("--port", server.port, "treat", plan, *clinic.flags(clinic.answers(cleaning=None)))
    process.read_until("What was the skin cleaned with?")
    process.send(signal.SIGINT)
    code, said = process.end()
    assert code == 130
    assert f"treatment {clinic.treatments()[0]}: --resume goes on with it" in said
    assert treat(plan, "--resume", port=server.port).code == 0
    assert [body["at_step"] for body in clinic.bodies("resumed")] == ["cleaning"]
    assert [body["ended"] for body in clinic.bodies("closed")] == ["interrupted", "finished"]


@pytest.mark.req("S-10", "S-20")
def test_after_a_kill_while_needling(
    spawn: Spawn, server: Server, plan_file: PlanFile, clinic: Clinic
) -> None:
    """The same pen and cartridge; its lease has stopped the needles, and a person clears that fault."""
    plan = plan_file(CHEEK | {"area_cm2": 3.2})
    answers = clinic.answers(needling={"start": None})
    command = ("--port", server.port, "treat", plan, *clinic.flags(answers))
    process = spawn(*command)
    process.read_until("start, skip or quit?")
    process.type("start\n")
    process.read_until("pass 1 of 2")
    process.read_until("running")
    process.send(signal.SIGKILL)
    assert process.end()[0] == -signal.SIGKILL
    server.wait_for("motor", on=False, reason="lease")
    clinic.make_sure_it_is_whole()
    assert clinic.bodies("closed") == []

    resumed = spawn(*command, "--resume")
    resumed.read_until("going on at needling")
    resumed.read_until("zone 1 of 1: cheek left, 1 pass,")
    resumed.read_until("start, skip or quit?")
    assert len([entry for entry in server.journal("motor") if entry["on"]]) == 2  # nothing by itself
    resumed.type("start\n")
    resumed.read_until("pass 2 of 2")
    code, said = resumed.end()
    assert (code, said[-300:]) == (0, said[-300:])
    assert "cheek left: done" in said
    (done,) = clinic.bodies("zone-done")
    assert (done["state"], done["passes_done"]) == ("done", 2)
    # The pass that was cut off counts in full.
    assert done["seconds"] == pytest.approx(4, abs=0.2)
    clinic.make_sure_it_is_whole()


@pytest.mark.req("S-22")
def test_a_yes_that_was_corrected_in_is_not_forgotten(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    plan = plan_file(CHEEK)
    assert treat(plan, answers=clinic.answers(pre_use={"calibrated_on": None})).code == 7
    number = next(one.number for one in clinic.entries("step") if one.body["step"] == "screening")
    key, treatment = "answers.pregnancy_or_nursing", clinic.treatments()[0]
    with open_store(clinic.store) as store, Recorder(store, treatment=treatment, operator=CLINICIAN) as one:
        one.write("correction", of=number, key=key, old=False, new=True, by=CLINICIAN, reason="told later")
    for _ in range(2):
        again = treat(plan, "--resume")  # the file says no, still
        assert again.code == 3, again.err
        assert f"screening comes again: entry {number} was corrected" in again.err
        assert "pregnancy or nursing" in again.err
        assert "needling" not in {body["step"] for body in clinic.bodies("step")}
        assert on(pens) == []
    clinic.make_sure_it_is_whole()


@pytest.mark.req("S-22")
@pytest.mark.parametrize("acne", [["forehead"], ["forehead", "cheek left"]])
def test_zones_that_are_excluded_while_needling_are_passed_over_and_the_visit_is_ended(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any], acne: list[str]
) -> None:
    """What was needled gets its aftercare, whatever is found afterwards."""
    plan, zones = plan_file(CHEEK, FOREHEAD), {"forehead": {"answer": "quit"}}
    assert treat(plan, answers=clinic.answers(needling={"zones": zones})).code == 130
    number = next(one.number for one in clinic.entries("step") if one.body["step"] == "screening")
    key, treatment = "answers.active_acne", clinic.treatments()[0]
    with open_store(clinic.store) as store, Recorder(store, treatment=treatment, operator=CLINICIAN) as one:
        one.write("correction", of=number, key=key, old=[], new=acne, by=CLINICIAN, reason="seen now")
    result = treat(plan, "--resume")
    assert (result.code, result.err[-300:]) == (0, result.err[-300:])
    said = [(body["zone"], body["answer"], body.get("reason")) for body in clinic.bodies("zone")]
    assert said == [("cheek", "start", None), ("forehead", "quit", None), ("forehead", "skip", "screening")]
    assert on(pens) == []
    assert [body["step"] for body in clinic.bodies("step")][-2:] == ["aftercare", "follow-up"]


@pytest.mark.req("S-01")
def test_a_run_in_a_treatment_does_not_reach_a_zone_that_screening_excluded(
    treat: Call, on_pen: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    zones = {"forehead": {"answer": "quit"}}
    answers = clinic.answers(screening={"herpes": ["cheek left"]}, needling={"zones": zones})
    assert treat(plan_file(CHEEK, FOREHEAD), answers=answers).code == 130
    where = ("--treatment", clinic.treatments()[0], "--store", clinic.store, "--roster", ROSTER)
    wish = ("--zone", "cheek", "--side", "left", "--depth", "0.5", "--rate", "110", "--for", "1")
    result = on_pen("run", *wish, *where, "--operator", OPERATOR, "--json")
    assert (result.code, result.error["code"]) == (3, "zone-excluded")
    assert on(pens) == []
