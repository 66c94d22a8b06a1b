"""The needling of a plan, zone by zone: what is said to the pen, in which order, and what is written down.

Strategy. `Needling.run` is a generator, and whoever iterates it is the one who keeps the needles moving: each
turn renews the pen's lease, and a caller that does not come back lets the pen stop by itself. Nothing here
talks to a person; `confirm` does, before each zone. Everything told to the pen, everything it refused and
everything it measured goes to the journal first and to the caller then.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from penstroke.data import figures
from penstroke.errors import PenError, RecordError, Refused, Stopped
from penstroke.pen import Pen
from penstroke.safety import Refusal
from penstroke.status import Sample
from penstroke.strokes import Strokes
from penstroke.treatment.estimate import pass_seconds
from penstroke.treatment.journal import Journal
from penstroke.treatment.plan import PlannedPass, PlanZone, TreatmentPlan

_S = 1_000_000_000
_REST_SLICE_S = 0.25


class Answer(StrEnum):
    """What a person may say before a zone."""

    START = "start"
    SKIP = "skip"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class ZoneAhead:
    """The zone that comes next, for whoever confirms it. `index` counts from 1; times are seconds."""

    index: int
    of: int
    zone: PlanZone
    passes: tuple[PlannedPass, ...]
    pass_s: float

    @property
    def needling_s(self) -> float:
        """Planned needling in this zone."""
        return self.pass_s * len(self.passes)


@dataclass(frozen=True, slots=True)
class PassBegins:
    """The needles are about to move. Depth and rate are those the pen holds."""

    ahead: ZoneAhead
    number: int
    direction: str
    depth_mm: float
    rate_hz: float


@dataclass(slots=True)
class Reading:
    """A reading while needles move, and where the treatment stands."""

    sample: Sample
    begins: PassBegins
    zone_strokes: int
    density_per_cm2: float
    """Punctures per cm² in this zone so far, were no stroke in the air: an estimate."""
    pass_left_s: float
    plan_left_s: float
    """Planned needling left in the whole plan."""
    plan_done: float
    """Planned needling done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Resting:
    """The pen must rest before it may go on."""

    left_s: float


@dataclass(slots=True)
class ZoneResult:
    """What became of one zone of the plan."""

    index: int
    zone: str
    side: str | None
    state: str = "not begun"
    """`not begun`, `skipped`, `begun` (and not finished) or `done`."""
    passes: int = 0
    passes_done: int = 0
    seconds: float = 0.0
    strokes: int = 0
    density_per_cm2: float = 0.0


Step = PassBegins | Reading | Resting | ZoneResult
Confirm = Callable[[ZoneAhead], Answer]


