"""Every message of the wire, declared once.

The C header, the tables of the specification and the test vectors are generated from this file by
`firmware_protocol/generate.py`, so a field is never described in two places.

A message is (kind, code, payload). Requests and their answers share a code. *Motion* messages are those
that can cause, allow or forbid movement; their declarations are hashed into `MOTION_HASH`, which both ends
compare at HELLO. A request marked *epoch* is refused when it carries another epoch than the device's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, dataclass_transform

from penstroke_protocol.fields import Layout, Wire, layout_of

MAJOR = 1
MINOR = 0
"""Version of the wire. Another major ends the talk; a newer minor with the same motion hash is fine."""

LEASE_MS = 300
"""Longest lease a device may grant: the longest gap between 50 ms beats of a healthy Python host on shared
two-core machines was 137 ms idle and 267 ms once under full load; 300 ms never tripped in 36 minutes."""


class Kind(IntEnum):
    """What a frame is; the first byte of every frame."""

    REQUEST = 1
    ANSWER = 2
    REFUSAL = 3
    BEAT = 4
    TELEMETRY = 5
    EVENT = 6
    EVENT_ACK = 7


class Role(IntEnum):
    """What the host asks to be, and what the device grants."""

    OBSERVER = 0
    CONTROLLER = 1


class State(IntEnum):
    """The device's state; one of these at any instant."""

    BOOT = 0
    SELF_TEST = 1
    IDLE = 2
    ARMED = 3
    RUNNING = 4
    FAULT = 5


class Side(IntEnum):
    """The patient's side."""

    NONE = 0
    LEFT = 1
    RIGHT = 2


class Flag(IntFlag):
    """Single facts about the device, as bits."""

    MOTOR_ON = 0x01
    NEEDLES_OUT = 0x02
    TRIGGER_HELD = 0x04
    CARTRIDGE_IN = 0x08
    DEPTH_SET = 0x10
    RATE_SET = 0x20
    ZONE_SET = 0x40


class Feature(IntFlag):
    """What a device is and has."""

    SIMULATED = 0x01
    TRIGGER = 0x02
    STOP_KEY = 0x04
    BATTERY = 0x08


class Fault(IntFlag):
    """Latched faults, as bits. Those in `POWER_CYCLE` cannot be cleared by a request."""

    LEASE = 0x0001
    STALL = 0x0002
    DEPTH = 0x0004
    OVER_CURRENT = 0x0008
    OVER_TEMPERATURE = 0x0010
    CARTRIDGE_OFF = 0x0020
    SENSOR = 0x0040
    BATTERY = 0x0080
    RETRACTION = 0x0100
    SELF_TEST = 0x0200
    INTERNAL = 0x0400


POWER_CYCLE = Fault.RETRACTION | Fault.SELF_TEST | Fault.INTERNAL
"""Faults after which the device cannot trust itself until it has booted and tested itself again."""


class End(IntEnum):
    """Why motion, or readiness for it, ended."""

    STOP = 1
    RELEASE = 2
    DURATION = 3
    LEASE = 4
    FAULT = 5
    STOP_KEY = 6
    HELLO = 7
    BYE = 8
    TRIGGER = 9
    LIMIT = 10
    ZONE = 11
    ARM_EXPIRED = 12


class EventCode(IntEnum):
    """What an event tells; the event's `arg` is given in its description in the specification."""

    RUN_STARTED = 1
    RUN_ENDED = 2
    DISARMED = 3
    FAULT = 4
    STOP_KEY = 5
    CARTRIDGE_IN = 6
    CARTRIDGE_OUT = 7
    BATTERY_LOW = 8
    RETRACTED = 9


class Reason(IntEnum):
    """Why the device refused a request; `detail` is given in the specification."""

    NO_SESSION = 1
    VERSION = 2
    UNKNOWN_CODE = 3
    BAD_PAYLOAD = 4
    OLD_SEQ = 5
    SEQ_REUSED = 6
    NOT_CONTROLLER = 7
    STALE_EPOCH = 8
    WRONG_STATE = 9
    ZONE_UNKNOWN = 10
    ZONE_FORBIDDEN = 11
    SIDE = 12
    NO_ZONE = 13
    ABOVE_CEILING = 14
    DEPTH_OFF_STEP = 15
    DEPTH_RANGE = 16
    DEEPER_WHILE_RUNNING = 17
    RATE_RANGE = 18
    RATE_OFF_STEP = 19
    DEEP_AND_SLOW = 20
    NO_DEPTH = 21
    NO_RATE = 22
    CARTRIDGE_MISSING = 23
    CARTRIDGE_OTHER = 24
    CARTRIDGE_UNREADABLE = 25
    FAULT_LATCHED = 26
    NOT_CLEARABLE = 27
    BATTERY_LOW = 28
    NEEDLES_OUT = 29
    DISAGREES = 30
    NO_TRIGGER = 31
    WITNESS_OLDER = 32


