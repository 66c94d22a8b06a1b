"""From what the user named to an open port: `auto`, `serial:NUMBER`, a device path, a URL, or a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Final
from urllib.parse import parse_qs, urlsplit

from penstroke.errors import PortError, PortMissing
from penstroke.ports import Port
from penstroke.ports.discovery import DEFAULT_USB_IDS, UsbId, the_only_pen
from penstroke.ports.virtual import adopt

_VIRTUAL_PORTS: Final = "penstroke.virtual_ports"


def open_port(port: str, *, usb_ids: Sequence[UsbId] = DEFAULT_USB_IDS) -> Port:
    """Open the port that `port` names.

    `auto` takes the only pen plugged in, `serial:NUMBER` the one with that serial number, both among
    `usb_ids` and never a simulator; `sim://pen?clock=virtual` a simulated pen on virtual time. Raises
    `PortMissing`, `PortBusy`, `PortDenied` or `PortError` (code `port-ambiguous` for two pens).
    """
    if port == "auto":
        return open_path(the_only_pen(usb_ids).device)
    if port.startswith("serial:"):
        return open_path(the_only_pen(usb_ids, serial_number=port.removeprefix("serial:")).device)
    if "://" not in port:
        return open_path(port)
    return _open_url(port)


def open_path(path: str) -> Port:
    """Open a device path; see `serial_port.open_device`."""
    from penstroke.ports.serial_port import open_device

    return open_device(path)


def _open_url(url: str) -> Port:
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


def _open_virtual(scheme: str, url: str) -> Port:
    for point in entry_points(group=_VIRTUAL_PORTS, name=scheme):
        try:
            return adopt(point.load()(url), name=url)
        except (ValueError, OSError) as error:
            raise PortError(f"cannot open {url}: {error}", port=url) from error
    raise PortMissing(
        f"no simulator for {scheme}:// is installed", hint="install penstroke-sim's package", port=url
    )
