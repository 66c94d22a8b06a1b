"""What a report is made of: sections of facts, tables, lists and figures. Values, for printers to print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NONE = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """A text; `old` is what stood there before it was corrected, `note` by whom and why."""

    text: str
    old: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values, side by side."""

    rows: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headers. Columns in `right` hold numbers."""

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    right: frozenset[int] = frozenset()
    widths: tuple[int, ...] = ()
    """Shares of the width; blank where they are all alike."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One thing under another."""

    items: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that must be seen."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture. `alt` tells what it shows."""

    name: str
    svg: str
    alt: str
    share: float = 1.0
    """Of the width of the page."""


Block = Facts | Table | Listing | Notice | Figure


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report, in its order."""

    lang: str
    title: str
    subtitle: str
    mark: str
    """What stands across every page; empty where the pen was real."""
    mark_text: str
    begun_utc: str
    sections: tuple[Section, ...]
    foot: tuple[str, ...]
    head: str
    """The chain's digest that the foot shows."""


def all_cells(blocks: Iterable[Block]) -> Sequence[Cell]:
    """Every cell of some blocks, in their order."""
    found: list[Cell] = []
    for block in blocks:
        match block:
            case Facts(rows):
                found += [cell for _, cell in rows]
            case Table(rows=rows):
                found += [cell for row in rows for cell in row]
            case Listing(items):
                found += items
    return found
