"""The export as FHIR: valid as R4B, in the names of R4, with no code that was not verified.

R4B is what the library holds that is nearest to R4. It differs from R4 in the resources and types that
`CHANGED_IN_R4B` names (hl7.org/fhir/R4B/history.html, R4B's own list), so a bundle that uses none of them is
one of R4 as well. Names that R5 gave to what R4 has are `RENAMED_IN_R5`: one of those would be an error that
a reader of R4 meets in silence.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from reportentries import Chain, treatment

from penstroke.data import zone_table
from penstroke.records.summary import summary_of
from penstroke.records.told import TreatmentSummary
from penstroke.reports.fhir import bundle_of, fhir_export

CHANGED_IN_R4B = {
    *("ActivityDefinition", "AdministrableProductDefinition", "Citation", "ClinicalUseDefinition"),
    *("EffectEvidenceSynthesis", "Evidence", "EvidenceReport", "EvidenceVariable", "Ingredient"),
    *("ManufacturedItemDefinition", "MedicinalProduct", "MedicinalProductAuthorization"),
    *("MedicinalProductContraindication", "MedicinalProductDefinition", "MedicinalProductIndication"),
    *("MedicinalProductIngredient", "MedicinalProductInteraction", "MedicinalProductManufactured"),
    *("MedicinalProductPackaged", "MedicinalProductPharmaceutical", "MedicinalProductUndesirableEffect"),
    *("NutritionProduct", "PackagedProductDefinition", "PlanDefinition", "RegulatedAuthorization"),
    *("RiskEvidenceSynthesis", "SubscriptionStatus", "SubscriptionTopic", "SubstanceDefinition"),
    "SubstanceSpecification",
}
RENAMED_IN_R5 = {
    "Procedure": {"occurrencePeriod", "occurrenceDateTime", "used", "reason"},
    "Device": {"displayName", "name", "deviceVersion", "conformsTo"},
    "BodyStructure": {"includedStructure", "excludedStructure"},
    "MedicationAdministration": {"medication", "occurencePeriod", "occurenceDateTime", "reason"},
    "AdverseEvent": {"code", "occurrenceDateTime", "status", "resultingEffect"},
}
R4_NAMES = {
    "Procedure": {"performedPeriod", "usedReference"},
    "Device": {"deviceName", "serialNumber"},
    "DeviceUseStatement": {"device", "timingPeriod"},
    "BodyStructure": {"location"},
    "MedicationAdministration": {"medicationCodeableConcept"},
    "AdverseEvent": {"event", "actuality", "suspectEntity"},
    "QuestionnaireResponse": {"item", "authored"},
}


@pytest.fixture
def bundle(summary: TreatmentSummary) -> dict[str, Any]:
    return bundle_of(summary)


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [entry["resource"] for entry in bundle["entry"]]
    return [one for one in found if one["resourceType"] == kind]


def walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Everything in it, with the name it stands under."""
    yield key, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from walk(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item, key)


def variants() -> dict[str, TreatmentSummary]:
    skipped = Chain(simulated=False, operator="A")
    skipped.add("opened", patient="P", plan={"zones": [{"zone": "breast", "side": "left"}]})
    skipped.step("numbing", after_s=1, state="skipped", reason="no", by="A")
    partly = summary_of(treatment(seconds=1))
    partly.partly_simulated = True
    return {
        "whole": summary_of(treatment(seconds=1)),
        "real": summary_of(treatment(seconds=1, simulated=False)),
        "broken off": summary_of(treatment(seconds=1, finished=False)),
        "nothing done": summary_of(skipped.entries),
        "hostile": summary_of(treatment(seconds=1, hostile="</a>\x00\ud800 \u202e 漢字 \n")),
        "partly": partly,
    }


@pytest.mark.parametrize("name", variants())
def test_it_is_a_valid_bundle(name: str) -> None:
    read = Bundle.model_validate(json.loads(fhir_export(variants()[name])))
    assert read.type == "collection"


def test_everything_there_is_has_its_resource(bundle: dict[str, Any]) -> None:
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert {kind: kinds.count(kind) for kind in sorted(set(kinds))} == {
        "AdverseEvent": 2,
        "BodyStructure": 4,
        "Device": 3,
        "DeviceUseStatement": 3,
        "MedicationAdministration": 3,
        "Patient": 1,
        "Practitioner": 1,
        "Procedure": 4,
        "QuestionnaireResponse": 1,
    }


def test_it_is_r4_by_name(bundle: dict[str, Any]) -> None:
    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert not kinds & CHANGED_IN_R4B
    assert not {key for key, _ in walk(bundle)} & {"valueCodeableReference", "valueRatioRange", "concept"}
    for kind, names in RENAMED_IN_R5.items():
        for one in resources(bundle, kind):
            assert not names & set(one), kind
    for kind, names in R4_NAMES.items():
        assert names <= set(resources(bundle, kind)[0]), kind


