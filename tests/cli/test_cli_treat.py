"""`treat` and `records` on virtual time: the procedure, its prompts, its journal."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from clitools import CHEEK, FOREHEAD, VIRTUAL

Call = Callable[..., Any]
EXAMPLES = Path(__file__).parents[2] / "examples"


def entries(path: Path) -> list[dict[str, Any]]:
    """All entries of a journal."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal's file, not there yet."""
    return tmp_path / "journal.jsonl"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[str]], list[str]]:
    """A person at a terminal who gives these answers; the questions they were asked."""

    def prepare(given: Sequence[str]) -> list[str]:
        from penstroke.cli.commands import treat

        left, asked = list(given), []

        def ask(question: str, allowed: Sequence[str], *, meanwhile: Callable[[], None], flag: str) -> str:
            asked.append(question)
            meanwhile()
            answer = left.pop(0)
            if answer not in allowed:
                raise AssertionError(f"{answer} is no answer to {question}")
            return answer

        monkeypatch.setattr(treat, "ask", ask)
        return asked

    return prepare


# -- the whole way ---------------------------------------------------------------------------------------


def test_the_demonstration(on_pen: Call, journal: Path) -> None:
    result = on_pen("treat", EXAMPLES / "demo.yaml", "--yes", "--journal", journal)
    assert result.code == 0
    for zone in ("forehead", "cheek left", "periorbital right"):
        assert f"{zone}: done" in result.err
    assert "2/2" in result.out
    assert result.out.endswith(f"journal: {journal}\n")


def test_json_lines(on_pen: Call, plan_file: Callable[..., Path], journal: Path) -> None:
    result = on_pen("treat", plan_file(CHEEK, FOREHEAD), "--yes", "--journal", journal, "--json")
    assert result.code == 0
    lines = result.lines
    kinds = [line["event"] for line in lines if line["event"] != "sample"]
    assert kinds == ["pass", "pass", "zone", "pass", "zone", "summary"]
    samples = [line for line in lines if line["event"] == "sample"]
    assert len(samples) == pytest.approx(60, abs=4)
    done = [sample["plan_done"] for sample in samples]
    assert done == sorted(done)
    assert done[-1] > 0.98
    last = samples[-1]
    assert (last["zone"], last["side"], last["pass"], last["depth_mm"]) == ("forehead", None, 1, 0.4)
    summary = lines[-1]
    assert summary["finished"] is True
    assert summary["journal"] == str(journal)
    cheek, forehead = summary["zones"]
    assert (cheek["state"], cheek["passes_done"], forehead["passes_done"]) == ("done", 2, 1)
    assert cheek["seconds"] == pytest.approx(2, abs=0.1)
    # 16 needles, so many strokes, on 1.6 cm².
    assert cheek["density_per_cm2"] == pytest.approx(cheek["strokes"] * 16 / 1.6, abs=0.1)
    assert cheek["strokes"] == pytest.approx(200, rel=0.1)  # two seconds at 110 Hz, less two spin-ups


def test_everything_is_in_the_journal(on_pen: Call, plan_file: Callable[..., Path], journal: Path) -> None:
    plan = plan_file(CHEEK)
    assert on_pen("treat", plan, "--yes", "--journal", journal, "--operator", "Dr. Who").code == 0
    written = entries(journal)
    assert [entry["n"] for entry in written] == list(range(1, len(written) + 1))
    assert {entry["operator"] for entry in written} == {"Dr. Who"}
    assert all(entry["utc"].endswith("Z") for entry in written)
    opened = written[0]
    assert (opened["event"], opened["format"], opened["plan"]["title"]) == ("opened", 1, "Small")
    connected = [entry for entry in written if entry["t_s"] is not None]
    assert {entry["simulated"] for entry in connected} == {True}
    times = [entry["t_s"] for entry in connected]
    assert times == sorted(times)
    commands = [entry["command"] for entry in written if entry["event"] == "command"]
    assert commands == ["select-zone", "set-rate", "set-depth", "run", "set-rate", "set-depth", "run"]
    assert [entry["event"] for entry in written if entry["event"] not in ("command", "sample")] == [
        "opened", "check", "pen", "check", "zone", "held", "run-ended", "held", "run-ended", "summary",
        "closed",
    ]  # fmt: skip
    assert [entry["ended"] for entry in written if entry["event"] == "run-ended"] == ["duration"] * 2
    samples = [entry for entry in written if entry["event"] == "sample"]
    assert samples[-1]["depth_mm"] == pytest.approx(0.9, abs=0.05)
    assert written[-1]["ended"] == "finished"


