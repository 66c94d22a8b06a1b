"""Zone, depth and rate as `set` and `run` take them from the command line, and as the pen then holds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from penstroke.cli.app import complete_sides, complete_zones
from penstroke.cli.errors import UsageProblem
from penstroke.cli.output import say
from penstroke.cli.values import depth_mm, rate_hz

if TYPE_CHECKING:
    from penstroke.pen import Pen


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for. None is left as it is."""

    zone: str
    side: str | None
    depth_mm: Decimal | None
    rate_hz: Decimal | None
    override_by: str | None
    reason: str | None

    def apply(self, pen: Pen) -> None:
        """Choose the zone, then set the rate and the depth; the pen reads back each. Raises `Refused`."""
        from penstroke.safety import Override

        override = None
        if self.override_by is not None or self.reason is not None:
            override = Override(self.zone, self.side, self.override_by or "", self.reason or "")
        pen.select_zone(self.zone, side=self.side, override=override)
        if self.rate_hz is not None:
            pen.set_rate(hz=self.rate_hz)
            held_hz = pen.status().rate_hz
            if held_hz != float(self.rate_hz):
                say(f"asked for {self.rate_hz} Hz: the pen's nearest step is {held_hz} Hz")
        if self.depth_mm is not None:
            pen.set_depth(mm=self.depth_mm)


def wish_options(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a wish; depth and rate are `required` or not."""
    options = [
        click.option("--zone", required=True, shell_complete=complete_zones, help="Zone, as in `zones`."),
        click.option("--side", shell_complete=complete_sides, help="The patient's left or right."),
        click.option(
            "--depth", metavar="MM", required=required, help="Needle depth in millimetres, as 0.45."
        ),
        click.option("--rate", metavar="HZ", required=required, help="Strokes a second, in hertz, as 110."),
        click.option(
            "--override-by",
            metavar="NAME",
            help="Clinician who decides to use the zone's hard ceiling; needs --reason.",
        ),
        click.option("--reason", metavar="TEXT", help="Why the hard ceiling is used."),
    ]

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def wish_of(given: dict[str, Any]) -> Wish:
    """The wish in a command's options. Raises `UsageProblem` for text that is no number."""
    if (given["override_by"] is None) != (given["reason"] is None):
        raise UsageProblem("--override-by and --reason go together", hint="give both, or neither")
    depth, rate = given["depth"], given["rate"]
    return Wish(
        zone=given["zone"],
        side=given["side"],
        depth_mm=None if depth is None else depth_mm(depth),
        rate_hz=None if rate is None else rate_hz(rate),
        override_by=given["override_by"],
        reason=given["reason"],
    )


def held_object(status: dict[str, Any], wish: Wish) -> dict[str, Any]:
    """What the pen holds, for a machine."""
    held = {key: status[key] for key in ("zone", "side", "depth_mm", "rate_hz", "limits")}
    if wish.override_by is not None:
        held["override"] = {"by": wish.override_by, "reason": wish.reason}
    return held
