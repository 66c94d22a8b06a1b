"""`records`: lists, shows, verifies and corrects, on a store with two treatments."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from clitools import CLINICIAN, OPERATOR, ROSTER, Result

from penstroke.records.recorder import Recorder
from penstroke.records.store import open_store
from penstroke.records.witness import WitnessFile

Call = Callable[..., Result]
ONE, TWO = "20261123-aaaaaa", "20261123-bbbbbb"


@pytest.fixture
def witness(own_home: Path) -> Path:
    """Where the witness file lies, unless another is named."""
    return own_home / ".config" / "penstroke" / "records.witness"


@pytest.fixture(autouse=True)
def roster(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Those who work there."""
    monkeypatch.setenv("PENSTROKE_ROSTER", str(ROSTER))
    return ROSTER


@pytest.fixture
def store(own_home: Path, witness: Path) -> Path:
    """The default store, with a treatment that was finished and one that was not."""
    path = own_home / ".local" / "share" / "penstroke" / "records.sqlite"
    plan = {"title": "Small", "zones": [{}, {}]}
    with open_store(path) as opened:
        heads = [WitnessFile(witness, opened.store_id())]
        with Recorder(opened, treatment=ONE, operator="A. Berg", witnesses=heads) as recorder:
            recorder.write("opened", patient="P-17", plan=plan)
            recorder.bind(lambda: 0, simulated=True, serial="PS1-0042", firmware="1")
            recorder.write("step", step="numbing", state="done", answers={"product": "EMLA", "grams": 5})
            recorder.write("held", depth_mm=0.5)
            recorder.write("sample", depth_mm=0.5)
            recorder.write("zone-done", index=1, zone="cheek", side="left", state="done", endpoint=None)
            recorder.write("closed", ended="finished", code=None)
        with Recorder(opened, treatment=TWO, operator="A. Berg", witnesses=heads) as recorder:
            recorder.write("opened", patient="P-18", plan=plan, bench="a new cartridge lot")
    return path


def by_hand(store: Path, *statements: str) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        for statement in ("DROP TRIGGER entries_no_update", "DROP TRIGGER entries_no_delete", *statements):
            connection.execute(statement)


# -- list and show -------------------------------------------------------------------------------------------


def test_no_store_yet_is_no_error(cli: Call, own_home: Path) -> None:
    result = cli("records", "list")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("no treatments in ")
    assert cli("records", "list", "--json").json["records"] == []
    assert not (own_home / ".local").exists()


@pytest.mark.parametrize("command", [("list",), ("show", "x"), ("verify",)])
def test_a_store_that_was_named_and_is_not_there(cli: Call, tmp_path: Path, command: tuple[str, ...]) -> None:
    result = cli("records", *command, "--store", tmp_path / "none.sqlite", "--json")
    assert (result.code, result.error["code"]) == (8, "record-missing")


def test_the_list(cli: Call, store: Path) -> None:
    result = cli("records", "list", "--json").json
    assert result["store"] == str(store)
    first, second = result["records"]
    started = first.pop("started")
    assert started.endswith("Z")
    assert first == {
        "id": ONE,
        "operator": "A. Berg",
        "patient": "P-17",
        "plan": "Small",
        "bench": None,
        "zones": 2,
        "zones_done": 1,
        "simulated": True,
        "device_serial": "PS1-0042",
        "ended": "finished",
        "code": None,
    }
    assert (second["id"], second["ended"], second["bench"]) == (TWO, "open", "a new cartridge lot")
    shown = cli("records", "list").out
    assert "1/2" in shown
    assert "simulated" in shown
    assert "bench: a new cartridge lot" in shown


@pytest.mark.parametrize(
    ("ended", "code", "shown"),
    [
        ("error", "screening-blocks", "refused: screening-blocks"),
        ("error", "link-lost", "error: link-lost"),
        ("quit", None, "quit"),
    ],
)
def test_the_list_tells_with_what_it_ended(
    cli: Call, store: Path, ended: str, code: str | None, shown: str
) -> None:
    with open_store(store) as opened, Recorder(opened, treatment=TWO) as recorder:
        recorder.write("closed", ended=ended, code=code)
    assert cli("records", "list").out.splitlines()[-1].endswith(f"0/2    {shown}")
    row = cli("records", "list", "--json").json["records"][1]
    assert (row["ended"], row["code"]) == (ended, code)


