"""What the user named becomes a port, or one clear sentence about why not."""

from __future__ import annotations

import errno
import fcntl
import importlib.metadata
import os
import pwd
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import serial
import serial.rfc2217
from far_end import PATIENCE_S, FarEnd, InThread
from pytest_mock import MockerFixture

from penstroke.errors import LinkLost, PlanError, PortBusy, PortDenied, PortError, PortMissing
from penstroke.ports import open_errors, opening, serial_port
from penstroke.ports.opening import adopt, device_of, open_port
from penstroke_protocol.frames import encode_message
from penstroke_protocol.messages import Hello

SECOND_NS = 10**9


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("/dev/no-such-pen", PortMissing, "no pen at /dev/no-such-pen: No such file"),
        ("/dev/null/x", PortMissing, "no pen at /dev/null/x"),
        ("/dev/" + "x" * 5000, PortMissing, "File name too long"),
        ("a\0b", PortMissing, "is no name of a port"),
        ("", PortError, "is a folder, no serial port"),
        ("/tmp", PortError, "/tmp is a folder, no serial port"),
        (__file__, PortError, "is a file, no serial port"),
        ("/dev/null", PortError, "/dev/null is no serial port but a device of kind mem"),
        ("socket://127.0.0.1:1", PortMissing, "nothing answers at socket://127.0.0.1:1: Connection refused"),
        ("socket://no-such-host.invalid:1", PortMissing, "nothing answers"),
        ("socket://127.0.0.1", PortError, "is no address"),
        ("socket://127.0.0.1:99999", PortError, "is no address"),
        ("socket://127.0.0.1:1/path", PortError, "is no address"),
        ("socket://:1", PortError, "is no address"),
        ("socket://[::1:1", PortError, "is no address"),
        ("rfc2217://127.0.0.1:1", PortMissing, "nothing answers at .*: Connection refused"),
        ("rfc2217://127.0.0.1:1?what=1", PortError, "unknown option"),
        ("carrier-pigeon://roof", PortError, "protocol 'carrier-pigeon' not known"),
        ("http://127.0.0.1:8000", PortError, "cannot be used as a port"),
        ("carrier-pigeon://roof?clock=virtual", PortMissing, "no simulator for carrier-pigeon://"),
    ],
)
def test_a_wrong_name_is_said_in_one_sentence(name: str, kind: type[PortError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        open_port(name)
    assert type(caught.value) is kind
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert caught.value.facts["port"] == name


@pytest.fixture
def ordinary_user(own_home: Path) -> Iterator[None]:
    """Root may open anything, so as root these tests put on another user."""
    if os.geteuid() != 0:
        yield
        return
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(own_home, nobody, -1)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_denied_device_names_the_group_to_join(
    far_end: FarEnd, request: pytest.FixtureRequest, mocker: MockerFixture
) -> None:
    Path(far_end.path).chmod(0o600 if os.geteuid() == 0 else 0o000)
    mocker.patch.object(open_errors, "_group_of", return_value=("dialout", True))
    request.getfixturevalue("ordinary_user")
    with pytest.raises(
        PortDenied, match=f"not permitted to open {far_end.path}: Permission denied"
    ) as caught:
        open_port(far_end.path)
    assert caught.value.code == "port-denied"
    assert "sudo usermod -aG dialout $USER" in caught.value.hint


@pytest.mark.parametrize(
    ("mode", "words"),
    [(0o060, "usermod -aG {group} "), (0o600, "closed to its group"), (0o040, "closed to its")],
)
def test_the_hint_follows_the_rights_of_the_device(far_end: FarEnd, mode: int, words: str) -> None:
    path = Path(far_end.path)
    path.chmod(mode)
    error = open_errors.opening_error(far_end.path, PermissionError(errno.EACCES, "Permission denied"))
    assert words.format(group=path.group()) in error.hint


def test_the_kernels_own_mark_of_exclusive_use_is_busy(
    far_end: FarEnd, request: pytest.FixtureRequest
) -> None:
    Path(far_end.path).chmod(0o666)
    assert far_end.near is not None
    fcntl.ioctl(far_end.near, termios.TIOCEXCL)
    request.getfixturevalue("ordinary_user")
    with pytest.raises(PortBusy, match="is busy: held by"):
        open_port(far_end.path)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EACCES, PortDenied),
        (errno.EPERM, PortDenied),
        (errno.EBUSY, PortBusy),
        (errno.EAGAIN, PortBusy),
        (errno.ENODEV, PortMissing),
        (errno.ENXIO, PortMissing),
        (errno.EIO, PortMissing),
        (errno.EMFILE, PortError),
    ],
)
def test_each_reason_of_the_system_has_its_error(number: int, kind: type[PortError]) -> None:
    error = open_errors.opening_error("/dev/ttyX", OSError(number, os.strerror(number)))
    assert type(error) is kind
    assert "/dev/ttyX" in error.message


def test_a_failure_after_opening_leaves_the_port_free(far_end: FarEnd, mocker: MockerFixture) -> None:
    mocker.patch.object(serial_port.termios, "tcsetattr", side_effect=OSError(errno.EIO, "gone"))
    with pytest.raises(PortMissing):
        open_port(far_end.path)
    mocker.stopall()
    open_port(far_end.path).close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        yield server


