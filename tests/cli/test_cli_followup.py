"""`followup` and `aftercare`: what comes after a treatment, from its record."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstroke.cli.commands import followup
from penstroke.records.recorder import Recorder
from penstroke.records.store import open_store

Call = Callable[..., Any]
EXAMPLES = Path(__file__).parents[2] / "examples"
PLAN = {
    "version": 1,
    "title": "One zone",
    "zones": [{"zone": "forehead", "area_cm2": 8, "depth_mm": 0.4, "rate_hz": 110, "passes": 1}],
}
TREATED = datetime.datetime(2026, 11, 20, 12, 0, tzinfo=datetime.UTC)
REDNESS = ("--effect", "redness", "--grade", "mild", "--onset", "2026-11-21", "--action", "cold pack")


def begin(store_file: Path, treatment: str, *, needled: bool = True, **opened: Any) -> None:
    """A treatment on record."""
    with (
        open_store(str(store_file)) as store,
        Recorder(store, treatment=treatment, operator="Ben Example", utc_now=lambda: TREATED) as recorder,
    ):
        recorder.write("opened", **(opened or {"patient": "P-1", "plan": PLAN}))
        if needled:
            recorder.write("zone", index=1, zone="forehead", side=None, answer="start")
            recorder.write(
                "step",
                step="needling",
                state="done",
                answers={},
                warnings=[],
                local=TREATED.isoformat(),
                started_utc="2026-11-20T12:00:00.000Z",
                port_s=None,
            )
        recorder.make_durable()


@pytest.fixture
def store(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one treatment, and the roster of the examples."""
    file = own_home / "records.db"
    monkeypatch.setenv("PENSTROKE_STORE", str(file))
    monkeypatch.setenv("PENSTROKE_ROSTER", str(EXAMPLES / "roster.toml"))
    begin(file, "20261120-aaaaaa")
    return file


def entries(file: Path, kind: str) -> list[Any]:
    with open_store(str(file), readonly=True) as opened:
        return list(opened.entries(kinds=[kind]))


def test_a_side_effect_is_added_and_listed(cli: Call, store: Path) -> None:
    added = cli("followup", "add", "2026", *REDNESS, "--by", "ben example")
    assert added.code == 0
    assert "redness, mild, since 2026-11-21" in added.out
    (entry,) = entries(store, "follow-up")
    assert entry.treatment == "20261120-aaaaaa"
    assert entry.operator == "Ben Example"
    assert entry.body == {
        "effect": "redness",
        "grade": "mild",
        "onset": "2026-11-21",
        "resolved": None,
        "action": "cold pack",
        "note": None,
        "by": "Ben Example",
    }
    listed = cli("followup", "list")
    assert listed.code == 0
    assert "P-1      redness  mild   2026-11-21  -         cold pack  Ben Example" in listed.out
    (row,) = cli("followup", "list", "2026", "--json").json["follow_ups"]
    assert (row["id"], row["patient"], row["entry"]) == ("20261120-aaaaaa", "P-1", entry.number)


def test_an_effect_that_has_gone_is_added_once_more(cli: Call, store: Path) -> None:
    for more in ((), ("--resolved", "2026-11-22", "--note", "gone")):
        assert cli("followup", "add", "2026", *REDNESS, "--by", "Ben Example", *more).code == 0
    first, second = cli("followup", "list", "--json").json["follow_ups"]
    assert (first["resolved"], second["resolved"], second["note"]) == (None, "2026-11-22", "gone")
    assert (first["superseded_by"], second["superseded_by"]) == (second["entry"], None)
    (_, row) = cli("followup", "list").out.splitlines()
    assert "2026-11-22" in row


def test_a_correction_shows_in_the_list(cli: Call, store: Path) -> None:
    cli("followup", "add", "2026", *REDNESS, "--by", "Ben Example")
    (entry,) = entries(store, "follow-up")
    by = ("--by", "Dr. Ada Example", "--reason", "a slip")
    assert cli("records", "correct", "2026", entry.number, "grade", "moderate", *by).code == 0
    (row,) = cli("followup", "list", "--json").json["follow_ups"]
    assert row["grade"] == "moderate"


def test_the_operator_takes_it_down_where_nobody_else_is_named(
    cli: Call, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTROKE_OPERATOR", "Dr. Ada Example")
    result = cli("followup", "add", "2026", *REDNESS, "--json")
    assert (result.code, result.json["by"]) == (0, "Dr. Ada Example")


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (("--effect", "rednes"), "answer-invalid", "effect was answered 'rednes'"),
        (("--grade", "bad"), "answer-invalid", "grade was answered 'bad'"),
        (
            ("--onset", "2026-11-19"),
            "answer-invalid",
            "onset is 2026-11-19, before the treatment on 2026-11-20",
        ),
        (("--onset", "2999-01-01"), "answer-invalid", "in the future"),
        (("--onset", "21.11.2026"), "answer-invalid", "which is no date"),
        (("--resolved", "2026-11-20"), "answer-invalid", "resolved is 2026-11-20, before the onset"),
        (("--by", "Eve"), "answer-invalid", "by was answered 'Eve'"),
    ],
)
def test_what_cannot_be(cli: Call, store: Path, changes: tuple[str, str], code: str, words: str) -> None:
    result = cli("followup", "add", "2026", *REDNESS, "--by", "Ben Example", *changes, "--json")
    assert result.code == 2
    assert result.error["code"] == code
    assert words in result.error["message"]
    assert entries(store, "follow-up") == []


