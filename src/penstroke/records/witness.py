"""Witnesses: the head of the chain, kept where whoever alters the store cannot take it along.

A chain alone cannot tell that its end was cut off, or that it was written anew from somewhere on: it is whole
either way. A witness says what the head once was. Three kinds there are: a second file, in another folder and
best on another disk; the foot of a report that was printed or handed over; and the pen's own memory, where it
has one. Verification takes any number of them.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from penstroke.errors import RecordError
from penstroke.records.entry import Witness, canonical

__all__ = ["Witness", "WitnessFile", "WitnessPlace"]


class WitnessPlace(Protocol):
    """Somewhere a head can be kept."""

    @property
    def where(self) -> str:
        """What it is, in words."""
        ...

    def keep(self, witness: Witness) -> None:
        """Keep this head. Raises `RecordError` where it cannot be kept."""
        ...

    def recall(self) -> tuple[Witness, ...]:
        """The heads that are kept, the oldest first. Raises `RecordError` where they cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class WitnessFile:
    """A file of heads, a line each, only ever appended to. It may serve several stores."""

    path: Path
    store_id: str
    """Of the store it is a witness of: from its first entry."""

    @property
    def where(self) -> str:
        """The file's name."""
        return str(self.path)

    def keep(self, witness: Witness) -> None:
        """Append a line and force it to the disk."""
        line = {"store": self.store_id, "number": witness.number, "digest": witness.digest}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # One write: the lines of two programs do not mix. A line torn by a power cut ends up alone.
                os.write(file, b"\n" + canonical(line) + b"\n")
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise RecordError(
                f"the witness {self.path} cannot be written: {error.strerror or error}",
                code="witness-unwritable",
                hint="free the disk, or name another file: `witness` in the configuration",
            ) from error

    def recall(self) -> tuple[Witness, ...]:
        """All whole lines about this store; none where there is no such file."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise RecordError(
                f"the witness {self.path} cannot be read: {error.strerror or error}",
                code="witness-unreadable",
                hint="see to its permissions",
            ) from error
        found = (_witness(line, self.where, self.store_id) for line in lines)
        return tuple(witness for witness in found if witness is not None)


def _witness(line: bytes, where: str, store_id: str) -> Witness | None:
    """What a line tells; None for a blank or torn one, or one about another store."""
    try:
        told = json.loads(line)
        if told["store"] != store_id:
            return None
        number, digest = told["number"], told["digest"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if type(number) is not int or not isinstance(digest, str) or number < 1:
        return None
    return Witness(where, number, digest)
