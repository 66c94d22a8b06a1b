"""Benches for tests of the simulated pen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simbench import Bench


@pytest.fixture
def bench() -> Bench:
    """A freshly powered `fine` pen."""
    return Bench()


@pytest.fixture
def new_bench() -> Callable[..., Bench]:
    """Makes benches: `new_bench(profile="fixed-rate", seed=3)`."""
    return Bench
