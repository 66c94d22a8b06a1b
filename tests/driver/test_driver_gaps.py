"""What no other test here would notice: each of these was a planted bug that passed all the others.

The bugs are kept under `tests/planted/`. Virtual time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from penstroke.errors import DeviceFault, LinkTimeout, Refused
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke.safety import ClinicProfile
from penstroke_protocol import host_link
from penstroke_protocol.frames import encode_message
from penstroke_protocol.messages import SelectZone, SetDepth, SetRate
from penstroke_sim import report, requests
from penstroke_sim.inprocess import VirtualPort, open_virtual


class Meddled(VirtualPort):
    """A port that loses what is written, chatters, or does something before a read, when it is told to."""

    def __init__(self) -> None:
        super().__init__(open_virtual("sim://pen?seed=1&clock=virtual").world)
        self.loses_writes = False
        self.chatters = False
        self.before_read: Callable[[], None] | None = None
        self.ends_ns = 3600 * 10**9
        """A loop that goes on for ever fails here, as one does in which no time passes; it need not hang."""
        self._last_read_ns = -1
        self._reads_now = 0

    def write(self, data: bytes) -> None:
        if not self.loses_writes:
            super().write(data)

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        if self.before_read is not None:
            hook, self.before_read = self.before_read, None
            hook()
        self._reads_now = self._reads_now + 1 if self.world.now_ns == self._last_read_ns else 0
        self._last_read_ns = self.world.now_ns
        if self.world.now_ns > self.ends_ns or self._reads_now > 1000:
            raise AssertionError("this should have ended by itself long ago")
        data = super().read(max_bytes, timeout_ns)
        return data + b"\x01\x00" if self.chatters else data

    def last(self, event: str) -> dict[str, Any]:
        return [entry for entry in self.journal.entries if entry["event"] == event][-1]


def does_otherwise(
    monkeypatch: pytest.MonkeyPatch, request: type[Any], change: Callable[[Any], None]
) -> None:
    """The pen carries the request out, then holds something else, and says so."""
    act = requests.ACTS[request]

    def otherwise(firmware: Any, message: Any, now_ns: int) -> Any:
        act(firmware, message, now_ns)
        change(firmware)
        return report.settings(firmware, now_ns)

    monkeypatch.setitem(requests.ACTS, request, otherwise)


@pytest.fixture
def port() -> Meddled:
    return Meddled()


def set_up(port: Meddled) -> Pen:
    pen = Pen(adopt(port), nonce=1, treatment=9)
    pen.select_zone("cheek", side="left")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.9)
    return pen


@pytest.mark.req("S-10")
def test_no_thread_is_started_for_a_run(port: Meddled) -> None:
    """A thread that beats would keep needles moving for a loop that hangs."""
    before = threading.enumerate()
    with set_up(port) as pen, pen.needling(longest_s=5) as strokes:
        next(strokes)
        assert threading.enumerate() == before


@pytest.mark.req("S-10")
def test_bytes_that_are_no_telemetry_do_not_break_the_silence(port: Meddled) -> None:
    with set_up(port) as pen:
        with pytest.raises(LinkTimeout, match="no valid telemetry"), pen.needling(longest_s=5) as strokes:
            next(strokes)
            silent_s = port.world.now_ns / 1e9
            port.inject("silent")
            port.chatters = True
            list(strokes)
        off = port.last("motor")
        assert off["reason"] == "stop"
        assert off["t"] - silent_s <= 0.300


@pytest.mark.req("S-01", "S-04")
@pytest.mark.parametrize("above_um", [1, 4000])
def test_a_pen_that_holds_more_than_it_was_given_is_found(port: Meddled, above_um: int) -> None:
    """Its own ceiling is an answer to ours: one above it says that it did not take ours."""
    with Pen(adopt(port), nonce=1, treatment=9) as pen:
        port.world.firmware.held_ceiling_um = lambda: 1000 + above_um  # type: ignore[method-assign]
        with pytest.raises(DeviceFault, match=f"{1000 + above_um} instead of 1000") as error:
            pen.select_zone("cheek", side="left")
        assert error.value.code == "disagreement"


@pytest.mark.req("S-12", "S-13")
def test_a_stop_from_another_thread_leaves_without_a_turn_of_the_loop(port: Meddled) -> None:
    """The loop may be the one thing that hangs: the stop must not wait for it."""
    with set_up(port) as pen, pen.needling(longest_s=5) as strokes:
        next(strokes)
        demanded_s = port.world.now_ns / 1e9
        stopper = threading.Thread(target=pen.stop)
        stopper.start()
        stopper.join()
        port.advance(0.1)
        off = port.last("motor")
        assert (off["on"], off["reason"]) == (False, "stop")
        assert off["t"] - demanded_s <= 0.010
        assert not port.last("needles")["extended"]


@pytest.mark.req("S-10", "S-12")
def test_a_stop_that_was_interrupted_is_made_again_when_the_pen_is_closed(port: Meddled) -> None:
    """The first STOP is lost and an interrupt ends the wait for its answer; nothing was confirmed yet."""

    def interrupt() -> None:
        port.loses_writes = False
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), set_up(port) as pen, pen.needling(longest_s=5) as strokes:
        next(strokes)
        port.loses_writes = True
        port.before_read = interrupt
    off = port.last("motor")
    assert (off["on"], off["reason"]) == (False, "stop")
    assert not port.last("needles")["extended"]


@pytest.mark.req("S-16")
def test_a_run_that_was_broken_off_counts_towards_the_rest(port: Meddled) -> None:
    """Ten minutes without a rest, in pieces that were left before their time was over."""
    with set_up(port) as pen:
        for _ in range(2):
            with pen.needling() as strokes:
                for sample in strokes:
                    if sample.elapsed_s >= 299:
                        break
        with pytest.raises(Refused) as error:
            pen.needling(longest_s=10).__enter__()
        assert error.value.code == "run-too-long"


@pytest.mark.req("S-17b")
@pytest.mark.parametrize("expiry", [0, 20_990_231])
def test_a_cartridge_whose_date_is_none_moves_no_needle(port: Meddled, expiry: int) -> None:
    """A date that is missing, or that no calendar has, cannot be shown to lie ahead."""
    port.world.swap_cartridge(replace(port.world.fresh_cartridge(), expiry=expiry))
    with set_up(port) as pen:
        with pytest.raises(Refused) as error:
            pen.needling(longest_s=1).__enter__()
        assert error.value.code == "cartridge-expired"
    assert not [entry for entry in port.journal.entries if entry["event"] == "motor"]


# -- what the pen holds is not what it was told --------------------------------------------------------------


@pytest.mark.req("S-04")
@pytest.mark.parametrize(
    ("request_", "attribute", "value"),
    [(SelectZone, "side", 2), (SelectZone, "zone", 9), (SetRate, "rate_dhz", 1500), (SetRate, "side", 2)],
)
def test_a_setting_that_reads_back_otherwise_is_found(
    port: Meddled, monkeypatch: pytest.MonkeyPatch, request_: type[Any], attribute: str, value: int
) -> None:
    does_otherwise(monkeypatch, request_, lambda firmware: setattr(firmware, attribute, value))
    with pytest.raises(DeviceFault) as error, Pen(adopt(port), nonce=1, treatment=9) as pen:
        pen.select_zone("cheek", side="left")
        assert request_ is SetRate, "found at once, not by the setting after it"
        pen.set_rate(hz=110)
    assert error.value.code == "disagreement"


@pytest.mark.req("S-04", "S-11")
@pytest.mark.parametrize(("attribute", "value"), [("side", 2), ("depth_um", 850), ("rate_dhz", 1000)])
def test_a_setting_that_changed_by_itself_is_found_before_the_press(
    port: Meddled, attribute: str, value: int
) -> None:
    """A run with less depth or another rate is within every limit, and still not the one that was set."""
    with set_up(port) as pen:
        setattr(port.world.firmware, attribute, value)
        with pytest.raises(DeviceFault) as error:
            pen.needling(longest_s=1).__enter__()
        assert error.value.code == "disagreement"
    assert not [entry for entry in port.journal.entries if entry["event"] == "motor"]


@pytest.mark.req("S-04", "S-06")
def test_a_frame_that_says_something_else_never_leaves(
    port: Meddled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of the encoder is found in the very bytes, before they are written."""

    def wrong(message: Any, **header: Any) -> bytes:
        return encode_message(SetDepth(950) if isinstance(message, SetDepth) else message, **header)

    with set_up(port) as pen:
        monkeypatch.setattr(host_link, "encode_message", wrong)
        with pytest.raises(RuntimeError, match="950"):
            pen.set_depth(mm=0.3)
        assert pen.status().depth_um == 900


