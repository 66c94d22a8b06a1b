"""Verification of a chain, purely: what is whole is found whole, what is not is found, and where."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordtools import draft

from penstroke.records.chain import ChainReport, Row, verify_chain
from penstroke.records.entry import NO_DIGEST, Entry, Head, Witness

LENGTH = 12


def row(entry: Entry) -> Row:
    return Row(entry.number, entry.treatment, entry.kind, entry.content().decode(), entry.digest)


def chained(count: int, **body: Any) -> list[Entry]:
    entries: list[Entry] = []
    previous = NO_DIGEST
    for number in range(1, count + 1):
        entries.append(draft("command", count=number, **body).placed(number, previous))
        previous = entries[-1].digest
    return entries


ENTRIES = chained(LENGTH)
ROWS = [row(entry) for entry in ENTRIES]
ALL = [Witness("memory", entry.number, entry.digest) for entry in ENTRIES]


def told(report: ChainReport) -> list[tuple[str, int, int]]:
    return [(one.what, one.first, one.last) for one in report.findings]


def renumbered(rows: list[Row]) -> list[Row]:
    return [one._replace(number=number) for number, one in enumerate(rows, 1)]


def rechained(entries: list[Entry], at: int, **body: Any) -> list[Row]:
    """With entry `at` telling something else, and all digests from there on made anew."""
    rows = [row(entry) for entry in entries[: at - 1]]
    previous = entries[at - 1].previous
    for entry in entries[at - 1 :]:
        told = {"count": entry.number, **(body if entry.number == at else {})}
        forged = draft("command", **told).placed(entry.number, previous)
        previous = forged.digest
        rows.append(row(forged))
    return rows


@pytest.mark.req("S-15")
@given(st.integers(1, 40), st.lists(st.integers(1, 40)))
def test_a_whole_chain_has_no_findings(count: int, remembered: list[int]) -> None:
    entries = chained(count)
    witnesses = [Witness("w", number, entries[number - 1].digest) for number in remembered if number <= count]
    report = verify_chain(map(row, entries), witnesses)
    assert report.findings == []
    assert (report.entries, report.head) == (count, Head(count, entries[-1].digest))
    assert report.witnessed == max((witness.number for witness in witnesses), default=0)


def test_no_entry_at_all_is_a_finding() -> None:
    assert told(verify_chain([])) == [("missing", 1, 1)]
    assert told(verify_chain([], ALL)) == [("missing", 1, 1), ("cut", 1, LENGTH)]


@pytest.mark.req("S-15")
@given(st.data())
def test_any_change_of_a_row_is_found_there(data: st.DataObject) -> None:
    at = data.draw(st.integers(1, LENGTH))
    one = ROWS[at - 1]
    field = data.draw(st.sampled_from(["treatment", "kind", "content", "digest"]))
    value: Any = data.draw(st.none() | st.text(max_size=8) | st.integers() | st.binary(max_size=4))
    if field in ("content", "digest") and data.draw(st.booleans()):
        text = getattr(one, field)
        place = data.draw(st.integers(0, len(text) - 1))
        value = (
            text[:place] + data.draw(st.characters(min_codepoint=32, max_codepoint=0x3FF)) + text[place + 1 :]
        )
    if value == getattr(one, field):
        return
    rows = [*ROWS[: at - 1], one._replace(**{field: value}), *ROWS[at:]]
    report = verify_chain(rows)
    assert report.findings
    assert all(finding.first <= at <= finding.last for finding in report.findings)


@pytest.mark.req("S-15")
@given(st.integers(1, LENGTH - 1), st.dictionaries(st.text(max_size=5), st.integers(), min_size=1))
def test_a_changed_entry_with_a_digest_that_fits_it_is_found(at: int, body: dict[str, Any]) -> None:
    forged = rechained(ENTRIES, at, body=body)[at - 1]
    report = verify_chain([*ROWS[: at - 1], forged, *ROWS[at:]])
    assert told(report) == [("changed", at, at + 1)]


@pytest.mark.req("S-15")
@given(st.integers(1, LENGTH), st.integers(1, 4))
def test_missing_entries_are_counted(first: int, count: int) -> None:
    last = min(first + count - 1, LENGTH)
    rows = ROWS[: first - 1] + ROWS[last:]
    expected = [("missing", first, last)]
    assert (
        told(verify_chain(rows, ALL)) == (expected if last < LENGTH or first == 1 else []) or last == LENGTH
    )
    if last == LENGTH > first > 1:
        assert told(verify_chain(rows, ALL)) == [("cut", first, last)]
        assert told(verify_chain(rows)) == []  # the chain alone cannot know
    elif last < LENGTH:
        assert told(verify_chain(rows)) == expected
        # Numbered on without a gap, they are missing all the same.
        assert told(verify_chain(renumbered(rows))) == expected


@pytest.mark.req("S-15")
@given(st.integers(1, LENGTH), st.integers(1, LENGTH), st.booleans())
def test_an_entry_put_in_between_is_found(at: int, copied: int, linked: bool) -> None:
    extra = ROWS[copied - 1]
    if linked:
        previous = ENTRIES[at - 2].digest if at > 1 else NO_DIGEST
        extra = row(draft("command", count=0).placed(at, previous))
    rows = renumbered([*ROWS[: at - 1], extra, *ROWS[at - 1 :]])
    findings = told(verify_chain(rows))
    assert ("inserted", at, at) in findings or (not linked and copied in (at - 1, at))
    assert any(first - 1 <= at <= last + 1 for _, first, last in findings)


@pytest.mark.req("S-15")
@given(st.lists(st.integers(1, LENGTH), min_size=2, max_size=2, unique=True))
def test_two_entries_that_changed_places_are_named(pair: list[int]) -> None:
    one, two = sorted(pair)
    rows = list(ROWS)
    rows[one - 1], rows[two - 1] = ROWS[two - 1], ROWS[one - 1]
    assert told(verify_chain(renumbered(rows))) == [("swapped", one, two)]


@pytest.mark.req("S-15")
@given(st.permutations(range(LENGTH)))
def test_any_other_order_is_found(order: list[int]) -> None:
    report = verify_chain(renumbered([ROWS[index] for index in order]))
    moved = {place for place, index in enumerate(order, 1) if index + 1 != place}
    assert bool(report.findings) == bool(moved)
    assert {place for one in report.findings for place in (one.first, one.last)} == moved


@pytest.mark.req("S-15")
@given(st.integers(1, LENGTH), st.sets(st.integers(1, LENGTH)))
def test_a_chain_written_anew_is_found_by_the_first_witness_behind(at: int, remembered: set[int]) -> None:
    rows = rechained(ENTRIES, at, depth_mm=0.1)
    report = verify_chain(rows, [ALL[number - 1] for number in remembered])
    behind = [number for number in remembered if number >= at]
    before = [number for number in remembered if number < at]
    assert report.witnessed == max(before, default=0)
    if behind:
        assert told(report) == [("rewritten", max(before, default=0) + 1, min(behind))]
    else:
        assert report.findings == []
        assert report.head.number > report.witnessed  # and that is said aloud


@pytest.mark.req("S-15")
@given(st.integers(1, LENGTH - 1), st.sets(st.integers(1, LENGTH)))
def test_a_cut_end_is_found_back_to_the_last_witness(left: int, remembered: set[int]) -> None:
    report = verify_chain(ROWS[:left], [ALL[number - 1] for number in remembered])
    latest = max(remembered, default=0)
    assert told(report) == ([("cut", left + 1, latest)] if latest > left else [])


def test_a_head_may_be_given_by_its_first_digits() -> None:
    short = Witness("report", 5, ENTRIES[4].digest[:16])
    assert verify_chain(ROWS, [short]).witnessed == 5
    assert told(verify_chain(ROWS, [Witness("report", 5, "0" * 16)])) == [("rewritten", 1, 5)]


def test_witnesses_that_contradict_each_other_are_told_of() -> None:
    report = verify_chain(ROWS, [ALL[8], Witness("another", 4, "f" * 64)])
    assert told(report) == [("rewritten", 1, 4)]
    assert "another remembers another entry 4" in report.findings[0].message


def test_of_a_thousand_findings_the_first_are_told() -> None:
    rows = [one._replace(digest="x") for one in map(row, chained(500))]
    report = verify_chain(rows)
    assert len(report.findings) == 100
    assert report.more == 400


@pytest.mark.parametrize("content", ["", "null", "[" * 50_000, '{"number":3}', None, 7, b"\xff", "\udcff"])
def test_what_is_no_entry_is_found(content: Any) -> None:
    from penstroke.records.entry import digest_of

    digest = digest_of(content.encode("utf-8", "replace")) if isinstance(content, str) else "x"
    rows = [*ROWS[:2], ROWS[2]._replace(content=content, digest=digest), *ROWS[3:]]
    assert ("changed", 3, 3) in told(verify_chain(rows))
