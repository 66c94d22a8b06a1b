"""One owner for one device, who can be asked to stop; and what a killed or hanging owner leaves behind."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path

import pytest
from far_end import PATIENCE_S, FarEnd, InThread, Spawn
from pytest_mock import MockerFixture

from penstroke.errors import LinkTimeout, PortBusy, PortError
from penstroke.ports import control as control_module
from penstroke.ports.control import ControlSocket, StopReply, ask_stop, lock_path
from penstroke.ports.opening import open_port
from penstroke.ports.trace import RecordedPort

HOLD = """
import sys
from penstroke.ports.opening import open_port
port = open_port(sys.argv[1])
print("ready", flush=True)
input()
"""
HOLD_AND_ANSWER = """
import sys
from penstroke.ports.opening import open_port
port = open_port(sys.argv[1])
print("ready", flush=True)
while True:
    port.read(100, None)
    for request in port.control.poll():
        request.answer(stopped=request.ask == "stop", state="idle", message="needles in")
"""


@pytest.mark.req("S-17")
def test_a_second_opener_learns_who_holds_the_port(far_end: FarEnd, spawn: Spawn) -> None:
    owner = spawn(HOLD, far_end.path)
    with pytest.raises(
        PortBusy, match=rf"is busy: held by process {owner.pid} \(-c {far_end.path}\)"
    ) as caught:
        open_port(far_end.path)
    assert caught.value.code == "port-busy"
    assert caught.value.facts == {"port": far_end.path, "pid": owner.pid}
    assert "penstroke stop" in caught.value.hint


@pytest.mark.req("S-17")
def test_a_second_open_in_the_same_program_is_refused(port: RecordedPort, far_end: FarEnd) -> None:
    with pytest.raises(PortBusy, match="held by this program itself"):
        open_port(far_end.path)
    port.write(b"x")
    assert far_end.read() == b"x"


@pytest.mark.req("S-17")
def test_another_name_for_the_device_is_the_same_device(
    port: RecordedPort, far_end: FarEnd, tmp_path: Path
) -> None:
    link = tmp_path / "pen"
    link.symlink_to(far_end.path)
    with pytest.raises(PortBusy, match="held by this program itself"):
        open_port(str(link))


def test_a_program_with_another_runtime_folder_is_found_by_the_devices_own_lock(
    port: RecordedPort, far_end: FarEnd, spawn: Spawn, monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    monkeypatch.setenv("PENSTROKE_RUNTIME_DIR", str(own_home / "elsewhere"))
    with pytest.raises(PortBusy):
        open_port(far_end.path)


def test_a_killed_owner_frees_the_port(far_end: FarEnd, spawn: Spawn) -> None:
    owner = spawn(HOLD, far_end.path)
    owner.send_signal(signal.SIGKILL)
    owner.wait(PATIENCE_S)
    assert lock_path(far_end.path).exists()
    assert ask_stop(far_end.path) is None
    port = open_port(far_end.path)
    port.write(b"x")
    assert far_end.read() == b"x"
    port.close()


def test_a_stop_reaches_the_program_that_holds_the_port(far_end: FarEnd, spawn: Spawn) -> None:
    owner = spawn(HOLD_AND_ANSWER, far_end.path)
    for _ in range(3):
        assert ask_stop(far_end.path, PATIENCE_S) == StopReply(
            stopped=True,
            state="idle",
            pid=owner.pid,
            command=f"-c {far_end.path}",
            message="needles in",
        )


@pytest.mark.req("S-16")
def test_an_owner_that_hangs_leaves_the_state_unknown(far_end: FarEnd, spawn: Spawn) -> None:
    owner = spawn(HOLD_AND_ANSWER, far_end.path)
    owner.send_signal(signal.SIGSTOP)
    with pytest.raises(
        LinkTimeout, match=rf"process {owner.pid}\) holds .* did not answer .* unknown"
    ) as caught:
        ask_stop(far_end.path, 0.05)
    assert "stop key" in caught.value.hint
    owner.send_signal(signal.SIGCONT)
    assert ask_stop(far_end.path, PATIENCE_S) is not None


def test_an_owner_whose_queue_is_full_is_a_hanging_one(port: RecordedPort, far_end: FarEnd) -> None:
    for _ in range(2000):
        with pytest.raises(LinkTimeout):
            ask_stop(far_end.path, 0)
    assert port.control is not None
    assert 0 < len(port.control.poll()) < 2000


def test_nobody_holds_a_port_that_is_closed_or_was_never_open(far_end: FarEnd) -> None:
    assert ask_stop(far_end.path) is None
    open_port(far_end.path).close()
    assert ask_stop(far_end.path) is None


def test_a_request_wakes_the_owner_at_once(port: RecordedPort, far_end: FarEnd, in_thread: InThread) -> None:
    asked = in_thread(lambda: ask_stop(far_end.path, PATIENCE_S))
    assert port.read(1, None) == b""
    assert port.control is not None
    (request,) = port.control.poll()
    assert request.ask == "stop"
    request.answer(stopped=False, state="fault")
    reply = asked()
    assert isinstance(reply, StopReply)
    assert (reply.stopped, reply.state, reply.pid) == (False, "fault", os.getpid())
    assert port.control.poll() == []


def test_an_asker_that_has_gone_does_not_disturb_the_owner(port: RecordedPort, far_end: FarEnd) -> None:
    with pytest.raises(LinkTimeout):
        ask_stop(far_end.path, 0)
    assert port.control is not None
    (request,) = port.control.poll()
    request.answer(stopped=True, state="idle")


@pytest.mark.parametrize(
    "junk", [b"", b"\xff", b"{", b"[]", b"null", b'{"ask": 1}', b'{"ask": "stop"}', b"[" * 3000]
)
def test_junk_on_the_control_socket_is_dropped(port: RecordedPort, own_home: Path, junk: bytes) -> None:
    assert port.control is not None
    sender = control_module._bound(own_home / "junk.sock")
    with sender:
        sender.sendto(junk, str(port.control.path))
    assert port.control.poll() == []


@pytest.mark.parametrize("junk", [b"", b"{", b"[1]", b'{"control": 5, "pid": "x"}', b"\xff\xfe"])
def test_a_lock_file_full_of_junk_is_nobodys_and_can_be_taken(far_end: FarEnd, junk: bytes) -> None:
    lock_path(far_end.path).write_bytes(junk)
    assert ask_stop(far_end.path) is None
    open_port(far_end.path).close()


def test_the_lock_file_says_who_and_where(port: RecordedPort, far_end: FarEnd) -> None:
    owner = json.loads(lock_path(far_end.path).read_text())
    assert port.control is not None
    assert owner["pid"] == os.getpid()
    assert owner["port"] == far_end.path
    assert owner["control"] == str(port.control.path)
    assert stat.S_IMODE(lock_path(far_end.path).stat().st_mode) == 0o600


def test_close_takes_the_control_socket_away(far_end: FarEnd) -> None:
    port = open_port(far_end.path)
    assert port.control is not None
    assert port.control.path.is_socket()
    port.close()
    assert not port.control.path.exists()
    assert port.control.poll() == []


def test_a_forked_child_that_lives_on_does_not_keep_the_port(far_end: FarEnd, spawn: Spawn) -> None:
    spawn(
        """
