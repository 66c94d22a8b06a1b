"""From measurements to a page: sections with a table each, and the machine they were taken on."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.machine import commit, cpu

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. `full` for figures to quote, `small` to show that the benchmarks still run."""

    name: str
    turns: int
    """Paired turns of each comparison."""
    trips: int
    """Round trips of each subject in a turn."""
    bad_rounds: int
    """Times 20 commands with one bad reply in five, penstroke's own. Others get one round."""
    references_wait: bool
    """Whether references whose time-outs are seconds long are waited for in every kind of damage."""
    stream_frames: int
    codec_messages: int
    treatment_zones: int | None
    """How many zones of the plan; None: all, and the whole visit around them."""
    starts: int
    """Times each command is started."""
    memory_s: int
    """Virtual seconds of needling."""
    treatments: int
    """In the store whose list is timed."""
    entries_each: int
    """Entries of each of these treatments."""


FULL = Size("full", 15, 300, 5, True, 20_000, 2_000, None, 11, 3600, 2_000, 250)
SMALL = Size("small", 2, 20, 1, False, 400, 100, 1, 1, 20, 20, 20)


@dataclass(slots=True)
class Section:
    """One table. `rows` have as many cells as `header`."""

    title: str
    text: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    """What could not be measured, and why."""
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    load_after: float = 0.0

    def end(self) -> None:
        """Measuring is over: note the load."""
        self.load_after = os.getloadavg()[0]

    def markdown(self) -> str:
        """The section as a page has it."""
        lines = [f"## {self.title}", "", self.text, "", _row(self.header), _row(["---"] * len(self.header))]
        lines += [_row(row) for row in self.rows]
        lines += [""] + [f"- not measured: {reason}" for reason in dict.fromkeys(self.skipped)]
        lines += [""] * bool(self.skipped)
        return "\n".join(
            [*lines, f"Load average: {self.load_before:.2f} before, {self.load_after:.2f} after."]
        )


def wanted(value: float, limit: float, *, least: bool = False, unit: str = "") -> tuple[str, str]:
    """The cells that tell a limit and whether it was met. `least`: the value must not be below it."""
    met = value >= limit if least else value <= limit
    return f"{'≥' if least else '≤'} {limit:g}{unit}", "yes" if met else "**no**"


def page(sections: Sequence[Section], size: Size) -> str:
    """The whole page."""
    head = f"""# Benchmarks

Written by `make bench`; not edited by hand. Subject and reference were measured in turn in one run; a ratio
is the median of the ratios of paired turns, with the smallest and the largest of them in brackets. On a busy
machine ratios shift by up to a third and absolute times by more, so read the load average beside them.

- {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}, size: {size.name}
- {cpu()}, {os.cpu_count()} processors, {platform.system()} {platform.release()}
- Python {platform.python_version()}, {_packages()}
"""
    return "\n\n".join([head.rstrip(), *(section.markdown() for section in sections)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _packages() -> str:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in ("cobs", "pyserial", "pymavlink", "pymodbus"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)
