"""What every test gets without asking: its own home, and a guard that finds what it left behind."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Helpers beside the tests keep their assertions under `python -O`, as the tests themselves do.
pytest.register_assert_rewrite(
    *(
        path.stem
        for path in Path(__file__).parent.rglob("*.py")
        if not path.stem.startswith(("test_", "conftest"))
    )
)

# The same examples in each run, so that a red test is red again; `HYPOTHESIS_PROFILE=explore` looks further.
# No deadline and no complaint of slowness: both judge by the wall clock of a busy machine.
_UNTIMED = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.register_profile("repeatable", _UNTIMED, derandomize=True, database=None)
hypothesis.settings.register_profile("explore", _UNTIMED, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home, configuration and runtime folder of the test's own; no setting of this machine reaches it.

    Not under `tmp_path`: a Unix socket's path may have 107 characters, and those folders have long names.
    """
    home = Path(tempfile.mkdtemp(prefix="pen-"))
    for name in [n for n in os.environ if n.startswith(("PENSTROKE_", "XDG_"))]:
        monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PENSTROKE_RUNTIME_DIR", str(home / "run"))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TZ", "UTC")
    yield home
    shutil.rmtree(home, ignore_errors=True)


def _threads() -> set[str]:
    return {f"thread {thread.name}" for thread in threading.enumerate()}


def _children() -> set[str]:
    """Child processes of this one, those that ended but were not waited for included (Linux only)."""
    found: set[str] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            found |= {f"process {pid}" for pid in task.read_text().split()}
        except OSError:  # the thread ended between listing and reading
            continue
    return found


def _descriptors() -> set[str]:
    """Open files, ports and sockets (Linux only)."""
    found: set[str] = set()
    for entry in Path("/proc/self/fd").glob("*"):
        try:
            found.add(f"descriptor {entry.name} = {entry.readlink()}")
        except OSError:  # the folder's own descriptor, gone by now
            continue
    return {name for name in found if not name.endswith("/fd")}


def _held() -> set[str]:
    return _threads() | _children() | _descriptors()


@pytest.fixture(autouse=True)
def nothing_left_behind(own_home: Path) -> Iterator[None]:
    """Fails a test that leaves a thread, a child process or an open port, file or socket."""
    before = _held()
    yield
    left = _held() - before
    if left:  # an abandoned object may hold it until it is collected, which is not a leak
        gc.collect()
        left = _held() - before
    assert not left, f"left behind: {', '.join(sorted(left))}"
