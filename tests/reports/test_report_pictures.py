"""The pictures of the zones, and the map drawn from them."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from penstroke.data import zone_table
from penstroke.reports.drawing import ZoneMark, map_words, zone_map
from penstroke.reports.faces import PICTURES, Shape, picture, picture_of
from penstroke.reports.shades import SHADES, shade_of
from penstroke.reports.words import LANGUAGES, words

SAY = words("en")
SVG = "{http://www.w3.org/2000/svg}"
AXES = {"face": (200.0,), "body": (120.0, 340.0)}
"""Where each figure's middle is."""


def all_shapes() -> list[tuple[str, Shape]]:
    return [(name, shape) for name in PICTURES for shape in picture(name).shapes]


def points(path: str) -> list[tuple[float, float]]:
    """Every point in a path, controls of curves included."""
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path)]


def outlines(path: str) -> list[list[tuple[float, float]]]:
    """The path as polygons, each curve in twelve pieces."""
    found: list[list[tuple[float, float]]] = []
    for command, text in re.findall(r"([MLCZ])([^MLCZ]*)", path):
        given = points(text)
        if command == "M":
            found.append(given)
        elif command == "L":
            found[-1] += given
        elif command == "C":
            for place in range(0, len(given), 3):
                (x0, y0), (a, b), (c, d), (e, f) = found[-1][-1], *given[place : place + 3]
                for step in range(1, 13):
                    t = step / 12
                    u = 1 - t
                    found[-1].append(
                        (
                            u**3 * x0 + 3 * u * u * t * a + 3 * u * t * t * c + t**3 * e,
                            u**3 * y0 + 3 * u * u * t * b + 3 * u * t * t * d + t**3 * f,
                        )
                    )
    return found


def inside(x: float, y: float, path: str) -> bool:
    """By the even-odd rule."""
    crossings = 0
    for outline in outlines(path):
        for (x0, y0), (x1, y1) in zip(outline, [*outline[1:], outline[0]], strict=True):
            if (y0 > y) != (y1 > y) and x < x0 + (x1 - x0) * (y - y0) / (y1 - y0):
                crossings += 1
    return crossings % 2 == 1


