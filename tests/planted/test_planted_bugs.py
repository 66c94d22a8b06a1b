"""The planted bugs still apply and name tests that exist; and a proof with them cannot lie.

All of them are tried by `make planted`. Here a few are, and in a tiny tree everything that must not pass for
a catch: a change without effect, a crash at import, a test that hangs, a test that was red before.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from plantedbugs import PATCHES, ROOT, BadPatch, Planted, check_applies, prove, read_patch, read_planted

ALL = read_planted()
TRACE = tomllib.loads((ROOT / "docs" / "safety" / "trace.toml").read_text(encoding="utf-8"))
KNOWN = {one["id"] for kind in ("hazard", "requirement") for one in TRACE[kind]}
LEAST_OF_A_PART = {
    "safety": 10,
    "protocol": 10,
    "device": 10,
    "driver": 10,
    "procedure": 9,
    "records": 10,
    "cli": 9,
}
"""The parts, as names of patches begin with them."""


def exists(test: str) -> bool:
    """Whether a named test, `file::[class::]function`, is written in the tree, whatever its parameters."""
    file, *names = re.sub(r"\[.*\]$", "", test).split("::")
    if not names or not (ROOT / file).is_file():
        return False
    inside: list[ast.stmt] = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    for name in names:
        found = [
            node for node in inside if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
        ]
        if not found:
            return False
        inside = found[0].body
    return names[-1].startswith(("test_", "Test"))


@pytest.mark.parametrize("planted", ALL, ids=lambda planted: planted.name)
def test_a_planted_bug_applies_and_says_what_it_breaks_and_who_catches_it(planted: Planted) -> None:
    check_applies(planted)
    assert planted.changes.startswith(("src/", "firmware_protocol/", "sim/"))
    assert [one for one in planted.breaks if one not in KNOWN] == []
    assert [one for one in planted.breaks if one.startswith("H")], "it must name a hazard"
    assert [one for one in planted.breaks if one.startswith("S")], "it must name a requirement"
    assert [test for test in planted.caught_by if not exists(test)] == []


def test_there_are_planted_bugs_on_both_ends_and_between() -> None:
    assert len(ALL) >= 60
    names = [planted.name for planted in ALL]
    parts = {part: sum(name.startswith(f"{part}-") for name in names) for part in LEAST_OF_A_PART}
    assert {part for part, count in parts.items() if count < LEAST_OF_A_PART[part]} == set()
    assert sum(parts.values()) == len(ALL)


def test_every_requirement_in_force_has_a_planted_bug_that_breaks_it() -> None:
    """A number on a test proves nothing; that a test with this number found something does."""
    in_force = {one["id"] for one in TRACE["requirement"] if one["status"] == "in force"}
    assert in_force - {one for planted in ALL for one in planted.breaks} == set()


# -- a few, for real ----------------------------------------------------------------------------------------


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(PATCHES.parent / "run.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_planted_bugs_are_caught() -> None:
    names = ["safety-tolerance-forgotten", "protocol-reply-without-seq", "device-stop-leaves-armed"]
    outcome = run(*names)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.endswith("3 planted, 3 caught, 0 not caught, 0 could not be tried\n")
    for name in names:
        assert re.search(rf"^{name} .* caught .* test_\w+\.py::test_", outcome.stdout, re.M)


def test_an_unknown_name_is_an_error() -> None:
    outcome = run("safety-tolerance-forgoten")
    assert outcome.returncode == 2
    assert "there is no planted bug safety-tolerance-forgoten" in outcome.stderr


# -- what must not pass for a catch -------------------------------------------------------------------------

MODULE = "def double(x):\n    return 2 * x\n"
TEST = """
from tiny import double

def test_double():
    assert double(2) == 4

