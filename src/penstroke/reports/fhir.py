"""A treatment as FHIR R4: one Bundle, written as plain JSON.

Why these shapes:

- The Bundle is a `collection`. A `document` is a composed and attested whole with an author who answers for
  it; a record that a machine kept is not that, and nothing here should look as if it were.
- A code is given only where the zone table has one that was verified, and where FHIR itself binds a value;
  all else is text. A wrong code is worse than none.
- R4's BodyStructure can say what it is and cannot say what it leaves out. What may not be needled within a
  zone stands in its description and in R5's `excludedStructure`, in the form that FHIR has for elements of
  later versions. Zones that screening excluded are BodyStructures of their own, marked so in text.
- A simulated treatment carries the label HTEST (test health data) on the Bundle and on every resource; one
  that was simulated in part does not, so that nobody takes it for a test, and says so in a note.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from penstroke.records.entry import canonical
from penstroke.records.plain import mapping, number, sequence, text, texts
from penstroke.records.told import Step, Told, TreatmentSummary, ZoneSummary
from penstroke.reports.fhir_parts import (
    SAY,
    Resource,
    cleaned,
    concept,
    day,
    figures,
    instant,
    item,
    property_of,
    site_of,
)
from penstroke.reports.plain import clean, plain, strength, zone_and_side

_HTEST: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
_TARGET = "http://hl7.org/fhir/StructureDefinition/procedure-targetBodyStructure"
_EXCLUDED = "http://hl7.org/fhir/5.0/StructureDefinition/extension-BodyStructure.excludedStructure"
_SEVERITY = "http://terminology.hl7.org/CodeSystem/adverse-event-severity"
_OUTCOME = "http://terminology.hl7.org/CodeSystem/adverse-event-outcome"

_WITHIN: Final[Mapping[str, str]] = {
    "periorbital": "eyelid",
    "breast": "areola",
    "nose_tip": "mucosa",
    "upper_lip": "lip_vermilion",
    "chin": "lip_vermilion",
}
"""Forbidden zones that lie within or at the edge of one that may be needled."""

_NAMESPACE = uuid.UUID("5b0f7a0c-5f0e-5c1c-9d3e-70656e737472")
"""Of the identifiers made here: the same treatment gives the same ones."""

_STATUS: Final[Mapping[str | None, str]] = {
    "finished": "completed",
    "quit": "stopped",
    "interrupted": "stopped",
    "error": "stopped",
    None: "in-progress",
}


def fhir_export(summary: TreatmentSummary) -> bytes:
    """The Bundle as canonical JSON, and a line end. Raises `ValueError` for a run on the bench: it has no
    patient."""
    if summary.bench or not summary.patient:
        raise ValueError("a bench run treats nobody, and FHIR tells of somebody")
    return canonical(bundle_of(summary)) + b"\n"


def bundle_of(summary: TreatmentSummary) -> Resource:
    """The Bundle as an object."""
    bundle: Resource = cleaned(_Bundle(summary).whole())
    return bundle


@dataclass(slots=True)
class _Bundle:
    """One bundle being put together."""

    s: TreatmentSummary
    resources: list[Resource] = field(default_factory=list)

    def whole(self) -> Resource:
        s = self.s
        patient = self._add("Patient", "patient", identifier=[{"value": s.patient}])
        operators = {
            name: self._add("Practitioner", f"by {name}", name=[{"text": name}]) for name in s.operators
        }
        performers = [{"actor": who} for who in operators.values()]
        pen, cartridges = self._devices()
        main = self._reference("Procedure", "treatment")
        sites = self._zones(patient, performers, main, [*pen, *cartridges])
        self._procedure(patient, performers, sites, [*pen, *cartridges])
        self._excluded(patient)
        self._uses(patient, [*pen, *cartridges])
        self._screening(patient, main, next(iter(operators.values()), None))
        self._numbing(patient, performers, main)
        self._solutions(patient, performers, main)
        self._side_effects(patient, main)
        bundle: Resource = {
            "resourceType": "Bundle",
            "id": self._id("Bundle", "bundle"),
            "type": "collection",
            "identifier": {"value": s.treatment},
            "timestamp": s.ended_utc or s.begun_utc,
            "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in self.resources],
        }
        return self._marked(bundle)

    # -- building --------------------------------------------------------------------------------------

    def _id(self, kind: str, name: str) -> str:
        return str(uuid.uuid5(_NAMESPACE, clean(f"{self.s.treatment}/{kind}/{name}")))

    def _reference(self, kind: str, name: str) -> Resource:
        return {"reference": f"urn:uuid:{self._id(kind, name)}", "type": kind}

    def _add(self, kind: str, name: str, /, **content: Any) -> Resource:
        """Add a resource; what is None or empty is left out. Gives a reference to it."""
        kept = {key: value for key, value in content.items() if value not in (None, "", [], {})}
        self.resources.append(self._marked({"resourceType": kind, "id": self._id(kind, name), **kept}))
        return self._reference(kind, name)

    def _marked(self, resource: Resource) -> Resource:
        if self.s.simulated and not self.s.partly_simulated:
            resource["meta"] = {"security": [dict(_HTEST)]}
        return resource

    # -- devices ---------------------------------------------------------------------------------------

    def _devices(self) -> tuple[list[Resource], list[Resource]]:
        pens = []
        for one in self.s.pens:
            identity = one.body.get("identity") or {}
            serial = str(identity.get("serial") or "")
            if any(known["id"] == self._id("Device", f"pen {serial}") for known in self.resources):
                continue
            model, firmware = identity.get("model"), identity.get("firmware")
            pens.append(
                self._add(
                    "Device",
                    f"pen {serial}",
                    status="active",
                    serialNumber=serial,
                    deviceName=[{"name": model, "type": "model-name"}] if model else [],
                    type={"text": "motorised microneedling pen"},
                    version=[{"type": {"text": "firmware"}, "value": firmware}] if firmware else [],
                )
            )
        fitted = [one.body for one in self.s.cartridges]
        if not fitted and (known_one := self.s.device.get("cartridge")):
            fitted = [known_one]
        cartridges = []
        for place, body in enumerate(fitted, start=1):
            cartridges.append(
                self._add(
                    "Device",
                    f"cartridge {place}",
                    status="active",
                    lotNumber=text(body.get("lot")),
                    expirationDate=day(body.get("expiry")),
                    type={"text": "needle cartridge, sterile, single use"},
                    property=[
                        *property_of("needle count", number(body.get("needle_count")), 1, "1"),
                        *property_of("needle length", number(body.get("needle_length_um")), 1000, "mm"),
                    ],
                    parent=pens[0] if pens else None,
                )
            )
        return pens, cartridges

    def _uses(self, patient: Resource, devices: list[Resource]) -> None:
        for device in devices:
            self._add(
                "DeviceUseStatement",
                f"use of {device['reference']}",
                status="completed" if self.s.ended else "active",
                subject=patient,
                timingPeriod=self._period(),
                device=device,
            )

    # -- the procedure -----------------------------------------------------------------------------------

    def _period(self) -> Resource:
        s = self.s
        return {"start": s.begun_utc, **({"end": s.ended_utc} if s.ended_utc else {})}

    def _procedure(
        self, patient: Resource, performers: list[Resource], sites: list[Resource], devices: list[Resource]
    ) -> None:
        s = self.s
        needled = [zone for zone in s.zones if zone.depth_max_mm is not None]
        status = _STATUS.get(s.ended, "unknown")
        notes = [
            self._note(one) for one in sorted([*s.overrides, *s.faults, *s.refusals], key=lambda t: t.entry)
        ]
        notes += [
            f"corrected: {one.of_kind} {one.key} from {plain(one.old, SAY)} to {plain(one.new, SAY)}, "
            f"by {one.by}: {one.reason}"
            for one in s.corrections
        ]
        if s.partly_simulated:
            notes.append("part of this was done on a simulated pen")
        notes.append(f"chain head of the record: entry {s.last}, {s.head}")
        self._add(
            "Procedure",
            "treatment",
            identifier=[{"value": s.treatment}],
            extension=[{"url": _TARGET, "valueReference": site} for site in sites],
            status="not-done" if status != "in-progress" and not needled else status,
            code={"text": "Microneedling"},
            subject=patient,
            performedPeriod=self._period(),
            performer=performers,
            bodySite=[site_of(zone.zone, zone.side) for zone in needled],
            usedReference=devices,
            note=[{"text": one} for one in notes],
        )

    def _note(self, one: Told) -> str:
        body = {key: value for key, value in one.body.items() if key not in ("reasons", "black_box")}
        return f"{one.kind}: {plain(body, SAY)}"

    def _zones(
        self, patient: Resource, performers: list[Resource], main: Resource, devices: list[Resource]
    ) -> list[Resource]:
        """A BodyStructure and a part of the procedure for each zone that was needled."""
        sites = []
        for zone in self.s.zones:
            if zone.depth_max_mm is None:
                continue
            name = f"zone {zone.index}"
            site = self._body_structure(patient, name, zone)
            sites.append(site)
            self._add(
                "Procedure",
                name,
                extension=[{"url": _TARGET, "valueReference": site}],
                partOf=[main],
                status="completed" if zone.state == "done" else "stopped" if self.s.ended else "in-progress",
                code={"text": "Microneedling of a zone"},
                subject=patient,
                performedPeriod=self._period_of(zone),
                performer=performers,
                bodySite=[site_of(zone.zone, zone.side)],
                usedReference=devices,
                note=[{"text": figures(zone)}],
            )
        return sites

    def _period_of(self, zone: ZoneSummary) -> Resource:
        runs = [run for run in self.s.runs if run.index == zone.index]
        ends = [run.readings[-1].utc for run in runs if run.readings]
        if not runs:
            return self._period()
        return {"start": runs[0].utc, **({"end": ends[-1]} if ends else {})}

    def _body_structure(self, patient: Resource, name: str, zone: ZoneSummary) -> Resource:
        within = _WITHIN.get(zone.zone)
        description = zone.zone.replace("_", " ") + (f", the patient's {zone.side}" if zone.side else "")
        extension: list[Resource] = []
        if within is not None:
            description += f"; {within.replace('_', ' ')} excluded: nothing may be needled there"
            parts: list[Resource] = [{"url": "structure", "valueCodeableConcept": concept(within)}]
            if zone.side:
                parts.append({"url": "laterality", "valueCodeableConcept": {"text": zone.side}})
            extension.append({"url": _EXCLUDED, "extension": parts})
        return self._add(
            "BodyStructure",
            name,
            extension=extension,
            active=True,
            location=concept(zone.zone),
            locationQualifier=[{"text": zone.side}] if zone.side else [],
            description=description,
            patient=patient,
        )

    def _excluded(self, patient: Resource) -> None:
        screening = self.s.screening
        for zone, side in screening.excluded if screening else ():
            where = zone.replace("_", " ") + (f", the patient's {side}" if side else "")
            self._add(
                "BodyStructure",
                f"excluded {zone} {side}",
                active=True,
                location=concept(zone),
                locationQualifier=[*([{"text": side}] if side else []), {"text": "excluded area"}],
                description=f"{where}: excluded by screening, not to be needled",
                patient=patient,
            )

    # -- screening, substances, side effects -----------------------------------------------------------------

    def _screening(self, patient: Resource, main: Resource, author: Resource | None) -> None:
        s = self.s
        step = next((one for one in reversed(s.steps) if one.step == "screening" and one.answers), None)
        if step is None:
            return
        items = [item(key, value) for key, value in step.answers.items()]
        if s.screening is not None:
            found = s.screening
            excluded = [f"{zone} {side}" if side else zone for zone, side in found.excluded]
            outcome: list[tuple[str, object]] = [
                ("blocked_by", list(found.blocked_by)),
                ("excluded", excluded),
                ("factor", found.factor),
                ("sign_offs", [plain(one, SAY) for one in found.sign_offs]),
            ]
            group = [item(f"outcome.{key}", value) for key, value in outcome]
            items.append({"linkId": "outcome", "text": "outcome of screening", "item": group})
        self._add(
            "QuestionnaireResponse",
            "screening",
            partOf=[main],
            status="completed",
            subject=patient,
            authored=step.utc,
            author=author,
            item=items,
        )

    def _numbing(self, patient: Resource, performers: list[Resource], main: Resource) -> None:
        s = self.s
        answers = s.answers("numbing")
        applied = next((one for one in s.steps if one.step == "numbing" and "product" in one.answers), None)
        removed = s.step("numbing")
        if applied is None or removed is None or not answers.get("product"):
            return
        off = removed is not applied and removed.state == "done"
        how_strong = strength(answers)
        begun = instant(applied.started_utc) or applied.utc
        period = {"start": begun, **({"end": removed.utc} if off else {})}
        self._administration(
            "numbing",
            patient,
            performers,
            main,
            product=f"{plain(answers['product'], SAY)}" + (f" ({how_strong})" if how_strong else ""),
            when={"effectivePeriod": period},
            amount=(answers.get("grams"), "g"),
            zones=answers.get("zones"),
            done=off,
            note="numbing before needling, applied to the skin and wiped off before needling",
        )

    def _solutions(self, patient: Resource, performers: list[Resource], main: Resource) -> None:
        step: Step | None = self.s.step("mesotherapy")
        if step is None or step.state != "done":
            return
        solutions = sequence(self.s.answers("mesotherapy").get("solutions"))
        for place, one in enumerate(map(mapping, solutions), start=1):
            named = text(one.get("ingredients_text")) or ", ".join(texts(one.get("ingredients")))
            self._administration(
                f"solution {place}",
                patient,
                performers,
                main,
                product=plain(one.get("product"), SAY) + (f" ({named})" if named else ""),
                when={"effectiveDateTime": step.utc},
                amount=(one.get("volume_ml"), "mL"),
                zones=one.get("zones"),
                done=True,
                note=f"lot {one.get('lot')}, expires {one.get('expiry')}, "
                f"{'' if one.get('sterile') else 'not '}labelled sterile; applied to the skin after "
                "needling, not delivered by the pen",
            )

    def _administration(
        self,
        name: str,
        patient: Resource,
        performers: list[Resource],
        main: Resource,
        *,
        product: str,
        when: Resource,
        amount: tuple[object, str],
        zones: object,
        done: bool,
        note: str,
    ) -> None:
        value, unit = amount
        dose = number(value)
        labels = list(texts(zones))
        where = f"to {', '.join(labels)}" if labels else ""
        dosage: Resource = {}
        if dose is not None:  # FHIR has no dosage without a dose
            dosage = {"route": {"text": "to the skin"}, "dose": {"value": dose, "unit": unit}}
            if where:
                dosage["text"] = where
            if len(labels) == 1:
                dosage["site"] = site_of(*zone_and_side(labels[0]))
        notes = [note, *([where] if where and not dosage else [])]
        self._add(
            "MedicationAdministration",
            name,
            partOf=[main],
            status="completed" if done else "in-progress",
            medicationCodeableConcept={"text": product},
            subject=patient,
            performer=performers,
            dosage=dosage,
            note=[{"text": one} for one in notes],
            **when,
        )

    def _side_effects(self, patient: Resource, main: Resource) -> None:
        for place, told in enumerate(self.s.follow_ups, start=1):
            body = told.body
            grade, resolved = str(body.get("grade")), body.get("resolved")
            severity = {"coding": [{"system": _SEVERITY, "code": grade}], "text": grade}
            outcome = "resolved" if resolved else "ongoing"
            details = {key: body.get(key) for key in ("resolved", "action", "note", "by") if body.get(key)}
            effect = str(body.get("effect")).replace("-", " ")
            self._add(
                "AdverseEvent",
                f"follow-up {place}",
                actuality="actual",
                event={"text": effect + (f" ({plain(details, SAY)})" if details else "")},
                subject=patient,
                date=day(body.get("onset")),
                recordedDate=told.utc,
                severity=severity if grade in ("mild", "moderate", "severe") else {"text": grade},
                outcome={"coding": [{"system": _OUTCOME, "code": outcome}]},
                suspectEntity=[{"instance": main}],
            )
