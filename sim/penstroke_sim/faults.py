"""Everything that can be done to a simulated pen and its line, as one catalogue.

Each entry has a name, a sentence, its parameters with unit and default, and what it does to the world. A
scenario, `World.inject`, the command line's list and the tests all read this one table. Most faults can be
taken back with `off: true`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from penstroke_protocol.link import MS
from penstroke_protocol.messages import MAJOR, MOTION_HASH, Feature
from penstroke_protocol.zone_table import ZONE_DIGEST
from penstroke_sim.cartridge import Cartridge
from penstroke_sim.errors import ScenarioError
from penstroke_sim.injection import Apply, Injectable, Param, checked
from penstroke_sim.wire import Channel, Hurt

if TYPE_CHECKING:
    from penstroke_sim.world import World

DIRECTIONS: Final = ("both", "to-device", "to-host")


CATALOGUE: Final[dict[str, Injectable]] = {}
"""Everything that can be injected, by name."""


def _injectable(name: str, doc: str, **params: Param) -> Callable[[Apply], Apply]:
    def declare(apply: Apply) -> Apply:
        CATALOGUE[name] = Injectable(name, doc, params, apply)
        return apply

    return declare


def check_injection(name: str, params: Mapping[str, object]) -> tuple[Injectable, dict[str, Any]]:
    """The entry called `name`, and its parameters with defaults filled in. Raises `ScenarioError`."""
    injectable = CATALOGUE.get(name)
    if injectable is None:
        raise ScenarioError(f"{name!r} cannot be injected: choose one of {', '.join(CATALOGUE)}")
    for given in params:
        if given not in injectable.params:
            known = ", ".join(injectable.params) or "none"
            raise ScenarioError(f"{name} has no parameter {given!r}: its parameters are {known}")
    values = {
        key: checked(f"{name}: {key}", param, params[key]) if key in params else param.default
        for key, param in injectable.params.items()
    }
    return injectable, values


OFF: Final = Param(False, "true takes it back")

# -- the line -----------------------------------------------------------------------------------------------

_DIRECTION: Final = Param("both", "which way the bytes go", choices=DIRECTIONS)
_PROBABILITY: Final = Param(0.01, "how likely each is hit", high=1)
_NEXT: Final = Param(0, "if not 0: the next so many of them for certain, and then no more", high=10**6)


def _channels(world: World, values: Mapping[str, Any]) -> list[Channel]:
    direction = values["direction"]
    both = {"to-device": world.to_device, "to-host": world.to_host}
    return list(both.values()) if direction == "both" else [both[direction]]


def _hurt(world: World, values: Mapping[str, Any], name: str, delay_ns: int = 0) -> None:
    for channel in _channels(world, values):
        if values["off"]:
            channel.hurts.pop(name, None)
        else:
            channel.hurts[name] = Hurt(values["probability"], values["next"] or None, delay_ns)


@_injectable("drop", "bytes get lost", direction=_DIRECTION, probability=_PROBABILITY, next=_NEXT, off=OFF)
def _drop(world: World, values: Mapping[str, Any]) -> None:
    _hurt(world, values, "drop")


@_injectable(
    "flip",
    "one bit of a byte is flipped",
    direction=_DIRECTION,
    probability=_PROBABILITY,
    next=_NEXT,
    off=OFF,
)
def _flip(world: World, values: Mapping[str, Any]) -> None:
    _hurt(world, values, "flip")


@_injectable(
    "duplicate", "frames come twice", direction=_DIRECTION, probability=_PROBABILITY, next=_NEXT, off=OFF
)
def _duplicate(world: World, values: Mapping[str, Any]) -> None:
    _hurt(world, values, "duplicate")


@_injectable(
    "delay",
    "frames come late, in their order",
    direction=_DIRECTION,
    probability=Param(1.0, "how likely each is held back", high=1),
    next=_NEXT,
    ms=Param(100.0, "how late, ms", high=60_000),
    off=OFF,
)
def _delay(world: World, values: Mapping[str, Any]) -> None:
    _hurt(world, values, "delay", round(values["ms"] * MS))


@_injectable(
    "junk",
    "random bytes appear on the line",
    direction=_DIRECTION,
    bytes=Param(64, "how many", low=1, high=10**6),
)
def _junk(world: World, values: Mapping[str, Any]) -> None:
    for channel in _channels(world, values):
        channel.send(world.random.randbytes(values["bytes"]), world.now_ns)


@_injectable("cut", "the cable is pulled: the host's port is gone, the pen hears nothing", off=OFF)
def _cut(world: World, values: Mapping[str, Any]) -> None:
    if values["off"]:
        world.plug()
    else:
        world.unplug()


@_injectable("half-open", "the port is there, but nothing passes", direction=_DIRECTION, off=OFF)
def _half_open(world: World, values: Mapping[str, Any]) -> None:
    for channel in _channels(world, values):
        channel.open = values["off"]


# -- the body -----------------------------------------------------------------------------------------------


@_injectable("motor-stall", "the rotor is held fast", off=OFF)
def _motor_stall(world: World, values: Mapping[str, Any]) -> None:
    world.body.stall(not values["off"], world.now_ns)


@_injectable("actuator-jam", "the depth actuator is held where it is; not even its spring moves it", off=OFF)
def _actuator_jam(world: World, values: Mapping[str, Any]) -> None:
    world.body.jam(not values["off"], world.now_ns)


@_injectable(
    "actuator-drift",
    "the depth creeps until the needles are next sent in, and again in every later run",
    um_per_s=Param(500.0, "how fast, µm/s; negative is shallower", low=-50_000, high=50_000),
    off=OFF,
)
def _actuator_drift(world: World, values: Mapping[str, Any]) -> None:
    world.body.drift(0.0 if values["off"] else values["um_per_s"], world.now_ns)


@_injectable("sensor-stuck", "the depth sensor stays at its present reading", off=OFF)
def _sensor_stuck(world: World, values: Mapping[str, Any]) -> None:
    world.body.stick(not values["off"], world.now_ns)


@_injectable(
    "over-temperature",
    "the handpiece has this temperature",
    celsius=Param(45.0, "°C; beyond -20 to 80 the sensor is broken", low=-60, high=200),
    off=OFF,
)
def _over_temperature(world: World, values: Mapping[str, Any]) -> None:
    world.body.hot_c = None if values["off"] else float(values["celsius"])


@_injectable("over-current", "the driven motor takes this current", ma=Param(800, "mA", high=20_000), off=OFF)
def _over_current(world: World, values: Mapping[str, Any]) -> None:
    world.body.over_current_ma = None if values["off"] else values["ma"]


@_injectable("battery-low", "the battery has this charge", pct=Param(8, "%", high=100))
def _battery_low(world: World, values: Mapping[str, Any]) -> None:
    if not world.profile.features & Feature.BATTERY:
        raise ScenarioError(f"battery-low: the profile {world.profile.name} runs on mains")
    world.body.charge(values["pct"] + 0.5, world.now_ns)


@_injectable(
    "brown-out",
    "the supply dips",
    deep=Param(True, "true: so deep that the pen is reset; false: seen and survived"),
)
def _brown_out(world: World, values: Mapping[str, Any]) -> None:
    if values["deep"]:
        world.reset("brown-out")
    else:
        world.firmware.brown_out(world.now_ns)


# -- the cartridge ------------------------------------------------------------------------------------------


@_injectable("cartridge-removed", "the cartridge is taken out")
def _cartridge_removed(world: World, values: Mapping[str, Any]) -> None:
    world.swap_cartridge(None)


@_injectable(
    "cartridge-inserted",
    "another cartridge is put in; what is not given is as for a fresh one",
    id=Param(0, "its number; 0: a new one", high=2**64 - 1),
    lot=Param("", "its lot"),
    expiry=Param(0, "last day of use, yyyymmdd; 0: far off", high=99_991_231),
    needles=Param(0, "how many needles; 0: as the pen is made for", high=255),
    length_um=Param(0, "their length, µm; 0: as the pen is made for", high=65_535),
)
def _cartridge_inserted(world: World, values: Mapping[str, Any]) -> None:
    fresh = world.fresh_cartridge()
    world.swap_cartridge(
        Cartridge(
            id=values["id"] or fresh.id,
            lot=values["lot"] or fresh.lot,
            expiry=values["expiry"] or fresh.expiry,
            needle_count=values["needles"] or fresh.needle_count,
            needle_length_um=values["length_um"] or fresh.needle_length_um,
        )
    )


@_injectable(
    "cartridge-used",
    "the cartridge is exchanged for one that another treatment has used",
    treatment=Param(0xDEAD, "that treatment's token", low=1),
)
def _cartridge_used(world: World, values: Mapping[str, Any]) -> None:
    used = world.fresh_cartridge()
    world.memory.bindings[used.id] = values["treatment"]
    world.memory.strokes[used.id] = 100_000
    world.swap_cartridge(used)


@_injectable(
    "cartridge-expired",
    "the cartridge is exchanged for one past its last day",
    expiry=Param(20_200_101, "that day, yyyymmdd", low=1, high=99_991_231),
)
def _cartridge_expired(world: World, values: Mapping[str, Any]) -> None:
    world.swap_cartridge(replace(world.fresh_cartridge(), expiry=values["expiry"]))


@_injectable("cartridge-unreadable", "the cartridge is exchanged for one whose chip cannot be read")
def _cartridge_unreadable(world: World, values: Mapping[str, Any]) -> None:
    world.swap_cartridge(Cartridge(0, "", 0, 0, 0))


# -- people -------------------------------------------------------------------------------------------------


@_injectable("stop-key", "somebody presses the pen's own stop key; it cuts the drive of a hung pen too")
def _stop_key(world: World, values: Mapping[str, Any]) -> None:
    world.body.cut("stop-key", world.now_ns)
    world.firmware.stop_key(world.now_ns)


@_injectable("trigger-press", "somebody presses the pen's trigger and holds it")
def _trigger_press(world: World, values: Mapping[str, Any]) -> None:
    if not world.profile.features & Feature.TRIGGER:
        raise ScenarioError(f"trigger-press: the profile {world.profile.name} has no trigger")
    if not world.body.trigger_held:
        world.body.trigger_held = True
        world.firmware.trigger_pressed(world.now_ns)


@_injectable("trigger-release", "somebody lets go of the pen's trigger")
def _trigger_release(world: World, values: Mapping[str, Any]) -> None:
    if world.body.trigger_held:
        world.body.trigger_held = False
        world.firmware.trigger_released(world.now_ns)


# -- the firmware -------------------------------------------------------------------------------------------


@_injectable("reset", "the pen is reset")
def _reset(world: World, values: Mapping[str, Any]) -> None:
    world.reset("reset")


_WATCHDOG = "the hardware watchdog resets the pen after 200 ms"


@_injectable(
    "hang",
    "the program hangs: it hears and says nothing, and the body does what it last did",
    watchdog=Param(True, _WATCHDOG),
    off=OFF,
)
def _hang(world: World, values: Mapping[str, Any]) -> None:
    _hang_or_go_on(world, values, link_alive=False)


@_injectable(
    "hang-link-alive",
    "the program hangs, but its link goes on repeating the last telemetry and remembered answers",
    watchdog=Param(False, _WATCHDOG),
    off=OFF,
)
def _hang_link_alive(world: World, values: Mapping[str, Any]) -> None:
    _hang_or_go_on(world, values, link_alive=True)


def _hang_or_go_on(world: World, values: Mapping[str, Any], *, link_alive: bool) -> None:
    if values["off"]:
        if world.misbehaviour.hung:
            world.firmware.unhang(world.now_ns)
        return
    world.misbehaviour.link_alive = link_alive
    world.misbehaviour.watchdog = values["watchdog"]
    world.firmware.hang(world.now_ns)


@_injectable(
    "slow-answers",
    "answers come late",
    ms=Param(100.0, "how late, ms", high=60_000),
    off=OFF,
)
def _slow_answers(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.answer_delay_ns = 0 if values["off"] else round(values["ms"] * MS)


@_injectable("silent", "no telemetry is sent", off=OFF)
def _silent(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.silent = not values["off"]


@_injectable("lies-depth", "the commanded depth is reported, and judged, as the measured one", off=OFF)
def _lies_depth(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.lies_depth = not values["off"]


@_injectable("ignores-limits", "any depth and rate is carried out, in any zone, also while running", off=OFF)
def _ignores_limits(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.ignores_limits = not values["off"]


@_injectable(
    "wrong-depth",
    "from the next start or set on the needles go to another depth than commanded, and the pen does not mind",
    offset_um=Param(300, "µm; negative is shallower", low=-5000, high=5000),
    off=OFF,
)
def _wrong_depth(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.depth_offset_um = 0 if values["off"] else values["offset_um"]


@_injectable(
    "wrong-rate",
    "from the next start or set on the motor runs at another rate than commanded, and the pen does not mind",
    factor=Param(0.5, "times the rate", low=0, high=10),
    off=OFF,
)
def _wrong_rate(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.rate_factor = 1.0 if values["off"] else float(values["factor"])


@_injectable(
    "wrong-read-back",
    "the pen holds, and reads back, another depth than the one it is told",
    offset_um=Param(50, "µm; negative is shallower", low=-5000, high=5000),
    off=OFF,
)
def _wrong_read_back(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.read_back_offset_um = 0 if values["off"] else values["offset_um"]


@_injectable("self-test-fails", "every self-test from now on fails", off=OFF)
def _self_test_fails(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.self_test_fails = not values["off"]


@_injectable(
    "wrong-version",
    "the pen speaks another major version of the protocol, from the next HELLO on",
    major=Param(MAJOR + 1, "that version", high=255),
    off=OFF,
)
def _wrong_version(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.major = None if values["off"] else values["major"]
    world.firmware.apply_identity()


@_injectable(
    "other-motion-hash", "the pen was built from other motion messages; from the next HELLO on", off=OFF
)
def _other_motion_hash(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.motion_hash = None if values["off"] else MOTION_HASH ^ 1
    world.firmware.apply_identity()


@_injectable("other-zone-table", "the pen was built from another zone table; from the next HELLO on", off=OFF)
def _other_zone_table(world: World, values: Mapping[str, Any]) -> None:
    world.misbehaviour.zone_digest = None if values["off"] else ZONE_DIGEST ^ 1
    world.firmware.apply_identity()
