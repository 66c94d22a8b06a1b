"""The record as the pen's ledger: a command leaves when its entry is on the disk, and not before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from penstroke.errors import RecordError
from penstroke.ledger import command_facts, event_facts
from penstroke.records.recorder import Recorder
from penstroke_protocol.host_link import DeviceEvent


class RecordLedger:
    """Commands as entries: see `penstroke.ledger.Ledger`. `write` is the recorder's own, or goes by it."""

    def __init__(self, recorder: Recorder, write: Callable[..., int] | None = None) -> None:
        self._recorder = recorder
        self._write = recorder.write if write is None else write
        self._announced: dict[Any, int] = {}
        """Written down ahead and not asked for yet, with their places in the recorder's line."""

    def command(self, request: Any) -> None:
        place = self._announced.pop(request, None)
        if place is None:
            place = self._write("command", **command_facts(request))
        if not self._recorder.durable(place):
            self._recorder.make_durable()

    def prepare(self, *requests: Any) -> None:
        for request in requests:
            self.announce(request)
        self._recorder.make_durable()

    def announce(self, request: Any) -> None:
        self._announced[request] = self._write("command", **command_facts(request))

    def told(self, event: DeviceEvent) -> None:
        # A record that has failed is found by whoever keeps the needles moving, not in the midst of a stop.
        with suppress(RecordError):
            self._write("event", **event_facts(event))

    def written(self, request: Any) -> bool:
        if self._recorder.failed is not None:
            raise self._recorder.failed
        place = self._announced.get(request)
        return place is not None and self._recorder.durable(place)
