"""`socket://host:port`: a plain TCP connection, such as a serial server's raw mode, or a served simulator.

Not through pyserial, which leaves Nagle's algorithm on: that holds a beat back until the one before is
acknowledged, 40 ms or more on some systems, when one is due every 50.
"""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

from penstroke.errors import PortError, PortMissing
from penstroke.ports.fd_port import FdPort

CONNECT_TIMEOUT_S: Final = 5.0
"""Names are looked up and a handshake made, perhaps over a radio; nothing moves meanwhile."""


def open_socket(url: str) -> FdPort:
    """Raises `PortMissing` when nothing answers at that address, `PortError` when the URL is wrong."""
    try:
        parts = urlsplit(url)
        host, number, rest = parts.hostname, parts.port, parts.path.strip("/") + parts.query + parts.fragment
    except ValueError as error:
        raise PortError(f"{url} is no address: {error}", hint="write socket://HOST:PORT", port=url) from None
    if not host or not number or rest:
        raise PortError(f"{url} is no address", hint="write socket://HOST:PORT", port=url)
    try:
        connection = socket.create_connection((host, number), timeout=CONNECT_TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, UnicodeError) as error:
        raise PortMissing(
            f"nothing answers at {url}: {getattr(error, 'strerror', None) or error}",
            hint="check the address, and that the other side serves it",
            port=url,
        ) from error
    return FdPort(connection.fileno(), name=url, release=connection.close)
