"""The run in the air before use: the plan's deepest pass for a few seconds, and what was measured in it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress

from penstroke.data import figures
from penstroke.errors import RecordError, Stopped
from penstroke.pen import Pen
from penstroke.status import Sample
from penstroke.strokes import Strokes
from penstroke.treatment.needling import Account
from penstroke.treatment.run import measured
from penstroke.treatment.session import Session
from penstroke.treatment.steps.pre_use import AirRun, PreUse, air_run_wish, air_run_zones


def air_run(pen: Pen, session: Session, account: Account) -> Generator[Sample, None, AirRun]:
    """Run the pen in the air; each reading is written down and handed on, and iterating it keeps the needles
    moving.

    Gives what was measured after the motor's ramp. Raises what the pen raises, and `Stopped` where a stop was
    asked for; leaves the pen stopped and retracted however it is left.
    """
    depth_mm, rate_hz, seconds = air_run_wish(session)
    zone = next(
        zone
        for zone in air_run_zones(session)
        if any(one.depth_mm == depth_mm and one.rate_hz == rate_hz for one in zone.planned_passes())
    )
    pen.select_zone(zone.zone, side=zone.side)
    pen.set_rate(hz=rate_hz)
    pen.set_depth(mm=depth_mm)
    held = pen.status()
    readings: list[Sample] = []
    strokes = pen.needling(longest_s=seconds)
    count = 0
    try:
        with strokes:
            for sample in strokes:
                count = sample.strokes
                account.device_time(sample.device_ms)
                account.tell("sample", **measured(sample))
                if sample.elapsed_s * 1000 >= figures().rate_ramp_ms:
                    readings.append(sample)
                yield sample
    except BaseException:
        with suppress(RecordError):
            _ended(account, strokes, count)
        raise
    _ended(account, strokes, count)
    if strokes.ended != "duration":
        raise Stopped("a stop was asked for; the needles are stopped and retracted")
    depths = [sample.depth_mm for sample in readings] or [0.0]
    rates = [sample.rate_hz for sample in readings] or [0.0]
    return AirRun(
        depth_set_mm=held.depth_mm or 0.0,
        rate_set_hz=held.rate_hz or 0.0,
        seconds=strokes.moving_ns() / 1e9,
        depth_min_mm=min(depths),
        depth_max_mm=max(depths),
        rate_min_hz=min(rates),
        rate_max_hz=max(rates),
    )


def _ended(account: Account, strokes: Strokes, count: int) -> None:
    moved_s = round(strokes.moving_ns() / 1e9, 3)
    account.tell("run-ended", ended=strokes.ended, elapsed_s=moved_s, zone_strokes=count)


def pre_use(pen: Pen, air: AirRun | None) -> PreUse:
    """What the pen tells before use, with the run in the air, where one was made."""
    status = pen.status()
    return PreUse(
        state=status.state,
        faults=tuple(fault.name for fault in status.faults),
        battery_pct=status.battery_pct,
        tolerance_mm=pen.limits.tolerance_um / 1000,
        cartridge=status.cartridge,
        treatment=pen.treatment,
        air=air,
    )
