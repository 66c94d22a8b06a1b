"""The limits on depth: six sources, the tightest wins, and the answer names what bound it.

Strategy. Every limit is a whole number of micrometres on the *protrusion* of the needles. What is unknown is
None, and None where it is needed refuses; "no such limit here" is said with a value (`NO_CLINIC`,
`NOT_SCREENED`), never with None. A caller passes None for anything stale. Limits are gathered first and the
wish is judged against each of them, so that a refusal can list them all (`check.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from fractions import Fraction
from typing import TypeGuard

from penstroke.safety.units import mm
from penstroke.safety.verdict import Reason, Refusal
from penstroke.safety.zones import Zone, is_side


class LimitSource(StrEnum):
    """Who can set a limit. Where two are equally tight the one named first here is said to bind."""

    ZONE = "zone"
    SCREENING = "screening"
    CLINIC = "clinic"
    CARTRIDGE = "cartridge"
    DEVICE = "device"
    HELD = "held"


class Scope(Enum):
    """What a verdict is for, and so which limits must be known. Whatever is known always counts."""

    PLAN = "plan"
    """Judging a plan before any pen is known. Such a verdict must never reach a device."""
    SELECT = "select"
    """Choosing a zone on a known pen: its cartridge and what it holds may not be known yet."""
    MOTION = "motion"
    """Setting a depth on a pen: everything must be known."""


_REQUIRED: dict[Scope, frozenset[LimitSource]] = {
    Scope.PLAN: frozenset(),
    Scope.SELECT: frozenset({LimitSource.DEVICE}),
    Scope.MOTION: frozenset({LimitSource.DEVICE, LimitSource.CARTRIDGE, LimitSource.HELD}),
}

_WORD = {
    LimitSource.ZONE: "ceiling",
    LimitSource.SCREENING: "ceiling",
    LimitSource.CLINIC: "ceiling",
    LimitSource.CARTRIDGE: "needle length",
    LimitSource.DEVICE: "range",
    LimitSource.HELD: "limit",
}

_DEEPEST_UM = 10_000
FASTEST_DHZ = 10_000
"""A pen that claims more than 10 mm or 1,000 Hz did not tell its own truth, or it was read wrongly."""

_PLAN_STEP_UM = 1


@dataclass(frozen=True, slots=True)
class PenLimits:
    """What the pen told of itself at HELLO. Depth steps count from zero, rate steps from `rate_min_dhz`."""

    depth_min_um: int
    depth_max_um: int
    depth_step_um: int
    tolerance_um: int
    rate_min_dhz: int
    rate_max_dhz: int
    rate_step_dhz: int

    def problem(self) -> str:
        """Why these figures cannot be right, in words; empty where they can."""
        for name in self.__slots__:
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                return f"{name} is not a whole number from zero up"
        if not 0 < self.depth_step_um <= self.depth_max_um <= _DEEPEST_UM:
            return f"its depth range or step is not within {mm(_DEEPEST_UM)} mm"
        if self.depth_min_um > self.depth_max_um or self.tolerance_um > self.depth_max_um:
            return "its shallowest depth or its tolerance is above its deepest depth"
        if not 0 < self.rate_min_dhz <= self.rate_max_dhz <= FASTEST_DHZ or self.rate_step_dhz == 0:
            return "its rate range or step is not one a pen could have"
        return ""


@dataclass(frozen=True, slots=True)
class Override:
    """A named clinician's decision to use the hard ceiling of one zone (and side). It lifts nothing else.

    It counts only while that zone is the one treated; elsewhere it is as if it were not there.
    """

    zone: str
    side: str | None
    by: str
    reason: str

    def problem(self) -> str:
        """Why this override cannot count, in words; empty where it can."""
        if type(self.by) is not str or not self.by.strip():
            return "an override needs the name of the clinician who decides it"
        if type(self.reason) is not str or not self.reason.strip():
            return "an override needs a reason"
        return ""


@dataclass(frozen=True, slots=True)
class Screening:
    """What screening found for this patient: it can only lower ceilings, exclude zones, or block.

    `factor` (0 < factor <= 1) multiplies the zone's ceiling, or its hard ceiling under an override.
    `excluded` holds (zone, side); a side of None excludes both. `blocked_by` names what blocks treatment.
    """

    factor: Fraction = field(default_factory=lambda: Fraction(1))
    excluded: frozenset[tuple[str, str | None]] = frozenset()
    blocked_by: tuple[str, ...] = ()

    def excludes(self, zone: Zone, side: str | None) -> bool:
        """Whether this zone and side are excluded."""
        return (zone.name, None) in self.excluded or (zone.name, side) in self.excluded

    def problem(self) -> str:
        """Why this result cannot be right, in words; empty where it can."""
        # By its whole numbers: comparing fractions costs more than all the rest of a verdict.
        if type(self.factor) is not Fraction or not 0 < self.factor.numerator <= self.factor.denominator:
            return "its factor is not a fraction above 0 and up to 1"
        return ""


@dataclass(frozen=True, slots=True)
class ClinicProfile:
    """What the clinic permits. It can only tighten; `clinic.parse_clinic` reads it from TOML."""

    name: str
    ceilings_um: Mapping[str, int] = field(default_factory=dict)
    """By zone name; applies under an override too."""
    depth_max_um: int | None = None
    """For every zone; None where the profile sets none."""
    rate_min_dhz: int | None = None
    rate_max_dhz: int | None = None
    forbidden: frozenset[str] = frozenset()

    def ceiling_um(self, zone: str) -> int | None:
        """The tightest depth the profile sets for this zone, or None where it sets none."""
        mine = [self.ceilings_um.get(zone), self.depth_max_um]
        return min((depth for depth in mine if depth is not None), default=None)

    def problem(self) -> str:
        """Why this profile cannot be right, in words; empty where it can."""
        numbers = [*self.ceilings_um.values(), self.depth_max_um, self.rate_min_dhz, self.rate_max_dhz]
        if any(number is not None and (type(number) is not int or number < 0) for number in numbers):
            return "it holds a limit that is not a whole number from zero up"
        return ""


NO_CLINIC = ClinicProfile(name="none")
"""No clinic profile is in force. (None would mean that there is one and it is not known.)"""

NOT_SCREENED = Screening()
"""No patient was screened: a bench run, or a plan looked at before a patient is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """Everything that bounds the depth at this instant. None is *unknown*, and refuses where it is needed."""

    zone: Zone | None
    side: str | None = None
    pen: PenLimits | None = None
    cartridge_length_um: int | None = None
    held_um: int | None = None
    """The least of its own hard ceiling and the session's ceiling, as the device last told it."""
    clinic: ClinicProfile | None = NO_CLINIC
    screening: Screening | None = NOT_SCREENED
    override: Override | None = None
    scope: Scope = Scope.MOTION


