"""Real `penstroke-sim` processes, and one small host that speaks the bare protocol over any kind of line."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import serial

from penstroke_protocol import HostLink
from penstroke_protocol.host_link import (
    Answered,
    DeviceEvent,
    RequestRefused,
    RequestTimedOut,
    SessionEnded,
    SessionOpened,
    StopAnswered,
    StopTimedOut,
    TelemetryReceived,
)
from penstroke_protocol.messages import (
    Arm,
    HelloAnswer,
    SelectZone,
    SetDepth,
    SetRate,
    Start,
    State,
    Telemetry,
)
from penstroke_protocol.zone_table import ZONE_DIGEST

SIM = [sys.executable, "-c", "from penstroke_sim.cli import main; main()"]
PATIENCE_S = 10.0
"""Longest wait for a real process on a busy machine; reaching it is a failure."""
CHEEK = 8
LEFT = 1


class Line(Protocol):
    """A line to a pen, and its clock."""

    def read(self, timeout_s: float) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    def now_ns(self) -> int: ...
    def close(self) -> None: ...


class SerialLine:
    """Through pyserial, as any program would: a device path, `socket://` or `sim://`."""

    def __init__(self, url: str) -> None:
        if "penstroke_sim.urlhandlers" not in serial.protocol_handler_packages:
            serial.protocol_handler_packages.append("penstroke_sim.urlhandlers")
        self.serial = serial.serial_for_url(url, baudrate=115_200, timeout=0.005, write_timeout=1)

    def read(self, timeout_s: float) -> bytes:
        until_s = time.monotonic() + timeout_s
        data = b""
        while not data and time.monotonic() < until_s:
            data = bytes(self.serial.read(4096))
        return data

    def write(self, data: bytes) -> None:
        self.serial.write(data)

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def close(self) -> None:
        self.serial.close()


class VirtualLine:
    """In process, on virtual time."""

    def __init__(self, url: str) -> None:
        from penstroke_sim.inprocess import open_virtual

        self.port = open_virtual(url)

    def read(self, timeout_s: float) -> bytes:
        return self.port.read(4096, int(timeout_s * 1e9))

    def write(self, data: bytes) -> None:
        self.port.write(data)

    def now_ns(self) -> int:
        return self.port.now_ns()

    def close(self) -> None:
        self.port.close()


class Host:
    """Says what it is told to, beats while it is told to, and remembers what it heard."""

    def __init__(self, line: Line, nonce: int = 1) -> None:
        self.line = line
        self.link = HostLink(nonce=nonce, zone_digest=ZONE_DIGEST)
        self.telemetry: list[Telemetry] = []
        self.device_events: list[DeviceEvent] = []
        self._beat_due_ns = 0

    def hello(self) -> HelloAnswer:
        self.link.hello(self.line.now_ns())
        opened = self._until_reply()
        assert isinstance(opened, SessionOpened), opened
        return opened.answer

    def ask(self, message: Any, beat: State | None = None) -> Answered | RequestRefused | SessionEnded:
        self.link.request(message, self.line.now_ns())
        reply = self._until_reply(beat)
        assert isinstance(reply, Answered | RequestRefused | SessionEnded), reply
        return reply

    def done(self, message: Any, beat: State | None = None) -> Any:
        reply = self.ask(message, beat)
        assert isinstance(reply, Answered), reply
        return reply.answer

    def stop(self) -> Any:
        self.link.stop(self.line.now_ns())
        reply = self._until_reply()
        assert isinstance(reply, StopAnswered), reply
        return reply.condition

    def until(self, wanted: Callable[[Telemetry], bool], beat: State | None = None) -> Telemetry:
        """The first telemetry from here on that is as wanted."""
        seen = len(self.telemetry)
        began_ns = self.line.now_ns()
        while self.line.now_ns() < began_ns + PATIENCE_S * 1e9:
            for heard in self.telemetry[seen:]:
                if wanted(heard):
                    return heard
            seen = len(self.telemetry)
            self._turn(beat)
        raise AssertionError(f"not seen in {PATIENCE_S} s; last: {self.telemetry[-1:]}")

    def listen(self, for_s: float, beat: State | None = None) -> None:
        began_ns = self.line.now_ns()
        while self.line.now_ns() < began_ns + for_s * 1e9:
            self._turn(beat)

    def ready(self) -> None:
        """Session, settings for the left cheek at 0.90 mm and 110 Hz, and the pen past its boot."""
        if not self.link.session:
            self.hello()
        self.until(lambda heard: heard.state == State.IDLE)
        self.done(SelectZone(CHEEK, LEFT, 1000))
        self.done(SetDepth(900))
        self.done(SetRate(1100))

    def running(self) -> None:
        """As `ready`, then armed and running with the needles out."""
        self.ready()
        self.done(Arm(1, 0))
        self.done(Start(CHEEK, LEFT, 900, 1100, 600_000), beat=State.ARMED)
        self.until(lambda heard: heard.measured_depth_um > 800, beat=State.RUNNING)

    def _until_reply(self, beat: State | None = None) -> Any:
        began_ns = self.line.now_ns()
        while self.line.now_ns() < began_ns + PATIENCE_S * 1e9:
            reply = self._turn(beat)
            if reply is not None:
                return reply
        raise AssertionError("no reply")

    def _turn(self, beat: State | None) -> Any:
        link, line = self.link, self.line
        link.handle_timer(line.now_ns())
        if beat is not None and line.now_ns() >= self._beat_due_ns:
            link.beat(beat, line.now_ns())
            self._beat_due_ns = line.now_ns() + 50_000_000
        data = link.data_to_send()
        if data:
            line.write(data)
        link.receive_data(line.read(0.02), line.now_ns())
        reply = None
        while (event := link.next_event()) is not None:
            match event:
                case TelemetryReceived(telemetry=telemetry):
                    self.telemetry.append(telemetry)
                case DeviceEvent():
                    self.device_events.append(event)
                case (
                    SessionOpened()
                    | Answered()
                    | RequestRefused()
                    | SessionEnded()
                    | StopAnswered()
                    | StopTimedOut()
                    | RequestTimedOut()
                ):
                    reply = event
        return reply


class Server:
    """A running `penstroke-sim serve`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.ready = self.next_line()
        self.port = str(self.ready["port"])

    def next_line(self) -> dict[str, Any]:
        """The next line on its stdout."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            raise AssertionError(f"not ready: {self.process.communicate()[1]}")
        told: dict[str, Any] = json.loads(line)
        return told

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """SIGTERM; the exit code and what it said on stderr."""
        self.process.terminate()
        _, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, said


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts `penstroke-sim serve` with the arguments given and waits until it is ready."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> Server:
        process = subprocess.Popen(
            [*SIM, "serve", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return Server(process)

    yield start
    for process in processes:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGCONT)
            process.kill()
        process.communicate()


@pytest.fixture
def connect() -> Iterator[Callable[..., Host]]:
    """A host on a line to the port given; every line is closed at the end."""
    lines: list[Line] = []

    def open_line(url: str, nonce: int = 1) -> Host:
        line: Line = VirtualLine(url) if "clock=virtual" in url else SerialLine(url)
        lines.append(line)
        return Host(line, nonce)

    yield open_line
    for line in lines:
        line.close()
