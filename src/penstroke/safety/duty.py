"""The verdict on time: how long needles may move without a rest, and how long in one zone."""

from __future__ import annotations

from penstroke.safety.figures import Figures
from penstroke.safety.units import exact
from penstroke.safety.verdict import AllowedRun, Reason, Refusal


def check_run(
    duration_s: object, figures: Figures, *, busy_s: float = 0.0, idle_s: float | None = None
) -> AllowedRun | Refusal:
    """Whether a run of this many seconds may start. Never raises.

    `busy_s` is the needling since the last full rest, `idle_s` the time since needles last moved (None where
    they have not yet). A run cut into pieces counts as one until the pen has rested.
    """
    wish = exact(duration_s)
    used = exact(busy_s)
    idle = exact(idle_s) if idle_s is not None else None
    if wish is not None and wish.beyond and wish.positive:
        message = f"a run of {wish.text} s is above the {figures.run_max_s} s allowed (proposed figure)"
        return Refusal((Reason("run-too-long", message, f"run {figures.run_max_s} s or less"),))
    if wish is None or not wish.positive:
        return Refusal((_no_time("the length of a run"),))
    if used is None or used.num < 0 or (idle_s is not None and (idle is None or idle.num < 0)):
        return Refusal((_no_time("what the pen has run and rested"),))
    rested = idle is not None and idle.at_least(figures.rest_s, 1)
    already_s = 0.0 if rested else used.num / used.den
    left_s = figures.run_max_s - already_s
    asked_s = wish.num / wish.den
    if asked_s <= left_s:
        return AllowedRun(asked_s)
    message = (
        f"a run of {asked_s:g} s is above the {figures.run_max_s} s allowed without a rest (proposed figure)"
    )
    hint = f"run {figures.run_max_s} s or less"
    if already_s:
        message = (
            f"a run of {asked_s:g} s after {already_s:g} s of needling is above the {figures.run_max_s} s "
            "allowed without a rest (proposed figure)"
        )
        hint = f"let the pen rest for {figures.rest_s} s"
    return Refusal((Reason("run-too-long", message, hint, requested_s=asked_s, max_s=max(left_s, 0.0)),))


def check_zone_time(
    duration_s: object, figures: Figures, *, used_s: float, planned_s: float
) -> AllowedRun | Refusal:
    """Whether this many more seconds in a zone stay within its time, a multiple of its plan. Never raises."""
    wish, used, planned = exact(duration_s), exact(used_s), exact(planned_s)
    if wish is None or wish.beyond or not wish.positive:
        return Refusal((_no_time("the length of a run"),))
    if used is None or used.num < 0 or planned is None or planned.beyond or planned.num < 0:
        return Refusal((_no_time("the time used or planned in this zone"),))
    asked_s = wish.num / wish.den
    most_s = figures.zone_time_factor * (planned.num / planned.den)
    left_s = most_s - used.num / used.den
    if not used.beyond and asked_s <= left_s:
        return AllowedRun(asked_s)
    message = (
        f"{asked_s:g} s more would make the time in this zone more than {most_s:g} s, which is "
        f"{figures.zone_time_factor} times its plan (proposed figure)"
    )
    hint = "leave this zone; it has had its time"
    return Refusal(
        (Reason("zone-time-exceeded", message, hint, requested_s=asked_s, max_s=max(left_s, 0.0)),)
    )


def _no_time(what: str) -> Reason:
    return Reason("time-invalid", f"{what} must be a finite number of seconds", "give seconds, above zero")
