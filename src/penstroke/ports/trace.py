"""What went over the line: the last chunks always in memory (the black box), and all of it in a file if
asked.

A trace file is JSON lines: a header `{"trace": 1, "port": "…", "simulated": false}`, then `{"t_ns": …, "dir":
">", "hex": "…"}` for each write (`>`) and read (`<`), on the port's own clock. The simulator replays it
(`penstroke-sim replay`).
"""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from penstroke.errors import PlanError

if TYPE_CHECKING:
    from penstroke.ports.control import ControlSocket

TRACE_VERSION: Final = 1
BLACK_BOX_CHUNKS: Final = 64
"""About a second of a running pen: 20 telemetry frames and 20 beats, and room for what led to an error."""


Chunk = tuple[int, str, bytes]
"""When, in which direction (`>` written, `<` read), and the bytes of one piece."""


class BarePort(Protocol):
    """A `Port` without its memory: what serial ports, sockets and simulators are before they are recorded."""

    @property
    def name(self) -> str: ...
    @property
    def simulated(self) -> bool: ...
    @property
    def control(self) -> ControlSocket | None: ...
    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def write_now(self, data: bytes) -> None: ...
    def now_ns(self) -> int: ...
    def close(self) -> None: ...


class RecordedPort:
    """Any port, with a black box and perhaps a trace; see `Port`."""

    def __init__(self, port: BarePort, trace: TextIO | None = None) -> None:
        """Closes `trace` with the port. A write is noted before it is tried, a STOP after."""
        self.port = port
        self.name = port.name
        self.simulated = port.simulated
        self.control = port.control
        self.now_ns = port.now_ns
        self.trace_error: OSError | ValueError | None = None
        """Why the trace ends early, if it does: a full disk must not stop a pen from being stopped."""
        self._read = port.read
        self._write = port.write
        self._chunks: deque[Chunk] = deque(maxlen=BLACK_BOX_CHUNKS)
        self._trace = trace
        self._untraced: deque[Chunk] = deque()
        if trace is not None:
            self._put(trace, {"trace": TRACE_VERSION, "port": self.name, "simulated": self.simulated})

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        data = self._read(max_bytes, timeout_ns)
        if data:
            self._note("<", data)
        return data

    def write(self, data: bytes) -> None:
        self._note(">", data)
        self._write(data)

    def write_now(self, data: bytes) -> None:
        # First the bytes, and never the disk: the trace gets its line from the next read or write.
        self.port.write_now(data)
        chunk = (self.now_ns(), ">", data)
        self._chunks.append(chunk)
        if self._trace is not None:
            self._untraced.append(chunk)

    def close(self) -> None:
        self.port.close()
        trace, self._trace = self._trace, None
        if trace is not None:
            self._put_chunks(trace)
            # What a full disk refused is tried once more by closing, and refused once more.
            with suppress(OSError):
                trace.close()

    def black_box(self) -> tuple[str, ...]:
        """The last frames on the line in words, oldest first, with the seconds before the last one."""
        return decoded(tuple(self._chunks), cut=len(self._chunks) == BLACK_BOX_CHUNKS)

    def _note(self, direction: str, data: bytes) -> None:
        chunk = (self.now_ns(), direction, data)
        self._chunks.append(chunk)
        trace = self._trace
        if trace is not None:
            self._untraced.append(chunk)
            self._put_chunks(trace)

    def _put_chunks(self, trace: TextIO) -> None:
        while self._untraced:
            t_ns, direction, data = self._untraced.popleft()
            self._put(trace, {"t_ns": t_ns, "dir": direction, "hex": data.hex()})

    def _put(self, trace: TextIO, line: dict[str, object]) -> None:
        if self.trace_error is not None:
            return
        try:
            trace.write(json.dumps(line) + "\n")
            trace.flush()
        # ValueError: another thread has closed the port, and the file with it.
        except (OSError, ValueError) as error:
            self.trace_error = error


def open_trace(path: Path) -> TextIO:
    """A new trace file. Raises `PlanError` with code `trace-unwritable`."""
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise PlanError(
            f"cannot write the trace {path}: {error.strerror}",
            code="trace-unwritable",
            hint="name another file",
        ) from error


def decoded(chunks: tuple[Chunk, ...], *, cut: bool) -> tuple[str, ...]:
    """The frames in `chunks` in words, in the order in which they ended; `cut` when earlier chunks are
    missing.

    A frame whose beginning is missing is left out; one whose end is missing is shown as the bytes it has.
    """
    from penstroke_protocol.explain import explain  # only when something went wrong

    open_frames = {">": b"", "<": b""}
    beginning_missing = {">": cut, "<": cut}
    lines: list[str] = []
    last_ns = chunks[-1][0] if chunks else 0
    for t_ns, direction, data in chunks:
        head = f"{(t_ns - last_ns) / 1e9:+.3f} s {direction}"
        *whole, open_frames[direction] = (open_frames[direction] + data).split(b"\0")
        for encoded in whole:
            if encoded and not beginning_missing[direction]:
                lines.append(f"{head} {explain(encoded)}")
            beginning_missing[direction] = False
    for direction, rest in open_frames.items():
        if rest and not beginning_missing[direction]:
            lines.append(f"         {direction} unfinished {rest.hex(' ')}")
    return tuple(lines)
