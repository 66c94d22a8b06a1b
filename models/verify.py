"""Runs the model through Spin: as it is, with each goal, with each bug. `python models/verify.py --help`.

The model must hold in a search that was not cut short; each goal must be reached; each
bug must be found by the requirement it is planted against, watched alone. A surprise ends with exit code 1.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

from bugs import BUGS, CLOCK, CLOCKED_TRIGGER, FAST_CLOCK, ORDERS, SESSIONS

MODEL: Final = Path(__file__).resolve().parent / "pen.pml"
SPIN_S: Final = 600
"""A search that takes this long is a surprise, not something to wait for."""
DEPTH: Final = 8_000_000
WATCH_NOTHING: Final = "-DONLY=99"
WHOLE: Final = ("-DTIME", "-DSESSIONS", "-DSETTINGS", "-DDOWN=1", "-DLEASE=1", "-DFRESH=1")


class Run(NamedTuple):
    """One search. `expects` is the assertion that must fail, or empty where none may."""

    part: str
    name: str
    what: str
    defines: tuple[str, ...]
    expects: str = ""


class Outcome(NamedTuple):
    """What Spin said. `problem` is empty when it said what was expected."""

    run: Run
    states: int
    seconds: float
    problem: str


HOLDS: Final = (
    Run("holds", "whole", "all of it, one frame on the line, shortest lease", WHOLE),
    Run("holds", "sessions", "two frames on the line, no clock", SESSIONS),
    Run("holds", "orders-three", "three frames on the line, no sessions", ("-DSETTINGS", "-DDOWN=3")),
    Run("holds", "lease", "one frame on the line, lease and nonce of two ticks", CLOCK),
    Run("holds", "beats", "two frames on the line, lease and nonce of one tick", FAST_CLOCK),
    Run("holds", "trigger", "the pen's own trigger, with the clock", CLOCKED_TRIGGER),
    Run(
        "holds",
        "trigger-sessions",
        "the pen's own trigger, with sessions",
        ("-DSESSIONS", "-DTRIGGER", "-DDOWN=1"),
    ),
)
LARGE: Final = (
    Run("holds", "sessions-settings", "the same with more requests", (*SESSIONS, "-DSETTINGS")),
    Run("holds", "sessions-replies", "the same with two replies on the line", (*SESSIONS, "-DUP=2")),
)
QUICK: Final = (
    Run("holds", "orders-quick", "two frames on the line, no clock, no sessions", ORDERS),
    Run(
        "holds", "sessions-quick", "one frame on the line, no clock", ("-DSESSIONS", "-DSETTINGS", "-DDOWN=1")
    ),
)
QUICK_BUGS: Final = ("FLIGHT_ADOPTS_EPOCH", "NO_SEQ", "STOP_QUEUED", "ARM_SURVIVES_HELLO", "BEATS_UNHEARD")

_GOALS: Final = (
    ("running", ORDERS),
    ("stop_acknowledged", ORDERS),
    ("stop_acknowledged_start_underway", ORDERS),
    ("armed_and_old_start_arrives", ORDERS),
    ("done_and_not_told", ORDERS),
    ("run_in_new_session", SESSIONS),
    ("run_kept_alive", CLOCK),
    ("run_and_old_beat_arrives", CLOCK),
    ("lapse", (*CLOCK, "-DONLY_THE_LEASE_TRIPS")),
    ("bound_is_tight", CLOCK),
)
GOALS: Final = tuple(
    Run("reaches", name, "", (*where, WATCH_NOTHING, f"-DGOAL=GOAL_{name}"), "!(") for name, where in _GOALS
)
PLANTED: Final = tuple(
    Run("finds", bug.name, bug.what, (*bug.where, f"-DBUG_{bug.name}", f"-DONLY=ID_{bug.breaks}"), bug.breaks)
    for bug in BUGS
)


def search(run: Run, folder: Path) -> Outcome:
    """Make and run one verifier in a folder of its own."""
    begun = time.monotonic()
    folder.mkdir()
    flags = ["-O2", "-w", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=8000"]
    said = ""
    for command in (
        ["spin", "-a", *run.defines, str(MODEL)],
        ["gcc", *flags, "-o", "pan", "pan.c"],
        ["./pan", f"-m{DEPTH}", "-w22"],
    ):
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=SPIN_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Outcome(run, 0, time.monotonic() - begun, f"{command[0]} took more than {SPIN_S} s")
        said = done.stdout + done.stderr
        if done.returncode != 0 or "rror:" in said.replace("max search depth", ""):
            return Outcome(run, 0, time.monotonic() - begun, f"{command[0]}: {said.strip()[:300]}")
    stored = re.search(r"^\s*(\d+) states, stored", said, re.M)
    states = int(stored[1]) if stored else 0
    return Outcome(run, states, time.monotonic() - begun, judge(run, said))


def judge(run: Run, said: str) -> str:
    """What is wrong with what the verifier said; empty when nothing is."""
    violated = re.search(r"assertion violated\s+(.*) \(at depth", said)
    if run.expects:
        if violated is None:
            return f"{run.expects} was not violated"
        return "" if violated[1].startswith(run.expects) else f"found by {violated[1]}, not by {run.expects}"
    if violated is not None:
        return f"{violated[1]} does not hold"
    if (
        "errors: 0" not in said
        or "Full statespace search" not in said
        or not re.search(r"\d states, stored", said)
    ):
        return "no full search: " + said.strip()[:300]
    for cut in ("Search not completed", "search depth too small", "out of memory", "Bit statespace"):
        if cut in said:
            return f"the search was cut short: {cut}"
    return ""


def unwatched() -> list[str]:
    """Requirements of the model against which no bug is planted, and bugs of the model that nobody tries."""
    text = "".join(path.read_text(encoding="utf-8") for path in MODEL.parent.glob("*.pml"))
    watched = {run.expects for run in PLANTED}
    tried = {bug.name for bug in BUGS}
    names = set(re.findall(r"^#define ID_(\w+)", text, re.M))
    planted = set(re.findall(r"\bBUG_(\w+)", text))
    return sorted(names ^ watched) + sorted(planted ^ tried)


def report(outcomes: Sequence[Outcome]) -> None:
    """The table."""
    print(f"{'part':10} {'name':33} {'states':>10} {'s':>6}  outcome")
    for run, states, seconds, problem in outcomes:
        expected = run.expects.rstrip("!(") if run.part != "reaches" else "reached"
        shown = f"SURPRISE: {problem}" if problem else expected or "full search, nothing wrong"
        what = f" · {run.what}" if run.what else ""
        print(f"{run.part:10} {run.name:33} {states:10,} {seconds:6.1f}  {shown}{what}")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Verify the model of the wire with Spin.")
    parser.add_argument("--quick", action="store_true", help="small searches and a few bugs, in some seconds")
    parser.add_argument("--large", action="store_true", help="also the searches that take minutes")
    parser.add_argument("--only", metavar="NAME", help="the searches of this name alone")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="leave verifiers and trails there")
    parser.add_argument(
        "--jobs", type=int, default=min(2, os.cpu_count() or 1), help="searches at a time (2)"
    )
    args = parser.parse_args()
    missing = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
    if missing:
        print(
            f"models not verified: {' and '.join(missing)} not installed; `apt-get install spin gcc`",
            file=sys.stderr,
        )
        return 1 if os.environ.get("CI") else 0
    if args.quick:
        runs = (*QUICK, GOALS[0], *(run for run in PLANTED if run.name in QUICK_BUGS))
    else:
        runs = (*HOLDS, *(LARGE if args.large else ()), *GOALS, *PLANTED)
    runs = tuple(run for run in runs if args.only in (None, run.name))
    if not runs:
        print(f"there is no search named {args.only}", file=sys.stderr)
        return 2
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(args.jobs) as pool:
        folder: Path = args.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        folders = [folder / f"{number:02}" for number in range(len(runs))]
        outcomes = list(pool.map(search, runs, folders))
    report(outcomes)
    gone = unwatched()
    if gone:
        print(f"SURPRISE: without a bug, or a bug nobody tries: {', '.join(gone)}")
    surprises = sum(bool(outcome.problem) for outcome in outcomes) + bool(gone)
    took_s = time.monotonic() - begun
    states = sum(outcome.states for outcome in outcomes)
    print(f"{len(runs)} searches, {states:,} states, {took_s:.0f} s, {surprises} surprises")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