@dataclass(slots=True)
class Needling:
    """One plan on one pen. `confirm` is asked before each zone; `results` tell of all zones at any time."""

    pen: Pen
    plan: TreatmentPlan
    journal: Journal
    confirm: Confirm
    results: list[ZoneResult] = field(init=False)
    _planned_s: list[float] = field(init=False)
    _needles: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.results = [
            ZoneResult(index, zone.zone, zone.side, passes=len(zone.planned_passes()))
            for index, zone in enumerate(self.plan.zones, start=1)
        ]
        self._planned_s = [
            pass_seconds(zone.area_cm2, figures()) * len(zone.planned_passes()) for zone in self.plan.zones
        ]

    @property
    def finished(self) -> bool:
        """Every zone was treated or skipped."""
        return all(result.state in ("done", "skipped") for result in self.results)

    def run(self) -> Generator[Step, None, None]:
        """Needle the plan. Ends early when `confirm` says so; raises what the pen raises.

        A stop asked for from elsewhere raises `Stopped`; a rest that the pen needs is waited for. Iterate it
        under `contextlib.closing`, so that leaving early still tells when the needles may be out.
        """
        try:
            for index, zone in enumerate(self.plan.zones, start=1):
                ahead = ZoneAhead(
                    index=index,
                    of=len(self.plan.zones),
                    zone=zone,
                    passes=zone.planned_passes(),
                    pass_s=pass_seconds(zone.area_cm2, figures()),
                )
                answer = self.confirm(ahead)
                self.journal.write("zone", index=index, zone=zone.zone, side=zone.side, answer=answer.value)
                if answer is Answer.QUIT:
                    break
                result = self.results[index - 1]
                if answer is Answer.SKIP:
                    result.state = "skipped"
                else:
                    yield from self._zone(ahead, result)
                yield result
        except BaseException as error:
            # What went wrong must not be hidden by a record that fails as well.
            with suppress(RecordError):
                if isinstance(error, PenError):
                    self.journal.error(error)
                self._summarise()
            raise
        self._summarise()

    def _summarise(self) -> None:
        zones = [asdict(result) for result in self.results]
        self.journal.write("summary", finished=self.finished, zones=zones)
        self.journal.make_durable()

    # -- one zone --------------------------------------------------------------------------------------

    def _zone(self, ahead: ZoneAhead, result: ZoneResult) -> Iterator[Step]:
        zone = ahead.zone
        self._needles = self.pen.cartridge().needle_count
        self._tell("select-zone", zone=zone.zone, side=zone.side)
        self.pen.select_zone(zone.zone, side=zone.side)
        result.state = "begun"
        before: PlannedPass | None = None
        for one in ahead.passes:
            begins = self._set(ahead, one, before)
            before = one
            yield from self._rest(ahead.pass_s)
            yield begins
            yield from self._pass(begins, result)
            result.passes_done += 1
        result.state = "done"

    def _set(self, ahead: ZoneAhead, one: PlannedPass, before: PlannedPass | None) -> PassBegins:
        """Set rate and depth in the order in which neither is too slow for the other on the way."""
        shallower = before is not None and one.depth_mm < before.depth_mm
        for name in ("depth", "rate") if shallower else ("rate", "depth"):
            if name == "rate":
                self._tell("set-rate", rate_hz=one.rate_hz)
                self.pen.set_rate(hz=one.rate_hz)
            else:
                self._tell("set-depth", depth_mm=one.depth_mm)
                self.pen.set_depth(mm=one.depth_mm)
        held = self.pen.status().to_json()
        self.journal.write(
            "held", **{key: held[key] for key in ("zone", "side", "depth_mm", "rate_hz", "limits")}
        )
        return PassBegins(ahead, one.number, one.direction, held["depth_mm"], held["rate_hz"])

    def _tell(self, command: str, **facts: object) -> None:
        self.journal.write("command", command=command, **facts)

    def _pass(self, begins: PassBegins, result: ZoneResult) -> Iterator[Reading]:
        ahead = begins.ahead
        strokes_before, pen_before = result.strokes, self.pen.status().strokes
        self._tell(
            "run", number=begins.number, depth_mm=begins.depth_mm, rate_hz=begins.rate_hz, for_s=ahead.pass_s
        )
        self.journal.make_durable()
        strokes = self.pen.needling(longest_s=ahead.pass_s)
        try:
            with strokes:
                for sample in strokes:
                    result.strokes = strokes_before + sample.strokes
                    result.density_per_cm2 = self._density(result, ahead)
                    self.journal.write("sample", **_measured(sample))
                    yield self._reading(sample, begins, result)
        except BaseException:
            with suppress(RecordError):
                self._pass_ended(strokes, result)
            raise
        # The pen's own counter has the strokes before the first reading and after the last one too.
        result.strokes = strokes_before + self.pen.status().strokes - pen_before
        result.density_per_cm2 = self._density(result, ahead)
        self._pass_ended(strokes, result)
        if strokes.ended != "duration":
            raise Stopped("a stop was asked for from elsewhere; the needles are stopped and retracted")

    def _pass_ended(self, strokes: Strokes, result: ZoneResult) -> None:
        moved_s = strokes.moving_ns() / _S
        result.seconds += moved_s
        self.journal.write(
            "run-ended", ended=strokes.ended, elapsed_s=round(moved_s, 3), zone_strokes=result.strokes
        )

    def _density(self, result: ZoneResult, ahead: ZoneAhead) -> float:
        return round(result.strokes * self._needles / ahead.zone.area_cm2, 1)

    def _reading(self, sample: Sample, begins: PassBegins, result: ZoneResult) -> Reading:
        ahead = begins.ahead
        pass_left_s = max(ahead.pass_s - sample.elapsed_s, 0.0)
        left_here_s = pass_left_s + ahead.pass_s * (len(ahead.passes) - begins.number)
        left_s = left_here_s + sum(self._planned_s[ahead.index :])
        return Reading(
            sample=sample,
            begins=begins,
            zone_strokes=result.strokes,
            density_per_cm2=result.density_per_cm2,
            pass_left_s=pass_left_s,
            plan_left_s=left_s,
            plan_done=1 - left_s / sum(self._planned_s),
        )

    # -- rests -----------------------------------------------------------------------------------------

    def _rest(self, next_s: float) -> Iterator[Resting]:
        """Wait out the rest that the pen needs before it may move for `next_s` more."""
        pen = self.pen
        verdict = pen.duty.check(next_s, pen.now_ns())
        if not isinstance(verdict, Refusal):
            return
        left_s = pen.duty.rest_left_s(pen.now_ns())
        if not left_s:
            raise Refused.of(verdict)
        self.journal.write("rest", left_s=round(left_s, 3))
        while left_s > 0:
            yield Resting(left_s)
            pen.pump(min(_REST_SLICE_S, left_s))
            pen.heed_stops()
            left_s = pen.duty.rest_left_s(pen.now_ns())


def _measured(sample: Sample) -> dict[str, object]:
    """A reading as the journal has it."""
    return {
        "state": sample.state,
        "elapsed_s": round(sample.elapsed_s, 3),
        "depth_mm": sample.depth_mm,
        "rate_hz": sample.rate_hz,
        "strokes": sample.strokes,
        "needles_out": sample.needles_out,
        "motor_on": sample.motor_on,
        "current_ma": sample.current_ma,
        "temperature_c": sample.temperature_c,
        "battery_pct": sample.battery_pct,
        "missed": sample.missed,
    }