@dataclass(frozen=True, slots=True)
class SourceLimit:
    """One limit in force."""

    source: LimitSource
    limit_um: int

    def text(self) -> str:
        """As people read it: `0.30 mm ceiling (set by: zone)`."""
        return f"{mm(self.limit_um)} mm {_WORD[self.source]} (set by: {self.source})"


@dataclass(frozen=True, slots=True)
class DepthLimit:
    """The limit on depth here and now, and everything that went into it."""

    limit_um: int
    bound_by: LimitSource
    deepest_um: int
    """The deepest wish on the pen's step that stays within the limit, tolerance added; 0 where none does."""
    sources: tuple[SourceLimit, ...]
    """All limits in force, the tightest first."""
    scope: Scope

    @property
    def out_of_reach(self) -> bool:
        """True where this pen can do no depth at all in this zone."""
        return self.deepest_um == 0


@dataclass(frozen=True, slots=True)
class Gathered:
    """The limits that are known, and what stands in the way whatever the wish."""

    of: Constraints
    sources: tuple[SourceLimit, ...]
    reasons: tuple[Reason, ...]
    tolerance_um: int
    step_um: int
    shallowest_um: int


def depth_limit(constraints: Constraints) -> DepthLimit | Refusal:
    """The tightest limit and what sets it, or every reason why there is none. Never raises."""
    return limit_of(gather(constraints))


def limit_of(gathered: Gathered) -> DepthLimit | Refusal:
    """The limit that gathered sources make."""
    if gathered.reasons:
        return Refusal(gathered.reasons)
    tightest = gathered.sources[0]
    return DepthLimit(
        limit_um=tightest.limit_um,
        bound_by=tightest.source,
        deepest_um=deepest_um(gathered),
        sources=gathered.sources,
        scope=gathered.of.scope,
    )


