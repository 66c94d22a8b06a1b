"""`python -m campaign.treat_host SECONDS CARELESS ARGUMENT…`: `penstroke` with a disk that takes its time.

Each commit of the record waits for SECONDS first. CARELESS is 1 for a program that does not wait for its
record, which the campaign plants to see that it would be found.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from unittest import mock

from penstroke.cli.main import main
from penstroke.records.recorder import Recorder
from penstroke.records.store import Store


def run(seconds: float, careless: bool, arguments: list[str]) -> int:
    """The exit code of `penstroke`."""
    append = Store.append

    def late(store: Store, drafts: Sequence[Any]) -> list[Any]:
        threading.Event().wait(seconds)
        return append(store, drafts)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Store, "append", late))
        if careless:
            stack.enter_context(mock.patch.object(Recorder, "make_durable", return_value=None))
            stack.enter_context(mock.patch.object(Recorder, "durable", return_value=True))
        return main(arguments)


if __name__ == "__main__":
    sys.exit(run(float(sys.argv[1]), sys.argv[2] == "1", sys.argv[3:]))
