"""One program for one treatment: two that went on with the same would each give what is left of it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from penstroke.errors import Refused
from penstroke.ports.runtime_dir import runtime_dir


@contextmanager
def alone(treatment: str) -> Iterator[None]:
    """No other program of this user on this machine goes on with this treatment meanwhile.

    The system drops the lock with the process, so one that was killed keeps nothing. Raises `Refused`
    (`treatment-under-way`), and `PortError` where no lock can be made.
    """
    path = runtime_dir() / f"treatment-{treatment}.lock"
    fd = _locked(path, treatment)
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        # While the lock is held: whoever waits for this name finds that it is gone, and makes a new one.
        with suppress(OSError):
            path.unlink()
        os.close(fd)


def _locked(path: Path, treatment: str) -> int:
    """A descriptor that holds the lock of the file that stands under this name now."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 20, 0).decode("ascii", "replace").strip()
            os.close(fd)
            who = f"process {holder}" if holder else "another program"
            raise Refused(
                f"treatment {treatment} is under way in {who}",
                code="treatment-under-way",
                hint="go on with it there, or end that program first",
            ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), path.stat()):
                return fd
        os.close(fd)
