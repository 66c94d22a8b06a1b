"""A frame in words, for traces, black boxes and people."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any

from penstroke_protocol import messages
from penstroke_protocol.errors import BadFrame, BadPayload
from penstroke_protocol.frames import Frame, decode, decode_message, message_class
from penstroke_protocol.messages import REQUESTS, EventCode, Kind


def explain(encoded: bytes) -> str:
    """One line for the bytes between two delimiters; damage is named, never raised."""
    try:
        return explain_frame(decode(encoded))
    except BadFrame as damaged:
        return f"damaged ({damaged}) {encoded.hex(' ')}"


def explain_frame(frame: Frame) -> str:
    """One line for a whole frame."""
    names = f"{Kind(frame.kind).name} {_code_name(frame)}".rstrip()
    head = f"{names} session={frame.session} seq={frame.seq} epoch={frame.epoch}"
    cls = message_class(frame)
    if cls is None:
        return f"{head} unknown code {frame.code} {frame.payload.hex(' ')}"
    try:
        message = decode_message(cls, frame.payload)
    except BadPayload as bad:
        return f"{head} bad payload ({bad})"
    fields = " ".join(f"{name}={value}" for name, value in named_fields(message).items())
    return f"{head} {fields}".rstrip()


def named_fields(message: Any) -> dict[str, int | str]:
    """The fields of a message, enumerations by name: `state` is `running`, `faults` is `lease+stall`."""
    layout = type(message).layout
    return {
        name: value_name(getattr(message, name), wire.names)
        for name, wire in zip(layout.names, layout.wires, strict=True)
    }


def value_name(value: int | str, enumeration: str) -> int | str:
    """The name of a value of one of the enumerations of `messages.py`; the value itself if it has none."""
    kind = getattr(messages, enumeration, None) if enumeration else None
    if kind is None or isinstance(value, str):
        return value
    if issubclass(kind, IntFlag):
        return "+".join(kebab(bit.name or "") for bit in kind if bit & value) or "none"
    if issubclass(kind, IntEnum) and value in kind.__members__.values():
        return kebab(kind(value).name)
    return value


def kebab(name: str) -> str:
    """`SELF_TEST` as people read it: `self-test`."""
    return name.lower().replace("_", "-")


def _code_name(frame: Frame) -> str:
    if frame.kind in (Kind.REQUEST, Kind.ANSWER, Kind.REFUSAL):
        cls = REQUESTS.get(frame.code)
        return cls.__name__ if cls else str(frame.code)
    if frame.kind in (Kind.EVENT, Kind.EVENT_ACK):
        return str(value_name(frame.code, EventCode.__name__))
    return ""