class Spec(NamedTuple):
    """What is known of a message class besides its fields."""

    kind: Kind
    code: int
    motion: bool
    epoch: bool
    observer: bool
    """An observer may send it."""
    answer: type[Any] | None


class Message:
    """Base of every message class: carries its specification and its compiled layout."""

    __slots__ = ()
    spec: ClassVar[Spec]
    layout: ClassVar[Layout]


_T = TypeVar("_T", bound=type[Any])
REQUESTS: dict[int, type[Any]] = {}
"""Request classes by code."""
ANSWERS: dict[int, type[Any]] = {}
"""Answer classes by the code of the request they answer."""
ALL: list[type[Any]] = []
"""Every message class, in the order of declaration."""


@dataclass_transform(frozen_default=True)
def _message(kind: Kind, code: int = 0, *, frozen: bool = True, **extra: Any) -> Callable[[_T], _T]:
    def declare(cls: _T) -> _T:
        made = dataclass(frozen=frozen, slots=True)(cls)
        made.spec = Spec(
            kind,
            code,
            extra.get("motion", False),
            extra.get("epoch", False),
            extra.get("observer", False),
            extra.get("answer"),
        )
        made.layout = layout_of(made)
        ALL.append(made)
        if kind is Kind.REQUEST:
            REQUESTS[code] = made
            ANSWERS[code] = made.spec.answer
        return made  # type: ignore[return-value]  # dataclass(slots=True) makes a new class of the same type

    return declare


# -- what the device answers ---------------------------------------------------------------------------


@_message(Kind.ANSWER)
class Empty(Message):
    """An answer that says only that the request was carried out."""


@_message(Kind.ANSWER)
class HelloAnswer(Message):
    """Who the device is, what it can do, and the session it opened.

    `major`, `minor` and their place at the start of the payload never change, in any version.
    """

    major: Annotated[int, Wire("u8", "", "protocol version, major")]
    minor: Annotated[int, Wire("u8", "", "protocol version, minor")]
    motion_hash: Annotated[int, Wire("u32", "", "hash of the device's motion messages")]
    nonce: Annotated[int, Wire("u32", "", "the nonce of the HELLO that this answers")]
    zone_digest: Annotated[int, Wire("u64", "", "digest of the device's zone table")]
    boot_counter: Annotated[
        int, Wire("u32", "", "counts power-ups; another value means the device was reset")
    ]
    role: Annotated[int, Wire("u8", "", "role granted", 0, 1, "Role")]
    lease_ms: Annotated[int, Wire("u16", "ms", "lease for every arm and run", 50, LEASE_MS)]
    model: Annotated[str, Wire("text", "", "model name")]
    serial: Annotated[str, Wire("text", "", "serial number")]
    firmware_major: Annotated[int, Wire("u8", "", "firmware version, major")]
    firmware_minor: Annotated[int, Wire("u8", "", "firmware version, minor")]
    firmware_patch: Annotated[int, Wire("u8", "", "firmware version, patch")]
    features: Annotated[int, Wire("u16", "", "what the device is and has", names="Feature")]
    depth_min_um: Annotated[int, Wire("u16", "µm", "shallowest depth it can be set to")]
    depth_max_um: Annotated[int, Wire("u16", "µm", "deepest depth it can be set to")]
    depth_step_um: Annotated[int, Wire("u16", "µm", "step of the depth setting, counted from zero", 1)]
    tolerance_um: Annotated[int, Wire("u16", "µm", "stated tolerance of depth, plus or minus")]
    rate_min_dhz: Annotated[int, Wire("u16", "0.1 Hz", "slowest stroke rate", 1)]
    rate_max_dhz: Annotated[int, Wire("u16", "0.1 Hz", "fastest stroke rate", 1)]
    rate_step_dhz: Annotated[int, Wire("u16", "0.1 Hz", "step of the rate, counted from the slowest", 1)]
    needles: Annotated[int, Wire("u8", "", "needles of the cartridges it is made for", 1)]


