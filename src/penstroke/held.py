"""What this session gave the pen, and what the pen was read back to hold.

Strategy. Nothing here talks to the pen: `Pen` asks, and hands over what was told. What was never told in this
session is not believed, what was told otherwise than it was given is a fault of the pen, and a request that
was left without an answer leaves in force only what the pen, asked afresh, still holds as it was verified.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from penstroke.errors import DeviceFault
from penstroke.gate import Gate
from penstroke.safety import (
    Allowed,
    ClinicProfile,
    Constraints,
    DepthLimit,
    Override,
    PenLimits,
    Refusal,
    Scope,
    Screening,
    Zone,
    depth_limit,
    gather,
    judge_depth,
)
from penstroke.status import Cartridge
from penstroke_protocol.messages import Flag, Settings, Status

ZONE_SET = int(Flag.ZONE_SET)
DEPTH_SET = int(Flag.DEPTH_SET)
RATE_SET = int(Flag.RATE_SET)


class Held:
    """The settings in force on one pen in one session, and the limits that go with them."""

    def __init__(
        self, pen: PenLimits, *, clinic: ClinicProfile | None, screening: Screening | None, gate: Gate
    ) -> None:
        if clinic is not None:
            # Taken as it is now: limits gathered once must not change under a caller's hands.
            clinic = replace(clinic, ceilings_um=MappingProxyType(dict(clinic.ceilings_um)))
        self.gate = gate
        self.settings = Settings(0, 0, 0, 0, 0, 0)
        """What is believed: read back after each setting, its flags only where verified in this session."""
        self.ceiling_um = 0
        """The ceiling this session gave the pen for the zone in force."""
        self._bound(Constraints(zone=None, pen=pen, clinic=clinic, screening=screening))

    def _bound(self, constraints: Constraints) -> None:
        self.constraints = constraints
        self._gathered = gather(constraints)

    # -- what is allowed -------------------------------------------------------------------------------

    def check_depth(self, mm: object) -> Allowed | Refusal:
        """The verdict on a depth in millimetres under the limits in force."""
        return judge_depth(mm, self._gathered)

    def limit(self) -> DepthLimit | Refusal:
        """The limit in force."""
        return depth_limit(self.constraints)

    def if_chosen(self, zone: Zone, side: str | None, override: Override | None = None) -> Constraints:
        """The constraints were this zone chosen now: what the pen would hold for it is not known yet."""
        return replace(
            self.constraints, zone=zone, side=side, held_um=None, override=override, scope=Scope.SELECT
        )

    def screened(self, screening: Screening) -> None:
        """What screening found, told later than at first. Raises `ValueError` where it would loosen."""
        before = self.constraints.screening
        if before is not None and not (
            screening.factor <= before.factor
            and screening.excluded >= before.excluded
            and set(screening.blocked_by) >= set(before.blocked_by)
        ):
            raise ValueError("screening only ever tightens: this one is looser than the one in force")
        self._bound(replace(self.constraints, screening=screening))

    # -- what was told ---------------------------------------------------------------------------------

    def cartridge(self, cartridge: Cartridge) -> None:
        """The pen told of its cartridge; the length of needles that nobody can name is not known."""
        known = cartridge.present and cartridge.id
        self._bound(
            replace(self.constraints, cartridge_length_um=cartridge.needle_length_um if known else None)
        )

    def zone_given(self, wanted: Constraints, ceiling_um: int, told: Settings) -> None:
        """The pen agreed to a zone: nothing else is set in it."""
        self._bound(replace(wanted, scope=Scope.MOTION))
        self.ceiling_um = ceiling_um
        self.hold_told(told.held_ceiling_um)
        verified = told.flags & (self.settings.flags | ZONE_SET) & ~DEPTH_SET
        self.settings = settings_in(told, flags=verified)

    def forget_zone(self) -> None:
        """No zone is chosen any more."""
        self.gate.forbid_zone()
        self._bound(
            replace(self.constraints, zone=None, side=None, held_um=None, override=None, scope=Scope.MOTION)
        )

    def adopt(self, told: Settings, setting: int) -> None:
        """Believe what was read back: `setting` is verified now, the others only if they were before."""
        agree("zone", (told.zone, told.side), (self.settings.zone, self.settings.side))
        self.settings = settings_in(told, flags=told.flags & (self.settings.flags | setting))
        self.gate.verified(self.settings)

    def asked_afresh(self, told: Status) -> None:
        """The pen was asked after a request that had no answer."""
        self.settings = still_verified(told, self.settings)
        if not self.settings.flags & ZONE_SET:
            self.forget_zone()

    def hold_told(self, held_um: int) -> None:
        """The pen told what it holds: never above what this session gave it."""
        if held_um > self.ceiling_um:
            raise disagreement("ceiling", held_um, self.ceiling_um)
        self.hold(held_um)

    def hold(self, held_um: int) -> None:
        """From here on nothing deeper is asked for in this zone."""
        self._bound(replace(self.constraints, held_um=held_um))


def settings_in(told: Status | Settings, *, flags: int) -> Settings:
    """The settings that the pen told, with these flags."""
    return Settings(told.zone, told.side, told.held_ceiling_um, told.depth_um, told.rate_dhz, flags)


def still_verified(told: Status, believed: Settings) -> Settings:
    """What may still be believed after a request was left without an answer, now that the pen was asked.

    A setting that the pen holds as it was verified is still verified: a request older than the question can
    no longer be carried out. Whatever differs came through unverified, and has to be set again.
    """
    flags = believed.flags & told.flags
    if (told.zone, told.side) != (believed.zone, believed.side):
        flags = 0
    if told.depth_um != believed.depth_um:
        flags &= ~DEPTH_SET
    if told.rate_dhz != believed.rate_dhz:
        flags &= ~RATE_SET
    return settings_in(told, flags=flags)


def agree(what: str, held: object, wanted: object) -> None:
    """Raise `DeviceFault` (`disagreement`) unless the pen holds what it was told."""
    if held != wanted:
        raise disagreement(what, held, wanted)


def disagreement(what: str, held: object, wanted: object) -> DeviceFault:
    return DeviceFault(
        f"the pen holds another {what} than it was told: {held} instead of {wanted}",
        code="disagreement",
        hint="do not use this pen; `penstroke diagnose` shows what it holds",
    )