@pytest.mark.req("S-19")
def test_the_clinics_rates_hold_for_a_setting(port: Meddled) -> None:
    clinic = ClinicProfile(name="ours", rate_max_dhz=1000)
    with Pen(adopt(port), nonce=1, treatment=9, clinic=clinic) as pen:
        pen.select_zone("cheek", side="left")
        with pytest.raises(Refused, match="clinic"):
            pen.set_rate(hz=110)
        pen.set_rate(hz=100)


# -- what the pen tells while it is ready or moves -----------------------------------------------------------


@pytest.mark.req("S-10")
def test_a_motor_that_turns_though_nothing_was_started_is_found(port: Meddled) -> None:
    with (
        set_up(port) as pen,
        pytest.raises(DeviceFault, match="nothing was started"),
        pen.needling(longest_s=20, trigger=True) as strokes,
    ):
        next(strokes)
        port.world.body.driven = True
        port.ends_ns = port.world.now_ns + 10**9
        list(strokes)


@pytest.mark.req("S-10")
def test_a_pen_that_falls_silent_while_it_is_ready_is_stopped(port: Meddled) -> None:
    """Its own trigger could start the needles, and nobody would see it."""
    with (
        set_up(port) as pen,
        pytest.raises(LinkTimeout, match="no valid telemetry"),
        pen.needling(longest_s=20, trigger=True) as strokes,
    ):
        next(strokes)
        port.inject("silent")
        port.ends_ns = port.world.now_ns + 10**9
        list(strokes)


