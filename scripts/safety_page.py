"""Writes the pages that follow from docs/safety/trace.toml and from the marks of the tests.

python scripts/safety_page.py            write what is stale
python scripts/safety_page.py --check    write nothing; exit 1 and name what is stale

Tests are found by their mark, `@pytest.mark.req("S-01")`, in the syntax tree: nothing of them is imported.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TRACE = ROOT / "docs" / "safety" / "trace.toml"
PAGE = ROOT / "docs" / "safety" / "hazards.md"
README = ROOT / "docs" / "safety" / "README.md"
SPECIFICATION = ROOT / "firmware_protocol" / "README.md"
TESTS = ROOT / "tests"

Marks = dict[str, list[str]]
"""By requirement or rule: its tests, each as `path::name` from the folder of the tests."""
CONTROLS = {
    "host": "Host",
    "firmware": "Pen's firmware",
    "hardware": "Hardware (a statement)",
    "information": "Information",
    "outside": "Outside of software",
}
SEVERITIES = {"S1": "negligible", "S2": "minor", "S3": "serious", "S4": "critical", "S5": "catastrophic"}


def read_trace(path: Path = TRACE) -> dict[str, Any]:
    """The safety file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def rules(path: Path = SPECIFICATION) -> set[str]:
    """The numbered rules of the specification, `R-1.1` and so on."""
    return set(re.findall(r"^\*\*(R-\d+\.\d+)\*\*", path.read_text(encoding="utf-8"), re.M))


def marks(folder: Path = TESTS) -> Marks:
    """Every test that names a requirement or a rule, by that name."""
    found: Marks = {}
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for ids, name in _marked(tree, ()):
            for one in ids:
                found.setdefault(one, []).append(f"{path.relative_to(folder).as_posix()}::{name}")
    return found


def _marked(node: ast.AST, outer: tuple[str, ...], prefix: str = "") -> Iterator[tuple[tuple[str, ...], str]]:
    """The marks of each test below `node`, those of its class and of its file included."""
    body: list[ast.stmt] = getattr(node, "body", [])
    for statement in body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in statement.targets
        ):
            outer = (*outer, *_ids(ast.walk(statement.value)))
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            on_class = _ids(part for mark in statement.decorator_list for part in ast.walk(mark))
            # A state machine is a class whose tests pytest makes of `Machine.TestCase`.
            if on_class and not statement.name.startswith("Test"):
                yield on_class, f"{prefix}{statement.name}"
            yield from _marked(statement, (*outer, *on_class), f"{prefix}{statement.name}::")
        elif isinstance(statement, ast.FunctionDef) and statement.name.startswith("test_"):
            on_test = _ids(part for mark in statement.decorator_list for part in ast.walk(mark))
            ids = tuple(dict.fromkeys((*outer, *on_test)))
            if ids:
                yield ids, f"{prefix}{statement.name}"


