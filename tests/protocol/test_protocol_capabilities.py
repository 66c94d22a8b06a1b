"""What a device says of itself is what it decides with; a refusal's detail is what the table says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from penstroke_protocol import messages as m
from penstroke_protocol.host_link import Answered, HostLink, RequestRefused, SessionOpened
from penstroke_protocol.link import MS
from penstroke_protocol.zone_table import ZONE_DIGEST, ZONES
from penstroke_sim.profiles import PROFILES
from penstroke_sim.world import World

SPECIFICATION = (Path(__file__).resolve().parents[2] / "firmware_protocol" / "README.md").read_text("utf-8")
CHEEK = next(zone for zone in ZONES if zone.name == "cheek")


class Talk:
    """A plain host at a simulated pen, in virtual time."""

    def __init__(self, profile: str) -> None:
        self.world = World(profile=PROFILES[profile], seed=3)
        self.world.advance(300 * MS)

    def hello(self, nonce: int) -> m.HelloAnswer:
        self.host = HostLink(nonce=nonce, zone_digest=ZONE_DIGEST)
        self.host.hello(self.world.now_ns)
        opened = self._wait()
        assert isinstance(opened, SessionOpened)
        return opened.answer

    def ask(self, request: object) -> Answered | RequestRefused:
        self.host.request(request, self.world.now_ns)
        ended = self._wait()
        assert isinstance(ended, Answered | RequestRefused)
        return ended

    def _wait(self) -> object:
        for _ in range(100):
            self.world.host_sends(self.host.data_to_send())
            self.world.advance(self.world.now_ns + 2 * MS)
            self.host.receive_data(self.world.take_output(), self.world.now_ns)
            while (event := self.host.next_event()) is not None:
                if isinstance(event, SessionOpened | Answered | RequestRefused):
                    return event
        raise AssertionError("no answer in 200 ms")


@pytest.fixture(params=sorted(PROFILES))
def talk(request: pytest.FixtureRequest) -> Talk:
    return Talk(request.param)


@pytest.mark.req("R-5.11")
def test_every_session_hears_the_same_capabilities(talk: Talk) -> None:
    first, again = talk.hello(1), talk.hello(2)
    assert first.features & m.Feature.SIMULATED
    varying = {"nonce"}
    for name in m.HelloAnswer.layout.names:
        if name not in varying:
            assert getattr(first, name) == getattr(again, name), name


@pytest.mark.req("R-5.11", "R-9.1", "R-9.3")
def test_the_device_decides_with_what_it_said(talk: Talk) -> None:
    """Each limit of depth and rate holds at its last legal value and refuses the next one."""
    said = talk.hello(1)
    ceiling = talk.ask(m.SelectZone(CHEEK.number, m.Side.LEFT, CHEEK.hard_ceiling_um)).answer.held_ceiling_um
    step, low = said.depth_step_um, said.depth_min_um
    deepest = (ceiling - said.tolerance_um) // step * step
    for depth, reason, detail in (
        (deepest, None, 0),
        (deepest + step, m.Reason.ABOVE_CEILING, ceiling),
        (deepest - 1, m.Reason.DEPTH_OFF_STEP, deepest - step),
        (low, None, 0),
        (low - 1, m.Reason.DEPTH_RANGE, low),
    ):
        assert outcome(talk.ask(m.SetDepth(depth))) == (reason, detail)
    slow, fast = said.rate_min_dhz, said.rate_max_dhz
    for rate, reason in (
        (slow, None),
        (fast, None),
        (slow - 1, m.Reason.RATE_RANGE),
        (fast + 1, m.Reason.RATE_RANGE),
    ):
        detail = 0 if reason is None else slow << 16 | fast
        assert outcome(talk.ask(m.SetRate(rate))) == (reason, detail)
    if said.rate_step_dhz > 1 and fast > slow:
        off = slow + said.rate_step_dhz + 1
        assert outcome(talk.ask(m.SetRate(off))) == (m.Reason.RATE_OFF_STEP, off - 1)


def outcome(end: Answered | RequestRefused) -> tuple[m.Reason | None, int]:
    return (None, 0) if isinstance(end, Answered) else (m.Reason(end.reason), end.detail)


@pytest.mark.req("R-6.11")
def test_the_table_of_details_names_every_reason_once() -> None:
    table = SPECIFICATION.split("| reason | detail | rules |")[1].split("## 7")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")]
    named = [name for row in rows for name in re.findall(r"[A-Z_]+", row)]
    assert sorted(named) == sorted(reason.name for reason in m.Reason)


@pytest.mark.req("R-6.11")
@pytest.mark.parametrize(
    "request_", [m.Arm(1, 0), m.SetDepth(500), m.LowerCeiling(1)], ids=lambda r: type(r).__name__
)
def test_a_detail_that_says_nothing_is_0(request_: object) -> None:
    talk = Talk("fine")
    talk.hello(1)
    assert outcome(talk.ask(request_)) == (m.Reason.NO_ZONE, 0)