def test_every_zone_and_side_is_drawn_once() -> None:
    wanted = {
        (zone.name, side) for zone in zone_table() for side in (("left", "right") if zone.sided else (None,))
    }
    drawn = [(shape.zone, shape.side) for _, shape in all_shapes()]
    assert sorted(drawn, key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize(("name", "shape"), all_shapes(), ids=lambda item: getattr(item, "id", item))
def test_a_label_points_into_its_own_zone_alone(name: str, shape: Shape) -> None:
    assert [one.id for one in picture(name).shapes if inside(shape.x, shape.y, one.path)] == [shape.id]


@pytest.mark.parametrize("name", PICTURES)
def test_left_is_the_mirror_image_of_right(name: str) -> None:
    drawn = picture(name)
    for shape in drawn.shapes:
        if shape.side != "right":
            continue
        other = drawn.shape(shape.zone, "left")
        assert other is not None
        mine, theirs = points(shape.path), points(other.path)
        axis = min(AXES[name], key=lambda at: abs(at - (mine[0][0] + theirs[0][0]) / 2))
        assert [2 * axis - x for x, _ in mine] == pytest.approx([x for x, _ in theirs]), shape.id
        assert [y for _, y in mine] == [y for _, y in theirs], shape.id


def test_the_patients_right_is_where_it_is_said_to_be() -> None:
    """From the front on the left of the picture, from behind on the right."""
    for name, shape in all_shapes():
        axis = min(AXES[name], key=lambda at: abs(at - shape.x))
        if shape.side:
            from_behind = axis == 340
            assert (shape.x < axis) == ((shape.side == "right") != from_behind), shape.id


def test_every_path_lies_on_its_picture() -> None:
    for name, shape in all_shapes():
        drawn = picture(name)
        assert all(0 <= x <= drawn.width and 0 <= y <= drawn.height for x, y in points(shape.path)), shape.id


def test_the_picture_of_a_zone_is_found() -> None:
    assert (picture_of("cheek"), picture_of("thigh"), picture_of("moon")) == ("face", "body", None)


# -- the map ---------------------------------------------------------------------------------------------

MARKS = [
    ZoneMark("forehead", None, 0.25, 0.3, 1564.8),
    ZoneMark("cheek", "left", 0.6, 0.8, 281.0, finished=False),
    ZoneMark("cheek", "right", 0.5, 0.5, 262.2),
    ZoneMark("upper_lip", None, excluded=True),
]


def drawn(marks: list[ZoneMark], name: str = "face", *, simulated: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(zone_map(picture(name), marks, say=SAY, simulated=simulated))


def fills(svg: ElementTree.Element) -> dict[str, str]:
    """How each zone is filled, by its id."""
    by_path = {path.get("d"): path.get("fill", "") for path in svg.iter(f"{SVG}path")}
    return {shape.id: by_path[shape.path] for _, shape in all_shapes() if shape.path in by_path}


def texts(svg: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")]


def test_treated_zones_are_filled_by_their_depth() -> None:
    told = fills(drawn(MARKS))
    assert told["forehead"] == "url(#face-depth1)"
    assert told["cheek-left"] == "url(#face-depth3)"
    assert told["cheek-right"] == "url(#face-depth1)"
    assert told["upper_lip"] == "url(#face-excluded)"
    assert told["chin"] == "#ffffff"


def test_forbidden_zones_are_marked_on_every_map() -> None:
    forbidden = {zone.name for zone in zone_table() if zone.forbidden}
    for name in PICTURES:
        told = fills(drawn([], name))
        assert {zone for zone, fill in told.items() if fill.endswith("-forbidden)")} == {
            shape.id for shape in picture(name).shapes if shape.zone in forbidden
        }


def test_every_pattern_that_is_used_is_there() -> None:
    for name in PICTURES:
        svg = drawn(MARKS, name)
        known = {pattern.get("id") for pattern in svg.iter(f"{SVG}pattern")}
        used = set(re.findall(r"url\(#([^)]+)\)", ElementTree.tostring(svg, encoding="unicode")))
        assert used <= known


def test_labels_tell_depth_and_density() -> None:
    told = texts(drawn(MARKS))
    for text in ("forehead", "0.25–0.30 mm", "≈ 1565 per cm²", "cheek, left", "0.60–0.80 mm", "not finished"):
        assert text in told
    assert "0.50 mm" in told, "one depth is one number"
    assert "excluded" in told


def test_both_sides_are_named_as_the_patients() -> None:
    told = " ".join(texts(drawn([])))
    assert "patient's right" in told
    assert "patient's left" in told
    assert "the patient's left and right" in " ".join(texts(drawn([], "body")))


def test_simulated_is_written_on_the_picture() -> None:
    assert "SIMULATED" in texts(drawn(MARKS, simulated=True))
    assert "SIMULATED" not in texts(drawn(MARKS))


def test_the_picture_is_told_in_words() -> None:
    told = map_words(picture("face"), MARKS, SAY)
    assert "cheek, left: 0.60–0.80 mm; ≈ 281 per cm²; not finished" in told
    assert drawn(MARKS).findtext(f"{SVG}title") == told


def test_labels_of_every_zone_at_once_do_not_overlap() -> None:
    for name in PICTURES:
        marks = [ZoneMark(shape.zone, shape.side, 0.25, 0.5, 280.0) for shape in picture(name).shapes]
        columns: dict[str, list[float]] = {}
        for text in drawn(marks, name).iter(f"{SVG}text"):
            if text.get("font-weight") in ("bold", "normal"):
                columns.setdefault(f"{text.get('text-anchor')}{text.get('x')}", []).append(
                    float(text.get("y", ""))
                )
        for heights in columns.values():
            assert all(below - above >= 15 for above, below in pairwise(heights)), name


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", PICTURES)
def test_every_label_fits_into_its_column(name: str, lang: str) -> None:
    """150 units to the edge, and 7.5 a sign in the widest face that was tried (DejaVu Sans Bold)."""
    marks = [ZoneMark(shape.zone, shape.side, 0.25, 0.5, 2800.0) for shape in picture(name).shapes]
    svg = ElementTree.fromstring(zone_map(picture(name), marks, say=words(lang)))
    told = [text for text in svg.iter(f"{SVG}text") if text.get("font-weight") in ("bold", "normal")]
    edges = {text.get("x") for text in told if text.get("y") != "20"}
    assert len(edges) <= 3
    for text in told:
        if text.get("y") != "20" and text.get("letter-spacing") is None:
            assert len("".join(text.itertext())) <= 18


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG has it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_shades_grow_darker_and_differ_without_colour() -> None:
    lights = [luminance(shade.fill) for shade in SHADES]
    assert lights == sorted(lights, reverse=True)
    assert len({shade.hatch for shade in SHADES}) == len(SHADES)


@pytest.mark.parametrize(
    ("depth_mm", "place"), [(0.05, 0), (0.25, 0), (0.26, 1), (0.5, 1), (1.0, 3), (1.5, 4), (9, 4)]
)
def test_a_depth_falls_into_its_class(depth_mm: float, place: int) -> None:
    assert shade_of(depth_mm) == place
