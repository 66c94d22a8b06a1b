"""Set-up on a machine that lacks something says what, in one sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with nothing but the set-up in it, its path with a space."""
    folder = tmp_path / "a checkout"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup.sh", folder / "scripts")
    return folder


def set_up(checkout: Path, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(checkout / "scripts" / "setup.sh")],
        env={**os.environ, "PYTHON": python},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def stand_in(checkout: Path, script: str) -> str:
    """A Python that is not one."""
    path = checkout / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_no_python(checkout: Path) -> None:
    outcome = set_up(checkout, "no-such-python")
    assert outcome.returncode == 1
    assert "there is no no-such-python here; install Python 3.11 or newer" in outcome.stderr


def test_an_old_python(checkout: Path) -> None:
    old = stand_in(checkout, 'if [ "$1" = --version ]; then echo "Python 3.9.2"; else exit 1; fi')
    outcome = set_up(checkout, old)
    assert outcome.returncode == 1
    assert "Python 3.9.2 is too old, 3.11 is the oldest that works" in outcome.stderr


def test_a_python_without_venv(checkout: Path) -> None:
    bare = stand_in(
        checkout,
        'case "$1" in --version) echo "Python 3.11.2";; -m) exit 1;; *) exit 0;; esac',
    )
    outcome = set_up(checkout, bare)
    assert outcome.returncode == 1
    assert "cannot make virtual environments (Debian: apt-get install python3-venv)" in outcome.stderr
    assert not (checkout / ".venv").exists()
