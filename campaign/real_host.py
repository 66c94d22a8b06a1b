"""A host of its own: needles in a loop until somebody ends it. `python -m campaign.real_host PORT [again]`.

It prints `moving` when needles move. With `again` it connects afresh whenever its line is gone.
"""

from __future__ import annotations

import sys
import time

from penstroke import connect
from penstroke.errors import PenError
from penstroke.pen import BENCH_TREATMENT, Pen

RETRY_S = 0.05


def main(port: str, again: bool) -> int:
    """1 when the run ended; by what is told on stderr."""
    while True:
        try:
            with connect(port, treatment=BENCH_TREATMENT) as pen:
                _needle(pen)
        except PenError as error:
            print(f"{error.code}: {error}", file=sys.stderr, flush=True)
        if not again:
            return 1
        # Between two attempts to open a port that is not there; nothing moves meanwhile.
        time.sleep(RETRY_S)


def _needle(pen: Pen) -> None:
    pen.clear_faults()
    pen.select_zone("cheek", side="left")
    pen.set_rate(hz=110)
    pen.set_depth(mm=0.9)
    with pen.needling(longest_s=590) as strokes:
        for number, _ in enumerate(strokes):
            if number == 0:
                print("moving", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "again" in sys.argv[2:]))
