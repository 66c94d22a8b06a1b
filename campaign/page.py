"""The report: what was run, when, where and from which seed, and what came of it."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence

from bench.machine import commit, cpu

from campaign.orders import Order, Section


def page(sections: Sequence[tuple[str, float, Section]], order: Order) -> str:
    """The whole page."""
    ran = sum(section.ran for _, _, section in sections)
    failed = sum(section.failed for _, _, section in sections)
    parts = {part: took_s for part, took_s, _ in sections}
    head = f"""# Safety campaign

Written by `make campaign`; not edited by hand. Every number counts runs that happened. Before a part ran, it
was run with something broken on purpose, and had to report failures. One part again:
`python -m campaign PART --seed {order.seed} --size {order.size}`.

- {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}
- size {order.size}, seed {order.seed}
- {cpu()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f} at the end
- Python {platform.python_version()}
- parts: {", ".join(f"{part} ({took_s:.0f} s)" for part, took_s in parts.items())}
- {ran:,} runs, {failed:,} failed

"""
    return head + "\n\n".join(section.markdown() for _, _, section in sections) + "\n"
