"""The packaged zone table, and every way a table can be wrong."""

from __future__ import annotations

import pytest

from penstroke import data
from penstroke.errors import LimitsError
from penstroke.safety import Zone, is_side, parse_zones
from penstroke.safety.zones import COLUMNS

HEADER = ",".join(COLUMNS)
GOOD = "1,forehead,no,0.30,0.50,0.75,52795006,Forehead structure,a chart"


def test_the_packaged_table_is_whole() -> None:
    zones = data.zone_table()
    assert [zone.id for zone in zones] == list(range(1, 28))
    assert [zone.name for zone in zones if zone.forbidden] == ["eyelid", "lip_vermilion", "mucosa", "areola"]
    assert {zone.name for zone in zones if zone.sided} >= {"cheek", "temple", "periorbital", "jawline"}


@pytest.mark.parametrize(
    ("name", "sided", "start_um", "ceiling_um", "hard_um"),
    [
        ("forehead", False, 300, 500, 750),
        ("periorbital", True, 200, 300, 500),
        ("cheek", True, 500, 1000, 1500),
        ("scalp", False, 500, 600, 1500),
        ("eyelid", True, None, 0, 0),
    ],
)
def test_rows_of_the_packaged_table(
    name: str, sided: bool, start_um: int | None, ceiling_um: int, hard_um: int
) -> None:
    zone = data.zone_named(name)
    assert zone is not None
    assert (zone.sided, zone.start_um, zone.ceiling_um, zone.hard_ceiling_um) == (
        sided,
        start_um,
        ceiling_um,
        hard_um,
    )


def test_a_name_the_table_lacks_is_no_zone() -> None:
    assert data.zone_named("nostril") is None


def test_no_zone_passes_the_evaluated_range() -> None:
    assert max(zone.hard_ceiling_um for zone in data.zone_table()) == 1500


def test_a_good_row() -> None:
    assert parse_zones(f"{HEADER}\n{GOOD}\n") == (
        Zone(1, "forehead", False, 300, 500, 750, "52795006", "Forehead structure", "a chart"),
    )


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("0,forehead,no,0.30,0.50,0.75,,,x", "id"),
        ("256,forehead,no,0.30,0.50,0.75,,,x", "id"),
        ("one,forehead,no,0.30,0.50,0.75,,,x", "id"),
        ("1,Forehead,no,0.30,0.50,0.75,,,x", "zone"),
        ("1,,no,0.30,0.50,0.75,,,x", "zone"),
        ("1,forehead,maybe,0.30,0.50,0.75,,,x", "sides"),
        ("1,forehead,no,0.30,0.50,0.75,,, ", "basis"),
        ("1,forehead,no,0.30,,0.75,,,x", "ceiling_mm"),
        ("1,forehead,no,0.30,nan,0.75,,,x", "ceiling_mm"),
        ("1,forehead,no,0.30,inf,0.75,,,x", "ceiling_mm"),
        ("1,forehead,no,0.30,-0.50,0.75,,,x", "ceiling_mm"),
        ("1,forehead,no,0.30,5e-1,0.75,,,x", "ceiling_mm"),
        ('1,forehead,no,0.30,"0,50",0.75,,,x', "ceiling_mm"),
        ("1,forehead,no,0.30,0.5005,0.75,,,x", "ceiling_mm"),
        ("1,forehead,no,0.30,0.50,,,,x", "hard_ceiling_mm"),
        ("1,forehead,no,0.30,0.50,1.51,,,x", "hard_ceiling_mm"),
        ("1,forehead,no,0.30,0.50,750,,,x", "hard_ceiling_mm"),
        ("1,forehead,no,0.30,0.80,0.75,,,x", "not fall"),
        ("1,forehead,no,0.60,0.50,0.75,,,x", "not fall"),
        ("1,forehead,no,,0.50,0.75,,,x", "not fall"),
        ("1,forehead,no,0.00,0.50,0.75,,,x", "not fall"),
        ("1,forehead,no,0.30,0.00,0.75,,,x", "not fall"),
        ("1,forehead,no,,0.50,0,,,x", "forbidden"),
        ("1,forehead,no,0.30,0,0,,,x", "forbidden"),
        ("1,forehead,no,0.30,0.50,0.75,,x", "fields"),
        ("1,forehead,no,0.30,0.50,0.75,,,x,y", "fields"),
        (f"{GOOD}\n1,chin,no,0.30,0.50,0.75,,,x", "twice"),
        (f"{GOOD}\n2,forehead,no,0.30,0.50,0.75,,,x", "twice"),
        ('1,forehead,no,0.30,0.50,0.75,,,"x', "line"),
        ("", "no zones"),
    ],
)
@pytest.mark.req("S-01")
def test_a_wrong_row_makes_the_table_unusable(row: str, names: str) -> None:
    with pytest.raises(LimitsError, match=names) as caught:
        parse_zones(f"{HEADER}\n{row}")
    assert caught.value.code == "limits-invalid"
    assert caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "id,zone\n1,forehead", GOOD, HEADER.replace("start", "begin") + "\n" + GOOD]
)
def test_wrong_columns_are_refused(text: str) -> None:
    with pytest.raises(LimitsError, match="columns"):
        parse_zones(text)


@pytest.mark.parametrize(
    ("value", "answer"), [("left", True), ("right", True), ("Left", False), (None, False), (1, False)]
)
def test_sides(value: object, answer: bool) -> None:
    assert is_side(value) is answer
