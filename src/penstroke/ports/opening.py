"""From what the user named to an open port: `auto`, `serial:NUMBER`, a device path, a URL, or a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from penstroke.errors import PortError, PortMissing
from penstroke.ports.discovery import DEFAULT_USB_IDS, UsbId, the_only_pen
from penstroke.ports.open_errors import address_error
from penstroke.ports.trace import BarePort, RecordedPort, open_trace
from penstroke.ports.virtual import Device, VirtualPort

_VIRTUAL_PORTS: Final = "penstroke.virtual_ports"


def open_port(
    port: str, *, trace: Path | None = None, usb_ids: Sequence[UsbId] = DEFAULT_USB_IDS
) -> RecordedPort:
    """Open the port that `port` names; `trace` names a file for every byte that goes over it.

    `auto` takes the only pen plugged in, `serial:NUMBER` the one with that serial number, both among
    `usb_ids` and never a simulator; `sim://pen?clock=virtual` a simulated pen on virtual time. Raises
    `PortMissing`, `PortBusy`, `PortDenied` or `PortError` (code `port-ambiguous` for two pens), and
    `PlanError` when the trace cannot be written.
    """
    sink = open_trace(trace) if trace is not None else None
    try:
        return RecordedPort(_open_bare(port, usb_ids), sink)
    except BaseException:
        if sink is not None:
            sink.close()
        raise


def adopt(device: Device, name: str = "sim://") -> RecordedPort:
    """A port for a simulator's own object, made elsewhere: for tests that keep hold of it."""
    return RecordedPort(VirtualPort(device, name))


def device_of(port: str, *, usb_ids: Sequence[UsbId] = DEFAULT_USB_IDS) -> str | None:
    """The device path that `port` means, without opening it; None for a URL. Raises as `open_port`."""
    if port == "auto":
        return the_only_pen(usb_ids).device
    if port.startswith("serial:"):
        return the_only_pen(usb_ids, serial_number=port.removeprefix("serial:")).device
    return None if "://" in port else port


def _open_bare(port: str, usb_ids: Sequence[UsbId]) -> BarePort:
    device = device_of(port, usb_ids=usb_ids)
    if device is not None:
        from penstroke.ports.serial_port import open_device

        return open_device(device)
    return _open_url(port)


def _open_url(url: str) -> BarePort:
    scheme = url.partition("://")[0].lower()
    if scheme in ("http", "https"):
        raise PortError(
            f"{url}: a pen behind a penstroke server cannot be used as a port",
            hint="name the port that the pen is plugged into",
            port=url,
        )
    if scheme == "socket":
        from penstroke.ports.socket_port import open_socket

        return open_socket(url)
    if parse_qs(urlsplit(url).query).get("clock") == ["virtual"]:
        return _open_virtual(scheme, url)
    from penstroke.ports.serial_port import open_url

    return open_url(url)


def _open_virtual(scheme: str, url: str) -> BarePort:
    from importlib.metadata import entry_points  # on use: a STOP must not wait for it

    for point in entry_points(group=_VIRTUAL_PORTS, name=scheme):
        try:
            return VirtualPort(point.load()(url), url)
        except (ValueError, OSError) as error:
            raise address_error(url, error) from error
    raise PortMissing(
        f"no simulator for {scheme}:// is installed", hint="check the scheme of the address", port=url
    )
