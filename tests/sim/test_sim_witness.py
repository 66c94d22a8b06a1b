"""What the pen remembers of a host's record, through resets, and what it does not take."""

from __future__ import annotations

import pytest
from simbench import Bench

from penstroke_protocol.messages import GetWitness, KeepWitness, Reason, Role, State, Witness

ONE = KeepWitness(7, 100, 1, 2, 3, 4)
KEPT = Witness(7, 100, 1, 2, 3, 4)


@pytest.mark.req("R-15.4", "S-15")
def test_a_witness_is_told_as_it_was_given_and_outlives_a_reset(bench: Bench) -> None:
    bench.idle()
    assert bench.done(GetWitness()) == Witness(0, 0, 0, 0, 0, 0)
    bench.done(ONE)
    assert bench.done(GetWitness()) == KEPT
    bench.inject("reset")
    bench.idle()
    assert bench.done(GetWitness()) == KEPT


@pytest.mark.req("R-15.5", "S-15")
@pytest.mark.parametrize("wrong", [KeepWitness(7, 99, 1, 2, 3, 4), KeepWitness(7, 100, 1, 2, 3, 5)])
def test_an_older_entry_of_the_same_record_is_not_taken(bench: Bench, wrong: KeepWitness) -> None:
    bench.idle().done(ONE)
    assert bench.refused(wrong) == (Reason.WITNESS_OLDER, 100)
    assert bench.done(GetWitness()) == KEPT


@pytest.mark.req("R-15.5")
@pytest.mark.parametrize(
    "newer", [ONE, KeepWitness(7, 101, 9, 9, 9, 9), KeepWitness(8, 1, 5, 6, 7, 8)], ids=str
)
def test_the_same_a_newer_one_or_that_of_another_record_is_taken(bench: Bench, newer: KeepWitness) -> None:
    bench.idle().done(ONE)
    bench.done(newer)
    kept = bench.done(GetWitness())
    assert (kept.store, kept.number, kept.digest_4) == (newer.store, newer.number, newer.digest_4)


@pytest.mark.req("R-15.5", "R-12.2")
def test_nothing_is_written_by_a_pen_that_is_not_awake(bench: Bench) -> None:
    bench.hello()
    assert bench.state in (State.BOOT, State.SELF_TEST)
    assert bench.refused(ONE) == (Reason.WRONG_STATE, bench.state)
    assert bench.done(GetWitness()).store == 0


@pytest.mark.req("R-15.5")
def test_nothing_is_written_while_the_pen_is_ready_to_run(bench: Bench) -> None:
    bench.arm()
    assert bench.refused(ONE) == (Reason.WRONG_STATE, State.ARMED)
    bench.start()
    assert bench.refused(ONE) == (Reason.WRONG_STATE, State.RUNNING)
    assert bench.done(GetWitness()).store == 0


def test_a_pen_in_fault_remembers_too(bench: Bench) -> None:
    bench.fault()
    bench.done(ONE)
    assert bench.done(GetWitness()) == KEPT


@pytest.mark.req("R-5.5")
def test_an_observer_reads_and_does_not_write(bench: Bench) -> None:
    bench.idle().done(ONE)
    bench.hello(nonce=99, role=Role.OBSERVER)
    assert bench.done(GetWitness()) == KEPT
    assert bench.refused(KeepWitness(7, 101, 1, 2, 3, 4)) == (Reason.NOT_CONTROLLER, 0)
