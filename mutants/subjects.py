"""What is mutated, and the tests that must notice: the quickest and nearest first, for one failure is enough.

Tests that start processes or wait in real time are left out: they would take minutes, and on a busy machine
might fail by themselves, which would count as noticing. What a program writes (the zone table) is judged by
`make lint`, which writes it again.
"""

from __future__ import annotations

_SAFETY = "src/penstroke/safety"
_WIRE = "firmware_protocol/penstroke_protocol"
_DRIVER = "src/penstroke"


def _tests(room: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/{room}/test_{name}.py" for name in names)


_VERDICTS = _tests("safety", "mutants_depth", "depth_verdict", "refusal_codes")
_RATES = _tests("safety", "mutants_edges", "rate_verdict")
_LINK = _tests("protocol", "mutants_links", "protocol_session", "protocol_requests", "protocol_stop")
_LINE = _LINK + _tests("protocol", "protocol_unasked", "protocol_hostile")
_MOTION = _tests(
    "driver",
    "mutants_strokes",
    "mutants_pen",
    "driver_ledger",
    "driver_strokes",
    "driver_stops",
    "driver_gaps",
)
_HOST = _tests(
    "driver", "mutants_driver", "driver_gate", "driver_ledger", "driver_pen", "driver_strokes", "driver_stops"
)

SUBJECTS: dict[str, tuple[str, ...]] = {
    f"{_SAFETY}/check.py": _VERDICTS,
    f"{_SAFETY}/clinic.py": _tests("safety", "mutants_edges", "clinic_profile", "depth_verdict"),
    f"{_SAFETY}/duty.py": _tests("safety", "duty", "mutants_edges"),
    f"{_SAFETY}/figures.py": _tests("safety", "mutants_edges", "figures_file", "mutants_depth"),
    f"{_SAFETY}/limits.py": _VERDICTS + _tests("safety", "rate_verdict", "clinic_profile"),
    f"{_SAFETY}/rate.py": _RATES + _tests("safety", "refusal_codes"),
    f"{_SAFETY}/units.py": _RATES + _tests("safety", "depth_text") + _VERDICTS,
    f"{_SAFETY}/verdict.py": _VERDICTS + _tests("safety", "rate_verdict", "duty"),
    f"{_SAFETY}/zones.py": _tests("safety", "mutants_edges", "zone_table", "mutants_depth", "depth_verdict"),
    f"{_WIRE}/device_link.py": _LINE,
    f"{_WIRE}/fields.py": _tests("protocol", "mutants_frames", "protocol_vectors", "protocol_fields"),
    f"{_WIRE}/frames.py": _tests("protocol", "mutants_frames", "protocol_vectors", "protocol_frames"),
    f"{_WIRE}/host_link.py": _LINE,
    f"{_WIRE}/link.py": _LINK,
    f"{_DRIVER}/duty.py": _tests("driver", "mutants_driver", "driver_strokes"),
    f"{_DRIVER}/gate.py": _HOST,
    f"{_DRIVER}/held.py": _HOST,
    f"{_DRIVER}/line.py": _tests("driver", "mutants_line") + _HOST + _tests("driver", "driver_gaps"),
    f"{_DRIVER}/pen.py": _tests("driver", "mutants_pen", "mutants_strokes")
    + _HOST
    + _tests("driver", "driver_gaps"),
    f"{_DRIVER}/readiness.py": _tests("driver", "mutants_driver", "driver_pen", "driver_gate"),
    f"{_DRIVER}/strokes.py": _MOTION,
    f"{_DRIVER}/watch.py": _tests("driver", "driver_watch", "mutants_driver"),
}
"""By module: its tests, in the order in which they run."""

SLOW = (
    "tests/driver/test_driver_gaps.py::test_a_run_that_was_broken_off_counts_towards_the_rest",
    "tests/driver/test_driver_pen.py::test_after_ten_minutes_of_needling_the_pen_needs_its_rest",
    "tests/driver/test_driver_stops.py::test_an_interrupt_at_any_line_leaves_the_pen_at_rest_once_it_is_closed",
    "tests/protocol/test_protocol_fields.py::test_every_value_of_a_short_field",
    "tests/protocol/test_protocol_frames.py::test_a_frame_comes_back_as_it_was",
    "tests/protocol/test_protocol_frames.py::test_how_the_bytes_are_cut_makes_no_difference",
)
"""Tests that are left out though their file is named: each takes longer than all others of the file."""
