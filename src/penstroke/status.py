"""What a pen tells of itself, as values in the units people use."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from struct import Struct
from typing import Any

from penstroke.safety.limits import DepthLimit, PenLimits
from penstroke_protocol.explain import kebab
from penstroke_protocol.messages import (
    POWER_CYCLE,
    CartridgeInfo,
    Fault,
    Feature,
    Flag,
    HelloAnswer,
    KeepWitness,
    Side,
    State,
    Status,
    Witness,
)

SIDE_CODES: dict[str | None, Side] = {None: Side.NONE, "left": Side.LEFT, "right": Side.RIGHT}
SIDE_NAMES: dict[int, str | None] = {int(code): name for name, code in SIDE_CODES.items()}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the pen is, as told at HELLO."""

    model: str
    serial: str
    firmware: str
    protocol: str
    simulated: bool
    trigger: bool
    stop_key: bool
    needles: int

    @classmethod
    def of(cls, answer: HelloAnswer) -> Identity:
        """The identity in an answer to HELLO."""
        features = Feature(answer.features)
        return cls(
            model=answer.model,
            serial=answer.serial,
            firmware=f"{answer.firmware_major}.{answer.firmware_minor}.{answer.firmware_patch}",
            protocol=f"{answer.major}.{answer.minor}",
            simulated=Feature.SIMULATED in features,
            trigger=Feature.TRIGGER in features,
            stop_key=Feature.STOP_KEY in features,
            needles=answer.needles,
        )


def pen_limits(answer: HelloAnswer) -> PenLimits:
    """The device's own range, step and tolerance."""
    return PenLimits(
        depth_min_um=answer.depth_min_um,
        depth_max_um=answer.depth_max_um,
        depth_step_um=answer.depth_step_um,
        tolerance_um=answer.tolerance_um,
        rate_min_dhz=answer.rate_min_dhz,
        rate_max_dhz=answer.rate_max_dhz,
        rate_step_dhz=answer.rate_step_dhz,
    )


@dataclass(frozen=True, slots=True)
class Cartridge:
    """The needle cartridge, as it tells of itself. `expiry` is `YYYY-MM-DD` or empty."""

    present: bool
    id: int
    lot: str
    expiry: str
    needle_count: int
    needle_length_um: int
    treatment: int
    """Token of the treatment it is bound to; 0 while unused."""
    strokes: int

    @classmethod
    def of(cls, info: CartridgeInfo) -> Cartridge:
        """From the device's answer."""
        day = f"{info.expiry:08d}"
        return cls(
            present=bool(info.present),
            id=info.cartridge_id,
            lot=info.lot,
            expiry=f"{day[:4]}-{day[4:6]}-{day[6:]}" if info.expiry else "",
            needle_count=info.needle_count,
            needle_length_um=info.needle_length_um,
            treatment=info.treatment,
            strokes=info.strokes,
        )

    @property
    def used(self) -> bool:
        """Bound to a treatment, or with strokes behind it."""
        return bool(self.treatment or self.strokes)


@dataclass(frozen=True, slots=True)
class KeptWitness:
    """What a pen remembers of the host's record: entry `number` of the record `store` had this digest."""

    store: int
    """The record's own number, 1 to 2**64 - 1."""
    number: int
    """1 to 2**32 - 1."""
    digest: str
    """SHA-256, 64 hexadecimal digits."""

    @classmethod
    def of(cls, told: Witness) -> KeptWitness | None:
        """From the device's answer; None where it keeps none."""
        words = (told.digest_1, told.digest_2, told.digest_3, told.digest_4)
        return cls(told.store, told.number, _WORDS.pack(*words).hex()) if told.store else None

    def request(self) -> KeepWitness:
        """The request that makes a device remember it."""
        return KeepWitness(self.store, self.number, *_WORDS.unpack(bytes.fromhex(self.digest)))


_WORDS = Struct("<4Q")


