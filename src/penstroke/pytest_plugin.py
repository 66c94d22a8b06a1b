"""Fixtures for tests of programs that use a pen: `pen_sim`, `pen`. Imported in every run, so it is tiny.

    def test_reaches_its_depth(pen, pen_sim):
        pen.select_zone("forehead")
        ...
        pen_sim.inject("cartridge-removed")

`--pen-port PORT` runs the same tests on the pen at PORT: those that use `pen_sim` are skipped then, and so
are those that would move needles, unless `--pen-allow-motion` is given too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from penstroke.pen import Pen


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options. Nothing real is touched without the first."""
    group = parser.getgroup("penstroke", "microneedling pens")
    group.addoption("--pen-port", metavar="PORT", help="run tests that use `pen` on the pen at PORT")
    group.addoption(
        "--pen-allow-motion", action="store_true", help="let those tests move needles: on the bench only"
    )


@pytest.fixture
def pen_sim_url() -> str:
    """Which simulated pen `pen_sim` is; override it for another profile, seed or scenario."""
    return "sim://pen?seed=1&clock=virtual"


@pytest.fixture
def pen_sim(request: pytest.FixtureRequest, pen_sim_url: str) -> Iterator[Any]:
    """A simulated pen on virtual time, with `.inject(name, ...)`, `.journal` and `.advance(seconds)`."""
    if request.config.getoption("pen_port"):
        pytest.skip("needs the simulated pen, and --pen-port names another")
    from importlib.metadata import entry_points

    (point,) = entry_points(group="penstroke.virtual_ports", name="sim")
    device = point.load()(pen_sim_url)
    yield device
    device.close()


@pytest.fixture
def pen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pen]:
    """A connected pen: the simulated one, or the one at `--pen-port`. Left stopped and retracted."""
    from penstroke.connecting import connect
    from penstroke.errors import PortError
    from penstroke.pen import BENCH_TREATMENT
    from penstroke.ports.opening import adopt

    named = request.config.getoption("pen_port")
    port = named or adopt(request.getfixturevalue("pen_sim"))
    try:
        opened = connect(port, treatment=BENCH_TREATMENT)
    except PortError as error:
        if not named:
            raise
        told = f"--pen-port {named}: {error}"
        if hasattr(request.config, "workerinput"):
            pytest.fail(told, pytrace=False)  # a worker of pytest-xdist cannot end the whole run
        # Once and for all: without its pen every other test would say the same.
        pytest.exit(told, returncode=pytest.ExitCode.USAGE_ERROR)
    with opened as connected:
        if named and not request.config.getoption("pen_allow_motion"):
            monkeypatch.setattr(connected, "needling", _motion_not_allowed)
        yield connected


def _motion_not_allowed(*_: object, **__: object) -> NoReturn:
    pytest.skip("moves needles: --pen-allow-motion allows it, on the bench only")
