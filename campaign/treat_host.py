"""`python -m campaign.treat_host SECONDS CARELESS ARGUMENT…`: `penstroke` with a disk that takes its time.

Each commit of the record waits for SECONDS first. CARELESS is 1 for a program that does not wait for its
record, which the campaign plants to see that it would be found.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from penstroke.cli.main import main
from penstroke.records.recorder import Recorder
from penstroke.records.store import Store


def _slow(seconds: float) -> None:
    append = Store.append

    def late(store: Store, drafts: Sequence[Any]) -> list[Any]:
        time.sleep(seconds)
        return append(store, drafts)

    Store.append = late  # type: ignore[method-assign]


def _careless() -> None:
    def at_once(_recorder: Recorder, _timeout_s: float = 0.0) -> None:
        """Waits for nothing."""

    def always(_recorder: Recorder, _place: int) -> bool:
        return True

    Recorder.make_durable = at_once  # type: ignore[method-assign]
    Recorder.durable = always  # type: ignore[method-assign]


if __name__ == "__main__":
    if float(sys.argv[1]):
        _slow(float(sys.argv[1]))
    if sys.argv[2] == "1":
        _careless()
    sys.exit(main(sys.argv[3:]))
