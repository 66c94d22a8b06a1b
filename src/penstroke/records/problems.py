"""What can go wrong with a store, as this project's errors: each with its own code and with what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from penstroke.errors import RecordError

_CODES: Final = {
    sqlite3.SQLITE_NOTADB: "record-not-a-store",
    sqlite3.SQLITE_CORRUPT: "record-damaged",
    sqlite3.SQLITE_BUSY: "record-in-use",
    sqlite3.SQLITE_LOCKED: "record-in-use",
    sqlite3.SQLITE_READONLY: "record-read-only",
    sqlite3.SQLITE_PERM: "record-unreadable",
    sqlite3.SQLITE_CANTOPEN: "record-unreadable",
    sqlite3.SQLITE_FULL: "record-unwritable",
    sqlite3.SQLITE_IOERR: "record-unwritable",
    sqlite3.SQLITE_NOMEM: "record-unwritable",
    sqlite3.SQLITE_TOOBIG: "record-unwritable",
}
"""By SQLite's primary result code; anything else it may say about a file is damage."""

_SAYS: Final = {
    "record-missing": ("there is no record store at {}", "name another with --store"),
    "record-not-a-store": ("{} is no record store", "name another with --store; the file was left as it is"),
    "record-newer": (
        "the record store {} was written by a newer penstroke",
        "update this penstroke; the store was left as it is",
    ),
    "record-damaged": (
        "the record store {} is damaged",
        "keep it as it is, with the files beside it, and go on with a copy from the backup",
    ),
    "record-tampered": (
        "the record store {} is not as it was written",
        "`penstroke records verify` says what and where; keep the store as it is",
    ),
    "record-in-use": (
        "the record store {} is in use by another program",
        "end the other program, or wait until it is done, and try again",
    ),
    "record-read-only": (
        "the record store {} can only be read",
        "nothing is treated without a record: make it writable, or name another with --store",
    ),
    "record-unreadable": (
        "the record store {} cannot be opened",
        "see to the permissions of the file and its folder",
    ),
    "record-unwritable": (
        "the record store {} cannot be written",
        "nothing is treated without a record: free the disk, or name another with --store",
    ),
}
"""By code: the sentence, and what to do."""


def problem(code: str, where: str, why: str = "", **facts: object) -> RecordError:
    """The error of this code about the store at `where`; `why` is what is known beyond the sentence."""
    sentence, hint = _SAYS[code]
    message = sentence.format(where) + (f": {why}" if why else "")
    return RecordError(message, code=code, hint=hint, store=where, **facts)


@contextmanager
def told_as_ours(where: str) -> Iterator[None]:
    """Errors of the database and the file system, within, as `RecordError`."""
    try:
        yield
    except sqlite3.Error as error:
        raise of_sqlite(error, where) from error
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise of_sqlite(error.orig, where) from error
        raise problem("record-unwritable", where, _first_line(error.orig or error)) from error
    except UnicodeError as error:
        # A damaged file can make SQLite's own message no text.
        raise problem("record-damaged", where, str(error)) from error
    except SQLAlchemyError as error:
        raise problem("record-unreadable", where, _first_line(error)) from error
    except OSError as error:
        raise problem("record-unwritable", where, error.strerror or str(error)) from error


def of_sqlite(error: sqlite3.Error, where: str) -> RecordError:
    """An error of SQLite by its result code."""
    full: int | None = getattr(error, "sqlite_errorcode", None)
    # Without a code it comes from Python's own module: text in the file that is no UTF-8.
    code = "record-damaged" if full is None else _CODES.get(full & 0xFF, "record-damaged")
    return problem(code, where, str(error))


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
