"""Pens found by USB identity: one, none, several; nothing is opened."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from penstroke.errors import PortError, PortMissing
from penstroke.ports import serial_port
from penstroke.ports.discovery import DEFAULT_USB_IDS, FoundPen, UsbId, find_pens, the_only_pen

PEN_A = ("/dev/ttyACM1", 0x1209, 0x0001, "PS-A", "penstroke fine")
PEN_B = ("/dev/ttyACM0", 0x1209, 0x0001, "PS-B", "")
PRINTER = ("/dev/ttyUSB0", 0x0403, 0x6001, "PS-A", "FT232R")


Plug = Callable[..., None]


@pytest.fixture
def plug(mocker: MockerFixture) -> Plug:
    def plugged(*devices: tuple[str, int, int, str, str]) -> None:
        mocker.patch.object(serial_port, "usb_ports", return_value=list(devices))

    return plugged


def test_pens_are_told_from_other_serial_devices(plug: Plug) -> None:
    plug(PEN_A, PRINTER, PEN_B)
    assert find_pens() == (
        FoundPen("/dev/ttyACM0", UsbId(0x1209, 1), "PS-B", ""),
        FoundPen("/dev/ttyACM1", UsbId(0x1209, 1), "PS-A", "penstroke fine"),
    )


def test_the_configuration_adds_identities(plug: Plug) -> None:
    plug(PRINTER)
    assert the_only_pen([*DEFAULT_USB_IDS, UsbId.parse("0403:6001")]).device == "/dev/ttyUSB0"


def test_the_only_pen_is_taken(plug: Plug) -> None:
    plug(PEN_A, PRINTER)
    assert the_only_pen().device == "/dev/ttyACM1"


def test_no_pen_says_how_to_name_one_and_never_means_the_simulator(plug: Plug) -> None:
    plug(PRINTER)
    with pytest.raises(PortMissing, match=r"no pen is plugged in \(looked for USB 1209:0001\)") as caught:
        the_only_pen()
    assert "--port PATH" in caught.value.hint
    assert "only used when named" in caught.value.hint


def test_two_pens_are_listed_and_neither_is_taken(plug: Plug) -> None:
    plug(PEN_A, PEN_B)
    with pytest.raises(
        PortError, match=r"2 pens .*ttyACM0 \(serial PS-B\), /dev/ttyACM1 \(serial PS-A\)"
    ) as caught:
        the_only_pen()
    assert caught.value.code == "port-ambiguous"
    assert caught.value.facts == {"ports": ["/dev/ttyACM0", "/dev/ttyACM1"]}
    assert "serial:NUMBER" in caught.value.hint


def test_a_serial_number_picks_one(plug: Plug) -> None:
    plug(PEN_A, PEN_B, PRINTER)
    assert the_only_pen(serial_number="PS-A").device == "/dev/ttyACM1"
    with pytest.raises(PortMissing, match=r"no pen with serial number PS-C .*found /dev/ttyACM0"):
        the_only_pen(serial_number="PS-C")
    with pytest.raises(PortMissing):
        the_only_pen(serial_number="")


def test_two_pens_of_one_serial_number_are_ambiguous(plug: Plug) -> None:
    plug(PEN_A, (*PEN_B[:3], "PS-A", ""))
    with pytest.raises(PortError) as caught:
        the_only_pen(serial_number="PS-A")
    assert caught.value.code == "port-ambiguous"


def test_the_systems_own_list_is_read_without_opening_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = os.open

    def watched(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        opened.append(str(path))
        return real(path, flags, mode, dir_fd=dir_fd)

    with monkeypatch.context() as patched:
        # pyserial opens devices this way, and reads what the system says of them through `open`.
        patched.setattr(os, "open", watched)
        find_pens()
    assert opened == []


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_an_identity_is_written_and_read_the_same(vid: int, pid: int) -> None:
    usb_id = UsbId(vid, pid)
    assert UsbId.parse(str(usb_id)) == usb_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "1209",
        "1209:1",
        "1209:00001",
        "12g9:0001",
        "0x12:0001",
        "1_09:0001",
        "+209:0001",
        " 209:0001",
    ],
)
def test_a_wrong_identity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no USB identity"):
        UsbId.parse(text)
