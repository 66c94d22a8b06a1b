"""Paired turns: everything that is compared runs in each turn, and ratios are taken within the turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

Subject = Callable[[], object]
"""Does the thing once."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the ratios of paired turns, and the smallest and the largest."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.1f} ({self.least:.1f} to {self.most:.1f})"


def take_turns(subjects: dict[str, Subject], *, turns: int, times: int) -> dict[str, list[float]]:
    """For each subject one figure a turn: the median of `times` goes, in seconds.

    Every other turn goes through the subjects backwards, so that a drift of the machine favours nobody.
    """
    figures: dict[str, list[float]] = {name: [] for name in subjects}
    for turn in range(turns):
        order = list(subjects) if turn % 2 == 0 else list(reversed(subjects))
        for name in order:
            subject = subjects[name]
            for _ in range(max(2, times // 10)):
                subject()
            figures[name].append(median(timed(subject, times)))
    return figures


def timed(subject: Subject, times: int) -> list[float]:
    """Seconds of each of `times` goes."""
    clock = time.perf_counter
    taken = []
    for _ in range(times):
        begun = clock()
        subject()
        taken.append(clock() - begun)
    return taken


def ratio(subject: list[float], reference: list[float]) -> Ratio:
    """Subject over reference, turn by turn."""
    ratios = [mine / other for mine, other in zip(subject, reference, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))


@contextmanager
def on_one_processor() -> Iterator[None]:
    """This process, and those it starts meanwhile, on one and the same processor (Linux)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
