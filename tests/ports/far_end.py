"""The device's side of a line, and programs beside it: helpers of these tests."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
from collections.abc import Callable
from typing import Protocol

PATIENCE_S = 10.0
"""How long a test waits for something that has to happen, before it fails."""


class FarEnd:
    """The device's side of a pseudo-terminal."""

    def __init__(self) -> None:
        self.fd, near = pty.openpty()
        self.path = os.ttyname(near)
        # Kept open, as a served simulator does, so that the line outlives the host.
        self.near: int | None = near

    def read(self, size: int = 4096) -> bytes:
        assert select.select([self.fd], [], [], PATIENCE_S)[0], "nothing arrived"
        return os.read(self.fd, size)

    def read_until(self, ending: bytes) -> bytes:
        got = b""
        while ending not in got:
            got += self.read()
        return got

    def write(self, data: bytes) -> None:
        os.write(self.fd, data)

    def fill(self) -> None:
        """Write to the near side until the line takes nothing more."""
        assert self.near is not None
        os.set_blocking(self.near, False)
        room = select.poll()
        room.register(self.near, select.POLLOUT)
        # The kernel moves bytes on in the background, until its buffer for the far end is full too.
        while self._arrived() < 4095 or room.poll(0):
            for size in (512, 1):
                try:
                    while True:
                        os.write(self.near, b"\x55" * size)
                except BlockingIOError:
                    continue

    def _arrived(self) -> int:
        return int.from_bytes(fcntl.ioctl(self.fd, termios.FIONREAD, b"\0\0\0\0"), "little")

    def unplug(self) -> None:
        for fd in (self.fd, self.near):
            if fd is not None and fd >= 0:
                os.close(fd)
        self.fd, self.near = -1, None


class Spawn(Protocol):
    """Start a Python script in another process and wait until it has printed `ready`."""

    def __call__(self, script: str, *arguments: str) -> subprocess.Popen[str]: ...


InThread = Callable[[Callable[[], object]], Callable[[], object]]
"""Run something in another thread; what it gives waits for the value, or the exception, and returns it."""
