"""The same protocol-level checks over every way to reach a simulated pen: one pen, four doors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstroke_protocol.messages import (
    Arm,
    Event,
    Fault,
    Feature,
    Flag,
    GetStatus,
    Reason,
    Release,
    SelectZone,
    SetDepth,
    Start,
    State,
)

KINDS = ["virtual", "sim", "pty", "tcp"]


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest, serve: Callable[..., Any], connect: Callable[..., Any]) -> Any:
    """A host on a pen that has just been powered up."""
    if request.param == "virtual":
        return connect("sim://pen?seed=7&clock=virtual")
    if request.param == "sim":
        return connect("sim://pen?seed=7")
    if request.param == "pty":
        return connect(serve("--pty", "--seed", "7").port)
    return connect(serve("--tcp", "127.0.0.1:0", "--seed", "7").port)


def test_a_run_from_hello_to_stop(host: Any) -> None:
    identity = host.hello()
    assert identity.features & Feature.SIMULATED
    assert (identity.model, identity.depth_max_um) == ("sim-fine", 2500)
    host.running()
    heard = host.until(lambda heard: heard.strokes > 30, beat=State.RUNNING)
    assert heard.flags & Flag.MOTOR_ON
    assert abs(heard.measured_depth_um - 900) <= 50
    host.done(Release(), beat=State.RUNNING)
    host.until(lambda heard: not heard.flags & Flag.NEEDLES_OUT, beat=State.ARMED)
    host.done(Start(8, 1, 900, 1100, 600_000), beat=State.ARMED)
    host.until(lambda heard: heard.flags & Flag.NEEDLES_OUT, beat=State.RUNNING)
    condition = host.stop()
    assert condition.state == State.IDLE
    assert not condition.flags & Flag.MOTOR_ON
    host.until(lambda heard: heard.measured_depth_um == 0)
    assert host.done(GetStatus()).faults == 0


@pytest.mark.req("S-10", "S-11")
def test_a_silent_host_is_stopped_by_the_lease(host: Any) -> None:
    host.running()
    heard = host.until(lambda heard: heard.state == State.FAULT)
    assert heard.faults == Fault.LEASE
    assert not heard.flags & Flag.MOTOR_ON
    host.until(lambda heard: heard.measured_depth_um == 0)
    # Beats that come now bring nothing back.
    host.listen(0.2, beat=State.RUNNING)
    assert host.telemetry[-1].state == State.FAULT


@pytest.mark.req("S-01")
def test_the_pen_refuses_what_it_must_not_do_and_hears_through_junk(host: Any) -> None:
    host.hello()
    host.until(lambda heard: heard.state == State.IDLE)
    forbidden = host.ask(SelectZone(5, 1, 1000))
    assert forbidden.reason == Reason.ZONE_FORBIDDEN
    host.line.write(bytes(range(256)) * 2)
    assert host.ask(SetDepth(900)).reason == Reason.NO_ZONE
    host.done(SelectZone(8, 1, 1000))
    too_deep = host.ask(SetDepth(1000))
    assert (too_deep.reason, too_deep.detail) == (Reason.ABOVE_CEILING, 1000)
    assert host.ask(Arm(1, 0)).reason == Reason.NO_DEPTH
    assert Event not in map(type, host.device_events)
    assert host.done(GetStatus()).state == State.IDLE
