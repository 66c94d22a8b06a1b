"""The wire: frames, messages and the two link engines, without I/O and without a clock.

`HostLink` and `DeviceLink` are the two ends; `messages` declares every message once; `frames` turns them into
bytes and back. The specification beside this package says in words what is done here in code.
"""

from __future__ import annotations

from penstroke_protocol.device_link import DeviceLink
from penstroke_protocol.errors import BadFrame, BadPayload, WireError
from penstroke_protocol.frames import Frame, Receiver
from penstroke_protocol.host_link import HostLink
from penstroke_protocol.link import Link

__all__ = ["BadFrame", "BadPayload", "DeviceLink", "Frame", "HostLink", "Link", "Receiver", "WireError"]
