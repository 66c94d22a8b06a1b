"""Habits of the source that no off-the-shelf linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tracked() -> list[Path]:
    """The files that git keeps; in an unpacked archive, all but what tools put there."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        paths = [ROOT / line for line in listing.stdout.splitlines()]
    else:
        paths = [
            path
            for path in ROOT.rglob("*")
            if not any(p.startswith(".") for p in path.relative_to(ROOT).parts)
        ]
    return [path for path in paths if path.is_file()]


SOURCES = [path for path in tracked() if path.suffix == ".py"]
TEXTS = [
    path
    for path in tracked()
    if path.suffix in {".py", ".md", ".toml", ".txt", ".sh", ".yaml", ".c", ".h", ""}
]


def sleeps(tree: ast.AST) -> list[int]:
    """Lines that call or import anything named `sleep`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name == "sleep":
                found.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and any(alias.name == "sleep" for alias in node.names):
            found.append(node.lineno)
    return found


# The kernel tells nobody when a serial port's buffer has emptied, so closing looks again, a few times.
MAY_SLEEP = {"src/penstroke/ports/fd_port.py": 1}


def test_nothing_sleeps() -> None:
    """Time is an argument, or a bounded wait for something: a sleep hides a race, in tests and in code."""
    found = {
        str(path.relative_to(ROOT)): len(lines)
        for path in SOURCES
        if (lines := sleeps(ast.parse(path.read_text())))
    }
    assert found == MAY_SLEEP


@pytest.mark.parametrize("code", ["import time\ntime.sleep(1)", "from time import sleep", "x.sleep()"])
def test_a_sleep_would_be_found(code: str) -> None:
    assert sleeps(ast.parse(code))


# The folders are spelled in halves so that this file passes its own check.
ELSEWHERE = re.compile(r"(?<![\w.\-~])/(?:ho" + r"me|ro" + r"ot|wo" + r"rk|Us" + r"ers|o" + r"pt)/\w")
INDEX = re.compile(r"--(?:extra-)?index-" + r"url|--find-" + r"links")


def test_the_project_stands_alone() -> None:
    """No path of somebody's machine, no package index of its own: a clone works where it lands."""
    found = []
    for path in TEXTS:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if ELSEWHERE.search(line) or INDEX.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found


def test_test_modules_have_names_of_their_own() -> None:
    """Without packages under tests/, two files of one name would shadow each other."""
    names = [path.name for path in SOURCES if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def test_the_makefile_explains_each_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.M).group(1).split())  # type: ignore[union-attr]
    explained = set(re.findall(r"^([a-z-]+):.*## \S", text, re.M))
    assert phony == explained
