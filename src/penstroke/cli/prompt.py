"""Asking a person, while the pen's line is kept served: a stop asked for elsewhere must still get through."""

from __future__ import annotations

import os
import select
import sys
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress

from penstroke.cli.errors import UsageProblem
from penstroke.cli.output import say
from penstroke.interrupts import Interrupted

_LOOK_S = 0.02
_LONGEST_LINE = 1024


def ask(question: str, answers: Sequence[str], *, meanwhile: Callable[[], None], flag: str) -> str:
    """Put the question until one of `answers` is typed: the word, or its first letter where no other has it.

    So `s` never starts anything where there is something to skip.

    `meanwhile` is called some twenty times a second; it serves the pen and raises to end the waiting. Without
    a terminal to answer on this is an error that names `flag`. A closed input counts as an interrupt.
    """
    _ready(flag)
    while True:
        say(question)
        given = _line(meanwhile).strip().lower()
        meant = [answer for answer in answers if given in (answer, answer[0])]
        if len(meant) == 1:
            return meant[0]
        say(f"  type the whole word: {' or '.join(answers)}")


def ask_text(question: str, *, meanwhile: Callable[[], None], flag: str) -> str:
    """Put the question and take whatever line is typed, without the spaces around it; otherwise as `ask`."""
    _ready(flag)
    say(question)
    return _line(meanwhile).strip()


def at_terminal() -> bool:
    """Whether there is anybody to ask."""
    return sys.stdin is not None and sys.stdin.isatty()


def typed_line() -> str | None:
    """A line that was typed while something else was going on, or None. Never waits.

    A closed input counts as an interrupt, as in a prompt.
    """
    if not at_terminal() or not select.select([sys.stdin], [], [], 0)[0]:
        return None
    fd = _own_descriptor()
    try:
        # Once: a line that its end is missing of (Ctrl-D does that) is taken as it is, and not waited for.
        return _some(fd).decode("utf-8", "replace")
    except BlockingIOError:
        return None
    finally:
        os.close(fd)


def _ready(flag: str) -> None:
    """Somebody is there, and what was typed before the question does not answer it."""
    if not at_terminal():
        raise UsageProblem(
            "this needs an answer, and the input is no terminal", code="needs-terminal", hint=flag
        )
    # A stray key must not start needles.
    with suppress(termios.error):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _line(meanwhile: Callable[[], None]) -> str:
    """One line from the terminal, read past Python's own buffer so that `select` tells the truth.

    Through a descriptor of our own that never waits: another program at the same terminal may take the line
    that `select` announced, and a read that then waited would serve neither the pen nor a signal.
    """
    fd = _own_descriptor()
    typed = b""
    try:
        while not typed.endswith(b"\n"):
            meanwhile()
            if not select.select([fd], [], [], _LOOK_S)[0]:
                continue
            try:
                typed += _some(fd)
            except BlockingIOError:
                continue
            if len(typed) > 2 * _LONGEST_LINE:
                raise Interrupted("end of input")
    finally:
        os.close(fd)
    return typed.decode("utf-8", "replace")


def _own_descriptor() -> int:
    try:
        return os.open(os.ttyname(sys.stdin.fileno()), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as gone:
        raise Interrupted("the terminal was closed") from gone


def _some(fd: int) -> bytes:
    """What is there to read. Raises `BlockingIOError` when another program took it."""
    try:
        got = os.read(fd, _LONGEST_LINE)
    except BlockingIOError:
        raise
    except OSError as gone:
        raise Interrupted("the terminal was closed") from gone
    if not got:
        raise Interrupted("end of input")
    return got
