"""A recorded trace, fed into a fresh pen: does it answer again what it answered then?

A trace is JSON lines: first `{"trace": 1, "port": ..., "simulated": ...}`, then `{"t_ns", "dir", "hex"}` with
`>` for bytes the host wrote and `<` for bytes it read. A trace of a pen on virtual time gives the same bytes
again, every one. Of any other pen times, readings and session differ: there the host's frames are put into
the fresh pen's session, and only what the pen decided is compared: answers and refusals in their order,
without what they measure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, NamedTuple

from penstroke_protocol import BadPayload, Frame, Receiver
from penstroke_protocol.explain import explain_frame
from penstroke_protocol.frames import decode_message, message_class
from penstroke_protocol.messages import (
    CartridgeInfo,
    Flag,
    HelloAnswer,
    Kind,
    Reason,
    Refusal,
    Settings,
    Status,
)
from penstroke_sim.address import Address, parse_address
from penstroke_sim.errors import ScenarioError
from penstroke_sim.scenario import NS_PER_S
from penstroke_sim.translate import Translator
from penstroke_sim.world import World

OPENED_NS: Final = NS_PER_S
"""Where in the life of the fresh pen the first byte of a trace falls that does not tell: it has booted."""
LONGEST_NS: Final = 86_400 * NS_PER_S
_INCIDENTAL: Final[dict[type[Any], tuple[str, ...]]] = {
    Status: (
        *("time_ms", "boot_counter", "strokes", "measured_depth_um", "measured_rate_dhz"),
        *("current_ma", "temperature_dc", "battery_pct", "events_lost"),
    ),
    HelloAnswer: ("serial", "boot_counter"),
    CartridgeInfo: ("cartridge_id", "lot", "expiry", "treatment", "strokes"),
}
"""Fields that tell when and on which single pen a trace was taken, and not what the pen decided."""
_INCIDENTAL_DETAIL: Final = frozenset({Reason.NO_SESSION, Reason.STALE_EPOCH})
"""Refusals whose detail is a boot counter or an epoch."""


class Chunk(NamedTuple):
    """Bytes that the host wrote (`>`) or read (`<`) at `t_ns` of its clock."""

    t_ns: int
    direction: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace file, checked."""

    port: str
    simulated: bool
    chunks: tuple[Chunk, ...]

    address: Address
    """The pen it was taken from, where that was a simulated one of this kind; else the default pen."""

    @property
    def virtual(self) -> bool:
        """Its times are the pen's own."""
        return self.address.virtual


class Reply(NamedTuple):
    """A frame of the fresh pen beside the recorded one; either may be missing. `same` None: not compared."""

    at_ns: int | None
    replayed: Frame | None
    recorded: Frame | None
    same: bool | None


