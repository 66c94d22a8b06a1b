"""The worked example of the specification: both real ends, a device whose body is a few lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from generator.samples import HELD, IDENTITY, MOVING
from penstroke_protocol import messages as m
from penstroke_protocol.device_link import (
    BeatReceived,
    DeviceLink,
    HelloReceived,
    RequestReceived,
    StopReceived,
)
from penstroke_protocol.explain import explain
from penstroke_protocol.host_link import HostLink
from penstroke_protocol.link import MS


def exchange() -> list[str]:
    """Two lines a frame: when, who and the bytes; then what they say."""
    return _Exchange().told()


class _Exchange:
    def __init__(self) -> None:
        first = IDENTITY.boot_counter * 40_503 & 0xFFFF
        self._device = DeviceLink(identity=IDENTITY, first_session=first, first_epoch=first)
        self._host = HostLink(nonce=0x1234ABCD, zone_digest=IDENTITY.zone_digest)
        self._lines: list[str] = []
        self._ms = 0

    def told(self) -> list[str]:
        say = self._host_says
        say(0, lambda now: self._host.hello(now))
        say(12, self._asks(m.SelectZone(8, m.Side.LEFT, 1000)))
        say(9, self._asks(m.SetDepth(900)))
        say(9, self._asks(m.SetRate(1100)))
        self._telemetry(20, m.State.IDLE, HELD, nonce=0x5EED0001)
        say(9, self._asks(m.Arm(0xFEDCBA9876543210, 0)))
        say(10, lambda now: self._host.beat(m.State.ARMED, now))
        say(5, self._asks(m.Start(8, m.Side.LEFT, 900, 1100, 20_000)))
        self._event(1, m.EventCode.RUN_STARTED, 0)
        self._telemetry(30, m.State.RUNNING, MOVING, nonce=0x5EED0002)
        say(14, lambda now: self._host.beat(m.State.RUNNING, now))
        say(21, lambda now: self._host.stop(now))
        self._event(1, m.EventCode.RUN_ENDED, m.End.STOP)
        say(60, self._asks(m.SetDepth(850), epoch=-1))
        say(30, self._asks(m.Bye()))
        return self._lines

    def _asks(self, request: Any, *, epoch: int = 0) -> Callable[[int], None]:
        def ask(now_ns: int) -> None:
            self._host.epoch += epoch
            self._host.request(request, now_ns)

        return ask

    def _host_says(self, after_ms: int, act: Callable[[int], Any]) -> None:
        self._ms += after_ms
        act(self._ms * MS)
        self._carry()

    def _telemetry(self, after_ms: int, state: m.State, flags: m.Flag, *, nonce: int) -> None:
        self._ms += after_ms
        running = state is m.State.RUNNING
        self._device.send_telemetry(
            m.Telemetry(
                4000 + self._ms,
                nonce,
                state,
                flags,
                0,
                897 if running else 0,
                412 if running else 0,
                1 if running else 0,
                220 if running else 12,
                251,
                86,
            )
        )
        self._carry()

    def _event(self, after_ms: int, code: m.EventCode, arg: int) -> None:
        self._ms += after_ms
        self._device.send_event(code, m.Event(4000 + self._ms, arg), self._ms * MS)
        self._carry()

    def _carry(self) -> None:
        """Bytes go over until both sides have nothing more to say."""
        while True:
            there = self._shown(">", self._host.data_to_send())
            self._device.receive_data(there, self._ms * MS)
            while (event := self._device.next_event()) is not None:
                self._device_acts(event)
            back = self._shown("<", self._device.data_to_send())
            self._host.receive_data(back, self._ms * MS)
            while self._host.next_event() is not None:
                pass
            if not there and not back:
                return

    def _device_acts(self, event: Any) -> None:
        device = self._device
        match event:
            case HelloReceived(hello, token):
                device.raise_epoch()
                device.open_session(hello, token)
            case StopReceived():
                device.raise_epoch()
                device.answer_stop(event, m.Condition(m.State.IDLE, HELD | m.Flag.NEEDLES_OUT, 0))
            case BeatReceived():
                pass
            case RequestReceived(m.SelectZone(), token):
                flags = m.Flag.CARTRIDGE_IN | m.Flag.ZONE_SET
                device.answer(token, m.Settings(8, m.Side.LEFT, 1000, 0, 0, flags))
            case RequestReceived(m.SetDepth(), token):
                device.answer(token, m.Settings(8, m.Side.LEFT, 1000, 900, 0, HELD & ~m.Flag.RATE_SET))
            case RequestReceived(m.SetRate(), token):
                device.answer(token, m.Settings(8, m.Side.LEFT, 1000, 900, 1100, HELD))
            case RequestReceived(m.Arm(), token):
                device.answer(token, m.Condition(m.State.ARMED, HELD, 0))
            case RequestReceived(m.Start(), token):
                device.answer(token, m.Condition(m.State.RUNNING, HELD | m.Flag.MOTOR_ON, 0))
            case RequestReceived(m.Bye(), token):
                device.answer(token, m.Empty())
            case _:
                raise LookupError(f"the example does not say what follows on {event}")

    def _shown(self, direction: str, data: bytes) -> bytes:
        for chunk in data.split(b"\0"):
            if chunk:
                self._lines.append(f"{self._ms:4d} ms {direction} 00 {chunk.hex(' ')} 00")
                self._lines.append(f"          {explain(chunk)}")
        return data