@_message(Kind.ANSWER)
class Status(Message):
    """Everything the device holds and measures, read in one go."""

    time_ms: Annotated[int, Wire("u32", "ms", "device time since power-up, wraps")]
    boot_counter: Annotated[int, Wire("u32", "", "counts power-ups")]
    state: Annotated[int, Wire("u8", "", "state", 0, 5, "State")]
    flags: Annotated[int, Wire("u8", "", "single facts", names="Flag")]
    faults: Annotated[int, Wire("u16", "", "latched faults", names="Fault")]
    zone: Annotated[int, Wire("u8", "", "zone chosen in this session; 0 is none")]
    side: Annotated[int, Wire("u8", "", "side of that zone", 0, 2, "Side")]
    session_ceiling_um: Annotated[int, Wire("u16", "µm", "ceiling given by the host for this zone")]
    held_ceiling_um: Annotated[int, Wire("u16", "µm", "least of built-in, session and cartridge ceilings")]
    depth_um: Annotated[int, Wire("u16", "µm", "depth setting; meaningless without DEPTH_SET")]
    rate_dhz: Annotated[int, Wire("u16", "0.1 Hz", "rate setting; meaningless without RATE_SET")]
    measured_depth_um: Annotated[int, Wire("u16", "µm", "needle protrusion at the bottom of the stroke")]
    measured_rate_dhz: Annotated[int, Wire("u16", "0.1 Hz", "strokes a second")]
    strokes: Annotated[int, Wire("u32", "", "strokes since power-up")]
    current_ma: Annotated[int, Wire("u16", "mA", "motor current")]
    temperature_dc: Annotated[int, Wire("i16", "0.1 °C", "temperature of the handpiece")]
    battery_pct: Annotated[int, Wire("u8", "%", "charge left; 100 when mains powered", 0, 100)]
    events_lost: Annotated[int, Wire("u16", "", "events dropped because the queue was full")]


@_message(Kind.ANSWER)
class CartridgeInfo(Message):
    """What the cartridge tells of itself, and to which treatment the device has bound it."""

    present: Annotated[int, Wire("u8", "", "1 when a cartridge is locked in", 0, 1)]
    cartridge_id: Annotated[int, Wire("u64", "", "unique number of the cartridge; 0 when none or unreadable")]
    lot: Annotated[str, Wire("text", "", "lot")]
    expiry: Annotated[int, Wire("u32", "yyyymmdd", "last day of use", 0, 99_991_231)]
    needle_count: Annotated[int, Wire("u8", "", "needles")]
    needle_length_um: Annotated[int, Wire("u16", "µm", "length of the needles")]
    treatment: Annotated[int, Wire("u64", "", "treatment it is bound to; 0 while unused")]
    strokes: Annotated[int, Wire("u32", "", "strokes made with it")]


@_message(Kind.ANSWER, motion=True)
class Settings(Message):
    """What the device holds after a setting was carried out, read back from where it acts."""

    zone: Annotated[int, Wire("u8", "", "zone; 0 is none")]
    side: Annotated[int, Wire("u8", "", "side", 0, 2, "Side")]
    held_ceiling_um: Annotated[int, Wire("u16", "µm", "least of built-in, session and cartridge ceilings")]
    depth_um: Annotated[int, Wire("u16", "µm", "depth setting; meaningless without DEPTH_SET")]
    rate_dhz: Annotated[int, Wire("u16", "0.1 Hz", "rate setting; meaningless without RATE_SET")]
    flags: Annotated[int, Wire("u8", "", "single facts", names="Flag")]


@_message(Kind.ANSWER, motion=True)
class Condition(Message):
    """Where the device stands after a command about motion. Its epoch is in the header."""

    state: Annotated[int, Wire("u8", "", "state", 0, 5, "State")]
    flags: Annotated[int, Wire("u8", "", "single facts", names="Flag")]
    faults: Annotated[int, Wire("u16", "", "latched faults", names="Fault")]


@_message(Kind.ANSWER)
class Witness(Message):
    """What a host gave the device to remember of its record: an entry's number and digest."""

    store: Annotated[int, Wire("u64", "", "which record, by its own number; 0 when none is kept")]
    number: Annotated[int, Wire("u32", "", "number of the entry in that record")]
    digest_1: Annotated[int, Wire("u64", "", "SHA-256 of the entry, bytes 0 to 7")]
    digest_2: Annotated[int, Wire("u64", "", "bytes 8 to 15")]
    digest_3: Annotated[int, Wire("u64", "", "bytes 16 to 23")]
    digest_4: Annotated[int, Wire("u64", "", "bytes 24 to 31")]


@_message(Kind.REFUSAL)
class Refusal(Message):
    """The request was not carried out; nothing has changed."""

    reason: Annotated[int, Wire("u8", "", "why", names="Reason")]
    detail: Annotated[int, Wire("u32", "", "the limit or value that decided, by reason")]


