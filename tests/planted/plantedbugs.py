"""Planted bugs: a defect as a patch, put into a copy of the tree, and the tests that must find it there.

A patch is a unified diff of one file of the source. Lines of `#` before it say what a developer might have
thought, what it breaks, and which tests must catch it:

    # Thought: the pen checks its own cartridge, so the host need not know how long the needles are.
    # Breaks: H02 S-01
    # Caught by: tests/safety/test_depth_verdict.py::test_what_is_unknown_refuses

Strategy: a proof that can lie is worse than none. So the named tests must pass in the very copy before the
patch is applied; each of them must then fail, as a test and not because the tests could not be run; and what
does not apply, does not end or was not run from the copy is an error, never a catch.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATCHES = Path(__file__).resolve().parent / "patches"
SOURCES = ("src", "firmware_protocol", "sim")
"""The folders of the tree that hold packages."""
QUICK_SUITE = ("tests/safety", "tests/protocol", "tests/sim", "tests/driver")
NAMED_TESTS_S = 120.0
"""Longest time for the named tests of one patch; they take a few seconds."""
QUICK_SUITE_S = 900.0
_HEADER = re.compile(r"^# (Thought|Breaks|Caught by): (.*)$")
_FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.M)
_TESTS_FAILED = 1
"""pytest's exit code for tests that ran and failed; all above it say that they could not be run."""


class BadPatch(Exception):
    """A planted bug that is not written as it should be, or no longer applies. The message names it."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One planted bug."""

    name: str
    patch: Path
    changes: str
    """The file it changes, from the root of the tree."""
    thought: str
    breaks: tuple[str, ...]
    """Hazards and requirements."""
    caught_by: tuple[str, ...]
    """Tests, each of which must find it: `tests/room/test_file.py::test_name`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one planted bug."""

    planted: Planted
    verdict: str
    """`caught`, `NOT CAUGHT` or `error`."""
    seconds: float
    detail: str = ""
    also: tuple[str, ...] = ()
    """With the whole quick suite run: who else found it."""


# -- reading ------------------------------------------------------------------------------------------------


def read_planted(folder: Path = PATCHES) -> list[Planted]:
    """All planted bugs, by name. Raises `BadPatch`."""
    return [read_patch(path) for path in sorted(folder.glob("*.patch"))]


def read_patch(path: Path) -> Planted:
    """One planted bug. Raises `BadPatch` when its header or its diff is not as it should be."""
    said: dict[str, list[str]] = {"Thought": [], "Breaks": [], "Caught by": []}
    lines = path.read_text(encoding="utf-8").splitlines()
    key = ""
    for line in lines:
        if not line.startswith("#"):
            break
        match = _HEADER.match(line)
        if match:
            key = match[1]
            said[key].append(match[2].strip())
        elif key:
            said[key][-1] += " " + line.lstrip("# ").strip()
    changes = [line[len("+++ b/") :] for line in lines if line.startswith("+++ b/")]
    if len(changes) != 1:
        raise BadPatch(f"{path.stem}: it must change exactly one file, not {len(changes)}")
    for name, values in said.items():
        if not any(values):
            raise BadPatch(f"{path.stem}: its header lacks '# {name}:'")
    return Planted(
        name=path.stem,
        patch=path,
        changes=changes[0],
        thought=" ".join(said["Thought"]),
        breaks=tuple(" ".join(said["Breaks"]).replace(",", " ").split()),
        caught_by=tuple(said["Caught by"]),
    )


# -- applying -----------------------------------------------------------------------------------------------


def check_applies(planted: Planted, tree: Path = ROOT) -> None:
    """Raises `BadPatch` when the patch does not apply to the tree; changes nothing."""
    _git_apply(planted, tree, "--check")


def apply(planted: Planted, tree: Path) -> None:
    """Put the bug into this copy of the tree. Raises `BadPatch` when that does not work."""
    target = tree / planted.changes
    before = target.read_bytes() if target.exists() else b""
    _git_apply(planted, tree)
    if target.read_bytes() == before:
        raise BadPatch(f"{planted.name}: the patch changed nothing in {planted.changes}")


