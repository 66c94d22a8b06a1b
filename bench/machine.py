"""On what, and of what, something was measured: for the pages of the benchmarks and of the campaign."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parents[1]


def commit() -> str:
    """The commit of the tree, marked `-dirty` where something is not committed; `unknown` outside git."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=_ROOT, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def cpu() -> str:
    """The processor's name, as Linux tells it; elsewhere the kind of machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
