"""The store of records: verifying it, listing and opening treatments in it, and what an entry costs."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bench.report import Section, Size, wanted
from penstroke.data import zone_table
from penstroke.records.entry import Draft
from penstroke.records.recorder import Recorder
from penstroke.records.store import Store, open_store
from penstroke.records.summary import summary_of
from penstroke.records.witness import Witness

UTC = "2026-11-23T12:00:00.000Z"
_SAMPLE: dict[str, Any] = {
    "state": "running",
    "elapsed_s": 12.35,
    "depth_mm": 0.5,
    "rate_hz": 110.0,
    "strokes": 1200,
    "needles_out": True,
    "motor_on": True,
    "current_ma": 210,
    "temperature_c": 31.5,
    "battery_pct": 88,
    "missed": 0,
    "depth_min_mm": 0.49,
    "depth_max_mm": 0.51,
    "rate_min_hz": 109.2,
    "rate_max_hz": 110.3,
    "current_max_ma": 250,
    "count": 20,
}


def measure(size: Size) -> list[Section]:
    """One store, on the disk where temporary files lie."""
    section = Section(
        "Records",
        f"A store of {size.treatments} treatments with {size.entries_each} entries each, most of them "
        "readings (a treatment of an hour has some thousand). On the disk of temporary files; the median of "
        "several times, with the smallest and the largest. Verifying looks at every entry, at the database's "
        "own structure and at the bytes of the whole file.",
        ("act", "figure", "wanted", "met"),
    )
    with tempfile.TemporaryDirectory(prefix="pen-") as folder:
        path = Path(folder) / "records.sqlite"
        with open_store(path) as store:
            names = [_treatment(store, number, size.entries_each) for number in range(size.treatments)]
            head = store.head()
        turns = max(size.turns // 3, 2)

        def verify() -> None:
            with open_store(path, readonly=True) as store:
                verification = store.verify([Witness("the benchmark", head.number, head.digest)])
            if not verification.whole or verification.unwitnessed:
                raise RuntimeError(f"the store does not verify: {verification}")

        def listing() -> None:
            with open_store(path, readonly=True) as store:
                if len(store.treatments()) != size.treatments:
                    raise RuntimeError("a treatment is missing in the list")

        def opening() -> None:
            with open_store(path, readonly=True) as store:
                summary_of(store.entries(secrets.choice(names)))

        rates = [head.number / seconds for seconds in _times(verify, turns)]
        section.rows.append(
            ("`records verify`", _spread(rates, 0, " entries/s"), *wanted(median(rates), 50_000, least=True))
        )
        for name, act in (("listing", listing), ("opening one treatment", opening)):
            times = [seconds * 1e3 for seconds in _times(act, turns)]
            section.rows.append((name, _spread(times, 0, " ms"), *wanted(median(times), 1000, unit=" ms")))
        with open_store(path) as store, Recorder(store, treatment="20261123-ffffff") as recorder:
            handed = [
                seconds * 1e3 for seconds in _times(lambda: recorder.write("held", **_SAMPLE), size.trips)
            ]
            recorder.make_durable(60)

            def durable() -> None:
                recorder.write("held", **_SAMPLE)
                recorder.make_durable(60)

            made = [seconds * 1e3 for seconds in _times(durable, size.trips)]
        section.rows.append(("an entry handed over", _spread(handed, 3, " ms"), "", ""))
        section.rows.append(("an entry made durable", _spread(made, 2, " ms"), "", ""))
    section.end()
    return [section]


def _treatment(store: Store, number: int, entries: int) -> str:
    """Write one treatment of so many entries; its id."""
    name = f"20261123-{number:06x}"
    zones = [{"zone": zone.name, "depth_mm": 0.5, "passes": 2, "area_cm2": 20.0} for zone in zone_table()]

    def draft(kind: str, **body: Any) -> Draft:
        return Draft(UTC, name, kind, "A. Berg", "PS1-0042", "1.2.3", True, 1.5, 1500, body)

    first = [draft("opened", patient="P-17", plan={"title": "Full face", "zones": zones}), draft("pen")]
    done = [{"index": index, "zone": "cheek", "side": None, "state": "done"} for index in range(1, 8)]
    last = [
        *(draft("zone-done", **zone) for zone in done),
        draft("summary", finished=True, zones=done),
        draft("closed", ended="finished", code=None),
    ]
    samples = [draft("sample", **_SAMPLE)] * max(entries - len(first) - len(last), 0)
    store.append([*first, *samples, *last])
    return name


def _times(act: Callable[[], object], turns: int) -> list[float]:
    times = []
    for _ in range(turns):
        begun = time.perf_counter()
        act()
        times.append(time.perf_counter() - begun)
    return times


def _spread(values: list[float], digits: int, unit: str) -> str:
    middle, least, most = (f"{value:,.{digits}f}" for value in (median(values), min(values), max(values)))
    return f"{middle}{unit} ({least} to {most})"
