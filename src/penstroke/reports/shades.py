"""How depth is shown: five classes, each darker and more closely hatched than the one before.

Colour helps where there is colour; the hatching alone tells the classes apart in black and white.
"""

from __future__ import annotations

from dataclasses import dataclass

INK = "#1b2a41"


@dataclass(frozen=True, slots=True)
class Shade:
    """One class of depths."""

    up_to_mm: float
    fill: str
    hatch: str
    """SVG elements that fill a tile of 8 by 8 units."""


def _line(path: str, width: float) -> str:
    return f'<path d="{path}" stroke="{INK}" stroke-width="{width:g}" fill="none"/>'


_RISING = "M-1,1 L1,-1 M0,8 L8,0 M7,9 L9,7"
_FALLING = "M-1,7 L1,9 M0,0 L8,8 M7,-1 L9,1"
_RISING_TWICE = "M-1,5 L5,-1 M0,8 L8,0 M3,9 L9,3 M-1,1 L1,-1 M7,9 L9,7"
_FALLING_TWICE = "M-1,3 L5,9 M0,0 L8,8 M3,-1 L9,5 M-1,7 L1,9 M7,-1 L9,1"

SHADES = (
    Shade(
        0.25,
        "#eef4fa",
        f'<circle cx="2" cy="2" r="0.7" fill="{INK}"/><circle cx="6" cy="6" r="0.7" fill="{INK}"/>',
    ),
    Shade(0.50, "#d3e4f3", _line(_RISING, 0.7)),
    Shade(0.75, "#aecde8", _line(_RISING_TWICE, 0.8)),
    Shade(1.00, "#82b0d9", _line(_RISING_TWICE, 0.8) + _line(_FALLING, 0.8)),
    Shade(1.50, "#5a91c4", _line(_RISING_TWICE, 1.1) + _line(_FALLING_TWICE, 1.1)),
)
"""From shallow to deep. The last one also holds whatever is deeper: nothing may be."""


def shade_of(depth_mm: float) -> int:
    """The place of the class that this depth falls into."""
    return next(
        (place for place, shade in enumerate(SHADES) if depth_mm <= shade.up_to_mm + 1e-9), len(SHADES) - 1
    )


def patterns(prefix: str) -> str:
    """The SVG patterns of all classes, of forbidden zones and of excluded ones. Ids begin with `prefix`."""
    tiles = [
        (f"depth{place}", f'<rect width="8" height="8" fill="{shade.fill}"/>{shade.hatch}')
        for place, shade in enumerate(SHADES)
    ]
    cross = '<path d="M2,2 L6,6 M6,2 L2,6" stroke="#595959" stroke-width="0.8" fill="none"/>'
    tiles.append(("forbidden", f'<rect width="8" height="8" fill="#e6e6e6"/>{cross}'))
    upright = '<path d="M2,0 L2,8 M6,0 L6,8" stroke="#8c1d18" stroke-width="0.9" fill="none"/>'
    tiles.append(("excluded", f'<rect width="8" height="8" fill="#ffffff"/>{upright}'))
    return "".join(
        f'<pattern id="{prefix}{name}" width="8" height="8" patternUnits="userSpaceOnUse">{tile}</pattern>'
        for name, tile in tiles
    )
