"""Plants each bug into a copy of the tree, runs the tests that must catch it, and prints who did.

    python tests/planted/run.py [NAME ...] [--jobs N] [--all-tests]

Exit code 0 when every bug was caught by each test it names, 1 when one was not, 2 when one could not be
tried.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from plantedbugs import BadPatch, Outcome, Planted, prove, read_planted


def main(arguments: Sequence[str] | None = None) -> int:
    """The program. Returns its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        chosen = _chosen(read_planted(), asked.names)
    except BadPatch as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    if asked.list:
        for planted in chosen:
            print(f"{planted.name}: {planted.thought} ({' '.join(planted.breaks)})")
        return 0
    widths = max(len(one.name) for one in chosen), max(len(" ".join(one.breaks)) for one in chosen)
    print(f"{'planted bug':{widths[0]}}  {'breaks':{widths[1]}}  {'outcome':10}  {'s':>5}  caught by")
    with tempfile.TemporaryDirectory(prefix="planted-") as folder, ThreadPoolExecutor(asked.jobs) as pool:
        tries = [pool.submit(prove, planted, Path(folder), all_tests=asked.all_tests) for planted in chosen]
        outcomes = []
        for one in tries:
            outcomes.append(one.result())
            print(_row(outcomes[-1], widths), flush=True)
    caught = sum(outcome.verdict == "caught" for outcome in outcomes)
    errors = sum(outcome.verdict == "error" for outcome in outcomes)
    missed = len(outcomes) - caught - errors
    print(f"{len(outcomes)} planted, {caught} caught, {missed} not caught, {errors} could not be tried")
    if errors:
        return 2
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run.py", description="planted bugs, and the tests that catch them")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="how many at a time (default: 2)")
    parser.add_argument("--all-tests", action="store_true", help="see who else catches it: minutes for each")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    return parser


def _chosen(planted: list[Planted], names: list[str]) -> list[Planted]:
    by_name = {one.name: one for one in planted}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise BadPatch(f"there is no planted bug {', '.join(unknown)}; --list shows those there are")
    if not planted:
        raise BadPatch("there are no planted bugs")
    return [by_name[name] for name in names] if names else planted


def _row(outcome: Outcome, widths: tuple[int, int]) -> str:
    planted = outcome.planted
    name, breaks = planted.name.ljust(widths[0]), " ".join(planted.breaks).ljust(widths[1])
    head = f"{name}  {breaks}  {outcome.verdict:10}  {outcome.seconds:5.1f}  "
    found = [outcome.detail] if outcome.detail else [_short(test) for test in planted.caught_by]
    found += [f"also {_short(test)}" for test in outcome.also]
    return head + f"\n{' ' * len(head)}".join(found)


def _short(test: str) -> str:
    """A test without its folder: names of test files are unique."""
    return test.rpartition("/")[2]


if __name__ == "__main__":
    sys.exit(main())
