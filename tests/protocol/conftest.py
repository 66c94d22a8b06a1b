"""Both ends of the line as fixtures; what they are made of is in `linkpair.py`."""

from __future__ import annotations

import random
from typing import Any

import pytest
from linkpair import HOSTILE, LinkPair, MakePair, Wire


@pytest.fixture
def link_pair() -> MakePair:
    """A maker of pairs: on perfect wires, or `link_pair(hostile=Flips, seed=3)` on two hostile ones."""

    def make(*, hostile: type[Wire] = Wire, seed: int = 0, **how: Any) -> LinkPair:
        to_device, to_host = hostile(random.Random(seed)), hostile(random.Random(seed + 1))
        return LinkPair(to_device=to_device, to_host=to_host, **how)

    return make


@pytest.fixture
def pair(link_pair: MakePair) -> LinkPair:
    """Both ends on perfect wires, session open."""
    made = link_pair()
    made.open()
    return made


@pytest.fixture(params=HOSTILE, ids=lambda kind: kind.__name__)
def hostile(request: pytest.FixtureRequest) -> type[Wire]:
    """Each kind of hostile wire in turn."""
    kind: type[Wire] = request.param
    return kind
