"""A whole treatment as entries of the record, made by hand: every kind there is, with values one would find.

`treatment()` gives the entries; `hostile` puts a text into every place that a person can write to.
"""

from __future__ import annotations

import datetime
import math
from typing import Any

from penstroke.records.entry import NO_DIGEST, Draft, Entry, utc_label

_BEGUN = datetime.datetime(2026, 11, 23, 14, 3, 5, 123000, tzinfo=datetime.UTC)
TREATMENT = "20261123-51a00c"
OPERATOR = "Dr. Ada Example"


class Chain:
    """Entries one after the other, on a clock of its own."""

    def __init__(self, *, simulated: bool, operator: str) -> None:
        self.entries: list[Entry] = []
        self._operator = operator
        self._simulated = simulated
        self._bound_at_s: float | None = None
        self.now_s = 0.0

    @property
    def utc(self) -> str:
        return utc_label(_BEGUN + datetime.timedelta(seconds=self.now_s))

    def bind(self) -> None:
        self._bound_at_s = self.now_s

    def add(self, kind: str, *, after_s: float = 0.0, **body: Any) -> int:
        """One entry, `after_s` after the one before; its number."""
        self.now_s += after_s
        bound = self._bound_at_s is not None
        draft = Draft(
            utc=self.utc,
            treatment=None if kind == "store" else TREATMENT,
            kind=kind,
            operator=self._operator,
            device_serial="SIM00000007" if bound else None,
            firmware="1.0.0" if bound else None,
            simulated=self._simulated if bound else None,
            port_s=round(self.now_s - (self._bound_at_s or 0.0), 3) if bound else None,
            device_ms=round(self.now_s * 1000) if bound else None,
            body=body,
        )
        number = len(self.entries) + 1
        self.entries.append(draft.placed(number, self.entries[-1].digest if self.entries else NO_DIGEST))
        return number

    def step(self, step: str, *, after_s: float, state: str = "done", **rest: Any) -> int:
        """A `step` entry with its answers."""
        answers = rest.pop("answers", {})
        return self.add(
            "step",
            after_s=after_s,
            step=step,
            state=state,
            answers=answers,
            warnings=rest.pop("warnings", []),
            **rest,
        )


def limits(limit_mm: float, bound_by: str) -> dict[str, Any]:
    """The limits in force, as the status of a pen tells them."""
    return {
        "depth_mm": limit_mm,
        "depth_max_mm": round(limit_mm - 0.05, 3),
        "depth_bound_by": bound_by,
        "depth_tolerance_mm": 0.05,
        "depth_step_mm": 0.05,
        "rate_min_hz": 25.0,
        "rate_max_hz": 150.0,
    }


def plan_of(title: str) -> dict[str, Any]:
    """A plan as its JSON stands in the `opened` entry."""

    def zone(name: str, side: str | None, area: float, *passes: tuple[float, float]) -> dict[str, Any]:
        return {
            "zone": name,
            "side": side,
            "area_cm2": area,
            "depth_mm": None,
            "rate_hz": None,
            "passes": [
                {"depth_mm": depth, "rate_hz": rate, "direction": "vertical"} for depth, rate in passes
            ],
            "target_density": {"min_per_cm2": 250, "max_per_cm2": 300},
            "notes": "",
        }

    return {
        "version": 1,
        "title": title,
        "notes": "",
        "zones": [
            zone("forehead", None, 40, (0.25, 110), (0.3, 110), (0.3, 110)),
            zone("cheek", "left", 45, (0.6, 110), (0.7, 110), (0.8, 110)),
            zone("cheek", "right", 45, (0.6, 110), (0.7, 110), (0.7, 110)),
            zone("periorbital", "right", 12, (0.2, 100), (0.2, 100)),
        ],
    }


