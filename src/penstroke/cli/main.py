"""The entry point `penstroke`. Kept tiny: what is not needed for an answer is not imported."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code (the table is in `cli/errors.py`)."""
    args = sys.argv[1:] if argv is None else list(argv)
    if args == ["--version"]:
        from penstroke import __version__

        try:
            print(f"penstroke {__version__}", flush=True)
            return 0
        except OSError:
            pass  # said below, as for every other command
    from penstroke.cli.runner import run

    return run(args)
