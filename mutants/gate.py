"""Tries mutants on several workers at once, and judges the gate itself before it judges the tests.

Strategy. Figures of a gate that cannot be trusted are worse than none, so `canaries` runs first, through the
same door as every mutant; and each worker begins each module with a clean run, which must pass and sets how
long the module's mutants may take, and with a change that breaks the module's import, which must be noticed.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mutants.sources import Mutant
from mutants.workers import FIRST, Answer, Limits, Worker

Tests = Mapping[str, tuple[str, ...]]
"""By module: the tests that must notice its mutants."""

NO_OP = "\n# a comment\n"
BROKEN = "\nraise RuntimeError('mutant')\n"
CANARIES = (
    ("a comment", NO_OP, "survived", None),
    ("os._exit(0), as if all were well", "\nimport os\nos._exit(0)\n", "crash", None),
    ("a comment, after a crash", NO_OP, "survived", None),
    ("os.abort()", "\nimport os\nos.abort()\n", "crash", None),
    ("a comment, after a second crash", NO_OP, "survived", None),
    ("an endless loop", "\nwhile True:\n    pass\n", "time-out", Limits(1, 60)),
    ("waiting for nobody", "\nimport threading\nthreading.Event().wait()\n", "time-out", Limits(60, 2)),
    ("a comment, after hanging", NO_OP, "survived", None),
    ("an import that fails", BROKEN, "killed", None),
)
"""What is appended to a module, what must come of it, and its limits where a clean run's are too long."""

_TIMES_CPU, _TIMES_WALL = 2.0, 10.0
_MORE_CPU_S, _MORE_WALL_S = 2.0, 60.0
"""A mutant may take that many times a clean run, and so much more. A busy machine stretches the latter."""


class NoFigures(Exception):
    """The gate cannot be trusted, so it gives no figures. The message says what was found."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one mutant."""

    mutant: Mutant
    answer: Answer


class Gate:
    """Workers with their copies of the tree, and what they know of each module."""

    def __init__(self, subjects: Tests, tree: Path, folder: Path, *, jobs: int) -> None:
        self._subjects = subjects
        self._workers = [Worker(tree, folder / str(number + 1)) for number in range(jobs)]
        self._limits: dict[tuple[int, str], Limits] = {}

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.close()

    def canaries(self, module: str) -> list[tuple[str, Answer]]:
        """Tries the canaries on this module. Raises `NoFigures` for the first that ends otherwise."""
        self._prepare(0, module)
        found = []
        for name, change, must, limits in CANARIES:
            source = self._workers[0].original(module) + change
            answer = self._run(0, module, source, limits)
            if answer.verdict != must:
                raise NoFigures(f"{name}: it must count as {must}, not as {answer.verdict} {answer.detail}")
            found.append((name, answer))
        return found

    def run(
        self,
        mutants: Iterable[Mutant],
        *,
        until: float = float("inf"),
        told: Callable[[Outcome], None] = lambda outcome: None,
    ) -> list[Outcome]:
        """Tries mutants until `time.monotonic()` is `until`: the rest is `not run`. Raises `NoFigures`."""
        waiting, outcomes, lock = deque(mutants), list[Outcome](), threading.Lock()

        def work(number: int) -> None:
            while True:
                with lock:
                    if not waiting:
                        return
                    mutant = waiting.popleft()
                if time.monotonic() < until:
                    self._prepare(number, mutant.module)
                    answer = self._run(number, mutant.module, mutant.source)
                else:
                    answer = Answer("not run", "the time was over")
                with lock:
                    outcomes.append(Outcome(mutant, answer))
                    told(outcomes[-1])

        with ThreadPoolExecutor(len(self._workers)) as pool:
            for done in [pool.submit(work, number) for number in range(len(self._workers))]:
                done.result()
        for number, module in self._limits:  # nothing that was run may have broken the worker
            self._must(number, module, NO_OP, "survived")
        return outcomes

    def _prepare(self, number: int, module: str) -> None:
        """A clean run and a broken one of this module on this worker, once."""
        if (number, module) in self._limits:
            return
        worker, tests = self._workers[number], self._subjects[module]
        # The first compiles, and tells which libraries can be imported ahead; the second is as the others.
        for warm in (True, False):
            clean = worker.run(module, worker.original(module) + NO_OP, tests, FIRST, warm=warm)
            if clean.verdict != "survived":
                raise NoFigures(
                    f"{module}: its tests do not pass without a mutant: {clean.verdict} {clean.detail}\n"
                    + worker.said()
                )
        self._limits[number, module] = Limits(
            _TIMES_CPU * clean.cpu_s + _MORE_CPU_S, _TIMES_WALL * clean.wall_s + _MORE_WALL_S
        )
        self._must(number, module, BROKEN, "killed")

    def _must(self, number: int, module: str, change: str, verdict: str) -> None:
        answer = self._run(number, module, self._workers[number].original(module) + change)
        if answer.verdict != verdict:
            raise NoFigures(
                f"{module}: {change.strip()!r} must count as {verdict}, "
                f"not as {answer.verdict} {answer.detail}"
            )

    def _run(self, number: int, module: str, source: str, limits: Limits | None = None) -> Answer:
        known = self._limits[number, module]
        return self._workers[number].run(module, source, self._subjects[module], limits or known)


def tally(outcomes: Iterable[Outcome]) -> Counter[str]:
    """How many mutants ended how."""
    return Counter(outcome.answer.verdict for outcome in outcomes)


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Where the copies go: outside of the tree, by a short name."""
    return tempfile.TemporaryDirectory(prefix="mut-")
