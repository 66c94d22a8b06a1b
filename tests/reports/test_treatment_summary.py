"""What a treatment's entries come to."""

from __future__ import annotations

import copy
import csv
import io

import pytest
from reportentries import OPERATOR, TREATMENT, Chain, limits, treatment

from penstroke.records.entry import Entry
from penstroke.records.summary import summary_of
from penstroke.records.told import TreatmentSummary
from penstroke.reports.exports import csv_export


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


def lowered() -> Chain:
    """A pass that is lowered twice on its way, by the hand and by a ceiling, and the pass after it."""
    chain = Chain(simulated=True, operator=OPERATOR)
    chain.bind()
    chain.add("opened", patient="P", plan={"zones": [{"zone": "chin", "area_cm2": 9, "passes": 2}]})
    chain.add("zone", index=1, zone="chin", side=None, answer="start")
    held = limits(0.75, "zone")
    for number, depth in ((1, 0.6), (2, 0.4)):
        chain.add("held", zone="chin", side=None, depth_mm=depth, rate_hz=110.0, limits=held)
        chain.add("command", command="run", number=number, depth_mm=depth, rate_hz=110.0, for_s=9.0)
        for second in range(1, 10):
            chain.add("sample", after_s=1, elapsed_s=float(second), depth_mm=depth, rate_hz=110.0)
            if number == 1 and second == 3:
                chain.add("command", after_s=0.5, command="set-depth", depth_mm=0.55)
            if number == 1 and second == 6:
                chain.add("command", after_s=0.5, command="lower-ceiling", ceiling_mm=0.5)
        chain.add("run-ended", ended="duration", elapsed_s=9.0, zone_strokes=990)
    return chain


def test_a_depth_that_is_lowered_within_a_pass_is_the_commanded_one_from_there_on() -> None:
    summary = summary_of(lowered().entries)
    first, second = summary.runs
    assert [(one.at_s, one.depth_mm, one.limit_mm) for one in first.held()] == [
        (0.0, 0.6, 0.75),
        (3.5, 0.55, 0.75),
        (6.5, 0.45, 0.5),
    ]
    assert len(second.held()) == 1
    assert (summary.zones[0].depth_min_mm, summary.zones[0].depth_max_mm) == (0.4, 0.6)
    alone = summary_of(lowered().entries[:-12])
    assert (alone.zones[0].depth_min_mm, alone.zones[0].depth_max_mm) == (0.45, 0.6)


def test_the_table_tells_the_depth_that_was_commanded_last() -> None:
    rows = csv.DictReader(io.StringIO(csv_export(lowered().entries), newline=""))
    told = [(row["set_depth_mm"], row["limit_mm"]) for row in rows if row["kind"] == "sample"]
    assert told[:9] == [("0.6", "0.75")] * 3 + [("0.55", "0.75")] * 3 + [("0.45", "0.5")] * 3
    assert told[9:] == [("0.4", "0.75")] * 9


def test_a_command_of_another_program_is_none_within_a_run_that_was_lost() -> None:
    chain = Chain(simulated=True, operator=OPERATOR)
    chain.add("opened", patient="P", plan={"zones": [{"zone": "chin", "area_cm2": 9, "passes": 1}]})
    chain.add("zone", index=1, zone="chin", side=None, answer="start")
    chain.add("command", command="run", number=1, depth_mm=0.5, rate_hz=110.0, for_s=9.0)
    chain.add("resumed", at_step="needling")
    chain.add("command", command="set-depth", depth_mm=0.3)
    (run,) = summary_of(chain.entries).runs
    assert run.lost
    assert not run.changes