def load_trace(path: Path) -> Trace:
    """The trace in a file. Raises `ScenarioError` with the line that is wrong; a torn last line is let pass,
    because a program that was killed leaves one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: not UTF-8 text, so no trace") from None
    if not lines:
        raise ScenarioError(f"{path}: empty, so no trace")
    head = _object(lines[0])
    if head is None or head.get("trace") != 1:
        raise ScenarioError(f'{path}: line 1: no trace: it must begin with {{"trace": 1, ...}}')
    chunks: list[Chunk] = []
    for number, text in enumerate(lines[1:], start=2):
        chunk = _chunk(text)
        if chunk is None or (chunks and chunk.t_ns < chunks[-1].t_ns):
            if chunk is None and number == len(lines):
                break
            what = "earlier than the line before" if chunk else "not {t_ns, dir, hex}"
            raise ScenarioError(f"{path}: line {number}: {what}")
        chunks.append(chunk)
    port = str(head.get("port", ""))
    try:
        address = parse_address(port if port.startswith("sim:") else "sim://pen")
    except ScenarioError as error:
        raise ScenarioError(f"{path}: line 1: {error}") from None
    return Trace(port, bool(head.get("simulated")), tuple(chunks), address)


def replay(trace: Trace, world: World) -> list[Reply]:
    """Feed the host's bytes of `trace` into `world` at their times; the pen's frames, each judged."""
    if not trace.chunks:
        return []
    shift_ns = 0 if trace.virtual else OPENED_NS - trace.chunks[0].t_ns
    if trace.chunks[-1].t_ns + shift_ns > LONGEST_NS:
        raise ScenarioError("the trace is longer than a day: no pen is replayed that far")
    replayed = list(_frames(_output(trace, world, shift_ns)))
    recorded = list(_frames((c.t_ns, c.data) for c in trace.chunks if c.direction == "<"))
    if trace.virtual:
        # What had reached the host when the trace ended, but was never read, is nothing to compare.
        return [
            Reply(at, new, old, None if old is None and n >= len(recorded) else new == old)
            for n, ((at, new), (_, old)) in enumerate(zip_longest(replayed, recorded, fillvalue=(None, None)))
        ]
    return _by_decision(replayed, recorded)


def describe(reply: Reply) -> str:
    """One line for people."""
    mark = {None: " ", True: "=", False: "!"}[reply.same]
    time = "-" if reply.at_ns is None else f"{reply.at_ns / NS_PER_S:.6f}"
    text = "nothing" if reply.replayed is None else explain_frame(reply.replayed)
    if reply.same is False:
        text += f" | recorded: {'nothing' if reply.recorded is None else explain_frame(reply.recorded)}"
    return f"{time:>12} {mark} {text}"


def reply_json(reply: Reply) -> dict[str, Any]:
    """As `penstroke-sim replay --json` gives it."""
    return {
        "at": None if reply.at_ns is None else reply.at_ns / NS_PER_S,
        "replayed": None if reply.replayed is None else explain_frame(reply.replayed),
        "recorded": None if reply.recorded is None else explain_frame(reply.recorded),
        "same": reply.same,
    }


def _by_decision(replayed: Sequence[tuple[int, Frame]], recorded: Sequence[tuple[int, Frame]]) -> list[Reply]:
    decisions = [frame for _, frame in recorded if frame.kind in (Kind.ANSWER, Kind.REFUSAL)]
    replies = []
    position = 0
    for at_ns, frame in replayed:
        if frame.kind not in (Kind.ANSWER, Kind.REFUSAL):
            replies.append(Reply(at_ns, frame, None, None))
            continue
        old = decisions[position] if position < len(decisions) else None
        same = old is not None and _decided(frame) == _decided(old)
        replies.append(Reply(at_ns, frame, old, same))
        position += 1
    replies += [Reply(None, None, old, False) for old in decisions[position:]]
    return replies


def _decided(frame: Frame) -> tuple[Any, ...]:
    """What a pen decided with this answer, without session numbers, epochs, times and readings."""
    cls = message_class(frame)
    try:
        message = decode_message(cls, frame.payload) if cls is not None else None
    except BadPayload:
        message = None
    if message is None:
        return frame.kind, frame.code, frame.seq, frame.payload
    blank: dict[str, Any] = {
        name: "" if isinstance(getattr(message, name), str) else 0
        for name in _INCIDENTAL.get(type(message), ())
    }
    if isinstance(message, Settings | Status):
        # Without its flag a setting is left over from whatever the pen was told before, and means nothing.
        if not message.flags & Flag.DEPTH_SET:
            blank["depth_um"] = 0
        if not message.flags & Flag.RATE_SET:
            blank["rate_dhz"] = 0
    if isinstance(message, Refusal) and message.reason in _INCIDENTAL_DETAIL:
        blank["detail"] = 0
    return frame.kind, frame.code, frame.seq, replace(message, **blank)


def _output(trace: Trace, world: World, shift_ns: int) -> Iterator[tuple[int, bytes]]:
    """What the fresh pen says, and when, while the trace's host talks to it."""
    translator = None if trace.virtual else Translator()
    for chunk in trace.chunks:
        at_ns = chunk.t_ns + shift_ns
        while True:
            world.advance_to_output(at_ns)
            said = world.take_output()
            if not said:
                break
            if translator is not None:
                translator.replayed(said)
            yield world.now_ns, said
        if chunk.direction == ">":
            world.host_sends(chunk.data if translator is None else translator.host(chunk.data))
        elif translator is not None:
            translator.recorded(chunk.data)


def _frames(stream: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, Frame]]:
    receiver = Receiver()
    for at_ns, data in stream:
        for frame in receiver.receive(data):
            yield at_ns, frame


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _chunk(text: str) -> Chunk | None:
    entry = _object(text)
    if entry is None:
        return None
    t_ns, direction, data = entry.get("t_ns"), entry.get("dir"), entry.get("hex")
    if type(t_ns) is not int or direction not in (">", "<") or not isinstance(data, str):
        return None
    try:
        return Chunk(t_ns, direction, bytes.fromhex(data))
    except ValueError:
        return None
