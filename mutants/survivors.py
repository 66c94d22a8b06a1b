"""The mutants that no test can notice, each with the reason why it changes nothing: `survivors.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mutants.sources import Mutant

FILE = Path(__file__).with_name("survivors.toml")
_KEYS = ("module", "operator", "in", "line", "becomes")
_LEAST_WORDS = 4

Key = tuple[str, ...]
"""As `Mutant.key`: module, operator, function, the line before and after."""


class BadSurvivors(Exception):
    """The file is not written as it should be. The message names the entry."""


def read_survivors(path: Path = FILE) -> dict[Key, str]:
    """The reason for each explained survivor. Raises `BadSurvivors`."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as problem:
        raise BadSurvivors(f"{path.name} is not TOML: {problem}") from problem
    if set(table) - {"survivor"}:
        raise BadSurvivors(f"{path.name} may hold [[survivor]] and nothing else")
    explained: dict[Key, str] = {}
    for entry in table.get("survivor", []):
        if set(entry) != {*_KEYS, "why"} or not all(type(value) is str for value in entry.values()):
            raise BadSurvivors(f"an entry needs {', '.join(_KEYS)} and why, as text: {entry}")
        key = tuple(entry[name] for name in _KEYS)
        if key in explained:
            raise BadSurvivors(f"this entry is there twice: {entry}")
        if len(entry["why"].split()) < _LEAST_WORDS:
            raise BadSurvivors(f"this entry does not say why it changes nothing: {entry}")
        explained[key] = entry["why"]
    return explained


def named(explained: Iterable[Key]) -> Callable[[str, str, int], bool]:
    """For `mutants_of`: only what could be one of these."""
    places = {(key[1], key[3]) for key in explained}
    return lambda operator, line, number: (operator, line) in places


def stale(explained: Iterable[Key], mutants: Iterable[Mutant], modules: Iterable[str]) -> list[Key]:
    """The explained mutants of these modules that no operator makes any more."""
    there, known = {mutant.key for mutant in mutants}, set(modules)
    return [key for key in explained if key[0] in known and key not in there]


def entry(key: Key, why: str) -> str:
    """An entry as it stands in the file."""
    named: Mapping[str, str] = dict(zip(_KEYS, key, strict=True)) | {"why": why}
    return "\n".join(["[[survivor]]", *(f"{name} = {_toml(text)}" for name, text in named.items())]) + "\n"


def _toml(text: str) -> str:
    if "'" not in text:
        return f"'{text}'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
