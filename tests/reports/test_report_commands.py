"""`records report` and `records export`, on a store with a treatment, and on one that was just recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from reportentries import TREATMENT, Chain, treatment

from penstroke.cli.main import main
from penstroke.cli.store import open_records
from penstroke.errors import RecordError
from penstroke.records.entry import Draft, Entry
from penstroke.records.store import open_store
from penstroke.reports import pdf

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass
class Result:
    """What one call left."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.err.splitlines()[-1])["error"]
        return found


Call = Callable[..., Result]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*args: object) -> Result:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture
def store(own_home: Path) -> Path:
    """The default store, with one treatment."""
    path = own_home / ".local" / "share" / "penstroke" / "records.sqlite"
    keep(path, treatment(seconds=2))
    return path


def keep(path: Path, entries: list[Entry]) -> None:
    names = [field.name for field in fields(Draft)]
    with open_store(path) as opened:
        opened.append([Draft(**{name: getattr(entry, name) for name in names}) for entry in entries])


def entries_of(store: Path, kind: str) -> list[Entry]:
    with open_store(store, readonly=True) as opened:
        return list(opened.entries(kinds=[kind]))


# -- report ----------------------------------------------------------------------------------------------


def test_the_page_goes_to_stdout(cli: Call, store: Path) -> None:
    result = cli("records", "report", TREATMENT[:9])
    assert result.code == 0
    assert result.out.startswith("<!DOCTYPE html>")
    assert "P-2041" in result.out


def test_a_report_goes_on_record_with_the_head_at_its_foot(cli: Call, store: Path) -> None:
    with open_store(store, readonly=True) as opened:
        head = opened.head()
    out = store.parent / "report.html"
    result = cli("records", "report", TREATMENT, "--out", out)
    assert (result.code, result.out) == (0, "")
    assert f"{head.number}:{head.digest}" in out.read_text()
    (noted,) = entries_of(store, "report")
    assert noted.body == {"format": "html", "number": head.number, "head": head.digest}
    assert noted.treatment == TREATMENT
    again = cli("records", "verify", "--head", f"{head.number}:{head.digest}")
    assert again.code == 0


def test_a_second_report_has_a_later_head(cli: Call, store: Path) -> None:
    for name in ("one", "two"):
        assert cli("records", "report", TREATMENT, "--out", store.parent / name).code == 0
    one, two = entries_of(store, "report")
    assert two.body["number"] == one.number


def test_a_pdf_goes_to_a_file(cli: Call, store: Path) -> None:
    out = store.parent / "report.pdf"
    result = cli("--json", "records", "report", TREATMENT, "--format", "pdf", "--lang", "de", "--out", out)
    assert result.code == 0
    assert out.read_bytes().startswith(b"%PDF")
    assert out.stat().st_mode & 0o777 == 0o600
    told = json.loads(result.out)
    assert (told["format"], told["lang"], told["simulated"]) == ("pdf", "de", True)
    (noted,) = entries_of(store, "report")
    assert told["entry"] == noted.number
    assert told["head"] == f"{noted.body['number']}:{noted.body['head']}"


@pytest.mark.parametrize("args", [["--format", "pdf"], ["--json"]])
def test_what_is_no_text_needs_a_file(cli: Call, store: Path, args: list[str]) -> None:
    result = cli("records", "report", TREATMENT, *args)
    assert (result.code, result.out) == (2, "")
    assert "--out FILE" in result.err
    assert entries_of(store, "report") == []


@pytest.mark.parametrize("command", [["report"], ["export", "--format", "json"]])
def test_nothing_is_written_over(cli: Call, store: Path, command: list[str]) -> None:
    out = store.parent / "there.html"
    out.write_text("mine")
    result = cli("--json", "records", *command, TREATMENT, "--out", out)
    assert result.code == 2
    assert result.error["code"] == "output-exists"
    assert out.read_text() == "mine"
    assert entries_of(store, "report") == []


def test_a_file_that_cannot_be_made_is_told(cli: Call, store: Path) -> None:
    result = cli(
        "--json", "records", "export", TREATMENT, "--format", "csv", "--out", store.parent / "no" / "a.csv"
    )
    assert result.code == 2
    assert result.error["code"] == "output-unwritable"


def test_without_typst_it_is_said_what_to_install(
    cli: Call, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "typst", None)
    out = store.parent / "report.pdf"
    result = cli("--json", "records", "report", TREATMENT, "--format", "pdf", "--out", out)
    assert result.code == 2
    assert result.error["code"] == "report-needs-typst"
    assert "penstroke[report]" in result.error["hint"]
    assert not out.exists()


