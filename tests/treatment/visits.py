"""What the tests of the procedure share: a plan, people, good answers to every step, a record of entries."""

from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from penstroke.status import Cartridge
from penstroke.treatment.moment import Moment
from penstroke.treatment.plan import TreatmentPlan
from penstroke.treatment.roster import Person, Roster
from penstroke.treatment.screening_form import Shape, screening_form
from penstroke.treatment.session import Background, Outcome, Session
from penstroke.treatment.steps.pre_use import AirRun, PreUse
from penstroke.treatment.table import STEPS, State, Step

ROOT = Path(__file__).resolve().parents[2]
ADA, BEN = "Dr. Ada Example", "Ben Example"
ROSTER = Roster((Person(ADA, "clinician"), Person(BEN, "operator")))
BACKGROUND = Background(ROSTER)

PLAN = TreatmentPlan.model_validate(
    {
        "version": 1,
        "title": "Two zones",
        "zones": [
            {"zone": "forehead", "area_cm2": 8, "depth_mm": 0.4, "rate_hz": 110, "passes": 2},
            {"zone": "cheek", "side": "left", "area_cm2": 8, "depth_mm": 0.75, "rate_hz": 110, "passes": 2},
        ],
    }
)

START = datetime.datetime(2026, 11, 23, 15, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
TODAY = START.date()


def nothing_found() -> dict[str, Any]:
    """Answers to the whole screening that find nothing."""
    by_shape: dict[Shape, Any] = {
        Shape.YES_NO: False,
        Shape.MEDICINE: "never",
        Shape.ZONES: [],
        Shape.PROPHYLAXIS: False,
        Shape.INGREDIENTS: [],
    }
    found: dict[str, Any] = {one.key: by_shape[one.shape] for one in screening_form().conditions}
    # As it is typed: an empty list is said by its word.
    return {
        "birthday": "1985-04-12",
        **{key: "none" if value == [] else value for key, value in found.items()},
    }


SOLUTION: dict[str, Any] = {
    "product": "hyaluronic acid serum",
    "ingredients": ["hyaluronic acid"],
    "ingredients_text": "sodium hyaluronate 1 %",
    "lot": "HA-1",
    "expiry": "2027-01-31",
    "sterile": True,
    "volume_ml": 1.5,
    "zones": ["forehead"],
}

APPLYING: dict[str, Any] = {
    "product": "cream",
    "ingredients": ["lidocaine"],
    "lidocaine_pct": 4,
    "over_the_counter": True,
    "grams": 3,
    "area_cm2": 16,
    "zones": ["forehead", "cheek left"],
    "dwell_min": 30,
}

GOOD: dict[Step, dict[str, Any]] = {
    Step.CONSENT: {
        "informed_consent": True,
        "consent_by": ADA,
        "patient_confirmed": True,
        "zones_confirmed": True,
        "allergies": "none",
        "allergies_confirmed": True,
        "read_back_by": BEN,
    },
    Step.SCREENING: nothing_found(),
    Step.PRE_USE: {"calibrated_on": "2026-09-01", "pen_clean": True, "sterile_pack": True},
    Step.CLEANING: {
        "agent": "foam",
        "clean": True,
        "home_numbing_off": True,
        "antiseptic": "chlorhexidine",
        "antiseptic_dry": True,
    },
    Step.NUMBING: APPLYING,
    Step.NEEDLING: {"sharps": True, "skin_wiped": True},
    Step.MESOTHERAPY: {"solutions": [SOLUTION]},
    Step.AFTERCARE: {"template": "standard", "language": "en", "given": True, "given_by": BEN},
    Step.FOLLOW_UP: {"review_on": "2026-11-30", "warning_signs": True},
}

CARTRIDGE = Cartridge(
    present=True,
    id=7,
    lot="L7",
    expiry="2027-06-30",
    needle_count=16,
    needle_length_um=2500,
    treatment=0,
    strokes=0,
)
AIR = AirRun(
    depth_set_mm=0.75,
    rate_set_hz=110.0,
    seconds=3.0,
    depth_min_mm=0.73,
    depth_max_mm=0.77,
    rate_min_hz=108.0,
    rate_max_hz=112.0,
)
MEASURED = PreUse(
    state="idle",
    faults=(),
    battery_pct=90,
    tolerance_mm=0.05,
    cartridge=CARTRIDGE,
    treatment=0x1234,
    air=AIR,
)


def answers(step: Step, /, **changes: Any) -> dict[str, Any]:
    """Good answers to a step, with changes; a change to None leaves the key out."""
    made = {**copy.deepcopy(GOOD[step]), **changes}
    return {key: value for key, value in made.items() if value is not None}


@dataclass(frozen=True)
class Entry:
    """An entry as the store gives it back."""

    number: int
    utc: str
    kind: str
    operator: str | None
    port_s: float | None
    body: Mapping[str, Any]


@dataclass
class Visit:
    """A treatment in a test: its session, its record and its clocks."""

    background: Background = BACKGROUND
    plan: TreatmentPlan = PLAN
    elapsed_s: float = 0.0
    port_began_s: float = 0.0
    entries: list[Entry] = field(default_factory=list)
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.session = Session.begin(self.plan, patient="P-1", operator=BEN, background=self.background)
        self._write("opened", {"patient": "P-1", "plan": self.plan.model_dump(mode="json")})

    @property
    def now(self) -> Moment:
        """This instant."""
        local = START + datetime.timedelta(seconds=self.elapsed_s)
        return Moment(local, round(self.elapsed_s - self.port_began_s, 3))

    def _write(self, kind: str, body: Mapping[str, Any]) -> None:
        stored = json.loads(json.dumps(body, allow_nan=False))
        number = len(self.entries) + 1
        self.entries.append(Entry(number, self.now.utc, kind, BEN, self.now.port_s, stored))

    def settle(self, outcome: Outcome) -> Outcome:
        """Write what an act came to, then let it count."""
        for kind, body in outcome.entries:
            self._write(kind, body)
        self.session = outcome.session
        return outcome

    def tell(self, kind: str, **body: Any) -> None:
        """Write an entry of the needling, and let it count."""
        self._write(kind, body)
        self.session = self.session.noted(kind, body)

    def submit(self, step: Step, given: Mapping[str, Any] | None = None, /, **changes: Any) -> Outcome:
        """Answer a step, well unless said otherwise."""
        measured = changes.pop("measured", MEASURED) if step is Step.PRE_USE else None
        if given is None:
            removing = step is Step.NUMBING and self.session.state(step) is State.BEGUN
            given = {"wiped_off": True, **changes} if removing else answers(step, **changes)
        return self.settle(self.session.submit(step, given, self.now, measured=measured))

    def start_zone(self, index: int, answer: str = "start") -> None:
        """A person's word on a zone of the plan."""
        zone = self.plan.zones[index - 1]
        self.session.may_answer_zone()
        self.tell("zone", index=index, zone=zone.zone, side=zone.side, answer=answer)

    def needle(self, index: int, number: int = 1, *, ends: bool = True) -> None:
        """One pass."""
        self.session.may_needle(index)
        self.tell("command", command="run", number=number, for_s=5.0)
        self.elapsed_s += 4.9
        if ends:
            self.tell("run-ended", ended="duration", elapsed_s=4.9, zone_strokes=500)

    def end_zone(self, index: int, state: str = "done") -> None:
        """The zone is left."""
        zone = self.plan.zones[index - 1]
        self.tell("zone-done", index=index, zone=zone.zone, side=zone.side, state=state)

    def to(self, step: Step) -> Visit:
        """Do everything before this step, well."""
        for one in STEPS[: STEPS.index(step)]:
            if one is Step.NEEDLING:
                for index in (1, 2):
                    self.start_zone(index)
                    self.needle(index)
                    self.end_zone(index)
            outcome = self.submit(one)
            if one is Step.NUMBING:
                self.elapsed_s += 1800
                outcome = self.submit(one)
            if outcome.reasons:
                raise AssertionError(outcome.reasons)
            self.elapsed_s += 10
        return self

    def replayed(self) -> Session:
        """The session that the record leads to."""
        return Session.replay(self.entries, self.background)

    def crash(self, gap_s: float = 60.0) -> None:
        """The program is gone, and begins again later: another clock of the port, the same on the wall."""
        self.elapsed_s += gap_s
        self.port_began_s = self.elapsed_s
        self.session = self.replayed()

    def resume(self) -> None:
        """Go on after a crash."""
        self.settle(self.session.resume(self.now))


def with_states(session: Session, states: Mapping[Step, State]) -> Session:
    """The session as if its steps stood so."""
    steps = {step: replace(record, state=states[step]) for step, record in session.steps.items()}
    return replace(session, steps=steps)
