"""Ctrl-C, SIGTERM and a closed terminal: the needles stop first, then the program ends.

Strategy. While a pen is held, a signal never raises inside whatever is running: its handler sends STOP (one
write, no lock) and leaves a note, and the program looks at the note between its steps, none of which lasts
long. So the link is never torn apart in the middle of a frame, and a second Ctrl-C cannot skip the stop: it
sends another one. Only printing may last for ever: where nobody reads, a signal raises after its STOP.
While no pen is held a signal ends the program at once.
"""

from __future__ import annotations

import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType
from typing import Any, TextIO

_printing: TextIO | None = None
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody asked for the end. No `Exception`, so that nothing takes it for a mistake and goes on."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Interrupts:
    """The signals of this process, while its `with` block lasts. Main thread only."""

    def __init__(self) -> None:
        self.why = ""
        """What asked for the end, in words; empty while nothing has."""
        self._stop: Callable[[], None] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        for signum in SIGNALS:
            # Under nohup the user has said that a closed terminal is no reason to end.
            if signum is signal.SIGHUP and signal.getsignal(signum) is signal.SIG_IGN:
                continue
            self._before[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)
        self._before.clear()

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """While this lasts a signal calls `stop` and raises nothing; `check` tells that it came."""
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        if self.why:
            raise Interrupted(self.why)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        self.why = self.why or signal.Signals(signum).name
        if self._stop is None:
            raise Interrupted(self.why)
        # A port that has just failed makes the stop fail too; leaving the block stops again and says so.
        with suppress(Exception):
            self._stop()
        if _printing is not None and not takes_more(_printing):
            raise Interrupted(self.why)


@contextmanager
def printing(stream: TextIO) -> Iterator[None]:
    """While this lasts nothing is under way but output to `stream`, and a signal may end it if it hangs."""
    global _printing
    _printing = stream
    try:
        yield
    finally:
        _printing = None


def takes_more(stream: TextIO) -> bool:
    """Whether whoever reads this stream leaves room for more. One without a descriptor never hangs."""
    try:
        return bool(select.select([], [stream.fileno()], [], 0)[1])
    except (OSError, ValueError):
        return True
