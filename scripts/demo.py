"""The demonstration: a whole visit on a simulated pen; two processes, a real pseudo-terminal between them.

The record goes into a store of its own under build/demo; it is verified at the end, and made a report of.
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
WHO = ("--patient", "P-17", "--operator", "Ben Example", "--roster", "examples/roster.toml")


def main() -> int:
    os.chdir(ROOT)
    out = ROOT / "build" / "demo"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    # Nothing of whoever looks on: neither their settings nor their records.
    (out / "config.toml").touch()
    os.environ |= {"PENSTROKE_CONFIG": str(out / "config.toml"), "PENSTROKE_DATA_DIR": str(out)}
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
        code = treat(port)
    finally:
        pen.terminate()
        pen.wait()
    print("\nThe record of it, verified:\n", flush=True)
    verified = subprocess.run([BIN / "penstroke", "records", "verify"], check=False).returncode
    report = None if code else report_of(out / "report.html")
    print(f"\nThe record of the treatment: {out / 'records.sqlite'}")
    if report is not None:
        print(f"A report of it to hand over: {report}")
    print(f"The pen's own account of it: {out / 'pen.jsonl'}")
    return code or verified or (report is None)


def treat(port: str) -> int:
    """Treat the plan, answered from the file; the exit code of `penstroke treat`."""
    treatment: list[subprocess.Popen[bytes]] = []

    def pass_on(signum: int, _frame: object) -> None:
        for process in treatment:
            process.send_signal(signum)

    # The treatment answers a signal by stopping the needles; this script waits for it.
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, pass_on)
    answers = ("--answers", "examples/demo_answers.yaml")
    treatment.append(subprocess.Popen([BIN / "penstroke", "--port", port, "treat", PLAN, *WHO, *answers]))
    code = treatment[0].wait()
    return code if code >= 0 else 128 - code


def report_of(file: Path) -> Path | None:
    """The report of the one treatment there is; None where it was not made, which has been said."""
    listed = subprocess.run(
        [BIN / "penstroke", "--json", "records", "list"], stdout=subprocess.PIPE, text=True, check=True
    )
    (record,) = json.loads(listed.stdout)["records"]
    made = subprocess.run([BIN / "penstroke", "records", "report", record["id"], "--out", file], check=False)
    return file if made.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
