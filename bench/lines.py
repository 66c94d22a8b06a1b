"""The lines that round trips go over, with a far end that answers."""

from __future__ import annotations

import os
import socket
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.responders import responder
from penstroke.ports.fd_port import FdPort
from penstroke.ports.opening import open_port
from penstroke.ports.trace import RecordedPort


@contextmanager
def socket_pair(kind: str, *rest: str) -> Iterator[socket.socket]:
    """The near end of a Unix socket pair."""
    near, far = socket.socketpair()
    with near, responder(far.detach(), kind, *rest):
        yield near


@contextmanager
def pty(kind: str, *rest: str) -> Iterator[Path]:
    """The path of a pseudo-terminal."""
    master, slave = os.openpty()
    try:
        tty.setraw(slave)
        with responder(master, kind, *rest):
            yield Path(os.ttyname(slave))
    finally:
        os.close(slave)


def port_on(line: socket.socket | Path) -> RecordedPort:
    """The port that penstroke makes of it, black box included."""
    if isinstance(line, Path):
        return open_port(str(line))
    own = line.dup()
    return RecordedPort(FdPort(own.fileno(), name="socket pair", release=own.close))
