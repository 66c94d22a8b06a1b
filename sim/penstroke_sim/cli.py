"""`penstroke-sim`: serve a simulated pen, play a scenario, list what can be injected, replay a trace.

Exit codes are those of `penstroke`: 0 done, 1 an expectation failed (or a bug), 2 wrong usage, 4 the port is
taken, 7 a file is wrong or the output cannot be written, 130 interrupted. Data on stdout, talk on stderr.
"""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import Any, Final

import click

from penstroke_sim.endpoints import PortTaken
from penstroke_sim.errors import ScenarioError
from penstroke_sim.expect import Judgement
from penstroke_sim.profiles import DEFAULT_PROFILE, PROFILES, Profile, profile_named
from penstroke_sim.scenario import seconds

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_PORT: Final = 4
EXIT_FILE: Final = 7
EXIT_INTERRUPTED: Final = 130

_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout, errors as JSON on stderr."
)
_seed = click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of everything random.")
_profile = click.option(
    "--profile", metavar="NAME", help=f"Kind of pen: {', '.join(PROFILES)} (default {DEFAULT_PROFILE})."
)


def main() -> None:
    """The console command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of the command with these arguments; what can be foreseen to fail says so on stderr."""
    as_json = "--json" in arguments
    try:
        return int(cli.main(arguments, prog_name="penstroke-sim", standalone_mode=False) or 0)
    except click.UsageError as error:
        if not as_json:
            error.show()
            return EXIT_USAGE
        return _fail("usage", error.format_message(), EXIT_USAGE, as_json)
    except click.Abort:
        return EXIT_INTERRUPTED
    except ScenarioError as error:
        return _fail("scenario-invalid", str(error), EXIT_FILE, as_json)
    except PortTaken as error:
        return _fail("port-busy", str(error), EXIT_PORT, as_json)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            message = f"not everything could be written: {error.strerror}"
            return _fail("output-failed", message, EXIT_FILE, as_json)
        if "--debug" in arguments:
            raise
        message = f"a bug in the simulator: {type(error).__name__}: {error} (--debug shows where)"
        return _fail("bug", message, EXIT_FAILED, as_json)


def _fail(code: str, message: str, exit_code: int, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"error": {"code": code, "message": message}}), err=True)
    else:
        click.echo(f"error: {message}", err=True)
    return exit_code


@click.group()
@click.version_option(package_name="penstroke", prog_name="penstroke-sim")
@click.option("--debug", is_flag=True, help="Show where in the program a bug is.")
def cli(debug: bool) -> None:
    """A simulated microneedling pen. Nothing here moves a real needle."""


@cli.command()
@click.option("--pty", is_flag=True, help="Serve on a pseudo-terminal.")
@click.option("--link", type=click.Path(path_type=Path), help="A lasting name for the pseudo-terminal.")
@click.option("--tcp", metavar="HOST:PORT", help="Serve on a TCP port; port 0 lets the system choose.")
@_profile
@_seed
@click.option("--scenario", "scenario_path", type=click.Path(path_type=Path), help="Scenario file to play.")
@click.option("--journal", "journal_path", type=click.Path(path_type=Path), help="File for the journal.")
@click.option("--speed", type=float, default=1.0, show_default=True, help="Device seconds a second.")
@_json
def serve(
    pty: bool,
    link: Path | None,
    tcp: str | None,
    profile: str | None,
    seed: int | None,
    scenario_path: Path | None,
    journal_path: Path | None,
    speed: float,
    as_json: bool,
) -> int:
    """Serve a pen until SIGTERM; one JSON line says where, as soon as a host can open it.

    A cartridge stays bound to the treatment that used it, over sessions, too. SIGUSR1 to the process of that
    line puts a new one in: `kill -USR1 PID`.

    With a scenario its timeline is played and its expectations are judged at the end: exit code 1 if one
    was not met.
    """
    from penstroke_sim.pacing import FASTEST_HELD, check_speed
    from penstroke_sim.scenario import Scenario, check_fits, load
    from penstroke_sim.serve import Serving, cartridges_by_signal, ended_by_signals
    from penstroke_sim.serve import serve as serve_until

    if pty == (tcp is not None):
        raise click.UsageError("choose one of --pty and --tcp HOST:PORT.")
    if link is not None and not pty:
        raise click.UsageError("--link names a pseudo-terminal: it needs --pty.")
    try:
        check_speed(speed)
    except ScenarioError as error:
        raise click.UsageError(f"--{error}.") from None
    scenario = Scenario() if scenario_path is None else load(scenario_path)
    pen = _chosen_profile(profile, scenario.profile)
    check_fits(scenario, pen)
    if scenario.drive:
        click.echo("note: the scenario's drive is for `penstroke-sim run`; here the host drives.", err=True)
    if speed > FASTEST_HELD:
        say = f"note: at --speed {speed:g} a host that beats every 50 ms does not keep its lease"
        click.echo(f"{say}: needles stop, above about {FASTEST_HELD:g}.", err=True)
    with ended_by_signals() as ended, cartridges_by_signal() as fresh_cartridge:
        judgements = serve_until(
            Serving(
                profile=pen,
                seed=_chosen_seed(seed, scenario.seed),
                scenario=scenario,
                speed=speed,
                tcp=None if tcp is None else _host_and_port(tcp),
                link=link,
                journal=journal_path,
            ),
            ready=lambda where: click.echo(json.dumps(where)),
            done=ended,
            fresh_cartridge=fresh_cartridge,
        )
    for judgement in judgements:
        click.echo(_line(judgement), err=True)
    return 0 if all(judgement.met for judgement in judgements) else EXIT_FAILED


