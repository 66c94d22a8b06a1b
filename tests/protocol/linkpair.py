"""Both ends of the line, over wires that can be hostile, in virtual time.

A `LinkPair` is a real HostLink, a real DeviceLink with a firmware of a few lines behind it, and two wires.
Nothing here waits: `run` takes the pair from one moment at which something is due to the next.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from penstroke_protocol import messages as m
from penstroke_protocol.device_link import (
    BeatReceived,
    DeviceLink,
    HelloReceived,
    RequestReceived,
    StopReceived,
)
from penstroke_protocol.frames import Frame, Receiver, encode
from penstroke_protocol.host_link import HostLink, SessionOpened
from penstroke_protocol.link import MS

DIGEST = 0xD16E57D16E57D16E
IDENTITY = m.HelloAnswer(
    major=m.MAJOR,
    minor=m.MINOR,
    motion_hash=m.MOTION_HASH,
    nonce=0,
    zone_digest=DIGEST,
    boot_counter=7,
    role=m.Role.CONTROLLER,
    lease_ms=300,
    model="test",
    serial="T-1",
    firmware_major=0,
    firmware_minor=1,
    firmware_patch=0,
    features=0,
    depth_min_um=50,
    depth_max_um=2500,
    depth_step_um=50,
    tolerance_um=50,
    rate_min_dhz=250,
    rate_max_dhz=1500,
    rate_step_dhz=10,
    needles=16,
)
Arrivals = list[tuple[int, bytes]]
"""(delay in ns, bytes) of what arrives for one write."""


class Wire:
    """A perfect wire; its children are not. `rng` is seeded by whoever makes one."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def carry(self, data: bytes) -> Arrivals:
        """What arrives of `data`, and how much later."""
        return [(0, data)]


class OneByteAtATime(Wire):
    """Each byte alone, at the pace of 115200 baud."""

    def carry(self, data: bytes) -> Arrivals:
        return [(87_000 * index, data[index : index + 1]) for index in range(len(data))]


class RandomLoss(Wire):
    """One byte of a hundred is lost: one frame of six, and four HELLO of five."""

    def carry(self, data: bytes) -> Arrivals:
        return [(0, bytes(byte for byte in data if self.rng.random() > 0.01))]


class Flips(Wire):
    """A bit is turned round in one byte of a hundred."""

    def carry(self, data: bytes) -> Arrivals:
        turned = (byte ^ (1 << self.rng.randrange(8)) if self.rng.random() < 0.01 else byte for byte in data)
        return [(0, bytes(turned))]


class Duplicates(Wire):
    """A third of the writes arrives again, up to half a second later."""

    def carry(self, data: bytes) -> Arrivals:
        again = [(self.rng.randrange(500 * MS), data)] if self.rng.random() < 0.33 else []
        return [(0, data), *again]


class Delays(Wire):
    """Each write takes up to 120 ms of its own, so that they overtake one another."""

    def carry(self, data: bytes) -> Arrivals:
        return [(self.rng.randrange(120 * MS), data)]


class Junk(Wire):
    """Noise of up to 200 bytes before a quarter of the writes, delimiters in it."""

    def carry(self, data: bytes) -> Arrivals:
        noise = self.rng.randbytes(self.rng.randrange(200)) if self.rng.random() < 0.25 else b""
        return [(0, noise), (0, data)]


class Everything(Wire):
    """All of it at once."""

    def carry(self, data: bytes) -> Arrivals:
        arrivals: Arrivals = [(0, data)]
        for kind in (Junk, RandomLoss, Flips, Duplicates, Delays):
            layer = kind(self.rng)
            arrivals = [
                (delay + more, part) for delay, whole in arrivals for more, part in layer.carry(whole)
            ]
        return arrivals


HOSTILE: tuple[type[Wire], ...] = (OneByteAtATime, RandomLoss, Flips, Duplicates, Delays, Junk, Everything)


@dataclass
class TinyFirmware:
    """Just enough of a pen: it writes down what it carried out, knows running, and raises the epoch."""

    device: DeviceLink
    executed: list[Any] = field(default_factory=list)
    """Every request handed up, in order."""
    stops: int = 0
    running: bool = False
    running_since_stop: list[Any] = field(default_factory=list)
    beats: list[BeatReceived] = field(default_factory=list)
    hold: bool = False
    """Keep requests unanswered in `held`, as a slow firmware does."""
    held: list[RequestReceived] = field(default_factory=list)

    def act(self, event: Any) -> None:
        match event:
            case HelloReceived(hello, token):
                self.running = False
                self.device.raise_epoch()
                self.device.open_session(hello, token)
            case StopReceived():
                self.stops += 1
                self.running = False
                self.device.raise_epoch()
                self.device.answer_stop(event, self.condition())
            case BeatReceived():
                self.beats.append(event)
            case RequestReceived(request, token):
                self.executed.append(request)
                if self.hold:
                    self.held.append(event)
                else:
                    self.device.answer(token, self.reply(request))

    def condition(self) -> m.Condition:
        return m.Condition(m.State.RUNNING if self.running else m.State.IDLE, 0, 0)

    def reply(self, request: Any) -> Any:
        answer = type(request).spec.answer
        if isinstance(request, m.Start):
            self.running = True
        elif isinstance(request, m.Release | m.Bye):
            self.running = False
            self.device.raise_epoch()
        if answer is m.Condition:
            return self.condition()
        if answer is m.Settings:
            return m.Settings(1, 0, 0, getattr(request, "depth_um", 0), getattr(request, "rate_dhz", 0), 0)
        if answer is m.Empty:
            return m.Empty()
        if answer is m.Witness:
            return m.Witness(0, 0, 0, 0, 0, 0)
        if answer is m.CartridgeInfo:
            return m.CartridgeInfo(0, 0, "", 0, 0, 0, 0, 0)
        return m.Status(0, 7, m.State.IDLE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 0)


