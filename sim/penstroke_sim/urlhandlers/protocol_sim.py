"""`sim://` for pyserial: a simulated pen inside the process, level with the wall clock.

No thread runs it: the world catches up whenever the port is touched, and a read sleeps until the world has
something to say. Several threads may touch it, as they may a real port (STOP comes from any thread), so all
of it is done under one condition.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from serial.serialutil import PortNotOpenError, SerialBase, SerialException

from penstroke_sim.address import Address, parse_address
from penstroke_sim.errors import ScenarioError
from penstroke_sim.pacing import Pacer
from penstroke_sim.world import World

LONGEST_WAIT_S = 1.0


class Serial(SerialBase):
    """A port with a simulated pen at its far end. Line settings are taken and mean nothing here.

    The pen is powered up at the first opening and lives as long as this object: closed and opened again, it
    is the same pen, whose time went on meanwhile.
    """

    simulated = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._touch = threading.Condition()
        self._pacer: Pacer | None = None
        self._interrupted = False
        self.world: World | None = None
        """The pen behind the port, for tests; None before the first opening."""
        super().__init__(*args, **kwargs)

    def open(self) -> None:
        """Open the port. Raises `ScenarioError` (a `ValueError`, pyserial's kind for wrong parameters) for
        an address that is wrong, `SerialException` for a pen that is unplugged."""
        if self.port is None:
            raise SerialException("Port must be configured before it can be used.")
        if self.is_open:
            raise SerialException("Port is already open.")
        with self._touch:
            if self.world is None:
                address = _address(self.port)
                self.world = address.new_world()
                self._pacer = Pacer(self.world, speed=address.speed)
            self.is_open = True
            try:
                self._caught_up()
            except SerialException:
                self.is_open = False
                raise
            # Nobody had the port open: what the pen said meanwhile is lost.
            self.world.take_output()

    def close(self) -> None:
        """Close the port; a read that waits in another thread returns."""
        with self._touch:
            self.is_open = False
            self._touch.notify_all()

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes; waits for all of them, at most for the port's timeout."""
        until_s = None if self.timeout is None else time.monotonic() + self.timeout
        data = bytearray()
        with self._touch:
            self._interrupted = False
            while True:
                world, pacer = self._caught_up()
                data += world.take_output(size - len(data))
                left_s = LONGEST_WAIT_S if until_s is None else until_s - time.monotonic()
                if len(data) >= size or left_s <= 0 or self._interrupted:
                    return bytes(data)
                self._touch.wait(pacer.wait_s(min(left_s, LONGEST_WAIT_S)))
                if not self.is_open:
                    return bytes(data)

    def write(self, data: Any) -> int:
        """Hand bytes to the line; it takes them at once, as the driver of a real port does."""
        raw = bytes(data)
        with self._touch:
            self._caught_up()[0].host_sends(raw)
            # A reader that waits planned its wait without what the pen may answer now.
            self._touch.notify_all()
        return len(raw)

    def flush(self) -> None:
        """Nothing waits on this side of the line."""

    def cancel_read(self) -> None:
        """Let a read that waits in another thread return with what it has."""
        with self._touch:
            self._interrupted = True
            self._touch.notify_all()

    @property
    def in_waiting(self) -> int:
        """1 when there is something to read, else 0."""
        with self._touch:
            return int(self._caught_up()[0].output_ready())

    def reset_input_buffer(self) -> None:
        """Lose what has arrived and was not read."""
        with self._touch:
            self._caught_up()[0].take_output()

    def reset_output_buffer(self) -> None:
        """Nothing waits on this side of the line."""

    def _caught_up(self) -> tuple[World, Pacer]:
        """The world, level with the clock, and what keeps it so.

        Raises what pyserial raises for a port that is closed or has vanished.
        """
        if not self.is_open or self.world is None or self._pacer is None:
            raise PortNotOpenError()
        self._pacer.catch_up()
        if not self.world.line_up:
            raise SerialException("device disconnected: the simulated pen was unplugged")
        return self.world, self._pacer

    def _reconfigure_port(self) -> None:
        """Line settings mean nothing here."""

    def _update_break_state(self) -> None:
        """Nothing hangs on it."""

    def _update_rts_state(self) -> None:
        """Nothing hangs on it: the pen is not reset by opening its port."""

    def _update_dtr_state(self) -> None:
        """Nothing hangs on it: the pen is not reset by opening its port."""

    @property
    def cts(self) -> bool:
        """There is no flow control."""
        return True

    @property
    def dsr(self) -> bool:
        """The pen is there."""
        return True

    @property
    def ri(self) -> bool:
        """Nobody rings."""
        return False

    @property
    def cd(self) -> bool:
        """The pen is there."""
        return True


def _address(url: str) -> Address:
    address = parse_address(url)
    if address.virtual:
        raise ScenarioError(f"{url!r}: a port of pyserial keeps wall time, so it takes no clock=virtual")
    return address
