"""How much faster than real time a treatment runs: driver, procedure, record, wire and simulated pen."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.report import ROOT, Section, Size, wanted
from penstroke import TreatmentPlan, connect
from penstroke.data import figures
from penstroke.errors import PenError
from penstroke.pen import Pen
from penstroke.records.recorder import Recorder
from penstroke.records.store import open_store
from penstroke.status import Cartridge
from penstroke.treatment.dose import Dose, dose_after
from penstroke.treatment.estimate import estimate
from penstroke.treatment.ledger import RecordLedger
from penstroke.treatment.needling import Answer, Reading, Wish, ZoneAhead
from penstroke.treatment.plan import load_plan
from penstroke.treatment.run import Needling
from penstroke.treatment.steps.needling import Endpoint

PLAN = ROOT / "examples" / "full_face_rejuvenation.yaml"
WANTED = 500.0
NEEDLING_S = 45 * 60
BETWEEN_ZONES_S = 20.0


def measure(size: Size) -> list[Section]:
    """The visit as it is, and needling alone."""
    plan = load_plan(PLAN)
    section = Section(
        "Virtual time",
        f"`{PLAN.relative_to(ROOT)}` on the simulated pen in one process: needling with its record on disk, "
        "driver, frames, a line of 115,200 baud, firmware and physics, telemetry at 20 Hz. The visit is that "
        "of the plan's estimate, the pen connected from beginning to end; needling alone goes through the "
        "plan again and again, with nothing between but the rests that the pen needs. CPU time is what it "
        "would be on a machine with nothing else to do.",
        ("what", "virtual s", "readings", "s", "× real time", "× by CPU time", "wanted", "met"),
    )
    if size.treatment_zones is not None:
        short = plan.model_copy(update={"zones": plan.zones[1 : 1 + size.treatment_zones]})
        section.rows.append(_row("a short visit", lambda pen, recorder: _visit(pen, recorder, short, 10.0)))
    else:
        steps = estimate(plan).total_s
        section.rows.append(_row("the visit", lambda pen, recorder: _visit(pen, recorder, plan, steps)))
        section.rows.append(_row("needling alone", lambda pen, recorder: _needling_only(pen, recorder, plan)))
    section.end()
    return [section]


@dataclass(slots=True)
class _Account:
    """The record of needling alone, without the visit around it."""

    recorder: Recorder
    dose: Dose = field(default_factory=Dose)

    def may_needle(self, index: int) -> None:
        """Nobody is screened here."""

    def tell(self, kind: str, **body: Any) -> int:
        if kind != "sample":
            self.dose = dose_after(self.dose, kind, body)
        return self.recorder.write(kind, **body)

    def make_durable(self) -> None:
        self.recorder.make_durable()

    def error(self, error: PenError) -> None:
        self.recorder.error(error)

    def device_time(self, ms: int) -> None:
        self.recorder.device_time(ms)


@dataclass(frozen=True, slots=True)
class _People:
    """They start each zone after a pause, and want nothing."""

    pen: Pen
    pause_s: float = 0.0

    def confirm(self, ahead: ZoneAhead) -> Answer:
        self.pen.pump(self.pause_s if ahead.index > 1 else 0.0)
        return Answer.START

    def wish(self) -> Wish | None:
        return None

    def endpoint(self, ahead: ZoneAhead) -> Endpoint:
        return Endpoint.PINPOINT

    def other_cartridge(self, cartridge: Cartridge) -> str:
        raise RuntimeError("nobody changes the cartridge here")


def _row(name: str, run: Callable[[Pen, Recorder], int]) -> tuple[str, ...]:
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(Path(folder) / "records.sqlite") as store,
        Recorder(store, treatment="20260101-000000", operator="bench") as recorder,
    ):
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        with connect("sim://pen?seed=7&clock=virtual", ledger=RecordLedger(recorder)) as pen:
            recorder.bind(pen.now_ns, simulated=True, serial=pen.identity.serial, firmware="")
            readings = run(pen, recorder)
            virtual_s = pen.now_ns() / 1e9
        recorder.make_durable()
        taken_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    times = virtual_s / taken_s
    limit = wanted(times, WANTED, least=True, unit=" ×")
    return (
        name,
        f"{virtual_s:.0f}",
        f"{readings}",
        f"{taken_s:.2f}",
        f"{times:.0f}",
        f"{virtual_s / cpu_s:.0f}",
        *limit,
    )


def _visit(pen: Pen, recorder: Recorder, plan: TreatmentPlan, whole_s: float) -> int:
    """Zone by zone with pauses between, and then the rest of the visit: the pen tells, nothing moves."""
    begun_ns = pen.now_ns()
    needling = Needling(pen, plan, _Account(recorder), _People(pen, BETWEEN_ZONES_S))
    with closing(needling.run()) as steps:
        readings = sum(isinstance(step, Reading) for step in steps)
    pen.pump(max(0.0, whole_s - (pen.now_ns() - begun_ns) / 1e9))
    return readings


def _needling_only(pen: Pen, recorder: Recorder, plan: TreatmentPlan) -> int:
    readings = 0
    while pen.now_ns() < NEEDLING_S * 1e9:
        with closing(Needling(pen, plan, _Account(recorder), _People(pen)).run()) as steps:
            for step in steps:
                readings += isinstance(step, Reading)
                if pen.now_ns() >= NEEDLING_S * 1e9:
                    return readings
        # The pen counts the needling of this session, and so would the next treatment find it tired.
        pen.pump(figures().rest_s)
    return readings
