"""The report: what was run, when, where and from which seed, and what came of it."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

from campaign.hosts import ROOT
from campaign.orders import Order, Section


def page(sections: Sequence[tuple[str, float, Section]], order: Order) -> str:
    """The whole page."""
    ran = sum(section.ran for _, _, section in sections)
    failed = sum(section.failed for _, _, section in sections)
    parts = dict.fromkeys(part for part, _, _ in sections)
    head = f"""# Safety campaign

Written by `make campaign`; not edited by hand. Every number counts runs that happened. Before a part ran, it
was run with something broken on purpose, and had to report failures. One part again:
`python -m campaign PART --seed {order.seed} --size {order.size}`.

- {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}
- size {order.size}, seed {order.seed}
- {_cpu()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f} at the end
- Python {platform.python_version()}
- parts: {", ".join(parts)}
- {ran:,} runs, {failed:,} failed

"""
    return head + "\n\n".join(section.markdown() for _, _, section in sections) + "\n"


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
