"""What the tests of the command line share besides fixtures: its results, and real processes."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from penstroke.records.entry import Entry
from penstroke.records.store import open_store

EXAMPLES = Path(__file__).parents[2] / "examples"
_SERVE = "import sys; from penstroke_sim.cli import main; sys.exit(main())"
VIRTUAL = "sim://pen?clock=virtual&seed=1"
PATIENCE_S = 20.0
"""Longest wait for a real process: far above what it takes, so that only a hang reaches it."""

CHEEK = {"zone": "cheek", "side": "left", "area_cm2": 1.6, "depth_mm": 0.9, "rate_hz": 110, "passes": 2}
FOREHEAD = {"zone": "forehead", "area_cm2": 1.6, "depth_mm": 0.4, "rate_hz": 110, "passes": 1}
"""Zones of one second a pass."""

PATIENT, OPERATOR, CLINICIAN = "P-17", "Ben Example", "Dr. Ada Example"
ROSTER = EXAMPLES / "roster.toml"
ANTICOAGULANT = {
    "anticoagulant": True,
    "anticoagulant_signed_by": CLINICIAN,
    "anticoagulant_reason": "low dose, agreed with the cardiologist",
}
"""Answers to screening that lower ceilings to three quarters."""
SKIPPED = {"skip": {"reason": "not in this test", "by": CLINICIAN}}


class Clinic:
    """Who works there, what is answered, and the store in which it is written down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "records.sqlite"

    def answers(self, **steps: dict[str, Any] | None) -> Path:
        """A file that answers every step well, but for these; None for a step or a key leaves it out.

        Nothing is numbed and no solution applied, unless it is said how.
        """
        content: dict[str, Any] = yaml.safe_load((EXAMPLES / "demo_answers.yaml").read_text())
        content["needling"] = {"start": True, "endpoint": "erythema", "sharps": True, "skin_wiped": True}
        content |= {"numbing": SKIPPED, "mesotherapy": SKIPPED}
        for name, changes in steps.items():
            step = name.replace("_", "-")
            if changes is None:
                del content[step]
                continue
            kept = {} if "skip" in changes or "skip" in content[step] else content[step]
            content[step] = {key: one for key, one in {**kept, **changes}.items() if one is not None}
        file = self.folder / f"answers-{len(list(self.folder.glob('answers-*')))}.json"
        file.write_text(json.dumps(content, default=str))
        return file

    def flags(self, answers: Path | None = None, **other: object) -> list[object]:
        """Options of `treat`, with these in the place of the usual ones; None leaves one out."""
        named = {"patient": PATIENT, "operator": OPERATOR, "roster": ROSTER, "store": self.store}
        given = {**named, "answers": answers, **other}
        return [word for name, value in given.items() if value is not None for word in (f"--{name}", value)]

    def entries(self, *kinds: str, treatment: str | None = None) -> list[Entry]:
        """What is on record, of these kinds where any are named."""
        with open_store(self.store, readonly=True) as store:
            return list(store.entries(treatment, kinds=kinds or None))

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """What the entries of one kind say."""
        return [entry.body for entry in self.entries(kind)]

    def commands(self) -> list[str]:
        """The commands on record."""
        return [body["command"] for body in self.bodies("command")]

    def treatments(self) -> list[str]:
        """The ids of what is on record."""
        with open_store(self.store, readonly=True) as store:
            return store.treatment_ids()

    def make_sure_it_is_whole(self) -> None:
        """The chain verifies, from the first entry to the last."""
        with open_store(self.store, readonly=True) as store:
            verification = store.verify()
        assert verification.whole, verification.findings


@dataclass
class Result:
    """What one call of the command line left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def lines(self) -> list[Any]:
        """The objects on stdout, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict[str, Any]:
        """The error object, which is the last line on stderr."""
        found: dict[str, Any] = json.loads(self.err.splitlines()[-1])["error"]
        return found


class Process:
    """One `penstroke` in a process of its own, on a terminal of its own."""

    def __init__(self, *args: object) -> None:
        self.ours, theirs = pty.openpty()
        self.seen = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "penstroke", *map(str, args)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.pid = self._process.pid

    def read_until(self, text: str) -> str:
        """Read the terminal until `text` has been seen since the last call; what was read."""
        deadline = time.monotonic() + PATIENCE_S
        got = self.seen
        while text not in got:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.ours], [], [], left)[0]:
                raise AssertionError(f"{text!r} did not come; what came: {got}")
            try:
                got += os.read(self.ours, 4096).decode()
            except OSError as gone:  # its end of the terminal was closed
                raise AssertionError(f"{text!r} did not come before its end; what came: {got}") from gone
        before, _, self.seen = got.partition(text)
        return before + text

    def type(self, text: str) -> None:
        """Type on its terminal."""
        os.write(self.ours, text.encode())

    def send(self, signum: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(signum)

    def hang_up(self) -> None:
        """Close its terminal."""
        os.close(self.ours)
        self.ours = -1

    def end(self) -> tuple[int, str]:
        """Wait for its end; exit code and the rest of what it said."""
        # To the end of the terminal, not of the process: what it said last may still be on its way.
        while self.ours >= 0 and select.select([self.ours], [], [], PATIENCE_S)[0]:
            try:
                self.seen += os.read(self.ours, 4096).decode()
            except OSError:  # its end of the terminal was closed
                break
        return self._process.wait(PATIENCE_S), self.seen

    def destroy(self) -> None:
        """Whatever happened, leave nothing behind."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE_S)
        if self.ours >= 0:
            os.close(self.ours)


class Server:
    """A simulated pen in another process, behind a pseudo-terminal."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.journal_file = folder / "sim.jsonl"
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, "serve", "--pty", "--journal", str(self.journal_file), *args],
            stdout=subprocess.PIPE,
            text=True,
        )
        if self.process.stdout is None:
            raise AssertionError("no pipe")
        self.port: str = json.loads(self.process.stdout.readline())["port"]

    def journal(self, event: str) -> list[dict[str, Any]]:
        """The entries of one kind so far."""
        lines = self.journal_file.read_text().split("\n")[:-1]
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def wait_for(self, event: str, **facts: object) -> dict[str, Any]:
        """The first entry with these facts, once it is there."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for entry in self.journal(event):
                if facts.items() <= entry.items():
                    return entry
            select.select([], [], [], 0.02)
        raise AssertionError(f"no {event} {facts} in {self.journal_file.read_text()}")

    def destroy(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        if self.process.stdout is not None:
            self.process.stdout.close()
