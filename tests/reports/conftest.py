"""Treatments as the tests of reports take them: made once, since entries are never changed."""

from __future__ import annotations

import pytest
from reportentries import treatment

from penstroke.records.entry import Entry
from penstroke.records.summary import summary_of
from penstroke.records.told import TreatmentSummary


@pytest.fixture(scope="session")
def entries() -> list[Entry]:
    """A whole simulated treatment."""
    return treatment()


@pytest.fixture
def summary(entries: list[Entry]) -> TreatmentSummary:
    """What that treatment comes to."""
    return summary_of(entries)


@pytest.fixture
def real() -> TreatmentSummary:
    """The same treatment on a real pen."""
    return summary_of(treatment(simulated=False))
