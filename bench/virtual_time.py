"""How much faster than real time a treatment runs: driver, procedure, journal, wire and simulated pen."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.report import ROOT, Section, Size, wanted
from penstroke import TreatmentPlan, connect
from penstroke.data import figures
from penstroke.pen import Pen
from penstroke.treatment.estimate import estimate
from penstroke.treatment.journal import Journal
from penstroke.treatment.plan import load_plan
from penstroke.treatment.run import Answer, Needling, Reading, ZoneAhead

PLAN = ROOT / "examples" / "full_face_rejuvenation.yaml"
WANTED = 500.0
NEEDLING_S = 45 * 60
BETWEEN_ZONES_S = 20.0


def measure(size: Size) -> list[Section]:
    """The visit as it is, and needling alone."""
    plan = load_plan(PLAN)
    section = Section(
        "Virtual time",
        f"`{PLAN.relative_to(ROOT)}` on the simulated pen in one process: procedure with its journal, "
        "driver, frames, a line of 115,200 baud, firmware and physics, telemetry at 20 Hz. The visit is that "
        "of the plan's estimate, the pen connected from beginning to end; needling alone goes through the "
        "plan again and again, with nothing between but the rests that the pen needs. CPU time is what it "
        "would be on a machine with nothing else to do.",
        ("what", "virtual s", "readings", "s", "× real time", "× by CPU time", "wanted", "met"),
    )
    if size.treatment_zones is not None:
        short = plan.model_copy(update={"zones": plan.zones[1 : 1 + size.treatment_zones]})
        section.rows.append(_row("a short visit", lambda pen, journal: _visit(pen, journal, short, 10.0)))
    else:
        steps = estimate(plan).total_s
        section.rows.append(_row("the visit", lambda pen, journal: _visit(pen, journal, plan, steps)))
        section.rows.append(_row("needling alone", lambda pen, journal: _needling_only(pen, journal, plan)))
    section.end()
    return [section]


def _row(name: str, run: Callable[[Pen, Journal], int]) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal") as journal:
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        with connect("sim://pen?seed=7&clock=virtual") as pen:
            journal.bind(pen.now_ns, simulated=True)
            readings = run(pen, journal)
            virtual_s = pen.now_ns() / 1e9
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


def _visit(pen: Pen, journal: Journal, plan: TreatmentPlan, whole_s: float) -> int:
    """Zone by zone with pauses between, and then the rest of the visit: the pen tells, nothing moves."""

    def confirm(ahead: ZoneAhead) -> Answer:
        pen.pump(BETWEEN_ZONES_S if ahead.index > 1 else 0.0)
        return Answer.START

    def needle() -> int:
        with closing(Needling(pen, plan, journal, confirm).run()) as steps:
            return sum(isinstance(step, Reading) for step in steps)

    begun_ns = pen.now_ns()
    readings = needle()
    pen.pump(max(0.0, whole_s - (pen.now_ns() - begun_ns) / 1e9))
    return readings


def _needling_only(pen: Pen, journal: Journal, plan: TreatmentPlan) -> int:
    readings = 0
    while pen.now_ns() < NEEDLING_S * 1e9:
        with closing(Needling(pen, plan, journal, lambda _ahead: Answer.START).run()) as steps:
            for step in steps:
                readings += isinstance(step, Reading)
                if pen.now_ns() >= NEEDLING_S * 1e9:
                    return readings
        # The pen counts the needling of this session, and so would the next treatment find it tired.
        pen.pump(figures().rest_s)
    return readings
