"""The guard of `tests/conftest.py` finds what it is there to find."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"

LEAKS = {
    "thread": """
        import threading
        def test_it():
            threading.Thread(target=threading.Event().wait, args=(20,), daemon=True, name="forgotten").start()
    """,
    "process": """
        import subprocess, sys
        kept = []
        def test_it():
            kept.append(subprocess.Popen([sys.executable, "-c", ""]))
    """,
    "descriptor": """
        import os
        def test_it():
            os.openpty()
    """,
}


def run_alone(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    lines = test.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "test_alone.py").write_text("\n".join(line[indent:] for line in lines))
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(folder),
            str(folder),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
    )


@pytest.mark.parametrize("kind", LEAKS)
def test_what_a_test_leaves_behind_fails_it(tmp_path: Path, kind: str) -> None:
    outcome = run_alone(tmp_path, LEAKS[kind])
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert f"left behind: {kind}" in outcome.stdout


def test_a_tidy_test_passes_and_sees_nothing_of_this_machine(tmp_path: Path) -> None:
    outcome = run_alone(
        tmp_path,
        f"""
        import os, pathlib
        def test_it():
            assert pathlib.Path.home() != pathlib.Path({str(Path.home())!r})
            assert [n for n in os.environ if n.startswith("PENSTROKE_")] == ["PENSTROKE_RUNTIME_DIR"]
        """,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
