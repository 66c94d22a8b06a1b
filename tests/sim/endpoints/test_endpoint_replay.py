"""Traces fed into a fresh pen: equal where they must be, and told apart where they are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstroke_protocol import Receiver
from penstroke_protocol.messages import GetStatus, Kind, State
from penstroke_sim.cli import run
from penstroke_sim.errors import ScenarioError
from penstroke_sim.replay import load_trace

VIRTUAL = "sim://pen?seed=7&profile=fine&clock=virtual"


class Taped:
    """A line that writes down what passes, as a trace does."""

    def __init__(self, line: Any, port: str) -> None:
        self._line = line
        self.lines = [{"trace": 1, "port": port, "simulated": True}]
        self.now_ns = line.now_ns

    def read(self, timeout_s: float) -> bytes:
        data: bytes = self._line.read(timeout_s)
        if data:
            self._note("<", data)
        return data

    def write(self, data: bytes) -> None:
        self._note(">", data)
        self._line.write(data)

    def _note(self, direction: str, data: bytes) -> None:
        self.lines.append({"t_ns": self.now_ns(), "dir": direction, "hex": data.hex()})


def asks(line: dict[str, Any]) -> bool:
    """Whether a line of a trace is the host's and holds a request."""
    frames = Receiver().receive(bytes.fromhex(line["hex"]))
    return line["dir"] == ">" and any(frame.kind == Kind.REQUEST for frame in frames)


def write(path: Path, lines: list[Any]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


@pytest.fixture
def recorded(connect: Callable[..., Any]) -> Callable[[str, str], list[Any]]:
    """The trace of a run with a lapse on the pen at a port."""

    def record(url: str, told: str) -> list[Any]:
        host = connect(url)
        host.line = Taped(host.line, told)
        host.running()
        host.listen(0.5, beat=State.RUNNING)
        host.done(GetStatus(), beat=State.RUNNING)
        host.until(lambda heard: heard.state == State.FAULT)
        host.done(GetStatus())
        return list(host.line.lines)

    return record


def test_a_trace_on_virtual_time_comes_again_byte_for_byte(
    recorded: Callable[[str, str], list[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = recorded(VIRTUAL, VIRTUAL)
    assert run(["replay", write(tmp_path / "t", lines), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["exact"]
    assert told["equal"]
    assert told["compared"] > 20
    assert told["different"] == 0
    replayed = b"".join(bytes.fromhex(line["hex"]) for line in lines[1:] if line["dir"] == "<")
    assert told["compared"] == len([chunk for chunk in replayed.split(b"\0") if chunk])


def test_another_seed_answers_otherwise(
    recorded: Callable[[str, str], list[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "t", recorded(VIRTUAL, VIRTUAL))
    assert run(["replay", path, "--seed", "8"]) == 1
    out = capsys.readouterr().out
    assert " ! TELEMETRY" in out
    assert "| recorded: TELEMETRY" in out
    assert "frames compared byte for byte" in out


def test_a_trace_in_real_time_is_compared_by_what_was_decided(
    recorded: Callable[[str, str], list[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # As from a pen on a real line: nothing in the trace tells what it was.
    path = write(tmp_path / "t", recorded(VIRTUAL, "/dev/ttyACM0"))
    assert run(["replay", path]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("compared by what they decide: none different")
    # A pen of another kind refuses that depth.
    assert run(["replay", path, "--profile", "fixed-rate", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["equal"]
    assert told["different"] > 1
    assert not told["exact"]


def test_a_later_session_of_a_pen_on_a_real_line_is_put_into_the_fresh_pens_terms(
    serve: Callable[..., Any],
    connect: Callable[..., Any],
    recorded: Callable[[str, str], list[Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = serve("--pty", "--seed", "3")
    first = connect(server.port, nonce=5)
    first.running()
    first.stop()
    first.line.close()
    # Another session, other epochs, other nonces; the run must still be kept alive by the beats of the trace.
    path = write(tmp_path / "t", recorded(server.port, server.port))
    assert run(["replay", path, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["different"], told["exact"]) == (0, False)
    running = [f for f in told["frames"] if "TELEMETRY" in f["replayed"] and "state=running" in f["replayed"]]
    assert len(running) > 12


def test_a_missing_answer_is_a_difference(
    recorded: Callable[[str, str], list[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = recorded(VIRTUAL, "/dev/ttyACM0")
    last_request = max(n for n, line in enumerate(lines[1:], 1) if asks(line))
    path = write(tmp_path / "t", lines[:last_request] + lines[last_request + 1 :])
    assert run(["replay", path]) == 1
    assert "nothing | recorded: ANSWER GetStatus" in capsys.readouterr().out


def test_an_empty_trace_is_equal_to_nothing(tmp_path: Path) -> None:
    assert run(["replay", write(tmp_path / "t", [{"trace": 1}])]) == 0


HEAD = '{"trace": 1}\n'
CHUNK = '{"t_ns": 5, "dir": ">", "hex": "00"}\n'


def test_a_torn_last_line_is_let_pass(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text(HEAD + CHUNK + '{"t_ns": 9, "di', encoding="utf-8")
    assert len(load_trace(path).chunks) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("hello\n", "line 1: no trace"),
        ('{"trace": 2}\n', "line 1: no trace"),
        ("[1]\n", "line 1: no trace"),
        (HEAD + "x\n" + CHUNK, "line 2: not {t_ns, dir, hex}"),
        (HEAD + '{"t_ns": 1.5, "dir": ">", "hex": "00"}\n' + CHUNK, "line 2: not"),
        (HEAD + '{"t_ns": true, "dir": ">", "hex": "00"}\n' + CHUNK, "line 2: not"),
        (HEAD + '{"t_ns": 1, "dir": "=", "hex": "00"}\n' + CHUNK, "line 2: not"),
        (HEAD + '{"t_ns": 1, "dir": ">", "hex": "0"}\n' + CHUNK, "line 2: not"),
        (HEAD + CHUNK + '{"t_ns": 4, "dir": ">", "hex": "00"}\n', "line 3: earlier than the line before"),
        ('{"trace": 1, "port": "sim://pen?sed=1"}\n', "unknown setting 'sed'"),
    ],
)
def test_a_wrong_trace_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "t"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_trace(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_trace_without_end_is_refused(tmp_path: Path) -> None:
    chunk = {"t_ns": 10**17, "dir": ">", "hex": "00"}
    first = {"t_ns": 0, "dir": ">", "hex": "00"}
    assert run(["replay", write(tmp_path / "t", [{"trace": 1}, first, chunk])]) == 7


def test_a_binary_file_is_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="not UTF-8"):
        load_trace(path)
