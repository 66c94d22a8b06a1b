"""Witness files, and the seal: what they remember, and what becomes of them."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from recordtools import by_hand, draft

from penstroke.errors import RecordError
from penstroke.records.entry import Head
from penstroke.records.seal import Acknowledgement, check_seal, seal_path
from penstroke.records.store import Store, open_store
from penstroke.records.witness import Witness, WitnessFile

DIGEST = "ab" * 32


@pytest.fixture
def file(tmp_path: Path) -> WitnessFile:
    return WitnessFile(tmp_path / "elsewhere" / "heads", "one")


def test_heads_are_remembered_in_their_order(file: WitnessFile) -> None:
    assert file.recall() == ()
    heads = [Witness(file.where, number, DIGEST) for number in (3, 7, 8)]
    for head in heads:
        file.keep(head)
    assert file.recall() == tuple(heads)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_one_file_serves_several_stores(file: WitnessFile) -> None:
    file.keep(Witness("", 3, DIGEST))
    other = WitnessFile(file.path, "two")
    assert other.recall() == ()
    other.keep(Witness("", 9, DIGEST))
    assert [head.number for head in file.recall()] == [3]
    assert [head.number for head in other.recall()] == [9]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"store":"one","num',
        b"null",
        b"[1]",
        b'"store"',
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"store":"one"}',
        b'{"store":"one","number":0,"digest":"x"}',
        b'{"store":"one","number":true,"digest":"x"}',
        b'{"store":"one","number":"5","digest":"x"}',
        b'{"store":"one","number":5,"digest":7}',
    ],
)
def test_a_line_that_was_torn_harms_no_other(file: WitnessFile, line: bytes) -> None:
    file.keep(Witness("", 3, DIGEST))
    with file.path.open("ab") as opened:
        opened.write(line)  # without an end: the power failed
    file.keep(Witness("", 7, DIGEST))
    assert [head.number for head in file.recall()] == [3, 7]


def test_a_witness_that_cannot_be_read_or_written(file: WitnessFile) -> None:
    file.path.mkdir(parents=True)
    with pytest.raises(RecordError) as failed:
        file.recall()
    assert failed.value.code == "witness-unreadable"
    with pytest.raises(RecordError) as failed:
        file.keep(Witness("", 3, DIGEST))
    assert failed.value.code == "witness-unwritable"


# -- the seal ------------------------------------------------------------------------------------------------


@pytest.fixture
def sealed(store: Store, path: Path) -> Path:
    """A store with some entries, closed."""
    store.append([draft(count=number) for number in range(200)])
    store.close()
    return path


def found(path: Path) -> tuple[str, list[str]]:
    with open_store(path, readonly=True) as store:
        verification = store.verify()
    return verification.seal, [finding.message for finding in verification.findings]


def test_who_lets_go_last_seals(store: Store, path: Path) -> None:
    with open_store(path) as other:
        store.append([draft()])
        other.append([draft()])
        store.close()
        assert not seal_path(path).exists()
    assert found(path) == ("whole", [])
    assert stat.S_IMODE(seal_path(path).stat().st_mode) == 0o600
    assert sorted(one.suffix for one in path.parent.iterdir()) == [
        ".seal",
        ".sqlite",
        ".sqlite-shm",
        ".sqlite-wal",
    ]


def test_reading_breaks_no_seal(sealed: Path) -> None:
    before = seal_path(sealed).read_bytes()
    for _ in range(2):
        assert found(sealed) == ("whole", [])
    assert seal_path(sealed).read_bytes() == before


@pytest.mark.req("S-15")
@pytest.mark.parametrize("at", [75, 3000, 5000, -1])
def test_a_byte_in_unused_space_is_found(sealed: Path, at: int) -> None:
    """In the reserved part of the header, and anywhere in the pages."""
    whole = bytearray(sealed.read_bytes())
    whole[at] ^= 1
    sealed.write_bytes(whole)
    state, messages = found(sealed)
    assert state == "broken"
    assert any("changed after it was sealed, between byte" in message for message in messages)


def test_a_byte_of_the_seal_itself_is_found(sealed: Path) -> None:
    whole = seal_path(sealed).read_bytes()
    for at in range(0, len(whole), 7):
        seal_path(sealed).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert found(sealed) == ("unreadable", ["the seal beside the file is damaged"])


@pytest.mark.parametrize("content", [b"", b"null", b"{}", b'{"sealed":{}}', b"[" * 50_000])
def test_what_is_no_seal(sealed: Path, content: bytes) -> None:
    seal_path(sealed).write_bytes(content)
    assert found(sealed)[0] == "unreadable"


def test_a_store_without_a_seal_says_so(sealed: Path) -> None:
    seal_path(sealed).unlink()
    assert found(sealed) == ("none", [])


def test_the_seal_of_a_store_in_use_is_outdated(sealed: Path) -> None:
    with open_store(sealed) as store:
        store.append([draft()])
        assert store.verify().seal == "outdated"
        assert store.verify().whole
    assert found(sealed) == ("whole", [])


@pytest.mark.req("S-15")
def test_the_seal_remembers_a_longer_store(sealed: Path) -> None:
    by_hand(sealed, "DELETE FROM entries WHERE number > 190")
    state, messages = found(sealed)
    assert state == "broken"
    assert any("changed after it was sealed" in message for message in messages)
    head = Head(190, "x")
    assert check_seal(sealed, head).state == "broken"


def test_a_store_that_grew_or_shrank_says_where(sealed: Path) -> None:
    size = sealed.stat().st_size
    with sealed.open("ab") as file:
        file.write(b"x" * 5000)
    assert any(f"between byte {size} and byte {size + 4999}" in message for message in found(sealed)[1])


@pytest.mark.req("S-14")
def test_a_seal_that_cannot_be_written_loses_nothing(store: Store, path: Path) -> None:
    seal_path(path).mkdir()
    store.append([draft()])
    store.close()
    assert not list(path.parent.glob("*.seal.*"))
    seal_path(path).rmdir()
    assert found(path) == ("none", [])


# -- the tables ----------------------------------------------------------------------------------------------


@pytest.mark.req("S-15")
@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("SELECT 1", "entries_no_update is missing"),
        (
            "CREATE TRIGGER entries_no_update AFTER UPDATE ON entries BEGIN SELECT 1; END",
            "another than this program",
        ),
        ("CREATE VIEW other AS SELECT 1", "other is not of this program"),
        ("UPDATE alembic_version SET version_num = '0002'", "as of version 2"),
        ("UPDATE alembic_version SET version_num = 'x'", "the version of its tables reads"),
        ("DELETE FROM alembic_version", "as of version None"),
        ("DROP TABLE alembic_version", "alembic_version is missing"),
        ("ALTER TABLE entries ADD COLUMN note TEXT", "an entry has the columns"),
        ("DROP INDEX entries_by_kind", "entries_by_kind is missing"),
    ],
)
def test_altered_tables_are_found(sealed: Path, statement: str, told: str) -> None:
    by_hand(sealed, statement)
    seal_path(sealed).unlink()
    assert any(told in message for message in found(sealed)[1])


def test_what_sqlite_itself_adds_is_no_finding(sealed: Path) -> None:
    with closing(sqlite3.connect(sealed)) as connection:
        connection.execute("ANALYZE")
        connection.commit()
    seal_path(sealed).unlink()
    assert found(sealed) == ("none", [])


def test_a_verification_as_an_object(sealed: Path) -> None:
    by_hand(sealed, "UPDATE entries SET kind = 'held' WHERE number = 7")
    with open_store(sealed, readonly=True) as store:
        told = json.loads(json.dumps(store.verify().to_json()))
    assert told["whole"] is False
    assert told["unwitnessed"] == 201
    assert {"what": "misfiled", "first": 7, "last": 7}.items() <= told["findings"][0].items()


# -- writing on after a broken seal --------------------------------------------------------------------------


@pytest.fixture
def damaged(sealed: Path) -> Path:
    """A store with one bit changed in unused space, which only its seal has seen."""
    whole = bytearray(sealed.read_bytes())
    whole[75] ^= 1
    sealed.write_bytes(whole)
    return sealed


@pytest.mark.req("S-15")
def test_a_broken_seal_is_not_sealed_over(damaged: Path) -> None:
    before = damaged.read_bytes(), seal_path(damaged).read_bytes()
    with pytest.raises(RecordError, match="changed after it was sealed") as refused:
        open_store(damaged)
    assert refused.value.code == "record-tampered"
    assert "records acknowledge" in refused.value.hint
    assert (damaged.read_bytes(), seal_path(damaged).read_bytes()) == before
    assert found(damaged)[0] == "broken"


@pytest.mark.req("S-15")
def test_a_damaged_seal_and_a_shorter_store_are_not_sealed_over_either(sealed: Path) -> None:
    whole = seal_path(sealed).read_bytes()
    seal_path(sealed).write_bytes(whole[:-1])
    with pytest.raises(RecordError, match="the seal beside the file is damaged"):
        open_store(sealed)
    seal_path(sealed).write_bytes(whole)
    by_hand(sealed, "DELETE FROM entries WHERE number > 190")
    with pytest.raises(RecordError, match="is not as it was written"):
        open_store(sealed)


@pytest.mark.req("S-15")
def test_work_goes_on_in_the_name_of_somebody_and_every_verification_tells_it(damaged: Path) -> None:
    with open_store(damaged, acknowledge=Acknowledgement("Dr. C. Lind", "a bad disk, copied")) as store:
        assert store.acknowledged is not None
        number = store.acknowledged.number
    for _ in range(2):
        with open_store(damaged) as store:
            store.append([draft()])
            verification = store.verify()
        assert verification.whole
        (one,) = verification.acknowledged
        assert (one.entry, one.by, one.reason) == (number, "Dr. C. Lind", "a bad disk, copied")
        assert "changed after it was sealed, between byte 0 and byte" in one.damages[0]
        assert json.loads(json.dumps(verification.to_json()))["acknowledged"][0]["entry"] == number


def test_what_is_whole_needs_no_acknowledgement(sealed: Path) -> None:
    with open_store(sealed, acknowledge=Acknowledgement("Dr. C. Lind", "to be sure")) as store:
        assert store.acknowledged is None
        assert store.head().number == 201


def test_a_file_that_another_program_writes_to_is_not_compared_with_its_old_seal(sealed: Path) -> None:
    with open_store(sealed) as one:
        one.append([draft()])
        with open_store(sealed) as other:
            other.append([draft()])
    assert found(sealed) == ("whole", [])
