"""What no other test here would notice: each of these was a planted bug that passed all the others.

The bugs are kept under `tests/planted/`. Virtual time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from penstroke.errors import DeviceFault, LinkTimeout, Refused
from penstroke.pen import Pen
from penstroke.ports.opening import adopt
from penstroke_sim.inprocess import VirtualPort, open_virtual


class Meddled(VirtualPort):
    """A port that loses what is written, chatters, or does something before a read, when it is told to."""

    def __init__(self) -> None:
        super().__init__(open_virtual("sim://pen?seed=1&clock=virtual").world)
        self.loses_writes = False
        self.chatters = False
        self.before_read: Callable[[], None] | None = None

    def write(self, data: bytes) -> None:
        if not self.loses_writes:
            super().write(data)

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        if self.before_read is not None:
            hook, self.before_read = self.before_read, None
            hook()
        data = super().read(max_bytes, timeout_ns)
        return data + b"\x01\x00" if self.chatters else data

    def last(self, event: str) -> dict[str, Any]:
        return [entry for entry in self.journal.entries if entry["event"] == event][-1]


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
