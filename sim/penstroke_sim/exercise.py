"""The built-in host of a scenario: does its acts in order on virtual time, and beats while the pen is armed.

It speaks the protocol and nothing else: it has no limits of its own, so that a scenario can show what the pen
refuses. It is no driver for anything but the simulated pen it is handed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from penstroke_protocol import HostLink
from penstroke_protocol.explain import kebab
from penstroke_protocol.host_link import (
    Answered,
    HostEvent,
    RequestRefused,
    RequestTimedOut,
    SessionEnded,
    SessionOpened,
    StopAnswered,
    StopTimedOut,
    TelemetryReceived,
)
from penstroke_protocol.link import MS
from penstroke_protocol.messages import Condition, Reason, Role, Settings, State
from penstroke_protocol.zone_table import ZONE_DIGEST
from penstroke_sim.acts import ACTS
from penstroke_sim.scenario import Act
from penstroke_sim.world import World

BEAT_NS: Final = 50 * MS
"""As the protocol asks of a host."""
GRACE_NS: Final = 4_000 * MS
"""Longest wait for one act: HELLO is repeated for 3 s, everything else for less."""
_READY: Final = (State.ARMED, State.RUNNING)
_NO_SETTINGS: Final = Settings(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an act: `outcome` is `done`, `silent`, `no session`, or the reason of a refusal."""

    act: Act
    at_ns: int
    outcome: str

    @property
    def as_meant(self) -> bool:
        """The pen did what the scenario says it must."""
        return self.outcome == (self.act.refused or "done")


class Exerciser:
    """One host on one world. `seed` makes its HELLO nonces."""

    def __init__(self, world: World, *, seed: int) -> None:
        self._world = world
        self._random = Random(seed)
        self._link = self._new_link(Role.CONTROLLER)
        self._held = _NO_SETTINGS
        self._believed = State.BOOT
        self._beat_due_ns = 0
        self._silent = False

    def perform(self, acts: Sequence[Act]) -> list[Done]:
        """Do the acts, each when it is due and the one before is done."""
        return [self._one(act) for act in acts]

    def idle_until(self, until_ns: int) -> None:
        """Keep the session alive until `until_ns`, doing nothing else."""
        while self._world.now_ns < until_ns:
            self._turn(until_ns)

    def _one(self, act: Act) -> Done:
        if act.at_ns is not None:
            self.idle_until(act.at_ns)
        began_ns = self._world.now_ns
        if act.do in ("silence", "speak"):
            self._silent = act.do == "silence"
            return Done(act, began_ns, "done")
        if act.do == "hello":
            self._link = self._new_link(act.params["role"])
            self._link.hello(began_ns)
        elif act.do == "stop":
            self._link.stop(began_ns)
        elif not self._link.session:
            return Done(act, began_ns, "no session")
        else:
            make = ACTS[act.do].request
            if make is None:
                raise LookupError(f"the act {act.do} has no request")
            self._link.abandon()
            self._link.request(make(act.params, self._held), began_ns)
        outcome: str | None = None
        while outcome is None and self._world.now_ns < began_ns + GRACE_NS:
            outcome = self._turn(began_ns + GRACE_NS)
        return Done(act, began_ns, outcome or "silent")

    def _new_link(self, role: Role) -> HostLink:
        return HostLink(nonce=self._random.getrandbits(32), zone_digest=ZONE_DIGEST, role=role)

    def _turn(self, until_ns: int) -> str | None:
        """Say what is due, let the world go on to its next word, hear it; the outcome of an act, if any."""
        world, link = self._world, self._link
        link.handle_timer(world.now_ns)
        outcome = self._hear()
        if self._believed in _READY and world.now_ns >= self._beat_due_ns:
            link.beat(self._believed, world.now_ns)
            self._beat_due_ns = world.now_ns + BEAT_NS
        data = link.data_to_send()
        if data and not self._silent:
            world.host_sends(data)
        if outcome is not None:
            return outcome
        limits = [until_ns, link.next_timer()]
        if self._believed in _READY:
            limits.append(self._beat_due_ns)
        world.advance_to_output(max(min(limit for limit in limits if limit is not None), world.now_ns))
        link.receive_data(world.take_output(), world.now_ns)
        return self._hear()

    def _hear(self) -> str | None:
        outcome = None
        while (event := self._link.next_event()) is not None:
            outcome = self._take(event) or outcome
        return outcome

    def _take(self, event: HostEvent) -> str | None:
        match event:
            case TelemetryReceived(telemetry=telemetry):
                self._believed = State(telemetry.state)
            case Answered(answer=answer):
                if isinstance(answer, Settings):
                    self._held = answer
                elif isinstance(answer, Condition):
                    self._believe(State(answer.state))
                return "done"
            case StopAnswered(condition=condition):
                self._believe(State(condition.state))
                return "done"
            case SessionOpened():
                self._held = _NO_SETTINGS
                return "done"
            case RequestRefused(reason=reason):
                return kebab(Reason(reason).name)
            case SessionEnded():
                return kebab(Reason.NO_SESSION.name)
            case RequestTimedOut() | StopTimedOut():
                return "silent"
        return None

    def _believe(self, state: State) -> None:
        if state in _READY and self._believed not in _READY:
            self._beat_due_ns = self._world.now_ns
        self._believed = state
