"""Treatments killed while their needles move, again and again, and what their record then holds.

Real processes: `penstroke treat` on a simulated pen in another process, over a pseudo-terminal, its store on
the disk. The pen's own journal is the witness of what was commanded. And treatments on a disk that takes 300
ms for each commit: the pen must not notice.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from campaign.deadlines_real import read_journal
from campaign.hosts import ROOT, from_tests
from campaign.orders import Order, Section
from penstroke.records.store import open_store
from penstroke.records.witness import WitnessFile
from penstroke.treatment.roster import load_roster
from penstroke.treatment.session import Session
from penstroke.treatment.session_values import Background
from penstroke.treatment.table import Step

TEXT = """SIGKILL at a random instant of a run, then the same treatment resumed and killed again, pass by
pass, to its end. After each kill: the chain verifies, the head seen before is still there, every start of the
motor in the pen's journal has its entry, every zone it was given too, and the session stands at needling."""
SLOW_TEXT = """Whole treatments with 300 ms before each commit: finished, no lease lapsed, every start of the
motor and every second of needling on record, and the chain whole."""
SLOW_S = 0.3
PATIENCE_S = 60.0
_PAUSE = threading.Event()
"""Never set: between two looks."""
PLAN = """version: 1
title: Killed and resumed
zones:
  - {{zone: forehead, area_cm2: 3, depth_mm: 0.4, rate_hz: 110, passes: {passes}}}
  - {{zone: cheek, side: left, area_cm2: 3, depth_mm: 0.6, rate_hz: 110, passes: {passes}}}
"""
MANY_PASSES, FEW_PASSES = 6, 1


def run(order: Order) -> list[Section]:
    """Kills, and treatments with a slow disk."""
    killed = Section(
        "Killed treatments", TEXT, ("kills", "treatments", "finished after kills", "entries", "failed")
    )
    kills = 2 if order.planted else order.count(full=500, check=16, small=2)
    lanes = 1 if order.planted else order.count(full=4, check=4, small=2)
    with ThreadPoolExecutor(lanes) as pool:
        tallies = list(
            pool.map(lambda lane: _lane(order, lane, len(range(lane, kills, lanes))), range(lanes))
        )
    for tally in tallies:
        killed.ran += tally.kills
        for failure in tally.failures:
            killed.fail(failure)
    killed.rows.append(
        (
            f"{killed.ran:,}",
            str(sum(tally.treatments for tally in tallies)),
            str(sum(tally.finished for tally in tallies)),
            f"{sum(tally.entries for tally in tallies):,}",
            str(killed.failed),
        )
    )
    return [killed] if order.planted else [killed, _slow_section(order)]


def _slow_section(order: Order) -> Section:
    section = Section(
        "Treatments with a slow disk", SLOW_TEXT, ("treatments", "entries", "samples", "failed")
    )
    entries = samples = 0
    for number in range(order.count(full=10, check=1, small=1)):
        with _desk(order, f"slow {number}", FEW_PASSES) as desk:
            treatment = _Treatment(desk, slow_s=SLOW_S)
            code = treatment.process.wait(PATIENCE_S)
            problem = "" if code == 0 else f"exit code {code}: {treatment.said()}"
            lapses = [e for e in read_journal(desk.pen) if e["event"] == "lease" and e["what"] == "lapsed"]
            if lapses:
                problem = problem or "the lease lapsed"
            problem = problem or _wrong_with_record(desk, finished=True)
            with open_store(desk.store, readonly=True) as store:
                entries += store.head().number
                samples += sum(1 for _ in store.entries(kinds=["sample"]))
        section.ran += 1
        if problem:
            section.fail(f"slow {number}: {problem}")
    section.rows.append((str(section.ran), f"{entries:,}", f"{samples:,}", str(section.failed)))
    return section


@dataclass(slots=True)
class _Tally:
    kills: int = 0
    treatments: int = 0
    finished: int = 0
    entries: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Desk:
    """A pen, a store and the files of a treatment, in a folder of their own."""

    folder: Path
    pen: Any
    store: Path
    head: tuple[int, str] = (0, "")
    """Of the store when it was last looked at."""
    environment: dict[str, str] = field(default_factory=dict)


@contextmanager
def _desk(order: Order, name: str, passes: int) -> Iterator[_Desk]:
    with tempfile.TemporaryDirectory(prefix="pen-") as text:
        folder = Path(text)
        seed = order.rng("killed_treatments", name).getrandbits(16)
        pen = from_tests("served").Served(folder, "--seed", str(seed), "--pty", "--link", f"{folder}/pen")
        try:
            (folder / "plan.yaml").write_text(PLAN.format(passes=passes), encoding="utf-8")
            (folder / "config.toml").write_text("", encoding="utf-8")
            (folder / "run").mkdir()
            environment = {
                **os.environ,
                "PENSTROKE_CONFIG": str(folder / "config.toml"),
                "PENSTROKE_DATA_DIR": str(folder / "data"),
                "PENSTROKE_RUNTIME_DIR": str(folder / "run"),
            }
            yield _Desk(folder, pen, folder / "data" / "records.sqlite", environment=environment)
        finally:
            pen.close()


