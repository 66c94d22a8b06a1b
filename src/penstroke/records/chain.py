"""Whether a chain is whole, and where it is not: pure, over the rows as they are stored.

What is looked at, of each row in its order: does the text match its digest; is it an entry; does it stand
under its own number, treatment and kind; does it follow the entry before. A chain that was cut off, or
written anew from some entry to its end, passes all of that. Only a witness (see `witness.py`) knows better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from penstroke.records.entry import NO_DIGEST, Head, Witness, digest_of, parsed

NO_HEAD: Final = Head(0, NO_DIGEST)
_SHOWN: Final = 100
"""Findings told one by one; a store that was overwritten has as many as entries."""


class Row(NamedTuple):
    """An entry as a store has it: `content` is its canonical JSON, the rest is there to find it by."""

    number: int
    treatment: str | None
    kind: str
    content: str
    digest: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    what: str
    """`changed`, `missing`, `inserted`, `swapped`, `misfiled`, `cut`, `rewritten`, or `file` for what is not
    in an entry."""
    first: int
    """The first entry it is about, 0 for none."""
    last: int
    message: str


@dataclass(slots=True)
class ChainReport:
    """What was found in a chain."""

    entries: int = 0
    head: Head = NO_HEAD
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    """Findings beyond those that are told."""
    witnessed: int = 0
    """Up to this entry a witness confirms the chain; 0: there is none, or none agrees."""

    def add(self, what: str, first: int, last: int, message: str) -> None:
        """Note a finding."""
        if len(self.findings) < _SHOWN:
            self.findings.append(Finding(what, first, last, message))
        else:
            self.more += 1


def verify_chain(rows: Iterable[Row], witnesses: Sequence[Witness] = ()) -> ChainReport:
    """Look at every row, in the order of their numbers, and at what the witnesses remember."""
    report = ChainReport()
    remembered = {witness.number for witness in witnesses}
    seen: dict[int, str] = {}
    displaced: dict[int, int] = {}
    before = 0
    previous = NO_DIGEST
    suspect = False  # the row before is a finding already, so a broken link to it is no news
    for row in rows:
        number, digest = row.number, row.digest
        if number > before + 1:
            report.add("missing", before + 1, number - 1, f"{_entries(before + 1, number - 1)} missing")
            suspect = True
        problem, values = _own_problem(row)
        if problem:
            report.add("changed", number, number, f"entry {number} is changed: {problem}")
        elif values["number"] != number:
            displaced[number] = values["number"]
        elif values["treatment"] != row.treatment or values["kind"] != row.kind:
            filed = f"{row.kind} of {row.treatment}, and is {values['kind']} of {values['treatment']}"
            report.add("misfiled", number, number, f"entry {number} is filed as {filed}")
        elif values["previous"] != previous and not suspect:
            first = max(number - 1, 1)
            text = (
                f"{_entries(first, number)} changed: entry {number} followed another entry than stands there"
            )
            report.add("changed", first, number, text)
        suspect = bool(problem) or number in displaced
        if number in remembered:
            seen[number] = digest
        before, previous = number, digest
        report.entries += 1
    report.head = Head(before, previous)
    if not report.entries:
        report.add("missing", 1, 1, "there is no entry at all, not even the first")
    _tell_displaced(report, displaced)
    _ask_witnesses(report, witnesses, seen)
    return report


def _own_problem(row: Row) -> tuple[str, dict[str, Any]]:
    """What is wrong with a row in itself ("" where nothing is), and the fields of its entry."""
    try:
        if digest_of(row.content.encode("utf-8")) != row.digest:
            return "it does not match its digest", {}
        return "", parsed(row.content)
    except (ValueError, TypeError, AttributeError) as unreadable:
        return f"it cannot be read ({unreadable})", {}


def _entries(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


# -- entries under another number than their own ---------------------------------------------------------


def _tell_displaced(report: ChainReport, displaced: dict[int, int]) -> None:
    """Entries under another number than their own: exchanged, or moved by what was put in or taken out."""
    if set(displaced) == set(displaced.values()):
        for place, own in displaced.items():
            if place <= own or displaced[own] != place:
                report.add("swapped", place, own, f"entry {own} stands in the place of entry {place}")
        return
    before = 0
    for first, last, shift in _runs(displaced):
        moved = shift - before
        if moved > 0:
            inside = (max(first - moved, 1), first - 1)
            report.add(
                "inserted", *inside, f"{_entries(*inside)} inserted: what follows was moved by {moved}"
            )
        elif moved < 0:
            gone = (first - before, first - before - moved - 1)
            report.add("missing", *gone, f"{_entries(*gone)} missing: what follows was moved by {-moved}")
        before = shift if last - first else before


def _runs(displaced: dict[int, int]) -> Iterator[tuple[int, int, int]]:
    """First and last place of entries in a row that are moved by the same count, and that count."""
    run: list[int] = []
    for place in sorted(displaced):
        shift = place - displaced[place]
        if run and (place != run[1] + 1 or shift != run[2]):
            yield run[0], run[1], run[2]
            run = []
        run = [run[0] if run else place, place, shift]
    if run:
        yield run[0], run[1], run[2]


# -- witnesses -------------------------------------------------------------------------------------------


def _ask_witnesses(report: ChainReport, witnesses: Sequence[Witness], seen: dict[int, str]) -> None:
    """Compare with what is remembered elsewhere. A report's foot may show but the first digits."""
    agree = [one for one in witnesses if seen.get(one.number, "").startswith(one.digest)]
    differ = [one for one in witnesses if one not in agree]
    report.witnessed = max((one.number for one in agree), default=0)
    cut = [one for one in differ if one.number > report.head.number]
    if cut:
        last = max(cut, key=lambda one: one.number)
        gone = (report.head.number + 1, last.number)
        report.add("cut", *gone, f"{_entries(*gone)} cut off: {last.where} remembers entry {last.number}")
    rewritten = [one for one in differ if one.number in seen]
    if rewritten:
        first = min(rewritten, key=lambda one: one.number)
        good = max((one.number for one in agree if one.number < first.number), default=0)
        text = (
            f"the chain was written anew after entry {good}, from entry {first.number} at the latest: "
            f"{first.where} remembers another entry {first.number}"
        )
        report.add("rewritten", good + 1, first.number, text)
