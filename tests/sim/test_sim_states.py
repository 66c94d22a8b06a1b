"""Every cell of the state table, in the world and through the wire; and what is not in the table."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simbench import CHEEK, TREATMENT, Bench

from penstroke_protocol.messages import (
    Arm,
    Bye,
    ClearFaults,
    Fault,
    LowerCeiling,
    Release,
    SelectZone,
    Side,
    Start,
    State,
    Stop,
)
from penstroke_sim.states import TABLE, Trigger, next_state

MS = 1_000_000


def _boot(bench: Bench) -> None:
    bench.run(5)
    bench.hello()


def _self_test(bench: Bench) -> None:
    bench.run(60)
    bench.hello()


def _armed(bench: Bench) -> None:
    bench.set_up().arm(trigger_longest_s=600)


REACH: dict[State, Callable[[Bench], object]] = {
    State.BOOT: _boot,
    State.SELF_TEST: _self_test,
    State.IDLE: lambda bench: bench.set_up(),
    State.ARMED: _armed,
    State.RUNNING: lambda bench: bench.start(longest_ms=900),
    State.FAULT: lambda bench: bench.fault(),
}


def _trigger_released(bench: Bench) -> None:
    if bench.state is State.RUNNING:
        # A run that the trigger started is the only one that it ends.
        bench.stop()
        bench.run(50)
        bench.arm(trigger_longest_s=600)
        bench.inject("trigger-press")
    bench.inject("trigger-release")


DO: dict[Trigger, Callable[[Bench], object]] = {
    Trigger.BOOTED: lambda bench: bench.world.advance(51 * MS),
    Trigger.TEST_PASSED: lambda bench: bench.world.advance(201 * MS),
    Trigger.TEST_FAILED: lambda bench: (
        bench.inject("self-test-fails"),
        bench.world.advance(201 * MS),
    ),
    Trigger.HELLO: lambda bench: bench.hello(nonce=0x999),
    Trigger.BYE: lambda bench: bench.done(Bye()),
    Trigger.STOP: lambda bench: bench.stop(),
    Trigger.STOP_KEY: lambda bench: bench.inject("stop-key"),
    Trigger.ZONE: lambda bench: bench.ask(SelectZone(CHEEK, Side.RIGHT, 1000)),
    Trigger.LIMIT: lambda bench: bench.ask(LowerCeiling(300)),
    Trigger.ARM: lambda bench: bench.ask(Arm(TREATMENT, 0)),
    Trigger.START: lambda bench: bench.ask(Start(CHEEK, Side.LEFT, 900, 1100, 5000)),
    Trigger.TRIGGER_PRESSED: lambda bench: bench.inject("trigger-press"),
    Trigger.TRIGGER_RELEASED: _trigger_released,
    Trigger.RELEASE: lambda bench: bench.ask(Release()),
    Trigger.DURATION: lambda bench: bench.run(600, beating=True),
    Trigger.ARM_EXPIRED: lambda bench: bench.run(10_100, beating=True),
    Trigger.TRIP: lambda bench: (bench.inject("over-temperature"), bench.run(20)),
    Trigger.FAULTS_CLEARED: lambda bench: bench.ask(ClearFaults(Fault.LEASE)),
    Trigger.RESET: lambda bench: bench.inject("reset"),
}
OWN_TIME = {Trigger.BOOTED, Trigger.TEST_PASSED, Trigger.TEST_FAILED, Trigger.DURATION, Trigger.ARM_EXPIRED}
"""These come with time alone, and there is nothing to do that would cause them elsewhere."""


@pytest.mark.req("R-12.1", "R-12.2", "R-13.5")
@pytest.mark.parametrize(
    ("state", "trigger"),
    [pytest.param(s, t, id=f"{s.name}-{t.name}") for s in State for t in TABLE[s]],
)
def test_every_cell_of_the_table_happens(bench: Bench, state: State, trigger: Trigger) -> None:
    REACH[state](bench)
    assert bench.state is state

    DO[trigger](bench)

    assert bench.state is TABLE[state][trigger]


@pytest.mark.req("R-12.1", "S-11")
@pytest.mark.parametrize(
    ("state", "trigger"),
    [
        pytest.param(s, t, id=f"{s.name}-{t.name}")
        for s in State
        for t in Trigger
        if t not in TABLE[s] and t not in OWN_TIME
    ],
)
def test_what_is_not_in_the_table_does_not_happen(bench: Bench, state: State, trigger: Trigger) -> None:
    REACH[state](bench)
    changes = len(bench.journal("state"))

    DO[trigger](bench)

    new = bench.journal("state")[changes:]
    if state in (State.BOOT, State.SELF_TEST):
        # Booting goes on by itself while the answer is awaited.
        new = [change for change in new if change["trigger"] not in ("booted", "test-passed")]
    assert not new


@pytest.mark.req("R-12.1")
def test_a_pair_outside_the_table_is_an_error_in_the_program() -> None:
    with pytest.raises(LookupError, match="START cannot happen in IDLE"):
        next_state(State.IDLE, Trigger.START)


@pytest.mark.req("R-12.1", "S-11")
def test_running_is_reached_from_armed_alone_and_armed_from_idle_by_arm_alone() -> None:
    to_running = {(s, t) for s in State for t, after in TABLE[s].items() if after is State.RUNNING != s}
    to_armed = {(s, t) for s in State for t, after in TABLE[s].items() if after is State.ARMED != s}

    assert to_running == {(State.ARMED, Trigger.START), (State.ARMED, Trigger.TRIGGER_PRESSED)}
    assert {pair for pair in to_armed if pair[0] is not State.RUNNING} == {(State.IDLE, Trigger.ARM)}


@pytest.mark.req("S-12", "R-7.2")
@pytest.mark.parametrize("state", list(State))
def test_stop_never_leads_to_a_state_that_is_ready(state: State) -> None:
    assert TABLE[state][Trigger.STOP] not in (State.ARMED, State.RUNNING)
    assert Stop.spec.epoch is False


@pytest.mark.req("S-24", "R-12.2", "R-8.6")
def test_the_pen_starts_at_rest_and_promised_nothing(bench: Bench) -> None:
    bench.run(250)
    bench.hello()
    status = bench.status()

    assert bench.state is State.IDLE
    assert (status.zone, status.session_ceiling_um, status.held_ceiling_um) == (0, 0, 0)
    assert status.flags == 0x08  # a cartridge is in, and that is all
    assert [(c["from"], c["to"], c["t"]) for c in bench.journal("state")] == [
        ("boot", "self-test", 0.05),
        ("self-test", "idle", 0.2),
    ]
