"""The simulated pen inside the process, on virtual time: a port whose reads move the pen's time.

A program that waits in `read` lets the world go on to the next bytes or to the end of its patience; a program
that does anything else takes no time at all. So a treatment of 45 minutes runs in seconds, and the same way
every time. To see what the pen does when a program hangs without reading, say `advance`.
"""

from __future__ import annotations

import errno
from typing import Final

from penstroke_sim.journal import Journal
from penstroke_sim.world import World

SILENCE_NS: Final = 600 * 1_000_000_000
"""A read without a timeout gives up after this much virtual time: nothing in a pen takes ten minutes to come,
and a real program would by then hang for good."""


class VirtualPort:
    """A port on a simulated pen, in virtual time. Unplugged or closed it raises `OSError`, as a real one.

    Several may be made of one world one after the other, as a port is closed and opened again.
    """

    simulated = True

    def __init__(self, world: World, name: str = "sim://pen?clock=virtual") -> None:
        self.world = world
        self.name = name
        self._open = True
        world.plug()

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        """Up to `max_bytes` of what has come, waiting at most `timeout_ns` of virtual time; b"" if none came.

        None waits for as long as it takes, and raises `RuntimeError` when nothing will ever come.
        """
        self._check()
        world = self.world
        if not world.output_ready():
            if timeout_ns is None:
                self._wait_for_ever()
            else:
                world.advance_to_output(world.now_ns + timeout_ns)
            self._check()
        return world.take_output(max_bytes)

    def write(self, data: bytes) -> None:
        """Put bytes on the line; takes no time here, but on the line."""
        self._check()
        self.world.host_sends(data)

    def now_ns(self) -> int:
        """Virtual time."""
        return self.world.now_ns

    def close(self) -> None:
        """Close the port. The pen stays as it is; its lease ends what must end."""
        self._open = False

    def inject(self, name: str, **params: object) -> None:
        """Let a fault of the catalogue happen now. Raises `ScenarioError` for what is not in it."""
        self.world.inject(name, **params)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass while the program does nothing. Raises `ValueError` for a negative time."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds} s")
        self.world.advance(self.world.now_ns + round(seconds * 1e9))

    @property
    def journal(self) -> Journal:
        """What really happened in the pen."""
        return self.world.journal

    def _check(self) -> None:
        if not self._open:
            raise OSError(errno.EBADF, "the port is closed")
        if not self.world.line_up:
            raise OSError(errno.ENODEV, "the cable to the simulated pen is unplugged")

    def _wait_for_ever(self) -> None:
        world = self.world
        until_ns = world.now_ns + SILENCE_NS
        if world.next_event_ns() is not None:
            world.advance_to_output(until_ns)
        if world.line_up and not world.output_ready():
            raise RuntimeError("nothing will ever come: a read without a timeout would wait for good")


def open_virtual(url: str) -> VirtualPort:
    """A freshly powered pen at `sim://pen?clock=virtual&seed=7&profile=NAME&scenario=FILE`; all but `sim://`
    may be left out. Raises `ScenarioError` (a `ValueError`) for an address that cannot be used as written."""
    from penstroke_sim.address import parse_address

    return VirtualPort(parse_address(url).new_world(), url)
