"""What a firmware does otherwise than it should: the one place where the simulated one is told to be wrong.

The honest firmware asks here at the few points where it could be led astray, so that its own rules stay
readable. All of it survives a reset but `hung`, which a reset ends.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Misbehaviour:
    """As it comes, nothing is wrong."""

    ignores_limits: bool = False
    """Carries out any depth and rate that the actuator can reach."""
    lies_depth: bool = False
    """Takes the commanded depth for the measured one, in its own checks too."""
    depth_offset_um: int = 0
    """Sends the needles deeper (or less deep) than commanded, and does not check."""
    rate_factor: float = 1.0
    """Runs the motor at another rate than commanded, and does not check."""
    read_back_offset_um: int = 0
    """Holds another depth than the one it was told, from the next SET_DEPTH on, and says so."""
    silent: bool = False
    """Sends no telemetry."""
    answer_delay_ns: int = 0
    """Answers come this late; what they say has long been done."""
    major: int | None = None
    """Another major version of the protocol."""
    motion_hash: int | None = None
    zone_digest: int | None = None
    self_test_fails: bool = False
    hung: bool = False
    """The program hangs; the body does what it last did."""
    link_alive: bool = False
    """Only with `hung`: telemetry with its last content goes on, and remembered answers are repeated."""
    watchdog: bool = True
    """Only with `hung`: the hardware watchdog resets it."""
