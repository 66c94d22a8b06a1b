"""What must be true before needles may move, worked out from what the pen told. Pure."""

from __future__ import annotations

import datetime

from penstroke.errors import VersionMismatch
from penstroke.safety.units import mm
from penstroke.safety.verdict import Reason
from penstroke.status import Cartridge
from penstroke_protocol import messages
from penstroke_protocol.messages import Flag, HelloAnswer, Role
from penstroke_protocol.zone_table import ZONE_DIGEST

_SWAP = "discard it and fit a new sterile cartridge"
UNREADABLE = Reason(
    "cartridge-unreadable", "the cartridge cannot be read, so neither its needles' length nor its use", _SWAP
)


def why_read_only(answer: HelloAnswer, role: Role) -> str:
    """Why a session can move nothing, in words; empty where it can."""
    if answer.major != messages.MAJOR:
        raise VersionMismatch(
            f"the pen speaks protocol {answer.major}.{answer.minor}, not {messages.MAJOR}.{messages.MINOR}",
            hint="bring firmware and penstroke to the same major version",
        )
    if answer.motion_hash != messages.MOTION_HASH:
        return "its firmware declares other motion messages"
    if answer.zone_digest != ZONE_DIGEST:
        return "its firmware holds another zone table"
    if role is Role.OBSERVER:
        return "it was opened as an observer"
    if answer.role != Role.CONTROLLER:
        return "it granted only the role of observer"
    return ""


def cartridge_reasons(cartridge: Cartridge, treatment: int, today: datetime.date) -> list[Reason]:
    """Why this cartridge may not be used in this treatment now."""
    if not cartridge.present:
        return [Reason("cartridge-missing", "no cartridge is locked in", "fit a new sterile cartridge")]
    if not cartridge.id:
        return [UNREADABLE]
    reasons = []
    if cartridge.treatment not in (0, treatment):
        reasons.append(
            Reason("cartridge-other-treatment", f"cartridge {cartridge.lot} served another treatment", _SWAP)
        )
    if cartridge.strokes and not cartridge.treatment:
        reasons.append(
            Reason("cartridge-used", f"cartridge {cartridge.lot} was used, nobody knows on whom", _SWAP)
        )
    try:
        expired = datetime.date.fromisoformat(cartridge.expiry) < today
    except ValueError:
        return [*reasons, Reason("cartridge-expired", "the cartridge tells no date of expiry", _SWAP)]
    if expired:
        reasons.append(
            Reason("cartridge-expired", f"cartridge {cartridge.lot} expired on {cartridge.expiry}", _SWAP)
        )
    return reasons


def deeper_while_running(now_um: int) -> Reason:
    return Reason(
        "deeper-while-running",
        f"while needles move depth may only become shallower than the {mm(now_um)} mm in force",
        "stop, set the depth, and start again",
        max_mm=now_um / 1000,
    )


def not_set_reasons(verified: int) -> list[Reason]:
    """What is missing of zone, depth and rate, given the flags of what is set and was verified."""
    return [
        Reason(f"{name}-not-set", f"no {name} is set and verified", f"set the {name} first")
        for flag, name in ((Flag.ZONE_SET, "zone"), (Flag.DEPTH_SET, "depth"), (Flag.RATE_SET, "rate"))
        if not verified & flag
    ]
