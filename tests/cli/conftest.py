"""The command line called in this process on virtual time, and as real processes on a pseudo-terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clitools import VIRTUAL, Process, Result, Server

from penstroke.cli.main import main


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Calls the command line in this process."""

    def call(*args: object) -> Result:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def on_pen(cli: Callable[..., Result]) -> Callable[..., Result]:
    """The same on a simulated pen on virtual time."""
    return lambda *args: cli("--port", VIRTUAL, *args)


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[..., str]:
    """The address of a simulated pen on virtual time to which `(seconds, name, params)` happen."""

    def make(*timeline: tuple[float, str, dict[str, Any]], profile: str = "fine") -> str:
        entries = [{"at": at, "inject": name, **params} for at, name, params in timeline]
        file = tmp_path / "scenario.yaml"
        file.write_text(json.dumps({"seed": 1, "profile": profile, "timeline": entries}))
        return f"sim://pen?clock=virtual&scenario={file}"

    return make


@pytest.fixture
def plan_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a plan of the given zones."""

    def make(*zones: dict[str, Any], **more: Any) -> Path:
        file = tmp_path / "plan.json"
        file.write_text(json.dumps({"version": 1, "title": "Small", "zones": list(zones), **more}))
        return file

    return make


@pytest.fixture
def spawn() -> Iterator[Callable[..., Process]]:
    """Starts `penstroke` processes."""
    started: list[Process] = []

    def start(*args: object) -> Process:
        started.append(Process(*args))
        return started[-1]

    yield start
    for process in started:
        process.destroy()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A simulated pen behind a pseudo-terminal, in real time."""
    made = Server(tmp_path)
    yield made
    made.destroy()
