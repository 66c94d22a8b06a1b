"""A correction may put any value where a person wrote one. Whatever it is, the treatment can be reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st
from reportentries import TREATMENT, treatment

from penstroke.records.entry import Draft, Entry
from penstroke.records.summary import summary_of
from penstroke.reports.content import report_of
from penstroke.reports.exports import csv_export
from penstroke.reports.fhir import fhir_export
from penstroke.reports.html import html_report
from penstroke.reports.pdf import FONT, pdf_report

ENTRIES = treatment(seconds=1)
BY_HAND = {
    "opened",
    "step",
    "screened",
    "zone",
    "zone-done",
    "endpoint",
    "override",
    "cartridge",
    "follow-up",
}
BY_HAND |= {"check", "summary", "closed"}


def places(value: Any, path: str = "") -> Iterator[str]:
    """The path of everything within a body, whole branches included."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, f"{path}.{key}" if path else str(key))


TARGETS = [(entry.number, path) for entry in ENTRIES if entry.kind in BY_HAND for path in places(entry.body)]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["cheek left", "left", "2026-13-45", "none", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


def corrected(changes: list[tuple[tuple[int, str], Any]]) -> list[Entry]:
    entries = list(ENTRIES)
    for (of, key), new in changes:
        body = {"of": of, "key": key, "old": None, "new": new, "by": "B", "reason": "r"}
        draft = Draft(entries[-1].utc, TREATMENT, "correction", "B", None, None, None, None, None, body)
        entries.append(draft.placed(len(entries) + 1, entries[-1].digest))
    return entries


def test_there_is_much_to_correct() -> None:
    assert len(TARGETS) > 150


@settings(max_examples=120)
@given(changes=st.lists(st.tuples(st.sampled_from(TARGETS), VALUES), min_size=1, max_size=3))
def test_whatever_was_corrected_can_be_reported(changes: list[tuple[tuple[int, str], Any]]) -> None:
    entries = corrected(changes)
    summary = summary_of(entries)
    assert len(summary.corrections) == 1 + len(changes)
    html_report(report_of(summary, lang="de")).encode("utf-8")
    csv_export(entries)
    if summary.patient and not summary.bench:
        Bundle.model_validate(json.loads(fhir_export(summary)))


@pytest.mark.parametrize("value", ["x", None, [], {}, -1, 1e300, True])
def test_a_branch_of_another_kind_can_be_set_as_pdf(value: Any) -> None:
    firsts = [
        next(one for one in ENTRIES if one.kind == kind) for kind in ("opened", "screened", "cartridge")
    ]
    changes = [((entry.number, str(key)), value) for entry in firsts for key in entry.body]
    assert pdf_report(report_of(summary_of(corrected(changes)), font=FONT)).startswith(b"%PDF")
