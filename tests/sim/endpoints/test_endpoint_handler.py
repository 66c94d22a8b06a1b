"""`sim://` through pyserial: what a port must do beside carrying bytes; and addresses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from penstroke_sim.address import parse_address
from penstroke_sim.errors import ScenarioError


@pytest.fixture
def port() -> Iterator[Callable[..., Any]]:
    """Opens `sim://` addresses through pyserial, and closes them."""
    if "penstroke_sim.urlhandlers" not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append("penstroke_sim.urlhandlers")
    opened: list[Any] = []

    def open_port(url: str = "sim://", **settings: Any) -> Any:
        made = serial.serial_for_url(url, **settings)
        opened.append(made)
        return made

    yield open_port
    for made in opened:
        made.close()


def test_a_read_waits_for_its_timeout_and_no_longer(port: Callable[..., Any]) -> None:
    pen = port(timeout=0.05)
    began_s = time.monotonic()
    assert pen.read(10) == b""
    assert 0.05 <= time.monotonic() - began_s < 1
    pen.timeout = 0
    assert pen.read(10) == b""
    assert pen.in_waiting == 0


def test_a_reader_that_waits_for_ever_is_freed_by_close_and_by_cancel(port: Callable[..., Any]) -> None:
    pen = port(timeout=None)
    heard: list[bytes] = []
    for free in (pen.cancel_read, pen.close):
        reader = threading.Thread(target=lambda: heard.append(pen.read(10)))
        reader.start()
        while reader.is_alive():
            free()
            reader.join(0.01)
    assert heard == [b"", b""]


def test_stop_from_another_thread_is_answered_to_the_one_that_reads(
    port: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    host = connect("sim://")
    host.hello()
    frame = host.link.stop_frame()
    pen = host.line.serial
    pen.timeout = 5
    stopper = threading.Thread(target=lambda: pen.write(frame))
    stopper.start()
    answer = pen.read(8)
    stopper.join(5)
    assert len(answer) == 8
    assert pen.world.journal.of("stop")


def test_a_closed_port_says_so_and_opens_again_on_the_same_pen(port: Callable[..., Any]) -> None:
    pen = port(timeout=0)
    world = pen.world
    pen.close()
    pen.close()
    for touch in (
        lambda: pen.read(1),
        lambda: pen.write(b"x"),
        lambda: pen.in_waiting,
        pen.reset_input_buffer,
    ):
        with pytest.raises(serial.PortNotOpenError):
            touch()
    pen.open()
    assert pen.world is world
    with pytest.raises(serial.SerialException, match="already open"):
        pen.open()


def test_an_unplugged_pen_is_an_error_of_the_port(port: Callable[..., Any]) -> None:
    pen = port(timeout=0)
    pen.world.inject("cut")
    with pytest.raises(serial.SerialException, match="unplugged"):
        pen.read(1)
    with pytest.raises(serial.SerialException, match="unplugged"):
        pen.write(b"x")
    pen.close()
    with pytest.raises(serial.SerialException, match="unplugged"):
        pen.open()
    pen.world.inject("cut", off=True)
    pen.open()
    assert pen.read(1) == b""


def test_speed_is_device_seconds_a_second(port: Callable[..., Any]) -> None:
    pen = port("sim://pen?speed=100", timeout=0.05)
    pen.read(1)
    assert pen.world.now_ns >= 5_000_000_000


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sim://pan", "write sim://pen?"),
        ("sim://pen/1", "write sim://pen?"),
        ("sim://pen#1", "write sim://pen?"),
        ("sim://pen?seed", "key=value"),
        ("sim://pen?sed=1", "unknown setting 'sed'; known: seed, profile, scenario, speed, clock"),
        ("sim://pen?seed=1&seed=2", "seed is given twice"),
        ("sim://pen?seed=-1", "seed must be a whole number"),
        ("sim://pen?seed=", "seed must be a whole number"),
        ("sim://pen?profile=golden", "golden"),
        ("sim://pen?clock=sun", "clock must be wall or virtual"),
        ("sim://pen?clock=virtual&speed=2", "virtual time has no speed"),
        ("sim://pen?speed=fast", "speed must be a number"),
        ("sim://pen?speed=0", "speed must be from 0.01 to 100"),
        ("sim://pen?speed=nan", "speed must be from 0.01 to 100"),
        ("sim://pen?scenario=absent.yaml", "absent.yaml: No such file"),
        ("http://pen", "must begin with sim://"),
    ],
)
def test_a_wrong_address_is_one_sentence(url: str, says: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_address(url)
    assert says in str(caught.value)


def test_an_address_leaves_open_what_its_scenario_decides(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text("seed: 9\nprofile: fixed-rate", encoding="utf-8")
    left_open = parse_address(f"sim://pen?scenario={scenario}")
    assert (left_open.seed, left_open.profile.name) == (9, "fixed-rate")
    named = parse_address(f"sim://pen?scenario={scenario}&seed=1&profile=fine")
    assert (named.seed, named.profile.name) == (1, "fine")
    bare = parse_address("sim://")
    assert (bare.seed, bare.profile.name, bare.virtual, bare.speed) == (0, "fine", False, 1.0)


def test_pyserial_takes_no_virtual_clock(port: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="wall time"):
        port("sim://pen?clock=virtual")
