"""Encoding and decoding one telemetry message, from dataclass to dataclass, beside pymavlink's own."""

from __future__ import annotations

import importlib.util
from statistics import median
from typing import Any

from bench import references
from bench.pairs import Subject, ratio, take_turns
from bench.report import Section, Size, wanted
from penstroke_protocol.frames import Receiver, decode_message, encode_message, message_class
from penstroke_protocol.messages import State, Telemetry

OURS = "penstroke `Telemetry`, 11 fields"
THEIRS = "pymavlink `SYS_STATUS`, 13 fields, as installed"
THEIRS_PYTHON_CRC = "pymavlink `SYS_STATUS`, checksum in Python"
WANTED = 5.0
READING = (123_456, 0xC0FFEE00, State.RUNNING, 0x7B, 0, 1000, 1100, 98_765, 210, 312, 87)


def measure(size: Size) -> list[Section]:
    """Ours, theirs, and how many times quicker."""
    section = Section(
        "Encoding and decoding telemetry",
        "Make the message, encode it, take the bytes apart again as they would come from a line, and have an "
        "object with a field for each value. pymavlink: MAVLink 2, its `common` dialect; it works out its "
        "checksum in compiled code (`fastcrc`) where that is installed, and in Python where it is "
        "not (release 2.4.40, for one, does not ask for it).",
        ("message", "µs", "× penstroke's", "wanted", "met"),
    )
    subjects: dict[str, Subject] = {OURS: _ours()}
    reason = references.missing("pymavlink")
    if reason:
        section.skipped.append(reason)
    else:
        subjects[THEIRS] = _theirs(python_crc=False)
        subjects[THEIRS_PYTHON_CRC] = _theirs(python_crc=True)
    figures = take_turns(subjects, turns=size.turns, times=size.codec_messages)
    section.end()
    for name, taken in figures.items():
        cells = ("", "", "")
        if name != OURS:
            times = ratio(taken, figures[OURS])
            cells = (str(times), *wanted(times.median, WANTED, least=True, unit=" ×"))
        section.rows.append((name, f"{median(taken) * 1e6:.1f}", *cells))
    return [section]


def _ours() -> Subject:
    receiver = Receiver()

    def once() -> Telemetry:
        data = encode_message(Telemetry(*READING), session=1, seq=9, epoch=3)
        (frame,) = receiver.receive(data)
        cls = message_class(frame)
        if cls is None:
            raise RuntimeError("telemetry is not known to be telemetry")
        told: Telemetry = decode_message(cls, frame.payload)
        return told

    if once() != Telemetry(*READING):
        raise RuntimeError("telemetry did not come back as it went")
    return once


def _theirs(*, python_crc: bool) -> Subject:
    common = _dialect(python_crc=python_crc)
    near, far = common.MAVLink(None, srcSystem=1, srcComponent=1), common.MAVLink(None)
    far.robust_parsing = True
    reading = (0x7FFFFF, 0x7FFFFF, 0x7FFFFF, 500, 11_100, 210, 87, 0, 0, 1, 2, 3, 4)

    def once() -> Any:
        data = near.sys_status_encode(*reading).pack(near)
        return far.parse_char(data)

    if once().battery_remaining != reading[6]:
        raise RuntimeError("pymavlink's message did not come back as it went")
    return once


def _dialect(*, python_crc: bool) -> Any:
    from pymavlink.dialects.v20 import common
    from pymavlink.generator import mavcrc

    if not python_crc:
        return common
    # A copy of the module, so that the other subject keeps its checksum.
    spec = importlib.util.spec_from_file_location("common_python_crc", common.__file__)
    if spec is None or spec.loader is None:
        raise RuntimeError("pymavlink's dialect cannot be loaded a second time")
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    vars(copy)["x25crc"] = getattr(mavcrc, "x25crc_slow", mavcrc.x25crc)
    return copy
