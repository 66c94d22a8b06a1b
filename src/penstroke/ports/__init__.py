"""Bytes to and from a pen: the one seam between the driver and whatever carries the line.

A real port waits on the monotonic clock; a simulated one in the same process may advance its own world
instead. The driver cannot tell them apart, so the code that runs on virtual time in a test is the code that
runs on a pen.

Errors: only `LinkLost` once open; `PortMissing`, `PortBusy`, `PortDenied` or `PortError` while opening.
Nothing of the `OSError` family gets past this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from penstroke.ports.control import ControlSocket

__all__ = ["Port"]


class Port(Protocol):
    """An open line to a device. One thread reads and writes; `write_now` and `close` may come from any."""

    @property
    def name(self) -> str:
        """What the user named, or the device path found for it."""

    @property
    def simulated(self) -> bool:
        """True when the port itself is a simulator. False is no proof of a real pen: only its HELLO tells."""

    @property
    def control(self) -> ControlSocket | None:
        """Where other programs ask this one to stop; None unless the port is a device of this machine."""

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        """At least one byte, as soon as there is one, at most `max_bytes`; b"" when `timeout_ns` has passed.

        `timeout_ns` None waits for ever, 0 not at all. b"" may come early, and does when `control` has a
        request waiting: look at the clock. Raises `LinkLost` when the line has gone or the port is closed.
        """

    def write(self, data: bytes) -> None:
        """Hand over all of `data`, in one piece unless the line is full; waits at most 200 ms.

        Raises `LinkLost` when the line has gone, takes no bytes in that time, or the port is closed.
        """

    def write_now(self, data: bytes) -> None:
        """The same for STOP: takes no lock, overtakes what still waits to be sent, waits at most 10 ms.

        From any thread and from a signal handler. (`rfc2217://` cannot overtake and may wait 200 ms.) A frame
        that it cuts short is lost, which the link repairs. Raises `LinkLost` when the line takes no bytes.
        """

    def now_ns(self) -> int:
        """The port's clock: nanoseconds that never go back. Only differences mean anything."""

    def black_box(self) -> tuple[str, ...]:
        """The last frames on the line in words, oldest first."""

    def close(self) -> None:
        """Give the line back. Harmless when repeated; a thread inside `read` or `write` gets `LinkLost`."""
