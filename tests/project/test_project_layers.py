"""Who may import whom (the contracts in pyproject.toml), and what importing the library costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
