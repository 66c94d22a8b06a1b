"""F9: storage that fails. Every state in which a power cut may leave a store, every call that may fail, and
programs killed while they write.

A C library in between (`interpose.c`) writes down what a program does to its disk, and lets calls fail.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from campaign.crash_states import Files, crash_states, read_log
from campaign.hosts import ROOT
from campaign.orders import Order, Section
from penstroke.errors import RecordError
from penstroke.records.entry import Draft
from penstroke.records.store import open_store

STATES = """A record of {entries} entries, acknowledged one to five at a time, its log folded into the file
every 64 pages. After each call that changed a file, the states in which a power cut may leave them: all that
was written, only what was forced to the disk, all but one write, and random choices of whole, half and
missing writes. Each state that no earlier one equals is opened, verified, and written on. *Lost*: an entry
that had been acknowledged is not there; *corrupt*: the store is refused, or its chain is not whole."""
FAULTS = """The same record, and one call of it fails, or every call from there on; a disk that is full takes
half of the write that fills it. *Refused*: the wait before the next arm ended in the record's own error.
*Passed*: the call was one that nothing depends on (the log is folded in at the next opportunity), and all was
written. Afterwards the store is opened again on a disk that works."""
KILLS = """A program that records, killed with SIGKILL at a random instant after its start, or after its first
acknowledgement; then the store is opened and verified."""
UTC: Final = "2026-11-23T12:00:00.000Z"
PATIENCE_S: Final = 60


def run(order: Order) -> list[Section]:
    """Crash states, failing calls, kills."""
    # In memory: how fast a disk is, is not the subject here.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="pen-", dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        with _child(folder) as child:
            entries = order.count(full=200, check=60, small=12)
            log = folder / "log"
            told = child.ask(folder / "whole", entries=entries, seed=str(order.seed), log=log)
            return [
                _states(order, log, entries, folder / "state"),
                _faults(order, child, entries, int(told["calls"]), folder / "fault"),
                _kills(order, child, folder / "kill"),
            ]


# -- states after a power cut --------------------------------------------------------------------------------


def _states(order: Order, log: Path, entries: int, folder: Path) -> Section:
    section = Section(
        "F9: states after a power cut",
        STATES.format(entries=entries),
        ("calls", "states", "different", "acknowledged lost", "corrupt"),
    )
    calls = read_log(log)
    choices = order.count(full=140, check=6, small=3)
    every = order.count(full=1, check=4, small=4)
    tried: set[bytes] = set()
    states = lost = corrupt = 0
    found = crash_states(
        calls, order.rng("storage", "states"), choices, every=every, honest=not order.planted
    )
    for acknowledged, files in found:
        states += 1
        digest = _digest(acknowledged, files)
        if digest in tried:
            continue
        tried.add(digest)
        for name, content in files.items():
            (_cleared(folder) if name == next(iter(files)) else folder).joinpath(name).write_bytes(content)
        if not files:
            _cleared(folder)
        problem = _problem(folder / "records.sqlite", acknowledged)
        if problem:
            lost += problem.startswith("lost")
            corrupt += not problem.startswith("lost")
            section.fail(f"state {states} of seed {order.seed}: {problem}")
    section.ran = len(tried)
    section.rows.append((f"{len(calls):,}", f"{states:,}", f"{len(tried):,}", f"{lost:,}", f"{corrupt:,}"))
    return section


def _digest(acknowledged: int, files: Files) -> bytes:
    whole = hashlib.blake2b(str(acknowledged).encode(), digest_size=16)
    for name, content in sorted(files.items()):
        whole.update(name.encode() + b"\0" + len(content).to_bytes(8, "big"))
        whole.update(content)
    return whole.digest()


def _problem(path: Path, acknowledged: int) -> str:
    """What is wrong with a store that a power cut, a fault or a kill left behind; "" where nothing is."""
    try:
        with open_store(path) as store:
            head = store.head()
            if head.number < acknowledged:
                return f"lost: {acknowledged} was acknowledged, and the last entry is {head.number}"
            # The first entry is the store's own; each after it tells which one it is.
            last = store.entry(head.number)
            if last is None or last.body.get("count", 0) != head.number - 1:
                return f"corrupt: the last entry, {head.number}, is {last}"
            body: dict[str, Any] = {"count": head.number}
            store.append([Draft(UTC, "20261123-abcdef", "command", None, None, None, None, None, None, body)])
            verification = store.verify()
    except RecordError as error:
        return f"corrupt: {error.code}: {error.message}"
    return "" if verification.whole else f"corrupt: {verification.findings[0].message}"


# -- calls that fail -----------------------------------------------------------------------------------------


def _faults(order: Order, child: _Child, entries: int, calls: int, folder: Path) -> Section:
    section = Section(
        "F9: calls that fail",
        FAULTS,
        ("fault", "calls tried", "refused", "passed", "acknowledged lost", "corrupt"),
    )
    most = order.count(full=calls, check=40, small=6)
    for number in (errno.ENOSPC, errno.EIO):
        for on in (False, True):
            name = f"{errno.errorcode[number]}, {'from a call on' if on else 'once'}"
            rng = order.rng("storage", name)
            chosen = sorted(rng.sample(range(1, calls + 1), min(most, calls)))
            counts = dict.fromkeys(("refused", "passed", "lost", "corrupt"), 0)
            for at in chosen:
                told = child.ask(
                    _cleared(folder), entries=entries, seed=str(order.seed), at=at, errno=number, on=on
                )
                if order.planted:
                    told["durable"] += 1
                counts["refused" if told["refused"] or told["closed"] else "passed"] += 1
                problem = _problem(folder / "records.sqlite", told["durable"]) or _untold(told, entries)
                if problem:
                    counts["lost" if problem.startswith("lost") else "corrupt"] += 1
                    section.fail(f"{name}, call {at} of seed {order.seed}: {problem}")
            section.ran += len(chosen)
            section.rows.append((name, f"{len(chosen):,}", *(f"{count:,}" for count in counts.values())))
    return section


def _untold(told: dict[str, Any], entries: int) -> str:
    """A fault that nobody was told of though something is missing, or that left a file or a thread behind."""
    if told["left"] != [0, 0]:
        return f"corrupt: descriptors and threads left behind: {told['left']}"
    if not told["refused"] and not told["closed"] and told["durable"] < entries + 1:
        return f"lost: up to {told['durable']} is durable, and nobody was told"
    codes = {told["refused"], told["closed"]} - {None}
    if codes - {"record-unwritable", "record-unreadable", "record-damaged"}:
        return f"corrupt: told as {codes}"
    return ""


# -- programs that are killed --------------------------------------------------------------------------------


def _kills(order: Order, child: _Child, folder: Path) -> Section:
    section = Section(
        "F9: killed while writing",
        KILLS,
        ("kills", "before the first acknowledgement", "acknowledged lost", "corrupt"),
    )
    kills = order.count(full=1_000, check=30, small=6)
    lost = corrupt = unmade = 0
    for number in range(kills):
        after_s = order.rng("storage", "kill", number).random() * 0.15
        # Each second one may be killed while it makes its store.
        told = child.ask(_cleared(folder), kill=after_s, acknowledged=number % 2 == 0)
        unmade += not told["durable"]
        problem = _problem(folder / "records.sqlite", told["durable"] + order.planted * 10_000)
        if problem:
            lost += problem.startswith("lost")
            corrupt += not problem.startswith("lost")
            section.fail(f"kill {number} of seed {order.seed}: {problem}")
    section.ran = kills
    section.rows.append((f"{kills:,}", f"{unmade:,}", f"{lost:,}", f"{corrupt:,}"))
    return section


# -- the program whose disk fails ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Child:
    """`campaign.storage_child`, under the library."""

    process: subprocess.Popen[str]
    asked: int = field(default=0)

    def ask(self, folder: Path, *, log: Path | None = None, **order: Any) -> dict[str, Any]:
        """Let it write one record into this folder; what it says of it."""
        folder.mkdir(exist_ok=True)
        line = {"path": str(folder / "records.sqlite"), "log": str(log or ""), **order}
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("the program has no pipes")
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the program ended at {line}")
        told: dict[str, Any] = json.loads(answer)
        return told


@contextmanager
def _child(folder: Path) -> Iterator[_Child]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("this part needs a C compiler")
    library = folder / "interpose.so"
    source = ROOT / "campaign" / "interpose.c"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", library, source, "-ldl"],
        check=True,
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "campaign.storage_child"],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": str(library)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield _Child(process)
    finally:
        process.communicate(timeout=PATIENCE_S)


def _cleared(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
