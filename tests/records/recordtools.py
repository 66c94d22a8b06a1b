"""What the tests of the record share besides fixtures."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from penstroke.records.entry import Draft

UTC = "2026-11-23T12:00:00.000Z"


def draft(kind: str = "command", treatment: str | None = "20261123-abcdef", **body: Any) -> Draft:
    """An entry of a bound pen, at noon."""
    return Draft(UTC, treatment, kind, "A. Berg", "PS1-0042", "1.2.3", True, 1.5, 1500, body)


def by_hand(path: Path, *statements: str | tuple[str, Sequence[object]]) -> None:
    """What somebody does to a closed store at the SQLite prompt, the triggers dropped first."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for act in ("update", "delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS entries_no_{act}")
        for statement in statements:
            sql, values = (statement, ()) if isinstance(statement, str) else statement
            connection.execute(sql, values)


def asked(path: Path, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, by another program's connection."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()
