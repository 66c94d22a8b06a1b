"""The pen remembers the head of the record, and finds out a store that was cut off or written anew."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from penstroke.connecting import connect
from penstroke.errors import RecordError, Refused
from penstroke.pen import Pen
from penstroke.records.recorder import Recorder
from penstroke.records.store import open_store
from penstroke.treatment import pen_witness


def write(path: Path, count: int) -> None:
    with open_store(path) as store, Recorder(store, operator="Ben Example") as recorder:
        for number in range(count):
            recorder.write("event", event=f"number {number}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "records.sqlite"
    write(found, 5)
    return found


@pytest.mark.req("S-15")
def test_the_pen_confirms_the_store_it_saw_and_one_that_grew(pen: Pen, path: Path) -> None:
    with open_store(path) as store:
        pen_witness.confirm(pen, store)
        assert pen_witness.recalled(pen, store) is None
        kept = pen_witness.keep(pen, store)
        assert (kept.number, kept.digest) == (store.head().number, store.head().digest)
    write(path, 3)
    with open_store(path) as store:
        assert pen_witness.recalled(pen, store) == kept
        pen_witness.confirm(pen, store)
        assert store.verify([kept]).whole


@pytest.mark.req("S-15")
def test_a_store_put_back_to_what_it_was_is_found_out(pen: Pen, path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.sqlite"
    with sqlite3.connect(path) as source, sqlite3.connect(backup) as copy:
        source.backup(copy)
    source.close()
    copy.close()
    write(path, 3)
    with open_store(path) as store:
        pen_witness.keep(pen, store)
    with open_store(backup) as store:
        with pytest.raises(RecordError, match="entry 9 is not there") as cut:
            pen_witness.confirm(pen, store)
        assert cut.value.code == "record-tampered"
        with pytest.raises(Refused, match="remembers entry 9"):
            pen_witness.keep(pen, store)
    write(backup, 4)
    with open_store(backup) as store, pytest.raises(RecordError, match="entry 9 is another one"):
        pen_witness.confirm(pen, store)


def test_another_store_is_not_held_against_it(pen: Pen, path: Path, tmp_path: Path) -> None:
    with open_store(path) as store:
        pen_witness.keep(pen, store)
    write(tmp_path / "other.sqlite", 1)
    with open_store(tmp_path / "other.sqlite") as other:
        pen_witness.confirm(pen, other)


def test_a_pen_that_is_ready_to_run_is_not_asked_to_write(path: Path) -> None:
    with open_store(path) as store, connect("sim://pen?seed=1&clock=virtual") as pen:
        pen.select_zone("cheek", side="left")
        pen.set_rate(hz=100)
        pen.set_depth(mm=0.5)
        with pen.needling(longest_s=1), pytest.raises(Refused) as refused:
            pen_witness.keep(pen, store)
        assert refused.value.code == "wrong-state"
