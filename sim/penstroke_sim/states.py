"""The states of a pen: one table, read by the firmware, the specification and the drawing in the docs.

Rules in words:

- The pen boots, tests itself, and is idle. It never starts in any other way, and never armed.
- Only ARM leads from idle to armed, and only a start (START from the host, or a fresh press of the pen's own
  trigger) from armed to running. There is no other way to running.
- Everything that ends a run in good order and leaves the host in control (release, longest duration, trigger
  let go) leads back to armed. Everything that takes control away (STOP, stop key, another host, BYE, another
  zone, a ceiling that cuts in) leads to idle.
- A trip leads from idle, armed or running to fault. Fault is left only by clearing every latched fault, or by
  a reset. STOP acts in a fault as everywhere, but does not clear it.
- A pair that is not in the table does not happen: the request that would cause it has been refused.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from penstroke_protocol.messages import State


class Trigger(Enum):
    """What can change the state. The value says it in words."""

    BOOTED = "boot finished"
    TEST_PASSED = "self-test passed"
    TEST_FAILED = "self-test failed"
    HELLO = "HELLO from another host, or from the same one afresh"
    BYE = "BYE"
    STOP = "STOP"
    STOP_KEY = "stop key"
    ZONE = "SELECT_ZONE"
    LIMIT = "a lowered ceiling cuts into the depth set"
    ARM = "ARM"
    START = "START"
    TRIGGER_PRESSED = "trigger pressed, where ARM allowed it"
    TRIGGER_RELEASED = "trigger let go"
    RELEASE = "RELEASE"
    DURATION = "longest duration reached"
    ARM_EXPIRED = "armed for 10 s without a run"
    TRIP = "a trip, the lapsed lease among them"
    FAULTS_CLEARED = "CLEAR_FAULTS, and none left"
    RESET = "reset or power-up"


_STAY: Final = (Trigger.HELLO, Trigger.BYE, Trigger.STOP, Trigger.STOP_KEY)
_TO_IDLE: Final = dict.fromkeys((*_STAY, Trigger.ZONE, Trigger.LIMIT), State.IDLE)

TABLE: Final[dict[State, dict[Trigger, State]]] = {
    State.BOOT: {
        **dict.fromkeys(_STAY, State.BOOT),
        Trigger.BOOTED: State.SELF_TEST,
        Trigger.RESET: State.BOOT,
    },
    State.SELF_TEST: {
        **dict.fromkeys(_STAY, State.SELF_TEST),
        Trigger.TEST_PASSED: State.IDLE,
        Trigger.TEST_FAILED: State.FAULT,
        Trigger.RESET: State.BOOT,
    },
    State.IDLE: {
        **_TO_IDLE,
        Trigger.ARM: State.ARMED,
        Trigger.RELEASE: State.IDLE,
        Trigger.FAULTS_CLEARED: State.IDLE,
        Trigger.TRIP: State.FAULT,
        Trigger.RESET: State.BOOT,
    },
    State.ARMED: {
        **_TO_IDLE,
        Trigger.START: State.RUNNING,
        Trigger.TRIGGER_PRESSED: State.RUNNING,
        Trigger.RELEASE: State.ARMED,
        Trigger.FAULTS_CLEARED: State.ARMED,
        Trigger.ARM_EXPIRED: State.IDLE,
        Trigger.TRIP: State.FAULT,
        Trigger.RESET: State.BOOT,
    },
    State.RUNNING: {
        **_TO_IDLE,
        Trigger.RELEASE: State.ARMED,
        Trigger.TRIGGER_RELEASED: State.ARMED,
        Trigger.FAULTS_CLEARED: State.RUNNING,
        Trigger.DURATION: State.ARMED,
        Trigger.TRIP: State.FAULT,
        Trigger.RESET: State.BOOT,
    },
    State.FAULT: {
        **dict.fromkeys(_STAY, State.FAULT),
        Trigger.LIMIT: State.FAULT,
        Trigger.RELEASE: State.FAULT,
        Trigger.FAULTS_CLEARED: State.IDLE,
        Trigger.TRIP: State.FAULT,
        Trigger.RESET: State.BOOT,
    },
}
"""State and trigger to the next state."""


def next_state(state: State, trigger: Trigger) -> State:
    """The state that `trigger` leads to. Raises `LookupError` for a pair that cannot happen."""
    try:
        return TABLE[state][trigger]
    except KeyError:
        raise LookupError(f"{trigger.name} cannot happen in {state.name}") from None
