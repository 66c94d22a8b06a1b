"""`python -m penstroke`: the same as the command `penstroke`."""

import sys

from penstroke.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
