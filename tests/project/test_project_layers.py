"""Who may import whom (the contracts in pyproject.toml), and what importing the library costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import penstroke

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )


def test_the_layers_hold() -> None:
    outcome = python(
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert " 0 broken" in outcome.stdout


HEAVY = ("asyncio", "click", "rich", "pydantic", "serial.tools.list_ports", "yaml", "sqlalchemy", "fastapi")


@pytest.mark.parametrize(
    "package", ["penstroke", "penstroke_protocol", "penstroke_sim", "penstroke.pytest_plugin"]
)
def test_importing_costs_little(package: str) -> None:
    outcome = python(f"import sys, {package}; print([m for m in {HEAVY!r} if m in sys.modules])")
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.strip() == "[]", f"import {package} pulls in heavy modules; import them on use"


PUBLIC = [
    "DeviceFault",
    "LimitsError",
    "LinkError",
    "LinkLost",
    "LinkTimeout",
    "Override",
    "Pen",
    "PenError",
    "PenStatus",
    "PlanError",
    "PortBusy",
    "PortDenied",
    "PortError",
    "PortMissing",
    "ProtocolError",
    "RecordError",
    "Refused",
    "Sample",
    "Stopped",
    "Strokes",
    "TreatmentPlan",
    "VersionMismatch",
    "check",
    "connect",
    "estimate",
    "load_plan",
]


def test_the_public_names_stay() -> None:
    """A name that goes breaks somebody's program: to change this list is to change the changelog too."""
    assert sorted(penstroke.__all__) == PUBLIC
    assert set(PUBLIC) <= set(dir(penstroke))
    for name in PUBLIC:
        assert getattr(penstroke, name).__name__ == name


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'connekt'"):
        _ = penstroke.connekt


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert penstroke.__version__ == project["version"]
