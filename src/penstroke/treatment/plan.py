"""The plan of a treatment: which zones, in which order, how deep, how fast, how many passes.

Depths and rates are plain numbers here; whether they may be done is for `check` and, at every set, for the
safety layer. A plan that cannot be read is an error; a plan that asks too much is readable, and refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictInt,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from penstroke.data import figures
from penstroke.errors import PlanError
from penstroke.treatment.document import Document, read_document, wrong

VERSION = 1
MOST_PASSES = 12
MOST_ZONES = 100

_SHOWN_PROBLEMS = 5

_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Depth = Annotated[_Number, Field(gt=0, description="needle protrusion in millimetres (mm)", examples=[0.45])]
Rate = Annotated[_Number, Field(gt=0, description="strokes a second, in hertz (Hz)", examples=[110])]
Minutes = Annotated[_Number, Field(ge=0, le=240, description="in minutes (min)")]
Density = Annotated[StrictInt, Field(gt=0, le=10_000, description="punctures per square centimetre (1/cm²)")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Pass(_Strict):
    """One going over the whole zone. What it leaves out is taken from the zone."""

    depth_mm: Depth | None = None
    rate_hz: Rate | None = None
    direction: Literal["vertical", "horizontal", "diagonal"] | None = Field(
        default=None, description="how the head is drawn over the skin"
    )


_COUNT, _EACH = "count", "each"

PassCount = Annotated[StrictInt, Field(ge=1, le=MOST_PASSES), Tag(_COUNT)]
PassList = Annotated[list[Pass], Field(min_length=1, max_length=MOST_PASSES), Tag(_EACH)]


def _kind_of_passes(given: object) -> str:
    """Decided by shape alone, so that an error speaks of the form that was meant."""
    return _EACH if isinstance(given, list) else _COUNT


class PlannedPass(_Strict):
    """One pass with everything said."""

    number: int = Field(description="counted from 1")
    depth_mm: float
    rate_hz: float
    direction: Literal["vertical", "horizontal", "diagonal"]


_DIRECTIONS: tuple[Literal["vertical", "horizontal", "diagonal"], ...] = (
    "vertical",
    "horizontal",
    "diagonal",
)


class TargetDensity(_Strict):
    """The density of punctures aimed at: shown beside the estimate, never used to stop early."""

    min_per_cm2: Density = Field(default_factory=lambda: figures().density_min_per_cm2)
    max_per_cm2: Density = Field(default_factory=lambda: figures().density_max_per_cm2)

    @model_validator(mode="after")
    def _in_order(self) -> TargetDensity:
        if self.min_per_cm2 > self.max_per_cm2:
            raise ValueError("min_per_cm2 is above max_per_cm2")
        return self


def _printable(text: str) -> str:
    """No control characters but line ends: a plan is shown at a terminal, which would obey them."""
    if not text.replace("\n", "").isprintable():
        raise ValueError("it has control characters")
    return text


Text = Annotated[str, AfterValidator(_printable)]


class PlanZone(_Strict):
    """One zone of the plan, in the order of treatment."""

    zone: str = Field(
        min_length=1, max_length=40, description="a name of the zone table", examples=["forehead", "cheek"]
    )
    side: Literal["left", "right"] | None = Field(
        default=None, description="the patient's left or right; required where the zone has sides"
    )
    area_cm2: Annotated[_Number, Field(gt=0, le=2000)] = Field(
        description="the area to be treated, in square centimetres (cm²)"
    )
    depth_mm: Depth | None = None
    rate_hz: Rate | None = None
    passes: Annotated[PassCount | PassList, Discriminator(_kind_of_passes)] = Field(
        default=4, description="how many passes, or each pass with what it does differently"
    )
    target_density: TargetDensity = Field(default_factory=TargetDensity)
    notes: Text = Field(default="", max_length=2000)

    @model_validator(mode="after")
    def _each_pass_is_said(self) -> PlanZone:
        given = self._given()
        for name, value in (("depth_mm", self.depth_mm), ("rate_hz", self.rate_hz)):
            if value is None and any(getattr(one, name) is None for one in given):
                raise ValueError(f"{name} is missing: give it for the zone, or in each of its passes")
        return self

    def _given(self) -> Sequence[Pass]:
        return [Pass()] * self.passes if isinstance(self.passes, int) else self.passes

    def planned_passes(self) -> tuple[PlannedPass, ...]:
        """Each pass with its depth, rate and direction; directions take turns where none is given."""
        found = []
        for index, one in enumerate(self._given()):
            depth_mm = self.depth_mm if one.depth_mm is None else one.depth_mm
            rate_hz = self.rate_hz if one.rate_hz is None else one.rate_hz
            if depth_mm is None or rate_hz is None:
                raise ValueError(f"pass {index + 1} of {self.zone} has no depth or no rate")
            direction = one.direction or _DIRECTIONS[index % len(_DIRECTIONS)]
            found.append(
                PlannedPass(number=index + 1, depth_mm=depth_mm, rate_hz=rate_hz, direction=direction)
            )
        return tuple(found)

    def label(self) -> str:
        """As people say it: `cheek left`, `forehead`."""
        return f"{self.zone} {self.side}" if self.side else self.zone


class ExpectedPen(_Strict):
    """The pen this plan was written for, so that it can be checked before one is connected."""

    depth_max_mm: Annotated[_Number, Field(gt=0, le=10, description="deepest of its range (mm)")]
    depth_min_mm: Annotated[_Number, Field(ge=0, le=10, description="shallowest of its range (mm)")] = 0.0
    step_mm: Annotated[_Number, Field(gt=0, le=1, description="step of its depth (mm)")]
    tolerance_mm: Annotated[_Number, Field(ge=0, le=1, description="stated tolerance of its depth (mm)")]
    rate_min_hz: Annotated[_Number, Field(gt=0, le=1000, description="slowest of its range (Hz)")]
    rate_max_hz: Annotated[_Number, Field(gt=0, le=1000, description="fastest of its range (Hz)")]
    needles: Annotated[StrictInt, Field(ge=1, le=200, description="needles of its cartridge")]

    @model_validator(mode="after")
    def _in_order(self) -> ExpectedPen:
        for name in ("depth_max_mm", "depth_min_mm", "step_mm", "tolerance_mm"):
            thousandth = getattr(self, name) * 1000
            if abs(thousandth - round(thousandth)) > 1e-6:
                raise ValueError(f"{name} is finer than a micrometre")
        if self.depth_min_mm > self.depth_max_mm or self.step_mm > self.depth_max_mm:
            raise ValueError("depth_min_mm or step_mm is above depth_max_mm")
        if self.rate_min_hz > self.rate_max_hz:
            raise ValueError("rate_min_hz is above rate_max_hz")
        return self


class Durations(_Strict):
    """How long the fixed steps take here, where it differs from the proposed figures. In minutes."""

    review_min: Minutes | None = None
    cleaning_min: Minutes | None = None
    numbing_apply_min: Minutes | None = None
    numbing_dwell_min: Minutes | None = None
    numbing_remove_min: Minutes | None = None
    pen_ready_min: Minutes | None = None
    mesotherapy_min: Minutes | None = None
    aftercare_min: Minutes | None = None


class TreatmentPlan(_Strict):
    """A treatment plan. Depths in mm, rates in Hz, areas in cm²; left and right are the patient's."""

    version: StrictInt = Field(description="version of this format", json_schema_extra={"const": VERSION})
    title: Text = Field(min_length=1, max_length=200)
    notes: Text = Field(default="", max_length=5000)
    pen: ExpectedPen | None = None
    durations: Durations = Field(default_factory=Durations)
    zones: list[PlanZone] = Field(
        min_length=1, max_length=MOST_ZONES, description="in the order of treatment"
    )

    @field_validator("version")
    @classmethod
    def _known_version(cls, version: int) -> int:
        if version != VERSION:
            raise ValueError(f"{version} is not known here; this program reads version {VERSION}")
        return version

    @classmethod
    def read(cls, path: str | Path) -> TreatmentPlan:
        """The same as `load_plan`."""
        return load_plan(path)


