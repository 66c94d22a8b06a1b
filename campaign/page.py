"""The report: what was run, when, where and from which seed, and what came of it.

Each part's result can be kept in a file of its own, so that parts that need a quiet machine may run at
another hour than those that only need time, and the page is made of them all.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from bench.machine import commit, cpu

from campaign.orders import Order, Section


@dataclass(frozen=True, slots=True)
class Result:
    """One part that was run."""

    part: str
    size: str
    seed: int
    at: str
    """UTC, when it ended."""
    commit: str
    load: float
    """Of the machine at its end."""
    took_s: float
    sections: tuple[Section, ...]

    @classmethod
    def of(cls, part: str, order: Order, took_s: float, sections: Sequence[Section]) -> Self:
        """A part that has ended just now."""
        now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M}"
        load = round(os.getloadavg()[0], 2)
        return cls(part, order.size, order.seed, now, commit(), load, took_s, tuple(sections))

    def keep(self, folder: Path) -> None:
        """Write it into this folder, in the place of an earlier one of the same part."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / f"{self.part}.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def kept(cls, folder: Path, parts: Iterable[str]) -> list[Self]:
        """Those of these parts that are kept in this folder, in their order."""
        found = []
        for part in parts:
            file = folder / f"{part}.json"
            if file.exists():
                told = json.loads(file.read_text(encoding="utf-8"))
                sections = tuple(Section(**section) for section in told.pop("sections"))
                found.append(cls(**told, sections=sections))
        return found


def page(results: Sequence[Result]) -> str:
    """The whole page."""
    sections = [section for result in results for section in result.sections]
    ran = sum(section.ran for section in sections)
    failed = sum(section.failed for section in sections)
    rows = "\n".join(
        f"| {one.part} | {one.size} | {one.seed} | {one.at} | {one.commit} | {one.load:.2f} "
        f"| {one.took_s:.0f} |"
        for one in results
    )
    head = f"""# Safety campaign

Written by `make campaign`; not edited by hand. Every number counts runs that happened. Before a part ran, it
was run with something broken on purpose, and had to report failures. One part again:
`python -m campaign PART --seed N --size SIZE`.

- {cpu()}, {os.cpu_count()} processors, Python {platform.python_version()}
- {ran:,} runs, {failed:,} failed

| part | size | seed | UTC | commit | load | s |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

"""
    return head + "\n\n".join(section.markdown() for section in sections) + "\n"
