"""A line between programs: `penstroke stop` asks the program that holds the port, whose loop answers.

One datagram each way over Unix sockets in the runtime folder. The owner's own loop looks for requests, as it
looks for bytes: no thread, so a loop that hangs does not answer "stopped", and the asker says so.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstroke.errors import LinkTimeout, PortError
from penstroke.ports.runtime_dir import device_path, file_stem, runtime_dir

_MAX_BYTES: Final = 4096
_MAX_SUN_PATH: Final = 100
"""Unix socket paths end at 104 bytes (macOS) or 108 (Linux)."""


@dataclass(frozen=True, slots=True)
class StopReply:
    """What the program that holds the port answered."""

    stopped: bool
    """True only when that program has the pen's own word for it."""
    state: str
    """The device's state afterwards, or "unknown"."""
    pid: int
    command: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """One question from another program. Answer it once; an asker that has gone is no error."""

    ask: str
    """"stop" is the only one so far; answer others with `stopped=False` and a message."""
    _socket: socket.socket
    _reply_to: str

    def answer(self, *, stopped: bool, state: str, message: str = "") -> None:
        """Tell the asker how it ended."""
        reply = {"stopped": stopped, "state": state, "message": message}
        with suppress(OSError), _address(self._reply_to) as address:
            self._socket.sendto(json.dumps(reply).encode(), address)


class ControlSocket:
    """The owner's end: made with the port's lock, looked at by the owner's loop, gone with the port."""

    def __init__(self, path: Path) -> None:
        """Binds `path`, replacing what a killed owner left there: hold the port's lock first."""
        self.path = path
        path.unlink(missing_ok=True)
        self._socket = _bound(path)

    def poll(self) -> list[ControlRequest]:
        """The requests waiting now, mostly none; never waits. Unreadable ones are dropped."""
        requests: list[ControlRequest] = []
        while True:
            try:
                request = _json_object(self._socket.recv(_MAX_BYTES))
            except OSError:
                # Nothing (more) there, or closed: either way there is nothing to answer.
                return requests
            ask, reply_to = request.get("ask"), request.get("reply_to")
            if isinstance(ask, str) and isinstance(reply_to, str):
                requests.append(ControlRequest(ask, self._socket, reply_to))

    def fileno(self) -> int:
        """For waiting on it together with the port."""
        return self._socket.fileno()

    def close(self) -> None:
        self.path.unlink(missing_ok=True)
        self._socket.close()


def lock_path(port: str) -> Path:
    """The lock file of a device path, whether it exists or not."""
    return runtime_dir() / f"{file_stem(device_path(port))}.lock"


def read_owner(lock: Path) -> dict[str, Any]:
    """What a lock file says: `pid`, `command`, `port`, `control`; empty if it says nothing readable."""
    try:
        return _json_object(lock.read_bytes())
    except OSError:
        return {}


def ask_stop(port: str, timeout_s: float = 1.0) -> StopReply | None:
    """Ask the program that holds `port` (a device path) to stop its pen.

    None: no program of this user holds it, so the pen can be asked directly. Raises `LinkTimeout` when one
    holds it and does not answer within `timeout_s`: the state of the needles is then unknown.
    """
    owner = read_owner(lock_path(port))
    control, pid, command = owner.get("control"), owner.get("pid"), owner.get("command")
    if not (isinstance(control, str) and isinstance(pid, int) and isinstance(command, str)):
        return None
    mine = runtime_dir() / f"ask-{os.getpid()}-{time.monotonic_ns()}.sock"
    asker = _bound(mine)
    try:
        with _address(control) as address:
            asker.sendto(json.dumps({"ask": "stop", "reply_to": str(mine)}).encode(), address)
        answer = _await_reply(asker, timeout_s)
    except (FileNotFoundError, ConnectionRefusedError):
        # The socket of an owner that has gone: killed, or it closed the port this instant.
        return None
    except BlockingIOError:
        # Its queue is full: alive, and not looking.
        answer = None
    finally:
        asker.close()
        mine.unlink(missing_ok=True)
    if answer is None:
        raise LinkTimeout(
            f"{command} (process {pid}) holds {port} and did not answer within {timeout_s:g} s:"
            " whether the needles stopped is unknown",
            hint="press the pen's own stop key; without that program's beats the pen stops within 350 ms",
            port=port,
            pid=pid,
        )
    return StopReply(
        stopped=answer.get("stopped") is True,
        state=str(answer.get("state", "unknown")),
        pid=pid,
        command=command,
        message=str(answer.get("message", "")),
    )


def _await_reply(asker: socket.socket, timeout_s: float) -> dict[str, Any] | None:
    waiting = select.poll()
    waiting.register(asker, select.POLLIN)
    if not waiting.poll(timeout_s * 1000):
        return None
    return _json_object(asker.recv(_MAX_BYTES))


def _bound(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        with _address(str(path)) as address:
            bound.bind(address)
    except OSError as error:
        bound.close()
        raise PortError(f"cannot make the control socket {path}: {error.strerror}") from error
    return bound


@contextmanager
def _address(path: str) -> Iterator[str]:
    """A name for a socket file that fits the system's short limit, for as long as the block runs."""
    if len(os.fsencode(path)) <= _MAX_SUN_PATH or not sys.platform.startswith("linux"):
        yield path
        return
    folder = os.open(Path(path).parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{Path(path).name}"
    finally:
        os.close(folder)


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
