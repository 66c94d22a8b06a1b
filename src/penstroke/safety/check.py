"""The verdict on a depth: may the needles go so deep, here and now?

Strategy. The function is total: whatever it is given it answers with a verdict, and it never raises. The
wish is judged exactly as asked against every limit, and it must lie on the pen's step. Nothing is rounded to
fit and nothing is clamped: a refusal names the deepest that may be asked instead.
"""

from __future__ import annotations

from penstroke.safety.limits import (
    Constraints,
    Gathered,
    LimitSource,
    SourceLimit,
    deepest_um,
    depth_limit,
    gather,
    limit_of,
    side_reasons,
)
from penstroke.safety.units import Wish, exact, mm, no_number, unit_hint_mm, wish_mm
from penstroke.safety.verdict import Allowed, Reason, Refusal
from penstroke.safety.zones import Zone

_UM_PER_MM = 1000


def find_zone(name: object, side: object, zones: tuple[Zone, ...]) -> Zone | Refusal:
    """The zone of this name, if the table has it and the side goes with it. Never raises.

    A zone that is found may still be forbidden: `depth_limit` says so.
    """
    named = name[:40] if type(name) is str else None
    shown = f"a {type(name).__name__}" if named is None else repr(named)
    for zone in zones:
        if type(name) is str and zone.name == name:
            reasons = side_reasons(zone, side)
            return Refusal(tuple(reasons)) if reasons else zone
    hint = _nearest_name(name, zones) or "`penstroke zones` lists the zones there are"
    return Refusal((Reason("zone-unknown", f"there is no zone {shown}", hint, zone=named),))


def _nearest_name(name: object, zones: tuple[Zone, ...]) -> str:
    if type(name) is not str or len(name) > 40:
        return ""
    from difflib import get_close_matches  # on use: only a slip of the keyboard needs it

    near = get_close_matches(
        name.lower().replace(" ", "_").replace("-", "_"), [zone.name for zone in zones], n=1
    )
    return f"did you mean {near[0]}?" if near else ""


def check_depth(wish_in_mm: object, constraints: Constraints) -> Allowed | Refusal:
    """Whether this depth in millimetres may be set, with every reason where it may not. Never raises.

    `wish + tolerance <= limit` is tested on the wish as asked. Only int, float and Decimal are numbers; a
    float is taken by its shortest decimal text.
    """
    return judge_depth(wish_in_mm, gather(constraints))


def judge_depth(wish_in_mm: object, gathered: Gathered) -> Allowed | Refusal:
    """`check_depth` with the limits gathered already, for whoever judges many wishes under the same ones."""
    wish = exact(wish_in_mm)
    if wish is None:
        return Refusal((no_number("depth-invalid", "depth", "millimetres", wish_in_mm), *gathered.reasons))
    reasons = (*gathered.reasons, *_depth_reasons(wish, gathered))
    limit = limit_of(gathered)
    if reasons or isinstance(limit, Refusal):
        return Refusal(reasons)
    return Allowed(
        depth_um=wish.num * _UM_PER_MM // wish.den,
        bound_by=limit.bound_by,
        limit_um=limit.limit_um,
        deepest_um=limit.deepest_um,
        scope=limit.scope,
    )


def preset_um(constraints: Constraints) -> int | None:
    """The zone's start depth where it may be set as it stands, else None: a start is never bent to fit."""
    zone = constraints.zone
    if zone is None or zone.start_um is None:
        return None
    limit = depth_limit(constraints)
    if isinstance(limit, Refusal) or zone.start_um > limit.deepest_um:
        return None
    pen = constraints.pen
    fits = pen is None or (zone.start_um >= pen.depth_min_um and zone.start_um % pen.depth_step_um == 0)
    return zone.start_um if fits else None


def _depth_reasons(wish: Wish, gathered: Gathered) -> list[Reason]:
    zone, side = gathered.of.zone, gathered.of.side
    if zone is None or zone.forbidden:
        return []  # said already, and no figure would make it better
    label = zone.name  # without its side, which bears on no depth; the facts have it
    deepest = deepest_um(gathered)
    known = not gathered.reasons
    facts = _Facts(zone.name, side, wish.value, deepest / _UM_PER_MM if known else None)
    reasons = [
        _above(wish, label, limit, gathered, facts, deepest if known else None)
        for limit in _violated(wish, gathered)
    ]
    if reasons and known and deepest == 0:
        reasons.append(_out_of_reach(label, gathered, facts))
    if not wish.positive or not wish.at_least(gathered.shallowest_um, _UM_PER_MM):
        reasons.append(_below(wish, label, gathered, facts))
    elif not wish.beyond and (wish.num * _UM_PER_MM) % (wish.den * gathered.step_um):
        reasons.append(_off_step(wish, label, gathered, facts, deepest))
    return reasons


