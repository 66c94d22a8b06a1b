"""Exact edges of frames and fields: where one more or one less is another answer."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass, replace
from typing import Annotated

import pytest

from penstroke_protocol import messages as m
from penstroke_protocol.errors import BadFrame, BadPayload
from penstroke_protocol.fields import TEXT_BYTES, Wire, layout_of, pack, unpack
from penstroke_protocol.frames import MAX_FRAME_BYTES, MAX_MOTION_BYTES, encode


@dataclass(frozen=True, slots=True)
class Widths:
    """One field of every width, each as wide as it is."""

    u8: Annotated[int, Wire("u8", "", "")]
    u16: Annotated[int, Wire("u16", "", "")]
    u32: Annotated[int, Wire("u32", "", "")]
    u64: Annotated[int, Wire("u64", "", "")]
    i16: Annotated[int, Wire("i16", "", "")]


LAYOUT = layout_of(Widths)
LOWEST = Widths(0, 0, 0, 0, -(2**15))
HIGHEST = Widths(2**8 - 1, 2**16 - 1, 2**32 - 1, 2**64 - 1, 2**15 - 1)


def test_the_bounds_of_the_specification() -> None:
    assert (MAX_FRAME_BYTES, MAX_MOTION_BYTES, TEXT_BYTES) == (128, 20, 16)


@pytest.mark.parametrize("payload_bytes", [114, 200])
def test_a_frame_too_long_says_by_how_much(payload_bytes: int) -> None:
    with pytest.raises(BadFrame, match=f"{payload_bytes + 15} bytes, at most 128"):
        encode(m.Kind.REQUEST, 1, 1, 1, 1, b"\1" * payload_bytes)
    assert len(encode(m.Kind.REQUEST, 1, 1, 1, 1, b"\1" * 113)) == 128


def test_every_width_holds_all_its_values() -> None:
    for message in (LOWEST, HIGHEST):
        assert unpack(LAYOUT, Widths, pack(LAYOUT, message)) == message
    assert LAYOUT.narrow == ()
    assert LAYOUT.packer.size == 1 + 2 + 4 + 8 + 2


@pytest.mark.parametrize("name", Widths.__slots__)
@pytest.mark.parametrize("way", [-1, 1])
def test_one_more_than_a_width_holds_is_refused_in_words(name: str, way: int) -> None:
    edge = LOWEST if way < 0 else HIGHEST
    values = {one: getattr(edge, one) for one in Widths.__slots__}
    values[name] += way
    low, high = getattr(LOWEST, name), getattr(HIGHEST, name)
    with pytest.raises(BadPayload, match=f"{name} = {values[name]} is outside {low} to {high}$"):
        pack(LAYOUT, Widths(**values))


def test_a_field_needs_one_declaration_and_takes_the_annotation_that_is_one() -> None:
    @dataclass
    class Twice:
        one: Annotated[int, Wire("u8", "", ""), Wire("u8", "", "")]

    @dataclass
    class Never:
        one: int

    @dataclass
    class Once:
        one: Annotated[int, "a note", Wire("u8", "", ""), "another"]

    for wrong in (Twice, Never):
        with pytest.raises(TypeError, match=r"\.one needs exactly one Wire annotation"):
            layout_of(wrong)
    assert layout_of(Once).names == ("one",)


@pytest.mark.parametrize(("low", "high"), [(1, None), (None, 254), (0, 255), (None, None)])
def test_a_range_is_judged_where_it_is_narrower_than_the_width(low: int | None, high: int | None) -> None:
    whole, part = Wire("u8", "", ""), Wire("u8", "um", "", low, high)
    layout = layout_of(make_dataclass("Narrow", [("a", Annotated[int, whole]), ("b", Annotated[int, part])]))
    assert layout.narrow == (() if (low or 0, high or 255) == (0, 255) else ((1, low or 0, high or 255),))


@pytest.mark.parametrize(("kind", "width"), [("u8", 1), ("u16", 2), ("u32", 4), ("u64", 8), ("i16", 2)])
def test_the_width_of_a_number(kind: str, width: int) -> None:
    assert Wire(kind, "", "").width == width


def test_a_text_has_no_range() -> None:
    assert Wire("text", "", "").range == (0, 0)
    assert Wire("text", "", "").width == 16


@pytest.mark.parametrize("edge", [LOWEST, HIGHEST, Widths(1, 2, 3, 4, 5)])
@pytest.mark.parametrize("name", Widths.__slots__)
def test_only_the_field_that_is_wrong_is_named(edge: Widths, name: str) -> None:
    with pytest.raises(BadPayload, match=f"^{name} = None is outside"):
        pack(LAYOUT, replace(edge, **{name: None}))


def test_a_field_with_a_unit_is_told_with_it() -> None:
    with pytest.raises(BadPayload, match=r"depth_um = 99999 is outside 1 to 65535 µm$"):
        pack(m.SetDepth.layout, m.SetDepth(99_999))


@pytest.mark.parametrize("kind", ["u8", "u16", "u32", "u64", "i16"])
def test_a_narrow_range_is_judged_whatever_the_width(kind: str) -> None:
    layout = layout_of(make_dataclass("One", [("a", Annotated[int, Wire(kind, "", "", 5, 7)])]))
    assert layout.narrow == ((0, 5, 7),)
