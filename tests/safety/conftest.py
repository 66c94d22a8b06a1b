from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from penstroke import data
from penstroke.safety import Constraints, Figures, PenLimits


@pytest.fixture
def fine() -> PenLimits:
    """The finest of the profiles: 0 to 2.5 mm by 0.05, tolerance 0.05, 25 to 150 Hz."""
    return PenLimits(0, 2500, 50, 50, 250, 1500, 10)


@pytest.fixture
def at(fine: PenLimits) -> Callable[..., Constraints]:
    """Constraints for motion in a zone, everything known; keywords change what they name."""

    def make(zone: str, side: str | None = None, **changes: object) -> Constraints:
        known = data.zone_named(zone)
        base = Constraints(
            zone=known,
            side=side,
            pen=fine,
            cartridge_length_um=2500,
            held_um=known.hard_ceiling_um if known else None,
        )
        return replace(base, **changes)

    return make


@pytest.fixture
def figures() -> Figures:
    return data.figures()
