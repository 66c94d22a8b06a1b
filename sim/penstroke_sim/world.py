"""One simulated pen with its line, in its own time: no clock, no I/O, no threads.

Everything that can happen has an instant: a byte arrives, a timer of the firmware is due, the needles reach
their seat, an entry of the scenario comes. `advance` goes from one to the next in order, so that an hour
costs only what happens in it, and the same input gives the same world. At one instant, what is done to the
pen comes first, then its body, its timers, and then bytes: a beat that arrives at the very end of the lease
is too late.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from penstroke_protocol.explain import kebab
from penstroke_protocol.frames import Frame, decode
from penstroke_protocol.messages import REQUESTS, Fault, Kind, Reason
from penstroke_sim.body import Body
from penstroke_sim.cartridge import Cartridge, Memory, new_cartridge
from penstroke_sim.firmware import Firmware
from penstroke_sim.journal import Journal
from penstroke_sim.misbehaviour import Misbehaviour
from penstroke_sim.profiles import Profile
from penstroke_sim.states import Trigger
from penstroke_sim.wire import NEVER, Channel

if TYPE_CHECKING:
    from penstroke_sim.scenario import Scenario


class World:
    """One pen on one line. All times are whole ns since power-up of the simulator.

    `scenario.timeline` is injected at its instants. Everything random comes from `seed`.
    """

    def __init__(
        self,
        *,
        profile: Profile,
        seed: int = 0,
        scenario: Scenario | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.profile = profile
        self.seed = seed
        self.now_ns = 0
        self.line_up = True
        """False after a `cut`: the port is gone, until `plug`."""
        self.journal = Journal() if journal is None else journal
        self.memory = Memory()
        self.misbehaviour = Misbehaviour()
        self.random = Random(f"{seed}/faults")
        self._timeline = () if scenario is None else scenario.timeline
        self._next_injection = 0
        self.to_device = Channel(profile.byte_ns, Random(f"{seed}/to-device"))
        self.to_host = Channel(profile.byte_ns, Random(f"{seed}/to-host"))
        self._cartridges = Random(f"{seed}/cartridges")
        cartridge = self.fresh_cartridge()
        self.body = Body(profile, cartridge, self.journal, Random(f"{seed}/body"))
        self._nonces = Random(f"{seed}/nonces")
        self.firmware = self._power_up(0)

    # -- the line ---------------------------------------------------------------------------------------

    def host_sends(self, data: bytes) -> None:
        """Bytes leave the host now."""
        if self.line_up:
            self.to_device.send(data, self.now_ns)

    def take_output(self, max_bytes: int | None = None) -> bytes:
        """The bytes that have reached the host by now, each given once."""
        return self.to_host.take(self.now_ns, max_bytes)

    def output_ready(self) -> bool:
        """Whether `take_output` has something."""
        return self.to_host.next_arrival_ns() <= self.now_ns

    def plug(self) -> None:
        """Another opening of the port: nothing that was on the way reaches it. A cut cable is whole again."""
        self.line_up = True
        self.to_device.clear()
        self.to_host.clear()

    def unplug(self) -> None:
        """The cable is pulled: what was on the way is lost, and the host's port is gone."""
        self.line_up = False
        self.to_device.clear()
        self.to_host.clear()

    # -- time -------------------------------------------------------------------------------------------

    def next_event_ns(self) -> int | None:
        """When anything can happen next, bytes for the host included; None: nothing ever will by itself."""
        due_ns = min(self._next_step_ns(), self.to_host.next_arrival_ns())
        return None if due_ns == NEVER else max(due_ns, self.now_ns)

    def advance(self, to_ns: int) -> None:
        """Run the world up to `to_ns`; what is due then has happened."""
        while self._step(to_ns):
            pass
        self.now_ns = max(self.now_ns, to_ns)

    def advance_to_output(self, limit_ns: int) -> None:
        """Run until bytes for the host are ready, at the latest to `limit_ns`."""
        while True:
            arrival_ns = self.to_host.next_arrival_ns()
            if arrival_ns <= self.now_ns:
                return
            stop_ns = min(arrival_ns, limit_ns)
            if not self._step(stop_ns):
                self.now_ns = max(self.now_ns, stop_ns)
                if self.now_ns >= limit_ns:
                    return

    def _next_step_ns(self) -> int:
        due_ns = min(self.firmware.next_timer(), self.to_device.next_arrival_ns(), self.body.retracted_ns)
        if self._next_injection < len(self._timeline):
            due_ns = min(due_ns, self._timeline[self._next_injection].at_ns)
        return due_ns

    def _step(self, limit_ns: int) -> bool:
        """Go to the next thing that happens and let it; False when there is none by `limit_ns`."""
        due_ns = self._next_step_ns()
        if due_ns > limit_ns:
            return False
        now_ns = self.now_ns = max(self.now_ns, due_ns)
        if self._next_injection < len(self._timeline):
            injection = self._timeline[self._next_injection]
            if injection.at_ns <= now_ns:
                self._next_injection += 1
                self.inject(injection.name, **injection.params)
                return True
        if self.body.retracted_ns <= now_ns:
            self.body.settle(now_ns)
        elif self.firmware.next_timer() <= now_ns:
            self.firmware.handle_timers(now_ns)
            if self.firmware.reset_wanted:
                self.reset("watchdog", Fault.INTERNAL)
        else:
            self.firmware.receive(self.to_device.take(now_ns), now_ns)
        self._flush()
        return True

    def _flush(self) -> None:
        data = self.firmware.output(self.now_ns)
        if data:
            self._journal_refusals(data)
            if self.line_up:
                self.to_host.send(data, self.now_ns)

    def _journal_refusals(self, data: bytes) -> None:
        # Here, where they leave the pen, because the link refuses much by itself. The kind is never zero, so
        # it lies open behind the first COBS code.
        for chunk in data.split(b"\0"):
            if len(chunk) > 1 and chunk[1] == Kind.REFUSAL:
                frame = decode(chunk)
                self.journal.add(self.now_ns, "refused", **_refusal(frame))

    # -- what is done to the pen ------------------------------------------------------------------------

    def inject(self, name: str, **params: object) -> None:
        """Let a fault of the catalogue happen now. Raises `ScenarioError` for what is not in it."""
        from penstroke_sim.faults import check_injection

        fault, values = check_injection(name, params)
        self.journal.add(self.now_ns, "inject", name=name, params=dict(sorted(params.items())))
        fault.apply(self, values)
        self.firmware.watch(self.now_ns)
        self._flush()

    def reset(self, cause: str, boot_faults: int = 0) -> None:
        """The processor starts again; what is not in its memory is lost."""
        self.journal.add(self.now_ns, "reset", cause=cause)
        self.firmware.save_strokes(self.now_ns)
        self.body.cut("reset", self.now_ns)
        self.firmware.enter(Trigger.RESET, self.now_ns)
        self.misbehaviour.hung = False
        self.firmware = self._power_up(boot_faults)

    def swap_cartridge(self, cartridge: Cartridge | None) -> None:
        """Take the cartridge out, or put one in (the one before is taken out first)."""
        if self.body.cartridge is not None:
            self._lock(None)
        if cartridge is not None:
            self._lock(cartridge)

    def fresh_cartridge(self) -> Cartridge:
        """A new cartridge made for this pen."""
        return new_cartridge(self.profile, self._cartridges)

    def _lock(self, cartridge: Cartridge | None) -> None:
        self.firmware.save_strokes(self.now_ns)
        self.body.swap(cartridge, self.now_ns)
        if cartridge is None:
            self.journal.add(self.now_ns, "cartridge", what="out")
        else:
            self.journal.add(self.now_ns, "cartridge", what="in", id=cartridge.id, lot=cartridge.lot)
        self.firmware.cartridge_changed(self.now_ns)

    def _power_up(self, boot_faults: int) -> Firmware:
        return Firmware(
            profile=self.profile,
            body=self.body,
            memory=self.memory,
            journal=self.journal,
            misbehaviour=self.misbehaviour,
            random=self._nonces,
            serial=f"SIM{self.seed % 10**8:08d}",
            now_ns=self.now_ns,
            boot_faults=boot_faults,
        )


def _refusal(frame: Frame) -> dict[str, object]:
    request = REQUESTS.get(frame.code)
    return {
        "request": frame.code if request is None else request.__name__,
        "reason": kebab(Reason(frame.payload[0]).name),
        "detail": int.from_bytes(frame.payload[1:5], "little"),
    }
