"""The map of a treatment: the packaged pictures with treated zones shaded by depth and labelled.

Strategy. The picture stands in the middle; each zone that has something to say gets a label in a column
beside it, joined to it by a line, so that nothing has to fit into an eyelid. The labels keep the order of the
zones from top to bottom and are moved apart where they would overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstroke.data import zone_table
from penstroke.reports.faces import Picture, Shape
from penstroke.reports.plain import markup
from penstroke.reports.shades import INK, SHADES, patterns, shade_of
from penstroke.reports.words import Words, zone_words

_MARGIN = 168.0
"""Width of a column of labels: `cheekbone, right` in bold, and its line to the picture."""
_TOP = 36.0
_LINE_H = 16.0
_LEGEND_H = 40.0
_LONGEST_TITLE = 18
"""Signs that fit into a column in a wide bold face."""
_TEXT = 14


@dataclass(frozen=True, slots=True)
class ZoneMark:
    """What the map tells of one zone and side. Depths in mm; the density is an estimate per cm²."""

    zone: str
    side: str | None
    depth_min_mm: float | None = None
    depth_max_mm: float | None = None
    """The deepest that was commanded while needles moved; None where the zone was not needled."""
    density_per_cm2: float | None = None
    excluded: bool = False
    """Excluded for this patient by screening."""
    finished: bool = True


def zone_map(
    drawn: Picture,
    marks: Sequence[ZoneMark],
    *,
    say: Words,
    font: str = "sans-serif",
    simulated: bool = False,
) -> str:
    """The picture as a whole SVG document, self-contained, for a page of about 170 mm width."""
    here = [(mark, shape) for mark in marks if (shape := drawn.shape(mark.zone, mark.side)) is not None]
    # A zone may be both: needled before it was excluded. Then it is shown as needled, and labelled as both.
    told = {(mark.zone, mark.side): mark for mark, _ in here}
    prefix = f"{drawn.name}-"
    width, height = drawn.width + 2 * _MARGIN, _TOP + drawn.height + _LEGEND_H
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'font-family="{markup(font)}" font-size="{_TEXT}" fill="#000000">',
        f"<title>{markup(map_words(drawn, marks, say))}</title>",
        f"<defs>{patterns(prefix)}</defs>",
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
        _sides(drawn, say, simulated),
        f'<g transform="translate({_MARGIN:g} {_TOP:g})">',
        drawn.base,
        '<g fill-rule="evenodd" stroke-linejoin="round">',
        *(_zone(shape, told.get((shape.zone, shape.side)), prefix) for shape in drawn.shapes),
        "</g>",
        drawn.features,
        "</g>",
        *_labels(drawn, [(mark, shape) for mark, shape in here if _speaks(mark)], say),
        _legend(width, _TOP + drawn.height + 14, prefix, say),
        "</svg>",
    ]
    return "\n".join(part for part in body if part)


def map_words(drawn: Picture, marks: Sequence[ZoneMark], say: Words) -> str:
    """What the picture shows, for who cannot see it."""
    told = [
        f"{zone_words(mark.zone, mark.side, say)}: {'; '.join(_lines(mark, say))}"
        for mark in marks
        if _speaks(mark) and drawn.shape(mark.zone, mark.side)
    ]
    head = say("Map of the face") if drawn.name == "face" else say("Map of the body")
    return f"{head}. " + (". ".join(told) if told else say("nothing was needled here")) + "."


def _speaks(mark: ZoneMark) -> bool:
    return mark.excluded or mark.depth_max_mm is not None


def _lines(mark: ZoneMark, say: Words) -> list[str]:
    found = []
    if mark.depth_max_mm is not None:
        low, high = mark.depth_min_mm, mark.depth_max_mm
        depth = f"{high:.2f} mm" if low is None or low == high else f"{low:.2f}–{high:.2f} mm"
        found.append(depth)
        if mark.density_per_cm2 is not None:
            found.append(f"≈ {mark.density_per_cm2:.0f} {say('per cm²')}")
        if not mark.finished:
            found.append(say("not finished"))
    if mark.excluded:
        found.append(say("excluded"))
    return found


def _zone(shape: Shape, mark: ZoneMark | None, prefix: str) -> str:
    if mark is not None and mark.depth_max_mm is not None:
        fill, stroke, width = f"url(#{prefix}depth{shade_of(mark.depth_max_mm)})", INK, 1.8
    elif shape.zone in _forbidden():
        fill, stroke, width = f"url(#{prefix}forbidden)", "#595959", 0.8
    elif mark is not None and mark.excluded:
        fill, stroke, width = f"url(#{prefix}excluded)", "#8c1d18", 1.4
    else:
        fill, stroke, width = "#ffffff", "#8a8a8a", 0.7
    dash = ' stroke-dasharray="4 2.5"' if mark is not None and not mark.finished else ""
    return f'<path d="{shape.path}" fill="{fill}" stroke="{stroke}" stroke-width="{width}"{dash}/>'


def _forbidden() -> frozenset[str]:
    return frozenset(zone.name for zone in zone_table() if zone.forbidden)


def _sides(drawn: Picture, say: Words, simulated: bool) -> str:
    """Whose left and right these are, written on the picture."""
    right, left = markup(say("patient's right")), markup(say("patient's left"))
    if drawn.name == "face":
        places = [(0.0, "start", f"← {right}"), (1.0, "end", f"{left} →")]
        figures: list[tuple[float, str]] = []
    else:
        places = []
        figures = [
            (120, f"{markup(say('from the front'))}: {markup(say('R'))} | {markup(say('L'))}"),
            (340, f"{markup(say('from behind'))}: {markup(say('L'))} | {markup(say('R'))}"),
        ]
    parts = [
        f'<text x="{_MARGIN - 60 + (drawn.width + 120) * at:g}" y="20" text-anchor="{anchor}" '
        f'font-weight="bold">{text}</text>'
        for at, anchor, text in places
    ]
    parts += [
        f'<text x="{_MARGIN + x:g}" y="20" text-anchor="middle" font-weight="bold">{text}</text>'
        for x, text in figures
    ]
    if drawn.name == "body":
        note = markup(say("L and R are the patient's left and right"))
        parts.append(
            f'<text x="{_MARGIN + drawn.width / 2:g}" y="36" text-anchor="middle" '
            f'font-size="12">{note}</text>'
        )
    if simulated:
        middle = _MARGIN + drawn.width / 2
        y = 20 if drawn.name == "face" else 56
        parts.append(
            f'<text x="{middle:g}" y="{y}" text-anchor="middle" font-weight="bold" fill="#8c1d18" '
            f'letter-spacing="2">{markup(say("SIMULATED"))}</text>'
        )
    return "".join(parts)


def _labels(drawn: Picture, told: Sequence[tuple[ZoneMark, Shape]], say: Words) -> list[str]:
    columns: dict[bool, list[tuple[ZoneMark, Shape]]] = {True: [], False: []}
    middle = drawn.width / 2
    for item in sorted(told, key=lambda item: item[1].y):
        x = item[1].x
        # What lies in the middle goes to the emptier column.
        at_left = x < middle if x != middle else len(columns[True]) <= len(columns[False])
        columns[at_left].append(item)
    parts = []
    for at_left, items in columns.items():
        titles = [_title(zone_words(mark.zone, mark.side, say)) for mark, _ in items]
        texts = [_lines(mark, say) for mark, _ in items]
        heights = [
            _LINE_H * (len(title) + len(lines)) + 6 for title, lines in zip(titles, texts, strict=True)
        ]
        wanted = [_TOP + shape.y - _LINE_H for _, shape in items]
        tops = _apart(wanted, heights, _TOP, _TOP + drawn.height)
        for (_, shape), title, lines, top in zip(items, titles, texts, tops, strict=True):
            parts.append(_label(drawn, title, lines, shape, top, at_left))
    return parts


def _title(name: str) -> list[str]:
    """A zone's name on one line, or with its side on a second where it is too long for the column."""
    if len(name) <= _LONGEST_TITLE:
        return [name]
    zone, comma, side = name.partition(", ")
    return [zone + comma.strip(), side] if comma else [name]


