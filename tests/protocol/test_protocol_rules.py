"""Each rule of the specification has a test, and each test that names a rule names one that is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "firmware_protocol" / "README.md").read_text(encoding="utf-8")
RULE = re.compile(r"^\*\*(R-\d+\.\d+)\*\* \((HOST|DEVICE|BOTH)\) (.*?)(?=^\*\*R-|^## |\Z)", re.M | re.S)
MARK = re.compile(r"pytest\.mark\.req\(([^)]*)\)")


def rules() -> list[str]:
    return [match[1] for match in RULE.finditer(TEXT)]


def marked() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for match in MARK.finditer(path.read_text(encoding="utf-8")):
            found |= set(re.findall(r"R-\d+\.\d+", match[1]))
    return found


def test_rules_are_numbered_without_gaps_and_bind_somebody() -> None:
    assert [rule for rule, times in Counter(rules()).items() if times > 1] == []
    assert len(rules()) == len(re.findall(r"^\*\*R-", TEXT, re.M)), "a rule without HOST, DEVICE or BOTH"
    chapters: dict[int, list[int]] = {}
    for rule in rules():
        chapter, number = map(int, rule[2:].split("."))
        chapters.setdefault(chapter, []).append(number)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in chapters.values())


def test_every_rule_gives_its_reason() -> None:
    assert [match[1] for match in RULE.finditer(TEXT) if "*Why:*" not in match[3]] == []


def test_every_rule_has_a_test() -> None:
    assert sorted(set(rules()) - marked()) == []


def test_no_test_names_a_rule_that_is_not_there() -> None:
    assert sorted(marked() - set(rules())) == []


def test_rules_refer_to_rules_that_are_there() -> None:
    assert sorted(set(re.findall(r"R-\d+\.\d+", TEXT)) - set(rules())) == []
