"""A port that is a file descriptor: serial device, pseudo-terminal or TCP socket.

Strategy: `poll`, then one `os.read`; one `os.write`, and `poll` only if the line is full. That is the floor
of what the system allows, and it leaves no lock that a STOP from another thread could have to wait for.

What makes it safe without a lock is how it ends. `close` makes the descriptor refer to a dead pipe (`dup2`),
so the device is free at once and a thread that is just about to write gets an error. The descriptor's number
is freed only when no thread is inside: else the next file opened anywhere in the program could take that
number, and the STOP would be written into that file.
"""

from __future__ import annotations

import fcntl
import os
import select
import termios
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Final

from penstroke.errors import LinkLost
from penstroke.ports.control import ControlSocket

WRITE_WAIT_NS: Final = 200_000_000
"""How long a write may wait for room. The line moves 11,520 bytes a second and a frame is at most 128 bytes,
so one that has not moved for 200 ms is dead, and the pen's lease of 300 ms has not yet let go when the host
knows."""
URGENT_WAIT_NS: Final = 10_000_000
"""How long a STOP may wait when the line is full: the act of stopping has to return within 20 ms. On a
healthy line it waits only where the system serialises two threads writing at the same instant."""
_LONGEST_READ_NS: Final = 3600 * 10**9
_DRAIN_STEPS: Final = 10
_DRAIN_STEP_S: Final = 0.005
_GONE: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL


class FdPort:
    """An open line, read and written through its file descriptor; see `Port`."""

    simulated = False

    def __init__(
        self,
        fd: int,
        *,
        name: str,
        release: Callable[[], object],
        control: ControlSocket | None = None,
    ) -> None:
        """Takes a copy of `fd`; `release` gives back the original and what came with it, once, at `close`."""
        self.name = name
        self.control = control
        self._closed = False
        self._overtaken = 0
        self._inside: deque[None] = deque()
        """One entry for each call under way; appending and popping are atomic."""
        self._fd = os.dup(fd)
        os.set_blocking(self._fd, False)
        dead, alive = os.pipe()
        self._dead = dead
        self._is_tty = os.isatty(self._fd)
        self._readable = select.poll()
        self._readable.register(self._fd, select.POLLIN)
        # The far end of this pipe is closed by `close`: that wakes whoever waits.
        self._readable.register(dead, 0)
        if control is not None:
            self._readable.register(control.fileno(), select.POLLIN)
        self._open_things = ExitStack()
        self._open_things.callback(release)
        self._open_things.callback(os.dup2, dead, self._fd, inheritable=False)
        self._open_things.callback(os.close, alive)
        self._numbers = ExitStack()
        self._numbers.callback(os.close, dead)
        self._numbers.callback(os.close, self._fd)
        # A port that nobody closed and nobody holds any more; never at exit, where a forked child would give
        # back the lock of its parent.
        weakref.finalize(self, _abandon, self._open_things, self._numbers).atexit = False

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        self._inside.append(None)
        try:
            return self._read(max_bytes, timeout_ns)
        finally:
            self._leave()

    def write(self, data: bytes) -> None:
        self._inside.append(None)
        try:
            overtaken = self._overtaken
            sent = self._write_some(data)
            if sent < len(data):
                self._write_rest(memoryview(data)[sent:], WRITE_WAIT_NS, overtaken)
        finally:
            self._leave()

    def write_now(self, data: bytes) -> None:
        self._inside.append(None)
        try:
            # Any change will do, so two threads that both read the same number are no harm.
            self._overtaken += 1
            if self._write_some(data) < len(data):
                # Full, so the pen has taken nothing for a while: drop what waits there, all of it older.
                self._drop_output()
                self._write_rest(memoryview(data), URGENT_WAIT_NS, self._overtaken)
        finally:
            self._leave()

    def close(self) -> None:
        self._inside.append(None)
        try:
            if not self._closed:
                self._closed = True
                self._drain()
            # A device that was unplugged can fail even to close; it is gone either way.
            with suppress(OSError):
                self._open_things.close()
        finally:
            self._leave()

    def _leave(self) -> None:
        """The last one out of a closed port frees the descriptors' numbers."""
        self._inside.pop()
        if self._closed and not self._inside:
            self._numbers.close()

    def _read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        if self._closed:
            raise self._lost(None)
        if timeout_ns is None:
            ready = self._readable.poll()
        else:
            # A negative time would wait for ever, and one of weeks is more than the system takes.
            ready = self._readable.poll(min(max(timeout_ns, 0), _LONGEST_READ_NS) / 1_000_000)
        if self._closed:
            raise self._lost(None)
        for fd, events in ready:
            if fd != self._fd:
                continue
            try:
                data = os.read(fd, max_bytes)
            except BlockingIOError:
                # Another program took the bytes; unless the line has gone, there will be others.
                if events & _GONE:
                    raise self._lost(None) from None
                return b""
            except OSError as error:
                raise self._lost(error) from error
            if not data:
                raise self._lost(None)
            return data
        return b""

    def _write_some(self, data: bytes | memoryview) -> int:
        if self._closed:
            raise self._lost(None)
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._lost(error) from error

    def _write_rest(self, rest: memoryview, wait_ns: int, overtaken: int) -> None:
        writable = select.poll()
        writable.register(self._fd, select.POLLOUT)
        writable.register(self._dead, 0)
        deadline_ns = time.monotonic_ns() + wait_ns
        while True:
            if self._overtaken != overtaken:
                # A STOP went out meanwhile: the rest of this frame would only be noise behind it.
                return
            rest = rest[self._write_some(rest) :]
            left_ns = deadline_ns - time.monotonic_ns()
            if not rest:
                return
            if left_ns <= 0:
                raise self._full(wait_ns)
            writable.poll(left_ns / 1_000_000)

    def _drop_output(self) -> None:
        if self._is_tty:
            with suppress(termios.error, OSError):
                termios.tcflush(self._fd, termios.TCOFLUSH)

    def _drain(self) -> None:
        """Let the last frame (BYE, STOP) leave, for 50 ms at most; then drop the rest.

        Closing a serial device with bytes in its buffer can otherwise hang for the kernel's 30 s.
        """
        if not self._is_tty:
            return
        for _ in range(_DRAIN_STEPS):
            if not _unsent(self._fd):
                return
            time.sleep(_DRAIN_STEP_S)
        self._drop_output()

    def _lost(self, error: OSError | None) -> LinkLost:
        if self._closed:
            return LinkLost(f"the port {self.name} is closed", port=self.name)
        reason = (error.strerror or str(error)) if error else "end of file"
        return LinkLost(
            f"the line to the pen on {self.name} has gone ({reason})",
            hint="check the cable; the pen stops by itself within 350 ms of the last beat",
            port=self.name,
        )

    def _full(self, waited_ns: int) -> LinkLost:
        return LinkLost(
            f"the line on {self.name} took no bytes for {waited_ns // 1_000_000} ms:"
            " nothing reads at its other end",
            hint="check the cable; use the pen's own stop key; the pen stops by itself without beats",
            port=self.name,
        )


def _unsent(fd: int) -> int:
    """Bytes the kernel still holds for a terminal; 0 where it does not tell, or the device has gone."""
    try:
        answer = fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0")
    except OSError:
        return 0
    return int.from_bytes(answer, "little")


def _abandon(open_things: ExitStack, numbers: ExitStack) -> None:
    open_things.close()
    numbers.close()
