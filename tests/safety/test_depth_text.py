"""Depths and rates as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstroke.safety import Refusal, depth_um_from_text, hz, mm, mm_from_um, rate_hz_from_text


@pytest.mark.parametrize(
    ("text", "depth_um"),
    [
        ("0.3", 300),
        ("0,3", 300),
        ("0.30", 300),
        ("0,300", 300),
        ("1", 1000),
        ("1.0", 1000),
        ("1.000", 1000),
        (" 0.25 ", 250),
        ("0.325", 325),
        ("0", 0),
        ("300", 300_000),
        ("0.1230000", 123),
    ],
)
def test_depths_that_are_plain(text: str, depth_um: int) -> None:
    assert depth_um_from_text(text) == depth_um


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "blank"),
        ("   ", "blank"),
        ("05", "leading zero"),
        ("00.5", "leading zero"),
        ("1,000", "thousands"),
        ("12,500", "thousands"),
        ("1.000.000", "more than one decimal sign"),
        ("1,000.5", "more than one decimal sign"),
        ("1e-1", "exponent"),
        ("3E2", "exponent"),
        ("0.3mm", "unit"),
        ("0.3 mm", "unit"),
        ("300um", "unit"),
        ("-0.3", "sign"),
        ("+0.3", "sign"),
        (".5", "not a number"),
        ("5.", "not a number"),
        ("nan", "not a number"),
        ("inf", "not a number"),
        ("0x10", "not a number"),
        ("0_3", "not a number"),
        ("٠.٣", "not a number"),
        ("½", "not a number"),
        ("0.3005", "finer than a micrometre"),
        ("1" * 40, "too long"),
        ("99999", "no depth"),
        (None, "not text"),
        (0.3, "not text"),
        (b"0.3", "not text"),
    ],
)
def test_depths_that_are_refused(text: object, says: str) -> None:
    verdict = depth_um_from_text(text)
    assert isinstance(verdict, Refusal)
    assert verdict.codes == ("depth-invalid",)
    assert says in verdict.reasons[0].message
    assert verdict.reasons[0].hint == "write it in mm like 0.3"


def test_rates() -> None:
    assert rate_hz_from_text("116,7") == Decimal("116.7")
    assert rate_hz_from_text("110") == Decimal(110)
    refused = rate_hz_from_text("7000rpm")
    assert isinstance(refused, Refusal)
    assert refused.codes == ("rate-invalid",)


@pytest.mark.req("S-03")
@settings(max_examples=300)
@given(st.text(max_size=12) | st.from_regex(r"[0-9.,e+\- ]{0,9}", fullmatch=True))
def test_any_text_gets_an_answer(text: str) -> None:
    answer = depth_um_from_text(text)
    if not isinstance(answer, Refusal):
        # What was taken is what was written, to the micrometre.
        assert Decimal(text.strip().replace(",", ".")) * 1000 == answer


@given(st.integers(0, 9999))
def test_shown_and_read_again(depth_um: int) -> None:
    assert depth_um_from_text(mm(depth_um)) == depth_um
    assert mm_from_um(depth_um) * 1000 == depth_um


def test_shown_for_people() -> None:
    assert [mm(300), mm(325), mm(2000), mm(5)] == ["0.30", "0.325", "2.00", "0.005"]
    assert [hz(1100), hz(1167)] == ["110.0", "116.7"]
