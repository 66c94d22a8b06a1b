"""The JSON Schema of a plan: units in words, and nothing that a plan may not hold."""

from __future__ import annotations

import json
from typing import Any

from penstroke.treatment.plan import plan_schema, plan_schema_text

SCHEMA: dict[str, Any] = plan_schema()


def test_the_top() -> None:
    assert SCHEMA["title"] == "TreatmentPlan"
    assert SCHEMA["required"] == ["version", "title", "zones"]
    assert SCHEMA["properties"]["version"]["const"] == 1
    assert "patient" in SCHEMA["description"]


def test_nothing_more_is_permitted_anywhere() -> None:
    for model in (SCHEMA, *SCHEMA["$defs"].values()):
        assert model["additionalProperties"] is False


def test_each_quantity_says_its_unit() -> None:
    units = {"_mm": "mm", "_hz": "Hz", "_cm2": "cm²", "_min": "min"}
    seen = 0
    for model in (SCHEMA, *SCHEMA["$defs"].values()):
        for name, field in model["properties"].items():
            for ending, unit in units.items():
                if name.endswith(ending):
                    seen += 1
                    assert unit in json.dumps(field, ensure_ascii=False), name
    assert seen > 15


def test_the_text_is_the_schema() -> None:
    assert json.loads(plan_schema_text()) == SCHEMA
