"""One direction of the serial line: bytes take their time, and can be hurt on the way.

Bytes travel in pieces that end at a frame delimiter or after 64 bytes, and a piece arrives when its last byte
does. A receiver acts on a frame only at its closing delimiter, so nobody can tell this from bytes that arrive
one by one, and a frame costs one step instead of forty. There is no flow control: what the host does not
take is lost beyond `HOST_BUFFER_BYTES`.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from random import Random
from typing import Final

from penstroke_sim.profiles import LINE_LATENCY_NS

NEVER: Final = 2**63 - 1
"""A time that does not come: 292 years."""
HOST_BUFFER_BYTES: Final = 65_536
"""What the driver of a host's port keeps for a program that does not read; the order of Linux's own."""
_PIECES: Final = re.compile(rb"\x00*[^\x00]{1,64}\x00?|\x00+", re.DOTALL)


@dataclass(slots=True)
class Hurt:
    """A lasting disturbance of a direction.

    It strikes each byte (`drop`, `flip`) or each piece (`duplicate`, `delay`) with `probability`, or, when
    `remaining` is given, the next so many of them for certain.
    """

    probability: float = 1.0
    remaining: int | None = None
    delay_ns: int = 0

    def strikes(self, random: Random) -> bool:
        """Whether it strikes now."""
        if self.remaining is None:
            return random.random() < self.probability
        if self.remaining == 0:
            return False
        self.remaining -= 1
        return True


class Channel:
    """One direction. `byte_ns` is the time of one byte, `latency_ns` that of its way; `random` decides what
    is hurt."""

    __slots__ = (
        "_buffered",
        "_busy_until_ns",
        "_byte_ns",
        "_latency_ns",
        "_pieces",
        "_random",
        "hurts",
        "open",
    )

    def __init__(self, byte_ns: int, random: Random, *, latency_ns: int = LINE_LATENCY_NS) -> None:
        self._byte_ns = byte_ns
        self._latency_ns = latency_ns
        self._random = random
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._buffered = 0
        self._busy_until_ns = 0
        self.hurts: dict[str, Hurt] = {}
        """By name: `drop`, `flip`, `duplicate`, `delay`."""
        self.open = True
        """False: whatever is sent vanishes."""

    def send(self, data: bytes, now_ns: int) -> None:
        """Bytes enter the line at `now_ns`, behind those that are still being sent."""
        if not self.open:
            return
        for piece in _PIECES.findall(data):
            if self.hurts:
                self._send_hurt(piece, now_ns)
            else:
                self._send_piece(piece, now_ns, 0)

    def next_arrival_ns(self) -> int:
        """When the oldest piece arrives, or arrived; `NEVER` when there is none."""
        return self._pieces[0][0] if self._pieces else NEVER

    def take(self, now_ns: int, max_bytes: int | None = None) -> bytes:
        """The bytes that have arrived by `now_ns`, each given once."""
        taken: list[bytes] = []
        room = self._buffered if max_bytes is None else max_bytes
        while room and self._pieces and self._pieces[0][0] <= now_ns:
            at_ns, piece = self._pieces.popleft()
            if len(piece) > room:
                self._pieces.appendleft((at_ns, piece[room:]))
                piece = piece[:room]
            taken.append(piece)
            room -= len(piece)
            self._buffered -= len(piece)
        return b"".join(taken)

    def clear(self) -> None:
        """Lose everything on the way."""
        self._pieces.clear()
        self._buffered = 0
        self._busy_until_ns = 0

    def _send_piece(self, piece: bytes, now_ns: int, delay_ns: int) -> None:
        if self._buffered + len(piece) > HOST_BUFFER_BYTES:
            return
        sent_ns = max(self._busy_until_ns, now_ns + delay_ns) + len(piece) * self._byte_ns
        self._busy_until_ns = sent_ns
        self._pieces.append((sent_ns + self._latency_ns, piece))
        self._buffered += len(piece)

    def _send_hurt(self, piece: bytes, now_ns: int) -> None:
        random, hurts = self._random, self.hurts
        drop, flip = hurts.get("drop"), hurts.get("flip")
        if drop is not None:
            piece = bytes(byte for byte in piece if not drop.strikes(random))
        if flip is not None:
            piece = bytes(byte ^ 1 << random.randrange(8) if flip.strikes(random) else byte for byte in piece)
        delay, duplicate = hurts.get("delay"), hurts.get("duplicate")
        delay_ns = delay.delay_ns if delay is not None and delay.strikes(random) else 0
        if piece:
            self._send_piece(piece, now_ns, delay_ns)
            if duplicate is not None and duplicate.strikes(random):
                self._send_piece(piece, now_ns, delay_ns)
        for name in [name for name, hurt in hurts.items() if hurt.remaining == 0]:
            del hurts[name]
