"""A scenario played to its end on virtual time, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from penstroke_sim.errors import ScenarioError
from penstroke_sim.exercise import Done, Exerciser
from penstroke_sim.expect import History, Judgement
from penstroke_sim.profiles import Profile
from penstroke_sim.scenario import NS_PER_S, Scenario
from penstroke_sim.world import World


@dataclass(frozen=True, slots=True)
class Report:
    """What became of each act and each expectation, and the journal as text."""

    done: list[Done]
    judgements: list[Judgement]
    ended_ns: int
    journal: str

    @property
    def passed(self) -> bool:
        """Every act went as meant and every expectation was met."""
        return all(done.as_meant for done in self.done) and all(found.met for found in self.judgements)

    def to_json(self) -> dict[str, Any]:
        """As `penstroke-sim run --json` gives it; times in seconds."""
        return {
            "passed": self.passed,
            "ended": self.ended_ns / NS_PER_S,
            "drive": [
                {
                    "at": done.at_ns / NS_PER_S,
                    "do": done.act.do,
                    "outcome": done.outcome,
                    "as_meant": done.as_meant,
                }
                for done in self.done
            ],
            "expect": [found.to_json() for found in self.judgements],
        }


def play(scenario: Scenario, *, profile: Profile, seed: int) -> Report:
    """Play `scenario`. Raises `ScenarioError` for one that could not fail: it would show nothing."""
    if not scenario.drive and not scenario.expect:
        raise ScenarioError("it neither drives nor expects anything, so running it would show nothing")
    world = World(profile=profile, seed=seed, scenario=scenario)
    host = Exerciser(world, seed=seed)
    done = host.perform(scenario.drive)
    times = [wish.by_ns for wish in scenario.expect] + [entry.at_ns for entry in scenario.timeline]
    host.idle_until(max(times, default=0))
    history = History()
    for entry in world.journal.entries:
        history.note(entry)
    judgements = history.judge(scenario.expect, world.now_ns)
    return Report(done, judgements, world.now_ns, world.journal.text())
