"""Scenario files: what happens to the pen and when, who drives it, and what must come of it.

    seed: 7
    profile: fine
    drive:                      # what a small built-in host does, one act after the other
      - {do: hello}
      - {do: select-zone, zone: cheek, side: left, ceiling_mm: 1.0}
      - {at: 2.0, do: silence}  # not before 2 s after power-up
    timeline:                   # what is done to the pen and its line
      - {at: 1.5, inject: motor-stall}
    expect:                     # how the pen must be at an instant, or from one instant to another
      - {by: 1.9, motor: off}
      - {from: 1.9, by: 9.0, motor: off}

All times are seconds of device time since power-up. Reading is strict: an unknown key, a wrong unit or a
repeated key is an error, because a scenario that silently tests nothing is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from penstroke_sim.errors import ScenarioError

if TYPE_CHECKING:
    from penstroke_sim.profiles import Profile

NS_PER_S: Final = 1_000_000_000
LONGEST_S: Final = 86_400
"""Latest time in a scenario: a day, which is more than any treatment, so that a slip of units is noticed."""
MAX_FILE_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Injection:
    """One entry of the timeline: a fault of the catalogue, at `at_ns` of device time."""

    at_ns: int
    name: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Act:
    """One act of the built-in host. `at_ns` None: as soon as the act before is done."""

    do: str
    at_ns: int | None
    params: Mapping[str, Any]
    refused: str | None
    """The reason with which the pen must refuse it; None: it must carry it out."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """How the pen must be at `by_ns`, or from `from_ns` to `by_ns` without a break."""

    subject: str
    """`state`, `motor`, `needles` or `fault`."""
    wanted: str
    by_ns: int
    from_ns: int | None = None

    def __str__(self) -> str:
        since = "" if self.from_ns is None else f"from {seconds(self.from_ns)} s "
        return f"{since}by {seconds(self.by_ns)} s {self.subject}: {self.wanted}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, checked. `seed` and `profile` None: whatever the one who plays it chooses."""

    seed: int | None = None
    profile: str | None = None
    drive: tuple[Act, ...] = ()
    timeline: tuple[Injection, ...] = ()
    expect: tuple[Expectation, ...] = ()


WANTED: Final[Mapping[str, tuple[str, ...]]] = {
    "state": ("boot", "self-test", "idle", "armed", "running", "fault"),
    "motor": ("on", "off"),
    "needles": ("extended", "retracted"),
}
"""What may be expected, but for faults, whose names are those of the protocol."""


def seconds(time_ns: int) -> str:
    """Nanoseconds as people write seconds: `1.5`."""
    return f"{time_ns / NS_PER_S:.9f}".rstrip("0").rstrip(".")


def load(path: str | Path) -> Scenario:
    """The scenario in a file. Raises `ScenarioError` naming the file and the place in it."""
    import yaml

    try:
        with Path(path).open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise ScenarioError(f"longer than {MAX_FILE_BYTES} bytes: this is no scenario")
        return scenario_of(yaml.load(raw.decode("utf-8"), Loader=_strict_loader()))
    except OSError as error:
        raise _wrong_file(path, error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise _wrong_file(path, f"not UTF-8 text (byte {error.start})") from None
    except yaml.YAMLError as error:
        raise _wrong_file(path, " ".join(str(error).split())) from None
    except RecursionError:
        raise _wrong_file(path, "nested too deeply: this is no scenario") from None
    except ValueError as error:
        # Our own sentences, and what PyYAML lets through of impossible dates and endless numbers.
        raise _wrong_file(path, str(error)) from None


def _wrong_file(path: str | Path, problem: str) -> ScenarioError:
    return ScenarioError(f"{path}: {problem}", filename=str(path))


def scenario_of(document: object) -> Scenario:
    """The scenario that a parsed YAML document means. Raises `ScenarioError`."""
    top = _mapping(document, "the scenario")
    _only(top, ("about", "seed", "profile", "drive", "timeline", "expect"), "the scenario")
    _read(
        lambda about: about if isinstance(about, str) else _wrong("text", about),
        top.get("about", ""),
        "about",
    )
    expect = tuple(_expectation(*entry) for entry in _entries(top, "expect"))
    drive = tuple(_act(*entry) for entry in _entries(top, "drive"))
    timeline = [_injection(*entry) for entry in _entries(top, "timeline")]
    for earlier, later in pairwise(drive):
        if earlier.at_ns is not None and later.at_ns is not None and later.at_ns < earlier.at_ns:
            raise ScenarioError(
                f"drive: acts are done in their order, so {later.do} cannot be before {earlier.do}"
            )
    return Scenario(
        seed=_seed(top.get("seed")),
        profile=_profile(top.get("profile")),
        drive=drive,
        # Entries of one instant keep the order in which they were written.
        timeline=tuple(sorted(timeline, key=lambda entry: entry.at_ns)),
        expect=expect,
    )


def check_fits(scenario: Scenario, profile: Profile) -> None:
    """Raises `ScenarioError` when the timeline asks of this kind of pen what it has not got, a trigger or a
    battery. Tried out on a pen of its own, before a host depends on one."""
    from penstroke_sim.world import World

    world = World(profile=profile)
    for entry in scenario.timeline:
        world.inject(entry.name, **entry.params)


def _strict_loader() -> Any:
    """PyYAML's safe loader, but keys are words (`off` too, which YAML 1.1 takes for false), and a key that is
    given twice is an error and not the last one's victory."""
    import yaml

    class StrictLoader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                name = str(key.value)
                if name in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{name!r} is given twice", key.start_mark
                    )
                seen.add(name)
                if key.tag == "tag:yaml.org,2002:bool":
                    key.tag = "tag:yaml.org,2002:str"
            return super().construct_mapping(node, deep)

    return StrictLoader


