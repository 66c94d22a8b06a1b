"""A store that may only be read, or not even that. Root may do everything, so it steps down for these."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from recordtools import draft

from penstroke.errors import RecordError
from penstroke.records.recorder import Recorder
from penstroke.records.store import open_store

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """As a user to whom permissions apply."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A store in a folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="pen-"))
    with open_store(folder / "records.sqlite") as store:
        store.append([draft("opened", patient="P-17")])
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def protect(shelf: Path, *, file: int, folder: int) -> Path:
    for one in shelf.iterdir():
        one.chmod(file)
    shelf.chmod(folder)
    return shelf / "records.sqlite"


@pytest.mark.req("S-14")
@pytest.mark.parametrize("folder", [0o555, 0o777])
def test_a_store_that_may_only_be_read_takes_no_treatment(shelf: Path, folder: int) -> None:
    path = protect(shelf, file=0o444, folder=folder)
    before = path.read_bytes()
    with as_nobody(), pytest.raises(RecordError) as refused:
        open_store(path)
    assert refused.value.code == "record-read-only"
    assert path.read_bytes() == before


def test_it_may_be_read_and_verified(shelf: Path) -> None:
    path = protect(shelf, file=0o444, folder=0o555)
    with as_nobody(), open_store(path, readonly=True) as store:
        assert [row.patient for row in store.treatments()] == ["P-17"]
        assert store.verify().whole
        assert store.verify().seal == "whole"
    assert sorted(one.name for one in shelf.iterdir()) == ["records.sqlite", "records.sqlite.seal"]


@pytest.mark.parametrize("readonly", [False, True])
def test_a_store_that_may_not_be_read(shelf: Path, readonly: bool) -> None:
    path = protect(shelf, file=0o000, folder=0o755)
    with as_nobody(), pytest.raises(RecordError) as refused:
        open_store(path, readonly=readonly)
    assert refused.value.code == "record-unreadable"


def test_a_folder_that_may_not_be_written_to(shelf: Path) -> None:
    shelf.chmod(0o555)
    with as_nobody(), pytest.raises(RecordError) as refused:
        open_store(shelf / "new.sqlite")
    assert refused.value.code == "record-unwritable"


def test_a_disk_that_becomes_read_only_while_recording(shelf: Path) -> None:
    """Every connection is made anew here, as after one that was dropped."""
    path = protect(shelf, file=0o666, folder=0o777)
    with as_nobody():
        with open_store(path) as store, pytest.raises(RecordError) as failed, Recorder(store) as recorder:
            recorder.write("command")
            recorder.make_durable()
            store.close()
            os.seteuid(0) if os.getuid() == 0 else None
            protect(shelf, file=0o444, folder=0o555)
            os.seteuid(NOBODY) if os.getuid() == 0 else None
            recorder.write("command")
        assert failed.value.code in {"record-read-only", "record-unreadable"}
    with open_store(path, readonly=True) as store:
        assert store.verify().whole
        assert store.head().number == 3
