"""One entry: its canonical JSON, its digest, its place."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordtools import draft

from penstroke.records.entry import NO_DIGEST, Entry, canonical, parsed, plain, treatment_id, utc_label

TEXTS = st.text(st.characters(), max_size=20)  # halves of surrogate pairs included
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def test_the_canonical_form_is_this_one() -> None:
    value = {"b": [1, 1.0, True, None], "a": {"z": "µ", "y": -0.5}, "ä": 'say "no"\n'}
    text = '{"a":{"y":-0.5,"z":"µ"},"b":[1,1.0,true,null],"ä":"say \\"no\\"\\n"}'
    assert canonical(value) == text.encode("utf-8")


def test_an_entry_is_hashed_like_this() -> None:
    """Any program that follows the page on records gets the same digest."""
    entry = draft("held", depth_mm=0.5).placed(7, "ab" * 32)
    content = (
        '{"body":{"depth_mm":0.5},"device_ms":1500,"device_serial":"PS1-0042","firmware":"1.2.3","kind":"held",'
        '"number":7,"operator":"A. Berg","port_s":1.5,"previous":"' + "ab" * 32 + '","simulated":true,'
        '"treatment":"20261123-abcdef","utc":"2026-11-23T12:00:00.000Z"}'
    )
    assert entry.content().decode() == content
    assert entry.digest == hashlib.sha256(content.encode()).hexdigest()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {"deep": [math.nan]}])
def test_only_finite_numbers(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical(value)


def test_what_is_no_json_is_no_entry() -> None:
    with pytest.raises(TypeError):
        canonical({"at": datetime.date(2026, 11, 23)})


@given(VALUES)
def test_what_is_written_reads_back_the_same(value: Any) -> None:
    text = canonical(value).decode("utf-8")
    assert json.loads(text) == value
    assert canonical(json.loads(text)).decode("utf-8") == text


@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.integers(1, 2**40))
def test_an_entry_reads_back_as_itself(body: dict[str, Any], number: int) -> None:
    entry = draft("step", **plain({"told": body})).placed(number, NO_DIGEST)
    again = Entry.read(entry.content().decode("utf-8"), entry.digest)
    assert again == entry
    assert again.content() == entry.content()
    assert again.to_json() == {**parsed(entry.content().decode("utf-8")), "digest": entry.digest}


@given(st.integers(0, 255), st.data())
def test_no_two_entries_have_one_digest(byte: int, data: st.DataObject) -> None:
    """Any single byte of the text counts."""
    entry = draft("held", depth_mm=0.5).placed(7, NO_DIGEST)
    content = bytearray(entry.content())
    at = data.draw(st.integers(0, len(content) - 1))
    if content[at] == byte:
        return
    content[at] = byte
    assert hashlib.sha256(content).hexdigest() != entry.digest


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"number":1}',
        "[" * 100_000,
        draft().placed(1, NO_DIGEST).content().decode().replace('"number":1', '"number":true'),
        draft().placed(1, NO_DIGEST).content().decode().replace('"number":1', '"number":"1"'),
        draft().placed(1, NO_DIGEST).content().decode().replace('"body":{}', '"body":[]'),
        draft().placed(1, NO_DIGEST).content().decode().replace('"kind"', '"kin"'),
    ],
)
def test_a_text_that_is_no_entry_is_refused(content: str) -> None:
    with pytest.raises(ValueError):
        Entry.read(content, NO_DIGEST)


def test_a_treatment_is_named_by_its_day_and_its_token() -> None:
    late = datetime.datetime(2026, 11, 24, 0, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    assert treatment_id(late, 0x00ABCDEF01234567) == "20261123-00abcd"


def test_labels_are_utc_to_the_millisecond() -> None:
    at = datetime.datetime(2026, 11, 23, 15, 3, 5, 123_999, datetime.timezone(datetime.timedelta(hours=1)))
    assert utc_label(at) == "2026-11-23T14:03:05.123Z"
