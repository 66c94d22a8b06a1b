"""The writer of records: entries are handed over at once, and a thread of its own brings them to the disk.

Strategy. `write` never waits for the disk: it gives the entry its place in line and returns. The thread takes
all that stands in line, chains it and commits it at once, and then says up to where the record is durable.
Who may not go on before an entry is durable waits for it (`make_durable`) or asks (`durable`); the loop that
keeps needles moving only ever asks. When the disk fails, the recorder has failed for good: what is not on the
disk by then will not be told as recorded, and every further `write` raises.

The thread belongs to the record alone. It never touches the pen, and no beat depends on it.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from penstroke.errors import PenError, RecordError, Refused
from penstroke.records.entry import Draft, Head, plain_body, utc_label
from penstroke.records.problems import problem
from penstroke.records.samples import Thinning
from penstroke.records.store import Store, utc_now
from penstroke.records.witness import Witness, WitnessPlace

LONGEST_BEHIND_S: Final = 10.0
"""A disk that keeps an entry waiting for longer counts as failed: what led to an accident would be missing.
Far above a slow disk (300 ms a commit) and above the longest wait for another program's turn (5 s)."""
WITNESS_EVERY: Final = 256
"""Entries after which the witnesses are told of the head again; at the end they are told in any case."""
_LARGEST_BATCH: Final = 1000
"""Entries in one commit. So many take some 20 ms to chain."""


