"""CPU time of commands as whole processes, over that of a Python that does nothing."""

from __future__ import annotations

import compileall
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.report import ROOT, Section, Size, wanted
from penstroke_protocol.frames import Receiver
from penstroke_protocol.messages import Kind, Stop

PENSTROKE = (sys.executable, str(Path(sys.executable).parent / "penstroke"))
BARE = (sys.executable, "-c", "pass")
PLAN = str(ROOT / "examples" / "full_face_rejuvenation.yaml")
LONGEST_S = 30.0


def measure(size: Size) -> list[Section]:
    """Each command in turn with the bare Python."""
    section = Section(
        "Starting",
        "CPU time (user and system) of a whole process, less that of `python -c pass` in the same turn; "
        "median, with the smallest and the largest. `stop` is measured up to the instant at which its bytes "
        "are at the other end of a pseudo-terminal.",
        ("command", "ms over bare Python", "wanted", "met"),
    )
    # As the set-up does: some machines forbid writing .pyc files at run time, and then each start would
    # compile whatever was changed since.
    for folder in ("src", "firmware_protocol", "sim"):
        compileall.compile_dir(ROOT / folder, quiet=1)
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTROKE_")}
        environment |= {"HOME": home, "XDG_CONFIG_HOME": home, "PENSTROKE_RUNTIME_DIR": f"{home}/run"}
        commands: dict[str, tuple[float, Callable[[], float]]] = {
            "penstroke --version": (60, lambda: _whole((*PENSTROKE, "--version"), environment)),
            "penstroke stop": (60, lambda: _until_stop(environment)),
            "penstroke zones": (100, lambda: _whole((*PENSTROKE, "zones"), environment)),
            "penstroke plan check": (250, lambda: _whole((*PENSTROKE, "plan", "check", PLAN), environment)),
            "python -c 'import penstroke'": (
                0,
                lambda: _whole((sys.executable, "-c", "import penstroke"), environment),
            ),
        }
        over: dict[str, list[float]] = {name: [] for name in commands}
        bare: list[float] = []
        for turn in range(size.starts + 1):
            bare_ms = _whole(BARE, environment) * 1e3
            taken = {name: run() * 1e3 - bare_ms for name, (_, run) in commands.items()}
            if turn:  # the first one only warms the file cache
                bare.append(bare_ms)
                for name, ms in taken.items():
                    over[name].append(ms)
    section.end()
    section.rows.append(("`python -c pass`, in all", _spread(bare), "", ""))
    for name, figures in over.items():
        limit = commands[name][0]
        cells = wanted(median(figures), limit, unit=" ms") if limit else ("", "")
        section.rows.append((f"`{name}`", _spread(figures), *cells))
    return [section]


def _spread(figures: list[float]) -> str:
    return f"{median(figures):.0f} ({min(figures):.0f} to {max(figures):.0f})"


def _whole(command: tuple[str, ...], environment: dict[str, str]) -> float:
    """CPU seconds of a command that must end well."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process.stderr or open(os.devnull) as stderr:  # noqa: PTH123
        said = stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {said!r}")
    return usage.ru_utime + usage.ru_stime


def _until_stop(environment: dict[str, str]) -> float:
    """CPU seconds of `penstroke stop` until STOP can be read at the other end of its line."""
    master, slave = os.openpty()
    try:
        tty.setraw(slave)
        command = (*PENSTROKE, "--port", os.ttyname(slave), "stop")
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _read_stop(master)
            process.send_signal(signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            return _cpu_s(process.pid)
        finally:
            process.kill()
            process.wait()
    finally:
        os.close(master)
        os.close(slave)


def _read_stop(master: int) -> None:
    receiver = Receiver()
    end_s = time.monotonic() + LONGEST_S
    while (left_s := end_s - time.monotonic()) > 0:
        readable, _, _ = select.select([master], [], [], left_s)
        for frame in receiver.receive(os.read(master, 4096)) if readable else ():
            if (frame.kind, frame.code) == (Kind.REQUEST, Stop.spec.code):
                return
    raise RuntimeError(f"`penstroke stop` sent no STOP within {LONGEST_S:g} s")


def _cpu_s(pid: int) -> float:
    """CPU seconds so far of a process that stands still (Linux): to the nanosecond, not in ticks of 10 ms."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
