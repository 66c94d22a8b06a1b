"""A value of an entry as the kind it should be, or as nothing.

A correction may put any value where a person wrote one. What is of another kind than can be shown there is
shown as it is among the corrections, and is unknown everywhere else.
"""

from __future__ import annotations

import math
from typing import Any


def number(value: object) -> float | None:
    """A finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def count(value: object) -> int | None:
    """A whole number from zero up; None for anything else."""
    return value if type(value) is int and value >= 0 else None


def text(value: object) -> str | None:
    """A text that says something; None for anything else."""
    return value if isinstance(value, str) and value else None


def texts(value: object) -> tuple[str, ...]:
    """The texts in a list."""
    return tuple(item for item in sequence(value) if isinstance(item, str))


def mapping(value: object) -> dict[str, Any]:
    """A mapping; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """A list; an empty one for anything else."""
    return value if isinstance(value, list) else []