@pytest.mark.req("S-19")
def test_every_reading_is_judged_and_not_only_the_newest(port: Meddled) -> None:
    """A loop that comes a little late finds several readings; one that was too deep must not pass unseen."""
    with (
        set_up(port) as pen,
        pytest.raises(DeviceFault, match=r"1\.50 mm"),
        pen.needling(longest_s=20) as strokes,
    ):
        for sample in strokes:
            if sample.elapsed_s > 1:
                break
        good = pen._line.telemetry
        assert good is not None
        for later_ms, depth_um in ((1, 1500), (2, 900)):
            told = replace(
                good.telemetry, time_ms=good.telemetry.time_ms + later_ms, measured_depth_um=depth_um
            )
            pen._line.fresh.append(replace(good, telemetry=told))
        next(strokes)


class Asker:
    """Another program that asks this one, which holds the port, to stop the pen."""

    ask = "stop"

    def __init__(self, port: Meddled) -> None:
        self.port = port
        self.asked = False
        self.answers: list[tuple[bool, bool]] = []

    def poll(self) -> list[Asker]:
        first, self.asked = not self.asked, True
        return [self] if first else []

    def answer(self, *, stopped: bool, state: str, message: str = "") -> None:
        self.answers.append((stopped, self.port.last("needles")["extended"]))


@pytest.mark.req("S-12")
@pytest.mark.parametrize("jammed", [False, True])
def test_another_program_is_told_of_a_stop_only_when_the_needles_are_in(port: Meddled, jammed: bool) -> None:
    asker = Asker(port)
    with suppress(DeviceFault), set_up(port) as pen, pen.needling(longest_s=20) as strokes:
        for sample in strokes:
            if sample.elapsed_s > 1:
                break
        if jammed:
            port.inject("actuator-jam")
        pen._line.port.control = asker  # type: ignore[assignment]
        pen.pump(0.3)
    assert asker.answers == [(not jammed, jammed)]
