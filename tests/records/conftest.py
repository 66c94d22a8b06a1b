"""A store on disk, entries to put into it, and a noon that does not move."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstroke.records.store import Store, open_store

NOON = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store is to be; nothing is there yet."""
    return tmp_path / "data" / "records.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """A new store, open."""
    with open_store(path) as opened:
        yield opened
