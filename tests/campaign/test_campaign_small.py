"""The safety campaign in its smallest size: every part runs, nothing fails, and every part can fail.

Times are judged against the deadlines of the safety file only, on the pen's own clock. F-numbers are those of
the campaign's faults, S-numbers the requirements that a part would see broken.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from campaign.__main__ import PARTS, main, run_part
from campaign.orders import Order, Section
from campaign.page import Result

ROOT = Path(__file__).resolve().parents[2]


def clean(part: str) -> list[Section]:
    """What a part found, in its smallest size. `run_part` runs it with something broken first, and raises
    where that goes unnoticed."""
    sections = run_part(part, Order("small", 1))
    assert sum(section.ran for section in sections) > 0
    for section in sections:
        assert section.rows
        assert not section.failed, section.markdown()
    return sections


def runs_of_each(section: Section) -> set[str]:
    """How often each row ran."""
    return {row[1] for row in section.rows}


@pytest.mark.req("S-04", "S-10", "S-11", "S-19")
def test_deadlines_in_virtual_time_f4_f7_f8() -> None:
    assert runs_of_each(clean("deadlines_virtual")[0]) == {"10"}


@pytest.mark.req("S-10", "S-11")
def test_deadlines_with_real_processes_f3_f4_f5_f7() -> None:
    """SIGKILL, SIGSTOP and SIGCONT later, a stop asked by another process, the cable cut."""
    section = clean("deadlines_real")[0]
    assert len(section.rows) == 4
    assert runs_of_each(section) == {"10"}


@pytest.mark.req("S-14", "S-20")
def test_treatments_killed_and_on_a_slow_disk_f9() -> None:
    """SIGKILL while needles move, resumed and killed again; and 300 ms for each commit."""
    killed, slow = clean("killed_treatments")
    assert (killed.ran, slow.ran) == (2, 1)


@pytest.mark.req("S-07", "S-08")
def test_damaged_frames_f1() -> None:
    clean("damaged_frames")


@pytest.mark.req("S-07")
def test_every_flip_f2() -> None:
    clean("flips")


@pytest.mark.req("S-08", "S-10", "S-11", "S-12", "S-16")
def test_lossy_worlds_f5() -> None:
    clean("lossy_worlds")


@pytest.mark.req("S-10", "S-11", "S-24")
def test_the_line_cut_anywhere_f4() -> None:
    clean("line_cuts")


@pytest.mark.req("S-01", "S-08", "S-09", "S-10", "S-11", "S-12", "S-19", "S-24")
def test_stateful_steps_f13() -> None:
    clean("stateful")


@pytest.mark.req("S-11", "S-12", "S-13")
def test_stops_in_random_states_f7() -> None:
    clean("stops")


@pytest.mark.req("S-21")
def test_wall_clock_steps_f10() -> None:
    clean("wall_clock")


@pytest.mark.req("S-02", "S-18")
def test_mutated_files_f18() -> None:
    clean("bad_files")


@pytest.mark.req("S-14", "S-15")
@pytest.mark.skipif(not (shutil.which("cc") or shutil.which("gcc")), reason="needs a C compiler")
def test_storage_that_fails_f9() -> None:
    clean("storage")


@pytest.mark.req("S-15")
def test_tampering_with_a_store_f16() -> None:
    clean("tampering")


@pytest.mark.req("S-10")
def test_soak_f15() -> None:
    clean("soak")


def test_every_part_is_tried_here() -> None:
    tried = set(re.findall(r'\bclean\("(\w+)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert tried == set(PARTS)


def test_one_part_runs_again_by_its_name_and_seed(tmp_path: Path) -> None:
    report = tmp_path / "page.md"
    command = [sys.executable, "-m", "campaign", PARTS[0], "--seed", "7", "--size", "small"]
    kept = tmp_path / "kept"
    Result(
        "wall_clock", "check", 9, "2026-11-23 12:00", "abc", 0.5, 1.0, (Section("Kept", "", ("a",)),)
    ).keep(kept)
    keeping = ["--report", str(report), "--keep", str(kept)]
    done = subprocess.run([*command, *keeping], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = report.read_text(encoding="utf-8")
    assert text == done.stdout
    assert f"| {PARTS[0]} | small | 7 |" in text
    assert "| wall_clock | check | 9 | 2026-11-23 12:00 | abc | 0.50 | 1 |" in text, (
        "kept from an earlier call"
    )
    assert "## Kept" in text
    assert re.search(r"- [1-9][\d,]* runs, 0 failed", text)


@pytest.mark.parametrize("wrong", [["no_such_part"], ["--size", "huge"], ["stops", "--hours", "2"]])
def test_what_it_does_not_know_is_wrong_usage(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