class _Facts:
    """What every reason about one wish has in common."""

    __slots__ = ("max_mm", "requested_mm", "side", "zone")

    def __init__(self, zone: str, side: str | None, requested_mm: float | None, max_mm: float | None) -> None:
        self.zone = zone
        self.side = side
        self.requested_mm = requested_mm
        self.max_mm = max_mm

    def reason(
        self, code: str, message: str, hint: str, source: LimitSource | None, limit_um: int | None
    ) -> Reason:
        return Reason(
            code,
            message,
            hint,
            zone=self.zone,
            side=self.side,
            bound_by=source,
            requested_mm=self.requested_mm,
            limit_mm=None if limit_um is None else limit_um / _UM_PER_MM,
            max_mm=self.max_mm,
        )


def _violated(wish: Wish, gathered: Gathered) -> list[SourceLimit]:
    """The limits that the wish plus the pen's tolerance passes, the tightest first.

    What the device holds repeats the host's own limits (it was told them when the zone was selected), so it
    is a limit of its own only where it is tighter than all of them.
    """
    broken = [
        limit
        for limit in gathered.sources
        if not wish.at_most(limit.limit_um - gathered.tolerance_um, _UM_PER_MM)
    ]
    held_binds = bool(broken) and gathered.sources[0].source is LimitSource.HELD
    return [limit for limit in broken if held_binds or limit.source is not LimitSource.HELD]


def _above(
    wish: Wish, label: str, limit: SourceLimit, gathered: Gathered, facts: _Facts, deepest: int | None
) -> Reason:
    depth = f"{wish_mm(wish)} mm on {label}"
    if wish.at_most(limit.limit_um, _UM_PER_MM):
        depth += f" plus the pen's tolerance of {mm(gathered.tolerance_um)} mm"
    hints = [unit_hint_mm(wish)]
    if deepest:
        hints.append(f"ask for {mm(deepest)} mm or less")
    hint = "; ".join(part for part in hints if part)
    return facts.reason(
        "depth-above-limit", f"{depth} is above the {limit.text()}", hint, limit.source, limit.limit_um
    )


def _out_of_reach(label: str, gathered: Gathered, facts: _Facts) -> Reason:
    tightest = gathered.sources[0]
    least = max(gathered.shallowest_um, gathered.step_um)
    message = (
        f"{label} is out of this pen's reach: its shallowest depth {mm(least)} mm plus its tolerance of "
        f"{mm(gathered.tolerance_um)} mm is above the {tightest.text()}"
    )
    hint = "leave this zone out, or use a pen with a finer step or tolerance"
    return facts.reason("zone-out-of-reach", message, hint, tightest.source, tightest.limit_um)


def _below(wish: Wish, label: str, gathered: Gathered, facts: _Facts) -> Reason:
    depth = f"{wish_mm(wish)} mm on {label}"
    if not wish.positive:
        hint = "ask for a depth above zero; to take the needles out, stop"
        return facts.reason("depth-below-range", f"{depth} is no depth", hint, None, None)
    shallowest = gathered.shallowest_um
    message = f"{depth} is below the {mm(shallowest)} mm that is the shallowest of this pen (set by: device)"
    hint = f"ask for {mm(shallowest)} mm or more, within the limits"
    return facts.reason("depth-below-range", message, hint, LimitSource.DEVICE, shallowest)


def _off_step(wish: Wish, label: str, gathered: Gathered, facts: _Facts, deepest: int) -> Reason:
    step = gathered.step_um
    below = min(wish.num * _UM_PER_MM // (wish.den * step) * step, deepest)
    fits = below >= max(gathered.shallowest_um, step)
    hint = f"the next step below is {mm(below)} mm" if fits else ""
    depth = f"{wish_mm(wish)} mm on {label}"
    if step == 1:  # no pen is known, or it does every micrometre
        return facts.reason("depth-off-step", f"{depth} is finer than a micrometre", hint, None, None)
    message = f"{depth} is not on the pen's step of {mm(step)} mm (set by: device)"
    return facts.reason("depth-off-step", message, hint, LimitSource.DEVICE, None)
