"""What can go wrong, sorted by what the caller can do next.

Every error carries a stable `code` (people script against it), one clear sentence, a `hint` that says what to
do, and `facts` for machines. The command line maps the class to an exit code in one table (`cli/errors.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstroke.safety.verdict import Refusal

LIFT = "needles may be out: lift the pen straight off the skin, and press its own stop key"
"""What to say whenever it is not known that the needles are in."""


class PenError(Exception):
    """Base of all errors of this library."""

    default_code = "pen-error"

    def __init__(self, message: str, *, code: str | None = None, hint: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.facts = facts
        self.black_box: tuple[str, ...] = ()
        """The last frames on the line, decoded, oldest first; filled for errors of the link."""


class PortError(PenError):
    """The serial port cannot be used: plug in, free or permit it, then try again."""

    default_code = "port-error"


class PortMissing(PortError):
    """No such port, or no pen found."""

    default_code = "port-missing"


class PortBusy(PortError):
    """Another program holds the port; the message names it where the system tells."""

    default_code = "port-busy"


class PortDenied(PortError):
    """The system does not permit this user to open the port."""

    default_code = "port-denied"


class LinkError(PenError):
    """The line to the pen failed while in use."""

    default_code = "link-lost"


class LinkLost(LinkError):
    """The port went away, or the pen's session ended (unplugged, reset)."""

    default_code = "link-lost"


class LinkTimeout(LinkError):
    """The pen did not answer in time. What it holds is unknown until it is asked again."""

    default_code = "link-timeout"


class ProtocolError(PenError):
    """The other end speaks, but not this protocol."""

    default_code = "protocol-error"


class VersionMismatch(ProtocolError):
    """The pen's protocol version, or its motion messages, differ from ours."""

    default_code = "version-mismatch"


class Refused(PenError):
    """The safety layer, or the device itself, refused. `verdict` holds every reason."""

    default_code = "refused"

    def __init__(
        self,
        message: str,
        *,
        verdict: Refusal | None = None,
        code: str | None = None,
        hint: str = "",
        **facts: object,
    ) -> None:
        super().__init__(message, code=code, hint=hint, **facts)
        self.verdict = verdict

    @classmethod
    def of(cls, verdict: Refusal) -> Refused:
        """The exception for a refusal: its first reason is the headline, all of them are kept."""
        first = verdict.reasons[0]
        message = "; ".join(reason.message for reason in verdict.reasons)
        return cls(message, verdict=verdict, code=first.code, hint=first.hint, **first.facts())


class DeviceFault(PenError):
    """The pen stopped by itself, holds a latched fault, or did what it was not asked to do."""

    default_code = "fault-latched"


class PlanError(PenError):
    """A plan, profile, scenario or configuration file is wrong."""

    default_code = "plan-invalid"


class AnswerError(PenError):
    """An answer to a question of the procedure is missing or cannot be taken; `facts["key"]` says which."""

    default_code = "answer-invalid"


class LimitsError(PenError):
    """A file of limits is wrong, stale or unreadable; nothing moves without limits."""

    default_code = "limits-invalid"


class RecordError(PenError):
    """A record cannot be written, or failed verification."""

    default_code = "record-tampered"


class Stopped(PenError):
    """A stop was asked for from elsewhere (another thread, `penstroke stop`) while this was under way."""

    default_code = "stopped"
