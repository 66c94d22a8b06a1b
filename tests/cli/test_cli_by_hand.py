"""A whole visit typed at a real terminal: every question put in its turn, and taken as it was typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clitools import VIRTUAL, Process, Result

from penstroke.records.store import open_store
from penstroke.treatment.screening_form import Shape, screening_form

EXAMPLES = Path(__file__).parents[2] / "examples"
ADA, BEN = "Dr. Ada Example", "Ben Example"
NOTHING = {
    Shape.YES_NO: "no",
    Shape.MEDICINE: "never",
    Shape.ZONES: "none",
    Shape.PROPHYLAXIS: "no",
    Shape.INGREDIENTS: "none",
}

Lines = list[tuple[str, str | None]]
"""What is waited for, and what is typed then; None for what is only said."""

CONSENT: Lines = [
    ("informed consent to this treatment", "yes"),
    ("Who took the consent?", ADA),
    ("identity read back", "yes"),
    ("Were the zones read back", "yes"),
    ("Which allergies", "none"),
    ("Were the allergies read back", "yes"),
    ("Who read them back?", "ben example"),
]
SCREENING: Lines = [
    ("When was the patient born?", "12.4.1985"),  # said to be no date, and asked for again
    ("which is no date", None),
    ("When was the patient born?", "1985-04-12"),
    *[(one.ask, NOTHING[one.shape]) for one in screening_form().conditions],
]
BEFORE: Lines = [
    ("depth last measured", "today-80"),
    ("handpiece disinfected", "yes"),
    ("undamaged sterile pack", "yes"),
    ("Which lot does the pack name?", ""),
    ("run or quit?", "run"),
]
CLEANING: Lines = [
    ("What was the skin cleaned with?", "mildem Schaum"),
    ("oil and make-up off?", "yes"),
    ("wiped off?", "yes"),
    ("Which antiseptic", "?"),
    ("no more to say", None),
    ("Which antiseptic", "chlorhexidine 0,5 %"),
    ("Is the antiseptic dry?", "yes"),
]
NUMBING: Lines = [
    ("do it or skip it?", "do"),
    ("Which numbing product", "cream"),
    ("Which anaesthetics does it hold?", "lidocaine"),
    ("How much lidocaine", "5"),
    ("over the counter", "yes"),
    ("How much is put on?", "2,5"),
    ("On how large an area?", "8"),
    ("On which zones?", "forehead"),
    ("How long must it stay on", "30"),
    ("products above 4 % are not to be used", None),
    ("`off` takes it off sooner", "off"),
    ("wiped off?", "yes"),
    ("How does the skin look", ""),
    ("Why is the product taken off now?", "it burns"),
    ("Who decided that?", ADA),
]
NEEDLING: Lines = [
    ("start, skip or quit?", "start"),
    ("What does the skin show?", "pinpoint-bleeding"),
    ("sharps container?", "yes"),
    ("has all bleeding stopped?", "yes"),
    ("Anything to note?", ""),
]
HANDED_OVER = "gone through with the patient"
AFTER: Lines = [
    ("do it or skip it?", "skip"),
    ("For what reason?", "not wanted"),
    ("Who decides that?", BEN),
    ("Which directions", "standard"),
    ("In which language?", "de"),
    (HANDED_OVER, "yes"),
    ("By whom?", BEN),
    ("do it or skip it?", "do"),
    ("When is the patient asked", "today+7"),
    ("know the warning signs", "yes"),
]


def test_a_whole_visit_by_hand(
    spawn: Callable[..., Process], cli: Callable[..., Result], own_home: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    zone: dict[str, Any] = {"zone": "forehead", "area_cm2": 1.6, "depth_mm": 0.4, "rate_hz": 110, "passes": 1}
    plan.write_text(json.dumps({"version": 1, "title": "Small", "zones": [zone]}))
    store = own_home / "records.db"
    process = spawn(
        *("--port", VIRTUAL, "treat", plan, "--patient", "P-1", "--operator", BEN),
        *("--roster", EXAMPLES / "roster.toml", "--store", store),
    )
    for waits_for, types in (*CONSENT, *SCREENING, *BEFORE, *CLEANING, *NUMBING, *NEEDLING, *AFTER):
        process.read_until(waits_for)
        if waits_for == HANDED_OVER:
            # While the visit waits for it, the page is made in another terminal.
            page = cli("aftercare", "--store", store, "--language", "de")
            assert (page.code, "Bis " in page.out, page.err) == (0, True, "")
        if types is not None:
            process.type(f"{types}\n")
    code, _ = process.end()
    assert code == 0
    with open_store(str(store), readonly=True) as opened:
        steps = [entry.body for entry in opened.entries(kinds=["step"])]
    assert [(one["step"], one["state"]) for one in steps] == [
        ("consent", "done"),
        ("screening", "done"),
        ("pre-use", "done"),
        ("cleaning", "done"),
        ("numbing", "begun"),
        ("numbing", "done"),
        ("needling", "done"),
        ("mesotherapy", "skipped"),
        ("aftercare", "done"),
        ("follow-up", "done"),
    ]
    answers = [one["answers"] for one in steps]
    assert answers[0]["read_back_by"] == BEN
    assert answers[3]["antiseptic"] == "chlorhexidine 0,5 %"
    assert (answers[4]["grams"], answers[4]["lidocaine_pct"]) == (2.5, 5)
    assert answers[5]["early_reason"] == "it burns"
    assert (steps[7]["reason"], steps[7]["by"]) == ("not wanted", BEN)
