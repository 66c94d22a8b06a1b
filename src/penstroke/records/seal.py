"""The seal: digests of the whole SQLite file, taken when the last program let go of it.

The chain vouches for every entry, and for nothing else in the file: a database has bytes between its entries,
in its indices and its unused space, that a fault of the disk or a hand may change without an entry being
touched. The seal finds those too, and says where. It lies beside the file and can be made anew by anyone
who can write there, so it is no witness: it finds accidents and the careless, the chain and its witnesses the
rest.
A store that was not let go of in peace has no seal until it is next; verification says so.

A seal that is broken is not sealed over: the store is opened for writing again when somebody by name has
acknowledged it, which is an entry of the chain and told by every verification from then on.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstroke.records.entry import Head, canonical, digest_of

_CHUNK: Final = 1 << 18
"""Bytes to a digest: small enough to say where, large enough that the seal of a gigabyte is short."""


@dataclass(frozen=True, slots=True)
class SealReport:
    """What a seal says about its file. `state`: `whole`, `broken`, `none`, `outdated` or `unreadable`."""

    state: str
    differs: tuple[tuple[int, int], ...] = ()
    """First and last byte of each stretch that differs."""

    def damages(self) -> list[str]:
        """What is wrong, a sentence each; none where nothing is, or where there is nothing to compare."""
        if self.state == "unreadable":
            return ["the seal beside the file is damaged"]
        if self.state == "broken" and not self.differs:
            return ["the file was sealed with another last entry than it has"]
        return [
            f"the file was changed after it was sealed, between byte {first} and byte {last}"
            for first, last in self.differs
        ]


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody by name who goes on with a store whose seal is broken, and why."""

    by: str
    reason: str


def seal_path(path: Path) -> Path:
    """Where the seal of a file lies."""
    return path.with_name(path.name + ".seal")


def has_log(path: Path) -> bool:
    """Whether SQLite keeps part of the content in its log: then the file is not the whole store."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def write_seal(path: Path, head: Head) -> None:
    """Seal the file, of whose chain this is the head; not while another program holds it open.

    Raises `OSError`.
    """
    if path.with_name(path.name + "-wal").exists():
        return
    size, digests = _digests(path)
    sealed = {"number": head.number, "digest": head.digest, "size": size, "digests": digests}
    whole = canonical({"sealed": sealed, "check": digest_of(canonical(sealed))})
    fresh = seal_path(path).with_name(seal_path(path).name + f".{os.getpid()}")
    try:
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb"
        ) as file:
            file.write(whole)
            file.flush()
            # A seal torn by a power cut would read as damage.
            os.fsync(file.fileno())
        fresh.replace(seal_path(path))
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def check_seal(path: Path, head: Head) -> SealReport:
    """Compare the file with its seal, if the seal is of this head. Raises `OSError`."""
    try:
        told = json.loads(seal_path(path).read_bytes())
        sealed = told["sealed"]
        if told["check"] != digest_of(canonical(sealed)):
            return SealReport("unreadable")
        of = Head(sealed["number"], sealed["digest"])
        size, digests = sealed["size"], sealed["digests"]
    except FileNotFoundError:
        return SealReport("none")
    except (ValueError, TypeError, KeyError, RecursionError):
        return SealReport("unreadable")
    if of.number < head.number or has_log(path):
        return SealReport("outdated")
    found_size, found = _digests(path)
    pairs = enumerate(zip(digests, found, strict=False))
    least = min(size, found_size)
    differs = [(at * _CHUNK, min((at + 1) * _CHUNK, least) - 1) for at, (one, other) in pairs if one != other]
    if size != found_size:
        differs.append((least, max(size, found_size) - 1))
    return SealReport("broken" if differs or of != head else "whole", tuple(differs))


def _digests(path: Path) -> tuple[int, list[str]]:
    """The size of a file, and a digest of each chunk of it."""
    digests = []
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digests.append(hashlib.sha256(chunk).hexdigest())
            size += len(chunk)
    return size, digests