def load_plan(path: str | Path) -> TreatmentPlan:
    """The plan in a YAML or (by its ending) JSON file.

    Raises `PlanError` (`plan-invalid`) with the line and the place of what is wrong. A plan over a limit is
    read without complaint: that is for `check`.
    """
    file = Path(path)
    document = read_document(file)
    if not isinstance(document.content, dict):
        hint = "`penstroke plan schema` describes one"
        raise wrong(file, None, "it is not a plan: a plan has version, title and zones", hint)
    try:
        return TreatmentPlan.model_validate(document.content)
    except ValidationError as problem:
        raise _invalid(file, document, problem) from None


def plan_schema() -> dict[str, object]:
    """The JSON Schema of a plan."""
    return TreatmentPlan.model_json_schema()


def plan_schema_text() -> str:
    """The JSON Schema of a plan, as text."""
    return json.dumps(plan_schema(), indent=2, ensure_ascii=False)


def _invalid(file: Path, document: Document, problem: ValidationError) -> PlanError:
    found: list[tuple[int | None, str]] = []
    for error in problem.errors(include_url=False):
        place = _own_place(error["loc"])
        found.append((document.line_of(place), f"{_dotted(place)} {_sentence(error)}".strip()))
    found.sort(key=lambda item: item[0] or 0)
    line, first = found[0]
    others = [f"line {at}: {text}" if at else text for at, text in found[1:_SHOWN_PROBLEMS]]
    if len(found) > _SHOWN_PROBLEMS:
        others.append(f"and {len(found) - _SHOWN_PROBLEMS} more")
    hint = "correct the file; `penstroke plan schema` describes a plan"
    return wrong(file, line, "; ".join([first, *others]), hint)


def _own_place(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The place in the writer's own keys: without the names of the two forms of `passes`."""
    return tuple(
        part
        for index, part in enumerate(place)
        if not (part in (_COUNT, _EACH) and place[index - 1] == "passes")
    )


def _dotted(place: tuple[int | str, ...]) -> str:
    """`zones[2].depth_mm`, counted from 0 as in the file's own lists; blank for the whole plan."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:40]}" for part in place)
    return text.removeprefix(".")


def _sentence(error: ErrorDetails) -> str:
    """What is wrong, in words that follow the place."""
    given = error["input"]
    match error["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is no key of a plan" + _nearest_key(error["loc"][-1])
        case "value_error":
            return error["msg"].removeprefix("Value error, ")
        case "too_short":
            return "must not be empty"
        case "float_type" | "int_type" if isinstance(given, str):
            return f"must be a plain number like 0.45 (a point, no unit), not {given[:40]!r}"
    return error["msg"].replace("Input should be", "must be").replace("List should have", "must have")


def _nearest_key(key: int | str) -> str:
    from difflib import get_close_matches  # on use: only a slip of the keyboard needs it

    models = (TreatmentPlan, PlanZone, Pass, ExpectedPen, Durations, TargetDensity)
    names = {name for model in models for name in model.model_fields}
    near = get_close_matches(str(key)[:40], sorted(names), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
