"""`python -m campaign [PART …] [--seed N] [--size full|check|small] [--report FILE]`: the safety campaign.

With `--keep FOLDER` each part's result stays there, and `--report` makes its page of all that are kept, those
of earlier calls too: a part that needs a quiet machine can have its own hour.

`--hours` and `--real-hours` make the soak last as long as one likes: `python -m campaign soak --hours 72
--real-hours 8`.

Before each part a self-check: with something broken on purpose the part must report failures.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path

from campaign.orders import SIZES, Order, Section
from campaign.page import Result, page

PARTS = (
    "deadlines_virtual",
    "deadlines_real",
    "damaged_frames",
    "flips",
    "lossy_worlds",
    "line_cuts",
    "stateful",
    "stops",
    "wall_clock",
    "bad_files",
    "storage",
    "tampering",
    "killed_treatments",
    "soak",
)


def run_part(part: str, order: Order) -> list[Section]:
    """One part, after its self-check. Raises `LookupError` for a part that reports no planted failure."""
    module = import_module(f"campaign.{part}")
    if not order.planted:
        checked = module.run(Order("small", order.seed, planted=True))
        blind = [section.title for section in checked if section.ran and not section.failed]
        if blind:
            raise LookupError(f"{part} cannot fail: nothing was found wrong with a planted defect in {blind}")
    sections: list[Section] = module.run(order)
    return sections


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= 10_000:
        raise ValueError(text)
    return hours


def main(args: list[str]) -> int:
    """0 when nothing failed, 1 when something did."""
    parser = argparse.ArgumentParser(prog="python -m campaign", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; default all")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same runs (default 1)")
    parser.add_argument("--size", choices=SIZES, default="check")
    parser.add_argument("--report", type=Path, help="write the report to this file")
    parser.add_argument("--keep", type=Path, help="folder of the parts' results, kept and put together")
    parser.add_argument("--hours", type=_hours, help="of the soak in virtual time")
    parser.add_argument("--real-hours", type=_hours, help="of each of the soak's runs in real time")
    given = parser.parse_args(args)
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}")
    if (given.hours or given.real_hours) and given.parts and "soak" not in given.parts:
        parser.error("--hours and --real-hours are for the soak, which is not among these parts")
    if not __debug__:
        parser.error("some parts judge by assertions of the tests: run it without -O")
    order = Order(given.size, given.seed, hours=given.hours, real_hours=given.real_hours)
    results: list[Result] = []
    failed = False
    for part in given.parts or PARTS:
        begun = time.monotonic()
        print(f"{part} (--seed {order.seed} --size {order.size}) …", file=sys.stderr, flush=True)
        try:
            found = run_part(part, order)
        except LookupError as blind:
            found = [Section(part, "", ("self-check",), failed=1, failures=[str(blind)])]
        took_s = time.monotonic() - begun
        result = Result.of(part, order, took_s, found)
        results.append(result)
        if given.keep is not None:
            result.keep(given.keep)
        for section in found:
            failed = failed or section.failed > 0
            print(f"  {section.title}: {section.ran:,} run, {section.failed:,} failed", file=sys.stderr)
        print(f"  {took_s:.1f} s", file=sys.stderr, flush=True)
    if given.keep is not None:
        results = Result.kept(given.keep, PARTS)
    text = page(results)
    print(text, end="")
    if given.report is not None:
        given.report.write_text(text, encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
