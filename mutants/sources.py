"""The mutants of a module: every change that an operator of cosmic-ray can make in it, less those of no use.

A mutant is known by what a person sees: the module, the operator, the function, the line before and after.
Line numbers move with every edit, so they are no part of it.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutants.rules import Site, chosen, why_useless

ROOT = Path(__file__).resolve().parents[1]
_OPERATORS = ROOT / ".venv" / "mutants"
"""Where `make mutants` installs cosmic-ray; apart, so that nothing else of the project ever imports it."""


class NoOperators(Exception):
    """cosmic-ray is not installed. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed module."""

    module: str
    """Its file, from the root of the tree."""
    operator: str
    function: str
    """The function or class around it, dotted; empty at the top of the module."""
    line: str
    """The first line that changes, without its indent ..."""
    becomes: str
    """... and what stands there instead; empty where the line is taken out."""
    number: int
    """Of the line, in today's file."""
    source: str
    """The whole text with the change in it."""

    @property
    def key(self) -> tuple[str, ...]:
        """What makes it this mutant. Two places that look the same in one function share it."""
        return self.module, self.operator, self.function, self.line, self.becomes

    def __str__(self) -> str:
        return f"{self.module}:{self.number} {self.operator}: {self.line}  →  {self.becomes or '(taken out)'}"


@dataclass(frozen=True, slots=True)
class Made:
    """What the operators make of one module."""

    mutants: tuple[Mutant, ...]
    left_out: Counter[str]
    """How many mutants each rule of `rules.py` left out."""


Wanted = Callable[[str, str, int], bool]
"""Whether mutants by this operator, of this line, with this number, are looked for."""


def every(operator: str, line: str, number: int) -> bool:
    """All of them."""
    return True


def mutants_of(module: str, tree: Path = ROOT, wanted: Wanted = every) -> Made:
    """The mutants of a module, in the order of its lines, after the rules. Raises `NoOperators`."""
    operators, parse = _cosmic_ray()
    text = (tree / module).read_text(encoding="utf-8")
    root, lines = parse(text), text.splitlines()
    future = "from __future__ import annotations" in text
    made, left_out = {}, Counter[str]()
    for name, operator, node, index, (number, _) in _positions(operators, root):
        site = Site(module, name, node, index, lines[number - 1].strip(), future)
        if not wanted(name, site.line, number):
            continue
        reason = why_useless(site) or ("" if chosen(site) else "alternatives")
        if reason:
            left_out[reason] += 1
            continue
        mutated = _mutated(root, node, operator, index)
        if mutated in made or mutated == text:
            left_out["twins"] += 1
            continue
        if not _compiles(mutated):
            left_out["no Python"] += 1
            continue
        made[mutated] = Mutant(module, name, _around(node), *_difference(text, mutated, number), mutated)
    return Made(tuple(sorted(made.values(), key=lambda mutant: mutant.number)), left_out)


def _positions(operators: dict[str, Any], root: Any) -> Iterator[tuple[str, Any, Any, int, tuple[int, int]]]:
    nodes = list(_nodes(root))
    for name, operator in operators.items():
        for node in nodes:
            for index, (start, _) in enumerate(operator.mutation_positions(node)):
                yield name, operator, node, index, start


def _cosmic_ray() -> tuple[dict[str, Any], Any]:
    """Its operators that need no arguments, by name, and its parser."""
    if str(_OPERATORS) not in sys.path:
        sys.path.append(str(_OPERATORS))
    try:
        from cosmic_ray.ast import get_ast
        from cosmic_ray.plugins import get_operator, operator_names
    except ImportError as problem:
        raise NoOperators(f"cosmic-ray is not there ({problem}): `make mutants` installs it") from problem
    classes = {name: get_operator(name) for name in sorted(operator_names())}
    usable = {
        name.removeprefix("core/"): one()
        for name, one in classes.items()
        if not one.arguments() and name != "core/NoOp"
    }
    return usable, get_ast


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", ()):
        yield from _nodes(child)


def _mutated(root: Any, node: Any, operator: Any, index: int) -> str:
    """The text with this one change. The tree is as before: parsing anew takes ten times as long."""
    before = [(one, getattr(one, "value", None), list(getattr(one, "children", ()))) for one in _nodes(node)]
    siblings = list(node.parent.children)
    try:
        changed = operator.mutate(node, index)
        place = next(at for at, one in enumerate(siblings) if one is node)
        node.parent.children[place : place + 1] = [] if changed is None else [changed]
        return str(root.get_code())
    finally:
        node.parent.children = siblings
        for one, value, children in before:
            if value is not None:
                one.value = value
            if children:
                one.children = children


def _compiles(text: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(text, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def _difference(text: str, mutated: str, number: int) -> tuple[str, str, int]:
    """The line that changes, what it becomes, and its number. A decorator goes with the lines before it."""
    old, new = text.splitlines(), mutated.splitlines()
    if len(new) != len(old):
        return old[number - 1].strip(), "", number
    at = next(at for at, line in enumerate(old) if new[at] != line)
    return old[at].strip(), new[at].strip(), at + 1


def _around(node: Any) -> str:
    names = []
    while (node := node.parent) is not None:
        if node.type in ("funcdef", "classdef"):
            names.append(node.name.value)
    return ".".join(reversed(names))
