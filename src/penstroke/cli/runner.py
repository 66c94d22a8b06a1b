"""Runs one command: finds it, calls it, and turns whatever comes back into an exit code and a sentence."""

from __future__ import annotations

import errno
import sys
import traceback
from contextlib import suppress
from importlib import import_module

import click

from penstroke import __version__
from penstroke.cli import errors
from penstroke.cli.app import App, PenGroup, shared_options
from penstroke.cli.output import OutputFailed, json_line, show, survive_odd_streams
from penstroke.errors import PenError, PlanError, Stopped
from penstroke.interrupts import Interrupted, Interrupts

COMMANDS: dict[str, str] = {
    "devices": "devices",
    "status": "status",
    "zones": "zones",
    "set": "set",
    "run": "run",
    "stop": "stop",
    "monitor": "monitor",
    "faults": "faults",
    "plan": "plan",
    "treat": "treat",
    "records": "records",
    "aftercare": "aftercare",
    "followup": "followup",
    "config": "config",
    "diagnose": "diagnose",
    "completion": "completion",
}
"""Each command and the module of `penstroke.cli.commands` that holds it, as `command`."""


class _LazyGroup(PenGroup):
    """Imports the module of a command when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        found = import_module(f"penstroke.cli.commands.{module}").command
        return found if isinstance(found, click.Command) else None


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted:
        show(f"penstroke {__version__}")
        ctx.exit(0)


root = _LazyGroup(
    name="penstroke",
    help=(
        "Control a motorised microneedling pen.\n\n"
        "Needles move only while this program keeps asking for it: Ctrl-C stops and retracts, and so does "
        "the pen's own stop key."
    ),
    params=[
        *shared_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show the version.",
        ),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)


def run(args: list[str]) -> int:
    """Run the command line; the exit code."""
    survive_odd_streams()
    with Interrupts() as interrupts:
        app = App(interrupts)
        try:
            return _call(app, args)
        except Interrupted as interrupted:
            return _interrupted(app, args, interrupted)


def _call(app: App, args: list[str]) -> int:
    try:
        result = root.main(args, prog_name="penstroke", standalone_mode=False, obj=app)
        return result if isinstance(result, int) else errors.DONE
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        return errors.USAGE
    except click.ClickException as problem:
        return _usage(app, args, problem)
    except PenError as error:
        if app.interrupts.why and isinstance(error, errors.BY_OUR_OWN_STOP):
            raise Interrupted(app.interrupts.why) from error
        _report(app, args, error)
        return errors.exit_code(error)
    except click.Abort as abort:
        raise Interrupted("end of input") from abort
    except Exception as bug:
        if isinstance(bug, OSError) and bug.errno == errno.ENOSPC:
            # The help, which click writes.
            raise OutputFailed(f"not everything could be written: {bug.strerror}") from bug
        if app.debug:
            traceback.print_exc()
        message = f"something unforeseen happened: {type(bug).__name__}: {bug}"
        hint = "this is a bug: run it again with --debug and report what is shown"
        _report(app, args, PenError(message, code="internal", hint=hint))
        return errors.BUG


def _usage(app: App, args: list[str], problem: click.ClickException) -> int:
    ctx = getattr(problem, "ctx", None)
    command = ctx.command_path if ctx is not None else "penstroke"
    hint = f"`{command} --help` shows how it is called"
    _report(app, args, errors.UsageProblem(problem.format_message(), hint=hint))
    return errors.USAGE


def _interrupted(app: App, args: list[str], interrupted: Interrupted) -> int:
    safe = "; the needles are stopped and retracted" if app.pen_let_go else ""
    error: PenError
    if isinstance(interrupted, OutputFailed):
        hint = "free space, or send the output elsewhere"
        error = PlanError(f"{interrupted.why}{safe}", code="output-failed", hint=hint)
    else:
        error = Stopped(f"interrupted ({interrupted.why}){safe}", code="interrupted")
    _report(app, args, error)
    return errors.exit_code(error)


def _report(app: App, args: list[str], error: PenError) -> None:
    # A call that could not even be parsed has set nothing: then the words themselves are looked at.
    lines = (
        [json_line(errors.error_object(error))] if app.json or "--json" in args else errors.error_lines(error)
    )
    # With the terminal gone there is nobody to tell; the exit code still says it.
    with suppress(OSError):
        for line in lines:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()
