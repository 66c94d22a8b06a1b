"""The models: Spin finds nothing wrong in a reduced form of them, and finds bugs that are planted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERIFY = ROOT / "models" / "verify.py"


def verify(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(VERIFY), *options],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env={**os.environ, **environment},
    )


spin = pytest.mark.skipif(
    not (shutil.which("spin") and shutil.which("gcc")),
    reason="spin or gcc is not installed: the models are not verified",
)


@spin
@pytest.mark.req("S-08", "S-09", "S-10", "S-11", "S-12", "S-24")
def test_the_reduced_models_hold_and_planted_bugs_are_found() -> None:
    done = verify("--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    holds = re.findall(r"^holds +\S+ +([\d,]+) +[\d.]+  full search, nothing wrong", done.stdout, re.M)
    assert len(holds) == 2
    assert all(int(states.replace(",", "")) > 100_000 for states in holds)
    assert len(re.findall(r"^finds ", done.stdout, re.M)) >= 4
    assert " 0 surprises" in done.stdout


@spin
def test_a_model_that_does_not_hold_is_a_surprise(tmp_path: Path) -> None:
    """The same program over a model whose STOP forgets the epoch: red, and it says what does not hold."""
    for path in VERIFY.parent.iterdir():
        if path.suffix in {".py", ".pml"}:
            shutil.copy(path, tmp_path)
    device = tmp_path / "device.pml"
    text = device.read_text()
    assert "#define STOP_RAISES true" in text
    device.write_text(text.replace("#define STOP_RAISES true", "#define STOP_RAISES false"))
    done = subprocess.run(
        [sys.executable, str(tmp_path / "verify.py"), "--quick", "--only", "orders-quick"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 1
    assert "SURPRISE: S_08_other_epoch does not hold" in done.stdout


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("1", 1)])
def test_without_spin_it_says_so_and_fails_only_in_ci(tmp_path: Path, ci: str, code: int) -> None:
    done = verify("--quick", PATH=str(tmp_path), CI=ci)
    assert done.returncode == code
    assert "models not verified: spin and gcc not installed" in done.stderr
