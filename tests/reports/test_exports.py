"""The exports as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from reportentries import OPERATOR, TREATMENT, Chain, treatment

from penstroke.records.entry import Entry
from penstroke.reports.exports import COLUMNS, csv_export, json_export

DOC = Path(__file__).resolve().parents[2] / "docs" / "reports.md"


def rows(entries: list[Entry]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_export(entries), newline="")))


# -- JSON --------------------------------------------------------------------------------------------------


def test_json_holds_every_entry_as_it_stands(entries: list[Entry]) -> None:
    told = json.loads(json_export(entries))
    assert told["entries"] == [entry.to_json() for entry in entries]
    assert (told["format"], told["version"], told["treatment"]) == ("penstroke-treatment", 1, TREATMENT)
    assert told["simulated"] is True


def test_json_can_be_checked_without_this_program(entries: list[Entry]) -> None:
    """As docs/reports.md says: sorted keys, no spaces, SHA-256 of everything but the digest."""
    previous = "0" * 64
    for entry in json.loads(json_export(entries))["entries"]:
        digest = entry.pop("digest")
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert sha256(text.encode()).hexdigest() == digest
        assert entry["previous"] == previous
        previous = digest


def test_json_is_canonical(entries: list[Entry]) -> None:
    made = json_export(entries)
    told = json.loads(made)
    assert (
        made == json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    )


@pytest.mark.parametrize("text", ["\ud800", "\x00\u2028", "漢字"])
def test_json_of_any_text_is_utf8(text: str) -> None:
    made = json_export(treatment(hostile=text, seconds=1))
    assert json.loads(made.decode("utf-8"))["entries"][0]["operator"] == OPERATOR + text


# -- CSV ---------------------------------------------------------------------------------------------------


def test_csv_has_a_line_for_each_entry(entries: list[Entry]) -> None:
    told = rows(entries)
    assert len(told) == len(entries)
    assert [int(row["entry"]) for row in told] == [entry.number for entry in entries]
    assert all(set(row) == {column.name for column in COLUMNS} for row in told)
    assert csv_export(entries).endswith("\r\n")


def test_a_reading_stands_in_its_place(entries: list[Entry]) -> None:
    sample = next(entry for entry in entries if entry.kind == "sample")
    row = next(row for row in rows(entries) if row["kind"] == "sample")
    body: dict[str, Any] = sample.body
    for name in (
        "elapsed_s",
        "depth_mm",
        "depth_min_mm",
        "rate_max_hz",
        "strokes",
        "temperature_c",
        "battery_pct",
    ):
        assert float(row[name]) == body[name], name
    assert (row["needles_out"], row["motor_on"], row["simulated"]) == ("1", "1", "1")
    assert (row["zone"], row["side"], row["pass"]) == ("forehead", "", "1")
    assert (row["set_depth_mm"], row["set_rate_hz"], row["limit_mm"]) == ("0.25", "110.0", "0.375")
    assert row["details"] == ""


def test_an_act_tells_all_it_says(entries: list[Entry]) -> None:
    told = rows(entries)
    override = next(row for row in told if row["kind"] == "override")
    assert override["what"] == "hard-ceiling"
    assert json.loads(override["details"])["reason"] == "deep scar, seen and agreed"
    assert next(row for row in told if row["kind"] == "fault")["what"] == "over-current"
    assert {row["what"] for row in told if row["kind"] == "command"} == {
        "select-zone",
        "set-rate",
        "set-depth",
        "run",
    }


def test_a_run_in_the_air_has_its_depth_and_no_zone() -> None:
    chain = Chain(simulated=True, operator="A")
    chain.add("command", command="run", zone="chin", side=None, depth_mm=0.8, rate_hz=110.0, for_s=3.0)
    (row,) = rows(chain.entries)
    assert (row["zone"], row["pass"], row["set_depth_mm"], row["set_rate_hz"]) == ("", "", "0.8", "110.0")


def test_a_new_zone_forgets_the_depth_of_the_last() -> None:
    told = [row for row in rows(treatment(seconds=1)) if row["kind"] == "zone"]
    assert [(row["zone"], row["set_depth_mm"], row["pass"]) for row in told] == [
        ("forehead", "", ""),
        ("cheek", "", ""),
        ("cheek", "", ""),
        ("periorbital", "", ""),
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_text_becomes_a_formula(text: str) -> None:
    chain = Chain(simulated=True, operator=text)
    chain.add("opened", patient=text)
    (row,) = rows(chain.entries)
    assert row["operator"] == f"'{text}"


@pytest.mark.parametrize("text", ["a,b\"c'", "line\nbreak", "\ud800", "漢字"])
def test_any_text_stays_in_its_field(text: str) -> None:
    told = rows(treatment(hostile=text, seconds=1))
    assert {row["operator"] for row in told} == {(OPERATOR + text).encode("utf-8", "replace").decode()}


def test_every_column_is_documented() -> None:
    listed = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*) \|$", DOC.read_text(), re.M)
    assert [(name, unit.strip(), meaning.strip()) for name, unit, meaning in listed] == [
        (column.name, column.unit or "–", column.meaning) for column in COLUMNS
    ]


def test_a_name_says_its_unit() -> None:
    endings = {"_s": "s", "_ms": "ms", "_mm": "mm", "_hz": "Hz", "_ma": "mA", "_c": "°C", "_pct": "%"}
    for column in COLUMNS:
        ending = next((end for end in endings if column.name.endswith(end)), None)
        assert column.unit == (endings[ending] if ending else column.unit)
