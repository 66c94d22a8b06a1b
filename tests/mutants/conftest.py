"""Lets the tests import the mutation gate, which is not installed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

HALF = '''"""Halves."""

from __future__ import annotations


def half(number: int | None) -> int:
    if number is None or number < 2:
        return 0
    return number // 2
'''
TESTS = """
from tiny import half


def test_half():
    assert [half(number) for number in (None, 1, 2, 8)] == [0, 0, 1, 4]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tree of one module with one test, and the gate."""
    tree = tmp_path / "tree"
    (tree / "src").mkdir(parents=True)
    (tree / "tests").mkdir()
    shutil.copytree(ROOT / "mutants", tree / "mutants", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tree / "src" / "tiny.py").write_text(HALF)
    (tree / "tests" / "test_tiny.py").write_text(TESTS)
    return tree
