"""Numbers from the command line: plain decimals with `.` or `,`; what is doubtful is refused, not guessed."""

from __future__ import annotations

from decimal import Decimal

from penstroke.cli.errors import UsageProblem
from penstroke.safety import Refusal, depth_um_from_text, mm_from_um, rate_hz_from_text

_MOST_SECONDS = 10_000_000


def depth_mm(text: str) -> Decimal:
    """A depth in millimetres. Raises `UsageProblem` (`depth-invalid`)."""
    depth_um = depth_um_from_text(text)
    if isinstance(depth_um, Refusal):
        raise _doubtful(depth_um)
    return mm_from_um(depth_um)


def rate_hz(text: str) -> Decimal:
    """A stroke rate in hertz. Raises `UsageProblem` (`rate-invalid`)."""
    rate = rate_hz_from_text(text)
    if isinstance(rate, Refusal):
        raise _doubtful(rate)
    return rate


def seconds(text: str) -> float:
    """A time in seconds, above zero. Raises `UsageProblem` (`time-invalid`)."""
    number = rate_hz_from_text(text)  # the same plain decimals; only the words would be wrong
    if isinstance(number, Refusal) or not 0 < number <= _MOST_SECONDS:
        message = f"{text[:32]!r} is not a time in seconds"
        raise UsageProblem(message, code="time-invalid", hint="write it in seconds like 20 or 0.5")
    return float(number)


def _doubtful(refusal: Refusal) -> UsageProblem:
    reason = refusal.reasons[0]
    return UsageProblem(reason.message, code=reason.code, hint=reason.hint)