def test_codes_are_those_of_the_zone_table_and_of_fhir_itself(bundle: dict[str, Any]) -> None:
    verified = {(zone.body_site_code, zone.body_site_display) for zone in zone_table() if zone.body_site_code}
    own = {
        "http://terminology.hl7.org/CodeSystem/v3-ActReason",
        "http://terminology.hl7.org/CodeSystem/adverse-event-severity",
        "http://terminology.hl7.org/CodeSystem/adverse-event-outcome",
    }
    systems = set()
    for _, value in walk(bundle):
        if isinstance(value, dict) and "system" in value:
            systems.add(value["system"])
            if value["system"] == "http://snomed.info/sct":
                assert (value["code"], value["display"]) in verified
    assert systems == own | {"http://snomed.info/sct"}


def test_every_reference_leads_to_a_resource_of_its_kind(bundle: dict[str, Any]) -> None:
    known = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert len(known) == len(bundle["entry"])
    references = [value for _, value in walk(bundle) if isinstance(value, dict) and "reference" in value]
    assert len(references) > 40
    for one in references:
        assert known[one["reference"]] == one["type"]


def test_the_same_treatment_has_the_same_ids(summary: TreatmentSummary) -> None:
    assert fhir_export(summary) == fhir_export(summary)
    other = summary_of(treatment())
    other.treatment = "20261123-ffffff"
    mine = {entry["fullUrl"] for entry in bundle_of(summary)["entry"]}
    assert mine.isdisjoint({entry["fullUrl"] for entry in bundle_of(other)["entry"]})


# -- simulated -------------------------------------------------------------------------------------------


def labelled(bundle: dict[str, Any]) -> list[bool]:
    every = [bundle, *(entry["resource"] for entry in bundle["entry"])]
    return ["HTEST" in [one["code"] for one in each.get("meta", {}).get("security", [])] for each in every]


def test_simulated_is_test_health_data_throughout(bundle: dict[str, Any]) -> None:
    assert all(labelled(bundle))


def test_a_real_treatment_is_no_test(real: TreatmentSummary) -> None:
    assert not any(labelled(bundle_of(real)))


def test_one_that_is_real_in_part_is_no_test_and_says_so(summary: TreatmentSummary) -> None:
    summary.partly_simulated = True
    told = bundle_of(summary)
    assert not any(labelled(told))
    assert "part of this was done on a simulated pen" in json.dumps(told)


# -- what it says ------------------------------------------------------------------------------------------


def main_procedure(bundle: dict[str, Any]) -> dict[str, Any]:
    (found,) = [one for one in resources(bundle, "Procedure") if "partOf" not in one]
    return found


def test_the_procedure(bundle: dict[str, Any], summary: TreatmentSummary) -> None:
    told = main_procedure(bundle)
    assert (told["status"], told["code"]) == ("completed", {"text": "Microneedling"})
    assert [site["text"] for site in told["bodySite"]] == [
        "forehead",
        "cheek, the patient's left",
        "cheek, the patient's right",
    ]
    notes = " ".join(note["text"] for note in told["note"])
    for text in ("over-current", "deep scar, seen and agreed", "from 30 to 3", summary.head):
        assert text in notes
    assert len(told["usedReference"]) == 3


def test_each_zone_is_a_part_with_its_figures(bundle: dict[str, Any]) -> None:
    parts = [one for one in resources(bundle, "Procedure") if "partOf" in one]
    assert len(parts) == 3
    note = parts[1]["note"][0]["text"]
    assert "depth 0.60–0.80 mm" in note
    assert "endpoint pinpoint-bleeding" in note
    assert parts[1]["performedPeriod"]["start"] < parts[1]["performedPeriod"]["end"]


def test_pen_and_cartridges(bundle: dict[str, Any]) -> None:
    pen, first, second = resources(bundle, "Device")
    assert pen["serialNumber"] == "SIM00000007"
    assert pen["version"][0]["value"] == "1.0.0"
    assert [(one["lotNumber"], one["expirationDate"]) for one in (first, second)] == [
        ("L22217", "2028-03-31"),
        ("L22218", "2028-03-31"),
    ]
    assert first["property"][1]["valueQuantity"] == [{"value": 2.5, "unit": "mm"}]


def test_an_expiry_that_is_no_date_is_left_out() -> None:
    chain = Chain(simulated=True, operator="A")
    chain.add("opened", patient="P", plan={})
    chain.add("cartridge", lot="L", expiry="soon", needle_count=16, needle_length_um=2500, id=1, change=False)
    (device,) = resources(bundle_of(summary_of(chain.entries)), "Device")
    assert "expirationDate" not in device


