"""A simulated pen in this process, on virtual time, as a port.

The simulator is found through an entry point and knows nothing of this package, so its errors are the
system's; here they become ours.
"""

from __future__ import annotations

from typing import Protocol

from penstroke.errors import LinkLost
from penstroke.ports.control import ControlSocket


class Device(Protocol):
    """What an entry point of the group `penstroke.virtual_ports` gives: a world that `read` moves forward."""

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def now_ns(self) -> int: ...
    def close(self) -> None: ...


class VirtualPort:
    """See `Port`. `device` is the simulator's own object, for tests that inject faults."""

    simulated = True
    control: ControlSocket | None = None

    def __init__(self, device: Device, name: str) -> None:
        self.device = device
        self.name = name
        self.now_ns = device.now_ns
        self._closed = False

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        try:
            return self.device.read(max_bytes, timeout_ns)
        except OSError as error:
            raise self._lost(error) from error

    def write(self, data: bytes) -> None:
        try:
            self.device.write(data)
        except OSError as error:
            raise self._lost(error) from error

    def write_now(self, data: bytes) -> None:
        self.write(data)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.device.close()

    def _lost(self, error: OSError) -> LinkLost:
        reason = "the port is closed" if self._closed else error.strerror or str(error)
        return LinkLost(f"the line to the simulated pen on {self.name} has gone ({reason})", port=self.name)
