"""The codes people script against: those used are those documented, word for word."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import penstroke.safety
from penstroke.safety import CODES, LimitSource
from penstroke.treatment import check as plan_check

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "refusals.md").read_text(encoding="utf-8")
SOURCES = [*Path(penstroke.safety.__file__).parent.glob("*.py"), Path(plan_check.__file__)]
CODE = re.compile(r"[a-z]+(-[a-z]+)+")


def codes_in_sources() -> set[str]:
    """Every text in the sources that stands where a code stands: hyphenated words and nothing else."""
    found = set()
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found.add(node.value)
    return found


@pytest.mark.req("S-05")
def test_every_code_used_is_declared_and_every_declared_one_is_used() -> None:
    assert codes_in_sources() - {"utf-8"} == set(CODES)


def test_the_page_lists_them_word_for_word() -> None:
    assert re.findall(r"^\| `([a-z-]+-[a-z-]+)` \| (.+) \|$", PAGE, re.MULTILINE) == list(CODES.items())


def test_the_page_lists_the_sources_in_their_order() -> None:
    table = PAGE.split("## What sets a limit")[1]
    assert re.findall(r"^\| `([a-z]+)` \| .+ \| refused \|$", table, re.MULTILINE) == [
        str(source) for source in LimitSource
    ]