class Recorder:
    """Writes entries into an open store. A context manager that closes itself; the store stays open.

    `treatment` is the id its entries carry, None for none; `operator` who is responsible for them.
    `witnesses` are told of the head of the chain. `utc_now` is for tests. It belongs to one thread.
    """

    def __init__(
        self,
        store: Store,
        *,
        treatment: str | None = None,
        operator: str = "",
        witnesses: Sequence[WitnessPlace] = (),
        utc_now: Callable[[], datetime.datetime] = utc_now,
    ) -> None:
        self.store = store
        self.treatment = treatment
        self.failed: RecordError | None = None
        """Why nothing more can be recorded; None while all is well."""
        self.unwitnessed: str | None = None
        """Why a witness could not be told of the head, if so: no reason to stop, but to be said aloud."""
        self._operator = operator
        self._witnesses = tuple(witnesses)
        self._utc_now = utc_now
        self._now_ns: Callable[[], int] | None = None
        self._begun_ns = 0
        self._simulated: bool | None = None
        self._serial: str | None = None
        self._firmware: str | None = None
        self._device_ms: int | None = None
        self._thinning = Thinning()
        self._told: PenError | None = None
        # Shared with the thread, under this lock, which nobody holds for longer than it takes to look.
        self._changed = threading.Condition()
        self._line: list[tuple[float, Draft]] = []
        self._under_way_s: float | None = None
        """When the oldest entry of the commit that is under way was written."""
        self._written = 0
        self._committed = 0
        self._shift = [(1, 0)]
        """From which place in line on an entry's number is how much more than that place."""
        self._closing = False
        # A daemon, so that a disk that hangs for ever cannot keep a program from ending.
        self._thread = threading.Thread(target=self._serve, name="records-writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        # What went wrong before must not be hidden by a record that fails as well.
        with suppress(*[RecordError] if error is not None else []):
            self.close()

    # -- who treats writes -------------------------------------------------------------------------------

    def bind(self, now_ns: Callable[[], int], *, simulated: bool, serial: str, firmware: str) -> None:
        """From here on entries carry the time of the pen's port since now, and which pen it is."""
        self._now_ns = now_ns
        self._begun_ns = now_ns()
        self._simulated = simulated
        self._serial = serial
        self._firmware = firmware

    def port_s(self) -> float | None:
        """Seconds on the port's clock since `bind`, to the millisecond; None before it."""
        return None if self._now_ns is None else round((self._now_ns() - self._begun_ns) / 1e9, 3)

    def device_time(self, ms: int) -> None:
        """The pen's own clock, as its latest telemetry tells it."""
        self._device_ms = ms

    def write(self, kind: str, **body: Any) -> int:
        """Hand over one entry; its place in this recorder's line, counted from 1, to ask `durable` for.

        Never waits. Readings (`sample`) are thinned out to one a second; one that is held back gets its place
        with the next entry of another kind, at the latest. Raises `RecordError` once the record has failed.
        """
        draft = self._draft(kind, body)
        with self._changed:
            self._see_whether_it_works()
            if kind == "sample":
                ready = self._thinning.add(draft)
            else:
                ready = [*self._thinning.take(), draft]
            self._queue(ready)
            return self._written + self._thinning.holds

    def error(self, error: PenError) -> None:
        """What went wrong, or was refused, with all that is known about it; the same error once only."""
        if error is self._told:
            return
        self._told = error
        reasons = error.verdict.reasons if isinstance(error, Refused) and error.verdict else ()
        self.write(
            "refused" if isinstance(error, Refused) else "error",
            code=error.code,
            message=error.message,
            hint=error.hint,
            reasons=[{"code": one.code, "message": one.message, **one.facts()} for one in reasons],
            black_box=list(error.black_box),
        )

    def durable(self, place: int) -> bool:
        """Whether the entry of this place is on the disk. Never waits."""
        with self._changed:
            return place <= self._committed

    def number(self, place: int) -> int | None:
        """The number that a durable entry has in the chain of the store; None while it has none."""
        with self._changed:
            if not 0 < place <= self._committed:
                return None
            return place + next(shift for since, shift in reversed(self._shift) if since <= place)

    def make_durable(self, timeout_s: float = 10.0) -> None:
        """Wait until all that was written is on the disk.

        Raises `RecordError`, `record-unwritable` or what kept it from the disk, where it is not by then.
        """
        with self._changed:
            self._queue(self._thinning.take())
            wanted = self._written
            self._changed.wait_for(lambda: self._committed >= wanted or self.failed, timeout_s)
            if self.failed is not None:
                raise self.failed
            if self._committed < wanted:
                raise self._behind(timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Bring the rest to the disk, tell the witnesses, and end the thread.

        Raises `RecordError` where something that was written is not on the disk. May be called again.
        """
        with self._changed:
            self._queue(self._thinning.take())
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        with self._changed:
            if self._committed == self._written and not self._thread.is_alive():
                return
            raise self.failed or self._behind(timeout_s)

    def _draft(self, kind: str, body: dict[str, Any]) -> Draft:
        return Draft(
            utc=utc_label(self._utc_now()),
            treatment=self.treatment,
            kind=kind,
            operator=self._operator or None,
            device_serial=self._serial,
            firmware=self._firmware,
            simulated=self._simulated,
            port_s=self.port_s(),
            device_ms=self._device_ms,
            body=plain_body(body),
        )

    def _see_whether_it_works(self) -> None:
        oldest_s = self._under_way_s or next((since_s for since_s, _ in self._line), None)
        if self.failed is None and oldest_s is not None:
            behind_s = time.monotonic() - oldest_s
            if behind_s > LONGEST_BEHIND_S:
                self.failed = self._behind(behind_s)
        if self.failed is not None:
            raise self.failed
        if self._closing:
            raise RuntimeError("this recorder is closed")

    def _behind(self, waited_s: float) -> RecordError:
        why = f"{self._written - self._committed} entries are not on the disk after {waited_s:.1f} s"
        return problem("record-unwritable", self.store.where, why)

    def _queue(self, drafts: Sequence[Draft]) -> None:
        if drafts:
            now_s = time.monotonic()
            self._line += [(now_s, draft) for draft in drafts]
            self._written += len(drafts)
            self._changed.notify_all()

    # -- the thread --------------------------------------------------------------------------------------

    def _serve(self) -> None:
        head: Head | None = None
        told = 0
        while batch := self._next_batch():
            try:
                entries = self.store.append(batch)
            except RecordError as error:
                return self._fail(error)
            except Exception as bug:
                # Whoever waits for this thread must hear of its end, whatever ended it.
                return self._fail(
                    problem("record-unwritable", self.store.where, f"the writer ended: {bug!r}")
                )
            head = Head(entries[-1].number, entries[-1].digest)
            self._acknowledge(len(entries), head)
            if self._committed - told >= WITNESS_EVERY:
                told = self._committed
                self._tell_witnesses(head)
        if head is not None and self._committed > told:
            self._tell_witnesses(head)
        return None

    def _next_batch(self) -> list[Draft]:
        """What stands in line, once something does; nothing when the recorder is closed and all is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._line or self._closing)
            batch, self._line = self._line[:_LARGEST_BATCH], self._line[_LARGEST_BATCH:]
            self._under_way_s = batch[0][0] if batch else None
            return [draft for _, draft in batch]

    def _acknowledge(self, count: int, head: Head) -> None:
        with self._changed:
            self._committed += count
            self._under_way_s = None
            shift = head.number - self._committed
            if shift != self._shift[-1][1]:
                self._shift.append((self._committed - count + 1, shift))
            self._changed.notify_all()

    def _fail(self, error: RecordError) -> None:
        with self._changed:
            self.failed = self.failed or error
            self._changed.notify_all()

    def _tell_witnesses(self, head: Head) -> None:
        for place in self._witnesses:
            try:
                place.keep(Witness(place.where, head.number, head.digest))
            except RecordError as error:
                self.unwitnessed = error.message
