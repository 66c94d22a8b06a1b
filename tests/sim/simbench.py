"""A bench for the simulated pen: raw frames in, decoded frames out, on virtual time."""

from __future__ import annotations

from typing import Any

from penstroke_protocol.frames import Frame, Receiver, decode_message, encode_message, message_class
from penstroke_protocol.messages import (
    MAJOR,
    MINOR,
    MOTION_HASH,
    Arm,
    Beat,
    Condition,
    End,
    Event,
    EventAck,
    EventCode,
    GetStatus,
    Hello,
    HelloAnswer,
    Reason,
    Refusal,
    Role,
    SelectZone,
    SetDepth,
    SetRate,
    Settings,
    Side,
    Start,
    State,
    Status,
    Stop,
    Telemetry,
)
from penstroke_protocol.zone_table import ZONE_DIGEST
from penstroke_sim.profiles import profile_named
from penstroke_sim.world import World

MS = 1_000_000
ANSWER_NS = 60 * MS
"""Longest wait for an answer: two frames at 115200 baud and what the line adds, with room."""
CHEEK = 8
FOREHEAD = 1
TREATMENT = 0xA11CE


class Bench:
    """One world and a host that does exactly what it is told, right or wrong."""

    def __init__(self, profile: str = "fine", seed: int = 1) -> None:
        self.world = World(profile=profile_named(profile), seed=seed)
        self.receiver = Receiver()
        self.session = 0
        self.epoch = 0
        self.seq = 0
        self.nonce = 0
        self.acknowledging = True
        self.frames: list[Frame] = []
        self.telemetry: list[Telemetry] = []
        self.events: list[tuple[EventCode, int]] = []
        self.event_frames: list[Frame] = []

    # -- time -------------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self.world.now_ns

    def run(self, ms: float, *, beating: bool = False) -> None:
        """Let time pass; with `beating` a beat goes out every 50 ms, as the newest telemetry says."""
        until = self.now_ns + round(ms * MS)
        due = self.now_ns
        while self.now_ns < until:
            if beating and self.now_ns >= due:
                self.beat()
                due += 50 * MS
            self.world.advance_to_output(min(until, due) if beating else until)
            self._take()

    def _take(self) -> None:
        for frame in self.receiver.receive(self.world.take_output()):
            self.frames.append(frame)
            cls = message_class(frame)
            if cls is Telemetry:
                self.telemetry.append(decode_message(cls, frame.payload))
                self.nonce = self.telemetry[-1].nonce
            elif cls is Event:
                self.event_frames.append(frame)
                event = decode_message(cls, frame.payload)
                if self.acknowledging:
                    self.events.append((EventCode(frame.code), event.arg))
                    self.send(EventAck(), seq=frame.seq, code=frame.code)
            if frame.session == self.session:
                self.epoch = frame.epoch

    # -- talk -------------------------------------------------------------------------------------------

    def send(
        self,
        message: Any,
        *,
        seq: int | None = None,
        session: int | None = None,
        epoch: int | None = None,
        code: int | None = None,
    ) -> int:
        """Put one frame on the line; what is not given is as it should be. Returns its seq."""
        if seq is None:
            self.seq = seq = (self.seq + 1) & 0xFFFF
        self.world.host_sends(
            encode_message(
                message,
                session=self.session if session is None else session,
                seq=seq,
                epoch=self.epoch if epoch is None else epoch,
                code=code,
            )
        )
        return seq

    def ask(self, message: Any, **how: Any) -> Any:
        """Send a request and wait for its answer or refusal."""
        seq = self.send(message, **how)
        code = type(message).spec.code
        known = len(self.frames)
        until = self.now_ns + ANSWER_NS
        while self.now_ns < until:
            self.world.advance_to_output(until)
            self._take()
            for frame in self.frames[known:]:
                cls = message_class(frame)
                if frame.seq == seq and frame.code == code and cls not in (Event, Telemetry):
                    assert cls is not None
                    return decode_message(cls, frame.payload)
        raise AssertionError(f"no answer to {message}")

    def refused(self, message: Any, **how: Any) -> tuple[Reason, int]:
        """Send a request that must be refused: reason and detail."""
        answer = self.ask(message, **how)
        assert isinstance(answer, Refusal), f"{message} was carried out: {answer}"
        return Reason(answer.reason), answer.detail

    def done(self, message: Any, **how: Any) -> Any:
        """Send a request that must be carried out: its answer."""
        answer = self.ask(message, **how)
        assert not isinstance(answer, Refusal), f"refused: {Reason(answer.reason).name} {answer.detail}"
        return answer

    def beat(self, believed: State | None = None, **how: Any) -> None:
        """One beat; right in all that is not given."""
        if believed is None:
            believed = State.RUNNING if self.state is State.RUNNING else State.ARMED
        nonce = how.pop("nonce", self.nonce)
        self.send(Beat(believed, nonce), seq=0, **how)

    def stop(self, **how: Any) -> Condition:
        answer = self.ask(Stop(), **how)
        assert isinstance(answer, Condition)
        return answer

    # -- the way to a run -------------------------------------------------------------------------------

    def hello(self, *, nonce: int = 0x1234, role: Role = Role.CONTROLLER, **other: Any) -> HelloAnswer:
        fields: dict[str, Any] = {"motion_hash": MOTION_HASH, "zone_digest": ZONE_DIGEST, **other}
        hello = Hello(MAJOR, MINOR, fields["motion_hash"], nonce, fields["zone_digest"], role)
        self.seq = 0
        known = len(self.frames)
        answer = self.ask(hello, session=0)
        if isinstance(answer, HelloAnswer):
            frame = next(f for f in self.frames[known:] if f.code == Hello.spec.code and f.kind == 2)
            self.session, self.epoch = frame.session, frame.epoch
        assert isinstance(answer, HelloAnswer | Refusal)
        return answer  # type: ignore[return-value]  # a refusal only where a test wants one

    def idle(self) -> Bench:
        """Past boot and self-test, in a session, with telemetry heard."""
        self.run(250)
        self.hello()
        self.run(60)
        return self

    def set_up(self, *, depth_um: int = 900, rate_dhz: int = 1100, ceiling_um: int = 1000) -> Bench:
        """Idle, with zone, depth and rate set."""
        self.idle()
        self.done(SelectZone(CHEEK, Side.LEFT, ceiling_um))
        self.done(SetDepth(depth_um))
        self.done(SetRate(rate_dhz))
        return self

    def arm(self, *, treatment: int = TREATMENT, trigger_longest_s: int = 0, **settings: int) -> Bench:
        if not self.firmware.depth_set:
            self.set_up(**settings)
        self.done(Arm(treatment, trigger_longest_s))
        if trigger_longest_s:
            self.run(60, beating=True)  # the trigger acts only after a beat
        return self

    def start(self, *, longest_ms: int = 600_000, settle: bool = True, **settings: int) -> Bench:
        """Running; with `settle` at speed and at depth."""
        if self.state is not State.ARMED:
            self.arm(**settings)
        firmware = self.firmware
        self.done(Start(firmware.zone, firmware.side, firmware.depth_um, firmware.rate_dhz, longest_ms))
        if settle:
            self.run(350, beating=True)
        return self

    def fault(self) -> Bench:
        """In fault, for a lapsed lease, with the needles in."""
        self.arm()
        self.run(400)
        assert self.state is State.FAULT
        return self

    # -- what is there ----------------------------------------------------------------------------------

    @property
    def firmware(self) -> Any:
        return self.world.firmware

    @property
    def body(self) -> Any:
        return self.world.body

    @property
    def state(self) -> State:
        return self.world.firmware.state

    def inject(self, name: str, **params: object) -> None:
        self.world.inject(name, **params)

    def status(self) -> Status:
        answer = self.done(GetStatus())
        assert isinstance(answer, Status)
        return answer

    def journal(self, event: str) -> list[dict[str, Any]]:
        return self.world.journal.of(event)

    def ends(self) -> list[tuple[EventCode, End]]:
        """The ends of runs and of readiness that events told."""
        kinds = (EventCode.RUN_ENDED, EventCode.DISARMED)
        return [(code, End(arg)) for code, arg in self.events if code in kinds]

    def settings(self) -> Settings:
        """What is held, from Status."""
        s = self.status()
        return Settings(s.zone, s.side, s.held_ceiling_um, s.depth_um, s.rate_dhz, s.flags)
