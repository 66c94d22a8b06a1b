"""The pen's rest outlives the program: what the record tells of its work counts on after a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from penstroke.data import figures
from penstroke.duty import Duty
from penstroke.safety import AllowedRun, Refusal
from penstroke.treatment.work import Work, work_in

REST_S = figures().rest_s
MOST_S = figures().run_max_s


@dataclass(frozen=True)
class Entry:
    utc: str
    kind: str
    body: dict[str, Any] = field(default_factory=dict)
    number: int = 1
    operator: str | None = None
    port_s: float | None = None


def at(second: int) -> str:
    return f"2026-11-23T12:{second // 60:02d}:{second % 60:02d}.000Z"


def run(begun_s: int, for_s: float) -> Entry:
    return Entry(at(begun_s), "command", {"command": "run", "for_s": for_s})


def ended(at_s: int, elapsed_s: float) -> Entry:
    return Entry(at(at_s), "run-ended", {"elapsed_s": elapsed_s})


def test_nothing_needled_is_a_rested_pen() -> None:
    work = work_in([Entry(at(0), "command", {"command": "set-depth"})], REST_S)
    assert work == Work()
    duty = Duty(figures())
    work.carry_over(duty, at(5), 10**9)
    assert duty.left_s(10**9) == MOST_S


def test_runs_add_up_until_a_full_rest() -> None:
    entries = [run(0, 60), ended(60, 60.0), run(90, 30), ended(110, 20.0)]
    assert work_in(entries, REST_S) == Work(80.0, at(110))
    rested = [*entries, run(110 + int(REST_S), 10), ended(125 + int(REST_S), 10.0)]
    assert work_in(rested, REST_S) == Work(10.0, at(125 + int(REST_S)))


@pytest.mark.req("S-16", "S-20")
def test_a_run_whose_end_is_not_on_record_counts_in_full() -> None:
    assert work_in([run(0, 60), ended(60, 60.0), run(70, 45)], REST_S) == Work(105.0, at(70))
    assert work_in([run(0, 60), run(30, 45)], REST_S) == Work(105.0, at(30))


@pytest.mark.req("S-20")
def test_a_program_that_goes_on_finds_the_pen_as_tired_as_it_was_left() -> None:
    now_ns = 5 * 10**9
    duty = Duty(figures())
    Work(MOST_S - 20.0, at(0)).carry_over(duty, at(30), now_ns)
    assert isinstance(duty.check(20.0, now_ns), AllowedRun)
    assert isinstance(duty.check(21.0, now_ns), Refusal)
    assert duty.rest_left_s(now_ns) == REST_S - 30
    assert isinstance(duty.check(21.0, now_ns + round((REST_S - 30) * 1e9)), AllowedRun)


@pytest.mark.req("S-21")
def test_a_clock_that_was_set_back_counts_no_rest() -> None:
    duty = Duty(figures())
    Work(100.0, at(600)).carry_over(duty, at(0), 10**9)
    assert duty.rest_left_s(10**9) == REST_S
    assert duty.left_s(10**9) == MOST_S - 100


@pytest.mark.parametrize("wrong", [(-1.0, 0.0), (0.0, -1.0), (float("nan"), 0.0)])
def test_no_time_is_no_account(wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="no time"):
        Duty(figures()).carry_over(*wrong, 0)
