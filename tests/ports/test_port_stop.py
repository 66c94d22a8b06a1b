"""STOP goes out whatever the other threads are doing, and nothing is written anywhere after a close."""

from __future__ import annotations

import os
import signal
import socket
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from far_end import PATIENCE_S, FarEnd, InThread
from pytest_mock import MockerFixture

from penstroke.errors import LinkLost
from penstroke.ports import fd_port
from penstroke.ports.fd_port import URGENT_WAIT_NS, WRITE_WAIT_NS, FdPort
from penstroke.ports.trace import RecordedPort

STOP = b"\0STOP\0"


@pytest.mark.req("S-13")
def test_stop_goes_out_while_another_thread_waits_for_bytes(
    port: RecordedPort, far_end: FarEnd, in_thread: InThread
) -> None:
    waiting = in_thread(lambda: port.read(1, None))
    port.write_now(STOP)
    assert far_end.read_until(STOP) == STOP
    far_end.write(b"a")
    assert waiting() == b"a"


@pytest.mark.req("S-13")
def test_stop_passes_a_full_line_and_drops_what_waited_there(port: RecordedPort, far_end: FarEnd) -> None:
    far_end.fill()
    began = time.monotonic_ns()
    port.write_now(STOP)
    took_ns = time.monotonic_ns() - began
    assert far_end.read_until(STOP).endswith(STOP)
    assert took_ns < 20_000_000


@pytest.mark.req("S-13")
def test_stop_passes_a_writer_that_waits_for_room(
    port: RecordedPort, far_end: FarEnd, in_thread: InThread
) -> None:
    far_end.fill()
    blocked = in_thread(lambda: port.write(b"\0SLOW\0" * 20))
    port.write_now(STOP)
    assert STOP in far_end.read_until(STOP)
    assert blocked() is None


def test_a_frame_overtaken_by_a_stop_is_not_finished_behind_it(in_thread: InThread) -> None:
    near, far = socket.socketpair()
    near.setblocking(False)
    port = FdPort(near.fileno(), name="pair", release=near.close)
    with far:
        filled = 0
        try:
            while True:
                filled += near.send(b"\x55" * 512)
        except BlockingIOError:
            pass
        port._overtaken += 1  # as by a STOP that came in between
        rest = memoryview(b"the rest")
        port._write_rest(rest, WRITE_WAIT_NS, port._overtaken - 1)
        port.close()
        left = b""
        while chunk := far.recv(65536):
            left += chunk
    assert len(left) == filled


def test_a_line_that_takes_nothing_is_lost_after_200_ms(port: RecordedPort, far_end: FarEnd) -> None:
    far_end.fill()
    began = time.monotonic_ns()
    with pytest.raises(LinkLost, match="took no bytes for 200 ms"):
        port.write(b"x" * 100)
    assert WRITE_WAIT_NS <= time.monotonic_ns() - began < WRITE_WAIT_NS + 10**9


def test_a_stop_that_finds_no_room_says_so_within_its_bound() -> None:
    near, far = socket.socketpair()
    port = FdPort(near.fileno(), name="pair", release=near.close)
    with far:
        with pytest.raises(LinkLost, match="took no bytes for 200 ms"):
            port.write(b"x" * 10_000_000)
        began = time.monotonic_ns()
        with pytest.raises(LinkLost, match="took no bytes for 10 ms"):
            port.write_now(STOP)
        assert URGENT_WAIT_NS <= time.monotonic_ns() - began < URGENT_WAIT_NS + 10**9
        port.close()


def test_a_write_larger_than_the_line_arrives_whole_when_the_far_end_reads(in_thread: InThread) -> None:
    data = os.urandom(1_000_000)
    near, far = socket.socketpair()
    port = FdPort(near.fileno(), name="pair", release=near.close)
    with far:
        written = in_thread(lambda: port.write(data))
        got = b""
        while len(got) < len(data):
            got += far.recv(65536)
        assert written() is None
        port.close()
    assert got == data


