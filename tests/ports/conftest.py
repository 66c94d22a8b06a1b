"""Real pseudo-terminals, sockets and processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from far_end import PATIENCE_S, FarEnd, InThread, Spawn

from penstroke.ports.opening import open_port
from penstroke.ports.trace import RecordedPort


@pytest.fixture
def far_end() -> Iterator[FarEnd]:
    far = FarEnd()
    yield far
    far.unplug()


@pytest.fixture
def port(far_end: FarEnd) -> Iterator[RecordedPort]:
    opened = open_port(far_end.path)
    yield opened
    opened.close()


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    started: list[subprocess.Popen[str]] = []

    def start(script: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.kill()
        with process:
            process.wait(PATIENCE_S)


@pytest.fixture
def in_thread() -> Iterator[InThread]:
    threads: list[threading.Thread] = []

    def start(work: Callable[[], object]) -> Callable[[], object]:
        outcome: list[object] = []

        def run() -> None:
            try:
                outcome.append(work())
            except BaseException as error:
                outcome.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        threads.append(thread)

        def result() -> object:
            thread.join(PATIENCE_S)
            assert outcome, "the thread is still at it"
            return outcome[0]

        return result

    yield start
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