def _apart(wanted: Sequence[float], heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Where labels begin, from top to bottom: none over another, and each as near to `wanted` as can be.

    Labels that would overlap become a block that stands where its labels, on average, want to be. Blocks stay
    between top and bottom; what is more than fits moves over the top rather than over each other.
    """
    # (how many, where it begins, its height)
    blocks: list[tuple[int, float, float]] = []
    for begin, height in zip(wanted, heights, strict=True):
        blocks.append((1, begin, height))
        while len(blocks) > 1 and blocks[-2][1] + blocks[-2][2] > blocks[-1][1]:
            (n, first, above), (m, second, below) = blocks[-2:]
            blocks[-2:] = [(n + m, (n * first + m * (second - above)) / (n + m), above + below)]
    placed: list[float] = []
    for count, begin, _ in blocks:
        for height in heights[len(placed) : len(placed) + count]:
            placed.append(begin)
            begin += height
    over = top
    for index, begin in enumerate(placed):
        placed[index] = max(begin, over)
        over = placed[index] + heights[index]
    limit = bottom
    for index in range(len(placed) - 1, -1, -1):
        placed[index] = min(placed[index], limit - heights[index])
        limit = placed[index]
    return placed


def _label(
    drawn: Picture, title: Sequence[str], lines: Sequence[str], shape: Shape, top: float, at_left: bool
) -> str:
    x, y_zone, y = _MARGIN + shape.x, _TOP + shape.y, top + _LINE_H
    edge, anchor = (_MARGIN - 18, "end") if at_left else (_MARGIN + drawn.width + 18, "start")
    bend = edge + 18 if at_left else edge - 18
    path = f"M{edge + (4 if at_left else -4):g},{y - 4:g} L{bend:g},{y - 4:g} L{x:g},{y_zone:g}"
    weights = ["bold"] * len(title) + ["normal"] * len(lines)
    rows = "".join(
        f'<text x="{edge:g}" y="{y + _LINE_H * row:g}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{markup(text)}</text>"
        for row, (weight, text) in enumerate(zip(weights, [*title, *lines], strict=True))
    )
    return (
        f'<path d="{path}" fill="none" stroke="#ffffff" stroke-width="3"/>'
        f'<path d="{path}" fill="none" stroke="#000000" stroke-width="0.8"/>'
        f'<circle cx="{x:g}" cy="{y_zone:g}" r="2.6" fill="#000000" stroke="#ffffff" stroke-width="0.8"/>'
        f"{rows}"
    )


def _legend(width: float, y: float, prefix: str, say: Words) -> str:
    entries = [(f"depth{place}", f"≤ {shade.up_to_mm:.2f} mm") for place, shade in enumerate(SHADES)]
    entries += [("forbidden", say("forbidden")), ("excluded", say("excluded"))]
    # As wide as their texts, since the words of one language are longer than those of another.
    widths = [40 + 7.4 * len(text) for _, text in entries]
    squeeze = min(1.0, (width - 16) / sum(widths))
    parts, at = [], (width - sum(widths) * squeeze) / 2
    for (name, text), one in zip(entries, widths, strict=True):
        parts.append(
            f'<rect x="{at:.1f}" y="{y:g}" width="22" height="15" fill="url(#{prefix}{name})" stroke="{INK}" '
            f'stroke-width="0.8"/><text x="{at + 27:.1f}" y="{y + 12:g}" font-size="12">{markup(text)}</text>'
        )
        at += one * squeeze
    return "".join(parts)
