"""The pictures of the zones: a face, and a body from both sides, with one path for each zone and side.

They are data (`data/face.svg`, `data/body.svg`): drawings that open in any drawing program, whose paths
carry the zone, the side and the point where a label may touch it. Report and panel draw from the same paths.
Left and right are the patient's; seen from the front the patient's right is on the left of the picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from penstroke.errors import LimitsError

_DATA = Path(__file__).parent.parent / "data"
_SVG = "{http://www.w3.org/2000/svg}"
PICTURES = ("face", "body")


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a zone (and side) lies in its picture. Lengths in units of the picture's own."""

    zone: str
    side: str | None
    path: str
    """As in the attribute `d` of an SVG path, to be filled by the even-odd rule."""
    x: float
    y: float
    """A point inside, for a label to point at."""

    @property
    def id(self) -> str:
        """`cheek-left`, `forehead`."""
        return f"{self.zone}-{self.side}" if self.side else self.zone


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: what lies under the zones, the zones, and the lines over them."""

    name: str
    width: float
    height: float
    base: str
    """SVG elements to be drawn first."""
    shapes: tuple[Shape, ...]
    features: str
    """SVG elements to be drawn last."""

    def shape(self, zone: str, side: str | None) -> Shape | None:
        """The shape of this zone and side, or None where this picture has none."""
        return next((one for one in self.shapes if (one.zone, one.side) == (zone, side)), None)


@cache
def picture(name: str) -> Picture:
    """The packaged picture `face` or `body`. Raises `LimitsError` where its file is missing or malformed."""
    file = _DATA / f"{name}.svg"
    try:
        return _parse(name, file.read_text(encoding="utf-8"))
    except (OSError, ElementTree.ParseError, KeyError, ValueError) as problem:
        raise LimitsError(
            f"the picture {file} cannot be read: {problem}", hint="restore the file"
        ) from problem


def picture_of(zone: str) -> str | None:
    """The name of the picture that shows this zone, or None where none does."""
    return next(
        (name for name in PICTURES if any(shape.zone == zone for shape in picture(name).shapes)), None
    )


def _parse(name: str, text: str) -> Picture:
    root = ElementTree.fromstring(text)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    groups = {group.attrib["id"]: group for group in root.iter(f"{_SVG}g")}
    shapes = []
    for path in groups["zones"]:
        x, y = map(float, path.attrib["data-label"].split(","))
        zone, side = path.attrib["data-zone"], path.get("data-side")
        shapes.append(Shape(zone=zone, side=side, path=path.attrib["d"], x=x, y=y))
    return Picture(
        name=name,
        width=width,
        height=height,
        base=_markup(groups["base"]) if "base" in groups else "",
        shapes=tuple(shapes),
        features=_markup(groups["features"]),
    )


def _markup(group: ElementTree.Element) -> str:
    """The group as text, without the name space and the ids that a second picture on a page would repeat."""
    del group.attrib["id"]
    text = ElementTree.tostring(group, encoding="unicode").replace("ns0:", "")
    return re.sub(r'\s*xmlns:ns0="[^"]*"', "", text).strip()
