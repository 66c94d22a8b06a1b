"""The store: where the chain lies, opened with its promises checked, appended to and read.

The embedded default is one SQLite file. Its promises are set *and read back* on every connection: the log is
written ahead (WAL) and each commit is forced to the disk (`synchronous=FULL`), so that what is committed is
still there after a power cut, at whatever instant. Two programs may write to one store: each takes its turn
by the database's own lock and reads the head of the chain inside of it, so their entries stand in one chain.

Another database is reached through its SQLAlchemy URL; see docs/records.md for what was tried.
"""

from __future__ import annotations

import datetime
import os
import secrets
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from penstroke import __version__
from penstroke.errors import RecordError
from penstroke.records import schema
from penstroke.records.entry import FORMAT, NO_DIGEST, Draft, Entry, Head, digest_of, utc_label
from penstroke.records.problems import problem, told_as_ours
from penstroke.records.seal import Acknowledgement, check_seal, has_log, write_seal
from penstroke.records.witness import Witness

if TYPE_CHECKING:
    from penstroke.records.verify import Verification
    from penstroke.records.views import TreatmentRow

BUSY_S: Final = 5.0
"""Longest wait for another program's turn. A commit takes milliseconds: who holds it for longer hangs."""
_PAGE: Final = 500
"""Rows fetched at a time."""


def utc_now() -> datetime.datetime:
    """The clock on the wall, for labels."""
    return datetime.datetime.now(datetime.UTC)


class Store:
    """An open store; made by `open_store`. A context manager that closes it. Threads may share it."""

    def __init__(self, engine: Engine, where: str, path: Path | None, *, readonly: bool) -> None:
        self.where = where
        """The file, or the URL without its password, for people."""
        self.path = path
        """The SQLite file; None for another database."""
        self.readonly = readonly
        self.acknowledged: Entry | None = None
        """The entry of a broken seal that was acknowledged in opening the store."""
        self._engine = engine
        self._wrote = False

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the store go. The last program to do so folds SQLite's log into its file, and seals it."""
        head = None
        if self._wrote:
            # A store that can no longer be read is let go of all the same, and stays without a seal.
            with suppress(RecordError):
                head = self.head()
        with told_as_ours(self.where):
            self._engine.dispose()
            if head is not None and self.path is not None:
                self._wrote = False
                # Every entry is safe without it, and verification says aloud that it is missing.
                with suppress(OSError):
                    write_seal(self.path, head)

    # -- reading -----------------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees the store as it is now, unchanged while it is open."""
        with told_as_ours(self.where), self._engine.connect() as connection, connection.begin():
            yield connection

    def entries(
        self,
        treatment: str | Collection[str] | None = None,
        kinds: Collection[str] | None = None,
        after: int = 0,
    ) -> Iterator[Entry]:
        """The entries in their order: of one treatment or several, of some kinds, those after a number.

        Raises `RecordError` (`record-tampered`) at an entry that does not match its digest; only `verify`
        looks at how they hang together.
        """
        table = schema.entries
        query = select(table.c.number, table.c.content, table.c.digest).order_by(table.c.number)
        if after:
            query = query.where(table.c.number > after)
        if treatment is not None:
            names = [treatment] if isinstance(treatment, str) else treatment
            query = query.where(table.c.treatment.in_(names))
        if kinds is not None:
            query = query.where(table.c.kind.in_(kinds))
        with self.reading() as connection:
            for number, content, digest in connection.execute(query.execution_options(yield_per=_PAGE)):
                yield self._entry(number, content, digest)

    def _entry(self, number: int, content: str, digest: str) -> Entry:
        try:
            entry = Entry.read(content, digest)
            if entry.number == number and digest_of(content.encode("utf-8")) == digest:
                return entry
            why = "does not match its digest" if entry.number == number else "stands in the place of another"
        except (ValueError, TypeError) as unreadable:
            why = f"cannot be read ({unreadable})"
        raise problem("record-tampered", self.where, f"entry {number} {why}", number=number)

    def entry(self, number: int) -> Entry | None:
        """The entry of this number, if there is one."""
        return next((one for one in self.entries(after=number - 1) if one.number == number), None)

    def store_id(self) -> str:
        """What names this store to its witnesses; "" where its first entry cannot be read."""
        try:
            first = next(self.entries(kinds=["store"]), None)
        except RecordError:
            return ""
        return "" if first is None else str(first.body.get("store_id", ""))

    def treatment_ids(self, beginning: str = "") -> list[str]:
        """The ids of the treatments whose id begins so, the oldest first."""
        table = schema.entries
        query = select(table.c.treatment).where(
            table.c.kind == "opened", table.c.treatment.startswith(beginning, autoescape=True)
        )
        with self.reading() as connection:
            return list(dict.fromkeys(connection.execute(query.order_by(table.c.number)).scalars()))

    def treatments(self) -> list[TreatmentRow]:
        """All treatments, the oldest first."""
        from penstroke.records.views import LISTED, listing, unsummed

        entries = list(self.entries(kinds=LISTED))
        return listing(entries, self.entries(unsummed(entries), kinds=["zone-done"]))

    def verify(self, witnesses: Sequence[Witness] = ()) -> Verification:
        """Look at everything there is: see `penstroke.records.verify`."""
        from penstroke.records.verify import verify

        return verify(self, witnesses)

    def head(self) -> Head:
        """The last entry's number and digest."""
        with self.reading() as connection:
            return _head(connection)

    # -- writing -----------------------------------------------------------------------------------------

    def append(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Chain these entries to the head and commit them together; on return they are on the disk.

        Raises `RecordError`; then none of them is in the store, or, where the disk failed in the commit
        itself, all or none are.
        """
        with self._writing() as connection:
            return _append(connection, drafts)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that no other program writes within."""
        if self.readonly:
            raise problem("record-read-only", self.where, "it was opened so")
        with told_as_ours(self.where), self._engine.connect() as plain:
            connection = plain.execution_options(penstroke_writes=True)
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_S:g}s'")
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({schema.APPLICATION_ID})")
                yield connection
                self._wrote = True


