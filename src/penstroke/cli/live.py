"""Readings as JSON and as a line for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstroke.cli.output import minutes

if TYPE_CHECKING:
    from penstroke.status import Sample


def sample_object(sample: Sample, **more: Any) -> dict[str, Any]:
    """A reading for a machine."""
    return {
        "event": "sample",
        "elapsed_s": round(sample.elapsed_s, 3),
        "state": sample.state,
        "needles": "extended" if sample.needles_out else "retracted",
        "motor": "on" if sample.motor_on else "off",
        "depth_measured_mm": sample.depth_mm,
        "rate_measured_hz": sample.rate_hz,
        "strokes": sample.strokes,
        "current_ma": sample.current_ma,
        "temperature_c": sample.temperature_c,
        "battery_pct": sample.battery_pct,
        "missed": sample.missed,
        **more,
    }


def run_line(
    sample: Sample, *, depth_mm: float, rate_hz: float, left_s: float, strokes: int | None = None
) -> str:
    """State, time left, depth and rate measured and set, and strokes: with a density in 80 columns."""
    return (
        f"{sample.state}  {minutes(max(left_s, 0.0))} left  {sample.depth_mm:.2f} mm (set {depth_mm:.2f})  "
        f"{sample.rate_hz:.0f} Hz (set {rate_hz:g})  {sample.strokes if strokes is None else strokes} strokes"
    )


def monitor_line(sample: Sample) -> str:
    """Everything measured."""
    needles = "out" if sample.needles_out else "in"
    return (
        f"{sample.elapsed_s:.1f} s  {sample.state}  needles {needles} {sample.depth_mm:.2f} mm  "
        f"{sample.rate_hz:.1f} Hz  {sample.strokes} strokes  {sample.current_ma} mA  "
        f"{sample.temperature_c:.1f} °C  {sample.battery_pct} %"
    )