def test_the_store_is_named_by_flag_environment_or_file(
    cli: Call, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere.sqlite"
    store.rename(elsewhere)
    assert cli("records", "list", "--json").json["records"] == []
    assert len(cli("records", "list", "--store", elsewhere, "--json").json["records"]) == 2
    assert len(cli("records", "list", "--store", f"sqlite:///{elsewhere}", "--json").json["records"]) == 2
    monkeypatch.setenv("PENSTROKE_STORE", str(elsewhere))
    assert len(cli("records", "list", "--json").json["records"]) == 2


def test_show(cli: Call, store: Path) -> None:
    shown = cli("records", "show", ONE).out
    assert "numbing" in shown
    assert "sample" not in shown
    result = cli("records", "show", ONE, "--json").json
    assert [entry["kind"] for entry in result["entries"]] == [
        *("opened", "step", "held", "sample", "zone-done", "closed")
    ]
    assert result["entries"][0]["digest"] == result["entries"][1]["previous"]


def test_the_beginning_of_an_id_is_enough_where_it_is_unique(cli: Call, store: Path) -> None:
    assert cli("records", "show", "20261123-a", "--json").json["id"] == ONE
    for wanted, code in (("2026", "record-ambiguous"), ("2027", "record-unknown"), ("%", "record-unknown")):
        result = cli("records", "show", wanted, "--json")
        assert (result.code, result.error["code"]) == (2, code)


@pytest.mark.parametrize("command", [("list",), ("show", "x"), ("verify",), ("correct", "x", "1", "k", "v")])
def test_what_is_no_store(cli: Call, tmp_path: Path, command: tuple[str, ...]) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text("zones: []\n")
    names = ("--by", "B", "--reason", "r") if command[0] == "correct" else ()
    result = cli("records", *command, *names, "--store", file, "--json")
    assert (result.code, result.error["code"]) == (8, "record-not-a-store")
    assert file.read_text() == "zones: []\n"


# -- verify --------------------------------------------------------------------------------------------------


@pytest.mark.req("S-15")
def test_a_whole_store(cli: Call, store: Path) -> None:
    result = cli("records", "verify")
    assert (result.code, result.err) == (0, "")
    assert result.out.endswith("\nwhole\n")
    told = cli("records", "verify", "--json").json
    assert (told["entries"], told["witnessed"], told["unwitnessed"]) == (8, 8, 0)
    assert (told["whole"], told["seal"], told["findings"]) == (True, "whole", [])


@pytest.mark.req("S-15")
def test_a_changed_entry_is_found(cli: Call, store: Path) -> None:
    by_hand(store, "UPDATE entries SET content = replace(content, '\"grams\":5', '\"grams\":4')")
    result = cli("records", "verify")
    assert result.code == 8
    assert "entry 3 is changed" in result.out
    assert "failed verification: entry 3 is changed" in result.err
    result = cli("records", "verify", "--json")
    error = result.error
    assert (error["code"], error["what"], error["first"], error["last"]) == (
        "record-tampered",
        "changed",
        3,
        3,
    )
    assert not result.json["whole"]
    result = cli("records", "show", ONE, "--json")
    assert (result.code, result.error["code"], result.error["number"]) == (8, "record-tampered", 3)


@pytest.mark.req("S-15")
def test_a_cut_end_is_found_by_the_witness(cli: Call, store: Path, witness: Path) -> None:
    by_hand(store, "DELETE FROM entries WHERE number > 5")
    Path(f"{store}.seal").unlink()
    result = cli("records", "verify", "--json")
    assert (result.code, result.error["what"], result.error["first"], result.error["last"]) == (
        8,
        "cut",
        6,
        8,
    )
    # Without triggers the store is altered in any case; what matters is what is said of the end.
    witness.unlink()
    result = cli("records", "verify")
    assert "cut" not in result.out
    assert "UNWITNESSED: no witness confirms any of the 5 entries" in result.err


@pytest.mark.req("S-15")
def test_an_unwitnessed_end_is_said_aloud_and_is_no_failure(cli: Call, store: Path, witness: Path) -> None:
    with open_store(store) as opened, Recorder(opened, treatment=TWO) as recorder:
        recorder.write("closed", ended="quit", code=None)
    result = cli("records", "verify")
    assert result.code == 0
    assert "UNWITNESSED: entry 9, written after the last witness" in result.err
    head = cli("records", "verify", "--json").json["head"]
    given = f"{head['number']}:{head['digest'][:20]}"
    assert cli("records", "verify", "--head", given).err == ""


@pytest.mark.req("S-15")
def test_a_head_from_a_report_is_a_witness(cli: Call, store: Path, witness: Path) -> None:
    witness.unlink()
    result = cli("records", "verify", "--head", f"7:{'0' * 64}", "--json")
    assert (result.code, result.error["what"], result.error["last"]) == (8, "rewritten", 7)
    result = cli("records", "verify", "--head", f"9:{'0' * 16}", "--json")
    assert (result.code, result.error["what"], result.error["first"]) == (8, "cut", 9)
    for wrong in ("7", "7:abc", f"0:{'0' * 64}", f"7:{'g' * 64}", "x"):
        assert cli("records", "verify", "--head", wrong).code == 2


def test_a_witness_that_cannot_be_read_is_said_aloud(
    cli: Call, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTROKE_WITNESS", str(tmp_path))
    result = cli("records", "verify")
    assert result.code == 0
    assert "cannot be read" in result.err
    assert "UNWITNESSED" in result.err


@pytest.mark.req("S-15")
def test_damage_that_the_seal_found_is_not_sealed_over(cli: Call, store: Path) -> None:
    whole = bytearray(store.read_bytes())
    whole[75] ^= 1
    store.write_bytes(whole)
    effect = ("--effect", "redness", "--grade", "mild", "--onset", "today", "--action", "none")
    effect = (*effect, "--by", OPERATOR)
    for _ in range(2):
        assert "seal       BROKEN" in cli("records", "verify").out
        result = cli("followup", "add", ONE, *effect, "--json")
        assert (result.code, result.error["code"]) == (8, "record-tampered")
    refused = cli("records", "acknowledge", "--by", "Nobody", "--reason", "r", "--json")
    assert (refused.code, refused.error["code"]) == (2, "person-unknown")
    assert cli("records", "acknowledge", "--by", OPERATOR, "--reason", " ").code == 2
    told = cli("records", "acknowledge", "--by", OPERATOR, "--reason", "a bad disk", "--json").json
    assert (told["entry"], told["by"], told["reason"]) == (9, OPERATOR, "a bad disk")
    assert cli("followup", "add", ONE, *effect).code == 0
    result = cli("records", "verify")
    assert (result.code, result.err) == (0, "")
    assert "known      entry 9: the file was changed after it was sealed" in result.out
    assert f"gone on with by {OPERATOR}: a bad disk" in result.out
    assert cli("records", "acknowledge", "--by", OPERATOR, "--reason", "again").code == 2


# -- correct -------------------------------------------------------------------------------------------------

BY = ("--by", CLINICIAN, "--reason", "a slip of the keyboard")


def test_a_correction_is_appended_and_hides_nothing(cli: Call, store: Path) -> None:
    result = cli("records", "correct", ONE, "3", "answers.grams", "4.5", *BY, "--json").json
    assert result == {"id": ONE, "entry": 9, "of": 3, "key": "answers.grams", "old": 5, "new": 4.5}
    assert (
        cli("records", "correct", "20261123-a", "3", "answers.grams", "4", *BY, "--json").json["old"] == 4.5
    )
    assert cli("records", "correct", ONE, "3", "answers.product", "12", *BY, "--json").json["new"] == "12"
    assert cli("records", "correct", ONE, "6", "endpoint", "erythema", *BY).out == (
        "entry 12 corrects entry 6: endpoint: null → erythema\n"
    )
    entries = cli("records", "show", ONE, "--json").json["entries"]
    assert entries[1]["body"]["answers"]["grams"] == 5
    assert entries[6]["body"] | {"key": ""} == {
        "of": 3,
        "key": "",
        "old": 5,
        "new": 4.5,
        "by": CLINICIAN,
        "reason": "a slip of the keyboard",
    }
    assert entries[6]["operator"] == CLINICIAN
    shown = cli("records", "show", ONE).out
    assert f"corrected by entry 9: answers.grams: 5 → 4.5 ({CLINICIAN}: a slip of the keyboard)" in shown
    assert cli("records", "verify").err == ""


def test_a_corrected_patient_is_listed_as_corrected(cli: Call, store: Path) -> None:
    assert cli("records", "correct", ONE, "2", "patient", "P-71", *BY).code == 0
    assert cli("records", "list", "--json").json["records"][0]["patient"] == "P-71"


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        ((ONE, "3", "answers.gram", "4"), "answers.grams"),
        ((ONE, "3", "answers.grams", "much"), "a plain number"),
        ((ONE, "3", "answers.grams", "NaN"), "a plain number"),
        ((ONE, "3", "answers.grams", "null"), "a plain number"),
        ((ONE, "3", "answers.grams", "0"), "a plain number"),
        ((ONE, "3", "answers", "{}"), "what a person said"),
        ((ONE, "3", "step", "consent"), "what a person said"),
        ((ONE, "3", "state", "blocked"), "what a person said"),
        ((ONE, "6", "state", "skipped"), "what a person said"),
        ((ONE, "6", "endpoint", "burnt"), "erythema"),
        ((ONE, "7", "ended", "quit"), "what a person said"),
        ((ONE, "2", "patient", "Mrs. Lind"), "no name"),
        ((ONE, "2", "plan.title", "Large"), "what a person said"),
        ((ONE, "4", "depth_mm", "0.1"), "what a person said"),
        ((ONE, "8", "patient", "P-1"), "records show"),
        ((TWO, "3", "answers.grams", "4"), "records show"),
        ((ONE, "99", "patient", "P-1"), "records show"),
        ((ONE, "0", "patient", "P-1"), ""),
        (("2027", "3", "answers.grams", "4"), "records list"),
    ],
)
def test_a_correction_that_makes_no_sense(cli: Call, store: Path, wanted: tuple[str, ...], hint: str) -> None:
    result = cli("records", "correct", *wanted, *BY, "--json")
    assert result.code == 2
    assert hint in result.error["hint"]
    assert cli("records", "verify", "--json").json["entries"] == 8