def _head(connection: Connection) -> Head:
    table = schema.entries
    row = connection.execute(
        select(table.c.number, table.c.digest).order_by(table.c.number.desc()).limit(1)
    ).first()
    return Head(0, NO_DIGEST) if row is None else Head(row.number, row.digest)


def _append(connection: Connection, drafts: Sequence[Draft]) -> list[Entry]:
    head = _head(connection)
    number, previous = head.number, head.digest
    placed = []
    for draft in drafts:
        number += 1
        entry = draft.placed(number, previous)
        previous = entry.digest
        placed.append(entry)
    rows = [
        {
            "number": entry.number,
            "treatment": entry.treatment,
            "kind": entry.kind,
            "content": entry.content().decode("utf-8"),
            "digest": entry.digest,
        }
        for entry in placed
    ]
    connection.execute(insert(schema.entries), rows)
    return placed


# -- opening -------------------------------------------------------------------------------------------------


def open_store(
    where: str | Path,
    *,
    readonly: bool = False,
    busy_s: float = BUSY_S,
    acknowledge: Acknowledgement | None = None,
) -> Store:
    """The store at a path or at an SQLAlchemy URL; one that is not there is made, unless it is `readonly`.

    A file whose seal is broken is opened to be written only with `acknowledge`: who goes on with it, and why.
    Raises `RecordError`: `record-missing` (read only), `record-not-a-store`, `record-newer`,
    `record-damaged`, `record-tampered` (to be written), `record-read-only`, `record-in-use`,
    `record-unreadable`, `record-unwritable`.
    """
    path = sqlite_path(where)
    if path is None:
        return _open_server(str(where), readonly=readonly)
    return _open_file(path, readonly=readonly, busy_s=busy_s, acknowledge=acknowledge)


def sqlite_path(where: str | Path) -> Path | None:
    """The file that a path or a `sqlite:///` URL names; None for the URL of another database."""
    if isinstance(where, Path) or "://" not in where:
        return Path(where)
    try:
        url = make_url(where)
    except ArgumentError as wrong:
        raise problem("record-not-a-store", where, "no such URL") from wrong
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise problem("record-not-a-store", where, "a record is not kept in memory")
    return Path(url.database)


def _open_server(url: str, *, readonly: bool) -> Store:
    try:
        made = make_url(url)
        if made.drivername == "postgresql":
            # The driver that the extra installs is not the one that SQLAlchemy thinks of first.
            made = made.set(drivername="postgresql+psycopg")
        shown = made.render_as_string(hide_password=True)
        engine = create_engine(made)
    except (ArgumentError, NoSuchModuleError, ImportError) as wrong:
        refused = problem("record-unreadable", make_url(url).render_as_string(), str(wrong))
        refused.hint = "install the database's driver; for PostgreSQL: pip install 'penstroke[postgresql]'"
        raise refused from wrong
    store = Store(engine, shown, None, readonly=readonly)
    try:
        _ready(store)
    except BaseException:
        engine.dispose()
        raise
    return store


