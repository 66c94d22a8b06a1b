"""The bytes of a STOP before any HELLO: session, seq and epoch 0 (R-7.1, R-5.1).

They never change, so they are written out: whoever only wants to stop a pen sends them without loading the
rest of this package. A test holds them equal to what `frames` makes.
"""

from __future__ import annotations

from typing import Final

BARE_STOP: Final = bytes.fromhex("00 03 01 1f 01 01 01 01 01 05 d0 33 1e 38 00")
"""One frame, both delimiters included."""
