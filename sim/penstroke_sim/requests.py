"""What must hold before a request is carried out, in the order it is asked, and the carrying out.

`CHECKS` is the law: the first check of a request that objects decides the refusal, and nothing has changed.
Checks only look; acts only act.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from penstroke_protocol.explain import kebab
from penstroke_protocol.link import MS
from penstroke_protocol.messages import (
    Arm,
    Bye,
    CartridgeInfo,
    ClearFaults,
    Condition,
    Empty,
    End,
    Feature,
    GetCartridge,
    GetStatus,
    GetWitness,
    KeepWitness,
    LowerCeiling,
    Reason,
    Release,
    SelectZone,
    SetDepth,
    SetRate,
    SetTelemetry,
    Settings,
    Side,
    Start,
    State,
    Status,
    Witness,
)
from penstroke_sim import report, trips
from penstroke_sim.core import ZONE_BY_NUMBER, Core
from penstroke_sim.states import Trigger

if TYPE_CHECKING:
    from penstroke_sim.firmware import Firmware

DEEP_UM: Final = 1000
SLOWEST_DEEP_DHZ: Final = 800
"""Proposed: from 1.0 mm down not slower than 80 Hz, because deep and slow tears."""

BATTERY_LOW_PCT: Final = 10
"""Proposed: below it nothing is armed, so that a battery trip in a run is rare."""

Objection = tuple[Reason, int]
Check = Callable[[Core, Any, int], Objection | None]
LIMITS: Final = frozenset(
    {
        Reason.ZONE_FORBIDDEN,
        Reason.ABOVE_CEILING,
        Reason.DEPTH_RANGE,
        Reason.DEPTH_OFF_STEP,
        Reason.DEEPER_WHILE_RUNNING,
        Reason.RATE_RANGE,
        Reason.RATE_OFF_STEP,
        Reason.DEEP_AND_SLOW,
    }
)
"""What a firmware that ignores limits does not object to."""


# -- checks -------------------------------------------------------------------------------------------------


def _no_fault(core: Core, request: Any, now_ns: int) -> Objection | None:
    return (Reason.FAULT_LATCHED, core.faults) if core.faults else None


def _state_in(*states: State) -> Check:
    def check(core: Core, request: Any, now_ns: int) -> Objection | None:
        return None if core.state in states else (Reason.WRONG_STATE, core.state)

    return check


_awake = _state_in(State.IDLE, State.ARMED, State.RUNNING)
_booted = _state_in(State.IDLE, State.ARMED, State.RUNNING, State.FAULT)


def _zone_known(core: Core, request: SelectZone, now_ns: int) -> Objection | None:
    return None if request.zone in ZONE_BY_NUMBER else (Reason.ZONE_UNKNOWN, request.zone)


def _zone_allowed(core: Core, request: SelectZone, now_ns: int) -> Objection | None:
    return (Reason.ZONE_FORBIDDEN, request.zone) if ZONE_BY_NUMBER[request.zone].forbidden else None


def _side_fits(core: Core, request: SelectZone, now_ns: int) -> Objection | None:
    sided = ZONE_BY_NUMBER[request.zone].sided
    return (Reason.SIDE, int(sided)) if sided != (request.side != Side.NONE) else None


def _zone_set(core: Core, request: Any, now_ns: int) -> Objection | None:
    return None if core.zone else (Reason.NO_ZONE, 0)


def _lowers(core: Core, request: LowerCeiling, now_ns: int) -> Objection | None:
    held = core.session_ceiling_um
    return (Reason.ABOVE_CEILING, held) if request.session_ceiling_um > held else None


def _below(core: Core, depth_um: int) -> Objection | None:
    held = core.held_ceiling_um()
    return (Reason.ABOVE_CEILING, held) if depth_um + core.profile.tolerance_um > held else None


def _depth_below(core: Core, request: SetDepth, now_ns: int) -> Objection | None:
    return _below(core, request.depth_um)


def _depth_reachable(core: Core, request: SetDepth, now_ns: int) -> Objection | None:
    lowest = core.profile.depth_min_um
    return (Reason.DEPTH_RANGE, lowest) if request.depth_um < lowest else None


def _depth_on_step(core: Core, request: SetDepth, now_ns: int) -> Objection | None:
    off = request.depth_um % core.profile.depth_step_um
    return (Reason.DEPTH_OFF_STEP, request.depth_um - off) if off else None


def _depth_not_deeper(core: Core, request: SetDepth, now_ns: int) -> Objection | None:
    if core.state is State.RUNNING and request.depth_um > core.depth_um:
        return Reason.DEEPER_WHILE_RUNNING, core.depth_um
    return None


def _rate_reachable(core: Core, request: SetRate, now_ns: int) -> Objection | None:
    low, high = core.profile.rate_min_dhz, core.profile.rate_max_dhz
    return None if low <= request.rate_dhz <= high else (Reason.RATE_RANGE, low << 16 | high)


def _rate_on_step(core: Core, request: SetRate, now_ns: int) -> Objection | None:
    off = (request.rate_dhz - core.profile.rate_min_dhz) % core.profile.rate_step_dhz
    return (Reason.RATE_OFF_STEP, request.rate_dhz - off) if off else None


def _fast_enough(depth_um: int, rate_dhz: int) -> Objection | None:
    slow = depth_um >= DEEP_UM and rate_dhz < SLOWEST_DEEP_DHZ
    return (Reason.DEEP_AND_SLOW, SLOWEST_DEEP_DHZ) if slow else None


def _rate_not_too_slow_now(core: Core, request: SetRate, now_ns: int) -> Objection | None:
    return _fast_enough(core.depth_um, request.rate_dhz) if core.state is State.RUNNING else None


def _agrees(core: Core, request: Start, now_ns: int) -> Objection | None:
    bits = (
        (1 if request.zone != core.zone else 0)
        | (2 if request.side != core.side else 0)
        | (4 if request.depth_um != core.depth_um else 0)
        | (8 if request.rate_dhz != core.rate_dhz else 0)
    )
    return (Reason.DISAGREES, bits) if bits else None


def _depth_set(core: Core, request: Any, now_ns: int) -> Objection | None:
    return None if core.depth_set else (Reason.NO_DEPTH, 0)


def _rate_set(core: Core, request: Any, now_ns: int) -> Objection | None:
    return None if core.rate_set else (Reason.NO_RATE, 0)


def _set_depth_below(core: Core, request: Any, now_ns: int) -> Objection | None:
    return _below(core, core.depth_um)


def _set_fast_enough(core: Core, request: Any, now_ns: int) -> Objection | None:
    return _fast_enough(core.depth_um, core.rate_dhz)


def _cartridge_in(core: Core, request: Any, now_ns: int) -> Objection | None:
    return (Reason.CARTRIDGE_MISSING, 0) if core.body.cartridge is None else None


def _cartridge_readable(core: Core, request: Any, now_ns: int) -> Objection | None:
    cartridge = core.body.cartridge
    return (Reason.CARTRIDGE_UNREADABLE, 0) if cartridge is None or not cartridge.id else None


def _cartridge_ours(core: Core, request: Any, now_ns: int) -> Objection | None:
    treatment = request.treatment if isinstance(request, Arm) else core.treatment
    cartridge = core.body.cartridge
    bound = 0 if cartridge is None else core.memory.bindings.get(cartridge.id, 0)
    return (Reason.CARTRIDGE_OTHER, 0) if bound not in (0, treatment) else None


def _battery_enough(core: Core, request: Any, now_ns: int) -> Objection | None:
    pct = core.body.battery_pct(now_ns)
    return (Reason.BATTERY_LOW, pct) if pct < BATTERY_LOW_PCT else None


def _needles_in(core: Core, request: Any, now_ns: int) -> Objection | None:
    depth = core.read_depth_um(now_ns)
    return (Reason.NEEDLES_OUT, depth) if depth > 0 else None


def _trigger_there(core: Core, request: Arm, now_ns: int) -> Objection | None:
    missing = request.trigger_longest_s and not core.profile.features & Feature.TRIGGER
    return (Reason.NO_TRIGGER, 0) if missing else None


def _faults_gone(core: Core, request: ClearFaults, now_ns: int) -> Objection | None:
    standing = trips.not_clearable(core, request.faults, now_ns)
    return (Reason.NOT_CLEARABLE, standing) if standing else None


def _at_rest(core: Core, request: Any, now_ns: int) -> Objection | None:
    return None if core.state in (State.IDLE, State.FAULT) else (Reason.WRONG_STATE, core.state)


def _witness_newer(core: Core, request: KeepWitness, now_ns: int) -> Objection | None:
    kept = core.memory.witness
    if kept is None or kept.store != request.store or kept == _witness_in(request):
        return None
    return None if request.number > kept.number else (Reason.WITNESS_OLDER, kept.number)


_TO_RUN: Final[tuple[Check, ...]] = (
    _depth_set,
    _rate_set,
    _set_depth_below,
    _set_fast_enough,
    _cartridge_in,
    _cartridge_readable,
    _cartridge_ours,
    _battery_enough,
)
"""What must hold whenever a run begins, however it is begun."""

CHECKS: Final[dict[type[Any], tuple[Check, ...]]] = {
    Bye: (),
    GetStatus: (),
    GetCartridge: (),
    SetTelemetry: (),
    GetWitness: (),
    KeepWitness: (_at_rest, _witness_newer),
    SelectZone: (_no_fault, _awake, _zone_known, _zone_allowed, _side_fits),
    LowerCeiling: (_booted, _zone_set, _lowers),
    SetDepth: (
        _no_fault,
        _awake,
        _zone_set,
        _depth_below,
        _depth_reachable,
        _depth_on_step,
        _depth_not_deeper,
    ),
    SetRate: (_no_fault, _awake, _rate_reachable, _rate_on_step, _rate_not_too_slow_now),
    Arm: (_no_fault, _state_in(State.IDLE), _zone_set, *_TO_RUN, _needles_in, _trigger_there),
    Start: (_no_fault, _state_in(State.ARMED), _agrees, *_TO_RUN),
    Release: (_booted,),
    ClearFaults: (_booted, _faults_gone),
}
"""By request: its checks, in order."""


def judge(core: Core, request: Any, now_ns: int) -> Objection | None:
    """Why the request is refused; None when it may be carried out."""
    return _first_objection(core, CHECKS[type(request)], request, now_ns)


def judge_start(core: Core, now_ns: int) -> Objection | None:
    """Why the trigger may not start a run; None when it may."""
    return _first_objection(core, _TO_RUN, None, now_ns)


def _first_objection(core: Core, checks: tuple[Check, ...], request: Any, now_ns: int) -> Objection | None:
    for check in checks:
        objection = check(core, request, now_ns)
        if objection is not None and not (core.mis.ignores_limits and objection[0] in LIMITS):
            return objection
    return None


# -- acts ---------------------------------------------------------------------------------------------------


def _bye(fw: Firmware, request: Bye, now_ns: int) -> Empty:
    fw.end(End.BYE, now_ns)
    fw.close_session(now_ns)
    return Empty()


def _get_status(fw: Firmware, request: GetStatus, now_ns: int) -> Status:
    return report.status(fw, now_ns)


def _get_cartridge(fw: Firmware, request: GetCartridge, now_ns: int) -> CartridgeInfo:
    return report.cartridge(fw, now_ns)


def _get_witness(fw: Firmware, request: GetWitness, now_ns: int) -> Witness:
    return fw.memory.witness or Witness(0, 0, 0, 0, 0, 0)


def _keep_witness(fw: Firmware, request: KeepWitness, now_ns: int) -> Empty:
    fw.memory.witness = _witness_in(request)
    return Empty()


def _witness_in(request: KeepWitness) -> Witness:
    digest = (request.digest_1, request.digest_2, request.digest_3, request.digest_4)
    return Witness(request.store, request.number, *digest)


def _set_telemetry(fw: Firmware, request: SetTelemetry, now_ns: int) -> Empty:
    fw.set_telemetry(request.rate_hz, now_ns)
    return Empty()


def _select_zone(fw: Firmware, request: SelectZone, now_ns: int) -> Settings:
    fw.end(End.ZONE, now_ns)
    fw.zone = request.zone
    fw.side = request.side
    fw.session_ceiling_um = request.session_ceiling_um
    fw.depth_set = False
    fw.journal_limit(now_ns, zone=ZONE_BY_NUMBER[request.zone].name, side=kebab(Side(request.side).name))
    return report.settings(fw, now_ns)


def _lower_ceiling(fw: Firmware, request: LowerCeiling, now_ns: int) -> Settings:
    fw.session_ceiling_um = request.session_ceiling_um
    fw.journal_limit(now_ns)
    if fw.depth_set and _below(fw, fw.depth_um) is not None:
        fw.depth_set = False
        fw.end(End.LIMIT, now_ns)
    return report.settings(fw, now_ns)


def _set_depth(fw: Firmware, request: SetDepth, now_ns: int) -> Settings:
    fw.depth_um = max(0, min(request.depth_um + fw.mis.read_back_offset_um, 0xFFFF))
    fw.depth_set = True
    fw.change_depth(now_ns)
    return report.settings(fw, now_ns)


def _set_rate(fw: Firmware, request: SetRate, now_ns: int) -> Settings:
    fw.rate_dhz = request.rate_dhz
    fw.rate_set = True
    fw.change_rate(now_ns)
    return report.settings(fw, now_ns)


def _arm(fw: Firmware, request: Arm, now_ns: int) -> Condition:
    fw.arm(request.treatment, request.trigger_longest_s, now_ns)
    return report.condition(fw, now_ns)


def _start(fw: Firmware, request: Start, now_ns: int) -> Condition:
    fw.begin(request.longest_ms * MS, Trigger.START, now_ns)
    return report.condition(fw, now_ns)


def _release(fw: Firmware, request: Release, now_ns: int) -> Condition:
    if fw.state is State.RUNNING:
        fw.end(End.RELEASE, now_ns)
    return report.condition(fw, now_ns)


def _clear_faults(fw: Firmware, request: ClearFaults, now_ns: int) -> Condition:
    fw.clear(request.faults, now_ns)
    return report.condition(fw, now_ns)


ACTS: Final[dict[type[Any], Callable[[Firmware, Any, int], Any]]] = {
    Bye: _bye,
    GetStatus: _get_status,
    GetCartridge: _get_cartridge,
    SetTelemetry: _set_telemetry,
    GetWitness: _get_witness,
    KeepWitness: _keep_witness,
    SelectZone: _select_zone,
    LowerCeiling: _lower_ceiling,
    SetDepth: _set_depth,
    SetRate: _set_rate,
    Arm: _arm,
    Start: _start,
    Release: _release,
    ClearFaults: _clear_faults,
}


def carry_out(fw: Firmware, request: Any, now_ns: int) -> Any:
    """Do what the request asks and make the answer."""
    return ACTS[type(request)](fw, request, now_ns)
