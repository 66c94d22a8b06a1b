"""The journal of one treatment: a file of JSON lines, written as things happen, never rewritten.

An entry is flushed to the system at once, so that a program that is killed loses at most the entry being
written. Before the pen is armed the file is forced to the disk as well: what cannot be recorded does not
start. Nothing is forced while needles move: a slow disk must not delay the next beat.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from penstroke.errors import PenError, RecordError, Refused

FORMAT = 1
"""Version of these entries; the first entry carries it."""


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Journal:
    """An open journal. `utc_now` may be replaced by tests. A context manager that closes the file.

    Every method that writes raises `RecordError` (`record-unwritable`) when it cannot.
    """

    def __init__(
        self,
        path: Path,
        *,
        operator: str = "",
        utc_now: Callable[[], datetime.datetime] = _utc_now,
    ) -> None:
        """Begin a new file at `path`; a file that is there already is never touched."""
        self.path = path
        self._operator = operator
        self._utc_now = utc_now
        self._now_ns: Callable[[], int] | None = None
        self._begun_ns = 0
        self._simulated: bool | None = None
        self._number = 0
        self._told: PenError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Line by line to the system, and not readable by others: it tells of a treatment.
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise RecordError(
                f"the journal {path} is there already, and a record is never written over",
                code="record-unwritable",
                hint="name a new file",
            ) from None
        except OSError as problem:
            raise _unwritable(path, problem) from problem
        self._file = os.fdopen(fd, "w", encoding="utf-8")
        _sync_folder(path.parent)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def bind(self, now_ns: Callable[[], int], *, simulated: bool) -> None:
        """From here on entries carry the time of the pen's port since now, and whether it is simulated."""
        self._now_ns = now_ns
        self._begun_ns = now_ns()
        self._simulated = simulated

    def write(self, event: str, **facts: Any) -> None:
        """One entry, handed to the system at once."""
        self._number += 1
        entry = {
            "n": self._number,
            "utc": self._utc_now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "t_s": None if self._now_ns is None else round((self._now_ns() - self._begun_ns) / 1e9, 3),
            "operator": self._operator or None,
            "simulated": self._simulated,
            "event": event,
            **facts,
        }
        try:
            self._file.write(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as problem:
            raise _unwritable(self.path, problem) from problem

    def error(self, error: PenError) -> None:
        """What went wrong, or was refused, with all that is known about it; the same error once only."""
        if error is self._told:
            return
        self._told = error
        reasons = error.verdict.reasons if isinstance(error, Refused) and error.verdict else ()
        self.write(
            "refused" if isinstance(error, Refused) else "error",
            code=error.code,
            message=error.message,
            hint=error.hint,
            reasons=[{"code": one.code, "message": one.message, **one.facts()} for one in reasons],
            black_box=list(error.black_box),
        )

    def make_durable(self) -> None:
        """Wait until everything written so far is on the disk."""
        try:
            os.fsync(self._file.fileno())
        except OSError as problem:
            raise _unwritable(self.path, problem) from problem


def new_path(folder: Path, title: str) -> Path:
    """Where a new journal goes: named by the time, so that a folder is in order, and by what it is about."""
    stamp = _utc_now().strftime("%Y%m%dT%H%M%S.%fZ")
    name = "-".join("".join(sign if sign.isalnum() else " " for sign in title.lower()).split())[:40]
    return folder / f"{stamp}-{name or 'plan'}.jsonl"


_SAMPLE = '"event": "sample"'
"""Whole in a sample's line, and in no other: inside a text its quotes would be escaped."""


def read_journal(path: Path, *, readings: bool = True) -> Iterator[dict[str, Any]]:
    """The entries of a journal; a last line that was cut off by the end of its program is left out.

    Without `readings` the samples, nearly all of its lines, are passed over and not looked at. Raises
    `RecordError` (`record-unreadable`) for a file that is no journal or is damaged before its end.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as problem:
        why = getattr(problem, "strerror", None) or "it is no text"
        raise _unreadable(path, why) from problem
    # Every whole entry ends in a newline, so what follows the last one is blank or cut off.
    for number, line in enumerate(lines[:-1], start=1):
        if not readings and _SAMPLE in line:
            continue
        try:
            entry = json.loads(line)
        except ValueError as problem:
            raise _unreadable(path, f"line {number} is no entry") from problem
        if not isinstance(entry, dict) or entry.get("n") != number:
            raise _unreadable(path, f"line {number} is not entry {number}")
        yield entry


def _sync_folder(folder: Path) -> None:
    """Once, so that the file itself is still there after a power cut."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # a folder that may be written to and not read; the entries are still synced
    try:
        os.fsync(fd)
    except OSError as problem:
        raise _unwritable(folder, problem) from problem
    finally:
        os.close(fd)


def _unwritable(path: Path, problem: OSError) -> RecordError:
    return RecordError(
        f"the journal {path} cannot be written: {problem.strerror or problem}",
        code="record-unwritable",
        hint="nothing is treated without a record: free the disk, or name another place with --journal",
    )


def _unreadable(path: Path, why: str) -> RecordError:
    return RecordError(
        f"{path} cannot be read as a journal: {why}", code="record-unreadable", hint="keep the file as it is"
    )
