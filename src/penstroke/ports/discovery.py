"""Pens found by their USB identity. Nothing is opened: other serial devices are not disturbed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from penstroke.errors import PortError, PortMissing


class UsbId(NamedTuple):
    """A USB vendor and product id, each 0 to 0xFFFF."""

    vid: int
    pid: int

    @classmethod
    def parse(cls, text: str) -> UsbId:
        """From `VID:PID`, four hexadecimal digits each. Raises `ValueError`."""
        found = re.fullmatch(r"([0-9A-Fa-f]{4}):([0-9A-Fa-f]{4})", text)
        if found is None:
            raise ValueError(f"{text!r} is no USB identity: write VID:PID, four hexadecimal digits each")
        return cls(int(found[1], 16), int(found[2], 16))

    def __str__(self) -> str:
        return f"{self.vid:04x}:{self.pid:04x}"


DEFAULT_USB_IDS: Final = (UsbId(0x1209, 0x0001),)
"""pid.codes' identity for development; the configuration adds those of real pens."""


class FoundPen(NamedTuple):
    """A device that calls itself a pen. Only HELLO proves it."""

    device: str
    usb: UsbId
    serial_number: str
    product: str


def find_pens(usb_ids: Sequence[UsbId] = DEFAULT_USB_IDS) -> tuple[FoundPen, ...]:
    """The pens plugged in, by device path."""
    from penstroke.ports.serial_port import usb_ports

    return tuple(
        sorted(
            FoundPen(device, UsbId(vid, pid), serial_number, product)
            for device, vid, pid, serial_number, product in usb_ports()
            if (vid, pid) in usb_ids
        )
    )


def the_only_pen(usb_ids: Sequence[UsbId] = DEFAULT_USB_IDS, *, serial_number: str | None = None) -> FoundPen:
    """The pen meant by `auto`, or by its serial number.

    Raises `PortMissing` for none, `PortError` with code `port-ambiguous` for two or more.
    """
    found = find_pens(usb_ids)
    meant = [pen for pen in found if serial_number is None or pen.serial_number == serial_number]
    if len(meant) == 1:
        return meant[0]
    listed = ", ".join(f"{pen.device} (serial {pen.serial_number or 'none'})" for pen in meant or found)
    if meant:
        raise PortError(
            f"{len(meant)} pens are plugged in: {listed}",
            code="port-ambiguous",
            hint="pick one with --port PATH or --port serial:NUMBER",
            ports=[pen.device for pen in meant],
        )
    wanted = "no pen is plugged in" if serial_number is None else f"no pen with serial number {serial_number}"
    ids = ", ".join(str(usb_id) for usb_id in usb_ids)
    raise PortMissing(
        f"{wanted} (looked for USB {ids}{f'; found {listed}' if listed else ''})",
        hint="name its port with --port PATH; the simulator is only used when named: --port sim://",
    )