def test_a_tcp_connection_is_a_port_without_delay(listener: socket.socket) -> None:
    url = f"socket://127.0.0.1:{listener.getsockname()[1]}"
    port = open_port(url)
    far, _ = listener.accept()
    with far:
        assert (port.name, port.simulated, port.control) == (url, False, None)
        port.write(b"\0\xff\x11")
        assert far.recv(10) == b"\0\xff\x11"
        far.sendall(b"\0\xff\x13")
        assert port.read(10, SECOND_NS) == b"\0\xff\x13"
        assert port.read(10, 0) == b""
        sockets = [socket.socket(fileno=os.dup(fd)) for fd in [port.port._fd]]  # type: ignore[attr-defined]
        for side in sockets:
            assert side.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            side.close()
    with pytest.raises(LinkLost, match="end of file"):
        port.read(10, SECOND_NS)
    port.close()


@pytest.mark.filterwarnings("ignore:setDaemon:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:setName:DeprecationWarning")
def test_an_rfc2217_server_is_a_port(listener: socket.socket, in_thread: InThread) -> None:
    ended = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        loop = serial.serial_for_url("loop://", timeout=0)
        with connection, loop:
            manager = serial.rfc2217.PortManager(loop, Writer(connection))
            connection.settimeout(0.02)
            while not ended.is_set():
                try:
                    received = connection.recv(1024)
                except TimeoutError:
                    received = None
                if received == b"":
                    return
                loop.write(b"".join(manager.filter(received or b"")))
                if echoed := loop.read(1024):
                    connection.sendall(b"".join(manager.escape(echoed)))

    served = in_thread(serve)
    port = open_port(f"rfc2217://127.0.0.1:{listener.getsockname()[1]}")
    try:
        # pyserial knows no bound for writing here, so its socket gets one.
        assert port.port._line._socket.gettimeout() == 0.2  # type: ignore[attr-defined]
        port.write(bytes(range(256)))
        got = b""
        while len(got) < 256:
            got += port.read(100, SECOND_NS) or pytest.fail("nothing came back")
        assert got == bytes(range(256))
        port.write_now(b"\0STOP\0")
        assert port.read(1, SECOND_NS) == b"\0"
        ended.set()
        served()
        with pytest.raises(LinkLost):
            while True:
                port.read(100, SECOND_NS)
    finally:
        ended.set()
        port.close()


class Writer:
    """What pyserial's server side writes its own telnet bytes to."""

    def __init__(self, connection: socket.socket) -> None:
        self.write = connection.sendall


def test_a_port_of_pyserials_own_keeps_the_promises_of_a_port() -> None:
    port = open_port("loop://")
    assert port.read(10, 0) == b""
    assert port.read(10, 30_000_000) == b""
    port.write(b"abc")
    assert port.read(1, None) == b"a"
    assert port.read(2, SECOND_NS) == b"bc"
    port.close()
    port.close()
    for use in (lambda: port.read(1, 0), lambda: port.write(b"x"), lambda: port.write_now(b"x")):
        with pytest.raises(LinkLost, match="is closed"):
            use()


def test_close_ends_a_read_of_pyserials_own(in_thread: InThread) -> None:
    port = open_port("loop://")
    reader = in_thread(lambda: port.read(1, None))
    port.close()
    assert isinstance(reader(), LinkLost)