# -- what the host asks --------------------------------------------------------------------------------


@_message(Kind.REQUEST, 0x01, answer=HelloAnswer, observer=True)
class Hello(Message):
    """Opens a session. `major` and `minor` keep their place in every version."""

    major: Annotated[int, Wire("u8", "", "protocol version of the host, major")]
    minor: Annotated[int, Wire("u8", "", "protocol version of the host, minor")]
    motion_hash: Annotated[int, Wire("u32", "", "hash of the host's motion messages")]
    nonce: Annotated[int, Wire("u32", "", "random; the same nonce again repeats the answer")]
    zone_digest: Annotated[int, Wire("u64", "", "digest of the host's zone table")]
    role: Annotated[int, Wire("u8", "", "role asked for", 0, 1, "Role")]


@_message(Kind.REQUEST, 0x02, answer=Empty, observer=True)
class Bye(Message):
    """Ends the session in peace; any motion ends with it."""


@_message(Kind.REQUEST, 0x03, answer=Status, observer=True)
class GetStatus(Message):
    """Asks for everything the device holds and measures."""


@_message(Kind.REQUEST, 0x04, answer=CartridgeInfo, observer=True)
class GetCartridge(Message):
    """Asks what the cartridge tells of itself."""


@_message(Kind.REQUEST, 0x05, answer=Empty, observer=True)
class SetTelemetry(Message):
    """Sets how often telemetry is sent in this session."""

    rate_hz: Annotated[int, Wire("u8", "Hz", "telemetry frames a second", 5, 100)]


@_message(Kind.REQUEST, 0x06, answer=Witness, observer=True)
class GetWitness(Message):
    """Asks for the witness that is kept."""


@_message(Kind.REQUEST, 0x07, answer=Empty)
class KeepWitness(Message):
    """Gives the device the newest entry of the host's record to remember, through resets."""

    store: Annotated[int, Wire("u64", "", "which record, by its own number", 1)]
    number: Annotated[int, Wire("u32", "", "number of the entry in that record", 1)]
    digest_1: Annotated[int, Wire("u64", "", "SHA-256 of the entry, bytes 0 to 7")]
    digest_2: Annotated[int, Wire("u64", "", "bytes 8 to 15")]
    digest_3: Annotated[int, Wire("u64", "", "bytes 16 to 23")]
    digest_4: Annotated[int, Wire("u64", "", "bytes 24 to 31")]


@_message(Kind.REQUEST, 0x10, answer=Settings, motion=True, epoch=True)
class SelectZone(Message):
    """Chooses the zone to treat. Ends motion, disarms, and forgets the depth setting."""

    zone: Annotated[int, Wire("u8", "", "zone, by its number in the zone table", 1)]
    side: Annotated[int, Wire("u8", "", "the patient's side; NONE for a zone without sides", 0, 2, "Side")]
    session_ceiling_um: Annotated[int, Wire("u16", "µm", "the host's ceiling for this zone")]


@_message(Kind.REQUEST, 0x11, answer=Settings, motion=True)
class LowerCeiling(Message):
    """Lowers the session ceiling; a higher value than the one held changes nothing and is refused."""

    session_ceiling_um: Annotated[int, Wire("u16", "µm", "the new ceiling")]


@_message(Kind.REQUEST, 0x12, answer=Settings, motion=True, epoch=True)
class SetDepth(Message):
    """Sets the depth of the needles below the nose of the pen at the bottom of the stroke."""

    depth_um: Annotated[int, Wire("u16", "µm", "depth", 1)]


@_message(Kind.REQUEST, 0x13, answer=Settings, motion=True, epoch=True)
class SetRate(Message):
    """Sets the stroke rate; one stroke is one down-and-up."""

    rate_dhz: Annotated[int, Wire("u16", "0.1 Hz", "stroke rate", 1)]


@_message(Kind.REQUEST, 0x14, answer=Condition, motion=True, epoch=True)
class Arm(Message):
    """Makes the pen ready to run for one treatment; the lease begins."""

    treatment: Annotated[int, Wire("u64", "", "token of the treatment; the cartridge is bound to it", 1)]
    trigger_longest_s: Annotated[
        int, Wire("u16", "s", "longest run the pen's own trigger may start; 0: it may not", 0, 600)
    ]


