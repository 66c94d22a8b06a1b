"""How a message declares its bytes: each field carries width, unit, scale and range.

A message is a slotted dataclass whose fields are annotated `Annotated[int, Wire(...)]`. `layout_of` compiles
the annotations once, when the class is declared, into one `struct.Struct` and the few range checks that the
width itself does not already make. Everything on the wire is little-endian and without padding.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

from penstroke_protocol.errors import BadPayload

_WIDTHS = {"u8": ("B", 0, 0xFF), "u16": ("H", 0, 0xFFFF), "u32": ("I", 0, 0xFFFF_FFFF)} | {
    "u64": ("Q", 0, 0xFFFF_FFFF_FFFF_FFFF),
    "i16": ("h", -0x8000, 0x7FFF),
}

TEXT_BYTES = 16
"""Width of every text field: ASCII, padded with zero bytes on the right."""


class Wire(NamedTuple):
    """Width, unit, legal range and meaning of one field.

    `kind` is `u8`, `u16`, `u32`, `u64`, `i16` or `text`. `low` and `high` are inclusive, in raw units;
    None means the whole width is legal. `names` names single values of an enumeration or the bits of a set.
    """

    kind: str
    unit: str
    doc: str
    low: int | None = None
    high: int | None = None
    names: str = ""
    """The enumeration in `messages.py` that names the values or bits of this field, if any."""

    @property
    def width(self) -> int:
        """Bytes on the wire."""
        return TEXT_BYTES if self.kind == "text" else struct.calcsize(_WIDTHS[self.kind][0])

    @property
    def range(self) -> tuple[int, int]:
        """Lowest and highest legal raw value; (0, 0) for text, which is judged by its characters."""
        if self.kind == "text":
            return 0, 0
        _, low, high = _WIDTHS[self.kind]
        return (low if self.low is None else self.low), (high if self.high is None else self.high)


class Layout(NamedTuple):
    """The compiled form of a message's fields."""

    names: tuple[str, ...]
    values: Callable[[object], tuple[Any, ...]]
    """The values of a message's fields, in order."""
    wires: tuple[Wire, ...]
    packer: struct.Struct
    narrow: tuple[tuple[int, int, int], ...]
    """(index, low, high) of the fields whose legal range is narrower than their width."""
    texts: tuple[int, ...]


M = TypeVar("M")


def layout_of(cls: type[Any]) -> Layout:
    """Compile the annotated fields of a message class."""
    hints = get_type_hints(cls, include_extras=True)
    wires: dict[str, Wire] = {}
    for field in dataclasses.fields(cls):
        extras = [extra for extra in get_args(hints[field.name]) if isinstance(extra, Wire)]
        if len(extras) != 1:
            raise TypeError(f"{cls.__name__}.{field.name} needs exactly one Wire annotation")
        wires[field.name] = extras[0]
    code = "".join(f"{TEXT_BYTES}s" if w.kind == "text" else _WIDTHS[w.kind][0] for w in wires.values())
    narrow = tuple(
        (index, *wire.range)
        for index, wire in enumerate(wires.values())
        if wire.kind != "text" and wire.range != _WIDTHS[wire.kind][1:]
    )
    texts = tuple(index for index, wire in enumerate(wires.values()) if wire.kind == "text")
    packer = struct.Struct("<" + code)
    return Layout(tuple(wires), _getter(tuple(wires)), tuple(wires.values()), packer, narrow, texts)


def _getter(names: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    if len(names) > 1:
        # Compiled, and a third of the time of a loop: telemetry is made a hundred times a second.
        return attrgetter(*names)
    return lambda message: tuple(getattr(message, name) for name in names)


def pack(layout: Layout, message: object) -> bytes:
    """The payload bytes of a message. Raises `BadPayload` for a value outside its declared range."""
    values = layout.values(message)
    try:
        for index, low, high in layout.narrow:
            if not low <= values[index] <= high:
                raise BadPayload(_outside(layout, index, values[index]))
        if layout.texts:
            return layout.packer.pack(*_with_texts(layout, values, _text_bytes))
        return layout.packer.pack(*values)
    except (struct.error, TypeError, AttributeError):
        for index, wire in enumerate(layout.wires):
            if not _legal(wire, values[index]):
                raise BadPayload(_outside(layout, index, values[index])) from None
        raise


def unpack(layout: Layout, make: Callable[..., M], payload: bytes) -> M:
    """The message that `payload` stands for. Raises `BadPayload` for a wrong length, range or text."""
    if len(payload) != layout.packer.size:
        raise BadPayload(f"payload of {len(payload)} bytes, expected {layout.packer.size}")
    values = layout.packer.unpack(payload)
    for index, low, high in layout.narrow:
        if not low <= values[index] <= high:
            raise BadPayload(_outside(layout, index, values[index]))
    if layout.texts:
        return make(*_with_texts(layout, values, _text))
    return make(*values)


def _with_texts(layout: Layout, values: tuple[Any, ...], convert: Callable[[str, Any], Any]) -> list[Any]:
    changed = list(values)
    for index in layout.texts:
        changed[index] = convert(layout.names[index], values[index])
    return changed


def _legal(wire: Wire, value: object) -> bool:
    if wire.kind == "text":
        return isinstance(value, str | bytes)
    low, high = wire.range
    return isinstance(value, int) and low <= value <= high


def _outside(layout: Layout, index: int, value: object) -> str:
    wire = layout.wires[index]
    if wire.kind == "text":
        return f"{layout.names[index]} = {value!r} is not text"
    low, high = wire.range
    unit = wire.unit
    return f"{layout.names[index]} = {value!r} is outside {low} to {high}{' ' + unit if unit else ''}"


def _text_bytes(name: str, value: object) -> bytes:
    if not isinstance(value, str) or len(value) > TEXT_BYTES or not (value.isascii() and value.isprintable()):
        raise BadPayload(f"{name} = {value!r} is not printable ASCII of at most {TEXT_BYTES} characters")
    return value.encode("ascii")


def _text(name: str, raw: bytes) -> str:
    body = raw.rstrip(b"\0")
    if any(byte < 0x20 or byte > 0x7E for byte in body):
        raise BadPayload(f"{name} = {raw!r} is not printable ASCII padded with zero bytes")
    return body.decode("ascii")
