"""What every command shares: its options, the settings, the signals, and the pen opened late."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstroke.cli.output import emit, say
from penstroke.errors import LimitsError
from penstroke.interrupts import Interrupts

if TYPE_CHECKING:
    from penstroke.config import Config
    from penstroke.ledger import Ledger
    from penstroke.pen import Pen
    from penstroke.ports import Port
    from penstroke.ports.discovery import UsbId
    from penstroke.ports.trace import RecordedPort
    from penstroke.safety import ClinicProfile


@dataclass(slots=True)
class App:
    """The state of one call of `penstroke`."""

    interrupts: Interrupts
    json: bool = False
    debug: bool = False
    trace: Path | None = None
    flags: dict[str, str | None] = field(default_factory=dict)
    """Settings given on the command line."""
    pen_let_go: bool = False
    """A pen was held, and was left stopped and retracted."""
    simulated: bool | None = None
    """Whether the pen that was opened is simulated; None while none was."""
    _config: Config | None = None
    _port: RecordedPort | None = None

    @property
    def mark(self) -> str:
        """What stands before every live line of a simulated pen."""
        return "SIM " if self.simulated else ""

    def emit(self, content: dict[str, Any]) -> None:
        """One JSON object on stdout, with whether the pen it is about is simulated."""
        emit({**content, "simulated": self.simulated})

    @property
    def config(self) -> Config:
        """The settings, read on first use. Raises `PlanError` where the file is wrong."""
        if self._config is None:
            from penstroke.config import load_config

            self._config = load_config(os.environ, self.flags)
        return self._config

    def forgo_wrong_config(self) -> None:
        """Go on without the configuration where it is wrong, and say so: no file may hinder a stop."""
        from penstroke.config import load_config
        from penstroke.errors import PlanError

        try:
            self.usb_ids()
        except PlanError as wrong:
            say(f"{wrong.message}; going on without it")
            self._config = load_config(os.environ, self.flags, with_file=False)

    @property
    def port(self) -> str:
        """The port in force: a path, a URL, `serial:NUMBER` or `auto`."""
        return str(self.config["port"])

    def usb_ids(self) -> tuple[UsbId, ...]:
        """The USB identities to look for. Raises `PlanError` (`config-invalid`) for one that is none."""
        from penstroke.errors import PlanError
        from penstroke.ports.discovery import DEFAULT_USB_IDS, UsbId

        try:
            return (*DEFAULT_USB_IDS, *map(UsbId.parse, self.config["usb_ids"]))
        except ValueError as problem:
            file = self.config.file
            message = f"the configuration {file} is wrong: usb_ids: {problem}"
            raise PlanError(message, code="config-invalid", hint="correct the file") from problem

    def open_port(self) -> Port:
        """The port in force, opened."""
        from penstroke.ports.opening import open_port

        self._port = open_port(self.port, usb_ids=self.usb_ids(), trace=self.trace)
        return self._port

    def tell_of_trace(self) -> None:
        """Say where a trace that was asked for ends early: a full disk stops no pen, but it is said."""
        if self._port is not None and self._port.trace_error is not None:
            say(f"the trace {self.trace} is not whole: {self._port.trace_error}")

    def clinic(self) -> ClinicProfile:
        """The clinic's profile beside the configuration, or the one that sets nothing where there is none."""
        from penstroke.data import clinic_profile
        from penstroke.safety import NO_CLINIC

        file = self.config.clinic_file
        try:
            file.lstat()
        except FileNotFoundError:
            return NO_CLINIC
        except OSError:
            pass  # there may be one that cannot be reached: reading it says so, and nothing moves
        return clinic_profile(file)


def current(ctx: click.Context) -> App:
    """The `App` of this call."""
    app = ctx.find_root().obj
    if not isinstance(app, App):
        raise TypeError("the command line was not started by its runner")
    return app


def _set_flag(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def keep(ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
        app = current(ctx)
        if not value:
            return value
        if name == "port":
            app.flags["port"] = value
        else:
            setattr(app, name, Path(value) if name == "trace" else value)
        return value

    return keep


def shared_options() -> list[click.Parameter]:
    """The options that may stand before the command or after it."""
    return [
        click.Option(
            ["--port"],
            metavar="PORT",
            expose_value=False,
            callback=_set_flag("port"),
            help="Device path, pyserial URL, sim://..., serial:NUMBER, or auto (also PENSTROKE_PORT).",
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            expose_value=False,
            callback=_set_flag("json"),
            help="JSON on stdout, and errors as JSON on stderr.",
        ),
        click.Option(
            ["--trace"],
            metavar="FILE",
            type=click.Path(dir_okay=False),
            expose_value=False,
            callback=_set_flag("trace"),
            help="Write every byte on the line to FILE.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_set_flag("debug"),
            help="Show a traceback when something unforeseen happens.",
        ),
    ]


class PenCommand(click.Command):
    """A command that also takes the shared options after its name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(shared_options())


class PenGroup(click.Group):
    """A group of such commands."""

    command_class = PenCommand


@contextmanager
def open_pen(
    app: App,
    *,
    port: Port | None = None,
    treatment: int | None = None,
    observe: bool = False,
    sets: bool = True,
    unscreened: bool = False,
    ledger: Ledger | None = None,
) -> Iterator[Pen]:
    """The pen at the port in force, or at one opened already; see `penstroke.connect`.

    With `sets` False nothing will be set, and a clinic's profile that is wrong is said and left unknown. With
    `unscreened` the patient has still to be screened, and nothing can be set until `Pen.screened`.

    While it is open a signal stops the needles and is noticed by `app.interrupts.check()`.
    """
    from penstroke.connecting import connect
    from penstroke.safety import NOT_SCREENED

    app.interrupts.check()
    clinic: ClinicProfile | None = None
    try:
        clinic = app.clinic()
    except LimitsError as wrong:
        if sets:
            raise
        say(f"{wrong.message}; nothing could be set so")
    pen = connect(
        port or app.open_port(),
        treatment=treatment,
        clinic=clinic,
        screening=None if unscreened else NOT_SCREENED,
        observe=observe,
        ledger=ledger,
    )
    app.simulated = pen.simulated
    with app.interrupts.stopping(pen.demand_stop):
        try:
            yield pen
        finally:
            pen.close()
            app.tell_of_trace()
            # Not reached when it is not known that the needles are in: then nobody says that they are.
            app.pen_let_go = True
    app.interrupts.check()


def complete_zones(_ctx: click.Context, _param: click.Parameter, start: str) -> list[str]:
    """Zone names for the shell's completion."""
    from penstroke.data import zone_table

    return [zone.name for zone in zone_table() if zone.name.startswith(start)]


def complete_sides(_ctx: click.Context, _param: click.Parameter, start: str) -> list[str]:
    """The two sides for the shell's completion."""
    return [side for side in ("left", "right") if side.startswith(start)]
