"""Limits and verdicts: pure, total, and the same on every door to the needles.

No file, no clock, no device: whoever calls passes in what is known, and gets a value back.
"""

from penstroke.safety.check import check_depth, find_zone, judge_depth, preset_um
from penstroke.safety.clinic import parse_clinic
from penstroke.safety.duty import check_run, check_zone_time
from penstroke.safety.figures import Figure, Figures, parse_figures
from penstroke.safety.limits import (
    NO_CLINIC,
    NOT_SCREENED,
    ClinicProfile,
    Constraints,
    DepthLimit,
    LimitSource,
    Override,
    PenLimits,
    Scope,
    Screening,
    SourceLimit,
    depth_limit,
    gather,
)
from penstroke.safety.rate import check_envelope, check_rate
from penstroke.safety.units import depth_um_from_text, hz, mm, mm_from_um, rate_hz_from_text
from penstroke.safety.verdict import CODES, Allowed, AllowedRate, AllowedRun, Reason, Refusal
from penstroke.safety.zones import SIDES, Side, Zone, is_side, parse_zones

__all__ = [
    "CODES",
    "NOT_SCREENED",
    "NO_CLINIC",
    "SIDES",
    "Allowed",
    "AllowedRate",
    "AllowedRun",
    "ClinicProfile",
    "Constraints",
    "DepthLimit",
    "Figure",
    "Figures",
    "LimitSource",
    "Override",
    "PenLimits",
    "Reason",
    "Refusal",
    "Scope",
    "Screening",
    "Side",
    "SourceLimit",
    "Zone",
    "check_depth",
    "check_envelope",
    "check_rate",
    "check_run",
    "check_zone_time",
    "depth_limit",
    "depth_um_from_text",
    "find_zone",
    "gather",
    "hz",
    "is_side",
    "judge_depth",
    "mm",
    "mm_from_um",
    "parse_clinic",
    "parse_figures",
    "parse_zones",
    "preset_um",
    "rate_hz_from_text",
]
