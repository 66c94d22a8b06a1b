"""A treatment under way: its session and its record, which always say the same.

What happens is written first and counts then. Answers are on the disk before the next question is asked; what
the needles do is queued, so that no turn of their loop waits, and every command leaves only once it is on the
disk (the visit is the pen's ledger, through `RecordLedger`).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any

from penstroke.errors import PenError
from penstroke.records.recorder import Recorder
from penstroke.treatment.dose import Dose
from penstroke.treatment.ledger import RecordLedger
from penstroke.treatment.moment import Moment
from penstroke.treatment.session import Outcome, Session
from penstroke.treatment.session_values import EntryLike
from penstroke.treatment.table import State, Step


def _local_now() -> datetime.datetime:
    return datetime.datetime.now().astimezone()


def cartridge_in_use(entries: Iterable[EntryLike]) -> int | None:
    """The cartridge that these entries of one treatment end with: the one that was checked before use, or the
    one that was fitted since; None before either."""
    found: str | None = None
    for entry in entries:
        body = entry.body
        if entry.kind == "cartridge":
            found = body["id"]
        elif entry.kind == "step" and (body["step"], body["state"]) == (Step.PRE_USE, State.DONE):
            found = body["measured"]["cartridge"]["id"]
    return None if found is None else int(found, 16)


class Visit:
    """One treatment. Belongs to one thread; the recorder behind it stays its maker's to close."""

    def __init__(
        self,
        session: Session,
        recorder: Recorder,
        *,
        local_now: Callable[[], datetime.datetime] = _local_now,
    ) -> None:
        self.session = session
        self.recorder = recorder
        self.ledger = RecordLedger(recorder, self._tell_command)
        """For `penstroke.connect`: commands become entries, and count in the dose."""
        self._local_now = local_now

    def now(self) -> Moment:
        """This instant, as the session wants it told."""
        return Moment(self._local_now(), self.recorder.port_s())

    @property
    def dose(self) -> Dose:
        """What needles did in each zone, as far as it is written."""
        return self.session.dose

    def may_needle(self, index: int) -> None:
        """Raises `Refused` where needles may not move in this zone of the plan."""
        self.session.may_needle(index)

    def tell(self, kind: str, **body: Any) -> int:
        """Write one entry, and let it count; its place in the recorder's line. Never waits."""
        place = self.recorder.write(kind, **body)
        # A reading says nothing that the session goes by, and twenty come a second.
        if kind != "sample":
            self.session = self.session.noted(kind, body)
        return place

    def _tell_command(self, kind: str, **facts: Any) -> int:
        index = self.dose.open_zone
        if facts.get("command") == "run" and index is not None:
            facts["number"] = self.dose.zone(index).passes_begun + 1
        return self.tell(kind, **facts)

    def settle(self, outcome: Outcome) -> None:
        """Write what an act came to, and let it count once it is on the disk."""
        for kind, body in outcome.entries:
            self.recorder.write(kind, **body)
        self.recorder.make_durable()
        self.session = outcome.session

    def leave_out(self) -> tuple[int, ...]:
        """Pass over the zones that screening excluded, with that on record; those that were not before.

        Raises `Refused` (`step-out-of-order`, `screening-blocks`) where no zone may be answered now.
        """
        known = {index: self.dose.zone(index) for index in self.session.left_out}
        left_out = tuple(index for index, zone in known.items() if not (zone.done or zone.skipped))
        for index in left_out:
            self.session.may_answer_zone()
            zone = self.session.plan.zones[index - 1]
            self.tell("zone", index=index, zone=zone.zone, side=zone.side, answer="skip", reason="screening")
        return left_out

    def device_time(self, ms: int) -> None:
        """The pen's own clock, for the entries that follow."""
        self.recorder.device_time(ms)

    def make_durable(self) -> None:
        """Wait until all that was told is on the disk."""
        self.recorder.make_durable()

    def error(self, error: PenError) -> None:
        """Write down what went wrong, or was refused; the same error once only."""
        self.recorder.error(error)
