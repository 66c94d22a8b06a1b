"""The safety campaign in its smallest size: every part runs, nothing fails, and every part can fail.

Times are judged against the deadlines of the safety file only, on the pen's own clock.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from campaign.__main__ import PARTS, run_part
from campaign.orders import Order

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("part", PARTS)
def test_nothing_fails_and_the_part_can_fail(part: str) -> None:
    """`run_part` runs each with something broken on purpose first, and raises where that is not noticed."""
    sections = run_part(part, Order("small", 1))
    assert sum(section.ran for section in sections) > 0
    for section in sections:
        assert section.rows
        assert not section.failed, section.markdown()


def test_one_part_runs_again_by_its_name_and_seed(tmp_path: Path) -> None:
    report = tmp_path / "page.md"
    command = [sys.executable, "-m", "campaign", PARTS[0], "--seed", "7", "--size", "small"]
    done = subprocess.run([*command, "--report", str(report)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = report.read_text(encoding="utf-8")
    assert text == done.stdout
    assert "seed 7" in text
    assert re.search(r"- [1-9][\d,]* runs, 0 failed", text)
