"""The same pen at every kind of port."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from served import Served


@dataclass
class Endpoint:
    """Where a simulated pen can be reached."""

    kind: str
    url: str
    served: Served | None = None


@pytest.fixture(params=["virtual", "paced", "pty", "tcp"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Endpoint]:
    """One after the other: in process on virtual time, `sim://` through pyserial, a pty, a TCP port."""
    kind = str(request.param)
    if kind == "virtual":
        yield Endpoint(kind, "sim://pen?seed=3&clock=virtual")
        return
    if kind == "paced":
        yield Endpoint(kind, "sim://pen?seed=3")
        return
    where = ("--pty",) if kind == "pty" else ("--tcp", "127.0.0.1:0")
    served = Served(tmp_path, "--seed", "3", *where)
    yield Endpoint(kind, served.port, served)
    served.close()
