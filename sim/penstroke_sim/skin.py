"""How the skin of a zone resists the needles; felt by the motor, never used to decide anything.

Thickness of epidermis and dermis: where a range is named, PMC9205051 (its middle is used). The others are
*proposed*, extrapolated from neighbouring zones. Force for a single needle: 20 to 167 mN (Römgens 2014), with
sudden entry near 0.16 mm depth.
"""

from __future__ import annotations

from typing import Final, NamedTuple

ENTRY_UM: Final = 160
"""Depth at which a needle breaks through the surface."""
FORCE_LOW_N: Final = 0.020
FORCE_HIGH_N: Final = 0.167


class Skin(NamedTuple):
    """Skin of one zone. `sourced` is False where the thickness is proposed."""

    thickness_um: int
    sourced: bool

    def force_n(self, depth_um: float) -> float:
        """Force on one needle at the bottom of its stroke, N; rises to its highest at full thickness."""
        if depth_um <= 0:
            return 0.0
        if depth_um < ENTRY_UM:
            return FORCE_LOW_N * depth_um / ENTRY_UM
        reached = min(1.0, (depth_um - ENTRY_UM) / max(1, self.thickness_um - ENTRY_UM))
        return FORCE_LOW_N + (FORCE_HIGH_N - FORCE_LOW_N) * reached


PROPOSED: Final = Skin(1200, False)
"""Where nothing better is known."""

SKINS: Final[dict[int, Skin]] = {
    1: Skin(1225, True),  # forehead, 1.06 to 1.39 mm
    2: Skin(1220, True),  # glabella, 1.09 to 1.35 mm
    3: Skin(1115, True),  # temple, 0.98 to 1.25 mm
    4: Skin(600, False),  # periorbital: among the thinnest of the face
    6: Skin(1000, False),  # nose_bridge
    7: Skin(1500, False),  # nose_tip: thickest facial dermis (Chopra 2015), no figure taken over
    9: Skin(1200, True),  # cheekbone, 1.07 to 1.33 mm
    14: Skin(1160, True),  # jawline: submandibular, 1.09 to 1.23 mm
    15: Skin(1160, True),  # neck_front, 1.16 mm
    17: Skin(1500, False),  # scalp
    18: Skin(900, False),  # hand_dorsum
    25: Skin(2000, False),  # back
}
"""By the number of the zone in the zone table."""


def skin_of(zone: int) -> Skin:
    """The skin of a zone, by its number."""
    return SKINS.get(zone, PROPOSED)