def test_what_screening_excluded_is_a_structure_of_its_own(bundle: dict[str, Any]) -> None:
    (told,) = [one for one in resources(bundle, "BodyStructure") if "excluded" in one["description"]]
    assert told["description"] == "upper lip: excluded by screening, not to be needled"
    assert {"text": "excluded area"} in told["locationQualifier"]


@pytest.mark.parametrize(("zone", "within"), [("periorbital", "eyelid"), ("breast", "areola")])
def test_a_zone_tells_the_no_go_area_within_it(zone: str, within: str) -> None:
    chain = Chain(simulated=True, operator="A")
    chain.add("opened", patient="P", plan={"zones": [{"zone": zone, "side": "left", "passes": 1}]})
    chain.add("zone", index=1, zone=zone, side="left", answer="start")
    chain.add("held", zone=zone, side="left", depth_mm=0.2, rate_hz=100.0, limits={})
    chain.add("command", command="run", number=1, depth_mm=0.2, rate_hz=100.0, for_s=1.0)
    chain.add("run-ended", ended="duration", elapsed_s=1.0, zone_strokes=100)
    (told,) = resources(bundle_of(summary_of(chain.entries)), "BodyStructure")
    assert f"{within} excluded: nothing may be needled there" in told["description"]
    (extension,) = told["extension"]
    assert (
        extension["url"]
        == "http://hl7.org/fhir/5.0/StructureDefinition/extension-BodyStructure.excludedStructure"
    )
    assert extension["extension"][0]["valueCodeableConcept"]["text"] == within
    assert extension["extension"][1]["valueCodeableConcept"] == {"text": "left"}


def test_screening_is_a_questionnaire_response(bundle: dict[str, Any]) -> None:
    (told,) = resources(bundle, "QuestionnaireResponse")
    items = {item["linkId"]: item for item in told["item"]}
    assert items["bleeding_disorder"]["answer"] == [{"valueBoolean": False}]
    assert items["active_acne"]["answer"] == [{"valueString": "upper_lip"}]
    assert "answer" not in items["anaesthetic_allergy"]
    outcome = {item["linkId"]: item for item in items["outcome"]["item"]}
    assert outcome["outcome.factor"]["answer"] == [{"valueString": "3/4"}]
    assert outcome["outcome.excluded"]["answer"] == [{"valueString": "upper_lip"}]
    assert "answer" not in outcome["outcome.blocked_by"]


def test_numbing_and_solutions_are_put_on_the_skin(bundle: dict[str, Any]) -> None:
    numbing, first, second = resources(bundle, "MedicationAdministration")
    assert numbing["medicationCodeableConcept"] == {"text": "Lidocaine cream (lidocaine 4 %)"}
    assert numbing["dosage"]["dose"] == {"value": 3, "unit": "g"}, "as corrected"
    assert numbing["effectivePeriod"]["start"] < numbing["effectivePeriod"]["end"]
    assert first["dosage"]["dose"] == {"value": 2, "unit": "mL"}
    assert "not delivered by the pen" in first["note"][0]["text"]
    assert "lot M-881" in first["note"][0]["text"]
    assert second["dosage"]["site"]["text"] == "cheek, the patient's left"


def test_side_effects_are_adverse_events(bundle: dict[str, Any]) -> None:
    redness, bruising = resources(bundle, "AdverseEvent")
    assert (redness["event"]["text"].split(" ")[0], redness["date"]) == ("redness", "2026-11-23")
    assert redness["severity"]["coding"][0]["code"] == "mild"
    assert [one["outcome"]["coding"][0]["code"] for one in (redness, bruising)] == ["resolved", "ongoing"]


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        ("finished", "completed"),
        ("quit", "stopped"),
        ("error", "stopped"),
        (None, "in-progress"),
        ("x", "unknown"),
    ],
)
def test_how_it_ended(summary: TreatmentSummary, ended: str | None, status: str) -> None:
    summary.ended = ended
    assert main_procedure(bundle_of(summary))["status"] == status


def test_where_nothing_was_needled_it_was_not_done() -> None:
    chain = Chain(simulated=True, operator="A")
    chain.add("opened", patient="P", plan={"zones": [{"zone": "chin"}]})
    chain.add("closed", ended="quit", code=0)
    assert main_procedure(bundle_of(summary_of(chain.entries)))["status"] == "not-done"


def test_a_bench_run_is_no_treatment() -> None:
    chain = Chain(simulated=True, operator="A")
    chain.add("opened", patient=None, plan=None, bench="gauge")
    with pytest.raises(ValueError, match="bench run"):
        fhir_export(summary_of(chain.entries))


def test_making_one_needs_no_library() -> None:
    heavy = ("fhir", "pydantic", "sqlalchemy", "typst", "babel", "click")
    code = (
        "import sys; import penstroke.reports.fhir, penstroke.reports.html, penstroke.reports.exports; "
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert outcome.stdout.strip() == "[]"