def deepest_um(gathered: Gathered) -> int:
    """The deepest on-step depth within every known limit, or 0 where there is none to offer."""
    if not gathered.sources:
        return 0
    room_um = gathered.sources[0].limit_um - gathered.tolerance_um
    on_step_um = room_um // gathered.step_um * gathered.step_um
    return on_step_um if on_step_um >= max(gathered.shallowest_um, gathered.step_um) else 0


def gather(c: Constraints) -> Gathered:
    """Every known limit, tightest first, and every reason that refuses any wish at all. Never raises."""
    reasons = [*_place_reasons(c), *_unknown_reasons(c), *_unreadable_reasons(c)]
    pen = c.pen if c.pen is not None and not c.pen.problem() else None
    return Gathered(
        of=c,
        sources=tuple(sorted(_sources(c, pen), key=_tightest_first)),
        reasons=tuple(reasons),
        tolerance_um=pen.tolerance_um if pen else 0,
        step_um=pen.depth_step_um if pen else _PLAN_STEP_UM,
        shallowest_um=pen.depth_min_um if pen else 0,
    )


_ORDER = {source: place for place, source in enumerate(LimitSource)}


def _tightest_first(limit: SourceLimit) -> tuple[int, int]:
    return limit.limit_um, _ORDER[limit.source]


def _sources(c: Constraints, pen: PenLimits | None) -> list[SourceLimit]:
    found: list[SourceLimit] = []

    def add(source: LimitSource, limit_um: int | None) -> None:
        if _is_length(limit_um):
            found.append(SourceLimit(source, limit_um))

    zone = c.zone
    if zone is not None and not zone.forbidden:
        # The one thing an override does: the hard ceiling stands where the ceiling stood.
        base_um = zone.hard_ceiling_um if overrides(c.override, zone, c.side) else zone.ceiling_um
        add(LimitSource.ZONE, base_um)
        if c.screening is not None and not c.screening.problem() and c.screening.factor < 1:
            add(LimitSource.SCREENING, int(base_um * c.screening.factor))
        if c.clinic is not None and not c.clinic.problem():
            add(LimitSource.CLINIC, c.clinic.ceiling_um(zone.name))
    add(LimitSource.CARTRIDGE, c.cartridge_length_um)
    add(LimitSource.DEVICE, pen.depth_max_um if pen else None)
    add(LimitSource.HELD, c.held_um)
    return found


def overrides(override: Override | None, zone: Zone, side: str | None) -> bool:
    """Whether this override is whole and is for this zone and side."""
    return (
        override is not None
        and not override.problem()
        and override.zone == zone.name
        and override.side == side
    )


def _is_length(value: int | None) -> TypeGuard[int]:
    return type(value) is int and value >= 0


def _place_reasons(c: Constraints) -> list[Reason]:
    """Why nothing may be needled here, in this patient, whatever the depth."""
    zone, side = c.zone, c.side
    if zone is None:
        return [
            Reason("zone-unknown", "no zone is chosen", "choose a zone first; `penstroke zones` lists them")
        ]
    return [
        *side_reasons(zone, side),
        *_forbidden_reasons(c, zone),
        *_screening_reasons(c, zone),
    ]


def side_reasons(zone: Zone, side: object) -> list[Reason]:
    """Why this side does not go with this zone; empty where it does."""
    if zone.sided and not is_side(side):
        shown = (
            "has a left and a right, and none was named" if side is None else "has only a left and a right"
        )
        hint = "name the patient's left or right"
        return [Reason("side-required", f"{zone.name} {shown}", hint, zone=zone.name)]
    if not zone.sided and side is not None:
        return [Reason("side-not-used", f"{zone.name} has no sides", "leave the side out", zone=zone.name)]
    return []


