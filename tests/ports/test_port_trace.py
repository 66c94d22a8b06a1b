"""The black box and the trace: what went over the line, on any port, whatever ends it."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path

import pytest
from far_end import FarEnd
from hypothesis import given
from hypothesis import strategies as st

from penstroke.errors import LinkLost, PlanError, PortMissing
from penstroke.ports.opening import open_port
from penstroke.ports.trace import BLACK_BOX_CHUNKS, RecordedPort, decoded
from penstroke_protocol.frames import encode
from penstroke_protocol.messages import REQUESTS, Kind, Stop


def stop_frame(seq: int) -> bytes:
    code = next(code for code, cls in REQUESTS.items() if cls is Stop)
    return encode(Kind.REQUEST, code, 7, seq, 3)


class Canned:
    """A port that gives what it is told, on a clock of its own."""

    name, simulated, control = "canned", True, None

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.written: list[bytes] = []
        self.lost = self.closed = False
        self.t_ns = 0

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        return self.answers.pop(0) if self.answers else b""

    def write(self, data: bytes) -> None:
        if self.lost:
            raise LinkLost("gone")
        self.written.append(data)

    write_now = write

    def now_ns(self) -> int:
        self.t_ns += 1_000_000
        return self.t_ns

    def close(self) -> None:
        self.closed = True


def test_a_trace_holds_every_byte_in_order(tmp_path: Path, far_end: FarEnd) -> None:
    file = tmp_path / "trace.jsonl"
    port = open_port(far_end.path, trace=file)
    port.write(b"\0ab\0")
    far_end.read_until(b"b\0")
    far_end.write(b"\0cd\0")
    assert port.read(100, 10**9) == b"\0cd\0"
    assert port.read(100, 0) == b""
    port.write_now(b"\0ef\0")
    before_close = file.read_text().splitlines()
    port.close()
    header, *lines = map(json.loads, file.read_text().splitlines())
    assert header == {"trace": 1, "port": far_end.path, "simulated": False}
    assert [(line["dir"], line["hex"]) for line in lines] == [
        (">", "00616200"),
        ("<", "00636400"),
        (">", "00656600"),
    ]
    times = [line["t_ns"] for line in lines]
    assert times == sorted(times)
    # Each line is in the file as soon as it is made, but that of a STOP, which never waits for a disk.
    assert len(before_close) == 3


def test_a_stop_touches_no_file_and_is_traced_by_what_follows() -> None:
    sink = io.StringIO()
    port = RecordedPort(Canned(b"x"), sink)
    before = sink.getvalue()
    port.write_now(b"stop")
    assert sink.getvalue() == before
    port.read(1, 0)
    assert [json.loads(line)["hex"] for line in sink.getvalue().splitlines()[1:]] == [
        b"stop".hex(),
        b"x".hex(),
    ]


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_ends_the_trace_and_not_the_line() -> None:
    device = Canned(b"x")
    port = RecordedPort(device, FullDisk())
    port.write(b"a")
    port.write_now(b"b")
    assert port.read(1, 0) == b"x"
    assert device.written == [b"a", b"b"]
    assert isinstance(port.trace_error, OSError)
    port.close()
    assert device.closed


def test_a_trace_that_cannot_be_written_is_said_before_the_port_is_touched(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"cannot write the trace .*: Is a directory") as caught:
        open_port("/dev/no-such-pen", trace=tmp_path)
    assert caught.value.code == "trace-unwritable"


def test_a_port_that_cannot_be_opened_closes_the_trace(tmp_path: Path) -> None:
    with pytest.raises(PortMissing):
        open_port("/dev/no-such-pen", trace=tmp_path / "trace")


def test_the_black_box_tells_the_last_frames_in_words() -> None:
    port = RecordedPort(Canned(b"\0\x05junk\0" + stop_frame(9)))
    port.write(stop_frame(8))
    port.read(100, 0)
    sent, junk, received = port.black_box()
    assert sent.startswith("-0.001 s > REQUEST Stop session=7 seq=8 epoch=3")
    assert junk.startswith("+0.000 s < damaged")
    assert received.startswith("+0.000 s < REQUEST Stop session=7 seq=9")


def test_a_frame_that_could_not_be_sent_is_in_the_black_box() -> None:
    device = Canned()
    device.lost = True
    port = RecordedPort(device)
    with pytest.raises(LinkLost):
        port.write(stop_frame(1))
    assert len(port.black_box()) == 1


def test_the_black_box_keeps_the_newest_and_no_more() -> None:
    port = RecordedPort(Canned())
    for seq in range(300):
        port.write(stop_frame(seq))
    told = port.black_box()
    # The oldest chunk it holds may have lost its beginning, so what ends there is left out.
    assert 0 <= BLACK_BOX_CHUNKS - len(told) <= 1
    assert "seq=299" in told[-1]


def test_an_empty_black_box_is_empty() -> None:
    assert RecordedPort(Canned()).black_box() == ()


@given(st.lists(st.integers(1, 400), max_size=30))
def test_frames_are_put_together_however_the_line_cut_them(cuts: list[int]) -> None:
    stream = b"".join(stop_frame(seq) for seq in range(10))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = tuple((time, "<", stream[start:end]) for time, (start, end) in enumerate(pairwise(edges)))
    assert [line.split("seq=")[1].split()[0] for line in decoded(chunks, cut=False)] == [
        str(n) for n in range(10)
    ]


def test_the_two_directions_do_not_mix_and_what_is_unfinished_is_shown() -> None:
    frame = stop_frame(1)
    chunks = ((0, ">", frame[:5]), (1, "<", frame[:6]), (2, ">", frame[5:]))
    whole, unfinished = decoded(chunks, cut=False)
    assert "> REQUEST Stop" in whole
    assert unfinished.endswith("< unfinished " + frame[1:6].hex(" "))


def test_a_frame_whose_beginning_has_been_forgotten_is_left_out() -> None:
    frame = stop_frame(1)
    assert decoded(((0, "<", frame[5:]),), cut=True) == ()
    assert "damaged" in decoded(((0, "<", frame[5:]),), cut=False)[0]
