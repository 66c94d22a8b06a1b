"""The last look at what is about to leave: a second opinion on the bytes themselves.

The safety layer has judged the wish; the gate judges the request decoded from the very frame that would be
written, against what was permitted, so that no mistake between the two, in rounding, scaling or encoding,
reaches a needle. A permission is for one request, once; motion needs settings that were read back.
"""

from __future__ import annotations

from typing import Any

from penstroke.ledger import RECORDED, Ledger
from penstroke.safety.zones import Zone
from penstroke.status import SIDE_CODES
from penstroke_protocol.messages import Arm, LowerCeiling, SelectZone, SetDepth, SetRate, Settings, Start
from penstroke_protocol.zone_table import ZONES

_SETTING = (SelectZone, LowerCeiling, SetDepth, SetRate)


class GateClosed(RuntimeError):
    """A request was about to leave that nobody permitted: a bug of this program, and nothing was sent."""


class Gate:
    """What may leave now. Everything that can move a needle is forbidden until it is permitted.

    With a `ledger`, what sets or moves must be on record as well.
    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        self._ledger = ledger
        self._next: Any = None
        """The one setting that may leave next."""
        self._ceiling_um = 0
        """For the zone that was last permitted."""
        self._verified: Settings | None = None
        """What the pen was read back to hold after the last setting."""
        self._motion: Settings | None = None
        self._treatment = 0

    def permit_zone(self, zone: Zone, side: str | None, *, ceiling_um: int) -> SelectZone:
        """This zone may be selected, once, with the ceiling of this session. Forgets what was verified."""
        hard_um = next((row.hard_ceiling_um for row in ZONES if row.number == zone.id), 0)
        self.forbid_zone()
        self._ceiling_um = min(ceiling_um, zone.hard_ceiling_um, hard_um)
        request = SelectZone(zone.id, int(SIDE_CODES[side]), ceiling_um)
        self._next = request if ceiling_um <= self._ceiling_um else None
        return request

    def permit_ceiling(self, ceiling_um: int) -> LowerCeiling:
        """The ceiling may be lowered to this, once."""
        request = LowerCeiling(ceiling_um)
        self._next = request if ceiling_um <= self._ceiling_um else None
        return request

    def permit_depth(self, depth_um: int, *, limit_um: int, tolerance_um: int) -> SetDepth:
        """This depth may be set, once; `limit_um` is the tightest limit that was found."""
        request = SetDepth(depth_um)
        fits = depth_um > 0 and depth_um + tolerance_um <= min(limit_um, self._ceiling_um)
        self._next = request if fits else None
        return request

    def permit_rate(self, rate_dhz: int) -> SetRate:
        """This rate may be set, once."""
        self._next = SetRate(rate_dhz)
        return SetRate(rate_dhz)

    def verified(self, settings: Settings) -> None:
        """The pen was read back, and holds this."""
        self._verified = settings

    def permit_motion(self, settings: Settings, treatment: int) -> None:
        """The pen may be armed and started with exactly these settings, if they were verified."""
        known = self._verified
        self._motion = settings if known is not None and _same(known, settings) else None
        self._treatment = treatment

    def forbid_motion(self) -> None:
        """A run ended: arming again needs a fresh permission."""
        self._motion = None

    def forbid_zone(self) -> None:
        """The zone is left: nothing may be set or moved until another is permitted."""
        self._next = None
        self._ceiling_um = 0
        self._verified = None
        self._motion = None

    def judge(self, request: Any) -> None:
        """Raise `GateClosed` for a request that was not permitted; requests that move nothing pass."""
        if isinstance(request, _SETTING):
            permitted, self._next = request == self._next, None
        elif isinstance(request, Arm):
            permitted = self._motion is not None and request.treatment == self._treatment
        elif isinstance(request, Start):
            permitted = self._motion is not None and _same(self._motion, request)
        else:
            permitted = True
        if not permitted:
            raise GateClosed(f"held back: {request} was not permitted; nothing was sent")
        if self._ledger is not None and isinstance(request, RECORDED):
            self._ledger.command(request)


def _same(settings: Settings, other: Settings | Start) -> bool:
    mine = (settings.zone, settings.side, settings.depth_um, settings.rate_dhz)
    return mine == (other.zone, other.side, other.depth_um, other.rate_dhz)
