"""From an error to an exit code and to one clear sentence. The table below is the only such map."""

from __future__ import annotations

from typing import Any

from penstroke.errors import (
    AnswerError,
    DeviceFault,
    LimitsError,
    LinkError,
    PenError,
    PlanError,
    PortError,
    ProtocolError,
    RecordError,
    Refused,
    Stopped,
)

DONE = 0
BUG = 1
USAGE = 2
INTERRUPTED = 130
BLACK_BOX_SHOWN = 12
"""How many of the last frames an error's one line tells: half a second of telemetry. `--trace` has all."""

EXIT_CODES: tuple[tuple[type[PenError], int], ...] = (
    (Refused, 3),
    (PortError, 4),
    (DeviceFault, 5),
    (LinkError, 6),
    (ProtocolError, 6),
    (PlanError, 7),
    (AnswerError, USAGE),
    (LimitsError, 7),
    (RecordError, 8),
    (Stopped, INTERRUPTED),
)
"""The first class that fits counts. Whatever else goes wrong is a bug, and exits with 1."""

BY_OUR_OWN_STOP = (Stopped, Refused)
"""What an interrupt's own STOP makes of the step it falls into: told as the interrupt that it is. A fault, a
lost line and needles that may be out are told as themselves even then."""


class UsageProblem(PenError):
    """The command was called wrongly in a way only the command itself can see."""

    default_code = "usage"


def exit_code(error: PenError) -> int:
    """The exit code for an error of this library."""
    if isinstance(error, UsageProblem):
        return USAGE
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), BUG)


def error_object(error: PenError) -> dict[str, Any]:
    """The object that `--json` prints as the last line of stderr."""
    content: dict[str, Any] = {"code": error.code, "message": error.message, **error.facts}
    content["hint"] = error.hint
    if isinstance(error, Refused) and error.verdict is not None and len(error.verdict.reasons) > 1:
        content["reasons"] = [
            {"code": reason.code, "message": reason.message, **reason.facts(), "hint": reason.hint}
            for reason in error.verdict.reasons
        ]
    if error.black_box:
        content["black_box"] = list(error.black_box[-BLACK_BOX_SHOWN:])
    return {"error": content}


def error_lines(error: PenError) -> list[str]:
    """What a person reads: a line for each reason, and what to do."""
    head = "refused" if isinstance(error, Refused) else "error"
    if isinstance(error, Refused) and error.verdict is not None:
        reasons = [(reason.message, reason.hint) for reason in error.verdict.reasons]
    else:
        reasons = [(error.message, error.hint)]
    lines = []
    for message, hint in reasons:
        lines.append(f"{head}: {message}")
        if hint:
            lines.append(f"  {hint}")
    return lines
