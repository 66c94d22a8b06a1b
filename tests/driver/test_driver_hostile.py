"""The driver on hostile lines, in any order of acts: no frame above the limit leaves, nothing moves unasked.

The limit is worked out here once more, from the zone table alone, by other means than the driver's.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from penstroke.data import zone_table
from penstroke.errors import PenError, Refused
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke.safety import ClinicProfile, Override
from penstroke_protocol import Receiver
from penstroke_protocol.frames import decode_message, message_class
from penstroke_protocol.messages import Arm, Kind, SelectZone, SetDepth, Start
from penstroke_sim.inprocess import VirtualPort, open_virtual

ZONES = {zone.name: zone for zone in zone_table()}
CLINIC = ClinicProfile(name="ours", ceilings_um={"cheek": 900, "scalp": 500}, forbidden=frozenset({"breast"}))
TOLERANCE_UM = 50
LENGTHS_UM = (300, 500, 1000, 2500)


class Witness(VirtualPort):
    """A port that remembers the requests that left the host, whole and in order."""

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self.receiver = Receiver()
        self.requests: list[Any] = []

    def write(self, data: bytes) -> None:
        super().write(data)
        for frame in self.receiver.receive(data):
            cls = message_class(frame)
            if frame.kind == Kind.REQUEST and cls is not None:
                self.requests.append(decode_message(cls, frame.payload))


class AnyOrder(RuleBasedStateMachine):
    """One host, one pen, a bad line, and a person who does things in any order."""

    @initialize(seed=st.integers(0, 2**32))
    def plug_in(self, seed: int) -> None:
        self.world = open_virtual(f"sim://pen?seed={seed % 1000}&clock=virtual").world
        self.lengths_um = [2500]
        self.zone: str | None = None
        self.overridden = False
        self.presses = 0
        self.pen: Pen | None = None
        self.connect()

    def connect(self) -> None:
        self.witness = Witness(self.world)
        self.checked = 0
        self.zone = None
        try:
            self.pen = Pen(
                adopt(self.witness), nonce=self.world.now_ns & 0xFFFF_FFFF, treatment=9, clinic=CLINIC
            )
        except PenError:
            self.pen = None

    def limit_um(self) -> int:
        """The tightest limit for the zone chosen, from the table and by hand."""
        if self.zone is None:
            return 0
        zone = ZONES[self.zone]
        limit = zone.hard_ceiling_um if self.overridden else zone.ceiling_um
        return min(limit, CLINIC.ceilings_um.get(self.zone, limit), max(self.lengths_um), 2500)

    # -- what a person does ----------------------------------------------------------------------------

    @precondition(lambda self: self.pen is not None)
    @rule(
        name=st.sampled_from(sorted(ZONES)), side=st.sampled_from(["left", "right", None]), dr=st.booleans()
    )
    def select(self, name: str, side: str | None, dr: bool) -> None:
        override = Override(zone=name, side=side, by="Dr A. Berg", reason="scar") if dr else None
        try:
            self.pen.select_zone(name, side=side, override=override)
        except PenError:
            pass
        if any(isinstance(request, SelectZone) for request in self.witness.requests[self.checked :]):
            # It left the host, so from here on its limit counts, whether or not the pen took it.
            self.zone, self.overridden = name, dr
            self.lengths_um = self.lengths_um[-1:]

    @precondition(lambda self: self.pen is not None)
    @rule(
        name=st.sampled_from(["cheek", "scalp", "chin", "abdomen"]), dr=st.booleans(), back=st.integers(0, 3)
    )
    def prepare(self, name: str, dr: bool, back: int) -> None:
        """What a careful person does, so that runs are frequent: the limit, or a step or more below it."""
        self.mend()
        self.select(name, "left" if ZONES[name].sided else None, dr)
        self.set_rate(110)
        self.set_depth((self.limit_um() - TOLERANCE_UM - 50 * back) / 1000)

    @precondition(lambda self: self.pen is not None)
    @rule(
        mm=st.one_of(
            st.integers(-2, 40).map(lambda steps: steps / 20),
            st.floats(allow_nan=True, allow_infinity=True),
            st.sampled_from([None, True, "0.3", 10**400, 900, 0.30000001]),
        )
    )
    def set_depth(self, mm: Any) -> None:
        try:
            self.pen.set_depth(mm=mm)
        except PenError:
            pass

    @precondition(lambda self: self.pen is not None)
    @rule(hz=st.one_of(st.integers(0, 200), st.floats(allow_nan=True), st.none()))
    def set_rate(self, hz: Any) -> None:
        try:
            self.pen.set_rate(hz=hz)
        except PenError:
            pass

    @precondition(lambda self: self.pen is not None)
    @rule(turns=st.integers(0, 30), hang_s=st.sampled_from([0, 0, 0.2, 0.5]), shallower=st.integers(1, 20))
    def needle(self, turns: int, hang_s: float, shallower: int) -> None:
        self.presses += 1
        try:
            with self.pen.needling(longest_s=5) as strokes:
                for count, _ in enumerate(strokes):
                    if count == turns // 2:
                        self.world.advance(self.world.now_ns + round(hang_s * 1e9))
                        if shallower < 10:
                            self.set_depth(shallower / 20)
                    if count >= turns:
                        break
        except PenError:
            pass

    @precondition(lambda self: self.pen is not None)
    @rule()
    def stop(self) -> None:
        try:
            self.pen.stop()
        except PenError:
            pass

    @precondition(lambda self: self.pen is not None)
    @rule()
    def mend(self) -> None:
        try:
            self.pen.clear_faults()
        except PenError:
            pass

    # -- what the world does ---------------------------------------------------------------------------

    @rule(
        name=st.sampled_from(["drop", "flip", "duplicate", "delay"]),
        probability=st.sampled_from([0.0, 0.01, 0.05, 0.2]),
    )
    def disturb(self, name: str, probability: float) -> None:
        self.world.inject(name, probability=probability, off=probability == 0.0)

    @rule()
    def junk(self) -> None:
        self.world.inject("junk")

    @rule(length_um=st.sampled_from(LENGTHS_UM))
    def swap_cartridge(self, length_um: int) -> None:
        # The host learns of it a moment later, or much later on a bad line; the pen itself knows at once.
        self.lengths_um.append(length_um)
        self.world.inject("cartridge-inserted", length_um=length_um)

    @rule(name=st.sampled_from(["reset", "stop-key", "cartridge-removed"]))
    def befall(self, name: str) -> None:
        self.world.inject(name)
        if name == "cartridge-removed":
            self.lengths_um.append(2500)

    @rule(seconds=st.sampled_from([0.05, 0.3, 2.0, 11.0]))
    def wait(self, seconds: float) -> None:
        self.world.advance(self.world.now_ns + round(seconds * 1e9))

    @rule()
    def reconnect(self) -> None:
        if self.pen is not None:
            try:
                self.pen.close()
            except PenError:
                pass
        self.connect()

    # -- what must hold --------------------------------------------------------------------------------

    @invariant()
    def no_depth_above_the_limit_left_the_host(self) -> None:
        for request in self.witness.requests[self.checked :]:
            if isinstance(request, SetDepth | Start):
                assert request.depth_um + TOLERANCE_UM <= self.limit_um(), (request, self.zone)
            if isinstance(request, SelectZone):
                zone = ZONES[self.zone or ""]
                assert request.zone == zone.id
                assert not zone.forbidden
                assert request.session_ceiling_um <= self.limit_um()
        self.checked = len(self.witness.requests)

    @invariant()
    def nothing_moves_when_nobody_presses(self) -> None:
        """Between two acts the host is not in its loop: at the latest the lease has ended the run."""
        motor = [entry for entry in self.world.journal.entries if entry["event"] == "motor"]
        if motor and motor[-1]["on"]:
            on_at_ns = self.world.now_ns
            self.world.advance(on_at_ns + 350_000_000)
            motor = [entry for entry in self.world.journal.entries if entry["event"] == "motor"]
        assert not (motor and motor[-1]["on"])
        starts = [entry for entry in self.world.journal.entries if entry["event"] == "start"]
        assert len(starts) <= self.presses

    def teardown(self) -> None:
        if getattr(self, "pen", None) is not None:
            try:
                self.pen.close()
            except PenError:
                pass


AnyOrder.TestCase.settings = settings(max_examples=40, stateful_step_count=30)


@pytest.mark.req("S-01", "S-08", "S-09", "S-11", "S-16", "S-22")
class TestAnyOrder(AnyOrder.TestCase):  # type: ignore[name-defined,misc]
    """See `AnyOrder`."""


# -- each end broken on purpose, the other must hold ---------------------------------------------------------


@pytest.mark.req("S-01", "S-09")
@pytest.mark.parametrize("depth_um", [1000, 1450, 2450])
def test_a_host_whose_safety_layer_and_gate_are_gone_is_refused_by_the_pen(depth_um: int) -> None:
    witness = Witness(open_virtual("sim://pen?seed=1&clock=virtual").world)
    with Pen(adopt(witness), nonce=1, treatment=9) as pen:
        pen.select_zone("cheek", side="left")
        pen.set_rate(hz=110)
        pen._line._gate = lambda request: None
        with pytest.raises(Refused, match="the pen refused") as error:
            pen._ask(SetDepth(depth_um))
        assert error.value.code == "depth-above-limit"
        assert SetDepth(depth_um) in witness.requests, "the broken host must really have asked"
        assert pen.status().depth_um is None


@pytest.mark.req("S-01", "S-09")
def test_a_host_that_claims_a_higher_ceiling_is_held_by_the_built_in_one() -> None:
    witness = Witness(open_virtual("sim://pen?seed=1&clock=virtual").world)
    with Pen(adopt(witness), nonce=1, treatment=9) as pen:
        pen._line._gate = lambda request: None
        forehead = ZONES["forehead"]
        told = pen._ask(SelectZone(forehead.id, 0, 2500))
        assert told.held_ceiling_um == forehead.hard_ceiling_um
        with pytest.raises(Refused):
            pen._ask(SetDepth(forehead.hard_ceiling_um))
        with pytest.raises(Refused):
            pen._ask(SelectZone(ZONES["eyelid"].id, 1, 2500))


@pytest.mark.req("S-11", "S-09")
def test_a_host_that_starts_without_arming_is_refused() -> None:
    witness = Witness(open_virtual("sim://pen?seed=1&clock=virtual").world)
    with Pen(adopt(witness), nonce=1, treatment=9) as pen:
        pen.select_zone("cheek", side="left")
        pen.set_rate(hz=110)
        pen.set_depth(mm=0.9)
        pen._line._gate = lambda request: None
        with pytest.raises(Refused, match="it is idle"):
            pen._ask(Start(8, 1, 900, 1100, 1000))
        assert not [entry for entry in witness.journal.entries if entry["event"] == "motor"]


@pytest.mark.req("S-09", "S-10")
def test_a_host_that_arms_and_starts_and_never_beats_is_stopped_by_the_lease() -> None:
    witness = Witness(open_virtual("sim://pen?seed=1&clock=virtual").world)
    pen = Pen(adopt(witness), nonce=1, treatment=9)
    pen.select_zone("cheek", side="left")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.9)
    pen._line._gate = lambda request: None
    pen._ask(Arm(9, 0))
    armed_s = next(e["t"] for e in witness.journal.entries if e["event"] == "lease")
    pen._ask(Start(8, 1, 900, 1100, 60_000))
    for _ in range(20):
        pen.status()
    off = [entry for entry in witness.journal.entries if entry["event"] == "motor"][-1]
    assert (off["on"], off["reason"]) == (False, "lease")
    assert off["t"] - armed_s == pytest.approx(0.300, abs=0.005)
    pen.close()