@pytest.mark.parametrize(
    "missing", [("--by", " ", "--reason", "r"), ("--by", "B", "--reason", ""), ("--by", "B")]
)
def test_a_correction_has_a_name_and_a_reason(cli: Call, store: Path, missing: tuple[str, ...]) -> None:
    assert cli("records", "correct", ONE, "3", "answers.grams", "4", *missing).code == 2


def test_who_corrects_is_of_the_roster(cli: Call, store: Path) -> None:
    by = ("--by", "Nobody Atall", "--reason", "r")
    result = cli("records", "correct", ONE, "3", "answers.grams", "4", *by, "--json")
    assert (result.code, result.error["code"]) == (2, "person-unknown")
    written = cli(
        *("records", "correct", ONE, "3", "answers.grams", "4", "--by", CLINICIAN.lower(), "--reason", "r")
    )
    assert written.code == 0
    assert cli("records", "show", ONE, "--json").json["entries"][-1]["body"]["by"] == CLINICIAN


def test_a_store_in_use_is_waited_for_a_while(
    cli: Call, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from penstroke.records import store as module

    real = module.open_store
    monkeypatch.setattr(module, "open_store", lambda *args, **named: real(*args, **named, busy_s=0.01))
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = cli("records", "correct", ONE, "3", "answers.grams", "4", *BY, "--json")
        assert (result.code, result.error["code"]) == (8, "record-in-use")
        assert cli("records", "list").code == 0
    assert cli("records", "correct", ONE, "3", "answers.grams", "4", *BY).code == 0


def test_what_is_printed_is_one_object(cli: Call, store: Path) -> None:
    told: list[Any] = [cli("records", *command, "--json").out for command in (("list",), ("verify",))]
    assert all(json.loads(one) for one in told)