@cli.command("run")
@click.argument("scenario_path", metavar="SCENARIO", type=click.Path(path_type=Path))
@_profile
@_seed
@click.option("--journal", "journal_path", type=click.Path(path_type=Path), help="File for the journal.")
@_json
def run_scenario(
    scenario_path: Path, profile: str | None, seed: int | None, journal_path: Path | None, as_json: bool
) -> int:
    """Play a scenario on virtual time with its own host, and judge what it expects."""
    from penstroke_sim.journal_file import JournalFile
    from penstroke_sim.play import play
    from penstroke_sim.scenario import check_fits, load

    scenario = load(scenario_path)
    pen = _chosen_profile(profile, scenario.profile)
    check_fits(scenario, pen)
    number = _chosen_seed(seed, scenario.seed)
    try:
        report = play(scenario, profile=pen, seed=number)
    except ScenarioError as error:
        raise ScenarioError(f"{scenario_path}: {error}") from None
    if journal_path is not None:
        with JournalFile(journal_path) as journal:
            journal.write(report.journal)
    if as_json:
        head = {"scenario": str(scenario_path), "profile": pen.name, "seed": number}
        click.echo(json.dumps(head | report.to_json()))
    else:
        for done in report.done:
            mark = "ok" if done.as_meant else "FAILED"
            click.echo(f"{mark:6} {seconds(done.at_ns)} s {done.act.do}: {done.outcome}")
        for judgement in report.judgements:
            click.echo(_line(judgement))
        click.echo(f"{'passed' if report.passed else 'failed'}: {scenario_path} ({pen.name}, seed {number})")
    return 0 if report.passed else EXIT_FAILED


@cli.command()
@_json
def scenarios(as_json: bool) -> int:
    """List every fault that can be injected, and every act of a scenario's own host."""
    from penstroke_sim.catalogue import as_text, catalogue

    click.echo(json.dumps(catalogue()) if as_json else as_text())
    return 0


@cli.command("replay")
@click.argument("trace_path", metavar="TRACE", type=click.Path(path_type=Path))
@_profile
@_seed
@_json
def replay_trace(trace_path: Path, profile: str | None, seed: int | None, as_json: bool) -> int:
    """Feed a trace's host bytes to a fresh pen; exit code 1 if it answers otherwise than recorded.

    Profile, seed and scenario are taken from the trace's own address where that is a simulated pen's.
    """
    from penstroke_sim.replay import describe, load_trace, replay, reply_json
    from penstroke_sim.world import World

    trace = load_trace(trace_path)
    pen = trace.address
    world = World(
        profile=_chosen_profile(profile, pen.profile.name),
        seed=_chosen_seed(seed, pen.seed),
        scenario=pen.scenario,
    )
    replies = replay(trace, world)
    compared = [reply for reply in replies if reply.same is not None]
    differ = sum(1 for reply in compared if not reply.same)
    if as_json:
        answer: dict[str, Any] = {"trace": str(trace_path), "exact": trace.virtual, "equal": not differ}
        answer |= {"compared": len(compared), "different": differ, "frames": [reply_json(r) for r in replies]}
        click.echo(json.dumps(answer))
    else:
        for reply in replies:
            click.echo(describe(reply))
        how = "byte for byte" if trace.virtual else "by what they decide"
        click.echo(f"{len(compared)} frames compared {how}: {differ or 'none'} different")
    return EXIT_FAILED if differ else 0


def _line(judgement: Judgement) -> str:
    return f"{'ok' if judgement.met else 'FAILED':6} {judgement.expectation}: {judgement.found}"


def _chosen_profile(option: str | None, file: str | None) -> Profile:
    if option is not None and option not in PROFILES:
        raise click.UsageError(f"--profile {option!r} is unknown; known: {', '.join(PROFILES)}.")
    return profile_named(option or file or DEFAULT_PROFILE)


def _chosen_seed(option: int | None, file: int | None) -> int:
    return next(seed for seed in (option, file, 0) if seed is not None)


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not colon or not port.isdecimal() or not int(port) < 65_536:
        raise click.UsageError(f"--tcp takes HOST:PORT, for example 127.0.0.1:0, not {text!r}.")
    return host, int(port)
