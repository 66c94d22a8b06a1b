"""Generated from the clinical zone table by `firmware_protocol/generate.py`; do not edit."""

from __future__ import annotations

from penstroke_protocol.zones import DeviceZone, digest_of

ZONES: tuple[DeviceZone, ...] = (
    DeviceZone(1, "forehead", False, 750),
    DeviceZone(2, "glabella", False, 750),
    DeviceZone(3, "temple", True, 500),
    DeviceZone(4, "periorbital", True, 500),
    DeviceZone(5, "eyelid", True, 0),
    DeviceZone(6, "nose_bridge", False, 500),
    DeviceZone(7, "nose_tip", False, 750),
    DeviceZone(8, "cheek", True, 1500),
    DeviceZone(9, "cheekbone", True, 750),
    DeviceZone(10, "upper_lip", False, 750),
    DeviceZone(11, "lip_vermilion", False, 0),
    DeviceZone(12, "mucosa", False, 0),
    DeviceZone(13, "chin", False, 1000),
    DeviceZone(14, "jawline", True, 1000),
    DeviceZone(15, "neck_front", False, 1000),
    DeviceZone(16, "decolletage", False, 1000),
    DeviceZone(17, "scalp", False, 1500),
    DeviceZone(18, "hand_dorsum", True, 750),
    DeviceZone(19, "upper_arm", True, 1000),
    DeviceZone(20, "forearm", True, 1000),
    DeviceZone(21, "abdomen", False, 1500),
    DeviceZone(22, "flank", True, 1500),
    DeviceZone(23, "thigh", True, 1500),
    DeviceZone(24, "buttock", True, 1500),
    DeviceZone(25, "back", False, 1500),
    DeviceZone(26, "breast", True, 1000),
    DeviceZone(27, "areola", True, 0),
)

ZONE_DIGEST: int = digest_of(ZONES)
