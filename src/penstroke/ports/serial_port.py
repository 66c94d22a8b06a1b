"""Serial ports. The only file that imports pyserial, and the one place where its errors become ours.

A device path ends as a `FdPort`: pyserial opens and configures the line, the bytes then go through the
descriptor (`read(n)` of pyserial takes 1.6 times as long as the system's own). Other URLs (`rfc2217://`,
`sim://`) have no descriptor to wait on and go through pyserial's methods.
"""

from __future__ import annotations

import fcntl
import os
import socket
import termios
import time
from contextlib import ExitStack, suppress
from typing import Final

import serial

from penstroke.errors import LinkLost, PenError, PortError, PortMissing
from penstroke.ports.control import ControlSocket
from penstroke.ports.fd_port import WRITE_WAIT_NS, FdPort
from penstroke.ports.lock import PortLock
from penstroke.ports.open_errors import LIST_HINT, address_error, busy, holders, opening_error, require_device

BAUD: Final = 115200
_SLICE_NS: Final = 10_000_000
"""A wait through pyserial is cut into pieces of 10 ms, so that `close` and the deadline are seen; setting its
timeout anew for each read would renegotiate an RFC 2217 line every time."""
_HANDLERS: Final = "penstroke.pyserial_handlers"


def open_device(path: str) -> FdPort:
    """The serial device at `path`, alone: 115200 8N1, no flow control, low latency where the system can.

    Raises `PortMissing`, `PortBusy` (names the holder), `PortDenied` (names the group to join) or
    `PortError`.
    """
    require_device(path)
    open_things = ExitStack()
    try:
        lock = PortLock(path)
        open_things.callback(lock.release)
        is_pty = _is_pseudo_terminal(path)
        if not is_pty and (others := holders(path)):
            # They may not know of locks, and two readers would take each other's bytes. (The far side of a
            # pseudo-terminal may rightly hold this side open too, so there only the locks decide.)
            raise busy(path, others)
        # DTR and RTS stay as they are (True is what the kernel has just set by opening; pyserial would clear
        # them for None): changing them resets many boards.
        line = serial.Serial(baudrate=BAUD, exclusive=True, timeout=0, write_timeout=WRITE_WAIT_NS / 1e9)
        line.port = path
        open_things.callback(line.close)
        line.open()
        open_things.callback(_share, line.fileno())
        _tune(line, alone=not is_pty)
        return FdPort(line.fileno(), name=path, release=open_things.close, control=lock.control)
    except (OSError, termios.error) as error:
        open_things.close()
        raise _opening_error(path, error) from error
    except BaseException:
        open_things.close()
        raise


def open_url(url: str) -> UrlPort:
    """A port that pyserial reaches by a URL of its own, such as `rfc2217://host:port` or a paced `sim://`.

    Raises `PortMissing` when nothing answers there, `PortError` when the URL is wrong.
    """
    _add_handlers()
    try:
        line = serial.serial_for_url(url, do_not_open=True, baudrate=BAUD, timeout=_SLICE_NS / 1e9)
        # RFC 2217 in pyserial refuses a write timeout; its socket then gets the bound.
        if not url.lower().startswith("rfc2217:"):
            line.write_timeout = WRITE_WAIT_NS / 1e9
        line.open()
    except (ValueError, OSError, NotImplementedError) as error:
        raise _opening_error(url, error) from error
    inner = getattr(line, "_socket", None)
    if isinstance(inner, socket.socket):
        inner.settimeout(WRITE_WAIT_NS / 1e9)
    return UrlPort(line, url)