class Imaginary:
    """A simulator's object, as an entry point would give it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cut = False
        self.closed = 0
        self.written = b""

    def read(self, max_bytes: int, timeout_ns: int | None) -> bytes:
        if self.cut:
            raise OSError(errno.EIO, "cable cut")
        return b"abc"[:max_bytes]

    def write(self, data: bytes) -> None:
        if self.cut:
            raise OSError(errno.EIO, "cable cut")
        self.written += data

    def now_ns(self) -> int:
        return 42

    def close(self) -> None:
        self.closed += 1


def refusing(url: str) -> Imaginary:
    raise ValueError(f"{url}: no profile 'x'; there are fine, coarse")


@pytest.fixture
def imaginary_simulator(mocker: MockerFixture) -> None:
    points = [
        EntryPoint("dream", f"{__name__}:Imaginary", "penstroke.virtual_ports"),
        EntryPoint("nightmare", f"{__name__}:refusing", "penstroke.virtual_ports"),
    ]
    mocker.patch.object(
        importlib.metadata,
        "entry_points",
        lambda group, name: [p for p in points if (p.group, p.name) == (group, name)],
    )


@pytest.mark.usefixtures("imaginary_simulator")
def test_a_simulator_on_virtual_time_is_found_by_its_scheme() -> None:
    port = open_port("dream://pen?seed=7&clock=virtual")
    assert (port.name, port.simulated, port.control) == ("dream://pen?seed=7&clock=virtual", True, None)
    assert port.read(2, None) == b"ab"
    port.write(b"x")
    port.write_now(b"y")
    assert port.now_ns() == 42
    device = port.port.device  # type: ignore[attr-defined]
    assert (device.url, device.written) == (port.name, b"xy")
    port.close()
    port.close()
    assert device.closed == 1


@pytest.mark.usefixtures("imaginary_simulator")
def test_what_a_simulator_refuses_is_an_error_of_the_port() -> None:
    with pytest.raises(PortError, match="no profile 'x'; there are fine, coarse"):
        open_port("nightmare://pen?clock=virtual")


def test_a_simulators_cut_cable_is_link_lost() -> None:
    device = Imaginary("dream://")
    port = adopt(device, "dream://")
    device.cut = True
    for use in (lambda: port.read(1, 0), lambda: port.write(b"x"), lambda: port.write_now(b"x")):
        with pytest.raises(LinkLost, match="cable cut"):
            use()


def test_handlers_of_other_packages_reach_pyserial(mocker: MockerFixture) -> None:
    point = EntryPoint("sim", "some_simulator.handlers", "penstroke.pyserial_handlers")
    mocker.patch.object(
        importlib.metadata, "entry_points", lambda group: [point] if group == point.group else []
    )
    packages = mocker.patch.object(serial, "protocol_handler_packages", ["serial.urlhandler"])
    for _ in range(2):
        open_port("loop://").close()
    assert packages == ["serial.urlhandler", "some_simulator.handlers"]


def test_what_a_name_means_is_known_without_opening(mocker: MockerFixture) -> None:
    mocker.patch.object(serial_port, "usb_ports", return_value=[("/dev/ttyACM0", 0x1209, 1, "PS-1", "pen")])
    assert device_of("auto") == device_of("serial:PS-1") == "/dev/ttyACM0"
    assert device_of("/dev/ttyUSB3") == "/dev/ttyUSB3"
    assert device_of("sim://") is None


def test_auto_opens_the_pen_that_is_plugged_in(far_end: FarEnd, mocker: MockerFixture) -> None:
    mocker.patch.object(serial_port, "usb_ports", return_value=[(far_end.path, 0x1209, 1, "PS-1", "pen")])
    port = open_port("auto")
    assert port.name == far_end.path
    port.close()


def test_neither_pyserial_nor_the_list_of_ports_is_imported_before_a_port_is_opened() -> None:
    script = (
        "import sys, penstroke.ports.opening, penstroke.ports.discovery, penstroke.ports.control\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('serial', 'asyncio', 'platformdirs')])"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    assert told.stdout == "[]\n"


def test_one_file_imports_pyserial() -> None:
    folder = Path(opening.__file__).parents[1]
    importers = {
        path.name
        for path in folder.rglob("*.py")
        if any(
            line.strip().startswith(("import serial", "from serial"))
            for line in path.read_text().splitlines()
        )
    }
    assert importers == {"serial_port.py"}


@pytest.mark.parametrize("url", ["sim://pen?seed=1", "sim://pen?seed=1&clock=virtual"])
def test_the_projects_own_simulator_is_a_port_both_ways(url: str) -> None:
    port = open_port(url)
    try:
        assert port.simulated
        assert port.control is None
        asked_ns = port.now_ns()
        assert port.read(100, 20_000_000) == b""
        assert port.now_ns() - asked_ns >= 20_000_000
        hello = Hello(major=1, minor=0, nonce=7, motion_hash=0, zone_digest=0, role=0)
        port.write(encode_message(hello, session=0, seq=1, epoch=0))
        got = b""
        while not got.endswith(b"\0") or len(got) < 20:
            got += port.read(100, SECOND_NS) or pytest.fail("no answer to HELLO")
        assert "ANSWER Hello" in port.black_box()[1]
        assert len(port.black_box()) < 10
    finally:
        port.close()
    with pytest.raises(LinkLost, match="is closed"):
        port.read(1, 0)


@pytest.mark.parametrize("clock", ["", "&clock=virtual"])
def test_a_scenario_that_is_missing_is_no_silent_line(clock: str) -> None:
    with pytest.raises(PlanError, match="no-such-file: No such file") as caught:
        open_port(f"sim://pen?scenario=/no-such-file{clock}")
    assert caught.value.code == "scenario-invalid"


@pytest.mark.parametrize("clock", ["", "&clock=virtual"])
def test_what_the_simulator_does_not_know_is_one_clear_sentence(clock: str) -> None:
    with pytest.raises(PortError, match=r"cannot open sim://pen\?colour=red.*unknown setting 'colour'"):
        open_port(f"sim://pen?colour=red{clock}")


def test_a_line_that_only_says_that_something_waits_is_read_whole() -> None:
    class Shy:
        def __init__(self, data: bytes) -> None:
            self.data = data

        @property
        def in_waiting(self) -> int:
            return int(bool(self.data))

        def read(self, size: int) -> bytes:
            taken, self.data = self.data[:size], self.data[size:]
            if not taken:
                raise serial.SerialException("gone")
            return taken

    port = serial_port.UrlPort(Shy(b"a whole frame"), "shy://")  # type: ignore[arg-type]
    assert port.read(7, SECOND_NS) == b"a whole"
    assert port.read(100, SECOND_NS) == b" frame"
    with pytest.raises(LinkLost, match="gone"):
        port.read(1, SECOND_NS)