def _open_file(path: Path, *, readonly: bool, busy_s: float, acknowledge: Acknowledgement | None) -> Store:
    where = str(path)
    made = _look_at(path, readonly=readonly)
    mode = "ro" if readonly else "rw"
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    if readonly and _cannot_have_a_log(path):
        address += "&immutable=1"

    def connect() -> sqlite3.Connection:
        # Without transactions of its own: who begins one says here how, see `_begin`.
        connection = sqlite3.connect(
            address, uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
        )
        # A damaged byte is a finding in its entry, not the end of reading.
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        try:
            _promise(connection, where, readonly=readonly)
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "begin", _begin)
    store = Store(engine, where, path, readonly=readonly)
    try:
        _ready(store, acknowledge)
        if made:
            _sync_folder(path)
    except BaseException:
        engine.dispose()
        raise
    return store


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("penstroke_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _look_at(path: Path, *, readonly: bool) -> bool:
    """What can be told of the file before SQLite touches it; whether it was made here, empty."""
    where = str(path)
    try:
        if not readonly:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                # Readable by its owner alone; SQLite gives the same permissions to the files beside it.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                return True
            except FileExistsError:
                pass
        if path.is_dir():
            raise problem("record-not-a-store", where, "it is a folder")
        with path.open("rb") as file:
            begins = file.read(16)
    except FileNotFoundError:
        raise problem("record-missing", where) from None
    except OSError as error:
        code = "record-unreadable" if path.exists() else "record-unwritable"
        raise problem(code, where, error.strerror or str(error)) from error
    if begins == b"" and not readonly:
        return True  # a program was stopped between making it and filling it
    if begins != b"SQLite format 3\0":
        raise problem("record-not-a-store", where, "the file is empty" if not begins else "")
    # SQLite itself would open it all the same, and refuse only the first entry.
    if not readonly and not _may_write(path):
        raise problem("record-read-only", where)
    return False


def _cannot_have_a_log(path: Path) -> bool:
    """Whether the file stands alone in a folder that nothing can be put beside it in (a read-only disk)."""
    return not has_log(path) and not _may_write(path.parent)


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _promise(connection: sqlite3.Connection, where: str, *, readonly: bool) -> None:
    """Set what the record rests on, and read it back."""

    def ask(pragma: str) -> Any:
        row = connection.execute(f"PRAGMA {pragma}").fetchone()
        return None if row is None else row[0]

    with told_as_ours(where):
        mark, version = ask("application_id"), ask("user_version")
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if mark != schema.APPLICATION_ID and (mark, version, tables) != (0, 0, 0):
            raise problem("record-not-a-store", where, "it is a database of something else")
        if version > schema.VERSION:
            why = f"its tables are of version {version}, and version {schema.VERSION} is known here"
            raise problem("record-newer", where, why, version=version)
        if readonly:
            return
        # A damaged page is noticed when it is read and not when it is written over; what stands in the
        # file's own schema is given no more rights than a query.
        for pragma in ("cell_size_check = ON", "trusted_schema = OFF", "fullfsync = ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if ask("journal_mode") != "wal" or ask("synchronous") != 2:
            raise problem("record-unwritable", where, "its file system does not permit a write-ahead log")


def _ready(store: Store, acknowledge: Acknowledgement | None = None) -> None:
    """Bring the tables to this program's version and begin the chain; or see that both are done."""
    if store.readonly:
        with store.reading() as connection:
            version = _version(connection, store.where)
        if version is None:
            raise problem("record-not-a-store", store.where, "it holds no record")
        if version < schema.VERSION:
            why = f"its tables are of version {version}; opened to be written once, it is brought up to date"
            raise problem("record-unreadable", store.where, why)
        return
    # The lock is taken even where nothing has to be done: a store that cannot be written is known now.
    with store._writing() as connection:
        version = _version(connection, store.where)
        damages = [] if version is None else _damages(store, _head(connection))
        if damages and acknowledge is None:
            refused = problem("record-tampered", store.where, "; ".join(damages))
            refused.hint = (
                "go on with a copy from the backup, or keep a copy of it for whoever looks into it and say "
                "that you go on with it: `penstroke records acknowledge --by NAME --reason TEXT`"
            )
            raise refused
        if version != schema.VERSION:
            schema.migrate(connection)
        if _head(connection).number == 0:
            _append(connection, [_first()])
        if damages and acknowledge is not None:
            (store.acknowledged,) = _append(connection, [_seal_broken(damages, acknowledge)])


def _damages(store: Store, head: Head) -> list[str]:
    """What its seal finds wrong with the file, before anything is written that a new seal would hide.

    Under the lock, so that nobody writes meanwhile. It costs the reading of the file, a second for a
    gigabyte, and nothing while another program writes: then the seal is not of the file as it is.
    """
    if store.path is None:
        return []
    try:
        return check_seal(store.path, head).damages()
    except OSError:
        return []  # a seal that cannot be read vouches for nothing; a file that cannot is SQLite's to tell


def _seal_broken(damages: list[str], acknowledge: Acknowledgement) -> Draft:
    body: dict[str, Any] = {"damages": damages, "by": acknowledge.by, "reason": acknowledge.reason}
    utc = utc_label(utc_now())
    return Draft(utc, None, "seal-broken", acknowledge.by, None, None, None, None, None, body)


def _version(connection: Connection, where: str) -> int | None:
    if connection.dialect.name == "sqlite":
        number: int = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        return number or None
    try:
        version = schema.version_of(connection)
    except ValueError as wrong:
        raise problem("record-damaged", where, str(wrong)) from wrong
    if version is not None and version > schema.VERSION:
        raise problem("record-newer", where, f"its tables are of version {version}", version=version)
    return version


def _first() -> Draft:
    body: dict[str, Any] = {
        "format": FORMAT,
        "created_by": f"penstroke {__version__}",
        "store_id": secrets.token_hex(16),
    }
    return Draft(utc_label(utc_now()), None, "store", None, None, None, None, None, None, body)


def _sync_folder(path: Path) -> None:
    """Once, so that the file itself is still there after a power cut."""
    with told_as_ours(str(path)):
        try:
            folder = os.open(path.parent, os.O_RDONLY)
        except PermissionError:
            return  # a folder that may be written to and not read; the entries are still synced
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
