"""The last look at what is about to leave: a second opinion on the bytes themselves.

The safety layer has judged the wish; the gate judges the request decoded from the very frame that would be
written, against what was permitted, so that no mistake between the two, in rounding, scaling or encoding,
reaches a needle. It knows nothing but numbers handed to it, and what was not permitted is held back.
"""

from __future__ import annotations

from typing import Any

from penstroke.safety.zones import Zone
from penstroke.status import SIDE_CODES
from penstroke_protocol.messages import Arm, LowerCeiling, SelectZone, SetDepth, SetRate, Settings, Start
from penstroke_protocol.zone_table import ZONES


class GateClosed(RuntimeError):
    """A request was about to leave that nobody permitted: a bug of this program, and nothing was sent."""


class Gate:
    """What may leave now. Everything is forbidden until it is permitted."""

    def __init__(self) -> None:
        self._zone: tuple[int, int] | None = None
        self._ceiling_um = 0
        self._depth_um: int | None = None
        self._rate_dhz: int | None = None
        self._motion: Settings | None = None
        self._treatment = 0

    def permit_zone(self, zone: Zone, side: str | None, *, ceiling_um: int) -> None:
        """This zone may be selected with this session ceiling. Forgets what was permitted before."""
        self._zone = (zone.id, int(SIDE_CODES[side]))
        hard_um = next((row.hard_ceiling_um for row in ZONES if row.number == zone.id), 0)
        self._ceiling_um = min(ceiling_um, zone.hard_ceiling_um, hard_um)
        self._depth_um = None
        self._motion = None

    def permit_depth(self, depth_um: int, limit_um: int, tolerance_um: int) -> None:
        """This depth may be set; `limit_um` is the tightest limit that was found."""
        allowed = depth_um > 0 and depth_um + tolerance_um <= min(limit_um, self._ceiling_um)
        self._depth_um = depth_um if allowed else None

    def permit_rate(self, rate_dhz: int) -> None:
        """This rate may be set."""
        self._rate_dhz = rate_dhz

    def permit_motion(self, settings: Settings, treatment: int) -> None:
        """The pen may be armed and started with exactly these settings."""
        zone_and_side = (settings.zone, settings.side)
        same = self._zone == zone_and_side and self._depth_um == settings.depth_um
        self._motion = settings if same and self._rate_dhz == settings.rate_dhz else None
        self._treatment = treatment

    def forbid_motion(self) -> None:
        """A run ended: arming again needs a fresh permission."""
        self._motion = None

    def forbid_zone(self) -> None:
        """The zone is left: nothing may be set or moved until another is permitted."""
        self._zone = None
        self._ceiling_um = 0
        self._depth_um = None
        self._motion = None

    def judge(self, request: Any) -> None:
        """Raise `GateClosed` for a request that was not permitted; requests that move nothing pass."""
        if not self._permits(request):
            raise GateClosed(f"held back: {request} was not permitted; nothing was sent")

    def _permits(self, request: Any) -> bool:
        if isinstance(request, SelectZone):
            zone_and_side = (request.zone, request.side)
            return self._zone == zone_and_side and request.session_ceiling_um <= self._ceiling_um
        if isinstance(request, LowerCeiling):
            return request.session_ceiling_um <= self._ceiling_um
        if isinstance(request, SetDepth):
            return request.depth_um == self._depth_um
        if isinstance(request, SetRate):
            return request.rate_dhz == self._rate_dhz
        if isinstance(request, Arm):
            return self._motion is not None and request.treatment == self._treatment
        if isinstance(request, Start):
            asked = (request.zone, request.side, request.depth_um, request.rate_dhz)
            motion = self._motion
            return motion is not None and asked == (
                motion.zone,
                motion.side,
                motion.depth_um,
                motion.rate_dhz,
            )
        return True
