"""`python -m mutants [MODULE …] [--changed] [--report FILE]`: the mutation gate.

Exit code 0 when every mutant was noticed or is explained, 1 when one survived unexplained, was not run, or an
explanation no longer holds, 2 when the gate itself cannot be trusted and so gives no figures.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from bench.machine import commit

from mutants.changed import base_of, changed_lines, sample
from mutants.gate import Gate, NoFigures, Outcome, scratch, tally
from mutants.page import page, rows_of, summary
from mutants.sources import ROOT, Mutant, NoOperators, Wanted, every, mutants_of
from mutants.subjects import SUBJECTS
from mutants.survivors import BadSurvivors, entry, named, read_survivors, stale
from mutants.workers import snapshot

SAMPLE = 40
"""Mutants of a run that has no base to compare with."""
CHANGED_MINUTES = 3.0
"""A run on what changed is a part of every check: it may not take longer, and says what it left out."""
SMALLEST = "src/penstroke/safety/duty.py"
"""The module whose tests are quickest: the canaries sing there."""


def main(arguments: list[str]) -> int:
    """The program. Returns its exit code."""
    given = _parser().parse_args(arguments)
    modules = given.modules or list(SUBJECTS)
    if unknown := sorted(set(modules) - set(SUBJECTS)):
        print(
            f"error: {', '.join(unknown)} is no subject; mutants/subjects.py has those there are",
            file=sys.stderr,
        )
        return 2
    begun = time.monotonic()
    try:
        explained = read_survivors()
        with scratch() as folder:
            tree = snapshot(ROOT, Path(folder) / "0")  # what is edited meanwhile plays no part
            base = (given.base or base_of()) if given.changed else ""
            changed = changed_lines(base, modules) if base else {}
            # On lines that did not change, only the explained ones are looked for: are they still there?
            made = {
                module: mutants_of(
                    module, tree, _wanted(changed.get(module, set()), explained) if base else every
                )
                for module in modules
            }
            known = [mutant for one in made.values() for mutant in one.mutants]
            mutants = _chosen(known, base, changed) if given.changed else known
            with Gate(SUBJECTS, tree, Path(folder), jobs=given.jobs) as gate:
                sung = gate.canaries(SMALLEST)
                print(f"canaries: {len(sung)} of {len(sung)} as they must")
                box_s = CHANGED_MINUTES * 60 if given.changed else float("inf")
                outcomes = gate.run(mutants, until=begun + box_s, told=_Progress(mutants, explained))
    except (NoFigures, NoOperators, BadSurvivors) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    took_s = time.monotonic() - begun
    print(summary(outcomes, set(explained), took_s))
    wrong = _wrong(outcomes, explained, known, modules)
    if given.report:
        for module in SUBJECTS:
            made.setdefault(module, mutants_of(module))
        made = {module: made[module] for module in SUBJECTS}
        earlier = rows_of(given.report.read_text(encoding="utf-8")) if given.report.exists() else {}
        text = page(made, outcomes, explained, sung, took_s, earlier)
        given.report.write_text(text, encoding="utf-8")
    left = 0 if given.changed else tally(outcomes)["not run"]
    return 1 if wrong or left else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mutants", description="the mutation gate")
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help="some files of mutants/subjects.py; default all"
    )
    parser.add_argument(
        "--changed", action="store_true", help="only mutants on lines that changed, in a few minutes"
    )
    parser.add_argument(
        "--base", default="", help="changed since this commit (default: origin/main, or the one before)"
    )
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="how many at a time (default 2)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the page to this file")
    return parser


def _wanted(numbers: set[int], explained: Collection[tuple[str, ...]]) -> Wanted:
    explains = named(explained)
    return lambda operator, line, number: number in numbers or explains(operator, line, number)


def _chosen(known: list[Mutant], base: str, changed: dict[str, set[int]]) -> list[Mutant]:
    if not base:
        seed = commit()
        print(f"no commit to compare with (none before this one is here): a sample of {SAMPLE}, seed {seed}")
        return sample(known, SAMPLE, seed)
    found = [mutant for mutant in known if mutant.number in changed.get(mutant.module, ())]
    print(f"{len(found)} mutants on {sum(map(len, changed.values()))} lines changed since {base[:12]}")
    return found


def _wrong(
    outcomes: list[Outcome], explained: dict[tuple[str, ...], str], known: list[Mutant], modules: list[str]
) -> int:
    """Prints what is wrong; how many that were."""
    wrong = 0
    seen: Counter[tuple[str, ...]] = Counter()
    for outcome in outcomes:
        survived = outcome.answer.verdict == "survived"
        seen[outcome.mutant.key] += survived
        if survived and outcome.mutant.key not in explained:
            wrong += 1
            print(f"\nsurvived, and nothing explains it: {outcome.mutant}")
            print(entry(outcome.mutant.key, ""))
    for key in {
        outcome.mutant.key
        for outcome in outcomes
        if outcome.answer.verdict in ("killed", "crash", "time-out")
    }:
        if key in explained and not seen[key]:
            wrong += 1
            print(
                f"\nexplained as changing nothing, and yet a test noticed it:\n{entry(key, explained[key])}"
            )
    for key in stale(explained, known, modules):
        wrong += 1
        print(f"\nexplained, and there is no such mutant any more:\n{entry(key, explained[key])}")
    return wrong


class _Progress:
    """Survivors as they come and modules as they end, on the error stream: a full run takes a while."""

    def __init__(self, mutants: list[Mutant], explained: Collection[tuple[str, ...]]) -> None:
        self._explained = explained
        self._left = Counter(mutant.module for mutant in mutants)
        self._begun = time.monotonic()

    def __call__(self, outcome: Outcome) -> None:
        module = outcome.mutant.module
        if outcome.answer.verdict == "survived" and outcome.mutant.key not in self._explained:
            print(f"  survived: {outcome.mutant}", file=sys.stderr, flush=True)
        self._left[module] -= 1
        if not self._left[module]:
            print(
                f"  {module} done after {time.monotonic() - self._begun:.0f} s", file=sys.stderr, flush=True
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
