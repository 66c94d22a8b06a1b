"""The mutation gate tells the truth: its canaries, what it counts, and what it refuses to count."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutants.gate import BROKEN, CANARIES, NO_OP, Gate, NoFigures, tally
from mutants.page import counts, page, rows_of, summary
from mutants.sources import Made, Mutant
from mutants.workers import Limits, Worker

from mutants import gate as gates

MODULE = "src/tiny.py"
SUBJECTS = {MODULE: ("tests/test_tiny.py",)}


@pytest.fixture
def gate(tiny: Path, tmp_path: Path) -> Iterator[Gate]:
    with Gate(SUBJECTS, tiny, tmp_path, jobs=1) as made:
        yield made


def mutant(tree: Path, old: str, new: str) -> Mutant:
    text = (tree / MODULE).read_text()
    assert text.count(old) == 1
    return Mutant(MODULE, "ByHand", "half", old, new, 7, text.replace(old, new))


def test_the_canaries_sing(gate: Gate) -> None:
    sung = gate.canaries(MODULE)
    verdicts = [answer.verdict for _, answer in sung]
    assert verdicts == [must for _, _, must, _ in CANARIES]
    assert {verdict: verdicts.count(verdict) for verdict in verdicts} == {
        "survived": 4,
        "crash": 2,
        "time-out": 2,
        "killed": 1,
    }


@pytest.mark.parametrize(("change", "must"), [(BROKEN, "survived"), (NO_OP, "killed"), (NO_OP, "crash")])
def test_a_canary_that_ends_otherwise_leaves_no_figures(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, change: str, must: str
) -> None:
    monkeypatch.setattr(gates, "CANARIES", (("a canary", change, must, None),))
    with pytest.raises(NoFigures, match="a canary"):
        gate.canaries(MODULE)


def test_every_mutant_is_counted_once_whatever_became_of_the_others(gate: Gate, tiny: Path) -> None:
    crash = "import os; os._exit(0)\n    return number // 2"
    mutants = [
        mutant(tiny, "return number // 2", crash),
        mutant(tiny, "number < 2", "number <= 2"),
        mutant(tiny, "return number // 2", crash.replace("_exit(0)", "abort()")),
        mutant(tiny, "number < 2", "number < 1"),
        mutant(tiny, "return 0", "return 1"),
        mutant(tiny, "return number // 2", "assert False, number"),
    ]
    outcomes = gate.run(mutants)
    assert [(one.mutant, one.answer.verdict) for one in outcomes] == list(
        zip(mutants, ["crash", "killed", "crash", "survived", "killed", "killed"], strict=True)
    )
    assert outcomes[1].answer.detail == "tests/test_tiny.py::test_half"
    figures = counts(outcomes, {mutants[3].key})
    assert list(figures.values()) == [6, 3, 2, 0, 1, 0, 0]
    assert list(counts(outcomes, ()).values()) == [6, 3, 2, 0, 0, 1, 0]
    assert summary(outcomes, (), 1.0).startswith("6 mutants, 3 killed, 2 by crash")
    text = page({MODULE: Made((), tally([]))}, outcomes, {}, [("a comment", outcomes[0].answer)], 60.0)
    assert "| `src/tiny.py` | 6 | 3 | 2 | 0 | 0 | 1 | 0 |" in text
    assert "| **all** | **6** | **3** | **2** | **0** | **0** | **1** | **0** |" in text
    assert rows_of(text)[MODULE][:-1] == ["6", "3", "2", "0", "0", "1", "0"]
    both = {
        "src/other.py": Made((), tally([])),
        MODULE: Made((), tally([])),
        "src/new.py": Made((), tally([])),
    }
    other = ["1,000", "900", "0", "0", "90", "10", "0", "abc"]
    later = page(both, outcomes, {}, [], 60.0, {MODULE: ["0"] * 8, "src/other.py": other})
    assert rows_of(later)["src/other.py"] == other
    assert rows_of(later)[MODULE] == rows_of(text)[MODULE]
    assert "src/new.py" not in rows_of(later)
    assert "**1,006 mutants, 0 not run, 11 survived unexplained.**" in later


def test_what_the_time_does_not_reach_is_not_run(gate: Gate, tiny: Path) -> None:
    outcomes = gate.run([mutant(tiny, "number < 2", "number <= 2")] * 3, until=0.0)
    assert tally(outcomes) == {"not run": 3}
    assert "not run: 3 because the time was over" in summary(outcomes, (), 1.0)


def test_tests_that_fail_by_themselves_leave_no_figures(gate: Gate, tiny: Path) -> None:
    broken = Gate({MODULE: ("tests/test_tiny.py", "tests/test_missing.py")}, tiny, tiny.parent / "b", jobs=1)
    with broken, pytest.raises(NoFigures, match="do not pass without a mutant"):
        broken.run([mutant(tiny, "number < 2", "number <= 2")])


def test_tests_that_never_import_the_module_leave_no_figures(tiny: Path) -> None:
    (tiny / "tests" / "test_other.py").write_text("def test_other():\n    pass\n")
    blind = Gate({MODULE: ("tests/test_other.py",)}, tiny, tiny.parent, jobs=1)
    with blind, pytest.raises(NoFigures, match="do not import it"):
        blind.run([mutant(tiny, "number < 2", "number <= 2")])


def test_a_worker_that_dies_leaves_its_mutant_not_run_and_no_other(tiny: Path, tmp_path: Path) -> None:
    worker = Worker(tiny, tmp_path / "1")
    source, limits = worker.original(MODULE), Limits(20, 60)
    assert worker.run(MODULE, source, SUBJECTS[MODULE], limits).verdict == "survived"
    process = worker._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    assert worker.run(MODULE, source, SUBJECTS[MODULE], limits).verdict == "not run"
    assert worker.run(MODULE, source, SUBJECTS[MODULE], limits).verdict == "survived"
    worker.close()


def test_the_tree_itself_is_never_touched(gate: Gate, tiny: Path) -> None:
    before = {path: path.read_bytes() for path in tiny.rglob("*") if path.is_file()}
    gate.run([mutant(tiny, "number < 2", "number <= 2")])
    assert {path: path.read_bytes() for path in tiny.rglob("*") if path.is_file()} == before