def _ids(nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    """What the calls of `pytest.mark.req` among `nodes` name. Anything but plain strings would hide it."""
    ids: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.req":
            for argument in node.args:
                if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                    raise ValueError(f"line {argument.lineno}: name requirements as plain strings")
                ids.append(argument.value)
    return tuple(ids)


# -- pages ---------------------------------------------------------------------------------------------------


def hazards_page(trace: dict[str, Any], tests: Marks) -> str:
    """The page for whoever manages risk."""
    hazards, requirements = trace["hazard"], trace["requirement"]
    in_force = {one["id"] for one in requirements if one["status"] == "in force"}
    shown = {test for one in requirements for test in tests.get(one["id"], ())}
    lines = [
        "# Hazards, controls, requirements and tests",
        "",
        "Written by `scripts/safety_page.py` from [trace.toml](trace.toml) and from the marks of the tests;"
        " [how to read it](README.md).",
        "",
        "**Severities are proposals** of this project for whoever markets a device and owns its risk file: "
        + ", ".join(f"{key} {word}" for key, word in SEVERITIES.items())
        + ". Probability and acceptability are not judged here.",
        "",
        f"{len(hazards)} hazards; {len(requirements)} requirements, of which {len(in_force)} are in force and"
        f" {len(requirements) - len(in_force)} planned; {len(shown)} tests carry the number of one.",
        "",
        "| hazard | severity (proposed) | requirements in force |",
        "|---|---|---|",
        *(_summary_row(hazard, in_force) for hazard in hazards),
        "",
        "## Hazards",
    ]
    for hazard in hazards:
        lines += _hazard_section(hazard)
    lines += ["", "## Requirements"]
    for requirement in requirements:
        lines += _requirement_section(requirement, hazards, tests.get(requirement["id"], []))
    return "\n".join(lines) + "\n"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _heading(hazard: dict[str, Any]) -> str:
    return f"{hazard['id']} {hazard['title']}"


def _hazard_link(hazard: dict[str, Any]) -> str:
    return f"[{hazard['id']}](#{_anchor(_heading(hazard))})"


def _requirement_links(ids: Iterable[str]) -> str:
    return ", ".join(f"[{one}](#{_anchor(one)})" for one in ids)


def controls_in_force(hazard: dict[str, Any]) -> list[dict[str, Any]]:
    """The controls of a hazard that stand today."""
    return [control for control in hazard["controls"] if "later" not in control]


def _summary_row(hazard: dict[str, Any], in_force: set[str]) -> str:
    named = {one for control in controls_in_force(hazard) for one in control.get("requirements", [])}
    ids = sorted(named & in_force, key=order)
    statements = [
        CONTROLS[control["by"]].partition(" (")[0].lower()
        for control in controls_in_force(hazard)
        if control["by"] in ("hardware", "outside")
    ]
    told = [_requirement_links(ids)] if ids else []
    told += list(dict.fromkeys(statements))
    return f"| {_hazard_link(hazard)} {hazard['title']} | {hazard['severity']} | {'; '.join(told)} |"


def order(one: str) -> tuple[int, str]:
    """Sorts S-9 before S-10, and S-15 before S-15b."""
    number = re.fullmatch(r"S-(\d+)(\w*)", one)
    return (int(number[1]), number[2]) if number else (0, one)


def _hazard_section(hazard: dict[str, Any]) -> list[str]:
    lines = [
        "",
        f"### {_heading(hazard)}",
        "",
        f"Severity (proposed): {hazard['severity']} {SEVERITIES[hazard['severity']]}. "
        f"**Cause:** {hazard['cause']} **Harm:** {hazard['harm']}",
        "",
    ]
    for control in hazard["controls"]:
        ids = control.get("requirements", [])
        shown = f" {_requirement_links(ids)}" if ids else ""
        later = f" *Not yet: {control['later']}.*" if "later" in control else ""
        lines.append(f"- {CONTROLS[control['by']]}: {control['text']}{shown}{later}")
    return lines


def _requirement_section(
    requirement: dict[str, Any], hazards: list[dict[str, Any]], tests: list[str]
) -> list[str]:
    controlled = [
        hazard
        for hazard in hazards
        if any(requirement["id"] in control.get("requirements", []) for control in hazard["controls"])
    ]
    status = requirement["status"]
    if status == "planned":
        status = f"planned. {requirement['reason']}"
    lines = [
        "",
        f"### {requirement['id']}",
        "",
        requirement["text"],
        "",
        f"- Status: {status}",
        f"- Method: {requirement['method']}",
        f"- Controls: {', '.join(_hazard_link(hazard) for hazard in controlled)}",
        f"- Tests: {len(tests) or 'none yet'}",
    ]
    by_file: dict[str, list[str]] = {}
    for test in tests:
        file, _, name = test.partition("::")
        by_file.setdefault(file, []).append(f"`{name}`")
    for file, names in by_file.items():
        lines.append(f"    - [{file}](../../tests/{file}): {', '.join(names)}")
    return lines


def deadlines_table(trace: dict[str, Any]) -> str:
    """The deadlines, for the README of the safety file."""
    rows = [
        "| trigger | who stops | drive cut | retracted | hazards | measured |",
        "|---|---|---|---|---|---|",
    ]
    for one in trace["deadline"]:
        retracted = f"{one['retracted_ms']} ms" if "retracted_ms" in one else "–"
        rows.append(
            f"| {one['trigger']} | {one['by']} | {one['drive_cut_ms']} ms | {retracted} | "
            f"{', '.join(one['hazards'])} | {one['measured']} |"
        )
    return "\n".join(rows)


def filled(text: str, name: str, content: str) -> str:
    """The text with `content` between its two marks of this name. Raises `ValueError` without them."""
    marked = re.compile(rf"(<!-- generated:{name} -->\n).*?(<!-- /generated:{name} -->)", re.S)
    if len(marked.findall(text)) != 1:
        raise ValueError(f"the marks of {name} must stand there once")
    return marked.sub(lambda match: f"{match[1]}\n{content}\n\n{match[2]}", text)


def generated() -> dict[Path, str]:
    """Every generated page and the text it must have."""
    trace = read_trace()
    readme = README.read_text(encoding="utf-8")
    return {
        PAGE: hazards_page(trace, marks()),
        README: filled(readme, "deadlines", deadlines_table(trace)),
    }


def stale() -> dict[Path, str]:
    """The pages whose text is not what it must be."""
    return {
        path: text
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def main(arguments: list[str] | None = None) -> int:
    """0 when everything is fresh, or was written; 1 when `--check` found something stale."""
    parser = argparse.ArgumentParser(description="Writes the pages of the safety file.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 naming what is stale")
    check = parser.parse_args(arguments).check
    found = stale()
    for path, text in found.items():
        name = path.relative_to(ROOT)
        if check:
            print(f"stale: {name} (python scripts/safety_page.py writes it anew)", file=sys.stderr)
        else:
            path.write_text(text, encoding="utf-8")
            print(f"written: {name}")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
