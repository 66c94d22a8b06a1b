"""The figures: as a table for the terminal, and as the page of the safety file."""

from __future__ import annotations

import datetime
import os
import platform
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from bench.machine import commit, cpu

from mutants.gate import Outcome
from mutants.rules import RULES
from mutants.sources import Made
from mutants.survivors import Key
from mutants.workers import Answer

COLUMNS = (
    "mutants",
    "killed",
    "by crash",
    "by time-out",
    "survived, explained",
    "survived, unexplained",
    "not run",
)


def counts(outcomes: Sequence[Outcome], explained: Collection[Key]) -> dict[str, int]:
    """The figures of these outcomes, by the names of `COLUMNS`."""
    verdicts = Counter(outcome.answer.verdict for outcome in outcomes)
    why = sum(one.answer.verdict == "survived" and one.mutant.key in explained for one in outcomes)
    figures = (
        len(outcomes),
        verdicts["killed"],
        verdicts["crash"],
        verdicts["time-out"],
        why,
        verdicts["survived"] - why,
        verdicts["not run"],
    )
    return dict(zip(COLUMNS, figures, strict=True))


def summary(outcomes: Sequence[Outcome], explained: Collection[Key], took_s: float) -> str:
    """One line, and the reasons for what was not run."""
    said = ", ".join(f"{number:,} {name}" for name, number in counts(outcomes, explained).items())
    reasons = Counter(one.answer.detail for one in outcomes if one.answer.verdict == "not run")
    return "\n".join(
        [
            f"{said}; {took_s:.0f} s",
            *(f"  not run: {number:,} because {why}" for why, number in reasons.items()),
        ]
    )


def rows_of(text: str) -> dict[str, list[str]]:
    """The rows of a page that was written before, by module."""
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == len(COLUMNS) + 2:
            rows[cells[0].strip("` ")] = cells[1:]
    return rows


def page(
    made: Mapping[str, Made],
    outcomes: Sequence[Outcome],
    explained: Collection[Key],
    canaries: Sequence[tuple[str, Answer]],
    took_s: float,
    earlier: Mapping[str, list[str]] = MappingProxyType({}),
) -> str:
    """The whole page: of each module in `made` its row of this run, or else its row of an earlier one."""
    now = commit()
    rows = {}
    for module in made:
        mine = [one for one in outcomes if one.mutant.module == module]
        if mine:
            rows[module] = [*(f"{number:,}" for number in counts(mine, explained).values()), now]
        elif module in earlier:
            rows[module] = earlier[module]
    columns = list(zip(*rows.values(), strict=True))[: len(COLUMNS)]
    totals = [sum(int(cell.replace(",", "")) for cell in column) for column in columns]
    total = dict(zip(COLUMNS, totals or [0] * len(COLUMNS), strict=True))
    table = [[f"`{module}`", *cells] for module, cells in rows.items()]
    table.append(["**all**", *(f"**{number:,}**" for number in total.values()), ""])
    left_out = sum((one.left_out for one in made.values()), Counter[str]())
    early = sum(
        one.answer.detail.startswith("no test could start") or "(importing it)" in one.answer.detail
        for one in outcomes
    )
    sung = [[name, one.verdict, one.detail or "all its tests passed"] for name, one in canaries]
    seconds = sorted(one.answer.cpu_s for one in outcomes) or [0.0]
    return f"""# Mutation gate

Written by `make mutants`; not edited by hand. A mutant is one small change in the source, made by an operator
of [cosmic-ray](https://cosmic-ray.readthedocs.io/): another comparison, a number one higher, a condition
turned around. It is put into a copy of the tree, and the tests chosen for its module (`mutants/subjects.py`)
run there. *Killed*: a test failed. *Survived*: none did; then `mutants/survivors.toml` must say why the
change makes no difference. Modules again, and their rows here:
`python -m mutants MODULE ... --report docs/safety/mutants.md`.

**{total["mutants"]:,} mutants, {total["not run"]:,} not run, {total["survived, unexplained"]:,} survived \
unexplained.** Each row tells at which commit it was made. The last run:

- {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {now}
- {cpu()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f} at the end
- Python {platform.python_version()}
- {len(outcomes):,} mutants in {took_s / 60:.1f} minutes; {early:,} of them let no test start: the module, \
or what stands on it, could not be imported
- processor time of one: median {seconds[len(seconds) // 2]:.2f} s, longest {seconds[-1]:.1f} s

{_table(["module", *COLUMNS, "commit"], table)}

## The gate itself

Before the first mutant, and through the same door, go changes of which the outcome is known. With any other
outcome the gate gives no figures. Besides, every module began with a clean run that passed and a broken
import that was noticed, and ended with a clean run.

{_table(["canary", "counted as", "how"], sung)}

Each mutant runs in a process of its own, forked from one that has pytest and the libraries loaded and
nothing of the tree; one that dies without a word has crashed, whatever its exit code. Time-outs are of
processor time, which a busy machine does not stretch.

## Mutants that were not made

{_table(["rule", "left out", "why"], [[name, f"{left_out[name]:,}", why] for name, why in RULES.items()])}
"""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
