"""`treat` and its steps: the file of answers, what screening finds, wishes while needles move, cartridges."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from clitools import (
    ANTICOAGULANT,
    CHEEK,
    CLINICIAN,
    FOREHEAD,
    OPERATOR,
    Clinic,
    Process,
    Result,
    Server,
)

from penstroke.treatment.needling import Wish

Call = Callable[..., Result]
PlanFile = Callable[..., Path]
Spawn = Callable[..., Process]
IN_ZONE_ONE = 4.5
"""Virtual seconds after which needles move in the first zone, when a file answers."""


def moved(pens: list[Any]) -> list[bool]:
    """What the motor of the pen that was opened last did."""
    return [entry["on"] for entry in pens[-1].journal.of("motor")]


# -- the file of answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ({"consent": {"allergies": None}}, "consent.allergies"),
        ({"screening": {"birthday": None}}, "screening.birthday"),
        ({"pre_use": {"calibrated_on": None}}, "pre-use.calibrated_on"),
        ({"cleaning": {"antiseptic": None}}, "cleaning.antiseptic"),
        ({"needling": {"endpoint": None}}, "needling.endpoint"),
        ({"needling": {"sharps": None}}, "needling.sharps"),
        ({"aftercare": {"template": None}}, "aftercare.template"),
        ({"follow_up": {"review_on": None}}, "follow-up.review_on"),
    ],
)
def test_what_a_file_leaves_open_is_named_with_the_file(
    treat: Call, plan_file: PlanFile, clinic: Clinic, steps: dict[str, Any], says: str
) -> None:
    answers = clinic.answers(**steps)
    result = treat(plan_file(CHEEK), "--json", answers=answers)
    assert (result.code, result.error["code"]) == (7, "answers-invalid")
    assert says in result.error["message"]
    assert str(answers) in result.error["message"]
    assert clinic.entries()[-1].body == {"ended": "error", "code": "answers-invalid"}


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ({"consent": {"informed_consent": 1}}, "informed_consent"),
        ({"screening": {"birthday": "2999-01-01"}}, "birthday"),
        ({"screening": {"birthday": "12.4.1985"}}, "birthday"),
        ({"screening": {"isotretinoin": "sometimes"}}, "isotretinoin"),
        ({"consent": {"nonsense": True}}, "nonsense"),
        ({"needling": {"endpoint": "blue"}}, "endpoint"),
        ({"consent": {"consent_by": "Dr. Who"}}, "consent_by"),
    ],
)
def test_a_wrong_answer_is_told_with_its_file_and_nothing_goes_on(
    treat: Call, plan_file: PlanFile, clinic: Clinic, steps: dict[str, Any], says: str
) -> None:
    result = treat(plan_file(CHEEK), "--json", answers=clinic.answers(**steps))
    assert (result.code, result.error["code"]) == (7, "answers-invalid")
    assert says in result.error["message"]
    assert "answers-" in result.error["message"]
    assert [body["state"] for body in clinic.bodies("step")][-1:] in ([], ["done"], ["skipped"])


@pytest.mark.parametrize("content", ["", "version: 2\n", "[]", "version: 1\nconsent: yes\n", "a: b: c"])
def test_a_file_that_holds_no_answers_touches_nothing(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any], content: str
) -> None:
    file = clinic.folder / "wrong.yaml"
    file.write_text(content)
    result = treat(plan_file(CHEEK), "--json", answers=file)
    assert (result.code, result.error["code"]) == (7, "answers-invalid")
    assert pens == []
    assert not clinic.store.exists()


def test_a_zone_may_be_answered_by_itself(treat: Call, plan_file: PlanFile, clinic: Clinic) -> None:
    zones = {"cheek left": {"answer": "skip"}, "forehead": {"endpoint": "pinpoint-bleeding"}}
    result = treat(plan_file(CHEEK, FOREHEAD), answers=clinic.answers(needling={"zones": zones}))
    assert result.code == 0
    told = [(body["zone"], body["state"], body["endpoint"]) for body in clinic.bodies("zone-done")]
    assert told == [("cheek", "skipped", None), ("forehead", "done", "pinpoint-bleeding")]


def test_consent_that_was_not_given_ends_the_visit(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    result = treat(plan_file(CHEEK), "--json", answers=clinic.answers(consent={"informed_consent": False}))
    assert result.code == 3
    (step,) = clinic.bodies("step")
    assert (step["step"], step["state"]) == ("consent", "blocked")
    assert moved(pens) == []


# -- screening -------------------------------------------------------------------------------------------


def refused_by_screening(treat: Call, plan: Path, clinic: Clinic, **answers: object) -> Result:
    result = treat(plan, "--json", answers=clinic.answers(screening=answers))
    assert result.code == 3, result.err
    assert clinic.commands() == []
    assert "refused" in [entry.kind for entry in clinic.entries()]
    assert clinic.bodies("closed") == [{"ended": "error", "code": result.error["code"]}]
    return result


@pytest.mark.req("S-01")
@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"pregnancy_or_nursing": True}, "pregnancy or nursing"),
        ({"birthday": "2010-01-01"}, "age under 22"),
        ({"isotretinoin": "now"}, "isotretinoin now"),
    ],
)
def test_screening_that_blocks(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any], answers: dict[str, object], says: str
) -> None:
    result = refused_by_screening(treat, plan_file(CHEEK), clinic, **answers)
    assert result.error["code"] == "screening-blocks"
    assert says in result.error["message"]
    assert clinic.bodies("screened")[0]["blocked_by"] == [says]
    assert clinic.bodies("step")[-1]["state"] == "blocked"
    assert moved(pens) == []
    assert pens[-1].journal.of("limit") == []  # not even a zone was chosen
    again = treat(plan_file(CHEEK), "--json", "--resume")  # a file that finds nothing takes nothing back
    assert (again.code, again.error["code"]) == (3, "screening-blocks")
    assert moved(pens) == []
    third = treat(plan_file(CHEEK), "--resume")
    assert "does not go on: screening blocks it" in third.err
    assert "goes on with it" not in third.err
    anew = treat(plan_file(CHEEK))
    assert f"was not finished; screening blocks it: {says}" in anew.err


@pytest.mark.req("S-01")
def test_screening_that_excludes_every_zone_of_the_plan(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    result = refused_by_screening(treat, plan_file(CHEEK), clinic, herpes=["cheek left"])
    assert result.error["code"] == "zone-excluded"
    assert (result.error["zone"], result.error["side"]) == ("cheek", "left")
    assert "begin a new visit" in result.error["hint"]
    assert clinic.bodies("check")[-1]["violations"][0]["code"] == "zone-excluded"
    assert moved(pens) == []
    again = treat(plan_file(CHEEK), "--resume")
    assert again.code == 3
    assert "begin a new visit" in again.err
    assert "goes on with it" not in again.err


@pytest.mark.req("S-01")
def test_a_zone_that_screening_excludes_is_passed_over_and_the_rest_goes_on(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    plan = plan_file(CHEEK, FOREHEAD)
    result = treat(plan, "--yes", answers=clinic.answers(screening={"herpes": ["cheek left"]}))
    assert (result.code, result.err[-300:]) == (0, result.err[-300:])
    assert "zone 1 of 2 is left out: screening excluded it" in result.err
    said = [(body["zone"], body["answer"], body.get("reason")) for body in clinic.bodies("zone")]
    assert said == [("cheek", "skip", "screening"), ("forehead", "start", None)]
    told = [(body["zone"], body["state"], body["strokes"] > 0) for body in clinic.bodies("zone-done")]
    assert told == [("cheek", "skipped", False), ("forehead", "done", True)]
    assert moved(pens) == [True, False] * 2  # in the air, and in the forehead
    assert clinic.bodies("closed") == [{"ended": "finished", "code": None}]
    clinic.make_sure_it_is_whole()


def test_a_limit_in_a_zone_that_is_left_out_hinders_nothing(
    treat: Call, plan_file: PlanFile, clinic: Clinic
) -> None:
    lower = {**ANTICOAGULANT, "herpes": ["forehead"]}
    plan = plan_file(CHEEK | {"depth_mm": 0.5}, FOREHEAD)
    assert treat(plan, answers=clinic.answers(screening=lower)).code == 0
    assert {body["zone"] for body in clinic.bodies("held")} == {"cheek"}


def test_screening_that_excludes_another_zone_hinders_nothing(
    treat: Call, plan_file: PlanFile, clinic: Clinic
) -> None:
    answers = clinic.answers(screening={"herpes": ["cheek right"]})
    assert treat(plan_file(CHEEK), answers=answers).code == 0


@pytest.mark.req("S-01")
def test_screening_that_lowers_the_ceiling(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    result = refused_by_screening(treat, plan_file(FOREHEAD), clinic, **ANTICOAGULANT)
    assert (result.error["code"], result.error["bound_by"]) == ("depth-above-limit", "screening")
    assert (result.error["limit_mm"], result.error["max_mm"]) == (0.375, 0.3)
    assert "begin a new visit with an adapted plan" in result.error["hint"]
    assert moved(pens) == []
    clinic.store = clinic.folder / "lower.sqlite"
    answers = clinic.answers(screening=ANTICOAGULANT)
    assert treat(plan_file(FOREHEAD | {"depth_mm": 0.3}), answers=answers).code == 0
    (held,) = clinic.bodies("held")
    assert (held["limits"]["depth_mm"], held["limits"]["depth_bound_by"]) == (0.375, "screening")
    assert pens[-1].journal.of("limit")[-1]["session_mm"] == 0.375  # the pen holds it as well


def test_a_sign_off_that_is_missing_blocks(
    treat: Call, plan_file: PlanFile, clinic: Clinic, pens: list[Any]
) -> None:
    unsigned = {**ANTICOAGULANT, "anticoagulant_signed_by": OPERATOR}  # who is no clinician
    result = treat(plan_file(CHEEK), "--json", answers=clinic.answers(screening=unsigned))
    assert (result.code, result.error["code"]) == (7, "answers-invalid")
    assert "anticoagulant_signed_by" in result.error["message"]
    assert moved(pens) == []


@pytest.fixture
def sign_off(
    monkeypatch: pytest.MonkeyPatch, person: Callable[[Sequence[str]], list[str]]
) -> Callable[..., list[str]]:
    """A person who answers the whole screening: a yes to one condition, signed off or not; so many times."""
    from penstroke.cli import asking, treating
    from penstroke.treatment.questions import Kind
    from penstroke.treatment.screening import screening_questions
    from penstroke.treatment.screening_form import screening_form

    def prepare(*signed: bool) -> list[str]:
        words = []
        for one in signed:
            for question in screening_questions(screening_form(), (CLINICIAN,)):
                if question.key == "birthday":
                    words.append("1985-04-12")
                elif question.key == "keloid_history":
                    words += ["yes", CLINICIAN, "old and flat"] if one else ["yes", ""]
                elif not question.only_if:
                    no = {Kind.YES_NO: "no", Kind.CHOICE: "never"}
                    words.append(no.get(question.kind, "none"))
            if not one:
                words.append("again" if len(signed) > 1 else "quit")
        return person(words)

    for module in (asking, treating):
        monkeypatch.setattr(module, "at_terminal", lambda: True)
    return prepare


def test_a_sign_off_that_was_forgotten_is_given_in_the_same_visit(
    treat: Call, plan_file: PlanFile, clinic: Clinic, sign_off: Callable[..., list[str]]
) -> None:
    sign_off(False, True)
    result = treat(plan_file(CHEEK), answers=clinic.answers(screening=None))
    assert (result.code, result.err[-300:]) == (0, result.err[-300:])
    states = [body["state"] for body in clinic.bodies("step") if body["step"] == "screening"]
    assert states == ["blocked", "done"]
    assert "nothing lifts" not in result.err


def test_a_sign_off_that_was_forgotten_is_given_after_a_restart(
    treat: Call, plan_file: PlanFile, clinic: Clinic, sign_off: Callable[..., list[str]], pens: list[Any]
) -> None:
    plan = plan_file(CHEEK)
    sign_off(False)
    left = treat(plan, answers=clinic.answers(screening=None))
    assert (left.code, moved(pens)) == (3, [])
    assert "nothing lifts" not in left.err
    assert "--resume goes on with it" in left.err
    sign_off(True)
    result = treat(plan, "--resume", answers=clinic.answers(screening=None))
    assert (result.code, result.err[-300:]) == (0, result.err[-300:])


# -- people at the terminal ------------------------------------------------------------------------------


def test_a_step_that_is_blocked_may_be_answered_again(
    treat: Call,
    plan_file: PlanFile,
    clinic: Clinic,
    monkeypatch: pytest.MonkeyPatch,
    person: Callable[[Sequence[str]], list[str]],
) -> None:
    from penstroke.cli import asking, treating

    for module in (asking, treating):
        monkeypatch.setattr(module, "at_terminal", lambda: True)
    blocked = ["foam", "no", "yes", "chlorhexidine", "yes"]
    person([*blocked, "again", "foam", "yes", "yes", "chlorhexidine", "yes"])
    result = treat(plan_file(CHEEK), answers=clinic.answers(cleaning=None))
    assert (result.code, result.err[-300:]) == (0, result.err[-300:])
    states = [body["state"] for body in clinic.bodies("step") if body["step"] == "cleaning"]
    assert states == ["blocked", "done"]
    assert "not done" in result.err


def at_needles(
    spawn: Spawn, server: Server, clinic: Clinic, plan: Path, *more: object, **steps: Any
) -> Process:
    """A treatment at a terminal, answered from a file, while needles move in the first zone."""
    process = spawn("--port", server.port, "treat", plan, *clinic.flags(clinic.answers(**steps)), *more)
    process.read_until("pass 1 of 2")
    process.read_until("running")
    return process


def test_wishes_while_needles_move(spawn: Spawn, server: Server, plan_file: PlanFile, clinic: Clinic) -> None:
    """Shallower at once, deeper with the next pass, and a line that means nothing."""
    process = at_needles(spawn, server, clinic, plan_file(CHEEK | {"area_cm2": 5, "depth_mm": 0.8}))
    process.type("what?\n")
    process.read_until("- shallower, + deeper from the next pass")
    process.type("-\n")
    process.read_until("shallower: 0.75 mm")
    process.type("+\n")
    process.read_until("deeper from the next pass on: 0.80 mm")
    process.type("+\n")
    process.read_until("deeper from the next pass on: 0.85 mm")
    for _ in range(4):
        process.type("+\n")
    process.read_until("plus the pen's tolerance of 0.05 mm is above the 1.00 mm ceiling (set by: zone)")
    code, said = process.end()
    assert (code, said[-300:]) == (0, said[-300:])
    assert [body["depth_mm"] for body in clinic.bodies("held")] == [0.8, 0.95]
    runs = [entry.number for entry in clinic.entries("command") if entry.body["command"] == "run"]
    depths = [
        (entry.number, entry.body["depth_mm"])
        for entry in clinic.entries("command")
        if entry.body["command"] == "set-depth"
    ]
    wished = [body for body in clinic.bodies("event") if body["event"] in tuple(Wish)]
    told = [(body["event"], body["depth_mm"], "refused" in body) for body in wished]
    assert told[:3] == [("shallower", 0.75, False), ("deeper", 0.8, False), ("deeper", 0.85, False)]
    assert told[-1] == ("deeper", 0.75, True)
    within = [depth for number, depth in depths if runs[1] < number < runs[2]]
    assert within == [0.75, 0.95]  # the wish while needles move, and the setting of the next pass
    clinic.make_sure_it_is_whole()


def test_bleeding_lowers_the_depth_and_e_ends_the_zone(
    spawn: Spawn, server: Server, plan_file: PlanFile, clinic: Clinic
) -> None:
    process = at_needles(
        spawn, server, clinic, plan_file(CHEEK | {"area_cm2": 16}, FOREHEAD),
        needling={"zones": {"forehead": {"answer": "skip"}}},
    )  # fmt: skip
    process.type("b\n")
    process.read_until("bleeding is on record; shallower: 0.50 mm")
    process.type("e\n")
    process.read_until("this zone ends")
    code, said = process.end()
    assert (code, said[-300:]) == (0, said[-300:])
    bled, after = clinic.bodies("endpoint")
    assert (bled["endpoint"], bled["pass"], after["endpoint"]) == ("continuous-bleeding", 1, "erythema")
    wished = [body["event"] for body in clinic.bodies("event") if body["event"] in tuple(Wish)]
    assert wished == ["bleeding", "end-zone"]
    cheek = clinic.bodies("zone-done")[0]
    assert (cheek["state"], cheek["passes"]) == ("done", 2)
    assert cheek["seconds"] < 9
    assert len([entry for entry in server.journal("motor") if entry["on"]]) == 2  # in the air, and once


@pytest.mark.req("S-10")
def test_the_end_of_the_input_while_needles_move_stops_them(
    spawn: Spawn, server: Server, plan_file: PlanFile, clinic: Clinic
) -> None:
    process = at_needles(spawn, server, clinic, plan_file(CHEEK | {"area_cm2": 160}))
    process.type("\x04")
    code, said = process.end()
    assert code == 130
    assert "end of input" in said
    assert server.journal("motor")[-1]["reason"] == "stop"
    assert not server.journal("needles")[-1]["extended"]
    assert clinic.bodies("closed") == [{"ended": "interrupted", "code": "end of input"}]


# -- cartridges ------------------------------------------------------------------------------------------


@pytest.mark.req("S-17b")
@pytest.mark.parametrize(
    ("name", "code"),
    [("cartridge-expired", "cartridge-expired"), ("cartridge-used", "cartridge-other-treatment")],
)
def test_a_cartridge_that_goes_wrong_in_a_treatment_is_refused_before_the_next_pass(
    treat: Call,
    plan_file: PlanFile,
    clinic: Clinic,
    scenario: Callable[..., str],
    pens: list[Any],
    person: Callable[[Sequence[str]], list[str]],
    name: str,
    code: str,
) -> None:
    """Between the check before use and the first zone another one is put in, which will not do."""
    asked = person([])
    numbing = {"product": "cream", "ingredients": ["lidocaine"], "lidocaine_pct": 4, "grams": 3, "skip": None}
    numbing |= {"over_the_counter": True, "area_cm2": 22, "zones": ["forehead"], "dwell_min": 2}
    answers = clinic.answers(numbing=numbing | {"wiped_off": True})
    result = treat(plan_file(CHEEK), "--json", answers=answers, port=scenario((60.0, name, {})))
    assert (result.code, result.error["code"]) == (3, code)
    assert moved(pens) == [True, False]  # in the air alone
    assert code in [body["code"] for body in clinic.bodies("refused")]
    assert asked == []
    assert clinic.bodies("cartridge") == [], "it never was the cartridge of this treatment"


@pytest.mark.req("S-17b")
def test_a_change_of_cartridge_is_on_record_with_its_reason(
    spawn: Spawn, server: Server, plan_file: PlanFile, clinic: Clinic
) -> None:
    needling = {"start": None}
    plan = plan_file(CHEEK, FOREHEAD)
    process = spawn("--port", server.port, "treat", plan, *clinic.flags(clinic.answers(needling=needling)))
    process.read_until("start, skip or quit?")
    process.type("start\n")
    process.read_until("cheek left: done")
    process.read_until("start, skip or quit?")
    os.kill(server.process.pid, signal.SIGUSR1)
    server.wait_for("cartridge", what="in")
    process.type("start\n")
    process.read_until("another cartridge is in the pen")
    process.read_until("Why was it changed?")
    process.type("\n")
    process.read_until("Why was it changed?")
    process.type("bent needle\n")
    code, said = process.end()
    assert (code, said[-300:]) == (0, said[-300:])
    (change,) = clinic.bodies("cartridge")
    first = clinic.bodies("pen")[0]["cartridge"]
    assert (change["change"], change["reason"]) == (True, "bent needle")
    assert change["id"] != first["id"]
    bound = {entry["id"] for entry in server.journal("cartridge") if entry["what"] == "bound"}
    assert bound == {int(first["id"], 16), int(change["id"], 16)}
    clinic.make_sure_it_is_whole()


@pytest.mark.req("S-17b")
def test_a_change_of_cartridge_over_a_restart_needs_its_reason_too(
    treat: Call,
    plan_file: PlanFile,
    clinic: Clinic,
    scenario: Callable[..., str],
    pens: list[Any],
    person: Callable[[Sequence[str]], list[str]],
) -> None:
    plan = plan_file(CHEEK | {"area_cm2": 16})
    assert treat(plan, port=scenario((IN_ZONE_ONE, "cartridge-removed", {}))).code == 5
    other_pen = "sim://pen?clock=virtual&seed=2"
    unsaid = treat(plan, "--json", "--resume", port=other_pen)
    assert (unsaid.code, unsaid.error["code"], moved(pens)) == (2, "needs-terminal", [])
    assert "change of cartridge" in unsaid.error["hint"]
    asked = person(["it came off"])
    assert treat(plan, "--resume", port=other_pen).code == 0
    assert asked == ["Why was it changed?"]
    assert [body["reason"] for body in clinic.bodies("cartridge")] == ["it came off"]


def test_a_solution_is_judged_and_is_not_applied_before_needling(
    treat: Call, plan_file: PlanFile, clinic: Clinic
) -> None:
    solution = {
        "product": "serum", "ingredients": ["hyaluronic acid"], "ingredients_text": "sodium hyaluronate",
        "lot": "H-1", "expiry": "2099-12-31", "sterile": False, "volume_ml": 1.0, "zones": ["cheek left"],
    }  # fmt: skip
    plan, dirty = plan_file(CHEEK), {"skip": None, "solutions": [solution]}
    result = treat(plan, "--json", answers=clinic.answers(mesotherapy=dirty))
    assert (result.code, result.error["code"]) == (3, "solution-not-sterile")
    told = [(body["step"], body["state"]) for body in clinic.bodies("step")]
    assert told[-2:] == [("needling", "done"), ("mesotherapy", "blocked")]
    clean = {"skip": None, "solutions": [{**solution, "sterile": True}]}
    assert treat(plan, "--resume", answers=clinic.answers(mesotherapy=clean)).code == 0
    assert clinic.bodies("resumed")[0]["at_step"] == "mesotherapy"
    applied = [body for body in clinic.bodies("step") if body["step"] == "mesotherapy"][-1]
    assert (applied["state"], applied["answers"]["solutions"][0]["lot"]) == ("done", "H-1")
