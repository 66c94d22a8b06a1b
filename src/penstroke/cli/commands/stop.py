"""`penstroke stop`: stop and retract, from any state, whoever holds the port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from penstroke.cli.app import App, PenCommand, current, open_pen
from penstroke.cli.output import emit, say, show
from penstroke.errors import LIFT, DeviceFault, LinkError, ProtocolError
from penstroke_protocol.bare_stop import BARE_STOP

if TYPE_CHECKING:
    from penstroke.ports.control import StopReply

_KEY = "if anything still moves: press the pen's own stop key, and lift the pen"


@click.command("stop", cls=PenCommand)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Stop the motor and retract the needles, from any state.

    Where another penstroke holds the port, that one is asked to stop its pen.
    """
    app = current(ctx)
    say(_KEY)
    app.forgo_wrong_config()
    reply = _ask_holder(app)
    if reply is not None:
        if not reply.stopped:
            raise DeviceFault(
                f"{reply.command} (process {reply.pid}) could not confirm the stop: {LIFT}",
                code="retraction-unconfirmed",
                hint=reply.message or "switch the pen off",
            )
        _tell(app, reply.state, by=f"{reply.command} (process {reply.pid})", pid=reply.pid)
        return
    port = app.open_port()
    try:
        # STOP acts before any HELLO, so it leaves first: a pen that cannot be talked to still obeys it. Its
        # bytes are known beforehand, so that it does not wait for the driver to be loaded either.
        port.write_now(BARE_STOP)
        with open_pen(app, port=port, sets=False) as pen:
            pen.stop()
            state = pen.status().state
    except (LinkError, ProtocolError) as error:
        error.hint = f"STOP was sent and is not confirmed: {LIFT}. {error.hint}"
        raise
    finally:
        port.close()
    _tell(app, state, by="", pid=None)


def _ask_holder(app: App) -> StopReply | None:
    """Ask whoever holds the port; None where nobody does."""
    from penstroke.ports.control import ask_stop
    from penstroke.ports.opening import device_of

    device = device_of(app.port, usb_ids=app.usb_ids())
    return None if device is None else ask_stop(device)


def _tell(app: App, state: str, *, by: str, pid: int | None) -> None:
    if app.json:
        emit({"stopped": True, "state": state, "by": by or None, "pid": pid, "stop_key": _KEY})
    else:
        show(f"stopped{f' by {by}' if by else ''}: motor off, needles retracted, {state}")