def test_without_a_terminal_what_is_missing_is_named(cli: Call, store: Path) -> None:
    result = cli("followup", "add", "2026", "--effect", "redness")
    assert result.code == 2
    assert "--grade is missing" in result.err


def test_at_a_terminal_it_is_asked(cli: Call, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from penstroke.cli import asking

    typed = ["other", "severe", "today", "", "called the doctor", "", "Ben Example"]
    monkeypatch.setattr(followup, "at_terminal", lambda: True)
    monkeypatch.setattr(asking, "ask_text", lambda question, **_: typed.pop(0))
    assert cli("followup", "add", "2026").code == 0
    assert typed == []
    (entry,) = entries(store, "follow-up")
    assert (entry.body["effect"], entry.body["resolved"], entry.body["note"]) == ("other", None, None)


def test_nothing_on_record(cli: Call, store: Path) -> None:
    assert "no side effects on record for 20261120-aaaaaa" in cli("followup", "list", "20261120").err


@pytest.mark.parametrize(
    "command", [("followup", "add", "1999", *REDNESS), ("followup", "list", "1999"), ("aftercare", "1999")]
)
def test_a_treatment_that_is_not_there(cli: Call, store: Path, command: tuple[str, ...]) -> None:
    result = cli(*command, "--json")
    assert (result.code, result.error["code"]) == (2, "record-unknown")


def test_nobody_is_treated_at_the_bench(cli: Call, store: Path) -> None:
    begin(store, "20261121-bbbbbb", needled=False, bench="a new spring", act="run")
    for command in (
        ("followup", "add", "20261121", *REDNESS, "--by", "Ben Example"),
        ("aftercare", "20261121"),
    ):
        result = cli(*command)
        assert result.code == 2
        assert "is a run at the bench" in result.err


def test_without_a_roster_nothing_is_taken_down(
    cli: Call, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTROKE_ROSTER", "nowhere.toml")
    result = cli("followup", "add", "2026", *REDNESS, "--json")
    assert (result.code, result.error["code"]) == (7, "roster-invalid")


# -- aftercare ---------------------------------------------------------------------------------------------


def test_the_directions_of_the_newest_treatment(cli: Call, store: Path) -> None:
    result = cli("aftercare")
    assert result.code == 0
    assert "Patient: P-1   Treated on: 20 Nov 2026" in result.out
    assert "Until Mon 23 Nov, 12:00: no sun on the treated skin." in result.out
    assert "SIMULATED" not in result.out


def test_the_page_in_german(cli: Call, store: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = cli("aftercare", "2026", "--language", "de", "--html", page)
    assert (result.code, result.out) == (0, f"{page}\n")
    assert "Bis Mo, 23. November, 12:00 Uhr: keine Sonne" in page.read_text(encoding="utf-8")
    again = cli("aftercare", "2026", "--html", page)
    assert again.code == 2
    assert "is there already" in again.err
    nowhere = cli("aftercare", "2026", "--html", tmp_path / "none" / "page.html", "--json")
    assert (nowhere.code, nowhere.error["code"]) == (7, "page-unwritable")


def test_the_directions_as_json(cli: Call, store: Path) -> None:
    found = cli("aftercare", "--language", "de", "--json").json
    assert (found["language"], found["reviewed"], found["file"]) == ("de", False, None)
    assert len(found["directions"]) == 8


def test_before_needling_has_ended_there_are_no_dates(cli: Call, store: Path) -> None:
    begin(store, "20261122-cccccc", needled=False)
    result = cli("aftercare")
    assert result.code == 2
    assert "needling has not ended in treatment 20261122-cccccc" in result.err


def test_a_template_of_the_clinic(
    cli: Call, store: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = own_home / "config.toml"
    config.write_text("")
    monkeypatch.setenv("PENSTROKE_CONFIG", str(config))
    (own_home / "aftercare").mkdir()
    own = 'format = 1\ntitle = "Ours"\nintro = "Do so."\n'
    own += '[[direction]]\ntext = "Until {until}: rest."\ndays = 1\n'
    (own_home / "aftercare" / "ours.toml").write_text(own)
    assert "Until Sat 21 Nov: rest." in cli("aftercare", "--template", "ours").out
    unknown = cli("aftercare", "--template", "theirs")
    assert unknown.code == 2
    assert "there are standard, ours" in unknown.err
    (own_home / "aftercare" / "ours.toml").write_text("format = 9")
    broken = cli("aftercare", "--json")
    assert (broken.code, broken.error["code"]) == (7, "template-invalid")


def test_a_store_without_treatments(cli: Call, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTROKE_STORE", str(own_home / "empty.db"))
    open_store(str(own_home / "empty.db")).close()
    result = cli("aftercare", "--json")
    assert (result.code, result.error["code"]) == (2, "record-unknown")
    assert cli("followup", "list", "--json").json["follow_ups"] == []