import os, sys
from penstroke.ports.opening import open_port
port = open_port(sys.argv[1])
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
port.close()
print("ready", flush=True)
input()
""",
        far_end.path,
    )
    open_port(far_end.path).close()


def test_a_runtime_folder_with_a_long_name_still_works(
    far_end: FarEnd, own_home: Path, monkeypatch: pytest.MonkeyPatch, in_thread: InThread
) -> None:
    monkeypatch.setenv("PENSTROKE_RUNTIME_DIR", str(own_home / ("long" * 40)))
    port = open_port(far_end.path)
    asked = in_thread(lambda: ask_stop(far_end.path, PATIENCE_S))
    assert port.read(1, None) == b""
    assert port.control is not None
    port.control.poll()[0].answer(stopped=True, state="idle")
    assert isinstance(asked(), StopReply)
    port.close()


def test_a_runtime_folder_that_others_may_write_is_refused(
    far_end: FarEnd, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = own_home / "open"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv("PENSTROKE_RUNTIME_DIR", str(folder))
    with pytest.raises(PortError, match="writable by other users") as caught:
        open_port(far_end.path)
    assert "PENSTROKE_RUNTIME_DIR" in caught.value.hint


def test_a_runtime_folder_of_another_user_is_refused(
    far_end: FarEnd, own_home: Path, mocker: MockerFixture
) -> None:
    mocker.patch.object(os, "geteuid", return_value=os.geteuid() + 12345)
    with pytest.raises(PortError, match="writable by other users"):
        open_port(far_end.path)


def test_a_runtime_folder_that_cannot_be_made_is_said(
    far_end: FarEnd, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_home / "file").write_text("")
    monkeypatch.setenv("PENSTROKE_RUNTIME_DIR", str(own_home / "file" / "folder"))
    with pytest.raises(PortError, match="cannot use the folder"):
        open_port(far_end.path)


def test_without_the_variable_the_platforms_folder_is_used(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PENSTROKE_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(own_home))
    assert lock_path("/dev/ttyX").parent == own_home / "penstroke"


def test_two_devices_never_share_a_lock_file() -> None:
    paths = ["/dev/ttyUSB0", "/dev/ttyUSB1", "/dev/tty-USB0", "/dev/tty/USB0", "/dev/" + "x" * 300]
    assert len({lock_path(path) for path in paths}) == len(paths)
    assert max(len(lock_path(path).name) for path in paths) < 60


def test_a_control_socket_replaces_what_a_killed_owner_left(own_home: Path) -> None:
    path = own_home / "stale.sock"
    ControlSocket(path)._socket.close()
    fresh = ControlSocket(path)
    assert path.is_socket()
    fresh.close()
