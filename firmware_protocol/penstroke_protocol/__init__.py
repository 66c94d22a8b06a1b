"""The wire: frames, messages and the two link engines, without I/O and without a clock.

`HostLink` and `DeviceLink` are the two ends; `messages` declares every message once; `frames` turns them into
bytes and back. The specification beside this package says in words what is done here in code.

Names are imported on use: a program that only wants to stop a pen must not wait for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstroke_protocol.device_link import DeviceLink
    from penstroke_protocol.errors import BadFrame, BadPayload, WireError
    from penstroke_protocol.frames import Frame, Receiver
    from penstroke_protocol.host_link import HostLink
    from penstroke_protocol.link import Link

__all__ = ["BadFrame", "BadPayload", "DeviceLink", "Frame", "HostLink", "Link", "Receiver", "WireError"]

_HOME = {
    "BadFrame": "errors",
    "BadPayload": "errors",
    "DeviceLink": "device_link",
    "Frame": "frames",
    "HostLink": "host_link",
    "Link": "link",
    "Receiver": "frames",
    "WireError": "errors",
}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
