"""What there is, is documented: commands, options, exit codes, error codes, settings."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import click
import pytest

import penstroke
from penstroke.cli.errors import EXIT_CODES
from penstroke.cli.runner import COMMANDS, root
from penstroke.config import KEYS

ROOT = Path(__file__).resolve().parents[2]
CLI = (ROOT / "docs" / "cli.md").read_text()


def section(name: str) -> str:
    """The part of docs/cli.md under the heading `### name`."""
    found = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", CLI, re.M | re.S)
    assert found, f"docs/cli.md has no section for {name}"
    return found[1]


def options(command: click.Command) -> set[str]:
    """The long options of a command itself, without those that all commands share."""
    shared = {"--port", "--json", "--trace", "--debug"}
    return {
        opt
        for param in command.params
        if isinstance(param, click.Option)
        for opt in param.opts
        if opt.startswith("--")
    } - shared


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_described(name: str) -> None:
    context = click.Context(root)
    command = root.get_command(context, name)
    assert command is not None
    text = section(name)
    if name == "run":  # says that it takes those of `set`
        text += section("set")
    assert {opt for opt in options(command) if f"{opt}" not in text} == set()
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            assert f"{name} {child}" in text
            found = command.get_command(context, child)
            assert found is not None
            assert {opt for opt in options(found) if opt not in text} == set()


def test_every_exit_code_is_listed() -> None:
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", CLI, re.M)}
    assert rows == {0, 1, 2, 130, *(code for _, code in EXIT_CODES)}


def test_every_setting_is_listed() -> None:
    for key in KEYS:
        assert re.search(rf"^\| `{key.name}` \| {f'`{key.env}`' if key.env else ''}", CLI, re.M), key.name


def test_the_library_is_described() -> None:
    text = (ROOT / "docs" / "library.md").read_text()
    public = [name for name in vars(penstroke.Pen) if not name.startswith("_")]
    assert {name for name in public if f"pen.{name}" not in text} == set()
    assert {name for name in vars(penstroke.Sample)["__annotations__"] if f"`{name}`" not in text} == set()
    arguments = list(inspect.signature(penstroke.connect).parameters)[1:]
    assert {name for name in arguments if f"`{name}`" not in text} == set()
    assert {name for name in penstroke.__all__ if not re.search(rf"\b{name}\b", text)} == set()


CODE = re.compile(r"[a-z]+(-[a-z]+)+|internal|usage|stopped")


def codes_in(tree: ast.AST) -> set[str]:
    """Error codes in a module: `default_code = "..."`, `code="..."`, and the first word of a reason."""
    found: set[str] = set()
    for node in ast.walk(tree):
        value: ast.expr | None = None
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value if node.targets[0].id == "default_code" else None
        elif isinstance(node, ast.keyword) and node.arg == "code":
            value = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            value = node.args[0] if node.func.id in {"Reason", "Why", "_why"} else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and CODE.fullmatch(value.value):
            found.add(value.value)
    return found


def test_every_error_code_is_listed() -> None:
    pages = CLI + (ROOT / "docs" / "refusals.md").read_text()
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", pages, re.M))
    used: set[str] = set()
    for base in ("src", "sim"):
        for path in (ROOT / base).rglob("*.py"):
            used |= codes_in(ast.parse(path.read_text()))
    assert used - listed == set()


def test_error_codes_are_found_where_they_stand() -> None:
    code = 'class A(E):\n    default_code = "a-b"\nraise A("x", code="c-d")\nReason("e-f", "y")\nother("g-h")'
    assert codes_in(ast.parse(code)) == {"a-b", "c-d", "e-f"}
