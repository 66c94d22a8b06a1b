"""A serial device through a real pseudo-terminal: bytes, waiting, settings, the far end going away."""

from __future__ import annotations

import fcntl
import os
import termios
import time

import pytest
from far_end import FarEnd, InThread, Spawn
from pytest_mock import MockerFixture

from penstroke.errors import LinkLost, PortBusy
from penstroke.ports import Port, serial_port
from penstroke.ports.opening import open_port
from penstroke.ports.trace import RecordedPort

SECOND_NS = 10**9
EVERY_BYTE = bytes(range(256))


def test_every_byte_passes_unchanged_in_both_directions(port: RecordedPort, far_end: FarEnd) -> None:
    port.write(EVERY_BYTE)
    assert far_end.read_until(b"\xff") == EVERY_BYTE
    far_end.write(EVERY_BYTE)
    got = b""
    while len(got) < 256:
        got += port.read(4096, SECOND_NS) or pytest.fail("nothing arrived")
    assert got == EVERY_BYTE


def test_read_gives_what_is_there_and_no_more_than_asked(port: RecordedPort, far_end: FarEnd) -> None:
    far_end.write(b"abcdef")
    assert port.read(4, SECOND_NS) == b"abcd"
    assert port.read(4, None) == b"ef"


@pytest.mark.parametrize("timeout_ns", [0, -5, 1, 20_000_000])
def test_read_gives_nothing_when_the_time_has_passed(port: RecordedPort, timeout_ns: int) -> None:
    began = time.monotonic_ns()
    assert port.read(10, timeout_ns) == b""
    assert timeout_ns <= time.monotonic_ns() - began < timeout_ns + 5 * SECOND_NS


def test_a_time_longer_than_the_system_knows_still_waits_for_a_byte(
    port: RecordedPort, far_end: FarEnd
) -> None:
    far_end.write(b"x")
    assert port.read(1, 10**18) == b"x"


def test_the_clock_is_the_monotonic_one(port: RecordedPort) -> None:
    assert time.monotonic_ns() <= port.now_ns() <= time.monotonic_ns()


def test_a_device_is_named_by_its_path_and_never_called_simulated(
    port: RecordedPort, far_end: FarEnd
) -> None:
    assert (port.name, port.simulated) == (far_end.path, False)
    typed: Port = port
    assert typed.control is not None


@pytest.mark.req("R-1.1")
def test_line_is_115200_8n1_without_flow_control(port: RecordedPort, far_end: FarEnd) -> None:
    iflag, oflag, cflag, lflag, ispeed, ospeed, _ = termios.tcgetattr(far_end.fd)
    assert ispeed == ospeed == termios.B115200
    assert cflag & termios.CSIZE == termios.CS8
    assert not cflag & (termios.PARENB | termios.CSTOPB | termios.CRTSCTS)
    assert not iflag & (termios.IXON | termios.IXOFF | termios.ICRNL)
    assert not oflag & termios.OPOST
    assert not lflag & (termios.ECHO | termios.ICANON | termios.ISIG)


@pytest.mark.req("R-1.2")
def test_closing_will_not_drop_the_reset_line(far_end: FarEnd) -> None:
    settings = termios.tcgetattr(far_end.fd)
    settings[2] |= termios.HUPCL
    termios.tcsetattr(far_end.fd, termios.TCSANOW, settings)
    open_port(far_end.path).close()
    assert not termios.tcgetattr(far_end.fd)[2] & termios.HUPCL


def test_an_empty_read_can_only_mean_the_end(port: RecordedPort, far_end: FarEnd) -> None:
    """Bytes that another reader took are no end of the line: VMIN 1 makes the system tell them apart."""
    assert termios.tcgetattr(far_end.fd)[6][termios.VMIN] in (1, b"\x01")


def test_the_far_end_gone_is_link_lost_for_reading_writing_and_stopping(
    port: RecordedPort, far_end: FarEnd
) -> None:
    far_end.unplug()
    with pytest.raises(LinkLost, match="has gone"):
        port.read(100, SECOND_NS)
    with pytest.raises(LinkLost, match="has gone"):
        port.write(b"x")
    with pytest.raises(LinkLost, match="has gone"):
        port.write_now(b"x")


def test_a_cable_pulled_wakes_a_waiting_reader(
    port: RecordedPort, far_end: FarEnd, in_thread: InThread
) -> None:
    waiting = in_thread(lambda: port.read(1, None))
    far_end.unplug()
    assert isinstance(waiting(), LinkLost)


def test_the_line_serves_the_next_host_after_close(far_end: FarEnd) -> None:
    for turn in (b"first", b"second"):
        port = open_port(far_end.path)
        port.write(turn)
        assert far_end.read_until(turn) == turn
        port.close()


def test_low_latency_is_asked_for(far_end: FarEnd, mocker: MockerFixture) -> None:
    asked: list[bool] = []
    mocker.patch.object(serial_port.serial.Serial, "set_low_latency_mode", lambda self, on: asked.append(on))
    open_port(far_end.path).close()
    assert asked == [True]


class TestARealDevice:
    """A pseudo-terminal treated as a plugged-in device, which no machine of ours is sure to have."""

    @pytest.fixture(autouse=True)
    def no_pseudo_terminals(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(serial_port, "_is_pseudo_terminal", lambda path: False)

    def test_the_kernel_refuses_other_openers(self, far_end: FarEnd) -> None:
        tiocgexcl = 0x80045440
        port = open_port(far_end.path)
        held = os.open(far_end.path, os.O_RDWR | os.O_NOCTTY) if os.geteuid() == 0 else far_end.near
        assert fcntl.ioctl(held, tiocgexcl, b"\0\0\0\0") == b"\1\0\0\0"
        if held != far_end.near:
            os.close(held)
        port.close()

    def test_a_program_that_knows_no_locks_makes_it_busy(self, far_end: FarEnd, spawn: Spawn) -> None:
        other = spawn(
            "import os, sys; os.open(sys.argv[1], os.O_RDWR); print('ready', flush=True); input()",
            far_end.path,
        )
        with pytest.raises(PortBusy, match=rf"held by process {other.pid} \(.*python.*\)") as caught:
            open_port(far_end.path)
        assert caught.value.facts["pid"] == other.pid
