"""What is printed, and where: data on stdout, talk on stderr. No colour: state is said in words."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, TextIO

from penstroke.interrupts import Interrupted, printing, takes_more

OUTPUT_CLOSED = "the output can no longer be written"
_NOBODY_READS = (errno.EPIPE, errno.EIO, errno.ECONNRESET)
"""A reader that went away, a terminal that was closed: somebody's wish to end, as Ctrl-C is."""


class OutputFailed(Interrupted):
    """The output cannot be written though somebody wants it, as on a full disk: the needles stop first."""


_REDRAW_S = 0.05
"""A live line on a terminal changes at most 20 times a second: eyes and slow serial consoles do no better."""
_SPARSE_S = 2.0
"""Without a terminal that can redraw, one line of progress for so many seconds of needling."""


def survive_odd_streams() -> None:
    """Make stdout and stderr usable whatever they are.

    A terminal that cannot show a sign (a micro, a degree) shows something else instead of failing; a stream
    that was closed by whoever started us swallows what it is told.
    """
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(nowhere, "w", encoding="utf-8"))
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def json_line(content: dict[str, Any]) -> str:
    """The object as JSON on one line."""
    return json.dumps(content, allow_nan=False, ensure_ascii=False)


def emit(content: dict[str, Any]) -> None:
    """One JSON object, one line, on stdout, at once."""
    _write(sys.stdout, json_line(content) + "\n")


def show(text: str) -> None:
    """Data for a person, on stdout."""
    _write(sys.stdout, text + "\n")


def say(text: str) -> None:
    """Talk: progress, messages, errors, on stderr."""
    _write(sys.stderr, text + "\n")


def _put(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


def _write(stream: TextIO, text: str) -> None:
    try:
        with printing(stream):
            _put(stream, text)
    except OSError as problem:
        _abandon(stream)
        if problem.errno in _NOBODY_READS:
            raise Interrupted(OUTPUT_CLOSED) from problem
        raise OutputFailed(f"{OUTPUT_CLOSED}: {problem.strerror or problem}") from problem
    except Interrupted:
        if not takes_more(stream):
            _abandon(stream)
        raise


def _abandon(stream: TextIO) -> None:
    """Let the rest go nowhere: neither last words nor Python's own last flush may wait for a reader."""
    with suppress(OSError, ValueError):
        its_own = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, its_own)
        os.close(nowhere)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the last one is not padded."""
    lines = [list(headers), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def minutes(seconds: float) -> str:
    """`0:07`, `12:30`: minutes and whole seconds, rounded up so that nothing left reads `0:00`."""
    whole = -int(-seconds // 1)
    return f"{whole // 60}:{whole % 60:02d}"


def _fitted(text: str, columns: int) -> str:
    """As many whole fields, two spaces apart or one, as fit: half a number would be another number."""
    while len(text.replace("  ", " ")) > columns and "  " in text:
        text = text[: text.rindex("  ")].rstrip()
    return text if len(text) <= columns else text.replace("  ", " ")[:columns]


class LiveLine:
    """One line on stderr that changes in place on a terminal, and now and then elsewhere."""

    def __init__(self, mark: str = "") -> None:
        """`mark` stands before every text."""
        self._mark = mark
        self._redraws = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._shown_at_s: float | None = None
        self._width = 0

    def update(self, text: str, at_s: float) -> None:
        """Show `text`; `at_s` is the pen's own time, by which the sparse lines are counted."""
        # On a terminal the wall decides, so that a treatment on virtual time does not flood it.
        clock_s, least_s = (time.monotonic(), _REDRAW_S) if self._redraws else (at_s, _SPARSE_S)
        if self._shown_at_s is not None and 0 <= clock_s - self._shown_at_s < least_s:
            return
        self._shown_at_s = clock_s
        text = self._mark + text.lstrip() if self._mark else text
        if not self._redraws:
            say(text)
            return
        text = _fitted(text, shutil.get_terminal_size().columns - 1)
        _write(sys.stderr, "\r" + text.ljust(self._width))
        self._width = len(text)

    def end(self) -> None:
        """Leave the line as it stands. Never raises: it is called on the way out with errors to be told."""
        if self._redraws and self._width:
            with suppress(Interrupted):
                _write(sys.stderr, "\n")
        self._width = 0
        self._shown_at_s = None
