"""What holds whatever is sent, in whatever order, and whatever breaks: the invariants of the device."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from simbench import CHEEK, MS, TREATMENT, Bench

from penstroke_protocol.messages import (
    POWER_CYCLE,
    Arm,
    Bye,
    ClearFaults,
    Fault,
    Feature,
    Flag,
    GetStatus,
    LowerCeiling,
    Release,
    Role,
    SelectZone,
    SetDepth,
    SetRate,
    SetTelemetry,
    Side,
    Start,
    State,
    Stop,
)
from penstroke_protocol.zone_table import ZONES
from penstroke_sim import report
from penstroke_sim.body import DEPTH_NOISE_UM
from penstroke_sim.profiles import PROFILES
from penstroke_sim.states import TABLE, Trigger
from penstroke_sim.trips import DEPTH_MARGIN_UM
from penstroke_sim.wire import NEVER

HARD_UM = {zone.number: zone.hard_ceiling_um for zone in ZONES}
STATES = {state.name.lower().replace("_", "-"): state for state in State}
TRIGGERS = {trigger.name.lower().replace("_", "-"): trigger for trigger in Trigger}

DEVICE_FAULTS = st.sampled_from(
    [
        ("motor-stall", {}),
        ("motor-stall", {"off": True}),
        ("actuator-jam", {}),
        ("actuator-jam", {"off": True}),
        ("actuator-drift", {"um_per_s": 3_000}),
        ("actuator-drift", {"um_per_s": 80}),
        ("actuator-drift", {"um_per_s": -3_000}),
        ("actuator-drift", {"off": True}),
        ("sensor-stuck", {}),
        ("sensor-stuck", {"off": True}),
        ("over-temperature", {}),
        ("over-temperature", {"celsius": -40}),
        ("over-temperature", {"off": True}),
        ("over-current", {}),
        ("over-current", {"off": True}),
        ("battery-low", {"pct": 2}),
        ("battery-low", {"pct": 60}),
        ("brown-out", {"deep": False}),
        ("cartridge-removed", {}),
        ("cartridge-inserted", {"length_um": 700}),
        ("cartridge-inserted", {"id": 4711}),
        ("cartridge-used", {}),
        ("cartridge-unreadable", {}),
        ("stop-key", {}),
        ("trigger-press", {}),
        ("trigger-release", {}),
        ("reset", {}),
    ]
)

REQUESTS = st.one_of(
    st.builds(
        SelectZone,
        st.sampled_from([CHEEK, CHEEK, 1, 5, 28, 4]),
        st.sampled_from(list(Side)),
        st.integers(0, 2_000),
    ),
    st.builds(LowerCeiling, st.integers(0, 1_500)),
    st.builds(SetDepth, st.one_of(st.integers(1, 40).map(lambda n: n * 50), st.integers(1, 3_000))),
    st.builds(SetRate, st.one_of(st.integers(25, 150).map(lambda n: n * 10), st.integers(1, 2_000))),
    st.builds(Arm, st.sampled_from([TREATMENT, TREATMENT, 7]), st.sampled_from([0, 2, 600])),
    st.builds(Release),
    st.builds(ClearFaults, st.integers(1, 0x7FF)),
    st.builds(SetTelemetry, st.integers(5, 100)),
    st.builds(GetStatus),
    st.builds(Bye),
)


def check_s09(bench: Bench) -> None:
    """Drive on: then running, lease alive, cartridge in and bound to the treatment, no fault, depth fits."""
    fw, body = bench.firmware, bench.body
    if not body.driven:
        return
    assert fw.state is State.RUNNING
    assert bench.now_ns <= fw.lease_due_ns != NEVER
    assert body.cartridge is not None
    assert bench.world.memory.bindings[body.cartridge.id] == fw.treatment
    assert fw.faults == 0
    assert fw.depth_um + fw.profile.tolerance_um <= min(HARD_UM[fw.zone], fw.session_ceiling_um)
    assert fw.depth_um < 1_000 or fw.rate_dhz >= 800


def check_journal(entries: list[dict[str, Any]]) -> None:
    """Every change of state is in the table; the drive goes on only with a start, and off before the rest."""
    state, driven = State.BOOT, False
    for before, entry in pairwise([{"event": ""}, *entries]):
        if entry["event"] == "state":
            assert STATES[entry["from"]] is state
            state = STATES[entry["to"]]
            assert TABLE[STATES[entry["from"]]][TRIGGERS[entry["trigger"]]] is state
            if entry["from"] == "running":
                assert not driven
        elif entry["event"] == "motor":
            driven = entry["on"]
            if driven:
                assert before["event"] in ("start", "cartridge")
                assert state is State.RUNNING


def check_rest(bench: Bench, *, sensor_lied: bool) -> None:
    """Half a second after the host has fallen silent, by the truth of the body and the pen's own word.

    What the pen cannot know it need not say: a reading of 0 from a sensor that lies. All else it must.
    """
    body, window_um = bench.body, bench.world.profile.tolerance_um + DEPTH_MARGIN_UM
    assert not body.driven
    truth_um = body.depth_um(bench.now_ns)
    # Nothing but a failure of the actuator itself keeps the needles out; one of the sensor does not.
    assert truth_um == 0 or body.jammed or body._drift_um_per_s
    ended_s = max((entry["t"] for entry in bench.journal("run-ended")), default=-1)
    in_s = max((entry["t"] for entry in bench.journal("needles") if not entry["extended"]), default=-1)
    # Not asked over the wire: the HELLO that this may need sends creeping needles in.
    status = report.status(bench.firmware, bench.now_ns)
    faults = Fault(status.faults)
    # NEEDLES_OUT is what the sensor reads, nothing else; and the truth, but for a sensor that lies.
    assert bool(status.flags & Flag.NEEDLES_OUT) == (status.measured_depth_um > 0)
    assert body.stuck_um is not None or (status.measured_depth_um > 0) == (truth_um > 0)
    # what reads beyond the window at rest is latched, in fault, too.
    assert status.measured_depth_um <= window_um + DEPTH_NOISE_UM or Fault.DEPTH in faults
    assert truth_um <= window_um + DEPTH_NOISE_UM or body.stuck_um is not None or Fault.DEPTH in faults
    # needles that never came in after a run; those that did, and crept out, may be in the window.
    if truth_um and ended_s > in_s and not sensor_lied:
        assert faults & (Fault.RETRACTION | Fault.SELF_TEST)


class AnyHost(RuleBasedStateMachine):
    """A host that says anything, right or wrong, old or new, to a pen that breaks in any way."""

    @initialize(profile=st.sampled_from(sorted(PROFILES)), seed=st.integers(0, 9))
    def power_up(self, profile: str, seed: int) -> None:
        self.bench = Bench(profile=profile, seed=seed)
        self.sent: list[bytes] = []
        world = self.bench.world
        self.send = world.host_sends

        def remember(data: bytes) -> None:
            self.sent.append(data)
            self.send(data)

        world.host_sends = remember  # type: ignore[method-assign]  # to hear what goes out
        self.nonce = 1
        self.sensor_lied = False
        self.bench.run(250)
        self.bench.hello()
        self.bench.run(60)

    def pass_ms(self, ms: int) -> None:
        bench, until = self.bench, self.bench.now_ns + ms * MS
        while bench.now_ns < until:
            bench.world.advance(min(until, bench.now_ns + 3 * MS))
            bench._take()
            check_s09(bench)

    def ons(self) -> int:
        return sum(entry["on"] for entry in self.bench.journal("motor"))

    @rule(message=REQUESTS, right=st.booleans())
    def ask(self, message: Any, right: bool) -> None:
        self.bench.send(message, epoch=self.bench.epoch if right else self.bench.epoch ^ 1)
        self.pass_ms(12)

    @rule(depth=st.integers(1, 25), spare_um=st.integers(-60, 300), start=st.booleans(), repair=st.booleans())
    def get_ready(self, depth: int, spare_um: int, start: bool, repair: bool) -> None:
        """The way that leads somewhere, so that much of the rest happens to a pen that runs."""
        bench, profile = self.bench, self.bench.world.profile
        if repair:
            for name in ("motor-stall", "actuator-jam", "actuator-drift", "sensor-stuck", "over-temperature"):
                bench.inject(name, off=True)
            bench.inject("over-current", off=True)
            bench.inject("cartridge-inserted")
            if profile.features & Feature.BATTERY:
                bench.inject("battery-low", pct=60)
            if bench.firmware.faults & POWER_CYCLE:
                bench.inject("reset")
            self.pass_ms(250)
            self.sensor_lied = False
            self.hello(Role.CONTROLLER)
            if bench.firmware.faults:
                bench.send(ClearFaults(0x7FF))
                self.pass_ms(12)
        depth_um = min(depth * profile.depth_step_um, 1_300 // profile.depth_step_um * profile.depth_step_um)
        ceiling_um = max(0, depth_um + profile.tolerance_um + spare_um)
        for message in (
            SelectZone(CHEEK, Side.LEFT, ceiling_um),
            SetDepth(depth_um),
            SetRate(profile.rate_max_dhz),
            Arm(TREATMENT, 600 if profile.features & Feature.TRIGGER else 0),
        ):
            bench.send(message)
            self.pass_ms(12)
        if start:
            self.start(longest_ms=60_000, right=True)

    @rule(longest_ms=st.integers(1, 3_000), right=st.booleans())
    def start(self, longest_ms: int, right: bool) -> None:
        fw = self.bench.firmware
        start = Start(max(fw.zone, 1), fw.side, max(fw.depth_um, 1), max(fw.rate_dhz, 1), longest_ms)
        ons, was, epoch = self.ons(), fw.state, self.bench.epoch
        fits = epoch == fw.link.epoch and self.bench.session == fw.link.session
        self.bench.send(start, epoch=epoch if right else epoch ^ 1)
        self.pass_ms(5)
        if self.ons() > ons:
            assert right
            assert fits
            assert was is State.ARMED

    @rule(ms=st.integers(1, 500))
    def silence(self, ms: int) -> None:
        self.pass_ms(ms)

    @rule(fault=DEVICE_FAULTS, beats=st.integers(0, 4))
    def break_in_a_run(self, fault: tuple[str, dict[str, Any]], beats: int) -> None:
        """One failure alone, in a run if it can be had, and a host that then falls silent."""
        self.get_ready(depth=12, spare_um=100, start=True, repair=True)
        self.beat(beats)
        self.break_something(fault)
        self.fall_silent()

    @rule()
    def fall_silent(self) -> None:
        """Whatever came before: a host that falls silent leaves a pen whose drive is off, and whose needles
        are in, or which says that they are not."""
        self.pass_ms(500)
        check_rest(self.bench, sensor_lied=self.sensor_lied)

    @rule(n=st.integers(1, 12))
    def beat(self, n: int) -> None:
        for _ in range(n):
            self.bench.beat()
            self.pass_ms(50)

    @rule(fault=DEVICE_FAULTS)
    def break_something(self, fault: tuple[str, dict[str, Any]]) -> None:
        name, params = fault
        features = self.bench.world.profile.features
        if (name.startswith("trigger") and not features & Feature.TRIGGER) or (
            name == "battery-low" and not features & Feature.BATTERY
        ):
            return
        self.sensor_lied |= name == "sensor-stuck"
        before = self.ons()
        armed = self.bench.state is State.ARMED and self.bench.firmware.trigger_longest_s
        self.bench.inject(name, **params)
        assert self.ons() == before or (name == "trigger-press" and armed)
        check_s09(self.bench)

    @rule(which=st.integers(0, 10**6))
    def replay(self, which: int) -> None:
        """Anything that was ever sent comes again: nothing starts, nothing gets deeper, no lease is renewed
        but by a beat that is still fresh."""
        if self.bench.state is State.RUNNING and self.bench.firmware.run_by_trigger:
            return
        fw = self.bench.firmware
        held = (fw.depth_um, fw.session_ceiling_um)
        ons = self.ons()
        self.send(self.sent[which % len(self.sent)])
        # Until the longest answer has come: that to an old HELLO must not be taken for one to the next.
        self.pass_ms(20)
        assert self.ons() == ons
        assert fw.depth_um == held[0]
        assert fw.session_ceiling_um in (held[1], 0)

    @rule(session=st.booleans(), junk=st.binary(max_size=40))
    def stop(self, session: bool, junk: bytes) -> None:
        """STOP in every state, behind any junk; and nothing of before it acts after it."""
        bench = self.bench
        epoch = bench.firmware.link.epoch
        bench.world.host_sends(junk + b"\0")
        bench.send(Stop(), seq=0, session=bench.session if session else 0xFFFF)
        self.pass_ms(20)
        assert not bench.body.driven
        assert bench.state not in (State.ARMED, State.RUNNING)
        assert bench.firmware.link.epoch != epoch

    @rule(role=st.sampled_from(list(Role)))
    def hello(self, role: Role) -> None:
        self.nonce += 1
        self.bench.hello(nonce=self.nonce, role=role)
        fw = self.bench.firmware
        assert fw.state not in (State.ARMED, State.RUNNING)
        assert (fw.zone, fw.session_ceiling_um, fw.held_ceiling_um(), fw.depth_set) == (0, 0, 0, False)
        self.pass_ms(60)

    @invariant()
    def always(self) -> None:
        if hasattr(self, "bench"):
            check_s09(self.bench)

    def teardown(self) -> None:
        if not hasattr(self, "bench"):
            return
        self.fall_silent()
        check_journal(self.bench.world.journal.entries)


@pytest.mark.req("S-09", "S-10", "S-11", "S-12", "S-19", "S-24", "S-08", "R-12.1", "R-12.3")
class TestAnyHost(AnyHost.TestCase):  # type: ignore[misc, name-defined]  # hypothesis makes the class
    settings = settings(max_examples=60, stateful_step_count=40)
