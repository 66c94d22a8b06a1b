"""What the safety layer answers: allowed, or refused with every reason. Values, never exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstroke.safety.limits import LimitSource, Scope

CODES: dict[str, str] = {
    "depth-above-limit": "the depth, or the depth plus the pen's tolerance, is above a limit",
    "depth-below-range": "the depth is zero, negative, or less than the pen can do",
    "depth-off-step": "the depth is not a multiple of the pen's step",
    "depth-invalid": "what was given as a depth is not a number",
    "rate-out-of-range": "the stroke rate is outside what the pen or the clinic's profile permits",
    "rate-too-slow": "the stroke rate is too slow for needles this deep",
    "rate-invalid": "what was given as a stroke rate is not a number",
    "zone-unknown": "no zone is chosen, or the name is not in the zone table",
    "zone-forbidden": "nothing may be needled in this zone",
    "zone-excluded": "screening excluded this zone for this patient",
    "zone-out-of-reach": "the pen's step, tolerance or shallowest depth does not fit under the zone's limit",
    "zone-repeated": "a plan names the same zone and side twice",
    "screening-blocks": "screening found that this patient must not be treated now",
    "side-required": "the zone has a left and a right, and the side is missing or is neither",
    "side-not-used": "a side was given for a zone that has none",
    "override-invalid": "an override lacks the clinician's name or the reason",
    "cartridge-missing": "no cartridge is known, so neither is the length of its needles",
    "limit-missing": "a limit that is needed is not known, or is too old to count",
    "limits-invalid": "a limit is there but cannot be right, or its file cannot be read",
    "run-too-long": "one run, or needling without a rest, would last too long",
    "zone-time-exceeded": "the time spent in the zone would pass what its plan allows",
    "time-invalid": "what was given as a time is not a number of seconds",
}
"""Every code a refusal can carry, and what it means. People script against them: they are never renamed."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stands against a wish. Figures that do not apply are None."""

    code: str
    """One of `CODES`."""
    message: str
    """One sentence: what, how much, which limit."""
    hint: str = ""
    """What to do instead; may be empty."""
    zone: str | None = None
    side: str | None = None
    bound_by: str | None = None
    """Which of the six sources set the limit (a `LimitSource`)."""
    requested_mm: float | None = None
    limit_mm: float | None = None
    max_mm: float | None = None
    """The deepest that may be asked here, on the pen's step, its tolerance already taken off."""
    requested_hz: float | None = None
    min_hz: float | None = None
    max_hz: float | None = None
    requested_s: float | None = None
    max_s: float | None = None

    def facts(self) -> dict[str, object]:
        """The figures of this reason for a machine, without those that do not apply."""
        named: dict[str, object] = {
            "zone": self.zone,
            "side": self.side,
            "requested_mm": self.requested_mm,
            "limit_mm": self.limit_mm,
            "max_mm": self.max_mm,
            "requested_hz": self.requested_hz,
            "min_hz": self.min_hz,
            "max_hz": self.max_hz,
            "requested_s": self.requested_s,
            "max_s": self.max_s,
            "bound_by": None if self.bound_by is None else str(self.bound_by),
        }
        return {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Refusal:
    """No, and every reason why: never empty, the weightiest first."""

    reasons: tuple[Reason, ...]

    def __post_init__(self) -> None:
        if not self.reasons:
            raise ValueError("a refusal needs at least one reason")

    @property
    def codes(self) -> tuple[str, ...]:
        """The code of each reason, in order."""
        return tuple(reason.code for reason in self.reasons)


@dataclass(frozen=True, slots=True)
class Allowed:
    """This depth may be set. Only a verdict whose `scope` is `Scope.MOTION` may reach a device."""

    depth_um: int
    bound_by: LimitSource
    """What the tightest limit is set by."""
    limit_um: int
    """The tightest limit; `depth_um` plus the pen's tolerance does not pass it."""
    deepest_um: int
    """The deepest that could have been asked."""
    scope: Scope


@dataclass(frozen=True, slots=True)
class AllowedRate:
    """This stroke rate may be set: the pen's step nearest to what was asked."""

    rate_dhz: int
    scope: Scope


@dataclass(frozen=True, slots=True)
class AllowedRun:
    """Needles may move for this long, in seconds."""

    duration_s: float
