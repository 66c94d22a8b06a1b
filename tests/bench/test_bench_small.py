"""The benchmarks run, in their smallest size, and tell what they should: no figure is judged here."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 100
"""For a run of a few seconds, on a machine however busy."""
ROWS = {
    "Round trip of a command, socket pair": ["two bare processes", "`Line.ask", "`Pen.set_depth`, simulated"],
    "Round trip of a command, pseudo-terminal": ["two bare processes", "`Line.ask", "`Pen.set_depth`, sim"],
    "Encoding and decoding telemetry": ["penstroke `Telemetry`"],
    "One bad reply in five": ["penstroke"],
    "One byte in a hundred damaged": ["penstroke", "penstroke, start bytes"],
    "Virtual time": ["a short visit"],
    "Starting": ["`penstroke --version`", "`penstroke stop`", "`penstroke zones`", "`penstroke plan check`"],
    "Memory": [""],
    "Records": ["`records verify`", "listing", "opening", "an entry handed over", "an entry made durable"],
}
REFERENCES = {
    "pymavlink": [
        ("Round trip of a command, socket pair", "pymavlink"),
        ("Encoding and decoding telemetry", "pymavlink"),
        ("One bad reply in five", "pymavlink"),
        ("One byte in a hundred damaged", "pymavlink"),
    ],
    "pymodbus": [
        ("Round trip of a command, socket pair", "pymodbus, asynchronous"),
        ("Round trip of a command, socket pair", "pymodbus, blocking"),
        ("One bad reply in five", "pymodbus, asynchronous"),
    ],
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The rows of each table of a small run, by its heading."""
    page = tmp_path_factory.mktemp("bench") / "page.md"
    # Before the home of each test is made; with a short name, for the sockets in it.
    with tempfile.TemporaryDirectory(prefix="pen-") as home:
        done = subprocess.run(
            [sys.executable, "-m", "bench", "--small", "--out", str(page)],
            cwd=ROOT,
            env={**os.environ, "HOME": home, "PENSTROKE_RUNTIME_DIR": f"{home}/run"},
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for part in re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.M)[1:]:
        head, _, rest = part.partition("\n")
        found[head] = [line for line in rest.splitlines() if line.startswith("| ")][2:]
        assert "Load average: " in rest
    return found


def rows_of(tables: dict[str, list[str]], title: str) -> list[str]:
    [found] = [rows for head, rows in tables.items() if head.startswith(title)]
    return found


def test_every_table_has_its_rows_and_each_row_a_figure(tables: dict[str, list[str]]) -> None:
    assert len(tables) == len(ROWS)
    for title, beginnings in ROWS.items():
        rows = rows_of(tables, title)
        for beginning in beginnings:
            [row] = [row for row in rows if row.startswith(f"| {beginning}")][:1] or [""]
            assert re.search(r"\| -?[0-9]", row), (title, beginning, rows)


def test_what_can_be_compared_with_is(tables: dict[str, list[str]]) -> None:
    """Where a reference is not installed its rows are missing, and nothing else is."""
    for package, places in REFERENCES.items():
        installed = importlib.util.find_spec(package) is not None
        for title, beginning in places:
            there = any(row.startswith(f"| {beginning}") for row in rows_of(tables, title))
            assert there == installed, (title, beginning)


def test_commands_on_a_bad_line_end_right(tables: dict[str, list[str]]) -> None:
    [row] = [row for row in rows_of(tables, "One bad reply in five") if row.startswith("| penstroke")]
    assert "| 20 of 20 |" in row


def test_no_intact_frame_is_lost_to_damaged_neighbours(tables: dict[str, list[str]]) -> None:
    rows = [row for row in rows_of(tables, "One byte in a hundred") if row.startswith("| penstroke")]
    assert len(rows) == 2
    for row in rows:
        _, intact, lost, _, wrong, *_ = row.strip("| ").split(" | ")
        assert int(intact) > 0
        assert (lost, wrong) == ("0", "0")
