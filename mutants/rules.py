"""Which mutants are not worth running, each rule with its reason. What each leaves out is counted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

RULES = {
    "annotations": "types in annotations: with `from __future__ import annotations` nothing evaluates them, "
    "and mypy judges them",
    "type-checking": "the condition `TYPE_CHECKING`: what it guards is for mypy and never runs",
    "identity": "`is` for `==` and back: what the code compares by `is` (None, members of an enum, classes) "
    "is equal only to itself, and whether equal numbers or texts are one object is the interpreter's affair",
    "subsumed": "a comparison, or a condition that is one, in another form than the two nearest to it: "
    "whichever test notices those notices these (Kaminski, Ammann, Offutt: Better predicate testing, 2011)",
    "plus": "`+x` for `-x`: the same as taking the sign away, which is tried",
    "negated": "`not` before a condition that begins with one: the same as taking that away, which is tried",
    "alternatives": "an arithmetic operator has eleven replacements; two of them are tried at each place, "
    "chosen by a seeded hash of the line",
    "signature": "the bare `*` of a signature, taken for a product: mypy judges what is passed by name",
    "no Python": "the text does not compile: no test can run it, and none is needed",
    "dotted": "an exception with a dot in its name (`tomllib.TOMLDecodeError`): the operator cannot take it",
    "twins": "the same text by another operator",
}
"""Each rule and its reason."""

_NEAREST = {
    "Lt": ("LtE", "NotEq"),
    "LtE": ("Lt", "Eq"),
    "Gt": ("GtE", "NotEq"),
    "GtE": ("Gt", "Eq"),
    "Eq": ("LtE", "GtE"),
    "NotEq": ("Lt", "Gt"),
    "Is": ("IsNot",),
    "IsNot": ("Is",),
}
_IDENTITY = {("Is", "Eq"), ("IsNot", "NotEq"), ("Eq", "Is"), ("NotEq", "IsNot")}
_SEED = 1
_TRIED = 2
_ALTERNATIVES = (
    "Add",
    "Sub",
    "Mul",
    "Div",
    "FloorDiv",
    "Mod",
    "Pow",
    "RShift",
    "LShift",
    "BitOr",
    "BitAnd",
    "BitXor",
)


@dataclass(frozen=True, slots=True)
class Site:
    """A place where an operator could change something."""

    module: str
    operator: str
    node: Any
    """Of the parser's tree."""
    index: int
    """Which of the changes the operator can make there."""
    line: str
    future: bool
    """Whether the module's annotations are never evaluated."""


def why_useless(site: Site) -> str:
    """The rule by which this mutant is left out; empty where it is worth running."""
    kind, _, change = site.operator.partition("_")
    before, _, after = change.partition("_")
    if site.future and _in_annotation(site.node):
        return "annotations"
    if kind == "ReplaceBinaryOperator" and site.node.parent.type == "parameters":
        return "signature"
    if kind == "AddNot":
        return _why_no_not(_condition(site.node))
    if kind == "ReplaceComparisonOperator":
        if (before, after) in _IDENTITY:
            return "identity"
        return "" if after in _NEAREST[before] else "subsumed"
    if site.operator == "ReplaceUnaryOperator_USub_UAdd":
        return "plus"
    if site.operator == "ExceptionReplacer" and _caught(site).type != "name":
        return "dotted"
    return ""


def chosen(site: Site) -> bool:
    """Whether this one is among the alternatives that are tried at its place.

    By a hash of what stands there, so that an edit elsewhere in the file changes no choice.
    """
    kind, _, change = site.operator.partition("_")
    if kind != "ReplaceBinaryOperator":
        return True
    before, _, after = change.partition("_")

    def rank(name: str) -> bytes:
        text = f"{_SEED} {site.module} {site.line} {site.node.start_pos[1]} {name}"
        return hashlib.sha256(text.encode()).digest()

    others = sorted((name for name in _ALTERNATIVES if name != before), key=rank)
    return after in others[:_TRIED]


def _in_annotation(node: Any) -> bool:
    while node.parent is not None:
        around = node.parent
        if around.type == "annassign" and node is around.children[1]:
            return True
        if around.type == "tfpdef" and node is around.children[-1]:
            return True
        if around.type == "funcdef" and node is around.annotation:
            return True
        node = around
    return False


def _caught(site: Site) -> Any:
    caught = site.node.children[1]
    listed = caught.children[1] if caught.type == "atom" else caught
    return listed.children[::2][site.index] if listed.type == "testlist_comp" else listed


def _condition(node: Any) -> Any:
    return node.children[2] if node.type == "test" else node.children[1]


def _why_no_not(condition: Any) -> str:
    if condition.get_code().strip() == "TYPE_CHECKING":
        return "type-checking"
    if condition.type == "not_test":
        return "negated"
    if condition.type == "comparison" and len(condition.children) == 3:
        return "" if "in" in condition.children[1].get_code().split() else "subsumed"
    return ""
