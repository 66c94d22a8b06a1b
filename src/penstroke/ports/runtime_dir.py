"""Where programs of one user on one machine leave word for each other: lock files and control sockets."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from penstroke.errors import PortError


def runtime_dir() -> Path:
    """The folder, made if need be; `PENSTROKE_RUNTIME_DIR` names another. Raises `PortError`.

    It must belong to this user and be closed to others: whoever can write here could take a STOP for himself
    and answer that the needles are in.
    """
    override = os.environ.get("PENSTROKE_RUNTIME_DIR")
    if override:
        folder = Path(override)
    else:
        import warnings

        from platformdirs import user_runtime_path

        with warnings.catch_warnings():
            # It warns where the system has no such place and a temporary folder is taken instead; whether
            # that folder is ours alone is looked at below.
            warnings.simplefilter("ignore")
            folder = user_runtime_path("penstroke")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
    except OSError as error:
        raise PortError(
            f"cannot use the folder {folder} for lock files: {error.strerror}",
            hint="name another with PENSTROKE_RUNTIME_DIR",
        ) from error
    me = os.geteuid()
    if me not in (0, facts.st_uid) or stat.S_IMODE(facts.st_mode) & (stat.S_IWGRP | stat.S_IWOTH):
        raise PortError(
            f"the folder {folder} for lock files is writable by other users",
            hint="close it with `chmod 700`, or name another with PENSTROKE_RUNTIME_DIR",
        )
    return folder


def device_path(port: str) -> str:
    """One spelling for one device: symbolic links (`/dev/serial/by-id/…`) resolved."""
    return os.path.realpath(port)


def file_stem(device: str) -> str:
    """A short file name for a device, readable and without collisions: `ttyUSB0-3f9c01d2`."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", device.removeprefix("/dev/")).strip("-")[-24:]
    return f"{readable}-{hashlib.sha256(device.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
