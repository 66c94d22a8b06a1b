"""The whole verification of a store: its file, its tables, its chain, and what its witnesses remember."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection, inspect, select

from penstroke.errors import RecordError
from penstroke.records import schema
from penstroke.records.chain import ChainReport, Finding, Row, verify_chain
from penstroke.records.entry import Entry, Head
from penstroke.records.plain import text, texts
from penstroke.records.problems import told_as_ours
from penstroke.records.seal import SealReport, check_seal
from penstroke.records.store import Store
from penstroke.records.witness import Witness

_PAGE: Final = 1000
_DAMAGES: Final = 20
"""Damages of the database's own structure told one by one."""
_OBJECTS: Final = {
    "entries",
    "entries_by_kind",
    "entries_by_treatment",
    "alembic_version",
    *schema.TRIGGERS,
}


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A seal that was found broken, and went on being written to in somebody's name."""

    entry: int
    utc: str
    damages: tuple[str, ...]
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of it."""

    store: str
    entries: int
    head: Head
    findings: tuple[Finding, ...]
    more: int
    """Findings beyond these."""
    witnessed: int
    """Up to this entry a witness confirms the chain; 0 for none."""
    seal: str
    """What the seal says of the file: a state of `SealReport`, or `not a file`."""
    acknowledged: tuple[Acknowledged, ...] = ()
    """Broken seals that somebody acknowledged: no findings, and told for as long as there is the store."""

    @property
    def whole(self) -> bool:
        """Nothing is wrong with what can be seen."""
        return not self.findings

    @property
    def unwitnessed(self) -> int:
        """Entries at the end that no witness confirms: they could be cut off or written anew unseen."""
        return max(self.head.number - self.witnessed, 0)

    def to_json(self) -> dict[str, Any]:
        """As an object."""
        return {
            **asdict(self),
            "findings": [asdict(finding) for finding in self.findings],
            "acknowledged": [asdict(one) for one in self.acknowledged],
            "whole": self.whole,
            "unwitnessed": self.unwitnessed,
        }


def verify(store: Store, witnesses: Sequence[Witness] = ()) -> Verification:
    """Look at everything there is. Raises `RecordError` only where the store cannot be looked at at all."""
    report = ChainReport()
    damages: list[str] = []
    acknowledged: list[Acknowledged] = []
    try:
        with store.reading() as connection:
            damages += _structure(connection)
            report = verify_chain(_noting(_rows(connection), acknowledged), witnesses)
    except RecordError as error:
        damages.append(error.message)
    seal = SealReport("not a file")
    if store.path is not None:
        with told_as_ours(store.where):
            seal = check_seal(store.path, report.head)
        damages += seal.damages()
    found = report.findings + [Finding("file", 0, 0, text) for text in damages]
    return Verification(
        store.where,
        report.entries,
        report.head,
        tuple(found),
        report.more,
        report.witnessed,
        seal.state,
        tuple(acknowledged),
    )


def _noting(rows: Iterator[Row], acknowledged: list[Acknowledged]) -> Iterator[Row]:
    """The rows, and on their way the broken seals they tell of."""
    for row in rows:
        if row.kind == "seal-broken":
            with suppress(ValueError, TypeError):  # an entry that cannot be read is a finding of the chain's
                entry = Entry.read(row.content, row.digest)
                body = entry.body
                told = (
                    texts(body.get("damages")),
                    text(body.get("by")) or "",
                    text(body.get("reason")) or "",
                )
                acknowledged.append(Acknowledged(row.number, entry.utc, *told))
        yield row


def _rows(connection: Connection) -> Iterator[Row]:
    table = schema.entries
    query = select(table.c.number, table.c.treatment, table.c.kind, table.c.content, table.c.digest)
    rows = connection.execute(query.order_by(table.c.number).execution_options(yield_per=_PAGE))
    return map(Row._make, rows)


def _structure(connection: Connection) -> Iterator[str]:
    """What is wrong with the database itself."""
    if connection.dialect.name == "sqlite":
        told = connection.exec_driver_sql(f"PRAGMA integrity_check({_DAMAGES})").scalars().all()
        yield from (f"the database is damaged: {text}" for text in told if text != "ok")
        made = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master").all()
        objects = {name: sql for name, sql in made if not str(name).startswith("sqlite_")}
        for name in sorted(objects.keys() ^ _OBJECTS):
            is_not = "missing" if name in _OBJECTS else "not of this program"
            yield f"its tables are altered: {name} is {is_not}"
        for name, sql in schema.TRIGGERS.items():
            if objects.get(name, sql) != sql:
                yield f"its tables are altered: {name} is another than this program made"
    try:
        version = schema.version_of(connection)
    except ValueError as wrong:
        yield f"its tables are altered: {wrong}"
        return
    if version != schema.VERSION:
        yield f"its tables are altered: they are noted as of version {version}"
    columns = [column["name"] for column in inspect(connection).get_columns("entries")]
    if columns != schema.entries.columns.keys():
        yield f"its tables are altered: an entry has the columns {columns}"
