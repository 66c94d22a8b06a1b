"""The program whose disk fails: writes a record into a store, and says what it was told is durable.

Run under `interpose.c` by `campaign.storage`; an order a line on stdin, an answer a line on stdout, in JSON.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import event

from penstroke.errors import RecordError
from penstroke.records.recorder import Recorder
from penstroke.records.store import Store, open_store

PATIENCE_S = 60
_CHECKPOINT_PAGES = 64
"""Far fewer than SQLite's own 1000, so that a short run folds its log into the file again and again."""


def record(path: Path, entries: int, seed: str) -> dict[str, Any]:
    """Write a record of so many entries. `durable` is the last number that was acknowledged, `refused` the
    code with which a wait for the disk, as before an arm, was refused."""
    rng = Random(seed)
    acknowledge = os.open(path.with_suffix(".ack"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    told: dict[str, Any] = {"durable": 0, "refused": None, "closed": None}
    try:
        with open_store(path) as store:
            _checkpoint_often(store)
            recorder = Recorder(store, treatment="20261123-abcdef", operator="A. Berg")
            try:
                _write(recorder, entries, rng, acknowledge, told)
            except RecordError as error:
                told["refused"] = error.code
            try:
                recorder.close()
            except RecordError as error:
                told["closed"] = error.code
    except RecordError as error:
        told["refused"] = told["refused"] or error.code
    finally:
        os.close(acknowledge)
    return told


def _write(recorder: Recorder, entries: int, rng: Random, acknowledge: int, told: dict[str, Any]) -> None:
    written = 0
    while written < entries:
        for _ in range(min(rng.choice((1, 1, 1, 2, 5)), entries - written)):
            written += 1
            place = recorder.write("command", count=written, said="x" * rng.randrange(900))
        recorder.make_durable()
        told["durable"] = recorder.number(place)
        # The acknowledgement goes through the same log as the writes it tells of.
        os.write(acknowledge, f"{told['durable']}\n".encode())


def _checkpoint_often(store: Store) -> None:
    def set_it(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")

    event.listen(store._engine, "connect", set_it)
    store._engine.dispose()


def killed(path: Path, after_s: float, *, acknowledged: bool) -> dict[str, Any]:
    """Let a copy of this process record without end, and kill it so long after its start, or after its first
    acknowledgement."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        _record_for_ever(path, writes)
    os.close(writes)
    with os.fdopen(reads, "rb") as said:
        ended = os.pidfd_open(pid)
        if acknowledged and not select.select([said], [], [], PATIENCE_S)[0]:
            raise RuntimeError("nothing was acknowledged")
        # It does not end by itself: this waits for the instant, and would notice if it did.
        if select.select([ended], [], [], after_s)[0]:
            raise RuntimeError("the program ended before it was killed")
        os.close(ended)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        lines = said.read().split(b"\n")[:-1]
    return {"durable": int(lines[-1]) if lines else 0}


def _record_for_ever(path: Path, writes: int) -> None:
    """In the copy: never returns."""
    try:
        with open_store(path) as store, Recorder(store, treatment="20261123-abcdef") as recorder:
            for count in itertools.count(1):
                place = recorder.write("command", count=count)
                if count % 3 == 0:
                    recorder.make_durable()
                    os.write(writes, f"{recorder.number(place)}\n".encode())
    finally:
        os._exit(1)


def _serve() -> None:
    loaded = ctypes.CDLL(None)
    loaded.interpose_calls.restype = ctypes.c_long
    loaded.interpose_fail.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_int]
    held: Callable[[], int] = lambda: len(os.listdir("/proc/self/fd"))  # noqa: E731, PTH208
    for line in sys.stdin:
        order = json.loads(line)
        path = Path(order["path"])
        if "kill" in order:
            print(json.dumps(killed(path, order["kill"], acknowledged=order["acknowledged"])), flush=True)
            continue
        before = (held(), threading.active_count())
        loaded.interpose_watch(os.fsencode(path.parent), os.fsencode(order.get("log", "")))
        loaded.interpose_fail(order.get("at", 0), order.get("errno", 0), order.get("on", False))
        told = record(path, order["entries"], order["seed"])
        told["calls"] = loaded.interpose_calls()
        loaded.interpose_fail(0, 0, 0)
        loaded.interpose_watch(b"", b"")
        gc.collect()
        told["left"] = [
            now - then for now, then in zip((held(), threading.active_count()), before, strict=True)
        ]
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    _serve()