@dataclass(frozen=True, slots=True)
class FaultInfo:
    """One latched fault and what to do about it."""

    name: str
    meaning: str
    remedy: str
    clearable: bool
    """False: only switching the pen off and on again clears it."""


_FAULTS: dict[Fault, tuple[str, str]] = {
    Fault.LEASE: (
        "the controlling program fell silent, and the pen stopped by itself",
        "make sure that the program or its cable is sound, then clear",
    ),
    Fault.STALL: (
        "the motor did not keep its rate",
        "lift the pen, look for hair or a blocked cartridge, then clear",
    ),
    Fault.DEPTH: (
        "the measured depth left its window",
        "lift the pen, check that the cartridge sits, then clear; if it returns, have the pen calibrated",
    ),
    Fault.OVER_CURRENT: ("the motor drew too much current", "lift the pen, look for drag, then clear"),
    Fault.OVER_TEMPERATURE: ("the handpiece is too hot", "let it cool, then clear"),
    Fault.CARTRIDGE_OFF: (
        "the cartridge came off while armed or running",
        "fit a cartridge of this treatment, then clear",
    ),
    Fault.SENSOR: ("a sensor's reading cannot be right", "clear once; if it returns, have the pen repaired"),
    Fault.BATTERY: ("the battery gave way", "charge the pen, then clear"),
    Fault.RETRACTION: (
        "the needles did not retract in time: they may be out",
        "lift the pen straight off the skin, then switch it off and on",
    ),
    Fault.SELF_TEST: ("the self-test failed", "switch the pen off and on; if it returns, have it repaired"),
    Fault.INTERNAL: ("the firmware found itself at fault", "switch the pen off and on"),
}


def fault_list(bits: int) -> tuple[FaultInfo, ...]:
    """The latched faults in a set of bits; bits this version does not know are listed by number."""
    known = tuple(
        FaultInfo(kebab(fault.name or ""), *_FAULTS[fault], clearable=not fault & POWER_CYCLE)
        for fault in Fault
        if fault & bits
    )
    rest = bits & ~sum(int(fault) for fault in Fault)
    if not rest:
        return known
    unknown = FaultInfo(
        f"unknown-0x{rest:04x}", "a fault that this version does not know", "switch the pen off and on", False
    )
    return (*known, unknown)


@dataclass(frozen=True, slots=True)
class PenStatus:
    """Everything about the pen at one instant."""

    identity: Identity
    state: str
    zone: str | None
    side: str | None
    depth_um: int | None
    """None while no depth is set for the zone chosen in this session."""
    depth_measured_um: int
    rate_dhz: int | None
    rate_measured_dhz: int
    needles_out: bool
    motor_on: bool
    cartridge: Cartridge
    pen: PenLimits
    limit: DepthLimit | None
    """None while no zone is chosen, or where nothing may be needled."""
    battery_pct: int
    temperature_c: float
    current_ma: int
    strokes: int
    faults: tuple[FaultInfo, ...]
    read_only: str = ""
    """Why this session can move nothing; empty where it can."""
    last_zone_depth_um: int | None = field(default=None)
    """A depth left by an ended session: shown, never used."""

    @property
    def depth_mm(self) -> float | None:
        """The depth set, or None."""
        return as_mm(self.depth_um)

    @property
    def depth_measured_mm(self) -> float:
        """The needles' protrusion at the bottom of the stroke, by the pen's sensor."""
        return self.depth_measured_um / 1000

    @property
    def rate_hz(self) -> float | None:
        """The stroke rate set, or None."""
        return as_hz(self.rate_dhz)

    @property
    def rate_measured_hz(self) -> float:
        """Strokes a second."""
        return self.rate_measured_dhz / 10

    def to_json(self) -> dict[str, Any]:
        """The object that `penstroke status --json` prints."""
        limit, pen = self.limit, self.pen
        return {
            "identity": {
                "model": self.identity.model,
                "serial": self.identity.serial,
                "firmware": self.identity.firmware,
                "protocol": self.identity.protocol,
                "simulated": self.identity.simulated,
            },
            "state": self.state,
            "zone": self.zone,
            "side": self.side,
            "depth_mm": self.depth_mm,
            "depth_measured_mm": self.depth_measured_mm,
            "rate_hz": self.rate_hz,
            "rate_measured_hz": self.rate_measured_hz,
            "needles": "extended" if self.needles_out else "retracted",
            "motor": "on" if self.motor_on else "off",
            "cartridge": {
                "present": self.cartridge.present,
                "lot": self.cartridge.lot or None,
                "expiry": self.cartridge.expiry or None,
                "used": self.cartridge.used,
                "needle_count": self.cartridge.needle_count or None,
                "needle_length_mm": as_mm(self.cartridge.needle_length_um or None),
            },
            "limits": {
                "depth_mm": as_mm(limit.limit_um) if limit else None,
                "depth_max_mm": as_mm(limit.deepest_um) if limit else None,
                "depth_bound_by": str(limit.bound_by) if limit else None,
                "depth_tolerance_mm": as_mm(pen.tolerance_um),
                "depth_step_mm": as_mm(pen.depth_step_um),
                "rate_min_hz": as_hz(pen.rate_min_dhz),
                "rate_max_hz": as_hz(pen.rate_max_dhz),
            },
            "battery_pct": self.battery_pct,
            "temperature_c": self.temperature_c,
            "current_ma": self.current_ma,
            "strokes": self.strokes,
            "faults": [fault.name for fault in self.faults],
            "read_only": self.read_only or None,
        }


