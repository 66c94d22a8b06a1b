"""Which mutants there are, which of them are chosen, and what explains those that survive."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from mutants.changed import base_of, changed_lines, sample
from mutants.gate import Outcome
from mutants.rules import RULES
from mutants.sources import ROOT, Mutant, NoOperators, mutants_of
from mutants.subjects import SLOW, SUBJECTS
from mutants.survivors import BadSurvivors, entry, named, read_survivors, stale
from mutants.workers import Answer

from mutants import __main__ as program

MODULE = "src/tiny.py"
ONE = Mutant(MODULE, "Operator", "half", "number < 2", "number <= 2", 7, "...")


def made(tree: Path) -> dict[str, list[str]]:
    """What becomes of the lines, by operator; skips where cosmic-ray is not installed."""
    try:
        found = mutants_of(MODULE, tree)
    except NoOperators as problem:
        pytest.skip(str(problem))
    by_operator: dict[str, list[str]] = {}
    for mutant in found.mutants:
        by_operator.setdefault(mutant.operator, []).append(mutant.becomes)
    return by_operator


# -- subjects and survivors of this tree --------------------------------------------------------------------


def test_the_subjects_and_their_tests_are_there() -> None:
    for module, tests in SUBJECTS.items():
        assert (ROOT / module).is_file(), module
        assert len(tests) == len(set(tests)), module
        for test in tests:
            assert (ROOT / test).is_file(), test
    for test in SLOW:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text()


def test_the_whole_safety_layer_is_a_subject() -> None:
    layer = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "src/penstroke/safety").glob("*.py")
        if path.name != "__init__.py"
    }
    assert layer <= set(SUBJECTS)


def test_every_explained_survivor_is_still_a_mutant() -> None:
    explained = read_survivors()
    modules = {key[0] for key in explained}
    assert modules <= set(SUBJECTS)
    try:
        made = [mutants_of(module, wanted=named(explained)) for module in modules]
    except NoOperators as problem:
        pytest.skip(str(problem))
    assert stale(explained, [mutant for one in made for mutant in one.mutants], modules) == []


# -- mutants ------------------------------------------------------------------------------------------------


def test_the_mutants_of_a_small_module(tiny: Path) -> None:
    found = made(tiny)
    assert found.pop("ReplaceComparisonOperator_Lt_LtE") == ["if number is None or number <= 2:"]
    assert found.pop("ReplaceComparisonOperator_Lt_NotEq") == ["if number is None or number != 2:"]
    assert found.pop("ReplaceComparisonOperator_Is_IsNot") == ["if number is not None or number < 2:"]
    assert found.pop("ReplaceOrWithAnd") == ["if number is None and number < 2:"]
    assert found.pop("AddNot") == ["if not number is None or number < 2:"]
    assert sorted(found.pop("NumberReplacer")) == [
        "if number is None or number < 1:",
        "if number is None or number < 3:",
        "return -1",
        "return 1",
        "return number // 1",
        "return number // 3",
    ]
    assert len(found) == 2
    assert all(operator.startswith("ReplaceBinaryOperator_FloorDiv_") for operator in found)


def test_what_is_left_out_is_counted_by_its_rule(tiny: Path) -> None:
    made(tiny)
    left_out = mutants_of(MODULE, tiny).left_out
    assert left_out == {"annotations": 11, "alternatives": 9, "subsumed": 3}
    assert set(left_out) <= set(RULES)


def test_a_choice_stays_when_another_line_changes(tiny: Path) -> None:
    before = made(tiny)
    file = tiny / MODULE
    file.write_text(file.read_text().replace('"""Halves."""', '"""Halves.\n\nOf numbers.\n"""'))
    assert made(tiny) == before


def test_the_mutants_are_those_of_cosmic_ray(tiny: Path) -> None:
    """The text is changed in one tree and changed back; cosmic-ray parses it anew each time."""
    made(tiny)
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    text = (tiny / MODULE).read_text()
    for mutant in mutants_of(MODULE, tiny).mutants:
        operator = get_operator(f"core/{mutant.operator}")()
        assert mutant.source in [mutate_code(text, operator, occurrence) for occurrence in range(20)]


# -- what changed -------------------------------------------------------------------------------------------


def git(tree: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *who, *arguments], cwd=tree, check=True, capture_output=True)


def test_lines_changed_since_the_commit_before_and_not_committed_yet(tiny: Path) -> None:
    file = tiny / MODULE
    git(tiny, "init")
    git(tiny, "add", ".")
    git(tiny, "commit", "-m", "one")
    assert base_of(tiny) == ""
    file.write_text(file.read_text().replace("number < 2", "number <= 1"))
    git(tiny, "commit", "-am", "two")
    file.write_text(file.read_text() + "\n\nTWO = 2\n")
    assert changed_lines(base_of(tiny), [MODULE], tiny) == {MODULE: {7, 10, 11, 12}}


def test_lines_changed_since_the_work_left_the_main_line(tiny: Path) -> None:
    file = tiny / MODULE
    git(tiny, "init")
    git(tiny, "add", ".")
    git(tiny, "commit", "-m", "one")
    git(tiny, "update-ref", "refs/remotes/origin/main", "HEAD")
    for change in ("number <= 1", "number <= 1  # or none"):
        file.write_text(file.read_text().replace("number < 2", change).replace("number <= 1:", f"{change}:"))
        git(tiny, "commit", "-am", change, "--allow-empty")
    file.write_text("# new\n" + file.read_text())
    assert changed_lines(base_of(tiny), [MODULE], tiny) == {MODULE: {1, 8}}


def test_outside_of_git_there_is_no_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert base_of(tmp_path) == ""


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    many = [replace(ONE, number=number) for number in range(100)]
    chosen = sample(many, 10, "a")
    assert len(chosen) == 10
    assert chosen == sample(list(reversed(many)), 10, "a")
    assert chosen != sample(many, 10, "b")


def test_without_a_base_a_sample_is_taken_and_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    many = [replace(ONE, number=number) for number in range(100)]
    assert len(program._chosen(many, "", {})) == program.SAMPLE
    assert "no commit to compare with" in capsys.readouterr().out
    assert program._chosen(many, "abc", {MODULE: {3, 5, 500}}) == [many[3], many[5]]
    assert "2 mutants on 3 lines changed since abc" in capsys.readouterr().out


def test_on_other_lines_only_the_explained_mutants_are_made(tiny: Path) -> None:
    made(tiny)
    key = (MODULE, "NumberReplacer", "half", "return 0", "return -1")
    found = mutants_of(MODULE, tiny, program._wanted({9}, {key: "why"})).mutants
    assert {mutant.line for mutant in found} == {"return 0", "return number // 2"}
    assert key in [mutant.key for mutant in found]


# -- explanations -------------------------------------------------------------------------------------------


def test_an_explanation_is_read_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "survivors.toml"
    odd = replace(ONE, line="""say("it's", 'so\\n')""")
    file.write_text(entry(ONE.key, "no test can see it") + "\n" + entry(odd.key, "nor can it see this"))
    assert read_survivors(file) == {ONE.key: "no test can see it", odd.key: "nor can it see this"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[survivor]", "not TOML"),
        ("[other]\n", "nothing else"),
        ("[[survivor]]\nmodule = 'x'", "needs module"),
        (entry(ONE.key, "it is fine"), "does not say why"),
        (entry(ONE.key, "no test can see it") * 2, "twice"),
        (entry(ONE.key, "no test can see it").replace("'half'", "7"), "as text"),
    ],
)
def test_a_file_of_explanations_that_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "survivors.toml"
    file.write_text(text)
    with pytest.raises(BadSurvivors, match=says):
        read_survivors(file)


@pytest.mark.parametrize(
    ("verdict", "explained", "says"),
    [
        ("survived", {}, "nothing explains it"),
        ("killed", {ONE.key: "why"}, "a test noticed it"),
        ("killed", {(MODULE, "Other", "", "", ""): "why"}, "no such mutant"),
        ("survived", {ONE.key: "why"}, ""),
        ("not run", {ONE.key: "why"}, ""),
        ("killed", {}, ""),
    ],
)
def test_what_is_wrong_with_a_run(
    verdict: str, explained: dict[tuple[str, ...], str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = program._wrong([Outcome(ONE, Answer(verdict))], explained, [ONE], [MODULE])
    assert wrong == (1 if says else 0)
    assert says in capsys.readouterr().out


def test_a_module_that_is_no_subject(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["src/nothing.py"]) == 2
    assert "src/nothing.py is no subject" in capsys.readouterr().err
