"""What others use, doing the same: pymavlink setting a parameter, pymodbus's clients writing a register.

Each is a context manager that gives a function: it sets a value at the far end and tells whether it was
confirmed. All are used as their documentation shows, with their own defaults.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("MAVLINK20", "1")  # read when pymavlink is imported

SetValue = Callable[[int], bool]
REGISTER: Final = 7
PARAMETER: Final = "DEPTH"
BAUD: Final = 115_200
PYMODBUS_TIMEOUT_S: Final = 3.0
"""pymodbus's own default."""


def missing(package: str) -> str:
    """Why a reference cannot be measured; empty when it can."""
    if importlib.util.find_spec(package) is None:
        return f"{package} (not installed: `make bench` installs it where packages can be had)"
    return ""


def mavlink_reply() -> bytes:
    """A PARAM_VALUE, as the far end of a bare round trip sends it again and again."""
    from pymavlink.dialects.v20 import common

    told = common.MAVLink_param_value_message(PARAMETER.encode(), 300.0, common.MAV_PARAM_TYPE_REAL32, 1, 0)
    return bytes(told.pack(common.MAVLink(None, srcSystem=1, srcComponent=1)))


def _mavlink(line: socket.socket | Path) -> Any:
    from pymavlink import mavutil

    if isinstance(line, Path):
        return mavutil.mavlink_connection(str(line), baud=BAUD)
    near: socket.socket = line
    near.setblocking(False)

    class OnSocket(mavutil.mavfile):  # type: ignore[misc]
        """pymavlink's way to bring a transport of one's own; like its own mavtcp."""

        def recv(self, n: int | None = None) -> bytes:
            try:
                return near.recv(self.mav.bytes_needed() if n is None else n)
            except BlockingIOError:
                return b""

        def write(self, buf: bytes) -> int:
            return near.send(buf)

    return OnSocket(near.fileno(), "socket pair")


@contextmanager
def pymavlink(line: socket.socket | Path) -> Iterator[SetValue]:
    """PARAM_SET, then wait for PARAM_VALUE: the quickest that pymavlink offers; it repeats nothing."""
    from pymavlink.dialects.v20 import common

    connection = _mavlink(line)

    def set_value(value: int) -> bool:
        connection.param_set_send(PARAMETER, float(value), common.MAV_PARAM_TYPE_REAL32)
        answer = connection.recv_match(type="PARAM_VALUE", blocking=True)
        return bool(answer.param_value == value)

    with _closing(connection, line):
        yield set_value


@contextmanager
def pymavlink_sure(line: socket.socket | Path) -> Iterator[SetValue]:
    """`MAVParmDict.mavset`: the call of pymavlink that repeats until it is confirmed."""
    from pymavlink import mavparm

    connection = _mavlink(line)

    def set_value(value: int) -> bool:
        parameters = mavparm.MAVParmDict()
        # It tells what failed on stdout.
        with contextlib.redirect_stdout(None):
            return bool(parameters.mavset(connection, PARAMETER, float(value)))

    with _closing(connection, line):
        yield set_value


@contextmanager
def _closing(connection: Any, line: socket.socket | Path) -> Iterator[None]:
    try:
        yield
    finally:
        if isinstance(line, Path):
            connection.close()


@contextmanager
def pymodbus_blocking(
    line: socket.socket | Path, timeout_s: float = PYMODBUS_TIMEOUT_S
) -> Iterator[SetValue]:
    """The blocking client, frames of Modbus RTU."""
    from pymodbus.client import ModbusSerialClient, ModbusTcpClient
    from pymodbus.exceptions import ModbusException
    from pymodbus.framer import FramerType

    client: Any
    if isinstance(line, Path):
        client = ModbusSerialClient(str(line), baudrate=BAUD, timeout=timeout_s)
    else:
        client = ModbusTcpClient("socket pair", framer=FramerType.RTU, timeout=timeout_s)
        line.settimeout(timeout_s)
        client.socket = line.dup()
    client.connect()

    def set_value(value: int) -> bool:
        try:
            return _written(client.write_register(REGISTER, value), value)
        except ModbusException:
            return False

    try:
        yield set_value
    finally:
        client.close()


@contextmanager
def pymodbus_async(line: socket.socket | Path, timeout_s: float = PYMODBUS_TIMEOUT_S) -> Iterator[SetValue]:
    """The asynchronous client, frames of Modbus RTU; each call is one turn of its own loop."""
    with asyncio.Runner() as runner:
        client = runner.run(_connected(line, timeout_s))
        loop = runner.get_loop()

        async def write(value: int) -> bool:
            from pymodbus.exceptions import ModbusException

            try:
                return _written(await client.write_register(REGISTER, value), value)
            except ModbusException:
                return False

        try:
            yield lambda value: loop.run_until_complete(write(value))
        finally:
            client.close()


async def _connected(line: socket.socket | Path, timeout_s: float) -> Any:
    from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
    from pymodbus.framer import FramerType

    client: Any
    if isinstance(line, Path):
        client = AsyncModbusSerialClient(str(line), baudrate=BAUD, timeout=timeout_s)
    else:
        client = AsyncModbusTcpClient("socket pair", framer=FramerType.RTU, timeout=timeout_s)
        loop = asyncio.get_running_loop()
        # Where it would make a connection it is given one.
        client.ctx.call_create = partial(
            loop.create_connection, client.ctx.handle_new_connection, sock=line.dup()
        )
    if not await client.connect():
        raise RuntimeError("pymodbus's asynchronous client did not connect")
    return client


def _written(answer: Any, value: int) -> bool:
    return not answer.isError() and answer.address == REGISTER and list(answer.registers) == [value]
