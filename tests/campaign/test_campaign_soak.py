"""What the soak says of its trips: how often they may come, and which of them are not safe."""

from __future__ import annotations

from typing import Any

import pytest
from campaign.orders import Order
from campaign.soak import poisson_bound, unsafe_ends

from campaign import soak


@pytest.mark.parametrize(("trips", "mean"), [(0, 2.9957), (1, 4.7439), (2, 6.2958), (10, 16.9622)])
def test_the_bound_is_the_exact_one_of_the_tables(trips: int, mean: float) -> None:
    assert poisson_bound(trips) == pytest.approx(mean, abs=1e-4)


def ended(motor_off_s: float = 1.3, home_s: float = 1.31, reason: str = "lease") -> list[dict[str, Any]]:
    """The journal of one run whose last beat came at 1 s."""
    lapse = [{"t": 1.3, "event": "lease", "what": "lapsed", "renewed_t": 1.0}] if reason == "lease" else []
    return [
        {"t": 0.1, "event": "lease", "what": "granted"},
        {"t": 0.1, "event": "motor", "on": True, "reason": "command"},
        {"t": motor_off_s, "event": "motor", "on": False, "reason": reason},
        *lapse,
        {"t": home_s, "event": "needles", "extended": False},
    ]


@pytest.mark.req("S-10", "S-11")
@pytest.mark.parametrize(
    ("journal", "presses", "words"),
    [
        (ended(), 1, ""),
        (ended(reason="stop"), 1, ""),
        (ended(motor_off_s=1.306), 1, "lease lapsed, motor at 1.306 s"),
        (ended(home_s=1.351), 1, "lease lapsed, needles at 1.351 s"),
        (ended()[:-1], 1, "lease lapsed, needles at None s"),
        (ended(reason="fault"), 1, "a fault of the pen for nothing, at 1.3 s"),
        (ended(), 0, "0 presses, and needles began to move 1 times"),
        (ended()[:2], 1, "the motor is on at the end"),
    ],
)
def test_a_trip_that_is_not_safe_is_found(journal: list[dict[str, Any]], presses: int, words: str) -> None:
    found = unsafe_ends(journal, presses)
    assert bool(found) == bool(words)
    assert words in "; ".join(found)


@pytest.mark.req("S-10")
def test_trips_in_real_time_are_counted_by_their_cause_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat every 400 ms, to a pen in a process of its own: each run trips its lease, and safely."""
    monkeypatch.setattr("penstroke.strokes.BEAT_NS", 400_000_000)
    found = soak.in_real_time(Order("small", 1), for_s=2.0, hogs=0)
    # Whatever else a busy machine does to the host besides.
    assert found.trips["lease"]
    assert found.presses >= found.trips["lease"]
    assert not found.unsafe


@pytest.mark.req("S-10")
def test_trips_in_virtual_time_are_on_one_pen_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstroke.strokes.BEAT_NS", 400_000_000)
    found = soak.in_virtual_time(Order("small", 1), for_s=5.0)
    assert found.trips == {"lease": found.presses}
    assert found.presses > 5
    assert not found.unsafe
    monkeypatch.setattr(soak, "LEASE_MS", (299.0, 350.0))
    late = soak.in_virtual_time(Order("small", 1), for_s=5.0)
    assert len(late.unsafe) == late.presses
