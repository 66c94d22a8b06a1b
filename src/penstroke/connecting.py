"""Opening a port and a session on it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from penstroke.errors import PortError
from penstroke.pen import Pen
from penstroke.safety.limits import NO_CLINIC, NOT_SCREENED, ClinicProfile, Screening
from penstroke_protocol.messages import Role

if TYPE_CHECKING:
    from penstroke.ledger import Ledger
    from penstroke.ports import Port


def connect(
    port: str | Port = "auto",
    *,
    treatment: int | None = None,
    clinic: ClinicProfile | None = NO_CLINIC,
    screening: Screening | None = NOT_SCREENED,
    trace: Path | None = None,
    observe: bool = False,
    ledger: Ledger | None = None,
) -> Pen:
    """Open a port, say HELLO, and give the pen. Use it as a context manager.

    `port` is `auto` (the one pen found by its USB identity), `serial:NUMBER`, a device path, a pyserial URL,
    `sim://…`, or an open port. `treatment` is the token that the cartridge is bound to on its first stroke:
    1 to 2**64 - 1, drawn at random when not given, so that a cartridge is used up by one connection; keep
    `pen.treatment` to go on later. `clinic` and `screening` tighten the limits. `trace` names a file to which
    every byte is written. `observe` opens a session that can look and stop, but move nothing. `ledger` writes
    down what sets or moves before it leaves; what it cannot write is not sent.

    Raises `PortError` (invalid, missing, ambiguous, busy, denied), `LinkTimeout` when nothing answers,
    `ProtocolError` when something else answers, `VersionMismatch` when it speaks another version.
    """
    from penstroke.ports.opening import open_port  # on use: it may look for USB devices

    if not isinstance(port, str) and not hasattr(port, "read"):
        raise PortError(
            f"a port is named by text, not by {port!r}",
            code="port-invalid",
            hint="name a device path, a URL, serial:NUMBER, sim://..., or auto; or hand over an open port",
        )
    opened = open_port(port, trace=trace) if isinstance(port, str) else port
    try:
        return Pen(
            opened,
            nonce=secrets.randbits(32),
            treatment=treatment if treatment is not None else secrets.randbits(63) + 1,
            role=Role.OBSERVER if observe else Role.CONTROLLER,
            clinic=clinic,
            screening=screening,
            ledger=ledger,
        )
    except BaseException:
        opened.close()
        raise
