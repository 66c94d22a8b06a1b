"""The tables of a store, and how a store is brought to the version that this program knows.

The version is Alembic's in every database. In SQLite it also stands in the header of the file, with a mark
that says what the file is, so that neither has to be guessed from the tables, and a program that opens a
store of its own version needs not even load Alembic.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, MetaData, Table, Text, inspect

VERSION: Final = 1
"""Version of the tables. `migrations/versions` leads up to it; a store of a higher one is refused."""
APPLICATION_ID: Final = 0x70656E73
"""`pens`, in the header of the SQLite file."""
TRIGGERS: Final = {
    f"entries_no_{act.lower()}": (
        f"CREATE TRIGGER entries_no_{act.lower()} BEFORE {act} ON entries "
        "BEGIN SELECT RAISE(ABORT, 'entries are only ever appended'); END"
    )
    for act in ("UPDATE", "DELETE")
}
"""What keeps a hand at the SQLite prompt from changing an entry by mistake. No protection against intent."""

metadata = MetaData()
entries = Table(
    "entries",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("treatment", Text),
    Column("kind", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Index("entries_by_treatment", "treatment", "number"),
    Index("entries_by_kind", "kind", "number"),
)
"""The chain. `content` is an entry's canonical JSON and all there is to it; `number`, `treatment` and `kind`
are copied out of it to be found by, and are checked against it whenever the chain is verified."""


def revision(version: int) -> str:
    """The name that Alembic has for a version."""
    return f"{version:04}"


def version_of(connection: Connection) -> int | None:
    """The version of the tables by Alembic's own note; None where there is none. Raises `ValueError`."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
    if not rows:
        return None
    if len(rows) > 1 or not isinstance(rows[0], str) or not rows[0].isascii() or not rows[0].isdigit():
        raise ValueError(f"the version of its tables reads {rows!r}")
    return int(rows[0])


def migrate(connection: Connection) -> None:
    """Bring the tables to `VERSION`, in the transaction that is open."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "penstroke.records:migrations")
    # Not the shell's, where `%` and colons in a path would be read as something else.
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