def _git_apply(planted: Planted, tree: Path, *options: str) -> None:
    done = subprocess.run(
        ["git", "apply", *options, str(planted.patch.resolve())],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        # A repository around the copy must not give the paths another meaning.
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.resolve().parent)},
    )
    if done.returncode:
        raise BadPatch(f"{planted.name}: the patch no longer applies: {done.stderr.strip()}")


def copy_tree(tree: Path, to: Path) -> None:
    """A plain copy without history, environment and leftovers."""
    shutil.copytree(tree, to, ignore=shutil.ignore_patterns(".*", "__pycache__", "build", "dist"))


# -- proving ------------------------------------------------------------------------------------------------


def prove(
    planted: Planted,
    folder: Path,
    *,
    tree: Path = ROOT,
    all_tests: bool = False,
    limit_s: float = NAMED_TESTS_S,
) -> Outcome:
    """Try one planted bug on a copy of `tree` made in `folder`."""
    begun = time.monotonic()
    copy = folder / planted.name
    copy_tree(tree, copy)

    def outcome(verdict: str, detail: str = "", also: tuple[str, ...] = ()) -> Outcome:
        shutil.rmtree(copy, ignore_errors=True)
        return Outcome(planted, verdict, time.monotonic() - begun, detail, also)

    stranger = imported_elsewhere(copy)
    if stranger:
        return outcome("error", f"tests would not run in the copy: {stranger}")
    code, said = run_tests(copy, planted.caught_by, limit_s)
    if code != 0:
        return outcome("error", f"its tests do not pass without the bug: {_last(code, said)}")
    try:
        apply(planted, copy)
    except BadPatch as problem:
        return outcome("error", str(problem))
    code, said = run_tests(copy, planted.caught_by, limit_s)
    failed = set(_FAILED.findall(said))
    missed = [test for test in planted.caught_by if test.split("[")[0] not in failed]
    if code not in (0, _TESTS_FAILED):
        return outcome("error", f"its tests could not be run with the bug: {_last(code, said)}")
    also: tuple[str, ...] = ()
    if all_tests:
        ended, everything = run_tests(copy, QUICK_SUITE, QUICK_SUITE_S)
        also = tuple(sorted(set(_FAILED.findall(everything)) - set(planted.caught_by)))
        if ended not in (0, _TESTS_FAILED):
            also += (f"(the quick suite did not run to its end: {_last(ended, everything)})",)
    if missed:
        return outcome("NOT CAUGHT", f"passed with the bug: {', '.join(missed)}", also)
    return outcome("caught", "", also)


def run_tests(tree: Path, tests: tuple[str, ...], limit_s: float) -> tuple[int | None, str]:
    """Run tests of this copy: pytest's exit code, None when they did not end in time, and what it said."""
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider"]
    with subprocess.Popen(
        [*command, "--rootdir", str(tree), *tests],
        cwd=tree,
        env=_environment(tree),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            # With all that it started: a simulated pen served by a test would outlive it.
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            return None, said
    return process.returncode, said


def imported_elsewhere(tree: Path) -> str:
    """A package that would not be imported from this copy, as a file; empty when all would."""
    names = [path.parent.name for base in SOURCES for path in (tree / base).glob("*/__init__.py")]
    code = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        cwd=tree,
        env=_environment(tree),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    inside = tree.resolve()
    return next((one for one in done.stdout.split() if inside not in Path(one).resolve().parents), "")


def _environment(tree: Path) -> Mapping[str, str]:
    """As a person's shell, but for what would run other code or other tests than those of the copy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(str(tree / base) for base in SOURCES),
        # A patched file may have the size and the second of the one before it: no compiled file may stand in.
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _last(code: int | None, said: str) -> str:
    if code is None:
        return "they did not end in time"
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {code}"