class UrlPort:
    """An open line that only pyserial's methods reach; see `Port`. `write_now` cannot overtake here."""

    control: ControlSocket | None = None

    def __init__(self, line: serial.Serial, name: str) -> None:
        self.name = name
        self.simulated = bool(getattr(line, "simulated", False))
        self._line = line
        self._closed = False

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        deadline_ns = None if timeout_ns is None else time.monotonic_ns() + timeout_ns
        while True:
            data = self._read_some(max_bytes, wait=timeout_ns != 0)
            if data or (deadline_ns is not None and time.monotonic_ns() >= deadline_ns):
                return data

    def write(self, data: bytes) -> None:
        try:
            self._line.write(data)
        except Exception as error:
            raise self._lost(error) from error

    def write_now(self, data: bytes) -> None:
        self.write(data)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            with suppress(Exception):
                self._line.close()

    def _read_some(self, max_bytes: int, *, wait: bool) -> bytes:
        line, data = self._line, b""
        try:
            if wait:
                data = bytes(line.read(1))
            # Some ports count what waits, some only say that there is something.
            while len(data) < max_bytes and (waiting := line.in_waiting):
                data += bytes(line.read(min(waiting, max_bytes - len(data))))
        # pyserial raises the wrong types (TypeError, AttributeError) when closed under its reader.
        except Exception as error:
            # What came before the end is still news; the next read meets the end again.
            if not data:
                raise self._lost(error) from error
        return data

    def _lost(self, error: Exception) -> LinkLost:
        if self._closed:
            return LinkLost(f"the port {self.name} is closed", port=self.name)
        return LinkLost(
            f"the line to the pen on {self.name} has gone ({error})",
            hint="check the connection; the pen stops by itself within 350 ms of the last beat",
            port=self.name,
        )


def _is_pseudo_terminal(path: str) -> bool:
    return os.path.realpath(path).startswith("/dev/pts/")


def _tune(line: serial.Serial, *, alone: bool) -> None:
    fd = line.fileno()
    settings = termios.tcgetattr(fd)
    # Leave DTR up at close: else the next open would raise it anew, and reset the board then.
    settings[2] &= ~termios.HUPCL
    # With VMIN 1 an empty read means the end of the line; with pyserial's 0 also "nothing there".
    settings[6][termios.VMIN] = 1
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    # FTDI bridges hold bytes for 16 ms otherwise; devices without such a setting need none.
    with suppress(ValueError, NotImplementedError, OSError):
        line.set_low_latency_mode(True)
    if alone:
        # pyserial's lock binds only those who ask for it; this makes the kernel refuse all others. Not on a
        # pseudo-terminal, where the mark would outlive a killed owner.
        with suppress(OSError):
            fcntl.ioctl(fd, termios.TIOCEXCL)


def usb_ports() -> list[tuple[str, int, int, str, str]]:
    """Device path, vendor id, product id, serial number and product name of each serial device on USB."""
    from serial.tools import list_ports  # 25 ms to import

    return [
        (port.device, port.vid, port.pid, port.serial_number or "", port.product or "")
        for port in list_ports.comports()
        if port.vid is not None and port.pid is not None
    ]


def described_ports() -> list[str]:
    """Every serial device of this machine in the system's words, for diagnosis; nothing is opened."""
    from serial.tools import list_ports

    return [f"{port.device} {port.description} [{port.hwid}]" for port in sorted(list_ports.comports())]


def _share(fd: int) -> None:
    """Take back what keeps others out; a child of this process may hold the device open for longer."""
    with suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_UN)
    with suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCNXCL)


def _add_handlers() -> None:
    from importlib.metadata import entry_points  # on use: a STOP must not wait for it

    for point in entry_points(group=_HANDLERS):
        if point.value not in serial.protocol_handler_packages:
            serial.protocol_handler_packages.append(point.value)


def _opening_error(port: str, error: Exception) -> PenError:
    """pyserial's errors, some of which keep the system's reason only as their context."""
    cause: BaseException | None = error
    # A ValueError is about the words of the URL, whatever came before it.
    while cause is not None and not isinstance(cause, ValueError):
        if isinstance(cause, termios.error):
            return PortError(f"{port} is no serial port ({cause.args[-1]})", hint=LIST_HINT, port=port)
        if isinstance(cause, OSError) and cause.errno is not None:
            if "://" in port:
                return PortMissing(
                    f"nothing answers at {port}: {cause.strerror or cause}", hint=LIST_HINT, port=port
                )
            return opening_error(port, cause)
        cause = cause.__context__
    if isinstance(error, TimeoutError):
        return PortMissing(f"nothing answers at {port}: {error}", hint=LIST_HINT, port=port)
    return address_error(port, error)
