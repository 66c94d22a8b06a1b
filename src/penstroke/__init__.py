"""The open controller for motorised microneedling pens.

    import penstroke

    with penstroke.connect("auto") as pen:
        pen.select_zone("cheek", side="left")
        pen.set_depth(mm=0.9)
        pen.set_rate(hz=110)
        with pen.needling() as strokes:
            for sample in strokes:
                if sample.elapsed_s >= 20:
                    break

Names are imported on use, so that a program pays only for what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstroke.connecting import connect
    from penstroke.errors import (
        DeviceFault,
        LimitsError,
        LinkError,
        LinkLost,
        LinkTimeout,
        PenError,
        PlanError,
        PortBusy,
        PortDenied,
        PortError,
        PortMissing,
        ProtocolError,
        RecordError,
        Refused,
        Stopped,
        VersionMismatch,
    )
    from penstroke.pen import Pen
    from penstroke.safety import Override
    from penstroke.status import PenStatus, Sample
    from penstroke.strokes import Strokes
    from penstroke.treatment.check import check
    from penstroke.treatment.estimate import estimate
    from penstroke.treatment.plan import TreatmentPlan, load_plan

__version__ = "0.1.0"

_HOME = {
    "connect": "connecting",
    "Pen": "pen",
    "Strokes": "strokes",
    "Override": "safety",
    "PenStatus": "status",
    "Sample": "status",
    "TreatmentPlan": "treatment.plan",
    "load_plan": "treatment.plan",
    "check": "treatment.check",
    "estimate": "treatment.estimate",
} | dict.fromkeys(
    (
        "DeviceFault",
        "LimitsError",
        "LinkError",
        "LinkLost",
        "LinkTimeout",
        "PenError",
        "PlanError",
        "PortBusy",
        "PortDenied",
        "PortError",
        "PortMissing",
        "ProtocolError",
        "RecordError",
        "Refused",
        "Stopped",
        "VersionMismatch",
    ),
    "errors",
)

__all__ = [
    "DeviceFault",
    "LimitsError",
    "LinkError",
    "LinkLost",
    "LinkTimeout",
    "Override",
    "Pen",
    "PenError",
    "PenStatus",
    "PlanError",
    "PortBusy",
    "PortDenied",
    "PortError",
    "PortMissing",
    "ProtocolError",
    "RecordError",
    "Refused",
    "Sample",
    "Stopped",
    "Strokes",
    "TreatmentPlan",
    "VersionMismatch",
    "check",
    "connect",
    "estimate",
    "load_plan",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
