"""`python -m bench [--small] [--out FILE] [PART …]`: run the benchmarks and write the page."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from bench.report import FULL, ROOT, SMALL, Section, page

PARTS = ("round_trip", "codec", "bad_replies", "virtual_time", "startup", "memory", "records")


def main(args: list[str]) -> int:
    """0 when everything ran, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="few turns: to see that everything still runs")
    parser.add_argument("--out", type=Path, help="the page; default docs/benchmarks.md, small: only shown")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; default all")
    given = parser.parse_args(args)
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}")
    size = SMALL if given.small else FULL
    sections: list[Section] = []
    for part in given.parts or PARTS:
        print(f"{part} …", file=sys.stderr, flush=True)
        sections += import_module(f"bench.{part}").measure(size)
    text = page(sections, size)
    print(text)
    out = given.out
    if out is None and not given.small and not given.parts:
        out = ROOT / "docs" / "benchmarks.md"
    if out is not None:
        out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
