"""The rules of the procedure have no input, output or clock: the same entries make the same session."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from visits import ROOT

ROOM = ROOT / "src" / "penstroke" / "treatment"
PURE = (
    *("session", "session_values", "table", "dose", "moment", "questions", "screening", "corrected"),
    *(f"steps/{file.stem}" for file in sorted((ROOM / "steps").glob("*.py"))),
)
FORBIDDEN = {
    *("asyncio", "os", "pathlib", "random", "secrets", "select", "socket", "sqlalchemy", "subprocess"),
    *("sys", "threading", "time"),
}
CLOCKS = {"now", "today", "utcnow", "fromtimestamp", "open", "read_text", "read_bytes"}


def breaches(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in CLOCKS:
                found.append(name)
    return found


@pytest.mark.parametrize("module", PURE)
def test_no_input_no_output_no_clock(module: str) -> None:
    assert breaches((ROOM / f"{module}.py").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    ["import time", "from os import path", "x.now()", "open('a')", "import os.path", "p.read_text()"],
)
def test_a_breach_would_be_found(source: str) -> None:
    assert breaches(source)


def test_no_part_is_forgotten() -> None:
    assert {"steps/numbing", "steps/pre_use", "steps/every"} <= set(PURE)
    assert all(Path(ROOM / f"{module}.py").is_file() for module in PURE)
