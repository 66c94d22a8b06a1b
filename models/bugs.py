"""The planted bugs: for each its #ifdef in the model, what it must break, and where it is tried."""

from __future__ import annotations

from typing import Final, NamedTuple

ORDERS: Final = ("-DDOWN=2",)
THREE: Final = ("-DDOWN=3",)
"""What passes an ARM, a START and a STOP at once."""
SETTINGS: Final = ("-DSETTINGS", "-DDOWN=2")
SESSIONS: Final = ("-DSESSIONS", "-DDOWN=2")
CLOCK: Final = ("-DTIME", "-DDOWN=1", "-DLEASE=2", "-DFRESH=2")
CLOCKED_TRIGGER: Final = ("-DTIME", "-DTRIGGER", "-DDOWN=1", "-DLEASE=1", "-DFRESH=1")
FAST_CLOCK: Final = ("-DTIME", "-DDOWN=2", "-DLEASE=1", "-DFRESH=1")
TRIGGER: Final = ("-DSESSIONS", "-DTRIGGER", "-DDOWN=1")


class Bug(NamedTuple):
    """`name` is the #ifdef without BUG_; `breaks` is watched alone, so that nothing else finds it first."""

    name: str
    breaks: str
    where: tuple[str, ...]
    what: str


BUGS: Final = (
    Bug("STOP_KEEPS_EPOCH", "S_08_other_epoch", ORDERS, "STOP does not raise the epoch"),
    Bug(
        "STOP_KEEPS_EPOCH", "S_12_acknowledged", THREE, "the same: the motor starts after the answer to STOP"
    ),
    Bug("TRIP_KEEPS_EPOCH", "S_08_other_epoch", ORDERS, "a trip does not raise the epoch"),
    Bug(
        "DURATION_KEEPS_EPOCH", "S_08_other_epoch", ORDERS, "the end of a timed run does not raise the epoch"
    ),
    Bug("EPOCH_ORDERED", "S_08_other_epoch", ORDERS, "the epoch is compared by >=, and goes from 65535 to 0"),
    Bug("EPOCH_ORDERED", "S_12_acknowledged", THREE, "the same: the motor starts after the answer to STOP"),
    Bug("FLIGHT_ADOPTS_EPOCH", "S_12_fresh_press", ORDERS, "a repeat takes up the epoch that came meanwhile"),
    Bug(
        "EPOCH_AT_REQUEST", "S_12_fresh_press", ORDERS, "an old press takes up the epoch that came meanwhile"
    ),
    Bug("SESSION_UNCHECKED", "S_08_other_epoch", SESSIONS, "the session of a request is not compared"),
    Bug("NO_SEQ", "S_08_twice", ORDERS, "no memory of requests at all"),
    Bug("FORGETS_ANSWER", "S_16_refused_is_undone", ORDERS, "a repeat is refused as old, not answered again"),
    Bug("ANY_ANSWER", "S_16_answered_is_done", ORDERS, "the host takes any answer for that of its request"),
    Bug("ANY_STOP_ANSWER", "S_12_true_answer", ORDERS, "the host takes the answer to an earlier STOP"),
    Bug("STOP_QUEUED", "S_13_not_queued", ORDERS, "STOP waits until the request in flight is answered"),
    Bug("STOP_LEAVES_ARMED", "S_12_stop_acts", ORDERS, "STOP ends in armed"),
    Bug("STOP_LEAVES_ARMED", "S_11_after_end", ORDERS, "the same: another START is enough"),
    Bug("START_WITHOUT_ARM", "S_09_motor", ORDERS, "START is taken in idle"),
    Bug("START_WITHOUT_ARM", "S_24_disarmed", SESSIONS, "the same: nothing was ever armed"),
    Bug("CLEAR_RESUMES", "S_11_after_end", ORDERS, "clearing a fault goes on with the run"),
    Bug("RELEASE_LEAVES_MOTOR", "S_09_motor", SETTINGS, "RELEASE changes the state and leaves the motor on"),
    Bug("ARM_SURVIVES_HELLO", "S_24_disarmed", SESSIONS, "a new session finds the pen armed"),
    Bug("RESET_KEEPS_ARMED", "S_24_disarmed", TRIGGER, "a reset leaves the pen armed"),
    Bug("LEASE_BY_ANY_FRAME", "S_10_lapse", CLOCK, "any frame of the session renews the lease"),
    Bug("OLD_NONCE", "S_10_lapse", CLOCK, "a beat with an old nonce renews the lease"),
    Bug(
        "BELIEF_UNCHECKED",
        "S_10_lapse",
        CLOCK,
        "a beat of a host that thinks the pen at rest renews the lease",
    ),
    Bug(
        "TRIGGER_UNPROVED", "S_10_trigger", CLOCKED_TRIGGER, "the trigger acts before a beat has followed ARM"
    ),
    Bug("BEAT_ANY_EPOCH", "S_08_other_epoch", FAST_CLOCK, "a beat from before a stop renews the lease"),
    Bug("ARMED_LEASE_STANDS", "S_10_lapse", FAST_CLOCK, "the lease does not run down in armed"),
    Bug("LAPSE_IGNORED_IN_ARMED", "S_09_ready", CLOCK, "a lapse in armed is not acted on"),
    Bug("BEATS_UNHEARD", "R_11_4_beat_hears", CLOCK, "the host beats without telemetry"),
    Bug("STARTS_UNANSWERED", "S_10_lapse", FAST_CLOCK, "the host sends START before ARM was answered"),
)
