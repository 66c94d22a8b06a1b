"""The safety layer touches nothing: no clock, no chance, no file, no line, no thread; and imports fast."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import penstroke.safety

FILES = sorted(Path(penstroke.safety.__file__).parent.glob("*.py"))

ALLOWED_IMPORTS = {
    "__future__",
    "collections.abc",
    "csv",
    "dataclasses",
    "decimal",
    "difflib",
    "enum",
    "fractions",
    "math",
    "re",
    "tomllib",
    "types",
    "typing",
}
FORBIDDEN_IMPORTS = {
    "time",
    "random",
    "os",
    "socket",
    "serial",
    "threading",
    "asyncio",
    "io",
    "pathlib",
    "secrets",
    "datetime",
    "subprocess",
    "importlib",
}
FORBIDDEN_CALLS = {"open", "input", "print", "eval", "exec", "__import__", "compile", "breakpoint"}


def impurities(source: str) -> list[str]:
    """What in this source reaches outside, by line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "."]
        else:
            names = []
        for name in names:
            ours = name.startswith("penstroke.safety.") or name == "penstroke.errors"
            if not ours and (name not in ALLOWED_IMPORTS or name.split(".")[0] in FORBIDDEN_IMPORTS):
                found.append(f"line {line}: imports {name}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            found.append(f"line {line}: calls {node.func.id}")
        if isinstance(node, ast.Assert):
            found.append(f"line {line}: asserts, which -O takes out")
    return found


@pytest.mark.req("S-18")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_safety_layer_is_pure(file: Path) -> None:
    assert impurities(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        *(f"import {name}" for name in sorted(FORBIDDEN_IMPORTS)),
        "from os.path import join",
        "import numpy",
        "from penstroke import data",
        "from penstroke.pen import Pen",
        "open('limits.csv')",
        "def f():\n    import time",
        "assert limit",
    ],
)
def test_the_guard_sees(source: str) -> None:
    assert impurities(source)


def test_all_files_are_looked_at() -> None:
    assert {file.stem for file in FILES} >= {"check", "limits", "rate", "units", "verdict", "zones", "clinic"}


def test_importing_it_pulls_in_nothing_heavy() -> None:
    code = (
        "import sys, penstroke.safety, penstroke.data; penstroke.data.zone_table(); penstroke.data.figures();"
        "heavy = {'pydantic', 'click', 'asyncio', 'serial', 'yaml', 'rich', 'difflib'} & set(sys.modules);"
        "sys.exit(', '.join(sorted(heavy)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.req("S-18")
def test_refusals_hold_without_assertions() -> None:
    code = (
        "from penstroke import data\n"
        "from penstroke.safety import *\n"
        "c = Constraints(zone=data.zone_named('periorbital'), side='left',"
        " pen=PenLimits(0, 2500, 50, 50, 250, 1500, 10), cartridge_length_um=2500, held_um=300)\n"
        "print([type(check_depth(w, c)).__name__ for w in (0.25, 0.3, 2.0, float('nan'), True, None)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == str(["Allowed", *["Refusal"] * 5])