def one_run(
    chain: Chain,
    zone: str,
    side: str | None,
    number: int,
    depth_mm: float,
    rate_hz: float,
    *,
    limit: tuple[float, str],
    seconds: int,
    strokes_before: int,
    ended: str = "duration",
) -> int:
    """The entries of one pass; returns the strokes in the zone so far."""
    chain.add("command", after_s=1.0, command="set-rate", rate_hz=rate_hz)
    chain.add("command", command="set-depth", depth_mm=depth_mm)
    chain.add("held", zone=zone, side=side, depth_mm=depth_mm, rate_hz=rate_hz, limits=limits(*limit))
    chain.add(
        "command", command="run", number=number, depth_mm=depth_mm, rate_hz=rate_hz, for_s=float(seconds)
    )
    strokes = 0
    for second in range(1, seconds + 1):
        strokes = round(rate_hz * (second - 0.15))
        wobble = 0.008 * math.sin(second * 1.7 + number)
        chain.add(
            "sample",
            after_s=1.0,
            state="running",
            elapsed_s=float(second),
            depth_mm=round(depth_mm + wobble, 3),
            rate_hz=round(rate_hz - 0.6 + 0.5 * math.cos(second), 1),
            strokes=strokes,
            needles_out=True,
            motor_on=True,
            current_ma=118 + second % 5,
            temperature_c=24.5,
            battery_pct=91,
            missed=0,
            depth_min_mm=round(depth_mm + wobble - 0.012, 3),
            depth_max_mm=round(depth_mm + wobble + 0.012, 3),
            rate_min_hz=21.8 if second == 1 else round(rate_hz - 2.0, 1),
            rate_max_hz=round(rate_hz + 0.6, 1),
            current_max_ma=235 if second == 1 else 130,
            count=20,
        )
    chain.add("run-ended", ended=ended, elapsed_s=float(seconds), zone_strokes=strokes_before + strokes)
    return strokes_before + strokes


