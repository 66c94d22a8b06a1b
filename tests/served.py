"""A real `penstroke-sim serve` process for tests that need one."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

SIM = [sys.executable, "-c", "from penstroke_sim.cli import main; main()"]
PATIENCE_S = 60.0
"""Longest wait for a real process on a busy machine; reaching it is a failure."""


class Served:
    """A simulated pen in a process of its own, with its journal in a file."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.journal_path = folder / "sim-journal.jsonl"
        self.process = subprocess.Popen(
            [*SIM, "serve", "--journal", str(self.journal_path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            raise AssertionError(f"the simulator did not start: {self.process.communicate()[1]}")
        told: dict[str, Any] = json.loads(line)
        self.port = str(told["port"])

    def entries(self, event: str) -> list[dict[str, Any]]:
        """The journal's entries of one kind so far."""
        lines = self.journal_path.read_text(encoding="utf-8").splitlines()
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    def close(self) -> None:
        """End the process, however it is."""
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.terminate()
        try:
            self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()
            self.process.communicate()