def test_other():
    assert double
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with one function and its test."""
    made = tmp_path / "tree"
    (made / "src" / "tiny").mkdir(parents=True)
    (made / "src" / "tiny" / "__init__.py").write_text(MODULE)
    (made / "tests").mkdir()
    (made / "tests" / "test_tiny.py").write_text(TEST)
    return made


def tried(tree: Path, becomes: str, *, caught_by: str = "test_double", was: str = "    return 2 * x") -> str:
    """Verdict and detail on a patch of the tiny tree that puts `becomes` in the place of a line."""
    patch = tree.parent / "tiny-bug.patch"
    patch.write_text(
        "# Thought: it is simpler.\n# Breaks: H01 S-01\n"
        f"# Caught by: tests/test_tiny.py::{caught_by}\n"
        "--- a/src/tiny/__init__.py\n+++ b/src/tiny/__init__.py\n"
        f"@@ -1,2 +1,2 @@\n def double(x):\n-{was}\n+{becomes}\n"
    )
    copies = tree.parent / "copies"
    copies.mkdir(exist_ok=True)
    outcome = prove(read_patch(patch), copies, tree=tree, limit_s=20)
    assert (tree / "src" / "tiny" / "__init__.py").read_text() == MODULE, "the tree itself is never touched"
    assert list(copies.iterdir()) == []
    return f"{outcome.verdict}: {outcome.detail}"


def test_a_change_without_effect_survives(tree: Path) -> None:
    assert (
        tried(tree, "    return x * 2") == "NOT CAUGHT: passed with the bug: tests/test_tiny.py::test_double"
    )


def test_another_test_that_fails_is_not_the_one_named(tree: Path) -> None:
    assert tried(tree, "    return 3 * x", caught_by="test_other").startswith("NOT CAUGHT")


def test_a_crash_at_import_is_no_catch(tree: Path) -> None:
    assert tried(tree, "    return 2 *").startswith("error: its tests could not be run with the bug")


def test_a_test_that_hangs_is_no_catch_and_is_ended(tree: Path) -> None:
    patch = tree.parent / "hang.patch"
    patch.write_text(
        "# Thought: wait for it.\n# Breaks: H01 S-01\n# Caught by: tests/test_tiny.py::test_double\n"
        "--- a/src/tiny/__init__.py\n+++ b/src/tiny/__init__.py\n"
        "@@ -1,2 +1,3 @@\n def double(x):\n+    __import__('threading').Event().wait()\n     return 2 * x\n"
    )
    outcome = prove(read_patch(patch), tree.parent, tree=tree, limit_s=8)
    assert (outcome.verdict, outcome.detail) == (
        "error",
        "its tests could not be run with the bug: they did not end in time",
    )


def test_a_test_that_was_red_before_proves_nothing(tree: Path) -> None:
    (tree / "tests" / "test_tiny.py").write_text(TEST.replace("== 4", "== 5"))
    assert tried(tree, "    return 3 * x").startswith("error: its tests do not pass without the bug")


def test_a_patch_that_no_longer_applies_is_an_error_that_names_it(tree: Path) -> None:
    problem = tried(tree, "    return 3 * x", was="    return x + x")
    assert problem.startswith("error: tiny-bug: the patch no longer applies")


@pytest.mark.parametrize("lacking", ["Thought", "Breaks", "Caught by"])
def test_a_patch_without_its_header_is_an_error_that_names_it(tmp_path: Path, lacking: str) -> None:
    patch = tmp_path / "bare.patch"
    whole = ALL[0].patch.read_text(encoding="utf-8")
    patch.write_text(re.sub(rf"^# {lacking}: .*\n(#   .*\n)*", "", whole, flags=re.M))
    with pytest.raises(BadPatch, match=f"bare: its header lacks '# {lacking}:'"):
        read_patch(patch)


def test_a_named_test_that_is_gone_would_be_found() -> None:
    here = "tests/planted/test_planted_bugs.py"
    assert exists(f"{here}::test_a_named_test_that_is_gone_would_be_found[x]")
    assert not exists(f"{here}::test_that_is_gone")
    assert not exists("tests/planted/test_gone.py::test_it")
    assert not exists(here)