def treatment(
    *,
    simulated: bool = True,
    hostile: str = "",
    seconds: int = 12,
    finished: bool = True,
) -> list[Entry]:
    """All entries of one treatment, from its opening to its follow-up.

    `hostile` is appended to every text that a person wrote. `seconds` is how long a pass takes. Without
    `finished` the record breaks off in the second zone, as after a power cut.
    """
    h = hostile
    chain = Chain(simulated=simulated, operator=OPERATOR + h)
    chain.add(
        "opened",
        patient="P-2041" + h,
        plan=plan_of("Cheeks and forehead, second session" + h),
        plan_file="cheeks.yaml" + h,
        penstroke="0.1.0",
        token="51a00cc93ac889c9",
    )
    chain.step(
        "consent",
        after_s=60,
        answers={
            "informed_consent": True,
            "consent_by": "Dr. Ada Example" + h,
            "patient_confirmed": True,
            "zones_confirmed": True,
            "allergies": "nickel" + h,
            "allergies_confirmed": True,
            "read_back_by": "Ben Nurse" + h,
        },
    )
    chain.step(
        "screening",
        after_s=180,
        answers={
            "birthday": "1987-04-12",
            "bleeding_disorder": False,
            "pregnancy_or_nursing": False,
            "steel_allergy": False,
            "isotretinoin": "never",
            "anticoagulant": True,
            "anticoagulant_signed_by": "Dr. Ada Example" + h,
            "anticoagulant_reason": "bleeding time normal" + h,
            "active_acne": ["upper_lip"],
            "cold_sores": True,
            "cold_sores_prophylaxis": True,
            "anaesthetic_allergy": [],
        },
        warnings=["history of cold sores: prophylaxis confirmed before upper_lip"],
    )
    chain.add(
        "screened",
        blocked_by=[],
        excluded=[["upper_lip", None]],
        factor="3/4",
        sign_offs=[
            {"condition": "anticoagulant", "by": "Dr. Ada Example" + h, "reason": "bleeding time normal" + h}
        ],
        warnings=[],
    )
    chain.bind()
    chain.add(
        "pen",
        after_s=20,
        identity={
            "model": "sim-fine" + h,
            "serial": "SIM00000007",
            "firmware": "1.0.0",
            "protocol": "1.0",
            "simulated": simulated,
        },
        limits={
            "depth_min_um": 50,
            "depth_max_um": 2500,
            "depth_step_um": 50,
            "tolerance_um": 50,
            "rate_min_dhz": 250,
            "rate_max_dhz": 1500,
            "rate_step_dhz": 10,
        },
        cartridge={
            "present": True,
            "id": 7288911605438991048,
            "lot": "L22217" + h,
            "expiry": "2028-03-31",
            "used": False,
            "needle_count": 16,
            "needle_length_um": 2500,
            "strokes": 0,
        },
        clinic="Example Clinic" + h,
    )
    chain.add("check", against="the pen connected", violations=[])
    chain.step(
        "pre-use",
        after_s=40,
        answers={"calibrated_on": "2026-11-02", "pen_clean": True, "sterile_pack": True, "lot_on_pack": None},
        measured={
            "battery_pct": 92,
            "air": {"depth_set_mm": 0.8, "depth_min_mm": 0.793, "depth_max_mm": 0.808, "seconds": 3.0},
        },
    )
    chain.step(
        "cleaning",
        after_s=240,
        answers={
            "agent": "micellar water" + h,
            "clean": True,
            "home_numbing_off": True,
            "antiseptic": "chlorhexidine 2 %" + h,
            "antiseptic_dry": True,
        },
    )
    numbing = chain.step(
        "numbing",
        after_s=120,
        state="begun",
        started_utc=chain.utc,
        answers={
            "product": "Lidocaine cream" + h,
            "ingredients": ["lidocaine"],
            "lidocaine_pct": 4,
            "over_the_counter": True,
            "grams": 30,
            "area_cm2": 130,
            "zones": ["forehead", "cheek"],
            "dwell_min": 40,
        },
    )
    begun = chain.utc
    chain.step(
        "numbing",
        after_s=2400,
        started_utc=begun,
        answers={"wiped_off": True, "skin_reaction": None},
        dwell_left_s=0.0,
    )
    chain.add(
        "cartridge",
        lot="L22217" + h,
        expiry="2028-03-31",
        needle_count=16,
        needle_length_um=2500,
        id=7288911605438991048,
        change=False,
    )
    # -- needling
    chain.add("zone", after_s=30, index=1, zone="forehead", side=None, answer="start")
    chain.add("command", command="select-zone", zone="forehead", side=None)
    strokes = 0
    for number, depth in enumerate((0.25, 0.3, 0.3), start=1):
        strokes = one_run(
            chain,
            "forehead",
            None,
            number,
            depth,
            110.0,
            limit=(0.375, "screening"),
            seconds=seconds,
            strokes_before=strokes,
        )
    chain.add("endpoint", zone="forehead", side=None, **{"pass": 3}, endpoint="erythema")
    chain.add(
        "zone-done",
        index=1,
        zone="forehead",
        side=None,
        state="done",
        passes=3,
        passes_done=3,
        seconds=float(3 * seconds),
        strokes=strokes,
        density_per_cm2=round(strokes * 16 / 40, 1),
        endpoint="erythema",
    )
    chain.add("zone", after_s=20, index=2, zone="cheek", side="left", answer="start")
    chain.add("command", command="select-zone", zone="cheek", side="left")
    strokes = one_run(
        chain, "cheek", "left", 1, 0.6, 110.0, limit=(0.75, "screening"), seconds=seconds, strokes_before=0
    )
    chain.add(
        "refused",
        code="depth-over-limit",
        message="0.80 mm + 0.05 mm tolerance is over the 0.75 mm ceiling (set by: screening)",
        reasons=[{"code": "depth-over-limit", "bound_by": "screening", "depth_max_mm": 0.7}],
    )
    chain.add(
        "override",
        what="hard-ceiling",
        zone="cheek",
        side="left",
        by="Dr. Ada Example" + h,
        reason="deep scar, seen and agreed" + h,
    )
    chain.add("fault", after_s=2, faults=["over-current"])
    strokes = one_run(
        chain,
        "cheek",
        "left",
        2,
        0.8,
        110.0,
        limit=(1.125, "screening"),
        seconds=max(seconds // 2, 1),
        strokes_before=strokes,
        ended="fault",
    )
    if not finished:
        return chain.entries
    chain.add(
        "cartridge",
        after_s=90,
        lot="L22218" + h,
        expiry="2028-03-31",
        needle_count=16,
        needle_length_um=2500,
        id=7288911605438991049,
        change=True,
        reason="bent needle after the fault" + h,
    )
    for number in (2, 3):
        strokes = one_run(
            chain,
            "cheek",
            "left",
            number,
            0.8,
            110.0,
            limit=(1.125, "screening"),
            seconds=seconds,
            strokes_before=strokes,
        )
    chain.add("endpoint", zone="cheek", side="left", **{"pass": 3}, endpoint="pinpoint-bleeding")
    chain.add(
        "zone-done",
        index=2,
        zone="cheek",
        side="left",
        state="done",
        passes=3,
        passes_done=3,
        seconds=seconds * 3.5,
        strokes=strokes,
        density_per_cm2=round(strokes * 16 / 45, 1),
        endpoint="pinpoint-bleeding",
    )
    chain.add("rest", left_s=45.0)
    chain.add("zone", after_s=60, index=3, zone="cheek", side="right", answer="start")
    chain.add("command", command="select-zone", zone="cheek", side="right")
    strokes = 0
    for number, depth in enumerate((0.6, 0.7, 0.7), start=1):
        strokes = one_run(
            chain,
            "cheek",
            "right",
            number,
            depth,
            110.0,
            limit=(0.75, "screening"),
            seconds=seconds,
            strokes_before=strokes,
        )
    chain.add(
        "zone-done",
        index=3,
        zone="cheek",
        side="right",
        state="done",
        passes=3,
        passes_done=3,
        seconds=float(3 * seconds),
        strokes=strokes,
        density_per_cm2=round(strokes * 16 / 45, 1),
        endpoint="pinpoint-bleeding",
    )
    chain.add("zone", index=4, zone="periorbital", side="right", answer="skip")
    chain.add("summary", finished=True, zones=[])
    chain.step(
        "needling", after_s=10, answers={"sharps": True, "skin_wiped": True, "note": "container 4" + h}
    )
    chain.step(
        "mesotherapy",
        after_s=300,
        answers={
            "solutions": [
                {
                    "product": "HA + B5 ampoule" + h,
                    "ingredients": ["hyaluronic acid", "other vitamins"],
                    "ingredients_text": "sodium hyaluronate 1 %, panthenol 0.5 %" + h,
                    "lot": "M-881" + h,
                    "expiry": "2027-08-31",
                    "sterile": True,
                    "volume_ml": 2,
                    "zones": ["forehead", "cheek left", "cheek right"],
                    "override_by": None,
                    "override_reason": None,
                },
                {
                    "product": "Amino acid complex",
                    "ingredients": ["amino acids", "minerals"],
                    "ingredients_text": "glycine, proline, zinc gluconate 0.1 %",
                    "lot": "M-702",
                    "expiry": "2027-01-31",
                    "sterile": True,
                    "volume_ml": 1,
                    "zones": ["cheek left"],
                    "override_by": None,
                    "override_reason": None,
                },
            ]
        },
    )
    chain.step(
        "aftercare",
        after_s=120,
        answers={"template": "standard", "language": "en", "given": True, "given_by": "Ben Nurse" + h},
        directions=[
            "Until 24 Nov 2026, 15:20: do not touch the skin; no make-up, no sunscreen." + h,
            "Until 26 Nov 2026: no sun, and no sport that makes you sweat.",
            "Until 26 Nov 2026: no pool and no sauna.",
            "Until 29 Nov 2026: no retinoid and no acids.",
            "Until 7 Dec 2026: sunscreen of SPF 30 or more.",
        ],
    )
    chain.add("closed", ended="finished", code=0)
    chain.add(
        "correction",
        after_s=600,
        of=numbing,
        key="answers.grams",
        old=30,
        new=3,
        by="Dr. Ada Example" + h,
        reason="slip of the keyboard" + h,
    )
    chain.add(
        "follow-up",
        after_s=2 * 86400,
        effect="redness",
        grade="mild",
        onset="2026-11-23",
        resolved="2026-11-25",
        action="none needed" + h,
        note="as expected" + h,
        by="Ben Nurse" + h,
    )
    chain.add(
        "follow-up",
        after_s=600,
        effect="bruising",
        grade="moderate",
        onset="2026-11-24",
        resolved=None,
        action="arnica, seen again in a week" + h,
        by="Ben Nurse" + h,
    )
    return chain.entries
