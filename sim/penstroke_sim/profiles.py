"""The pens that can be simulated: what each can do, what it has, and the line it hangs on.

The ranges resemble real pens (figures of 21 CFR 878.4430 submissions, named at each profile). None of those
pens has a data port: the line, the features and what is marked *proposed* are this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from penstroke_protocol.messages import LEASE_MS, Feature, HelloAnswer
from penstroke_sim.errors import ScenarioError

BITS_PER_BYTE: Final = 10
"""Start bit, eight data bits, stop bit."""
USB_BYTE_NS: Final = 1_000
"""A full-speed USB device moves about 1 MB/s."""
LINE_LATENCY_NS: Final = 1_000_000
"""One USB frame: what a bridge in low-latency mode, or a native USB device, adds to each byte's way."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of pen. Depths in µm, rates in tenths of a hertz, as on the wire."""

    name: str
    model: str
    summary: str
    depth_min_um: int
    depth_max_um: int
    depth_step_um: int
    tolerance_um: int
    rate_min_dhz: int
    rate_max_dhz: int
    rate_step_dhz: int
    needles: int
    needle_length_um: int
    """Of the cartridge that is in the pen at first."""
    features: Feature
    """`SIMULATED` is always among them."""
    baud: int | None = 115_200
    """Of the line; None for native USB."""
    lease_ms: int = LEASE_MS
    firmware: tuple[int, int, int] = (1, 0, 0)

    @property
    def byte_ns(self) -> int:
        """Time of one byte on the line, ns."""
        return USB_BYTE_NS if self.baud is None else -(-BITS_PER_BYTE * 1_000_000_000 // self.baud)

    def identity(self, *, serial: str, boot_counter: int, motion_hash: int, zone_digest: int) -> HelloAnswer:
        """The answer to HELLO of this pen, version 1.0; nonce and role are the link's to fill in."""
        return HelloAnswer(
            major=1,
            minor=0,
            motion_hash=motion_hash,
            nonce=0,
            zone_digest=zone_digest,
            boot_counter=boot_counter,
            role=0,
            lease_ms=self.lease_ms,
            model=self.model,
            serial=serial,
            firmware_major=self.firmware[0],
            firmware_minor=self.firmware[1],
            firmware_patch=self.firmware[2],
            features=int(self.features | Feature.SIMULATED),
            depth_min_um=self.depth_min_um,
            depth_max_um=self.depth_max_um,
            depth_step_um=self.depth_step_um,
            tolerance_um=self.tolerance_um,
            rate_min_dhz=self.rate_min_dhz,
            rate_max_dhz=self.rate_max_dhz,
            rate_step_dhz=self.rate_step_dhz,
            needles=self.needles,
        )


FINE: Final = Profile(
    name="fine",
    model="sim-fine",
    summary="0.05 to 2.50 mm in steps of 0.05 (±0.05 mm), 25 to 150 Hz, 16 needles",
    # Range and rates span the class of pens (PRIME 5(5) 2015); step and tolerance are proposed. Zero cannot
    # be set: the shallowest depth is the first step.
    depth_min_um=50,
    depth_max_um=2500,
    depth_step_um=50,
    tolerance_um=50,
    rate_min_dhz=250,
    rate_max_dhz=1500,
    rate_step_dhz=10,
    needles=16,
    needle_length_um=2500,
    features=Feature.TRIGGER | Feature.STOP_KEY | Feature.BATTERY,
)

FIXED_RATE: Final = Profile(
    name="fixed-rate",
    model="sim-fixed-rate",
    summary="0.25 to 2.50 mm in steps of 0.25 (±0.05 mm), fixed 116.7 Hz, 14 needles",
    # After SkinPen Precision (DEN160029, K202243): 7,000 rpm. The tolerance is proposed.
    depth_min_um=250,
    depth_max_um=2500,
    depth_step_um=250,
    tolerance_um=50,
    rate_min_dhz=1167,
    rate_max_dhz=1167,
    rate_step_dhz=1,
    needles=14,
    needle_length_um=2500,
    features=Feature.STOP_KEY | Feature.BATTERY,
)

COARSE_TOLERANCE: Final = Profile(
    name="coarse-tolerance",
    model="sim-coarse",
    summary="0.20 to 1.90 mm in steps of 0.10 (±0.15 mm), 100 to 150 Hz, 6 needles of 1.50 mm, native USB",
    # After Exceed (K180778, K182407): mains powered, with a footswitch; the shallowest depth is that of
    # Dermapen 4 (K221070). Steps of the rate are proposed.
    depth_min_um=200,
    depth_max_um=1900,
    depth_step_um=100,
    tolerance_um=150,
    rate_min_dhz=1000,
    rate_max_dhz=1500,
    rate_step_dhz=50,
    needles=6,
    needle_length_um=1500,
    features=Feature.TRIGGER | Feature.STOP_KEY,
    baud=None,
)

PROFILES: Final[dict[str, Profile]] = {
    profile.name: profile for profile in (FINE, FIXED_RATE, COARSE_TOLERANCE)
}
DEFAULT_PROFILE: Final = FINE.name


def profile_named(name: str) -> Profile:
    """The profile called `name`. Raises `ScenarioError`, naming those there are."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ScenarioError(f"there is no profile {name!r}: choose one of {', '.join(PROFILES)}") from None