def test_depth_changes_between_passes(on_pen: Call, plan_file: Callable[..., Path], journal: Path) -> None:
    passes = [
        {"depth_mm": 0.5, "rate_hz": 50},
        {"depth_mm": 1.1, "rate_hz": 120},
        {"depth_mm": 0.4, "rate_hz": 40},
    ]
    zone = {"zone": "back", "area_cm2": 1.6, "passes": passes}
    # 1.1 mm needs an override, which a plan has not: within the ceiling instead.
    passes[1]["depth_mm"] = 0.95
    result = on_pen("treat", plan_file(zone), "--yes", "--journal", journal)
    assert result.code == 0
    held = [(entry["depth_mm"], entry["rate_hz"]) for entry in entries(journal) if entry["event"] == "held"]
    assert held == [(0.5, 50.0), (0.95, 120.0), (0.4, 40.0)]


@pytest.mark.req("S-19")
def test_settings_never_pass_through_deep_and_slow(
    on_pen: Call, plan_file: Callable[..., Path], journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between passes neither the new depth at the old rate nor the old depth at the new one is too slow."""
    from dataclasses import replace

    from penstroke import data
    from penstroke.safety import zones

    # No zone's ceiling lets a plan ask for 1.0 mm and more, so one is made for this.
    raised = tuple(
        replace(zone, ceiling_um=1500) if zone.name == "back" else zone for zone in data.zone_table()
    )
    assert isinstance(raised[0], zones.Zone)
    for name in ("penstroke.data.zone_table", "penstroke.pen.zone_table"):
        monkeypatch.setattr(name, lambda: raised)
    passes = [
        {"depth_mm": 0.5, "rate_hz": 50},
        {"depth_mm": 1.2, "rate_hz": 120},
        {"depth_mm": 0.5, "rate_hz": 50},
    ]
    plan = plan_file({"zone": "back", "area_cm2": 1.6, "passes": passes})
    result = on_pen("treat", plan, "--yes", "--journal", journal)
    assert (result.code, result.err[-200:]) == (0, result.err[-200:])
    held = [entry["depth_mm"] for entry in entries(journal) if entry["event"] == "held"]
    assert held == [0.5, 1.2, 0.5]


def test_the_pen_rests_after_ten_minutes(on_pen: Call, plan_file: Callable[..., Path], journal: Path) -> None:
    area_cm2 = 400 * 1.6  # 400 s a pass at the glide speed of the figures
    zone = {"zone": "back", "area_cm2": area_cm2, "depth_mm": 0.5, "rate_hz": 100, "passes": 2}
    result = on_pen("treat", plan_file(zone), "--yes", "--journal", journal)
    assert result.code == 0
    written = entries(journal)
    (rest,) = [entry for entry in written if entry["event"] == "rest"]
    assert rest["left_s"] == pytest.approx(120, abs=1)
    first, second = [entry for entry in written if entry["event"] == "run-ended"]
    assert second["t_s"] - first["t_s"] == pytest.approx(520, abs=2)
    assert "the pen rests" in result.err


# -- people ----------------------------------------------------------------------------------------------


def test_each_zone_needs_a_persons_word(
    on_pen: Call, plan_file: Callable[..., Path], journal: Path, answers: Callable[..., list[str]]
) -> None:
    asked = answers(["yes", "start", "skip"])
    result = on_pen("treat", plan_file(CHEEK, FOREHEAD), "--journal", journal, "--json")
    assert (result.code, len(asked)) == (0, 3)
    cheek, forehead = result.lines[-1]["zones"]
    assert (cheek["state"], forehead["state"], forehead["strokes"]) == ("done", "skipped", 0)


@pytest.mark.parametrize("given", [["no"], ["yes", "quit"], ["yes", "start", "quit"]])
def test_a_treatment_that_is_ended_early_is_not_done(
    on_pen: Call,
    plan_file: Callable[..., Path],
    journal: Path,
    answers: Callable[..., list[str]],
    given: list[str],
) -> None:
    answers(given)
    result = on_pen("treat", plan_file(CHEEK, FOREHEAD), "--journal", journal, "--json")
    assert (result.code, result.error["code"]) == (130, "interrupted")
    assert entries(journal)[-1]["event"] == "closed"


@pytest.mark.req("S-11")
def test_yes_never_starts_a_zone_on_a_pen_that_is_not_simulated(
    on_pen: Call, plan_file: Callable[..., Path], journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstroke.pen.Pen.simulated", False)
    result = on_pen("treat", plan_file(CHEEK), "--yes", "--journal", journal, "--json")
    assert (result.code, result.error["code"]) == (2, "needs-terminal")
    assert not [entry for entry in entries(journal) if entry["event"] == "command"]


def test_without_a_terminal_a_prompt_is_an_error_that_names_the_flag(
    on_pen: Call, plan_file: Callable[..., Path], journal: Path
) -> None:
    result = on_pen("treat", plan_file(CHEEK), "--journal", journal, "--json")
    assert (result.code, result.error["code"]) == (2, "needs-terminal")
    assert "--yes" in result.error["hint"]


# -- refused, failed, interrupted ------------------------------------------------------------------------


def test_a_plan_over_a_limit_is_refused_before_the_pen_is_touched(cli: Call, journal: Path) -> None:
    plan = EXAMPLES / "refused_too_deep.yaml"
    result = cli("--port", "/dev/nowhere", "treat", plan, "--yes", "--journal", journal, "--json")
    assert (result.code, result.error["code"], result.out) == (3, "depth-above-limit", "")
    assert len(result.error["reasons"]) >= 8
    written = entries(journal)
    assert [entry["event"] for entry in written] == ["opened", "check", "refused", "closed"]
    assert len(written[1]["violations"]) == len(result.error["reasons"])


def test_a_plan_out_of_this_pens_reach_is_refused(cli: Call, journal: Path) -> None:
    port = "sim://pen?clock=virtual&profile=coarse-tolerance"
    result = cli("--port", port, "treat", EXAMPLES / "demo.yaml", "--yes", "--journal", journal, "--json")
    assert result.code == 3
    assert not [entry for entry in entries(journal) if entry["event"] == "command"]


def test_a_malformed_plan_leaves_no_journal(on_pen: Call, tmp_path: Path, journal: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("zones: [")
    assert on_pen("treat", broken, "--yes", "--journal", journal).code == 7
    assert not journal.exists()


@pytest.mark.parametrize(
    ("name", "code"), [("stop-key", 5), ("motor-stall", 5), ("cut", 6), ("cartridge-removed", 5)]
)
def test_a_failure_is_written_down_and_summed_up(
    cli: Call,
    plan_file: Callable[..., Path],
    journal: Path,
    scenario: Callable[..., str],
    name: str,
    code: int,
) -> None:
    port = scenario((1.0, name, {}))
    plan = plan_file(CHEEK | {"area_cm2": 16}, FOREHEAD)
    result = cli("--port", port, "treat", plan, "--yes", "--journal", journal, "--json")
    assert result.code == code
    summary = result.lines[-1]
    assert summary["finished"] is False
    assert [zone["state"] for zone in summary["zones"]] == ["begun", "not begun"]
    assert summary["zones"][0]["strokes"] > 0
    written = entries(journal)
    assert written[-1]["event"] == "closed"
    assert written[-1]["code"] == result.error["code"]
    (error,) = [entry for entry in written if entry["event"] == "error"]
    assert error["code"] == result.error["code"]
    assert error["black_box"]


def test_a_used_cartridge_is_refused(
    cli: Call, plan_file: Callable[..., Path], journal: Path, scenario: Callable[..., str]
) -> None:
    for name, code in (
        ("cartridge-used", "cartridge-other-treatment"),
        ("cartridge-expired", "cartridge-expired"),
        ("cartridge-removed", "cartridge-missing"),
    ):
        journal.unlink(missing_ok=True)
        port = scenario((0.0, name, {}))
        result = cli("--port", port, "treat", plan_file(CHEEK), "--yes", "--journal", journal, "--json")
        assert (result.code, result.error["code"]) == (3, code)
        assert next(entry["code"] for entry in entries(journal) if entry["event"] == "refused") == code


def test_an_interrupt_stops_at_once(
    on_pen: Call, plan_file: Callable[..., Path], journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from penstroke.cli import app

    lines: list[dict[str, Any]] = []

    def emit(line: dict[str, Any]) -> None:
        lines.append(line)
        if len(lines) == 10:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(app, "emit", emit)
    plan = plan_file(CHEEK, FOREHEAD)
    result = on_pen("treat", plan, "--yes", "--journal", journal, "--json")
    assert (result.code, result.error["code"]) == (130, "interrupted")
    assert [line["event"] for line in lines[10:]] == ["summary"]
    written = entries(journal)
    assert written[-1]["ended"] == "interrupted"
    runs = [entry for entry in written if entry["event"] == "run-ended"]
    assert len(runs) == 1
    assert runs[0]["elapsed_s"] < 1


# -- the journal's file ----------------------------------------------------------------------------------


def test_a_journal_is_never_written_over(on_pen: Call, plan_file: Callable[..., Path], journal: Path) -> None:
    journal.write_text("precious\n")
    result = on_pen("treat", plan_file(CHEEK), "--yes", "--journal", journal, "--json")
    assert (result.code, result.error["code"]) == (8, "record-unwritable")
    assert journal.read_text() == "precious\n"


@pytest.mark.req("S-14")
def test_what_cannot_be_recorded_does_not_start(
    on_pen: Call, plan_file: Callable[..., Path], journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from penstroke.treatment import journal as module

    def full(_fd: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(module.os, "fsync", full)
    monkeypatch.setattr(module, "_sync_folder", lambda _folder: None)
    result = on_pen("treat", plan_file(CHEEK), "--yes", "--journal", journal, "--json")
    assert (result.code, result.error["code"]) == (8, "record-unwritable")
    assert "sample" not in {line["event"] for line in result.lines}


@pytest.mark.req("S-14")
def test_a_disk_that_fills_up_stops_the_needles(
    on_pen: Call, plan_file: Callable[..., Path], journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from penstroke.errors import RecordError
    from penstroke.treatment.journal import Journal

    write = Journal.write

    def until_full(self: Journal, event: str, **facts: Any) -> None:
        if self._number >= 30:
            raise RecordError("full", code="record-unwritable")
        write(self, event, **facts)

    monkeypatch.setattr(Journal, "write", until_full)
    result = on_pen("treat", plan_file(CHEEK), "--yes", "--journal", journal, "--json")
    assert (result.code, result.error["code"]) == (8, "record-unwritable")
    assert result.lines[-1]["zones"][0]["passes_done"] == 0


def test_records(
    on_pen: Call, cli: Call, plan_file: Callable[..., Path], own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTROKE_DATA_DIR", str(own_home / "data"))
    assert cli("records", "list", "--json").json["records"] == []
    assert cli("records", "list").code == 0
    on_pen("treat", plan_file(CHEEK, FOREHEAD), "--yes", "--operator", "Dr. Who")
    cli("--port", VIRTUAL, "treat", EXAMPLES / "refused_too_deep.yaml", "--yes")
    done, refused = cli("records", "list", "--json").json["records"]
    assert {
        "plan": "Small",
        "operator": "Dr. Who",
        "simulated": True,
        "zones": 2,
        "zones_done": 2,
        "ended": "finished",
    }.items() <= done.items()
    assert (refused["ended"], refused["zones_done"], refused["simulated"]) == ("error", 0, None)
    assert "2/2" in cli("records", "list").out
    assert cli("records", "show", done["id"], "--json").json["entries"][0]["event"] == "opened"
    shown = cli("records", "show", done["id"]).out
    assert "select-zone" in shown
    assert "sample" not in shown
    for name in ("nothing", "../config", "."):
        assert cli("records", "show", name, "--json").error["code"] == "record-unknown"


def test_a_journal_that_was_cut_off_or_damaged(
    cli: Call, on_pen: Call, plan_file: Callable[..., Path], own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTROKE_DATA_DIR", str(own_home))
    file = own_home / "journals" / "cut.jsonl"
    on_pen("treat", plan_file(CHEEK), "--yes", "--journal", file)
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    (record,) = cli("records", "list", "--json").json["records"]
    assert (record["ended"], record["plan"]) == ("open", "Small")
    assert cli("records", "show", "cut").code == 0
    for damaged in (whole.replace('{"n": 3,', '{"n": 4,'), whole.replace("opened", 'op"ened'), "\n" + whole):
        file.write_text(damaged)
        assert cli("records", "list", "--json").json["records"][0]["ended"] == "unreadable"
        assert cli("records", "show", "cut", "--json").error["code"] == "record-unreadable"
        assert cli("records", "show", "cut").code == 8


def test_needles_that_may_be_out_are_told_even_at_an_interrupt(
    cli: Call,
    plan_file: Callable[..., Path],
    journal: Path,
    scenario: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from penstroke.cli import app

    def emit(line: dict[str, Any]) -> None:
        if line["event"] == "sample" and line["elapsed_s"] > 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(app, "emit", emit)
    plan = plan_file(CHEEK | {"area_cm2": 16})
    jammed = scenario((2.0, "actuator-jam", {}))
    result = cli("--port", jammed, "treat", plan, "--yes", "--journal", journal, "--json")
    assert (result.code, result.error["code"]) == (5, "retraction-unconfirmed")
    assert "needles may be out: lift the pen" in result.error["message"]
    assert entries(journal)[-1]["code"] == "retraction-unconfirmed"
