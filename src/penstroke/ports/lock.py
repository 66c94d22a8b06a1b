"""One owner for one device: a lock file, held as long as the port is open.

The system drops a `flock` with the process that held it, so a killed owner leaves a file behind but no lock,
and the file is overwritten by the next one. It says who holds the port and where that program listens.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from penstroke.errors import PortBusy, PortError
from penstroke.ports.control import ControlSocket, lock_path, read_owner


class PortLock:
    """Held from its making to `release`. `control` is where other programs ask the holder to stop."""

    def __init__(self, port: str) -> None:
        """Take the lock of a device path. Raises `PortBusy` naming the holder."""
        path = lock_path(port)
        self._open_things = ExitStack()
        with ExitStack() as undo:
            try:
                fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise PortError(f"cannot make the lock file {path}: {error.strerror}") from error
            undo.callback(os.close, fd)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _busy(port, path) from None
            # Said aloud, because a child of this process may share the descriptor and outlive the port.
            undo.callback(fcntl.flock, fd, fcntl.LOCK_UN)
            self.control = ControlSocket(path.with_suffix(".sock"))
            undo.callback(self.control.close)
            owner = {
                "pid": os.getpid(),
                "command": _command(),
                "port": port,
                "control": str(self.control.path),
            }
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps(owner).encode() + b"\n", 0)
            self._open_things = undo.pop_all()

    def release(self) -> None:
        """Give the port to the next one. The file stays: removing it would race with whoever opens it now."""
        self._open_things.close()


def _busy(port: str, path: Path) -> PortBusy:
    owner = read_owner(path)
    pid = owner.get("pid")
    who = f"process {pid} ({owner.get('command')})" if pid else "another penstroke"
    if pid == os.getpid():
        who = "this program itself"
    return PortBusy(
        f"{port} is busy: held by {who}",
        hint="`penstroke stop` asks that program to stop the pen; end it to use the port here",
        port=port,
        pid=pid,
    )


def _command() -> str:
    """How this program was called, short: the script's name and what followed."""
    return " ".join([Path(sys.argv[0] or "python").name, *sys.argv[1:]])[:200]
