"""The copies of the tree and the processes in them that try the mutants. See `worker.py` for what they do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("", "src", "firmware_protocol", "sim")
"""Folders of the tree from which a copy imports; the first one for the worker itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a mutant's tests may take: of processor time, which no busy machine stretches, and in all."""

    cpu_s: float
    wall_s: float


FIRST = Limits(60, 180)
"""For a clean run, whose time is not known yet."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one run."""

    verdict: str
    """`killed`, `survived`, `crash`, `time-out` or `not run`."""
    detail: str = ""
    """The test that failed first, how it crashed, or why it was not run."""
    cpu_s: float = 0.0
    wall_s: float = 0.0


def snapshot(tree: Path, to: Path) -> Path:
    """A plain copy of the tree without history, environment and leftovers."""
    return Path(
        shutil.copytree(tree, to, ignore=shutil.ignore_patterns(".*", "__pycache__", "build", "dist"))
    )


class Worker:
    """One copy of the tree in `folder`, with the process that tries mutants in it."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self._copy = folder / "tree"
        self._said = folder / "said"
        self._scratch = folder / "t"  # short: the paths of sockets in it may have 107 characters
        self._scratch.mkdir(parents=True)
        snapshot(tree, self._copy)
        self._process: subprocess.Popen[str] | None = None

    def original(self, file: str) -> str:
        """What the copy holds."""
        return (self._copy / file).read_text(encoding="utf-8")

    def run(
        self, file: str, source: str, tests: tuple[str, ...], limits: Limits, *, warm: bool = False
    ) -> Answer:
        """Runs tests on this source. `warm`: may leave compiled files, and imports libraries ahead."""
        order = {"file": file, "source": source, "tests": tests, "warm": warm, "said": str(self._said)}
        order |= {"cpu_s": limits.cpu_s, "wall_s": limits.wall_s}
        process = self._process or self._start()
        try:
            print(json.dumps(order), file=process.stdin, flush=True)
            answer = json.loads(next(iter(process.stdout or ()), ""))
        except (OSError, ValueError) as problem:
            self.close()
            return Answer("not run", f"the process that runs mutants has died: {problem}")
        return Answer(**answer)

    def said(self) -> str:
        """What pytest said in the last run: its last lines."""
        return "\n".join(self._said.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def close(self) -> None:
        """Ends the process; the next run starts another."""
        if self._process is None:
            return
        with self._process as process:
            process.kill()
        self._process = None

    def _start(self) -> subprocess.Popen[str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mutants.worker"],
            cwd=self._copy,
            env={
                **kept,
                "PYTHONPATH": os.pathsep.join(str(self._copy / base) for base in PACKAGES),
                "PYTHONHASHSEED": "0",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                "HYPOTHESIS_PROFILE": "mutants",
                "TMPDIR": str(self._scratch),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self._process
