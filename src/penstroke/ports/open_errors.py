"""Why a device could not be opened, in words that say what to do: missing, busy, denied, no serial port."""

from __future__ import annotations

import errno
import grp
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from penstroke.errors import PenError, PlanError, PortBusy, PortDenied, PortError, PortMissing

_MISSING = {
    errno.ENOENT,
    errno.ENXIO,
    errno.ENODEV,
    errno.EIO,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
}
_BUSY = {errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
LIST_HINT = (
    "`penstroke devices` lists the pens found; name a port with --port, the simulator with --port sim://"
)


class Holder(NamedTuple):
    """A process that has a device open."""

    pid: int
    command: str


def holders(path: str) -> tuple[Holder, ...]:
    """The other processes that have the device at `path` open, as far as the system lets this user see."""
    real, found = os.path.realpath(path), []
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid():
            continue
        # Other users' processes are closed to us, and any process may end while we look.
        with suppress(OSError):
            if any(str(entry.readlink()) == real for entry in (folder / "fd").iterdir()):
                words = (
                    (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").split()
                )
                found.append(Holder(int(folder.name), " ".join(words) or "?"))
    return tuple(found)


def busy(path: str, found: tuple[Holder, ...]) -> PortBusy:
    """The error for a device that another program has open; `found` is empty when the system does not
    tell."""
    who = ", ".join(f"process {holder.pid} ({holder.command[:80]})" for holder in found)
    return PortBusy(
        f"{path} is busy: held by {who or 'another program'}",
        hint="end that program, then try again",
        port=path,
        pid=found[0].pid if found else None,
    )


def opening_error(path: str, error: OSError) -> PortError:
    """The error of this library for what the system said when a device was opened."""
    code = error.errno
    # The system's own words: pyserial puts its own into `strerror`.
    reason = os.strerror(code) if code is not None else str(error)
    if code in _BUSY:
        return busy(path, holders(path))
    if code in _DENIED:
        return PortDenied(f"not permitted to open {path}: {reason}", hint=_permission_hint(path), port=path)
    if code in _MISSING:
        return PortMissing(f"there is no pen at {path}: {reason}", hint=LIST_HINT, port=path)
    return PortError(f"cannot use {path} as a serial port: {reason}", port=path)


def address_error(address: str, error: Exception) -> PenError:
    """The error for an address that is wrong: in its own words, or in a file that it names."""
    if isinstance(error, ValueError) and getattr(error, "filename", None):
        return PlanError(str(error), code="scenario-invalid", hint="correct the scenario file")
    return PortError(f"cannot open {address}: {error}", hint=LIST_HINT, port=address)


def require_device(path: str) -> None:
    """Raise unless `path` is a character device, before it is opened. Raises `PortError` and its kinds."""
    try:
        facts = Path(path).stat()
    except ValueError:
        raise PortMissing(f"{path!r} is no name of a port", hint=LIST_HINT, port=path) from None
    except OSError as error:
        raise opening_error(path, error) from error
    if not stat.S_ISCHR(facts.st_mode):
        kind = "folder" if stat.S_ISDIR(facts.st_mode) else "file"
        raise PortError(f"{path or '(empty)'} is a {kind}, no serial port", hint=LIST_HINT, port=path)
    # Linux tells what a device is; pseudo-terminals and other systems have no such entry.
    number = f"{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}"
    family = Path("/sys/dev/char", number, "subsystem").resolve().name
    if family not in ("tty", "subsystem"):
        raise PortError(f"{path} is no serial port but a device of kind {family}", hint=LIST_HINT, port=path)


def _permission_hint(path: str) -> str:
    try:
        group, may = _group_of(path)
    except (OSError, KeyError):
        return "ask whoever administers this machine for access to the device"
    if may:
        return f"add yourself to the group that may: `sudo usermod -aG {group} $USER`, then log in again"
    return f"the device belongs to {group} and is closed to its group: ask whoever administers this machine"


def _group_of(path: str) -> tuple[str, bool]:
    """The group a device belongs to, and whether it may read and write there."""
    facts = Path(path).stat()
    both = stat.S_IRGRP | stat.S_IWGRP
    return grp.getgrgid(facts.st_gid).gr_name, facts.st_mode & both == both