def _injection(entry: Mapping[str, Any], where: str) -> Injection:
    from penstroke_sim.faults import check_injection

    at_ns = _time(_required(entry, "at", where), f"{where}: at")
    name = _required(entry, "inject", where)
    params = {key: value for key, value in entry.items() if key not in ("at", "inject")}
    if not isinstance(name, str):
        raise ScenarioError(f"{where}: inject must be the name of a fault, not {name!r}")
    try:
        check_injection(name, params)
    except ScenarioError as error:
        raise ScenarioError(f"{where}: {error}") from None
    return Injection(at_ns, name, params)


def _act(entry: Mapping[str, Any], where: str) -> Act:
    from penstroke_sim.acts import ACTS, REASONS

    name = _required(entry, "do", where)
    spec = ACTS.get(name) if isinstance(name, str) else None
    if spec is None:
        raise ScenarioError(f"{where}: {name!r} is no act; known: {', '.join(ACTS)}")
    _only(entry, ("do", "at", "refused", *spec.params), f"{where} ({name})")
    at = entry.get("at")
    at_ns = None if at is None else _time(at, f"{where}: at")
    refused = entry.get("refused")
    if refused is not None and (refused not in tuple(REASONS) or spec.request is None):
        known = ", ".join(REASONS) if spec.request is not None else f"none, {name} is never refused"
        raise ScenarioError(f"{where}: {refused!r} is no reason for a refusal; known: {known}")
    params = {}
    for key, param in spec.params.items():
        value = entry.get(key, param.default)
        if value is None:
            raise ScenarioError(f"{where} ({name}): {key} is missing ({param.doc})")
        params[key] = _read(param.read, value, f"{where}: {key}")
    return Act(name, at_ns, params, refused)


def _expectation(entry: Mapping[str, Any], where: str) -> Expectation:
    from penstroke_sim.acts import FAULTS

    subjects = (*WANTED, "fault")
    given = [key for key in entry if key not in ("by", "from")]
    if len(given) != 1 or given[0] not in subjects:
        found = ", ".join(map(str, given)) or "none"
        raise ScenarioError(f"{where}: expects exactly one of {', '.join(subjects)}; found: {found}")
    subject = given[0]
    wanted = entry[subject]
    if subject == "motor" and isinstance(wanted, bool):
        # YAML 1.1 reads a bare `on` or `off` as true or false.
        wanted = "on" if wanted else "off"
    known = WANTED.get(subject, (*FAULTS, "none"))
    if wanted not in known:
        raise ScenarioError(f"{where}: {subject} cannot be {wanted!r}; known: {', '.join(known)}")
    by_ns = _time(_required(entry, "by", where), f"{where}: by")
    from_ns = None if "from" not in entry else _time(entry["from"], f"{where}: from")
    if from_ns is not None and from_ns >= by_ns:
        raise ScenarioError(f"{where}: from must be before by")
    return Expectation(subject, wanted, by_ns, from_ns)


def _seed(value: object) -> int | None:
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63
    ):
        raise ScenarioError(f"seed: must be a whole number from 0 to 2^63 - 1, not {value!r}")
    return value


def _profile(value: object) -> str | None:
    from penstroke_sim.profiles import PROFILES

    if value is None:
        return None
    if not isinstance(value, str) or value not in PROFILES:
        raise ScenarioError(f"profile: {value!r} is unknown; known: {', '.join(PROFILES)}")
    return value


def _time(value: object, where: str) -> int:
    from penstroke_sim.acts import decimal_of

    number: Decimal = _read(decimal_of, value, where)
    if not 0 <= number <= LONGEST_S:
        raise ScenarioError(f"{where}: must be from 0 to {LONGEST_S} seconds, not {value}")
    return int(number * NS_PER_S)


def _read(reader: Callable[[object], Any], value: object, where: str) -> Any:
    try:
        return reader(value)
    except ValueError as error:
        raise ScenarioError(f"{where}: {error}") from None


def _wrong(wanted: str, found: object) -> Any:
    raise ValueError(f"must be {wanted}, not {found!r}")


def _entries(top: Mapping[str, Any], key: str) -> list[tuple[Mapping[str, Any], str]]:
    entries = top.get(key)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ScenarioError(f"{key}: must be a list, not {entries!r}")
    return [(_mapping(entry, f"{key}[{n}]"), f"{key}[{n}]") for n, entry in enumerate(entries)]


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ScenarioError(f"{where}: must be keys and values, not {value!r}")
    return value


def _required(entry: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in entry:
        raise ScenarioError(f"{where}: {key} is missing")
    return entry[key]


def _only(entry: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = [key for key in entry if key not in known]
    if unknown:
        raise ScenarioError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(known)}")
