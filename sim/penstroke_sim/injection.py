"""What an injectable fault is, and how what people write for its parameters is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from penstroke_sim.errors import ScenarioError

if TYPE_CHECKING:
    from penstroke_sim.world import World

Apply = Callable[["World", Mapping[str, Any]], None]
"""What a fault does to the world, given all its parameters."""


class Param(NamedTuple):
    """One parameter. Its type is that of its default; `low` and `high` bound a number, both inclusive."""

    default: bool | int | float | str | None
    doc: str
    low: float = 0
    high: float = 2**64 - 1
    choices: tuple[str, ...] = ()


class Injectable(NamedTuple):
    """One thing that can be injected."""

    name: str
    doc: str
    params: Mapping[str, Param]
    apply: Apply


def checked(where: str, param: Param, value: object) -> Any:
    """`value`, if it is one that `param` takes. Raises `ScenarioError` that begins with `where`."""
    default = param.default
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ScenarioError(f"{where} is true or false, not {value!r}")
        return value
    if isinstance(default, str):
        if not isinstance(value, str) or (param.choices and value not in param.choices):
            wanted = f"one of {', '.join(param.choices)}" if param.choices else "text"
            raise ScenarioError(f"{where} is {wanted}, not {value!r}")
        if not value.isascii() or not value.isprintable() or len(value) > 16:
            raise ScenarioError(f"{where} is at most 16 printable ASCII characters, not {value!r}")
        return value
    numbers = int | float if isinstance(default, float) else int
    if isinstance(value, bool) or not isinstance(value, numbers):
        wanted = "a number" if isinstance(default, float) else "a whole number"
        raise ScenarioError(f"{where} is {wanted}, not {value!r}")
    if not param.low <= value <= param.high:
        raise ScenarioError(f"{where} is from {param.low:g} to {param.high:g}, not {value!r}")
    return value
