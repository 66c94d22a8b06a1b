"""Depth and rate over the time of needling, as SVG, with the limit drawn in.

Pauses between runs are left out, so that a treatment of an hour and one that was interrupted for a day read
alike; each run is a band of its own. Drawn are what was measured (a line, and a band of its extremes), what
was commanded, and the limit. Line styles differ, so that nothing depends on colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from penstroke.records.told import Change, Run
from penstroke.reports.plain import markup
from penstroke.reports.words import Words, zone_words

_WIDTH = 700.0
_LEFT, _RIGHT = 52.0, 10.0
_PANEL_H = 120.0
_GAP = 44.0
_TOP = 46.0
_POINTS = 900
"""Most readings drawn; of more, each group is drawn as its extremes and its last."""

_NARROW = 8.0
"""Passes narrower than this have no line between them: there would be nothing but lines."""

_MEASURED = "#0b4f8a"
_BAND = "#bcd3e8"
_LIMIT = "#b3261e"


def depth_rate_plot(
    runs: Sequence[Run], *, say: Words, font: str = "sans-serif", simulated: bool = False
) -> str | None:
    """The plot as a whole SVG document; None where no needles moved."""
    spans = _spans(runs)
    if not spans:
        return None
    total_s = spans[-1][2]
    height = _TOP + 2 * _PANEL_H + _GAP + 58

    def x(at_s: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * at_s / total_s

    drawn = [run for run, *_ in spans]
    depths = [
        (
            _limit(run) or 0.0,
            *(one.depth_mm or 0.0 for one in run.held()),
            *(r.depth_max_mm for r in run.readings),
        )
        for run in drawn
    ]
    rates = [(*_rates(run), run.rate_hz or 0.0, *(r.rate_max_hz for r in run.readings)) for run in drawn]
    depth_top = _top(max(map(max, depths)) * 1.05)
    rate_top = _top(max(map(max, rates)) * 1.05)
    y_depth = _scale(_TOP, depth_top)
    y_rate = _scale(_TOP + _PANEL_H + _GAP, rate_top)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {height:g}" role="img" '
        f'font-family="{markup(font)}" font-size="11" fill="#000000">',
        f"<title>{markup(plot_words(runs, say))}</title>",
        f'<rect width="{_WIDTH:g}" height="{height:g}" fill="#ffffff"/>',
        *_frame(spans, x, say),
        *_axis(y_depth, depth_top, f"{say('depth')} (mm)", 2),
        *_axis(y_rate, rate_top, f"{say('rate')} (Hz)", 0),
        *_time_axis(total_s, x, _TOP + 2 * _PANEL_H + _GAP, say),
        *_series(spans, x, y_depth, "depth"),
        *_series(spans, x, y_rate, "rate"),
        *_legend(height - 12, say),
    ]
    if simulated:
        parts.append(
            f'<text x="{_WIDTH - _RIGHT:g}" y="12" text-anchor="end" font-weight="bold" fill="#8c1d18" '
            f'letter-spacing="2">{markup(say("SIMULATED"))}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def plot_words(runs: Sequence[Run], say: Words) -> str:
    """What the plot shows, for who cannot see it."""
    told = []
    for run in runs:
        if not run.readings:
            continue
        deepest = max(reading.depth_max_mm for reading in run.readings)
        limit = _limit(run)
        where = _where(run, say)
        text = f"{where}: {say('deepest measured')} {deepest:.2f} mm"
        told.append(text + (f", {say('limit')} {limit:.2f} mm" if limit is not None else ""))
    return f"{say('Depth and rate over time')}. " + "; ".join(told) + "."


def _where(run: Run, say: Words) -> str:
    """The zone; without the number of a pass it is that of which the depth was tried in the air."""
    if run.number is None:
        return say("in the air")
    return zone_words(run.zone, run.side, say) if run.zone else say("no zone")


Span = tuple[Run, float, float]
"""A run, and its begin and end in seconds of needling."""


def _spans(runs: Sequence[Run]) -> list[Span]:
    spans: list[Span] = []
    at_s = 0.0
    for run in runs:
        long_s = max(run.elapsed_s, run.readings[-1].elapsed_s if run.readings else 0.0)
        if long_s > 0:
            spans.append((run, at_s, at_s + long_s))
            at_s += long_s
    return spans


def _limit(run: Run) -> float | None:
    limit = run.limits.get("depth_mm")
    return float(limit) if isinstance(limit, int | float) else None


def _rates(run: Run) -> list[float]:
    """The slowest and the fastest rate of the pen, where it told them."""
    found = [run.limits.get(name) for name in ("rate_min_hz", "rate_max_hz")]
    return [float(rate) for rate in found if isinstance(rate, int | float)]


Scale = Callable[[float], float]


def _scale(top: float, most: float) -> Scale:
    return lambda value: top + _PANEL_H * (1 - min(value, most) / most)


def _step(most: float) -> float:
    """The distance of the lines of an axis that reaches `most`: round, and at most six of them."""
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (0.1, 0.2, 0.25, 0.5, 1, 2) if most <= 6 * step * power)


def _top(most: float) -> float:
    """Where an axis ends that must show `most`: on the next line up."""
    step = _step(max(most, 1e-3))
    return math.ceil(most / step - 1e-9) * step


def _frame(spans: Sequence[Span], x: Scale, say: Words) -> list[str]:
    """A grey or white band for each zone, with its name where it fits, over both panels."""
    zones: list[tuple[Run, float, float]] = []
    for run, begin, end in spans:
        if zones and (zones[-1][0].index, zones[-1][0].zone, zones[-1][0].side) == (
            run.index,
            run.zone,
            run.side,
        ):
            zones[-1] = (zones[-1][0], zones[-1][1], end)
        else:
            zones.append((run, begin, end))
    tops = (_TOP, _TOP + _PANEL_H + _GAP)
    parts = []
    above = 0.0  # where the last name of the upper row ends
    for place, (run, begin, end) in enumerate(zones):
        fill = "#f0f0f0" if place % 2 == 0 else "#ffffff"
        parts += [
            f'<rect x="{x(begin):.1f}" y="{top:g}" width="{x(end) - x(begin):.1f}" height="{_PANEL_H:g}" '
            f'fill="{fill}"/>'
            for top in tops
        ]
        name = _where(run, say)
        room = x(end) - x(begin)
        text = name if len(name) * 5.8 < room else str(run.index or "")
        if text and len(text) * 5.8 < room:
            parts.append(
                f'<text x="{(x(begin) + x(end)) / 2:.1f}" y="{_TOP - 6:g}" text-anchor="middle" '
                f'font-weight="bold">{markup(text)}</text>'
            )
        elif run.number is None and x(begin) >= above:
            # What was tried in the air is short, and without its name its depth would read as the zone's.
            above = x(begin) + (len(name) + 2) * 5.8
            parts.append(_stroke(f"M{x(begin):.1f},{_TOP - 24:g} V{_TOP:g}", "#000000", 0.6))
            parts.append(f'<text x="{x(begin) + 3:.1f}" y="{_TOP - 20:g}">{markup(name)}</text>')
    for _, begin, end in spans:
        if x(end) - x(begin) < _NARROW:
            continue
        parts += [
            _stroke(f"M{x(begin):.1f},{top:g} V{top + _PANEL_H:g}", "#9a9a9a", 0.6)
            for top in tops
            if begin > 0
        ]
    return parts


def _axis(y: Scale, most: float, title: str, digits: int) -> list[str]:
    step = _step(most)
    ticks = [step * part for part in range(round(most / step) + 1)]
    parts = [
        _stroke(f"M{_LEFT:g},{y(tick):.1f} H{_WIDTH - _RIGHT:g}", "#c8c8c8", 0.5)
        + f'<text x="{_LEFT - 5:g}" y="{y(tick) + 3.5:.1f}" text-anchor="end">{tick:.{digits}f}</text>'
        for tick in ticks
    ]
    middle = y(most / 2)
    parts.append(_stroke(f"M{_LEFT:g},{y(most):.1f} V{y(0):.1f} H{_WIDTH - _RIGHT:g}", "#000000", 0.9))
    parts.append(
        f'<text transform="translate(12 {middle:.1f}) rotate(-90)" text-anchor="middle" '
        f'font-weight="bold">{markup(title)}</text>'
    )
    return parts


def _time_axis(total_s: float, x: Scale, top: float, say: Words) -> list[str]:
    step = next((s for s in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 3600) if total_s / s <= 12), 7200)
    parts = []
    for place in range(int(total_s // step) + 1):
        at = place * step
        text = f"{at // 60}:{at % 60:02d}"
        parts.append(f'<text x="{x(at):.1f}" y="{top + 14:g}" text-anchor="middle">{text}</text>')
    caption = say("needling time (min:s), pauses left out")
    parts.append(
        f'<text x="{(_LEFT + _WIDTH) / 2:g}" y="{top + 28:g}" text-anchor="middle">{markup(caption)}</text>'
    )
    return parts


def _series(spans: Sequence[Span], x: Scale, y: Scale, name: str) -> list[str]:
    parts = []
    for run, begin, end in spans:
        points = [
            (x(begin + at_s), y(low), y(high), y(value))
            for at_s, low, high, value in _thinned(run, name, len(spans))
        ]
        if points:
            upper = " ".join(f"{at:.1f},{high:.1f}" for at, _, high, _ in points)
            lower = " ".join(f"{at:.1f},{low:.1f}" for at, low, _, _ in reversed(points))
            line = " ".join(f"{at:.1f},{value:.1f}" for at, _, _, value in points)
            parts.append(f'<polygon points="{upper} {lower}" fill="{_BAND}"/>')
            parts.append(f'<polyline points="{line}" fill="none" stroke="{_MEASURED}" stroke-width="1.3"/>')
        parts += [
            _stroke(f"M{x(since):.1f},{y(wish):.1f} H{x(until):.1f}", "#000000", 0.9, "1.5 2.5")
            for since, until, wish in _wishes(run, begin, end, name)
        ]
    for begin, end, at in _limits(spans, name):
        parts.append(_stroke(f"M{x(begin):.1f},{y(at):.1f} H{x(end):.1f}", _LIMIT, 1.8, "7 3"))
    return parts


def _pieces(run: Run, begin: float, end: float) -> list[tuple[float, float, Change]]:
    """From when to when what was held: a depth or a limit may be lowered while needles move."""
    held = run.held()
    starts = [min(begin + one.at_s, end) for one in held]
    return list(zip(starts, [*starts[1:], end], held, strict=True))


def _wishes(run: Run, begin: float, end: float, name: str) -> list[tuple[float, float, float]]:
    """From when to when which depth or rate was commanded."""
    if name == "rate":
        return [] if run.rate_hz is None else [(begin, end, run.rate_hz)]
    return [
        (since, until, one.depth_mm)
        for since, until, one in _pieces(run, begin, end)
        if one.depth_mm is not None and until > since
    ]


def _limits(spans: Sequence[Span], name: str) -> list[tuple[float, float, float]]:
    """From when to when which limit held; one that stays through several runs is one line."""
    found: list[tuple[float, float, float]] = []
    held = [
        (since, until, at)
        for run, begin, end in spans
        for since, until, one in _pieces(run, begin, end)
        for at in (_rates(run) if name == "rate" else [one.limit_mm])
        if at is not None and until > since
    ]
    for begin, end, at in held:
        before = next((one for one in found if one[1:] == (begin, at)), None)
        if before is None:
            found.append((begin, end, at))
        else:
            found[found.index(before)] = (before[0], end, at)
    return found


def _thinned(run: Run, name: str, runs: int) -> list[tuple[float, float, float, float]]:
    """Time, lowest, highest and last value of each group of readings."""
    most = max(_POINTS // runs, 20)
    every = -(-len(run.readings) // most) or 1
    found = []
    for place in range(0, len(run.readings), every):
        group = run.readings[place : place + every]
        if name == "depth":
            low, high = min(r.depth_min_mm for r in group), max(r.depth_max_mm for r in group)
            value = group[-1].depth_mm
        else:
            low, high = min(r.rate_min_hz for r in group), max(r.rate_max_hz for r in group)
            value = group[-1].rate_hz
        found.append((group[-1].elapsed_s, low, high, value))
    return found


def _legend(y: float, say: Words) -> list[str]:
    middle = "M0,-4 H22"
    items = [
        (
            f'<rect x="0" y="-9" width="22" height="10" fill="{_BAND}"/>' + _stroke(middle, _MEASURED, 1.3),
            say("measured, with its extremes"),
        ),
        (_stroke(middle, "#000000", 0.9, "1.5 2.5"), say("commanded")),
        (_stroke(middle, _LIMIT, 1.8, "7 3"), say("limit (of depth: the pen's tolerance included)")),
    ]
    parts, at = [], _LEFT
    for mark, text in items:
        words_at = f'<text x="27" y="0">{markup(text)}</text>'
        parts.append(f'<g transform="translate({at:.1f} {y:g})">{mark}{words_at}</g>')
        at += 27 + 6.4 * len(text) + 14
    return parts


def _stroke(path: str, colour: str, width: float, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{path}" stroke="{colour}" stroke-width="{width:g}"{dashed} fill="none"/>'