@pytest.mark.req("S-12")
def test_each_stop_among_flooding_writers_arrives_whole(
    port: RecordedPort, far_end: FarEnd, in_thread: InThread
) -> None:
    flooding = True

    def flood() -> None:
        while flooding:
            # One of two writers may find no room for 200 ms, because the other one takes it all.
            with suppress(LinkLost):
                port.write(b"\0" + b"w" * 60 + b"\0")

    writers = [in_thread(flood) for _ in range(2)]
    try:
        for number in range(100):
            stop = b"\0STOP%03d\0" % number
            port.write_now(stop)
            got = b""
            while stop not in got:
                got = got[-len(stop) :] + far_end.read()
    finally:
        flooding = False
    assert [writer() for writer in writers] == [None, None]


@pytest.mark.req("S-13")
def test_stop_from_a_signal_handler_inside_a_blocked_read_or_write(
    port: RecordedPort, far_end: FarEnd
) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: port.write_now(STOP))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        assert port.read(1, 100_000_000) == b""
        assert far_end.read_until(STOP) == STOP
        far_end.fill()
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        port.write(b"\0SLOW\0")
        assert STOP in far_end.read_until(STOP)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_close_wakes_whoever_reads_with_an_error(far_end: FarEnd, in_thread: InThread) -> None:
    for _ in range(30):
        port = RecordedPort(opened(far_end))
        reader = in_thread(lambda port=port: port.read(1, None))
        port.close()
        outcome = reader()
        assert isinstance(outcome, LinkLost)
        assert "is closed" in outcome.message


def test_close_wakes_whoever_waits_for_room(far_end: FarEnd, in_thread: InThread) -> None:
    for _ in range(5):
        port = opened(far_end)
        far_end.fill()
        writer = in_thread(lambda port=port: port.write(b"x" * 100))
        port.close()
        assert isinstance(writer(), LinkLost)


def test_a_closed_port_refuses_everything_and_closes_again(far_end: FarEnd) -> None:
    port = opened(far_end)
    port.close()
    port.close()
    for use in (lambda: port.read(1, 0), lambda: port.write(b"x"), lambda: port.write_now(b"x")):
        with pytest.raises(LinkLost, match="is closed"):
            use()


@pytest.mark.req("S-12")
def test_a_stop_that_races_with_close_is_never_written_into_another_file(
    far_end: FarEnd, in_thread: InThread, tmp_path: Path
) -> None:
    """Files opened right after the close would take the port's number, were it freed under the stopper."""
    for attempt in range(30):
        port = opened(far_end)
        racing = threading.Event()

        def hammer(port: FdPort = port, racing: threading.Event = racing) -> None:
            while True:
                port.write_now(STOP)
                racing.set()

        stopper = in_thread(hammer)
        reader = in_thread(lambda racing=racing: far_end.read() and racing.wait(PATIENCE_S))
        assert racing.wait(PATIENCE_S)
        reader()
        port.close()
        victims = [tmp_path / f"{attempt}-{number}" for number in range(8)]
        files = [victim.open("wb") for victim in victims]
        assert isinstance(stopper(), LinkLost)
        for file in files:
            file.close()
        assert [victim.read_bytes() for victim in victims] == [b""] * 8


def test_close_waits_a_little_for_what_has_not_left_and_then_drops_it(
    port: RecordedPort, mocker: MockerFixture
) -> None:
    asked = mocker.patch.object(fd_port, "_unsent", return_value=7)
    flush = mocker.spy(fd_port.termios, "tcflush")
    port.write(b"\0BYE\0")
    began = time.monotonic_ns()
    port.close()
    assert 50_000_000 <= time.monotonic_ns() - began < 10**9
    assert asked.call_count == 10
    assert flush.call_args.args[1] == termios.TCOFLUSH


def test_what_was_written_last_still_arrives_after_close(port: RecordedPort, far_end: FarEnd) -> None:
    port.write(b"\0BYE\0")
    port.close()
    assert far_end.read_until(b"\0BYE\0") == b"\0BYE\0"


def opened(far_end: FarEnd) -> FdPort:
    from penstroke.ports.serial_port import open_device

    return open_device(far_end.path)
