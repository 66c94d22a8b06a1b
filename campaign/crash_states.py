"""From a log of writes, which `interpose.c` took, to the states in which a power cut may leave the files.

A file system keeps what was forced to the disk. Of what was written since, it may keep any part, in any
order: all of it (the program was killed, the machine was not), none, all but one write, or any choice of
whole, half and missing writes. Which file exists is kept alike, by the folder. SQLite's shared memory never
outlives a power cut and is left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

_HEAD = struct.Struct("=cIQI")
Files = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the log; see `interpose.c`."""

    what: str
    file: int
    offset: int
    data: bytes


@dataclass(slots=True)
class _Disk:
    """What is certainly there, and what was written since."""

    names: dict[int, str] = field(default_factory=dict)
    synced: dict[int, bytearray] = field(default_factory=dict)
    """The content of every file that exists for certain."""
    pending: dict[int, list[Call]] = field(default_factory=dict)
    created: set[int] = field(default_factory=set)
    """Files whose being there is not yet forced to the disk."""

    def take(self, call: Call) -> None:
        """One more call."""
        if call.what == "N":
            self.names[call.file] = call.data.decode()
        elif call.what == "C":
            self.synced[call.file] = bytearray()
            self.pending[call.file] = []
            self.created.add(call.file)
        elif call.what in "WT":
            self.pending.setdefault(call.file, []).append(call)
            self.synced.setdefault(call.file, bytearray())
        elif call.what == "S":
            for one in self.pending.pop(call.file, []):
                _apply(self.synced[call.file], one, len(one.data))
            self._keep_names(call.file)
        elif call.what == "U":
            self._forget(call.file)
        elif call.what == "R":
            self.synced[call.offset] = self.synced[call.file]
            self.pending[call.offset] = self.pending.get(call.file, [])
            self._forget(call.file)

    def _forget(self, file: int) -> None:
        self.synced.pop(file, None)
        self.pending.pop(file, None)
        self.created.discard(file)

    def _keep_names(self, folder: int) -> None:
        """Forcing a folder to the disk keeps the names of the files in it."""
        inside = self.names[folder].rstrip("/") + "/"
        self.created -= {file for file in self.created if self.names[file].startswith(inside)}

    def states(self, rng: Random, choices: int) -> Iterator[Files]:
        """The files as a power cut may leave them now; so many random ones besides the regular ones."""
        unsynced = [(file, at) for file, calls in self.pending.items() for at in range(len(calls))]
        yield self._state(dict.fromkeys(unsynced, 2), self.created)
        if not unsynced and not self.created:
            return
        yield self._state({}, set())
        yield self._state(dict.fromkeys(unsynced, 2), set())
        for one in unsynced:
            yield self._state({**dict.fromkeys(unsynced, 2), one: 0}, self.created)
        for _ in range(choices if unsynced else 0):
            kept = {one: rng.choice((0, 1, 2)) for one in unsynced}
            yield self._state(kept, {file for file in self.created if rng.random() < 0.8})

    def _state(self, kept: dict[tuple[int, int], int], there: set[int]) -> Files:
        """Of each unsynced call: 0 is missing, 1 half done, 2 done. `there`: the new files that exist."""
        files: Files = {}
        for file, content in self.synced.items():
            if file in self.created and file not in there:
                continue
            now = bytearray(content)
            for at, call in enumerate(self.pending.get(file, ())):
                how = kept.get((file, at), 0)
                if how:
                    _apply(now, call, len(call.data) if how == 2 else len(call.data) // 2)
            files[Path(self.names[file]).name] = bytes(now)
        return files


def _apply(content: bytearray, call: Call, length: int) -> None:
    if call.what == "T":
        del content[call.offset :]
        content.extend(bytes(call.offset - len(content)))
        return
    if len(content) < call.offset:
        content.extend(bytes(call.offset - len(content)))
    content[call.offset : call.offset + length] = call.data[:length]


def read_log(path: Path) -> list[Call]:
    """The calls, in their order."""
    data = path.read_bytes()
    calls = []
    at = 0
    while at < len(data):
        what, file, offset, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        calls.append(Call(what.decode(), file, offset, data[at : at + length]))
        at += length
    return calls


def crash_states(
    calls: list[Call], rng: Random, choices: int, *, every: int = 1, honest: bool = True
) -> Iterator[tuple[int, Files]]:
    """After every call (every so many): what was acknowledged by then, and the files as they may be left.

    Not `honest`, and forcing to the disk does nothing, as on a disk that lies.
    """
    disk = _Disk()
    acknowledged = 0
    for number, call in enumerate(calls):
        if call.what == "W" and disk.names[call.file].endswith(".ack"):
            acknowledged = int(call.data)
            continue
        if call.what == "S" and not honest:
            continue
        disk.take(call)
        if number % every == 0 and call.what != "N":
            for files in disk.states(rng, choices):
                yield acknowledged, files
