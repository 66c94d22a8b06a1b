"""The pytest plugin, in runs of pytest of its own; and its fixtures, used here as anybody would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from clitools import Server

from penstroke import Pen

USER_TESTS = """
import pytest

def test_looks(pen):
    assert pen.status().state == "idle"

def test_moves(pen):
    pen.select_zone("forehead")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.4)
    with pen.needling(longest_s=1) as strokes:
        for sample in strokes:
            if sample.elapsed_s > 0.3:
                break
    assert strokes.ended == "left"

def test_simulated(pen, pen_sim):
    pen_sim.inject("cartridge-removed")
    assert not pen.cartridge().present
"""


_WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist", "-p", "no:pytest_mock")
"""Plugins that the tests in here do not use, and whose imports would take most of the time."""


def pytest_run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """The user's tests, in a pytest of their own."""
    (folder / "test_user.py").write_text(USER_TESTS)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *_WITHOUT, "--rootdir", str(folder), *args, "."],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def outcomes(folder: Path, *args: str) -> dict[str, int]:
    """How many tests passed, failed and were skipped."""
    done = pytest_run(folder, *args)
    words = done.stdout.splitlines()[-1].replace(",", "").split()
    counts = {words[at + 1]: int(words[at]) for at in range(len(words) - 1) if words[at].isdigit()}
    assert counts, done.stdout + done.stderr
    return counts


def test_a_users_tests_run_on_the_simulated_pen(tmp_path: Path) -> None:
    assert outcomes(tmp_path) == {"passed": 3}


def test_on_a_named_pen_nothing_moves_unless_allowed(tmp_path: Path, server: Server) -> None:
    assert outcomes(tmp_path, "--pen-port", server.port) == {"passed": 1, "skipped": 2}
    assert server.journal("motor") == []
    allowed = outcomes(tmp_path, "--pen-port", server.port, "--pen-allow-motion")
    assert allowed == {"passed": 2, "skipped": 1}
    assert [entry["on"] for entry in server.journal("motor")] == [True, False]


def test_a_named_pen_that_is_missing_is_one_error_and_never_the_simulator(tmp_path: Path) -> None:
    done = pytest_run(tmp_path, "--pen-port", "/dev/nowhere")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    said = done.stdout + done.stderr
    assert said.count("--pen-port /dev/nowhere: ") == 1
    assert "Traceback" not in said
    assert "passed" not in said


def test_with_workers_a_named_pen_that_is_missing_is_one_line_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(USER_TESTS)
    command = ["-n", "1", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "."]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *command, "--pen-port", "/dev/nowhere"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in done.stdout
    assert "Traceback" not in done.stdout
    assert "--pen-port /dev/nowhere: there is no pen" in done.stdout


@pytest.mark.parametrize("pen_sim_url", ["sim://pen?clock=virtual&profile=fixed-rate"])
def test_another_simulated_pen_by_its_address(pen: Pen, pen_sim: Any) -> None:
    assert pen.identity.model == "sim-fixed-rate"
    assert pen_sim.journal.entries


def test_the_plugin_costs_next_to_nothing() -> None:
    program = (
        "import pytest, sys, time; before = set(sys.modules); begun = time.process_time();"
        "import penstroke.pytest_plugin;"
        "print((time.process_time() - begun) * 1000, *sorted(set(sys.modules) - before))"
    )

    def cost() -> tuple[float, list[str]]:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        took_ms, *modules = done.stdout.split()
        return float(took_ms), modules

    assert cost()[1] == ["penstroke", "penstroke.pytest_plugin"]
    # Processor time, and the best of three: a busy machine is not the plugin's fault.
    assert min(cost()[0] for _ in range(3)) < 5
