"""A question at a terminal: only a whole word answers it, and waiting for one hinders nothing."""

from __future__ import annotations

import os
import pty
import select
import sys
from collections.abc import Iterator

import pytest

from penstroke.cli import prompt
from penstroke.interrupts import Interrupted

ANSWERS = ("start", "skip", "quit")


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What is written here is typed at the terminal that stdin is."""
    master, slave = pty.openpty()
    with os.fdopen(slave, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield master
    os.close(master)


def ask(keyboard: int, *typed: str) -> str:
    lines = iter(typed)

    def meanwhile() -> None:
        line = next(lines, None)
        if line is not None:
            os.write(keyboard, line.encode())

    return prompt.ask("start, skip or quit?", ANSWERS, meanwhile=meanwhile, flag="--yes")


@pytest.mark.req("S-11")
def test_a_first_letter_starts_nothing(keyboard: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(keyboard, "s\n", "st\n", "sk\n", "skip\n") == "skip"
    assert capsys.readouterr().err.count("type the whole word: start or skip or quit") >= 1


def test_a_first_letter_that_only_one_answer_has_will_do(keyboard: int) -> None:
    assert ask(keyboard, "q\n") == "quit"


def test_a_word_typed_in_pieces_is_one_word(keyboard: int) -> None:
    assert ask(keyboard, "sk", "ip", "\n") == "skip"


def test_a_line_that_another_reader_took_leaves_the_pen_served(
    keyboard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`select` says that there is something, and there is nothing: a read that waited would wait for ever."""
    monkeypatch.setattr(select, "select", lambda readable, *_: (readable, [], []))
    turns = 0

    def meanwhile() -> None:
        nonlocal turns
        turns += 1
        if turns == 50:
            raise Interrupted("SIGINT")

    with pytest.raises(Interrupted):
        prompt.ask("start?", ANSWERS, meanwhile=meanwhile, flag="--yes")
    assert turns == 50
