"""The engines read no clock, draw no chance, open nothing: time and bytes are arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PURE = [
    *sorted((ROOT / "firmware_protocol" / "penstroke_protocol").glob("*.py")),
    *(
        ROOT / "sim" / "penstroke_sim" / f"{name}.py"
        for name in (
            "body",
            "cartridge",
            "core",
            "faults",
            "firmware",
            "misbehaviour",
            "report",
            "requests",
            "skin",
            "states",
            "trips",
            "wire",
            "world",
        )
    ),
]
MODULES = {
    "time", "datetime", "os", "io", "sys", "socket", "select", "selectors", "serial", "threading", "asyncio",
    "subprocess", "multiprocessing", "signal", "pathlib", "secrets", "uuid", "tempfile", "logging",
}  # fmt: skip
CALLS = {"open", "print", "input", "exec", "eval", "breakpoint", "__import__"}


def impurities(source: str) -> Iterator[str]:
    """What a pure module must not have, each with its line."""
    nodes = list(ast.walk(ast.parse(source)))
    # A parameter may be called random, too: only the module's own functions share chance.
    shared = any(isinstance(n, ast.Import) and any(a.name == "random" for a in n.names) for n in nodes)
    for node in nodes:
        yield from (f"{getattr(node, 'lineno', 0)}: {what}" for what in impure(node, shared=shared))


def impure(node: ast.AST, *, shared: bool) -> Iterator[str]:
    match node:
        case ast.Import(names):
            yield from (alias.name for alias in names if alias.name.split(".")[0] in MODULES)
        case ast.ImportFrom("random", names):
            # `Random` is a generator that must be given its seed; all else is chance that is shared.
            yield from (alias.name for alias in names if alias.name != "Random")
        case ast.ImportFrom(module) if (module or "").split(".")[0] in MODULES:
            yield f"from {module}"
        case ast.Attribute(ast.Name("random"), name) if shared and name != "Random":
            yield f"random.{name}"
        case ast.Call(ast.Name("Random") | ast.Attribute(_, "Random"), [], []):
            yield "Random() without a seed"
        case ast.Call(ast.Name(name)) if name in CALLS:
            yield f"{name}()"
        case ast.Assert():
            yield "assert, which python -O leaves out"


@pytest.mark.req("S-18")
@pytest.mark.parametrize("path", PURE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_engine_is_pure(path: Path) -> None:
    assert list(impurities(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time", "from time import monotonic", "import os.path", "import serial", "import asyncio",
        "open('x')", "import random\nrandom.random()", "from random import choice",
        "import random\nrandom.Random()",
        "from random import Random\nRandom()", "assert True", "print('x')",
    ],
)  # fmt: skip
def test_what_is_not_pure_would_be_found(source: str) -> None:
    assert list(impurities(source)) != []


def test_a_seeded_generator_is_pure() -> None:
    assert list(impurities("import random\nrng = random.Random(7)\nrng.random()")) == []
