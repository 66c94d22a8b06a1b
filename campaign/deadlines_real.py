"""Deadlines with real processes on a real pseudo-terminal: hosts killed, frozen and thawed, asked to stop.

Judged on the pen's own clock, from the journal of the simulator's process. What the wall clock says, from the
act of this process on, is shown beside it, and judged for a stop only and at full size only: on a machine
that is busy with other things it is not the pen's.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from campaign.hosts import ROOT, from_tests
from campaign.orders import Order, Section, percentile
from campaign.timing import HEADER, Trigger, first
from penstroke.ports.control import ask_stop

TEXT = """Hosts in processes of their own, at a `penstroke-sim` in another, over a pseudo-terminal; the act
comes at a random instant of a run. From the last valid beat (by the pen's clock), or for a stop from the act
of the other process (by the wall clock of both). *From the act* in the second table is wall time, machine
included."""
PATIENCE_S = 60.0
_PAUSE = threading.Event()
"""Never set: between two looks into the journal, which nobody tells of."""
AGAIN = 20
"""How often a run may begin again because it ended before the act: the machine starved the host, or the cable
was cut before the needles moved."""
Found = tuple[float, float | None, float]
"""Milliseconds to drive cut and to needles in, from what counts; and to drive cut from the act."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One trigger: its limits in ms, and one run of it."""

    name: str
    cut_ms: float
    retracted_ms: float
    once: Callable[[Random, Any], Found]


class _TooSoon(LookupError):
    """The run was over before the act: it shows nothing, and is begun again."""


def run(order: Order) -> list[Section]:
    """All rows: one after the other at full size, for figures of a quiet machine; else all at once."""
    section = Section("F3, F4, F5: deadlines with real processes", TEXT, HEADER)
    walls = Section(
        "The same, from the act, by the wall clock",
        "The same runs; not judged. *Begun again*: over before the act, which shows nothing and is no run.",
        ("act", "runs", "p50", "p99", "max", "begun again"),
    )
    rows = ROWS[:1] if order.planted else ROWS
    runs = 1 if order.planted else order.count(full=200, check=20, small=10)
    lanes = 1 if order.planted else order.count(full=1, check=1, small=2)
    with (
        _runtime_folder(),
        ThreadPoolExecutor(1 if order.size == "full" else len(rows) * lanes) as pool,
    ):
        begun = [
            (row, [pool.submit(_lane, order, row, range(lane, runs, lanes)) for lane in range(lanes)])
            for row in rows
        ]
        ended = [(row, [one for lane in each for one in lane.result()]) for row, each in begun]
    for row, outcomes in ended:
        trigger, before = Trigger(row.name, row.cut_ms, row.retracted_ms), section.failed
        wall_ms = list[float]()
        for number, found, _ in sorted(outcomes, key=lambda outcome: outcome[0]):
            if isinstance(found, str):
                section.ran += 1
                section.fail(f"{row.name}, run {number}: {found}")
                continue
            cut, home, from_act = found
            wall_ms.append(from_act)
            if row.once is _asked and order.size != "full" and not order.planted:
                # The wall clock of a machine that tests proves nothing; that it was stopped does.
                trigger.note(cut, home)
            else:
                trigger.judge(section, order, number, cut, home)
        trigger.finish(section, before)
        if wall_ms:
            figures = [percentile(wall_ms, 50), percentile(wall_ms, 99), max(wall_ms)]
            again = sum(again for _, _, again in outcomes)
            cells = (f"{figure:.0f} ms" for figure in figures)
            walls.rows.append((row.name, str(len(wall_ms)), *cells, str(again)))
    return [section, walls]


def _lane(order: Order, row: _Row, numbers: range) -> list[tuple[int, Found | str, int]]:
    """These runs of one row, one after the other at a pen of their own: times or what failed, and how often
    it was begun again."""
    outcomes: list[tuple[int, Found | str, int]] = []
    with _served(order, row.name, numbers) as served:
        for number in numbers:
            rng = order.rng("deadlines_real", row.name, number)
            found: Found | str = ""
            for again in range(AGAIN + 1):
                try:
                    found = row.once(rng, served)
                except _TooSoon as soon:
                    found = f"{soon}, {again + 1} times in a row"
                    continue
                except LookupError as missing:
                    found = str(missing)
                break
            outcomes.append((number, found, again))
    return outcomes


@contextmanager
def _runtime_folder() -> Iterator[None]:
    """Locks and control sockets of these runs in a folder of their own, for every row."""
    with (
        tempfile.TemporaryDirectory(prefix="pen-") as folder,
        mock.patch.dict(os.environ, {"PENSTROKE_RUNTIME_DIR": folder}),
    ):
        yield


@contextmanager
def _served(order: Order, name: str, numbers: range) -> Iterator[Any]:
    """A simulated pen in its own process, its port and journal in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="pen-") as folder:
        seed = order.rng("deadlines_real", name, "pen", numbers.start).getrandbits(16)
        link = ("--pty", "--link", f"{folder}/pen")
        served = from_tests("served").Served(
            Path(folder), "--seed", str(seed), *link, *_cuts(order, name, numbers, folder)
        )
        try:
            yield served
        finally:
            served.close()


class _Host:
    """A host process whose needles move."""

    def __init__(self, served: Any) -> None:
        self.entries_before = len(read_journal(served))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "campaign.real_host", served.port],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if not _line(self.process):
            raise _TooSoon(f"the host did not come to move needles: {self.end()}")

    def wait_s(self, longest_s: float) -> None:
        """Let it run for so long, unless it ends."""
        if self.process.stderr is not None:
            select.select([self.process.stderr], [], [], longest_s)

    def end(self) -> str:
        """Whatever it does, it is gone; what it said last."""
        self.process.kill()
        return self.process.communicate()[1].strip()


def _line(process: subprocess.Popen[str]) -> str:
    if process.stdout is None:
        return ""
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
    return process.stdout.readline() if ready else ""


def read_journal(served: Any) -> list[dict[str, Any]]:
    """All entries so far of the pen's journal."""
    lines = served.journal_path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _await(served: Any, after: int, event: str, **fields: object) -> list[dict[str, Any]]:
    """The journal from entry `after` on, once it holds such an entry; `LookupError` if it never does."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        entries = read_journal(served)[after:]
        if first(entries, event, 0, **fields) is not None:
            return entries
        _PAUSE.wait(0.02)
    raise LookupError(f"no {event} {fields} in the journal")


def _by_lease(served: Any, after: int, act_s: float) -> Found:
    """The lease ended it: drive cut and retracted, from the last valid beat; nothing moves after it."""
    _await(served, after, "motor", on=False)
    entries = _await(served, after, "needles", extended=False)
    lapses = [e for e in entries if e["event"] == "lease" and e["what"] == "lapsed"]
    if lapses and lapses[0]["wall"] < act_s:
        raise _TooSoon("the lease ended the run before the act")
    off = next(e for e in entries if e["event"] == "motor" and not e["on"])
    home_s = first(entries, "needles", off["t"], extended=False)
    if not lapses or home_s is None:
        raise LookupError(f"the lease did not end it but {off['reason']}")
    renewed_s = lapses[0]["renewed_t"]
    return (off["t"] - renewed_s) * 1000, (home_s - renewed_s) * 1000, (off["wall"] - act_s) * 1000


def _killed(rng: Random, served: Any) -> Found:
    host = _Host(served)
    try:
        host.wait_s(rng.uniform(0, 0.4))
        act_s = time.time()
        os.kill(host.process.pid, signal.SIGKILL)
        return _by_lease(served, host.entries_before, act_s)
    finally:
        host.end()


def _frozen(rng: Random, served: Any) -> Found:
    host = _Host(served)
    try:
        host.wait_s(rng.uniform(0, 0.4))
        act_s = time.time()
        os.kill(host.process.pid, signal.SIGSTOP)
        # Longer than the lease, and the old nonces that a thawed host may still send.
        host.wait_s(rng.uniform(0.4, 1.5))
        os.kill(host.process.pid, signal.SIGCONT)
        found = _by_lease(served, host.entries_before, act_s)
        host.process.communicate(timeout=PATIENCE_S)
        ons = [e for e in read_journal(served)[host.entries_before :] if e["event"] == "motor" and e["on"]]
        if len(ons) != 1:
            raise LookupError("needles moved again after the host was thawed")
        return found
    finally:
        host.end()


def _asked(rng: Random, served: Any) -> Found:
    host = _Host(served)
    try:
        host.wait_s(rng.uniform(0, 0.4))
        act_s = time.time()
        reply = ask_stop(served.port, timeout_s=PATIENCE_S)
        entries = _await(served, host.entries_before, "needles", extended=False)
        off = next(e for e in entries if e["event"] == "motor" and not e["on"])
        if off["reason"] == "lease":
            # A starved host; or one that does not stop when asked, and then never does.
            raise _TooSoon("the lease ended the run and not the stop")
        if reply is None or not reply.stopped:
            raise LookupError(f"the holder of the port did not stop it: {reply}")
        home = next(e for e in entries if e["event"] == "needles" and not e["extended"])
        cut_ms = (off["wall"] - act_s) * 1000
        host.process.communicate(timeout=PATIENCE_S)
        return cut_ms, (home["wall"] - act_s) * 1000, cut_ms
    finally:
        host.end()


def _cuts(order: Order, name: str, numbers: range, folder: str) -> list[str]:
    """For the cable only: it is cut and plugged again and again, at instants of the pen's own clock."""
    if name != CABLE:
        return []
    rng = order.rng("deadlines_real", "cuts", numbers.start)
    at_s, lines = 2.0, ["timeline:"]
    # A long scenario takes long to read, and a busy machine much longer.
    for _ in range(max(300, 10 * len(numbers))):
        at_s += rng.uniform(1.0, 1.8)
        lines += [f"- {{at: {at_s:.3f}, inject: cut}}", f"- {{at: {at_s + 0.4:.3f}, inject: cut, off: true}}"]
        at_s += 0.4
    scenario = Path(folder) / "cuts.yaml"
    scenario.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ["--scenario", str(scenario)]


def _cut(rng: Random, served: Any) -> Found:
    """A host that starts when the cable is whole, and whose needles move when it is cut."""
    link = served.journal_path.parent / "pen"
    deadline_s = time.monotonic() + PATIENCE_S
    while not link.exists():
        if time.monotonic() > deadline_s:
            raise LookupError("the cable was not plugged again")
        _PAUSE.wait(0.02)
    served.port = str(link)
    host = _Host(served)
    try:
        entries = _await(served, host.entries_before, "motor", on=True)
        entries = _await(served, host.entries_before, "motor", on=False)
        start_s = next(e["t"] for e in entries if e["event"] == "motor" and e["on"])
        cut = [e for e in entries if e["event"] == "inject" and e["t"] > start_s and not e["params"]]
        if not cut:
            raise _TooSoon("something else ended it before the cut")
        return _by_lease(served, host.entries_before, cut[0]["wall"])
    finally:
        host.end()


CABLE = "cable cut"
ROWS = (
    _Row("host killed (SIGKILL)", 305, 350, _killed),
    _Row("host frozen (SIGSTOP), thawed later", 305, 350, _frozen),
    _Row("STOP asked from another process", 50, 100, _asked),
    _Row(CABLE, 305, 350, _cut),
)
