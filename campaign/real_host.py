"""A host of its own: needles in a loop until somebody ends it. `python -m campaign.real_host PORT`.

It prints `moving` when needles move.
"""

from __future__ import annotations

import sys

from penstroke import connect
from penstroke.errors import PenError
from penstroke.pen import BENCH_TREATMENT


def main(port: str) -> int:
    """1 when the run ended; by what is told on stderr."""
    try:
        with connect(port, treatment=BENCH_TREATMENT) as pen:
            pen.clear_faults()
            pen.select_zone("cheek", side="left")
            pen.set_rate(hz=110)
            pen.set_depth(mm=0.9)
            with pen.needling(longest_s=590) as strokes:
                for number, _ in enumerate(strokes):
                    if number == 0:
                        print("moving", flush=True)
    except PenError as error:
        print(f"{error.code}: {error}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