def test_what_typst_cannot_set_is_told(cli: Call, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = store.parent / "broken.typ"
    broken.write_text("#nothing-of-this-name")
    monkeypatch.setattr(pdf, "_TEMPLATE", broken)
    result = cli("--json", "records", "report", TREATMENT, "--format", "pdf", "--out", store.parent / "r.pdf")
    assert result.code == 2
    assert result.error["code"] == "report-failed"


def test_a_store_that_can_only_be_read_has_reports_too(
    cli: Call, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def archive(app: Any, *, readonly: bool = False) -> Any:
        if not readonly:
            raise RecordError("it can only be read", code="record-read-only")
        return open_records(app, readonly=True)

    monkeypatch.setattr("penstroke.cli.commands.report.open_records", archive)
    result = cli("records", "report", TREATMENT)
    assert result.code == 0
    assert result.out.startswith("<!DOCTYPE html>")
    assert "not on record" in result.err


@pytest.mark.parametrize("command", [["report"], ["export", "--format", "csv"]])
def test_no_such_treatment_and_no_such_store(cli: Call, store: Path, command: list[str]) -> None:
    out = store.parent / "out"
    result = cli("--json", "records", *command, "2020", "--out", out)
    assert (result.code, result.error["code"]) == (2, "record-unknown")
    missing = store.parent / "none.sqlite"
    result = cli("--json", "records", *command, TREATMENT, "--store", missing, "--out", out)
    assert (result.code, result.error["code"]) == (8, "record-missing")
    assert not missing.exists()
    assert not out.exists()


# -- export ----------------------------------------------------------------------------------------------


def test_json_goes_to_stdout_and_to_a_file_alike(cli: Call, store: Path) -> None:
    out = store.parent / "export.json"
    shown = cli("records", "export", TREATMENT, "--format", "json")
    assert cli("records", "export", TREATMENT, "--format", "json", "--out", out).code == 0
    assert shown.out == out.read_text()
    assert json.loads(shown.out)["treatment"] == TREATMENT
    assert entries_of(store, "report") == [], "an export is no witness"


def test_csv_has_its_columns(cli: Call, store: Path) -> None:
    result = cli("records", "export", TREATMENT, "--format", "csv")
    assert result.out.splitlines()[0].startswith("entry,utc,port_s,")


def test_a_table_is_no_json(cli: Call, store: Path) -> None:
    assert cli("--json", "records", "export", TREATMENT, "--format", "csv").code == 2
    out = store.parent / "export.csv"
    result = cli("--json", "records", "export", TREATMENT, "--format", "csv", "--out", out)
    assert json.loads(result.out)["bytes"] == out.stat().st_size


def test_fhir_of_a_bench_run_is_refused(cli: Call, own_home: Path) -> None:
    chain = Chain(simulated=True, operator="A")
    chain.add("opened", patient=None, plan=None, plan_file=None, penstroke="0", token="0", bench="gauge")
    path = own_home / "bench.sqlite"
    keep(path, chain.entries)
    result = cli("--json", "records", "export", TREATMENT, "--format", "fhir", "--store", path)
    assert result.code == 2
    assert "bench run" in result.error["message"]


# -- a treatment as it is recorded today -------------------------------------------------------------------


def test_a_treatment_from_its_first_question_to_its_report(cli: Call, own_home: Path) -> None:
    """Holds the rooms together: whatever a step records under another name would be missing here."""
    args = [
        "--roster",
        EXAMPLES / "roster.toml",
        "--operator",
        "Dr. Ada Example",
        "--patient",
        "P-7",
        "--yes",
    ]
    plan, answers = EXAMPLES / "demo.yaml", EXAMPLES / "answers.yaml"
    port = "sim://pen?clock=virtual&seed=1"
    done = cli("--port", port, "treat", plan, *args, "--answers", answers)
    assert done.code == 0, done.err
    (row,) = json.loads(cli("--json", "records", "list").out)["records"]
    page = cli("records", "report", row["id"]).out
    for text in (
        "P-7",
        "Dr. Ada Example",
        "cheek, left",
        "0.60–0.75",
        "pinpoint-bleeding",
        "numbing cream of the clinic",
        "lidocaine 4 %",
        "3 g",
        "hyaluronic acid serum",
        "HA-2231",
        "do not touch the treated skin",
        "SIMULATED",
    ):
        assert text in page, text
    assert "No faults, no overrides, no refusals." in page
    told = json.loads(cli("records", "export", row["id"], "--format", "fhir").out)
    read = Bundle.model_validate(told)
    kinds = [entry.resource.__class__.__name__ for entry in read.entry or []]
    assert (kinds.count("MedicationAdministration"), kinds.count("QuestionnaireResponse")) == (2, 1)
    assert kinds.count("BodyStructure") == 3
