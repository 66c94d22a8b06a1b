"""The demonstration: a plan treated on a simulated pen; two processes, a real pseudo-terminal between them.

Ctrl-C stops the needles first. The simulated pen ends with this script, however it ends.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PLAN = "examples/demo.yaml"


def main() -> int:
    os.chdir(ROOT)
    out = ROOT / "build" / "demo"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    # A session of its own, so that Ctrl-C reaches the treatment only, which needs a pen that can be stopped.
    pen = subprocess.Popen(
        [BIN / "penstroke-sim", "serve", "--pty", "--seed", "7", "--journal", out / "pen.jsonl"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        ready = pen.stdout.readline() if pen.stdout else ""
        if not ready:
            print("the simulated pen did not start", file=sys.stderr)
            return 1
        port = json.loads(ready)["port"]
        print(f"A simulated pen waits at {port} (process {pen.pid}). The plan:\n", flush=True)
        subprocess.run([BIN / "penstroke", "plan", "show", PLAN], check=True)
        print(flush=True)
        code = treat(port, out / "treatment.jsonl")
    finally:
        pen.terminate()
        pen.wait()
    print(f"\nThe record of the treatment: {out / 'treatment.jsonl'}")
    print(f"The pen's own account of it: {out / 'pen.jsonl'}")
    return code


def treat(port: str, journal: Path) -> int:
    """Treat the plan; the exit code of `penstroke treat`."""
    treatment: list[subprocess.Popen[bytes]] = []

    def pass_on(signum: int, _frame: object) -> None:
        for process in treatment:
            process.send_signal(signum)

    # The treatment answers a signal by stopping the needles; this script waits for it.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, pass_on)
    command = ["penstroke", "--port", port, "treat", PLAN, "--yes", "--journal", str(journal)]
    treatment.append(subprocess.Popen([str(BIN / command[0]), *command[1:]]))
    code = treatment[0].wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
