"""The generated parts of the specification: tables, the drawing of states, the worked example."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from enum import IntFlag
from typing import Any

from generator.exchange import exchange
from generator.figures import FIGURES
from generator.headers import ENUMERATIONS
from penstroke_protocol import messages as m
from penstroke_protocol.fields import Wire
from penstroke_protocol.zones import DeviceZone, digest_of, digest_text
from penstroke_sim.states import TABLE, Trigger

_MARKS = re.compile(r"(<!-- generated:(?P<name>[a-z]+) -->\n).*?(<!-- /generated:(?P=name) -->)", re.DOTALL)


def filled(text: str, zones: tuple[DeviceZone, ...]) -> str:
    """The specification with every generated part made anew. Raises `ValueError` when a mark is missing."""
    parts: dict[str, Callable[[], str]] = {
        "kinds": _kinds,
        "messages": _messages,
        "enums": _enums,
        "zones": lambda: _zones(zones),
        "states": _states,
        "motion": _motion,
        "digest": lambda: _digest(zones),
        "figures": _figures,
        "exchange": lambda: _block("text", exchange()),
    }
    found = [match["name"] for match in _MARKS.finditer(text)]
    if sorted(found) != sorted(parts):
        raise ValueError(f"generated parts are {', '.join(found)}; expected {', '.join(parts)}")
    return _MARKS.sub(lambda match: f"{match[1]}\n{parts[match['name']]()}\n\n{match[3]}", text)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _block(language: str, lines: Iterable[str]) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


_SENDERS = {
    m.Kind.REQUEST: "host",
    m.Kind.ANSWER: "device",
    m.Kind.REFUSAL: "device",
    m.Kind.BEAT: "host",
    m.Kind.TELEMETRY: "device",
    m.Kind.EVENT: "device",
    m.Kind.EVENT_ACK: "host",
}


def _kinds() -> str:
    return _table(("kind", "value", "sent by"), ((kind.name, kind.value, _SENDERS[kind]) for kind in m.Kind))


def _messages() -> str:
    rows = [
        (
            f"`0x{code:02x}`",
            cls.__name__,
            cls.spec.answer.__name__,
            *("yes" if fact else "" for fact in (cls.spec.motion, cls.spec.epoch, cls.spec.observer)),
        )
        for code, cls in sorted(m.REQUESTS.items())
    ]
    parts = [
        "### Requests at a glance",
        _table(("code", "request", "answer", "motion", "epoch", "observer"), rows),
        "In the rules a request is written as SELECT_ZONE, in the tables as SelectZone. A request may be"
        " refused instead: then Refusal comes in the place of its answer.",
    ]
    for kind in m.Kind:
        for cls in sorted(
            (c for c in m.ALL if c.spec.kind is kind), key=lambda c: (c.spec.code, m.ALL.index(c))
        ):
            parts += [_heading(cls), " ".join((cls.__doc__ or "").split())]
            parts.append(_fields(cls) if cls.layout.names else "No payload.")
    return "\n\n".join(parts)


def _heading(cls: type[Any]) -> str:
    spec = cls.spec
    code = f" `0x{spec.code:02x}`" if spec.kind is m.Kind.REQUEST else ""
    motion = " · motion" if spec.motion else ""
    size = f" · {cls.layout.packer.size} bytes" if cls.layout.names else ""
    return f"### {spec.kind.name} {cls.__name__}{code}{motion}{size}"


def _fields(cls: type[Any]) -> str:
    rows = []
    offset = 0
    for name, wire in zip(cls.layout.names, cls.layout.wires, strict=True):
        rows.append((offset, name, wire.kind, wire.unit, _range(wire), wire.doc + _named(wire)))
        offset += wire.width
    return _table(("offset", "field", "type", "unit", "range", "meaning"), rows)


def _range(wire: Wire) -> str:
    if wire.kind == "text":
        return ""
    low, high = wire.range
    return f"{low} to {high}" if wire.low is not None or wire.high is not None else "all"


def _named(wire: Wire) -> str:
    return f" ({wire.names})" if wire.names else ""


def _enums() -> str:
    parts = []
    for enumeration in ENUMERATIONS:
        bits = issubclass(enumeration, IntFlag)
        doc = " ".join((enumeration.__doc__ or "").replace("`POWER_CYCLE`", "bold").split())
        rows = [
            (
                f"`0x{member.value:04x}`" if bits else member.value,
                f"**{member.name}**"
                if enumeration is m.Fault and member.value & m.POWER_CYCLE
                else member.name,
            )
            for member in enumeration
        ]
        heading = f"#### {enumeration.__name__}{' (bits)' if bits else ''}"
        parts += [heading, doc, _table(("bit" if bits else "value", "name"), rows)]
    return "\n\n".join(parts)


def _zones(zones: tuple[DeviceZone, ...]) -> str:
    rows = ((z.number, z.name, "yes" if z.sided else "no", z.hard_ceiling_um or "forbidden") for z in zones)
    return _table(("number", "name (for people)", "sides", "hard ceiling, µm"), rows)


def _states() -> str:
    states = list(m.State)
    head = ("what happens", *(state.name.lower() for state in states))
    rows = [
        (
            trigger.value,
            *(TABLE[state][trigger].name.lower() if trigger in TABLE[state] else "" for state in states),
        )
        for trigger in Trigger
    ]
    drawing = ["stateDiagram-v2", "    [*] --> boot"]
    for state in states:
        ways: dict[m.State, list[str]] = {}
        for trigger, target in TABLE[state].items():
            if target is not state and trigger is not Trigger.RESET:
                ways.setdefault(target, []).append(trigger.name)
        for target, names in ways.items():
            drawing.append(f"    {state.name.lower()} --> {target.name.lower()}: {', '.join(names)}")
    return "\n\n".join(
        (
            _table(head, rows),
            "An empty cell does not happen: the request is refused, or the pen's key or timer does not act"
            " there. Not drawn: a reset, which leads to boot from everywhere, and what changes nothing.",
            _block("mermaid", drawing),
        )
    )


def _motion() -> str:
    value = f"Value: `0x{m.MOTION_HASH:08x}` (on the wire `{m.MOTION_HASH.to_bytes(4, 'little').hex(' ')}`)."
    return f"{_block('text', m.MOTION_TEXT.splitlines())}\n\n{value}"


def _digest(zones: tuple[DeviceZone, ...]) -> str:
    digest = digest_of(zones)
    value = f"Value: `0x{digest:016x}` (on the wire `{digest.to_bytes(8, 'little').hex(' ')}`)."
    return f"{_block('text', digest_text(zones).splitlines())}\n\n{value}"


def _figures() -> str:
    return _table(("figure", "value", "rule", "from"), FIGURES)