@_message(Kind.REQUEST, 0x15, answer=Condition, motion=True, epoch=True)
class Start(Message):
    """Starts a run. It repeats the settings it expects: a host that errs about them starts nothing."""

    zone: Annotated[int, Wire("u8", "", "zone the host believes is chosen", 1)]
    side: Annotated[int, Wire("u8", "", "side the host believes is chosen", 0, 2, "Side")]
    depth_um: Annotated[int, Wire("u16", "µm", "depth the host believes is set", 1)]
    rate_dhz: Annotated[int, Wire("u16", "0.1 Hz", "rate the host believes is set", 1)]
    longest_ms: Annotated[int, Wire("u32", "ms", "the device ends the run after this", 1, 600_000)]


@_message(Kind.REQUEST, 0x16, answer=Condition, motion=True)
class Release(Message):
    """Ends a run and stays armed."""


@_message(Kind.REQUEST, 0x17, answer=Condition, motion=True, epoch=True)
class ClearFaults(Message):
    """Clears latched faults whose cause is gone."""

    faults: Annotated[int, Wire("u16", "", "the faults to clear", 1, names="Fault")]


@_message(Kind.REQUEST, 0x1F, answer=Condition, motion=True, observer=True)
class Stop(Message):
    """Stops the motor, retracts and disarms: in every state, from any session, at any time."""


# -- what either side says unasked ---------------------------------------------------------------------


@_message(Kind.BEAT, motion=True)
class Beat(Message):
    """Renews the lease; sent by each turn of the loop that controls the pen."""

    believed: Annotated[int, Wire("u8", "", "state the host believes: ARMED or RUNNING", 3, 4, "State")]
    nonce: Annotated[int, Wire("u32", "", "nonce of telemetry that the device issued at most 300 ms ago")]


# Slotted but not frozen: up to a hundred a second are made, and freezing costs more than all the rest.
@_message(Kind.TELEMETRY, frozen=False)
class Telemetry(Message):
    """What the device measures, sent unasked while a session is open. Its number is the header's seq."""

    time_ms: Annotated[int, Wire("u32", "ms", "device time since power-up, wraps")]
    nonce: Annotated[int, Wire("u32", "", "to be returned in beats")]
    state: Annotated[int, Wire("u8", "", "state", 0, 5, "State")]
    flags: Annotated[int, Wire("u8", "", "single facts", names="Flag")]
    faults: Annotated[int, Wire("u16", "", "latched faults", names="Fault")]
    measured_depth_um: Annotated[int, Wire("u16", "µm", "needle protrusion at the bottom of the stroke")]
    measured_rate_dhz: Annotated[int, Wire("u16", "0.1 Hz", "strokes a second")]
    strokes: Annotated[int, Wire("u32", "", "strokes since power-up")]
    current_ma: Annotated[int, Wire("u16", "mA", "motor current")]
    temperature_dc: Annotated[int, Wire("i16", "0.1 °C", "temperature of the handpiece")]
    battery_pct: Annotated[int, Wire("u8", "%", "charge left; 100 when mains powered", 0, 100)]


@_message(Kind.EVENT)
class Event(Message):
    """Something happened. Repeated until acknowledged; its number is the header's seq, its code EventCode."""

    time_ms: Annotated[int, Wire("u32", "ms", "device time at which it happened, wraps")]
    arg: Annotated[int, Wire("u32", "", "by event")]


@_message(Kind.EVENT_ACK)
class EventAck(Message):
    """Acknowledges the event whose number is in the header's seq."""


def describe(cls: type[Any]) -> str:
    """One line that fixes a message on the wire, independent of wording: what `MOTION_HASH` is made of."""
    fields = ",".join(
        f"{name}:{wire.kind}:{wire.unit}:{wire.range[0]}:{wire.range[1]}"
        for name, wire in zip(cls.layout.names, cls.layout.wires, strict=True)
    )
    answer = cls.spec.answer.__name__ if cls.spec.answer else ""
    return f"{cls.__name__}|{int(cls.spec.kind)}|{cls.spec.code}|{int(cls.spec.epoch)}|{answer}|{fields}"


def _describe_names(enumeration: type[IntEnum]) -> str:
    return enumeration.__name__ + "|" + ",".join(f"{member.name}:{member.value}" for member in enumeration)


MOTION_TEXT = "\n".join(
    [describe(cls) for cls in ALL if cls.spec.motion] + [_describe_names(State), _describe_names(Side)]
)
"""The text (UTF-8, no newline at its end) whose SHA-256 begins with `MOTION_HASH`; see the specification."""

MOTION_HASH = int.from_bytes(hashlib.sha256(MOTION_TEXT.encode()).digest()[:4], "little")
"""First four bytes of the SHA-256 of `MOTION_TEXT`, little-endian."""
