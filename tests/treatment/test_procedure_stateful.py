"""Random acts in any order, with crashes at any point: the record always leads to the session."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from visits import ADA, BEN, Visit

from penstroke.errors import Refused
from penstroke.safety import Screening
from penstroke.treatment.dose import Dose
from penstroke.treatment.table import LEADS_TO, SETTLED, STEPS, Act, State, Step

STEP = st.sampled_from(STEPS)
FOUND: tuple[dict[str, Any], ...] = (
    {},
    {},
    {},
    {"active_acne": "cheek left"},
    {"anticoagulant": True, "anticoagulant_signed_by": ADA, "anticoagulant_reason": "stable"},
    {"sun_plans": True},
    {"keloid_history": True},
    {"anaesthetic_allergy": ["lidocaine"]},
)
BAD: dict[Step, dict[str, Any]] = {
    Step.CONSENT: {"zones_confirmed": False},
    Step.PRE_USE: {"sterile_pack": False},
    Step.CLEANING: {"clean": False},
    Step.NEEDLING: {"sharps": False},
    Step.AFTERCARE: {"given": False},
    Step.FOLLOW_UP: {"warning_signs": False},
}


class Treatments(RuleBasedStateMachine):
    """One treatment and its record."""

    def __init__(self) -> None:
        super().__init__()
        self.visit = Visit()
        self.limits: Screening | None = None
        self.dose = Dose()
        self.started: int | None = None
        """The zone that a person started since the program last began."""

    @initialize(step=STEP)
    def come_to(self, step: Step) -> None:
        """Random acts alone seldom come as far as the needles."""
        self.visit.to(step)

    def _try(self, act: Act, step: Step, do: Any) -> None:
        before = self.visit.session
        try:
            do()
        except Refused as refused:
            code = refused.code
        else:
            assert self.visit.session.state(step) in LEADS_TO[before.state(step), act]
            return
        assert code in {"step-out-of-order", "screening-blocks", "sign-off-missing", "zone-excluded"}
        assert self.visit.session is before

    @rule(step=STEP, found=st.sampled_from(FOUND), early=st.booleans())
    def submit(self, step: Step, found: dict[str, Any], early: bool) -> None:
        given: dict[str, Any] = dict(found) if step is Step.SCREENING else {}
        removing = step is Step.NUMBING and self.visit.session.state(step) is State.BEGUN
        if removing and self.visit.session.dwell_left_s(self.visit.now) > 0:
            given = {"early_reason": "it burns", "early_by": ADA}
        if step is Step.MESOTHERAPY and (1 not in self.visit.session.dose.needled or early):
            return  # the solution of the good answers is for the forehead
        self._try(Act.SUBMIT, step, lambda: self.visit.submit(step, **given))

    @rule(step=st.sampled_from(sorted(BAD)))
    def submit_badly(self, step: Step) -> None:
        def do() -> None:
            assert self.visit.submit(step, **BAD[step]).reasons

        self._try(Act.SUBMIT, step, do)

    @rule(step=STEP)
    def skip(self, step: Step) -> None:
        self._try(
            Act.SKIP,
            step,
            lambda: self.visit.settle(
                self.visit.session.skip(step, reason="not wanted", by=BEN, now=self.visit.now)
            ),
        )

    @rule(step=STEP)
    def redo(self, step: Step) -> None:
        self._try(
            Act.REDO,
            step,
            lambda: self.visit.settle(
                self.visit.session.redo(step, reason="again", by=BEN, now=self.visit.now)
            ),
        )

    @precondition(lambda self: self.visit.session.at not in (None, Step.NEEDLING))
    @rule(seconds=st.sampled_from([10, 2000]))
    def go_on(self, seconds: int) -> None:
        """The next step, well."""
        step = self.visit.session.at
        self.visit.elapsed_s += seconds
        assert step is not None
        self.submit(step, {}, False)

    @rule(index=st.sampled_from([1, 2]), answer=st.sampled_from(["start", "start", "skip", "quit"]))
    def answer_zone(self, index: int, answer: str) -> None:
        def do() -> None:
            self.visit.start_zone(index, answer)
            self.started = index if answer == "start" else None

        self._try(Act.NEEDLE, Step.NEEDLING, do)

    @rule(index=st.sampled_from([1, 2]), number=st.integers(1, 3), ends=st.booleans())
    def needle(self, index: int, number: int, ends: bool) -> None:
        try:
            self.visit.needle(index, number, ends=ends)
        except Refused:
            return
        self._moved(index)

    @rule(index=st.sampled_from([1, 2]), number=st.integers(1, 3))
    def treat_zone(self, index: int, number: int) -> None:
        """A zone from its start to its end."""
        self.answer_zone(index, "start")
        self.needle(index, number, ends=True)
        self.end_zone(index, "done")

    def _moved(self, index: int) -> None:
        """Needles moved in this zone: was it in order?"""
        states = self.visit.session.states
        assert self.started == index
        assert all(states[step] in SETTLED for step in STEPS[: STEPS.index(Step.NEEDLING)])
        assert states[Step.NEEDLING] is State.BEGUN
        assert not self.visit.session.solution_on

    @rule(index=st.sampled_from([1, 2]), state=st.sampled_from(["done", "begun"]))
    def end_zone(self, index: int, state: str) -> None:
        if self.visit.session.dose.open_zone == index:
            self.visit.end_zone(index, state)
            self.started = None

    @rule(gap_s=st.sampled_from([0, 1, 600]))
    def crash(self, gap_s: int) -> None:
        live = self.visit.session
        assert self.visit.replayed() == live
        left_s = live.dwell_left_s(self.visit.now)
        self.visit.crash(gap_s)
        self.visit.resume()
        self.started = None
        assert self.visit.session.states == live.states
        assert self.visit.session.dwell_left_s(self.visit.now) >= left_s - gap_s - 0.01

    @precondition(lambda self: not self.visit.session.closed)
    @rule(
        change=st.sampled_from(
            [
                ("active_acne", ["forehead"]),
                ("sun_plans", True),
                ("keloid_history", True),
                ("sun_plans", False),
            ]
        )
    )
    def correct_screening(self, change: tuple[str, Any]) -> None:
        """Answers to screening are corrected in the record, and the program goes on with it."""
        numbers = [
            entry.number
            for entry in self.visit.entries
            if entry.kind == "step" and entry.body["step"] == "screening" and entry.body["answers"]
        ]
        if not numbers:
            return
        key = f"answers.{change[0]}"
        self.visit.tell("correction", of=numbers[-1], key=key, old=None, new=change[1], by=ADA, reason="x")
        self.visit.crash()
        self.visit.resume()
        self.started = None
        assert self.visit.session.state(Step.SCREENING) is State.OPEN

    @invariant()
    def the_record_leads_to_the_session(self) -> None:
        assert self.visit.replayed() == self.visit.session

    @invariant()
    def what_binds_only_grows(self) -> None:
        now = self.visit.session.limits
        if self.limits is not None:
            assert now is not None
            assert now.factor <= self.limits.factor
            assert now.excluded >= self.limits.excluded
            lifted = set(self.limits.blocked_by) - set(now.blocked_by)
            assert all(cause.endswith("not signed off by a clinician") for cause in lifted)
        self.limits = now

    @invariant()
    def the_dose_only_grows(self) -> None:
        now = self.visit.session.dose
        for index, zone in self.dose.zones.items():
            assert now.zone(index).passes_begun >= zone.passes_begun
            # A run is counted in full until its true length is on record.
            assert now.zone(index).seconds >= zone.seconds
        assert now.needled >= self.dose.needled
        self.dose = now


@pytest.mark.req("S-11", "S-20", "S-22")
class TestTreatments(Treatments.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(max_examples=60, stateful_step_count=60)
