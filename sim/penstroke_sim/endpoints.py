"""The two ends that other processes open: a pseudo-terminal and a TCP port.

Both behave as a pen's serial line does: there is no flow control, so what nobody takes is lost, and a host
that closes leaves the line to the next one. Neither waits; the loop in `serve.py` does.
"""

from __future__ import annotations

import os
import selectors
import socket
import termios
import tty
from pathlib import Path
from typing import Final, Protocol

ABSENT_POLL_S: Final = 0.02
"""How often an idle pseudo-terminal is looked at for a host: the system reports its hang-up all the time and
its end not at all, and 20 ms is far below the 100 ms after which HELLO is repeated."""
_CHUNK: Final = 4096
"""Read at once: what a serial port's own buffer holds. More waits with the host."""


class PortTaken(OSError):
    """The address or the name asked for belongs to somebody else; the text is one sentence."""


class Endpoint(Protocol):
    """What the serving loop needs of an end."""

    port: str
    """What a host passes as its port."""

    @property
    def poll_s(self) -> float | None:
        """How often `receive` wants to be called although nothing is ready; None: never."""

    def receive(self) -> bytes:
        """The bytes that have come from the host; b"" when there are none. Never waits."""

    def send(self, data: bytes) -> None:
        """Bytes for the host; lost when it does not take them."""

    def plug(self) -> None:
        """Be there for hosts. Raises `PortTaken`."""

    def unplug(self) -> None:
        """Vanish, as an unplugged device does. Harmless when gone already."""


class PtyEndpoint:
    """A pseudo-terminal, with a lasting name for it if `link` is given."""

    def __init__(self, selector: selectors.BaseSelector, link: Path | None) -> None:
        self._selector = selector
        self._link = link
        self._master: int | None = None
        self._slave_name = ""
        self._host_there = False
        self.port = ""

    @property
    def poll_s(self) -> float | None:
        return None if self._host_there or self._master is None else ABSENT_POLL_S

    def plug(self) -> None:
        master, slave = os.openpty()
        try:
            # Raw from the start: in its first moments a terminal would echo the pen's bytes back to it.
            tty.setraw(slave)
            self._slave_name = os.ttyname(slave)
            if self._link is not None:
                _point(self._link, self._slave_name)
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        os.set_blocking(master, False)
        self._master = master
        self.port = str(self._link or self._slave_name)

    def unplug(self) -> None:
        if self._master is None:
            return
        self._host(False)
        os.close(self._master)
        self._master = None
        if self._link is not None and _target(self._link) == self._slave_name:
            self._link.unlink(missing_ok=True)

    def receive(self) -> bytes:
        if self._master is None:
            return b""
        try:
            data = os.read(self._master, _CHUNK)
        except BlockingIOError:
            self._host(True)
            return b""
        except OSError:
            # EIO: no host has it open.
            self._host(False)
            return b""
        self._host(True)
        return data

    def send(self, data: bytes) -> None:
        if self._master is None or not self._host_there:
            return
        try:
            os.write(self._master, data)
        except OSError:
            # Full, because the host does not read, or gone since we looked.
            return

    def _host(self, there: bool) -> None:
        if there == self._host_there or self._master is None:
            return
        self._host_there = there
        if there:
            self._selector.register(self._master, selectors.EVENT_READ)
            return
        self._selector.unregister(self._master)
        # The next host must not be greeted with what the last one left unread.
        try:
            slave = os.open(self._slave_name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            return
        termios.tcflush(slave, termios.TCIFLUSH)
        os.close(slave)


class TcpEndpoint:
    """A TCP port that serves one host at a time; another one finds its connection closed at once."""

    poll_s = None

    def __init__(self, selector: selectors.BaseSelector, host: str, port: int) -> None:
        self._selector = selector
        self._host = host
        self._number = port
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None
        self.port = ""

    def plug(self) -> None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            listener = socket.create_server((self._host, self._number), family=family)
        except OSError as error:
            # Python adds the address to what the system says, in its own notation.
            what = str(error.strerror or error).partition(" (while")[0]
            raise PortTaken(f"cannot listen on {self._host}:{self._number}: {what}") from None
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ)
        self._listener = listener
        # The number the system chose is kept, so that a pen plugged in again is found where it was.
        self._number = listener.getsockname()[1]
        self.port = f"socket://{f'[{self._host}]' if ':' in self._host else self._host}:{self._number}"

    def unplug(self) -> None:
        self._drop_client()
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def receive(self) -> bytes:
        data = self._hear()
        if not data:
            # Only once the client there was has been heard to its end: a host that closes and opens again
            # must not be turned away because of itself.
            self._accept()
        return data

    def _hear(self) -> bytes:
        if self._client is None:
            return b""
        try:
            data = self._client.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._drop_client()
        return data

    def send(self, data: bytes) -> None:
        if self._client is None:
            return
        try:
            self._client.send(data)
        except BlockingIOError:
            # The host does not read: lost, as on a line without flow control.
            return
        except OSError:
            self._drop_client()

    def _accept(self) -> None:
        """Take one waiting host in, or turn it away. One a turn: the next may find the place free."""
        if self._listener is None:
            return
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        if self._client is not None:
            client.close()
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A host whose machine vanished would otherwise hold the only place for ever.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._selector.register(client, selectors.EVENT_READ)
        self._client = client

    def _drop_client(self) -> None:
        if self._client is not None:
            self._selector.unregister(self._client)
            self._client.close()
            self._client = None


def _target(link: Path) -> str | None:
    try:
        return str(link.readlink())
    except OSError:
        return None


def _point(link: Path, to: str) -> None:
    """Make `link` point to `to`, which is ours; what stands there already is replaced only if it leads
    nowhere any more."""
    target = _target(link)
    if target == to:
        # Left by a simulator that was killed: the system has given us its number.
        return
    if target is not None and not link.exists():
        link.unlink()
    try:
        link.symlink_to(to)
    except FileExistsError:
        what = (
            f"points to {target} already, which is in use" if target else "exists and is not a link of ours"
        )
        raise PortTaken(f"{link} {what}: remove it or choose another name") from None
    except OSError as error:
        raise PortTaken(f"cannot make {link}: {error.strerror or error}") from None
