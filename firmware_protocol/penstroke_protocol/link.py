"""What both ends of the line have in common: a receiver, bytes to send, events to hand up.

A link is an engine without I/O: `receive_data(data, now_ns)` takes bytes, `data_to_send()` gives bytes,
`next_timer()` says when `handle_timer(now_ns)` wants to be called, `next_event()` tells what happened.
`now_ns` is whole nanoseconds of whatever clock the caller keeps; the engine never reads one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, deque
from typing import Generic, TypeVar

from penstroke_protocol.frames import Frame, Receiver

MS = 1_000_000
"""Nanoseconds in a millisecond."""

E = TypeVar("E")


class Link(ABC, Generic[E]):
    """Base of `HostLink` and `DeviceLink`."""

    def __init__(self) -> None:
        self._receiver = Receiver()
        self._out: list[bytes] = []
        self._events: deque[E] = deque()
        self._frames: deque[tuple[Frame, int]] = deque()
        self.dropped: Counter[str] = Counter()
        """Whole frames that were not acted on, by reason."""

    @property
    def damage(self) -> Counter[str]:
        """Damaged frames received, by reason."""
        return self._receiver.damage

    @property
    def frames_received(self) -> int:
        """Whole frames received."""
        return self._receiver.frames

    def receive_data(self, data: bytes, now_ns: int) -> None:
        """Take bytes from the line. What they mean is worked out as `next_event` is asked."""
        self._frames.extend((frame, now_ns) for frame in self._receiver.receive(data))

    def data_to_send(self) -> bytes:
        """The bytes to write now, in order; each byte is given once. Ask after `next_event` gave None."""
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def next_event(self) -> E | None:
        """The oldest event not yet taken, or None.

        Frames are judged one at a time, here, so that each meets the state that the one before it left: a set
        that arrives in the same read as a STOP finds the epoch already raised.
        """
        while self._frames and not self._events:
            self._frame(*self._frames.popleft())
        return self._events.popleft() if self._events else None

    @abstractmethod
    def next_timer(self) -> int | None:
        """When `handle_timer` wants to be called, in ns; None while nothing is due."""

    @abstractmethod
    def handle_timer(self, now_ns: int) -> None:
        """Do what is due at `now_ns`; harmless when nothing is."""

    @abstractmethod
    def _frame(self, frame: Frame, now_ns: int) -> None:
        """Deal with one whole frame."""
