"""Whether a pen did what a scenario expects, judged from its journal alone, whoever drove it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from penstroke_sim.scenario import NS_PER_S, Expectation, seconds


@dataclass(frozen=True, slots=True)
class Judgement:
    """One expectation and what was found; `met` decides, `found` explains."""

    expectation: Expectation
    met: bool
    found: str

    def to_json(self) -> dict[str, Any]:
        """As a report gives it; times in seconds."""
        wish = self.expectation
        since = {} if wish.from_ns is None else {"from": wish.from_ns / NS_PER_S}
        return {
            **since,
            "by": wish.by_ns / NS_PER_S,
            wish.subject: wish.wanted,
            "met": self.met,
            "found": self.found,
        }


@dataclass
class History:
    """How state, motor, needles and faults changed; fed with journal entries, in order."""

    changes: dict[str, list[tuple[int, frozenset[str]]]] = field(
        default_factory=lambda: {
            # As a pen is at power-up, before its journal's first entry.
            "state": [(0, frozenset({"boot"}))],
            "motor": [(0, frozenset({"off"}))],
            "needles": [(0, frozenset({"retracted"}))],
            "fault": [(0, frozenset({"none"}))],
        }
    )

    def note(self, entry: dict[str, Any]) -> None:
        """Take one journal entry; those that tell nothing of the four subjects are passed over."""
        at_ns = round(entry["t"] * NS_PER_S)
        match entry["event"]:
            case "boot":
                # A reset forgets what was latched; what the pen then finds wrong it latches anew.
                self._change("fault", at_ns, {"none"})
            case "state":
                self._change("state", at_ns, {entry["to"]})
            case "motor":
                self._change("motor", at_ns, {"on" if entry["on"] else "off"})
            case "needles":
                self._change("needles", at_ns, {"extended" if entry["extended"] else "retracted"})
            case "fault":
                self._change("fault", at_ns, set(entry["latched"]) or {"none"})

    def judge(self, wishes: Iterable[Expectation], until_ns: int) -> list[Judgement]:
        """A judgement for each expectation; one whose time the pen did not reach by `until_ns` is not met."""
        return [self._one(wish, until_ns) for wish in wishes]

    def _change(self, subject: str, at_ns: int, values: set[str]) -> None:
        self.changes[subject].append((at_ns, frozenset(values)))

    def _one(self, wish: Expectation, until_ns: int) -> Judgement:
        if until_ns < wish.by_ns:
            return Judgement(wish, False, f"the pen was watched for {seconds(until_ns)} s only")
        first_ns = wish.by_ns if wish.from_ns is None else wish.from_ns
        before = [values for values in self.changes[wish.subject] if values[0] <= first_ns][-1]
        within = [values for values in self.changes[wish.subject] if first_ns < values[0] <= wish.by_ns]
        for at_ns, values in [before, *within]:
            if wish.wanted not in values:
                found = "+".join(sorted(values))
                return Judgement(wish, False, f"{found} since {seconds(at_ns)} s")
        last_ns, last = [before, *within][-1]
        return Judgement(wish, True, f"{'+'.join(sorted(last))} since {seconds(last_ns)} s")
