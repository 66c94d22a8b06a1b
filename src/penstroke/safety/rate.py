"""The verdict on a stroke rate, alone and together with the depth.

Rates go to the pen's nearest step, which is no risk as a bent depth would be; the limits are applied again to
what comes out. Deep and slow together tear the skin: from a depth on a least rate holds (the envelope).
"""

from __future__ import annotations

from penstroke.safety.figures import Figures
from penstroke.safety.limits import FASTEST_DHZ, Constraints, LimitSource, Scope
from penstroke.safety.units import Wish, exact, hz, mm, no_number, unit_hint_hz
from penstroke.safety.verdict import AllowedRate, Reason, Refusal

_UM_PER_MM = 1000
_DHZ_PER_HZ = 10


def check_rate(
    wish_hz: object, constraints: Constraints, depth_um: int | None, figures: Figures
) -> AllowedRate | Refusal:
    """Whether this stroke rate in hertz may be set at this depth. Never raises.

    The wish goes to the pen's nearest step inside its range (the slower of two equally near); the pen's range
    is tested on the wish to a tenth of a hertz, the clinic's range and the depth-and-rate envelope on both.
    `depth_um` is the depth in force or asked for with it; None is unknown and refuses.
    """
    reasons = list(_rate_unknowns(constraints, depth_um))
    wish = exact(wish_hz)
    if wish is None:
        return Refusal((no_number("rate-invalid", "rate", "hertz", wish_hz), *reasons))
    as_asked_dhz = _nearest(wish.num * _DHZ_PER_HZ, wish.den, 1)
    pen = constraints.pen
    usable = pen if pen is not None and not pen.problem() else None
    low_dhz, high_dhz = (usable.rate_min_dhz, usable.rate_max_dhz) if usable else (1, FASTEST_DHZ)
    if wish.beyond or not low_dhz <= as_asked_dhz <= high_dhz:
        source, whose = (LimitSource.DEVICE, "the pen's range") if usable else (None, "what a pen can do")
        reasons.append(_outside(wish, low_dhz, high_dhz, whose, source))
        rate_dhz = as_asked_dhz
    else:
        rate_dhz = _on_step(as_asked_dhz, low_dhz, high_dhz, usable.rate_step_dhz if usable else 1)
    reasons.extend(_clinic_rate_reasons(wish, (as_asked_dhz, rate_dhz), constraints))
    if type(depth_um) is int:
        slowest = min(as_asked_dhz, rate_dhz)
        reasons.extend(_envelope_reasons(depth_um, slowest, figures, constraints))
    return Refusal(tuple(reasons)) if reasons else AllowedRate(rate_dhz, constraints.scope)


def check_envelope(depth_um: int, rate_dhz: int, figures: Figures) -> Refusal | None:
    """Why needles this deep may not move this slowly, or None where they may. Depth and rate as set."""
    reasons = _envelope_reasons(depth_um, rate_dhz, figures, None)
    return Refusal(tuple(reasons)) if reasons else None


def _rate_unknowns(c: Constraints, depth_um: int | None) -> list[Reason]:
    reasons = []
    if c.pen is None and c.scope is not Scope.PLAN:
        reasons.append(_rate_missing("what the pen can do", LimitSource.DEVICE))
    if c.pen is not None and (problem := c.pen.problem()):
        message = f"what the pen tells of itself cannot be right: {problem}"
        reasons.append(
            Reason("limits-invalid", message, "nothing moves until it is", bound_by=LimitSource.DEVICE)
        )
    if c.clinic is None:
        reasons.append(_rate_missing("the clinic's profile", LimitSource.CLINIC))
    if c.clinic is not None and (problem := c.clinic.problem()):
        message = f"the clinic's profile cannot be right: {problem}"
        reasons.append(Reason("limits-invalid", message, "repair clinic.toml", bound_by=LimitSource.CLINIC))
    if type(depth_um) is not int:
        reasons.append(_rate_missing("the depth", None))
    return reasons


def _rate_missing(what: str, source: LimitSource | None) -> Reason:
    message = f"{what} is not known, so no rate is allowed"
    return Reason("limit-missing", message, "make it known first", bound_by=source)


def _nearest(num: int, den: int, step: int) -> int:
    """The multiple of `step` nearest to num/den; the lower of two equally near."""
    return -((den * step - 2 * num) // (2 * den * step)) * step


def _on_step(rate_dhz: int, low_dhz: int, high_dhz: int, step_dhz: int) -> int:
    """The nearest of low, low + step, ... that is not above high."""
    above_low = _nearest(rate_dhz - low_dhz, 1, step_dhz)
    highest = (high_dhz - low_dhz) // step_dhz * step_dhz
    return low_dhz + min(above_low, highest)


def _outside(wish: Wish, low_dhz: int, high_dhz: int, whose: str, source: LimitSource | None) -> Reason:
    span = f"{hz(low_dhz)} Hz" if low_dhz == high_dhz else f"{hz(low_dhz)} to {hz(high_dhz)} Hz"
    set_by = f" (set by: {source})" if source else ""
    message = f"{wish.text} Hz is outside {whose}, {span}{set_by}"
    return Reason(
        "rate-out-of-range",
        message,
        unit_hint_hz(wish) or f"ask for {span}",
        bound_by=source,
        requested_hz=wish.value,
        min_hz=low_dhz / _DHZ_PER_HZ,
        max_hz=high_dhz / _DHZ_PER_HZ,
    )


def _clinic_rate_reasons(wish: Wish, rates_dhz: tuple[int, int], c: Constraints) -> list[Reason]:
    clinic = c.clinic
    if clinic is None or clinic.problem() or (clinic.rate_min_dhz is None and clinic.rate_max_dhz is None):
        return []
    low = clinic.rate_min_dhz if clinic.rate_min_dhz is not None else 0
    high = clinic.rate_max_dhz if clinic.rate_max_dhz is not None else FASTEST_DHZ
    if low <= min(rates_dhz) and max(rates_dhz) <= high:
        return []
    return [_outside(wish, low, high, "the clinic's range", LimitSource.CLINIC)]


def _envelope_reasons(depth_um: int, rate_dhz: int, figures: Figures, c: Constraints | None) -> list[Reason]:
    if depth_um < figures.deep_from_um or rate_dhz >= figures.deep_rate_min_dhz:
        return []
    zone = c.zone if c is not None else None
    message = (
        f"{hz(max(rate_dhz, 0))} Hz is too slow at {mm(depth_um)} mm: from {mm(figures.deep_from_um)} mm on "
        f"at least {hz(figures.deep_rate_min_dhz)} Hz (proposed figure)"
    )
    return [
        Reason(
            "rate-too-slow",
            message,
            f"ask for {hz(figures.deep_rate_min_dhz)} Hz or more, or a shallower depth",
            zone=zone.name if zone else None,
            side=c.side if c is not None else None,
            requested_mm=depth_um / _UM_PER_MM,
            requested_hz=rate_dhz / _DHZ_PER_HZ,
            min_hz=figures.deep_rate_min_dhz / _DHZ_PER_HZ,
        )
    ]
