"""The two ways in which bytes fail to be a message."""

from __future__ import annotations


class WireError(ValueError):
    """Base: these bytes are not a message of this protocol."""


class BadFrame(WireError):
    """A frame that is damaged; `reason` is one of the words listed at `frames.decode`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class BadPayload(WireError):
    """A whole frame whose payload has the wrong length, or a value outside its declared range."""