class _Treatment:
    """`penstroke treat` in a process of its own."""

    def __init__(
        self, desk: _Desk, *, resume: bool = False, slow_s: float = 0.0, careless: bool = False
    ) -> None:
        self._errors = desk.folder / "said.txt"
        self.motor_before = len(_motor_on(desk.pen))
        with self._errors.open("wb") as said:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "campaign.treat_host", str(slow_s), str(int(careless))),
                    *("--port", desk.pen.port, "treat", str(desk.folder / "plan.yaml")),
                    *("--patient", "P-1", "--operator", "Ben Example"),
                    *("--roster", str(ROOT / "examples" / "roster.toml")),
                    *("--answers", str(_answers(desk))),
                    *(["--resume"] if resume else []),
                ],
                cwd=ROOT,
                env=desk.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def moves(self, desk: _Desk, runs: int) -> bool:
        """Wait until the needles have been started so many times by it; False when it ended before."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            if len(_motor_on(desk.pen)) - self.motor_before >= runs:
                return True
            if self.process.poll() is not None:
                return False
            _PAUSE.wait(0.01)
        raise LookupError(f"the needles never moved: {self.said()}")

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def said(self) -> str:
        """The end of what it said."""
        return self._errors.read_text(encoding="utf-8", errors="replace")[-300:].replace("\n", " | ")


def _answers(desk: _Desk) -> Path:
    """The answers of the demonstration, for the zones of this plan."""
    path = desk.folder / "answers.yaml"
    if not path.exists():
        text = (ROOT / "examples" / "demo_answers.yaml").read_text(encoding="utf-8")
        path.write_text(
            text.replace("    periorbital right: {endpoint: erythema}\n", "")
            .replace("  zones:\n  sharps", "  sharps")
            .replace("[forehead, cheek left, periorbital right]", "[forehead, cheek left]"),
            encoding="utf-8",
        )
    return path


def _motor_on(pen: Any) -> list[dict[str, Any]]:
    return [entry for entry in read_journal(pen) if entry["event"] == "motor" and entry["on"]]


def _lane(order: Order, lane: int, kills: int) -> _Tally:
    """So many kills, on one treatment after the other."""
    tally = _Tally()
    while tally.kills < kills and len(tally.failures) < 10:
        tally.treatments += 1
        rng = order.rng("killed_treatments", lane, tally.treatments)
        with _desk(order, f"{lane} {tally.treatments}", MANY_PASSES) as desk:
            try:
                _kill_to_the_end(order, rng, desk, tally, kills)
            except LookupError as problem:
                tally.failures.append(f"lane {lane}, treatment {tally.treatments}: {problem}")
            if desk.store.exists():
                tally.entries += desk.head[0]
    return tally


def _kill_to_the_end(order: Order, rng: Random, desk: _Desk, tally: _Tally, kills: int) -> None:
    """One treatment, killed in pass after pass, until it is finished or enough were killed."""
    resume = False
    while tally.kills < kills:
        treatment = _Treatment(
            desk, resume=resume, slow_s=1.0 if order.planted else 0.0, careless=order.planted
        )
        try:
            # The first run of a new treatment is the one in the air.
            if not treatment.moves(desk, 1 if resume else 2):
                code = treatment.process.wait(PATIENCE_S)
                if code != 0:
                    raise LookupError(f"it ended with {code} before it was killed: {treatment.said()}")
                problem = _wrong_with_record(desk, finished=True)
                if problem:
                    raise LookupError(problem)
                tally.finished += 1
                return
            _PAUSE.wait(rng.uniform(0.0, 1.2))
        finally:
            treatment.kill()
        tally.kills += 1
        _needles_in(desk)
        problem = _wrong_with_record(desk, finished=False)
        if problem:
            raise LookupError(f"kill {tally.kills}: {problem}")
        resume = True


def _needles_in(desk: _Desk) -> None:
    """The lease has ended the run, and what it says is in the journal."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        entries = read_journal(desk.pen)
        motor = [entry for entry in entries if entry["event"] == "motor"]
        needles = [entry for entry in entries if entry["event"] == "needles"]
        if not (motor and motor[-1]["on"]) and not (needles and needles[-1]["extended"]):
            return
        _PAUSE.wait(0.02)
    raise LookupError("the needles did not come in")


def _wrong_with_record(desk: _Desk, *, finished: bool) -> str:
    """What is wrong with the record of this desk, held against the pen's journal; empty where nothing is."""
    with open_store(desk.store) as store:
        first = store.entry(1)
        witness = WitnessFile(desk.folder / "records.witness", str(first.body["store_id"]) if first else "")
        found = store.verify(witness.recall())
        if found.findings:
            return f"the chain is broken: {found.findings[0]}"
        number, digest = desk.head
        before = store.entry(number) if number else None
        if number and (before is None or before.digest != digest):
            return f"entry {number}, once the head, is gone or another"
        head = store.head()
        desk.head = (head.number, head.digest)
        entries = list(store.entries())
    journal = read_journal(desk.pen)
    runs = [e for e in entries if e.kind == "command" and e.body["command"] == "run"]
    starts = _motor_on(desk.pen)
    if len(runs) < len(starts):
        return f"the motor was started {len(starts)} times, and {len(runs)} runs are on record"
    zones = [e for e in journal if e["event"] == "limit" and "zone" in e]
    selects = [e for e in entries if e.kind == "command" and e.body["command"] == "select-zone"]
    if len(selects) < len(zones):
        return f"the pen was given {len(zones)} zones, and {len(selects)} are on record"
    opened = next((e.treatment for e in entries if e.kind == "opened"), None)
    session = Session.replay(
        [e for e in entries if e.treatment == opened],
        Background(load_roster(ROOT / "examples" / "roster.toml")),
    )
    if finished:
        return "" if session.at is None else f"it stands at {session.at} and not at its end"
    if session.at is not Step.NEEDLING:
        return f"it stands at {session.at}"
    begun = sum(zone.passes_begun for zone in session.dose.zones.values())
    in_zones = len(runs) - 1
    return "" if begun == in_zones else f"{in_zones} runs in zones are on record, and {begun} count"
