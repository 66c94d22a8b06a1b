"""What a treatment's entries come to."""

from __future__ import annotations

import copy

import pytest
from reportentries import OPERATOR, TREATMENT, Chain, treatment

from penstroke.records.entry import Entry
from penstroke.records.summary import summary_of
from penstroke.records.told import TreatmentSummary


def test_who_what_and_when(summary: TreatmentSummary) -> None:
    assert (summary.treatment, summary.patient, summary.operators) == (TREATMENT, "P-2041", [OPERATOR])
    assert (summary.begun_utc, summary.ended) == ("2026-11-23T14:03:05.123Z", "finished")
    assert summary.ended_utc is not None
    assert summary.ended_utc > "2026-11-23T15"
    assert summary.device["identity"]["serial"] == "SIM00000007"
    assert summary.simulated is True
    assert summary.finished is True


def test_the_head_is_that_of_the_last_entry(entries: list[Entry], summary: TreatmentSummary) -> None:
    assert (summary.first, summary.last, summary.head) == (1, len(entries), entries[-1].digest)


def test_zones_tell_the_depths_that_were_commanded(summary: TreatmentSummary) -> None:
    told = [(z.zone, z.side, z.state, z.depth_min_mm, z.depth_max_mm, z.endpoint) for z in summary.zones]
    assert told == [
        ("forehead", None, "done", 0.25, 0.3, "erythema"),
        ("cheek", "left", "done", 0.6, 0.8, "pinpoint-bleeding"),
        ("cheek", "right", "done", 0.6, 0.7, "pinpoint-bleeding"),
        ("periorbital", "right", "skipped", None, None, None),
    ]


def test_a_correction_is_applied_and_kept(entries: list[Entry], summary: TreatmentSummary) -> None:
    (told,) = summary.corrections
    assert (told.old, told.new, told.by, told.of_kind) == (30, 3, OPERATOR, "step")
    assert summary.answers("numbing")["grams"] == 3
    written = next(entry for entry in entries if entry.number == told.of)
    answers = written.body["answers"]
    assert isinstance(answers, dict)
    assert answers["grams"] == 30, "the entry itself stays as it was written"


def test_answers_of_a_step_in_two_parts_are_those_of_both(summary: TreatmentSummary) -> None:
    answers = summary.answers("numbing")
    assert answers["product"] == "Lidocaine cream"
    assert answers["wiped_off"] is True


def test_a_step_begun_anew_forgets_its_answers() -> None:
    chain = Chain(simulated=True, operator=OPERATOR)
    chain.step("numbing", after_s=1, state="begun", answers={"product": "A", "grams": 3})
    chain.step("numbing", after_s=1, state="redone", reason="wrong product", by=OPERATOR)
    chain.step("numbing", after_s=1, state="begun", answers={"product": "B"})
    assert summary_of(chain.entries).answers("numbing") == {"product": "B"}


def test_what_broke_off_is_told_as_far_as_it_came() -> None:
    summary = summary_of(treatment(finished=False, seconds=6))
    left = summary.zones[1]
    assert (summary.ended, summary.finished) == (None, None)
    assert (left.state, left.passes_done, left.depth_max_mm) == ("begun", 1, 0.8)
    assert left.seconds == 9.0
    assert left.strokes > 0


def test_a_run_in_the_air_counts_for_no_zone() -> None:
    chain = Chain(simulated=True, operator=OPERATOR)
    chain.add("opened", patient="P", plan={"zones": [{"zone": "chin", "area_cm2": 9, "passes": 1}]})
    chain.add("zone", index=1, zone="chin", side=None, answer="start")
    chain.add("command", command="run", zone="chin", side=None, depth_mm=0.8, rate_hz=110.0, for_s=3.0)
    assert summary_of(chain.entries).zones[0].depth_max_mm is None


def test_a_pen_of_either_kind_is_partly_simulated() -> None:
    entries = treatment(seconds=1)
    mixed = copy.copy(entries)
    place = next(i for i, entry in enumerate(mixed) if entry.kind == "zone-done")
    real = treatment(seconds=1, simulated=False)
    mixed[place:] = real[place:]
    summary = summary_of(mixed)
    assert (summary.simulated, summary.partly_simulated) == (True, True)


@pytest.mark.parametrize(
    "key", ["answers.solutions.0.lot", "answers.solutions.7.lot", "answers.x.y", "", "."]
)
def test_a_correction_of_any_place_raises_nothing(key: str) -> None:
    chain = Chain(simulated=True, operator=OPERATOR)
    of = chain.step("mesotherapy", after_s=1, answers={"solutions": [{"lot": "A"}]})
    chain.add("correction", of=of, key=key, old="A", new="B", by=OPERATOR, reason="slip")
    summary = summary_of(chain.entries)
    assert summary.corrections[0].applied is (key == "answers.solutions.0.lot")
    lot = summary.answers("mesotherapy")["solutions"][0]["lot"]
    assert lot == ("B" if key == "answers.solutions.0.lot" else "A")


def test_what_is_resumed_is_open_again() -> None:
    chain = Chain(simulated=True, operator=OPERATOR)
    chain.add("opened", patient="P", plan={})
    chain.add("closed", ended="error", code="fault-latched")
    assert (summary_of(chain.entries).ended, summary_of(chain.entries).code) == ("error", "fault-latched")
    chain.add("resumed", at_step="needling")
    summary = summary_of(chain.entries)
    assert (summary.ended, summary.ended_utc, summary.code) == (None, None, None)


def test_no_entries_make_an_empty_summary() -> None:
    assert summary_of([]).entries == 0
