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


def run_line(sample: Sample, *, depth_mm: float, rate_hz: float, left_s: float) -> str:
    """State, depth and rate set and measured, strokes and time left."""
    return (
        f"{sample.state}  depth {depth_mm:.2f} mm set {sample.depth_mm:.2f} measured  "
        f"rate {rate_hz:.1f} Hz set {sample.rate_hz:.1f} measured  {sample.strokes} strokes  "
        f"{minutes(max(left_s, 0.0))} left"
    )


def monitor_line(sample: Sample) -> str:
    """Everything measured."""
    needles = "out" if sample.needles_out else "in"
    return (
        f"{sample.elapsed_s:.1f} s  {sample.state}  needles {needles} {sample.depth_mm:.2f} mm  "
        f"{sample.rate_hz:.1f} Hz  {sample.strokes} strokes  {sample.current_ma} mA  "
        f"{sample.temperature_c:.1f} °C  {sample.battery_pct} %"
    )