def status_of(
    told: Status,
    cartridge: Cartridge,
    *,
    identity: Identity,
    pen: PenLimits,
    zone: str | None,
    limit: DepthLimit | None,
    read_only: str,
) -> PenStatus:
    """The status from what the device answered. `zone` is the name of the zone it holds."""
    flags = Flag(told.flags)
    depth_set = Flag.DEPTH_SET in flags
    return PenStatus(
        identity=identity,
        state=kebab(State(told.state).name),
        zone=zone,
        side=SIDE_NAMES[told.side] if zone else None,
        depth_um=told.depth_um if depth_set else None,
        depth_measured_um=told.measured_depth_um,
        rate_dhz=told.rate_dhz if Flag.RATE_SET in flags else None,
        rate_measured_dhz=told.measured_rate_dhz,
        needles_out=Flag.NEEDLES_OUT in flags,
        motor_on=Flag.MOTOR_ON in flags,
        cartridge=cartridge,
        pen=pen,
        limit=limit,
        battery_pct=told.battery_pct,
        temperature_c=told.temperature_dc / 10,
        current_ma=told.current_ma,
        strokes=told.strokes,
        faults=fault_list(told.faults),
        read_only=read_only,
        last_zone_depth_um=told.depth_um if told.depth_um and not depth_set else None,
    )


@dataclass(slots=True)
class Sample:
    """One reading while needles move, or while watching. Times on the clock of the port."""

    at_ns: int
    elapsed_s: float
    """Since the run, or the watching, began."""
    state: str
    depth_mm: float
    rate_hz: float
    strokes: int
    """In this run, or since power-up while watching."""
    needles_out: bool
    motor_on: bool
    current_ma: int
    temperature_c: float
    battery_pct: int
    missed: int
    """Telemetry frames lost since the sample before."""
    device_ms: int
    """The pen's own clock: ms since its power-up, wrapping at 2**32."""


@dataclass(slots=True)
class LinkStats:
    """How the line is doing, in counts since the connection was made."""

    frames_received: int = 0
    damaged: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    retries: int = 0
    telemetry_missed: int = 0


def as_mm(depth_um: int | None) -> float | None:
    """Micrometres as the float nearest to the millimetres people read; None stays None."""
    return None if depth_um is None else float(Decimal(depth_um) / 1000)


def as_hz(rate_dhz: int | None) -> float | None:
    """Tenths of a hertz as hertz; None stays None."""
    return None if rate_dhz is None else rate_dhz / 10