class LinkPair:
    """A host and a device, what lies on the wires between them, and the time that both live in."""

    def __init__(
        self,
        *,
        to_device: Wire,
        to_host: Wire,
        nonce: int = 0xABCD,
        role: m.Role = m.Role.CONTROLLER,
        identity: m.HelloAnswer = IDENTITY,
    ) -> None:
        self.now_ns = 0
        self.host = HostLink(nonce=nonce, zone_digest=DIGEST, role=role)
        self.device = DeviceLink(identity=identity, first_session=40, first_epoch=60_000)
        self.firmware = TinyFirmware(self.device)
        self.to_device, self.to_host = to_device, to_host
        self.events: list[Any] = []
        """All that the host's engine handed up."""
        self.device_said = Receiver()
        self.device_frames: list[Frame] = []
        """All frames that left the device, before the wire."""
        self.on_host_event: Callable[[Any], None] = lambda event: None
        self._way: list[tuple[int, int, bool, bytes]] = []
        self._order = 0

    def run(self, until_ns: int) -> None:
        """Everything that is due up to `until_ns`, in order."""
        while True:
            self._flush()
            due = [
                at
                for at in (
                    self._way[0][0] if self._way else None,
                    self.host.next_timer(),
                    self.device.next_timer(),
                )
                if at is not None
            ]
            if not due or min(due) > until_ns:
                break
            self.now_ns = max(self.now_ns, min(due))
            while self._way and self._way[0][0] <= self.now_ns:
                _, _, for_device, data = heapq.heappop(self._way)
                (self.device if for_device else self.host).receive_data(data, self.now_ns)
                self._take_events()
            self.host.handle_timer(self.now_ns)
            self.device.handle_timer(self.now_ns)
            self._take_events()
        self.now_ns = until_ns

    def run_ms(self, ms: float) -> None:
        """`run` for so much longer."""
        self.run(self.now_ns + int(ms * MS))

    def open(self) -> m.HelloAnswer:
        """Say HELLO over whatever wire there is, again when it times out; returns the answer."""
        for _ in range(20_000):
            if not self.host.busy:
                self.host.hello(self.now_ns)
            self.run_ms(1)
            opened = [event for event in self.events if isinstance(event, SessionOpened)]
            if opened:
                return opened[-1].answer
        raise AssertionError("no session within twenty seconds")

    def ask(self, request: Any) -> Any:
        """A request over a kind wire; returns the event that ends it."""
        before = len(self.events)
        self.host.request(request, self.now_ns)
        self.run_ms(700)
        ends = [event for event in self.events[before:] if hasattr(event, "request")]
        assert len(ends) == 1
        return ends[0]

    def send_raw(self, data: bytes) -> list[Frame]:
        """Bytes straight into the device, past host and wire; returns the frames it says to them."""
        before = len(self.device_frames)
        self.device.receive_data(data, self.now_ns)
        self._take_events()
        self._flush()
        return self.device_frames[before:]

    def send_frame(
        self, kind: int, code: int, payload: bytes = b"", *, session: int, seq: int, epoch: int | None = None
    ) -> list[Frame]:
        """A frame straight into the device."""
        epoch = self.device.epoch if epoch is None else epoch
        return self.send_raw(encode(kind, code, session, seq, epoch, payload))

    def tell_host(
        self, kind: int, code: int, payload: bytes = b"", *, session: int, seq: int, epoch: int
    ) -> None:
        """A frame straight into the host."""
        self.host.receive_data(encode(kind, code, session, seq, epoch, payload), self.now_ns)
        self._take_events()

    def _take_events(self) -> None:
        while (event := self.device.next_event()) is not None:
            self.firmware.act(event)
        while (heard := self.host.next_event()) is not None:
            self.events.append(heard)
            self.on_host_event(heard)

    def _flush(self) -> None:
        data = self.host.data_to_send()
        if data:
            self._post(self.to_device.carry(data), for_device=True)
        data = self.device.data_to_send()
        if data:
            self.device_frames += self.device_said.receive(data)
            self._post(self.to_host.carry(data), for_device=False)

    def _post(self, arrivals: Arrivals, *, for_device: bool) -> None:
        for delay_ns, part in arrivals:
            self._order += 1
            heapq.heappush(self._way, (self.now_ns + delay_ns, self._order, for_device, part))


MakePair = Callable[..., LinkPair]
