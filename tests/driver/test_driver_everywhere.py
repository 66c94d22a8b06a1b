"""One suite over every kind of port: what holds on virtual time holds on a real line."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

import penstroke


def ready(pen: penstroke.Pen, *, depth_mm: float = 0.5) -> None:
    pen.select_zone("cheek", side="left")
    pen.set_rate(hz=110)
    pen.set_depth(mm=depth_mm)


def test_a_pen_is_set_run_and_left_at_rest(endpoint: Any) -> None:
    with penstroke.connect(endpoint.url) as pen:
        assert pen.simulated
        assert pen.identity.model == "sim-fine"
        ready(pen)
        depths = []
        with pen.needling(longest_s=2) as strokes:
            for sample in strokes:
                depths.append(sample.depth_mm)
                if sample.elapsed_s >= 0.6:
                    break
        assert strokes.ended == "left"
        assert max(depths) == pytest.approx(0.5, abs=0.05)
        told = pen.status()
        assert (told.state, told.motor_on, told.needles_out) == ("idle", False, False)
        assert told.strokes > 20
        assert told.cartridge.used
        assert pen.stats.damaged == {}
    if endpoint.served is not None:
        off, needles = endpoint.served.entries("motor")[-1], endpoint.served.entries("needles")[-1]
        assert (off["on"], off["reason"], needles["extended"]) == (False, "stop", False)


@pytest.mark.req("S-12")
def test_stop_from_another_thread_ends_the_loop(endpoint: Any) -> None:
    with penstroke.connect(endpoint.url) as pen:
        ready(pen)
        with pen.needling(longest_s=20) as strokes:
            stopper = None
            for sample in strokes:
                if sample.elapsed_s > 0.3 and stopper is None:
                    stopper = threading.Thread(target=pen.stop)
                    stopper.start()
                    stopper.join()
            assert strokes.ended == "stopped"
        assert pen.status().needles_out is False


@pytest.mark.req("S-01")
def test_a_depth_above_the_limit_is_refused(endpoint: Any) -> None:
    with penstroke.connect(endpoint.url) as pen:
        pen.select_zone("periorbital", side="left")
        with pytest.raises(penstroke.Refused) as error:
            pen.set_depth(mm=2.0)
        assert error.value.code == "depth-above-limit"
        assert pen.status().depth_um is None


@pytest.mark.req("S-11", "R-17.6")
def test_a_new_connection_finds_a_pen_that_was_promised_nothing(endpoint: Any) -> None:
    if endpoint.served is None:
        pytest.skip("a pen inside the process goes with its connection")
    with penstroke.connect(endpoint.url) as pen:
        ready(pen)
    with penstroke.connect(endpoint.url) as pen:
        told = pen.status()
        assert (told.zone, told.depth_um, told.rate_dhz) == (None, None, None)
        with pytest.raises(penstroke.Refused), pen.needling():
            pass
    assert endpoint.served.entries("start") == []


def test_an_exception_leaves_the_pen_at_rest_and_the_port_free(endpoint: Any) -> None:
    with pytest.raises(ZeroDivisionError), penstroke.connect(endpoint.url) as pen:
        ready(pen)
        with pen.needling(longest_s=20) as strokes:
            for sample in strokes:
                if sample.elapsed_s > 0.2:
                    raise ZeroDivisionError
    with penstroke.connect(endpoint.url) as pen:
        assert pen.status().needles_out is False


def test_every_byte_can_be_traced(endpoint: Any, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    with penstroke.connect(endpoint.url, trace=trace) as pen:
        pen.status()
    head, *lines = [json.loads(line) for line in trace.read_text(encoding="utf-8").splitlines()]
    assert head["trace"] == 1
    assert {line["dir"] for line in lines} == {"<", ">"}
    assert sum(len(line["hex"]) for line in lines) > 200
