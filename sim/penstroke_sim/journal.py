"""The journal: what really happened in the simulated pen, one entry an event.

Entries are dictionaries `{"t": seconds, "event": name, ...}`; `line` is their one canonical form. Nothing in
an entry depends on anything but seed and input, unless a wall clock is given: same seed and same input make
the same journal, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Entry = dict[str, Any]


class Journal:
    """Keeps entries and hands each, at once, to `sink`. `wall` gives unix seconds; None on virtual time."""

    __slots__ = ("entries", "sink", "wall")

    def __init__(
        self,
        *,
        sink: Callable[[Entry], None] | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self.entries: list[Entry] = []
        self.sink = sink
        self.wall = wall

    def add(self, now_ns: int, event: str, **fields: Any) -> None:
        """Add an entry at `now_ns` since power-up."""
        entry: Entry = {"t": round(now_ns / 1e9, 6)}
        if self.wall is not None:
            entry["wall"] = round(self.wall(), 6)
        entry["event"] = event
        entry.update(fields)
        self.entries.append(entry)
        if self.sink is not None:
            self.sink(entry)

    def of(self, event: str) -> list[Entry]:
        """The entries of one kind."""
        return [entry for entry in self.entries if entry["event"] == event]

    def text(self) -> str:
        """All entries, a canonical line each."""
        return "".join(line(entry) + "\n" for entry in self.entries)


def line(entry: Entry) -> str:
    """The canonical JSON of an entry: keys in the order they were given, no blanks."""
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False)


def mm(depth_um: float) -> float:
    """Micrometres as millimetres with three decimals."""
    return round(depth_um / 1000, 3)