def _forbidden_reasons(c: Constraints, zone: Zone) -> list[Reason]:
    label = zone.label(c.side)
    reasons = []
    if zone.forbidden:
        reasons.append(
            Reason(
                "zone-forbidden",
                f"{label} is forbidden: nothing may be needled there (set by: zone)",
                "choose another zone; no override lifts this",
                zone=zone.name,
                side=c.side,
                bound_by=LimitSource.ZONE,
            )
        )
    if c.clinic is not None and zone.name in c.clinic.forbidden:
        reasons.append(
            Reason(
                "zone-forbidden",
                f"{label} is forbidden by the clinic's profile {c.clinic.name!r} (set by: clinic)",
                "choose another zone, or have the profile changed by whoever answers for it",
                zone=zone.name,
                side=c.side,
                bound_by=LimitSource.CLINIC,
            )
        )
    return reasons


def _screening_reasons(c: Constraints, zone: Zone) -> list[Reason]:
    if c.screening is None:
        return []
    reasons = [
        Reason(
            "screening-blocks",
            f"screening blocks treatment: {cause} (set by: screening)",
            "do not treat; no override lifts this",
            bound_by=LimitSource.SCREENING,
        )
        for cause in c.screening.blocked_by
    ]
    if c.screening.excludes(zone, c.side):
        reasons.append(
            Reason(
                "zone-excluded",
                f"{zone.label(c.side)} is excluded for this patient (set by: screening)",
                "leave this zone out; no override lifts this",
                zone=zone.name,
                side=c.side,
                bound_by=LimitSource.SCREENING,
            )
        )
    return reasons


def _unknown_reasons(c: Constraints) -> list[Reason]:
    """What must be known for this scope and is not."""
    required = _REQUIRED[c.scope]
    reasons = []
    if c.pen is None and LimitSource.DEVICE in required:
        reasons.append(_missing("what the pen can do", "connect to the pen again", LimitSource.DEVICE))
    if c.cartridge_length_um is None and LimitSource.CARTRIDGE in required:
        message = "no cartridge is known in the pen, so neither is the length of its needles"
        hint = "fit a cartridge that the pen can read"
        reasons.append(Reason("cartridge-missing", message, hint, bound_by=LimitSource.CARTRIDGE))
    if c.held_um is None and LimitSource.HELD in required:
        reasons.append(
            _missing("the limit held by the pen itself", "select the zone again", LimitSource.HELD)
        )
    if c.clinic is None:
        reasons.append(_missing("the clinic's profile", "repair clinic.toml", LimitSource.CLINIC))
    if c.screening is None:
        reasons.append(_missing("the screening of this patient", "screen first", LimitSource.SCREENING))
    return reasons


def _missing(what: str, hint: str, source: LimitSource) -> Reason:
    return Reason("limit-missing", f"{what} is not known, so no depth is allowed", hint, bound_by=source)


def _unreadable_reasons(c: Constraints) -> list[Reason]:
    """What is known but cannot be right."""
    found: list[tuple[str, LimitSource]] = []
    if c.zone is not None and not (_is_length(c.zone.ceiling_um) and _is_length(c.zone.hard_ceiling_um)):
        found.append((f"the ceilings of {c.zone.name} are not whole micrometres", LimitSource.ZONE))
    elif c.zone is not None and c.zone.ceiling_um > c.zone.hard_ceiling_um:
        found.append((f"the ceiling of {c.zone.name} is above its hard ceiling", LimitSource.ZONE))
    if c.pen is not None and (problem := c.pen.problem()):
        found.append((f"what the pen tells of itself cannot be right: {problem}", LimitSource.DEVICE))
    if c.cartridge_length_um is not None and not _is_length(c.cartridge_length_um):
        found.append(("the cartridge's needle length is not whole micrometres", LimitSource.CARTRIDGE))
    if c.held_um is not None and not _is_length(c.held_um):
        found.append(("the limit held by the pen is not whole micrometres", LimitSource.HELD))
    if c.clinic is not None and (problem := c.clinic.problem()):
        found.append((f"the clinic's profile cannot be right: {problem}", LimitSource.CLINIC))
    if c.screening is not None and (problem := c.screening.problem()):
        found.append((f"the screening of this patient cannot be right: {problem}", LimitSource.SCREENING))
    reasons = [
        Reason("limits-invalid", message, "nothing moves until it is", bound_by=by) for message, by in found
    ]
    if c.override is not None and (problem := c.override.problem()):
        hint = "give both --override-by and --reason"
        reasons.append(Reason("override-invalid", problem, hint, bound_by=LimitSource.ZONE))
    return reasons
