"""docs/procedure.md follows from the procedure's own tables, and the example answers all that is asked."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from visits import ROOT, ROSTER, Visit

from penstroke.cli.asking import Asker, Filled
from penstroke.treatment.answers import read_answers
from penstroke.treatment.plan import load_plan
from penstroke.treatment.roster import load_roster
from penstroke.treatment.session import Background
from penstroke.treatment.table import State, Step


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("procedure_page", ROOT / "scripts" / "procedure_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = _load()


def test_the_page_is_fresh() -> None:
    assert script.main(["--check"]) == 0


def test_the_page_says_everything() -> None:
    text = script.PAGE.read_text(encoding="utf-8")
    for one in script.screening_form().conditions:
        assert f"| `{one.key}` | {one.name} |" in text
    assert text.count("*proposed*") >= 5
    for step in Step:
        assert f"| `{step}` |" in text
        assert f"\n`{step}`\n" in text
    for number in range(1, 9):
        assert f"\n{number}. " in text


@pytest.mark.parametrize("part", script.PARTS)
def test_each_part_goes_stale(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "procedure.md"
    copy.write_text(script.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(script, "PAGE", copy)
    monkeypatch.setitem(script.PARTS, part, lambda: "other \\1 words")
    assert script.main(["--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert script.main([]) == 0
    assert "other \\1 words" in copy.read_text(encoding="utf-8")
    assert script.main(["--check"]) == 0
    copy.write_text(copy.read_text(encoding="utf-8").replace(f"<!-- {part} -->", ""), encoding="utf-8")
    with pytest.raises(ValueError, match=part):
        script.main(["--check"])


def test_the_example_answers_the_whole_demonstration() -> None:
    plan = load_plan(ROOT / "examples" / "demo.yaml")
    assert load_roster(ROOT / "examples" / "roster.toml") == ROSTER
    visit = Visit(background=Background(ROSTER), plan=plan)

    def wait() -> None:
        visit.elapsed_s += 30

    asker = Asker(wait, read_answers(ROOT / "examples" / "answers.yaml"))
    while (step := visit.session.at) is not None:
        if step is Step.NEEDLING and visit.session.state(step) is State.OPEN:
            for index, zone in enumerate(plan.zones, start=1):
                assert asker.zone(zone.label(), simulated=True, question="?") == "start"
                visit.start_zone(index)
                visit.needle(index)
                visit.end_zone(index)
        asker.dwell(visit.session, lambda: visit.now)
        filled = asker.step(step, visit.session, lambda: visit.now)
        assert isinstance(filled, Filled)
        assert visit.submit(step, filled.answers).reasons == ()
    assert set(visit.session.states.values()) == {State.DONE}
