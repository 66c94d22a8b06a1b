"""Strict reading of YAML and JSON: what is written is what is taken, and every value knows its line.

Plain YAML turns `1:30` into 90, `012` into 10, `no` into false, and keeps the last of two equal keys. In a
file that says how deep needles go none of that may happen: numbers are decimal and plain, keys are unique,
and there are no anchors that make one line mean something in another place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from penstroke.errors import PlanError

LARGEST_BYTES = 256 * 1024
"""Far above any real plan; it keeps a wrong file name from being read whole."""

_DEEPEST_NESTING = 20


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where."""

    content: object
    lines: dict[tuple[int | str, ...], int]
    """The line of each value, counted from 1; empty where the format does not tell (JSON)."""

    def line_of(self, place: Iterable[int | str]) -> int | None:
        """The line of this place, or of the nearest thing around it that is there."""
        path = tuple(place)
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def read_document(path: Path) -> Document:
    """The content of a `.json` file, or of any other file as YAML. Raises `PlanError` (`plan-invalid`)."""
    text = _text(path)
    return _json(path, text) if path.suffix.lower() == ".json" else _yaml(path, text)


def wrong(path: Path, line: int | None, problem: str, hint: str = "correct the file") -> PlanError:
    """The error for this file and line."""
    where = f"{path}, line {line}" if line is not None else f"{path}"
    return PlanError(f"{where}: {problem}", hint=hint, file=str(path), line=line)


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            # A pipe or a device would be waited for, for ever.
            raise wrong(path, None, "it is no ordinary file", "name a file with a plan")
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        raise PlanError(
            f"cannot read {path}: {why}", hint="check the name of the file", file=str(path)
        ) from None
    if len(data) > LARGEST_BYTES:
        raise wrong(
            path, None, f"it is larger than {LARGEST_BYTES // 1024} KiB", "check the name of the file"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise wrong(path, None, "it is not text in UTF-8", "save it as UTF-8") from None


def _json(path: Path, text: str) -> Document:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, _ in pairs:
            if sum(1 for other, _ in pairs if other == key) > 1:
                raise wrong(path, None, f"{key!r} is there twice", "keep one")
        return dict(pairs)

    def no_constant(name: str) -> NoReturn:
        raise wrong(path, None, f"{name} is not a number", "give a number")

    try:
        return Document(json.loads(text, object_pairs_hook=unique, parse_constant=no_constant), {})
    except json.JSONDecodeError as problem:
        raise wrong(path, problem.lineno, f"it is not JSON: {problem.msg}") from None
    except RecursionError:
        raise wrong(path, None, "it is nested too deeply") from None
    except ValueError:  # an integer of more digits than Python converts
        raise wrong(path, None, "it holds a number that is far too long") from None


class _Loader(yaml.SafeLoader):
    """YAML with JSON's idea of numbers and truth; anything else that looks like one stays text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - YAML's own API


_PLAIN_FORMS: tuple[tuple[str, str, str], ...] = (
    ("bool", "true|false", "tf"),
    ("int", "-?(0|[1-9][0-9]{0,17})", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,30}", "-0123456789"),
)
"""What is not text: its tag, its whole form, and the characters it may begin with."""

for _tag, _form, _starts in _PLAIN_FORMS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"({_form})\Z"), list(_starts))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(null|~|)\Z"), ["n", "~", ""])


def _yaml(path: Path, text: str) -> Document:
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            raise wrong(path, None, "it is empty", "write a plan; `penstroke plan schema` describes one")
        lines: dict[tuple[int | str, ...], int] = {}
        return Document(_content(path, node, (), lines, set()), lines)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = mark.line + 1 if mark is not None else None
        raise wrong(path, line, f"it is not YAML: {problem.problem or problem.context}") from None
    except yaml.YAMLError as problem:
        raise wrong(path, None, f"it is not YAML: {str(problem).splitlines()[0]}") from None
    except RecursionError:
        raise wrong(path, None, "it is nested too deeply") from None


def _content(
    path: Path,
    node: yaml.Node,
    place: tuple[int | str, ...],
    lines: dict[tuple[int | str, ...], int],
    seen: set[int],
) -> object:
    line = node.start_mark.line + 1
    lines[place] = line
    # A node met twice is an alias: the composer hands out the anchor's own node again.
    if id(node) in seen:
        raise wrong(path, line, "it uses an anchor (& and *)", "write the value out where it is used")
    seen.add(id(node))
    if len(place) > _DEEPEST_NESTING:
        raise wrong(path, line, "it is nested too deeply")
    if isinstance(node, yaml.SequenceNode):
        return [_content(path, item, (*place, index), lines, seen) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or type(key) is not str:
                raise wrong(path, key_line, "a key is not a plain word")
            if key in found:
                raise wrong(path, key_line, f"{key!r} is there twice", "keep one")
            found[key] = _content(path, value_node, (*place, key), lines, seen)
        return found
    return _scalar(path, node, line)


def _scalar(path: Path, node: yaml.Node, line: int) -> object:
    value = str(node.value)
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    match tag:
        case "str":
            return value
        case "null":
            return None
        case "bool" if value in ("true", "false"):
            return value == "true"
        case "int" if re.fullmatch("-?[0-9]{1,18}", value, re.ASCII):
            return int(value)
        case "float" if re.fullmatch(r"-?[0-9]{1,18}\.[0-9]{1,30}", value, re.ASCII):
            return float(value)
    raise wrong(path, line, f"{value[:40]!r} carries the tag {tag}", "leave the tag out")
