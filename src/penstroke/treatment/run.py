"""The needling of a plan, zone by zone: what is said to the pen, in which order, and what is written down.

Strategy. `Needling.run` is a generator, and whoever iterates it is the one who keeps the needles moving: each
turn renews the pen's lease, and a caller that does not come back lets the pen stop by itself. Nothing here
talks to a person; `people` does, before each zone, while needles move, and after it. Everything the pen
refused and everything it measured goes to the record first and to the caller then; what it is told is written
down by the pen's own ledger.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from penstroke.data import figures, zone_table
from penstroke.errors import PenError, RecordError, Refused, Stopped
from penstroke.pen import Pen
from penstroke.safety import Refusal, check_zone_time
from penstroke.status import Sample
from penstroke.strokes import Strokes
from penstroke.treatment.estimate import pass_seconds
from penstroke.treatment.needling import (
    Account,
    Adjusted,
    Answer,
    PassBegins,
    People,
    Reading,
    Resting,
    Step,
    Wish,
    ZoneAhead,
    ZoneResult,
)
from penstroke.treatment.plan import PlannedPass, PlanZone, TreatmentPlan
from penstroke.treatment.steps.needling import Endpoint, lower_depth_um

_S = 1_000_000_000
_REST_SLICE_S = 0.25


@dataclass(slots=True)
class Needling:
    """One plan on one pen. `people` are asked; `results` tell of all zones at any time.

    Zones that the record has as done or skipped are passed over, and so are passes that were begun.
    """

    pen: Pen
    plan: TreatmentPlan
    account: Account
    people: People
    cartridge_id: int | None = None
    """The cartridge that was checked before use, or fitted since; None where that is not known."""
    results: list[ZoneResult] = field(init=False)
    _planned_s: list[float] = field(init=False)
    _needles: int = field(init=False, default=0)
    _depth_um: int = field(init=False, default=0)
    """The depth that the needles are told now."""
    _most_um: int | None = field(init=False, default=None)
    """No pass of this zone goes deeper any more: somebody wanted it shallower."""
    _deeper_um: int = field(init=False, default=0)
    """By how much the passes to come go deeper than planned: somebody wanted that."""
    _end_zone: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.results = [self._result(index, zone) for index, zone in enumerate(self.plan.zones, start=1)]
        self._planned_s = [
            pass_seconds(zone.area_cm2, figures()) * len(zone.planned_passes()) for zone in self.plan.zones
        ]

    def _result(self, index: int, zone: PlanZone) -> ZoneResult:
        known = self.account.dose.zone(index)
        state = "skipped" if known.skipped else "begun" if known.passes_begun else "not begun"
        return ZoneResult(
            index,
            zone.zone,
            zone.side,
            state="done" if known.done else state,
            passes=len(zone.planned_passes()),
            passes_done=known.passes_begun,
            seconds=known.total_s,
            strokes=known.strokes,
            endpoint=known.endpoint,
        )

    @property
    def finished(self) -> bool:
        """Every zone was treated or skipped."""
        return all(result.state in ("done", "skipped") for result in self.results)

    def run(self) -> Generator[Step, None, None]:
        """Needle what is left of the plan. Ends early when a person says so; raises what the pen raises.

        A stop asked for from elsewhere raises `Stopped`; a rest that the pen needs is waited for. Iterate it
        under `contextlib.closing`, so that leaving early still tells when the needles may be out.
        """
        self._needles = self.pen.cartridge().needle_count
        for result, zone in zip(self.results, self.plan.zones, strict=True):
            # What was given before a restart, with the cartridge that is there now.
            result.density_per_cm2 = self._density(result, zone)
        try:
            for index, zone in enumerate(self.plan.zones, start=1):
                result = self.results[index - 1]
                if result.state in ("done", "skipped"):
                    continue
                ahead = self._ahead(index, zone, result)
                if not ahead.passes:
                    # All were begun before a restart and count as given: nothing moves here any more.
                    self._leave(ahead, result)
                else:
                    answer = self.people.confirm(ahead)
                    self.account.tell(
                        "zone", index=index, zone=zone.zone, side=zone.side, answer=answer.value
                    )
                    if answer is Answer.QUIT:
                        break
                    if answer is Answer.SKIP:
                        result.state = "skipped"
                    else:
                        yield from self._zone(ahead, result)
                self.account.tell("zone-done", **asdict(result))
                yield result
        except BaseException as error:
            # What went wrong must not be hidden by a record that fails as well.
            with suppress(RecordError):
                if isinstance(error, PenError):
                    self.account.error(error)
                self._summarise()
            raise
        self._summarise()

    def _ahead(self, index: int, zone: PlanZone, result: ZoneResult) -> ZoneAhead:
        passes = zone.planned_passes()[result.passes_done :]
        pass_s = pass_seconds(zone.area_cm2, figures())
        lowered_mm = self.account.dose.zone(index).lowered_mm
        depths_mm = [one.depth_mm for one in passes[:1]] + ([] if lowered_mm is None else [lowered_mm])
        punctures = sum(one.rate_hz for one in passes) * pass_s * self._needles
        return ZoneAhead(
            index=index,
            of=len(self.plan.zones),
            zone=zone,
            passes=passes,
            pass_s=pass_s,
            first_depth_mm=min(depths_mm, default=0.0),
            density_per_cm2=punctures / zone.area_cm2,
        )

    def _summarise(self) -> None:
        zones = [asdict(result) for result in self.results]
        self.account.tell("summary", finished=self.finished, zones=zones)
        self.account.make_durable()

    # -- one zone --------------------------------------------------------------------------------------

    def _zone(self, ahead: ZoneAhead, result: ZoneResult) -> Iterator[Step]:
        zone = ahead.zone
        self.account.may_needle(ahead.index)
        self._cartridge_now()
        lowered_mm = self.account.dose.zone(ahead.index).lowered_mm
        # What was too deep before a restart is too deep after it.
        self._most_um = None if lowered_mm is None else round(lowered_mm * 1000)
        self._deeper_um, self._end_zone = 0, False
        self.pen.select_zone(zone.zone, side=zone.side)
        result.state = "begun"
        before: PlannedPass | None = None
        for one in ahead.passes:
            if self._end_zone:
                break
            within_zone_time(self.account, ahead.zone, ahead.index, ahead.pass_s)
            begins = self._set(ahead, one, before)
            before = one
            yield from self._rest(ahead.pass_s)
            self._cartridge_now()
            yield begins
            yield from self._pass(begins, result)
            result.passes_done += 1
        self._leave(ahead, result)

    def _leave(self, ahead: ZoneAhead, result: ZoneResult) -> None:
        result.endpoint = self._endpoint(ahead, self.people.endpoint(ahead), result.passes_done)
        result.state = "done"

    def _cartridge_now(self) -> None:
        """Which cartridge it is, written down with a reason when it is another one than before."""
        cartridge = self.pen.cartridge()
        if not cartridge.present:
            return  # the pen refuses the press, and says why
        self._needles = cartridge.needle_count
        if self.cartridge_id not in (None, cartridge.id):
            if self.pen.unfit(cartridge):
                return  # the same
            self.account.tell(
                "cartridge",
                id=f"{cartridge.id:016x}",
                lot=cartridge.lot,
                expiry=cartridge.expiry,
                needle_count=cartridge.needle_count,
                needle_length_um=cartridge.needle_length_um,
                change=True,
                reason=self.people.other_cartridge(cartridge),
            )
        self.cartridge_id = cartridge.id

    def _set(self, ahead: ZoneAhead, one: PlannedPass, before: PlannedPass | None) -> PassBegins:
        """Set rate and depth in the order in which neither is too slow for the other on the way."""
        wanted_um = self._wanted_um(one)
        shallower = before is not None and wanted_um < self._depth_um
        for name in ("depth", "rate") if shallower else ("rate", "depth"):
            if name == "rate":
                self.pen.set_rate(hz=one.rate_hz)
            else:
                self.pen.set_depth(mm=wanted_um / 1000)
        self._depth_um = wanted_um
        held = self.pen.status().to_json()
        self.account.tell(
            "held", **{key: held[key] for key in ("zone", "side", "depth_mm", "rate_hz", "limits")}
        )
        return PassBegins(ahead, one.number, one.direction, held["depth_mm"], held["rate_hz"])

    def _pass(self, begins: PassBegins, result: ZoneResult) -> Iterator[Step]:
        ahead = begins.ahead
        strokes_before, pen_before = result.strokes, self.pen.status().strokes
        strokes = self.pen.needling(longest_s=ahead.pass_s)
        try:
            with strokes:
                for sample in strokes:
                    result.strokes = strokes_before + sample.strokes
                    result.density_per_cm2 = self._density(result, ahead.zone)
                    self.account.device_time(sample.device_ms)
                    self.account.tell("sample", **measured(sample))
                    yield self._reading(sample, begins, result)
                    wish = self.people.wish()
                    if wish is not None:
                        adjusted = self._grant(wish, strokes, begins)
                        self._tell_wish(adjusted, begins)
                        yield adjusted
                    if self._end_zone:
                        break
        except BaseException:
            with suppress(RecordError):
                self._pass_ended(strokes, result)
            raise
        # The pen's own counter has the strokes before the first reading and after the last one too.
        result.strokes = strokes_before + self.pen.status().strokes - pen_before
        result.density_per_cm2 = self._density(result, ahead.zone)
        self._pass_ended(strokes, result)
        if strokes.ended != "duration" and not self._end_zone:
            raise Stopped("a stop was asked for; the needles are stopped and retracted")

    def _pass_ended(self, strokes: Strokes, result: ZoneResult) -> None:
        moved_s = strokes.moving_ns() / _S
        result.seconds += moved_s
        self.account.tell(
            "run-ended", ended=strokes.ended, elapsed_s=round(moved_s, 3), zone_strokes=result.strokes
        )

    # -- wishes ----------------------------------------------------------------------------------------

    def _wanted_um(self, one: PlannedPass) -> int:
        """The depth of a pass: the plan's, and what people have wanted since."""
        planned_um = round(one.depth_mm * 1000) + self._deeper_um
        return planned_um if self._most_um is None else min(planned_um, self._most_um)

    def _tell_wish(self, adjusted: Adjusted, begins: PassBegins) -> None:
        """What somebody wanted is on record even where nothing is sent to the pen for it."""
        zone = begins.ahead.zone
        refused = {"refused": adjusted.refused} if adjusted.refused else {}
        self.account.tell(
            "event",
            event=adjusted.wish.value,
            zone=zone.zone,
            side=zone.side,
            depth_mm=adjusted.depth_mm,
            **{"pass": begins.number},
            **refused,
        )

    def _grant(self, wish: Wish, strokes: Strokes, begins: PassBegins) -> Adjusted:
        """Do what a person wants while needles move, or say why it is not done."""
        if wish is Wish.END_ZONE:
            self._end_zone = True
            return Adjusted(wish, self._depth_um / 1000)
        if wish is Wish.DEEPER:
            return self._go_deeper(begins)
        wanted_um: int | None = self._depth_um - self.pen.limits.depth_step_um
        if wish is Wish.BLEEDING:
            self._endpoint(begins.ahead, Endpoint.CONTINUOUS, begins.number)
            zone = next(row for row in zone_table() if row.name == begins.ahead.zone.zone)
            wanted_um = lower_depth_um(self._depth_um, zone, self.pen.limits)
        if not wanted_um or wanted_um < self.pen.limits.depth_min_um:
            self._end_zone = wish is Wish.BLEEDING
            ends = ": the zone ends" if self._end_zone else ""
            return Adjusted(wish, self._depth_um / 1000, f"this pen does no shallower depth{ends}")
        try:
            strokes.shallower(mm=wanted_um / 1000)
        except Refused as refused:
            self.account.error(refused)
            return Adjusted(wish, self._depth_um / 1000, refused.message)
        self._depth_um = self._most_um = wanted_um
        return Adjusted(wish, wanted_um / 1000)

    def _go_deeper(self, begins: PassBegins) -> Adjusted:
        """From the next pass on, if every pass that is left may, and it never bled continuously here."""
        if self.account.dose.zone(begins.ahead.index).bled:
            return Adjusted(
                Wish.DEEPER, self._depth_um / 1000, "it bled continuously here: this zone goes no deeper"
            )
        left = [one for one in begins.ahead.passes if one.number > begins.number]
        if not left:
            return Adjusted(Wish.DEEPER, self._depth_um / 1000, "no pass is left in this zone")
        before = (self._most_um, self._deeper_um)
        wanted_um = self._wanted_um(left[0]) + self.pen.limits.depth_step_um
        self._deeper_um = max(self._deeper_um, wanted_um - round(left[0].depth_mm * 1000))
        if self._most_um is not None:
            self._most_um = max(self._most_um, wanted_um)
        for one in left:
            verdict = self.pen.check_depth(mm=self._wanted_um(one) / 1000)
            if isinstance(verdict, Refusal):
                self._most_um, self._deeper_um = before
                refused = Refused.of(verdict)
                self.account.error(refused)
                return Adjusted(Wish.DEEPER, self._depth_um / 1000, refused.message)
        return Adjusted(Wish.DEEPER, wanted_um / 1000)

    def _endpoint(self, ahead: ZoneAhead, endpoint: Endpoint, number: int) -> str:
        zone = ahead.zone
        self.account.tell(
            "endpoint", zone=zone.zone, side=zone.side, endpoint=endpoint.value, **{"pass": number}
        )
        return endpoint.value

    # -- figures ---------------------------------------------------------------------------------------

    def _density(self, result: ZoneResult, zone: PlanZone) -> float:
        return round(result.strokes * self._needles / zone.area_cm2, 1)

    def _reading(self, sample: Sample, begins: PassBegins, result: ZoneResult) -> Reading:
        ahead = begins.ahead
        pass_left_s = max(ahead.pass_s - sample.elapsed_s, 0.0)
        left_here_s = pass_left_s + ahead.pass_s * (ahead.passes[-1].number - begins.number)
        left_s = left_here_s + sum(self._planned_s[ahead.index :])
        return Reading(
            sample=sample,
            begins=begins,
            depth_mm=self._depth_um / 1000,
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
        self.account.tell("rest", left_s=round(left_s, 3))
        while left_s > 0:
            yield Resting(left_s)
            pen.pump(min(_REST_SLICE_S, left_s))
            pen.heed_stops()
            left_s = pen.duty.rest_left_s(pen.now_ns())


def measured(sample: Sample) -> dict[str, object]:
    """A reading as the record has it."""
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


def within_zone_time(account: Account, zone: PlanZone, index: int, for_s: float) -> None:
    """Raise `Refused` (`zone-time-exceeded`) where so many seconds more are too many for this zone.

    What was given in it is counted over restarts, and what is not known as given.
    """
    verdict = check_zone_time(
        for_s,
        figures(),
        used_s=account.dose.zone(index).total_s,
        planned_s=pass_seconds(zone.area_cm2, figures()) * len(zone.planned_passes()),
    )
    if isinstance(verdict, Refusal):
        raise Refused.of(verdict)
