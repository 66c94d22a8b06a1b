"""The address of a simulated pen inside the process: `sim://pen?seed=7&profile=fine&scenario=FILE&speed=1`.

With `clock=virtual` its time is virtual, and then it has no `speed`. Every part but `sim://` may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from penstroke_sim.errors import ScenarioError
from penstroke_sim.profiles import DEFAULT_PROFILE, Profile, profile_named
from penstroke_sim.scenario import Scenario, check_fits, load
from penstroke_sim.world import World

KEYS: Final = ("seed", "profile", "scenario", "speed", "clock")


@dataclass(frozen=True, slots=True)
class Address:
    """A simulator address, checked, its scenario read. What the address leaves open the scenario decides."""

    profile: Profile
    seed: int
    scenario: Scenario
    virtual: bool
    speed: float

    def new_world(self) -> World:
        """A pen as this address describes it, just powered up."""
        return World(profile=self.profile, seed=self.seed, scenario=self.scenario)


def parse_address(url: str) -> Address:
    """What `url` means. Raises `ScenarioError` with one sentence for anything that is not such an address."""
    from penstroke_sim.pacing import check_speed

    parts = urlsplit(url)
    if parts.scheme != "sim":
        raise ScenarioError(f"{url!r} is not the address of a simulated pen: it must begin with sim://")
    if parts.netloc not in ("", "pen") or parts.path not in ("", "/") or parts.fragment:
        raise ScenarioError(
            f"{url!r} is not the address of a simulated pen: write sim://pen?{'=…&'.join(KEYS)}=…"
        )
    query: dict[str, str] = {}
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ScenarioError(f"{url!r}: write its settings as key=value, with & between them") from None
    for key, value in pairs:
        if key not in KEYS:
            raise ScenarioError(f"{url!r}: unknown setting {key!r}; known: {', '.join(KEYS)}")
        if key in query:
            raise ScenarioError(f"{url!r}: {key} is given twice")
        query[key] = value
    if query.get("clock", "wall") not in ("wall", "virtual"):
        raise ScenarioError(f"{url!r}: clock must be wall or virtual, not {query['clock']!r}")
    virtual = query.get("clock") == "virtual"
    if virtual and "speed" in query:
        raise ScenarioError(f"{url!r}: virtual time has no speed")
    scenario = load(query["scenario"]) if "scenario" in query else Scenario()
    profile = profile_named(query.get("profile") or scenario.profile or DEFAULT_PROFILE)
    check_fits(scenario, profile)
    return Address(
        profile=profile,
        seed=_seed(query["seed"], url) if "seed" in query else scenario.seed or 0,
        scenario=scenario,
        virtual=virtual,
        speed=check_speed(_speed(query.get("speed", "1"), url)),
    )


def _seed(text: str, url: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ScenarioError(f"{url!r}: seed must be a whole number of at most 18 digits, not {text!r}")
    return int(text)


def _speed(text: str, url: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ScenarioError(f"{url!r}: speed must be a number, not {text!r}") from None
