"""The store: made with its promises kept, appended to by one or many, and refused where it is not ours."""

from __future__ import annotations

import itertools
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from recordtools import asked, by_hand, draft

from penstroke.errors import RecordError
from penstroke.records import schema
from penstroke.records.entry import NO_DIGEST, Head
from penstroke.records.store import Store, open_store, sqlite_path

LONGEST_S = 60


def test_a_new_store_begins_its_chain(store: Store, path: Path) -> None:
    [first] = store.entries()
    assert (first.number, first.kind, first.previous, first.treatment) == (1, "store", NO_DIGEST, None)
    assert first.body["format"] == 1
    assert len(str(first.body["store_id"])) == 32
    assert store.head() == Head(1, first.digest)
    assert store.where == str(path)


def test_its_promises_are_kept_on_every_connection(store: Store) -> None:
    with store.reading() as one, store.reading() as two:
        for connection in (one, two):
            kept = {
                pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
                for pragma in ("journal_mode", "synchronous", "application_id", "user_version")
            }
            assert kept == {
                "journal_mode": "wal",
                "synchronous": 2,
                "application_id": schema.APPLICATION_ID,
                "user_version": schema.VERSION,
            }


@pytest.mark.parametrize("pragma", ["journal_mode", "synchronous"])
def test_a_promise_that_is_not_kept_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch, pragma: str
) -> None:
    """A file system without shared memory answers so: the mode is asked for, and another one is read back."""
    connect = sqlite3.connect

    class Faithless(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            weak = {"journal_mode": "DELETE", "synchronous": "NORMAL"}[pragma]
            known = {f"PRAGMA {pragma} = {strong}" for strong in ("WAL", "FULL")}
            return super().execute(f"PRAGMA {pragma} = {weak}" if sql in known else sql, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda *args, **named: connect(*args, **named, factory=Faithless))
    with pytest.raises(RecordError) as failed:
        open_store(path)
    assert failed.value.code == "record-unwritable"
    assert "write-ahead log" in failed.value.message


def test_only_its_owner_may_read_it(store: Store, path: Path) -> None:
    store.append([draft()])
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_the_folder_is_forced_to_the_disk_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noted(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    open_store(path).close()
    open_store(path).close()
    assert synced.count(str(path.parent)) == 1
    # The seal is forced as well: one that a power cut tore would read as damage.
    assert [name for name in synced if ".seal." in name]


def test_entries_are_chained(store: Store) -> None:
    store.append([draft("opened", patient="P-17"), draft("command")])
    [third] = store.append([draft("closed")])
    entries = list(store.entries())
    assert [entry.number for entry in entries] == [1, 2, 3, 4]
    for before, entry in itertools.pairwise(entries):
        assert entry.previous == before.digest
    assert entries[-1] == third
    assert store.head() == Head(4, third.digest)


def test_entries_are_found(store: Store) -> None:
    store.append([draft("opened", "A"), draft("opened", "B"), draft("sample", "A"), draft("closed", "A")])
    assert [entry.number for entry in store.entries("A")] == [2, 4, 5]
    assert [entry.number for entry in store.entries("A", kinds=("opened", "closed"))] == [2, 5]
    assert [entry.number for entry in store.entries(kinds=("opened",), after=2)] == [3]
    assert [entry.number for entry in store.entries("none such")] == []
    found = store.entry(3)
    assert found is not None
    assert found.treatment == "B"
    assert store.entry(6) is None


def test_nothing_is_appended_to_a_store_that_is_only_read(store: Store, path: Path) -> None:
    store.close()
    with open_store(path, readonly=True) as readonly:
        with pytest.raises(RecordError) as refused:
            readonly.append([draft()])
        assert refused.value.code == "record-read-only"
        assert readonly.head().number == 1


def test_the_tables_refuse_to_change_an_entry(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in ("UPDATE entries SET kind = 'x'", "DELETE FROM entries"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever appended"):
                connection.execute(statement)


def test_the_tables_are_those_of_the_migrations(store: Store) -> None:
    """What the queries know and what the migrations make is the same."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        assert schema.version_of(connection) == schema.VERSION
        made = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        assert {row.name: row.sql for row in made} == schema.TRIGGERS


def test_a_store_of_its_own_version_needs_no_alembic(path: Path) -> None:
    open_store(path).close()
    code = (
        "import sys\nfrom penstroke.records.store import open_store\n"
        f"open_store({str(path)!r}).close()\nprint('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONGEST_S)
    assert done.stdout == "False\n", done.stderr


# -- what is not ours is refused, and left as it was ---------------------------------------------------------


def _foreign(path: Path) -> None:
    by_hand(path, "CREATE TABLE recipes (name TEXT)")


def _newer(path: Path) -> None:
    open_store(path).close()
    by_hand(path, f"PRAGMA user_version = {schema.VERSION + 1}")


def _torn_header(path: Path) -> None:
    open_store(path).close()
    with path.open("r+b") as file:
        file.seek(20)
        file.write(b"\xff" * 8)


def _broken_pages(path: Path) -> None:
    open_store(path).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4000)


def _odd_schema(path: Path) -> None:
    """The schema's text is damaged so that SQLite's own complaint about it is no UTF-8."""
    open_store(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"CREATE TABLE entries", b"CREATE T\xb3BLE entries"))


NOT_OURS: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("# plan\n" * 400), "record-not-a-store"),
    "short": (lambda path: path.write_bytes(b"SQ"), "record-not-a-store"),
    "a folder": (lambda path: path.mkdir(), "record-not-a-store"),
    "another database": (_foreign, "record-not-a-store"),
    "a newer store": (_newer, "record-newer"),
    "a torn header": (_torn_header, "record-not-a-store"),
    "an odd schema": (_odd_schema, "record-damaged"),
    "broken pages": (_broken_pages, "record-damaged"),
}


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize("case", NOT_OURS)
def test_what_is_no_store_of_ours_is_refused_and_left_alone(path: Path, case: str, readonly: bool) -> None:
    make, code = NOT_OURS[case]
    path.parent.mkdir()
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(RecordError) as refused:
        open_store(path, readonly=readonly)
    assert refused.value.code == code
    assert str(path) in refused.value.message
    assert refused.value.hint
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_store_that_is_not_there(path: Path) -> None:
    with pytest.raises(RecordError) as refused:
        open_store(path, readonly=True)
    assert refused.value.code == "record-missing"
    assert not path.parent.exists()


def test_an_empty_file_is_filled(path: Path) -> None:
    """A program was stopped between making the file and filling it."""
    path.parent.mkdir()
    path.touch()
    with pytest.raises(RecordError) as refused:
        open_store(path, readonly=True)
    assert refused.value.code == "record-not-a-store"
    with open_store(path) as store:
        assert store.head().number == 1


def test_a_database_without_tables_is_filled(path: Path) -> None:
    """The same a moment later: the log's mode is set, the tables are not made."""
    path.parent.mkdir()
    by_hand(path, "PRAGMA journal_mode = WAL")
    with pytest.raises(RecordError) as refused:
        open_store(path, readonly=True)
    assert refused.value.code == "record-not-a-store"
    with open_store(path) as store:
        assert store.head().number == 1


def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError) as refused:
        open_store(tmp_path / "file" / "records.sqlite")
    assert refused.value.code == "record-unwritable"


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("records.sqlite", "records.sqlite"),
        ("sqlite:///records.sqlite", "records.sqlite"),
        ("sqlite:////var/lib/records.sqlite", "/var/lib/records.sqlite"),
        ("postgresql://clinic@db/records", None),
    ],
)
def test_where_a_store_lies(where: str, path: str | None) -> None:
    assert sqlite_path(where) == (None if path is None else Path(path))


@pytest.mark.parametrize("where", ["sqlite://", "sqlite:///:memory:", "://", "nosuch://x/y"])
def test_what_is_no_place_for_a_record(where: str) -> None:
    with pytest.raises(RecordError) as refused:
        open_store(where)
    assert refused.value.code in {"record-not-a-store", "record-unreadable"}


def test_a_password_is_not_told() -> None:
    with pytest.raises(RecordError) as refused:
        open_store("nosuch://clinic:sesame@db/records")
    assert "sesame" not in refused.value.message


# -- two programs on one store -------------------------------------------------------------------------------


def test_a_store_that_is_held_by_another_program(path: Path) -> None:
    open_store(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordError) as refused:
            open_store(path, busy_s=0.01)
        assert refused.value.code == "record-in-use"
        with open_store(path, readonly=True) as readable:
            assert readable.head().number == 1


_WRITER = """
import sys
from penstroke.records.recorder import Recorder
from penstroke.records.store import open_store

path, treatment, count = sys.argv[1:]
print("ready", flush=True)
sys.stdin.readline()
with open_store(path) as store, Recorder(store, treatment=treatment) as recorder:
    for number in range(int(count)):
        recorder.write("command", number=number)
        if number % 5 == 0:
            recorder.make_durable(30)
"""


def test_two_programs_write_one_chain(path: Path) -> None:
    """Started at one instant on a store that is not there yet: one of them makes it."""
    command = [sys.executable, "-c", _WRITER, str(path)]
    programs = [
        subprocess.Popen(
            [*command, name, "150"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("A", "B", "C")
    ]
    try:
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
        for program in programs:
            assert program.stdin is not None
            program.stdin.write("\n")
            program.stdin.flush()
        said = [program.communicate(timeout=LONGEST_S)[1] for program in programs]
    finally:
        for program in programs:
            program.kill()
            program.wait()
    assert said == ["", "", ""]
    with open_store(path, readonly=True) as store:
        entries = list(store.entries())
        assert [entry.number for entry in entries] == list(range(1, 452))
        for before, entry in itertools.pairwise(entries):
            assert entry.previous == before.digest
        for name in ("A", "B", "C"):
            assert [entry.body["number"] for entry in store.entries(name)] == list(range(150))
    assert asked(path, "SELECT count(*) FROM entries WHERE kind = 'store'") == [(1,)]


@pytest.mark.parametrize("with_index", [False, True])
def test_a_store_whose_program_was_killed_can_be_read(path: Path, tmp_path: Path, with_index: bool) -> None:
    """Its newest entries are still in the log; the index of the log does not outlive a power cut."""
    with open_store(path) as store:
        store.append([draft("opened", patient="P-17"), draft("command")])
        left = tmp_path / "left"
        left.mkdir()
        for suffix in ("", "-wal", "-shm") if with_index else ("", "-wal"):
            (left / f"records.sqlite{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    for _ in range(2):
        with open_store(left / "records.sqlite", readonly=True) as store:
            assert [entry.kind for entry in store.entries()] == ["store", "opened", "command"]
            verification = store.verify()
            assert (verification.whole, verification.seal) == (True, "none")
    with open_store(left / "records.sqlite") as store:
        assert store.append([draft("closed")])[0].number == 4
