"""F16: a store on disk, altered in every way its owner or its disk might; each is found, or said unwitnessed.

Whoever tampers knows the format: the triggers that keep the table append-only are dropped and put back, the
seal beside the file is thrown away, and digests are made anew where that helps. Only the random bytes are the
work of a disk, which knows nothing.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest import mock

from campaign.orders import Order, Section
from penstroke.errors import RecordError
from penstroke.records import chain, schema, verify
from penstroke.records.entry import Draft, Entry, Head, Witness
from penstroke.records.seal import seal_path
from penstroke.records.store import open_store
from penstroke.records.verify import Verification

TEXT = """A store of {entries} entries, closed and sealed; a witness remembers entry {witnessed}. Each
tampering is made anew on a copy, with the triggers put back and, except in the last three rows, the seal
thrown away. *Found*: verification fails, and names the place; *refused*: the store cannot be opened any more,
with the program's own error; *unwitnessed*: verification cannot know, because the act lies wholly behind the
last witness, and says that what lies there is unwitnessed. A miss is anything else."""
SEALS = """Random bytes with the seal thrown away: what chain and database find by themselves. What they do
not find is in no entry: unused space inside of pages, and fields of the file's header that nothing needs."""
ENTRIES: Final = 300
WITNESSED: Final = 220
UTC: Final = "2026-11-23T12:00:00.000Z"


@dataclass(slots=True)
class Case:
    """A copy of the store, to be tampered with."""

    path: Path
    rng: Random
    keep_seal: bool = False

    def rows(self) -> list[Entry]:
        """All entries of it."""
        with closing(sqlite3.connect(self.path)) as connection:
            return [
                Entry.read(content, digest)
                for content, digest in connection.execute(
                    "SELECT content, digest FROM entries ORDER BY number"
                )
            ]

    @contextmanager
    def hand(self) -> Iterator[sqlite3.Connection]:
        """The SQLite prompt of somebody who leaves no other trace."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN")
            for name in schema.TRIGGERS:
                connection.execute(f"DROP TRIGGER {name}")
            yield connection
            for sql in schema.TRIGGERS.values():
                connection.execute(sql)
            connection.execute("COMMIT")

    def put(self, connection: sqlite3.Connection, entry: Entry, at: int | None = None) -> None:
        """Write an entry in its place, or under another number."""
        connection.execute(
            "REPLACE INTO entries VALUES (?, ?, ?, ?, ?)",
            (at or entry.number, entry.treatment, entry.kind, entry.content().decode(), entry.digest),
        )


def _again(entry: Entry, **changed: Any) -> Entry:
    """The entry with something changed, and the digest that belongs to it."""
    now = {**entry.to_json(), **changed}
    number, previous = now.pop("number"), now.pop("previous")
    del now["digest"]
    return Draft(**now).placed(number, previous)


def _altered(entry: Entry, rng: Random) -> Entry:
    """An entry that tells something else; its digest stays."""
    change: dict[str, Any] = rng.choice(
        [
            {"body": {**entry.body, "depth_mm": 0.1}},
            {"body": {}},
            {"utc": "2026-11-22T12:00:00.000Z"},
            {"operator": "Somebody Else"},
            {"simulated": not entry.simulated},
            {"device_serial": None},
            {"kind": "event"},
            {"previous": f"{rng.getrandbits(256):064x}"},
        ]
    )
    return replace(entry, **change)


# -- the acts: each does one, and tells which entries it touched --------------------------------------------


def edit(case: Case) -> range:
    """An entry tells something else."""
    entry = case.rng.choice(case.rows())
    with case.hand() as hand:
        case.put(hand, _altered(entry, case.rng))
    return range(entry.number, entry.number + 1)


def edit_and_digest(case: Case) -> range:
    """The same, with the digest that belongs to it: the next entry follows another one."""
    entry = case.rng.choice(case.rows()[:-1])
    altered = _altered(entry, case.rng).to_json()
    with case.hand() as hand:
        case.put(hand, _again(entry, **{k: v for k, v in altered.items() if k != "digest"}))
    return range(entry.number, entry.number + 1)


def _inserted(case: Case, *, linked: bool) -> range:
    rows = case.rows()
    at = case.rng.randrange(2, len(rows) + 1)
    forged = case.rng.choice(rows)
    if linked:
        forged = _again(forged, number=at, previous=rows[at - 2].digest)
    with case.hand() as hand:
        # Two steps: numbers are unique at every instant.
        hand.execute("UPDATE entries SET number = -number WHERE number >= ?", (at,))
        hand.execute("UPDATE entries SET number = 1 - number WHERE number < 0")
        case.put(hand, forged, at)
    return range(at, at + 1)


def insert(case: Case) -> range:
    """A copy of an entry between two others; the later ones make room."""
    return _inserted(case, linked=False)


def insert_linked(case: Case) -> range:
    """A forged entry that follows the one before as it should."""
    return _inserted(case, linked=True)


def append_linked(case: Case) -> range:
    """A forged entry after the last one. Nobody can tell it from one that the program wrote."""
    last = case.rows()[-1]
    with case.hand() as hand:
        case.put(hand, _again(last, number=last.number + 1, previous=last.digest))
    return range(last.number + 1, last.number + 2)


def delete(case: Case) -> range:
    """Some entries are gone."""
    first, last = _stretch(case)
    with case.hand() as hand:
        hand.execute("DELETE FROM entries WHERE number BETWEEN ? AND ?", (first, last))
    return range(first, last + 1)


def delete_and_close_up(case: Case) -> range:
    """The same, and the later ones are numbered on without a gap."""
    first, last = _stretch(case)
    with case.hand() as hand:
        hand.execute("DELETE FROM entries WHERE number BETWEEN ? AND ?", (first, last))
        hand.execute("UPDATE entries SET number = -number WHERE number > ?", (last,))
        hand.execute(f"UPDATE entries SET number = -number - {last - first + 1} WHERE number < 0")
    return range(first, last + 1)


def _stretch(case: Case) -> tuple[int, int]:
    first = case.rng.randrange(1, ENTRIES - 10)
    return first, first + case.rng.choice((0, 0, 1, 5))


def swap(case: Case) -> range:
    """Two entries change places."""
    one, two = sorted(case.rng.sample(case.rows(), 2), key=lambda entry: entry.number)
    with case.hand() as hand:
        case.put(hand, one, two.number)
        case.put(hand, two, one.number)
    return range(one.number, two.number + 1)


def rechain(case: Case) -> range:
    """An entry is changed, and every digest from there to the end made anew: a whole chain."""
    rows = case.rows()
    at = case.rng.randrange(len(rows))
    entry = _again(rows[at], body={**rows[at].body, "depth_mm": 0.1})
    with case.hand() as hand:
        case.put(hand, entry)
        for later in rows[at + 1 :]:
            entry = _again(later, previous=entry.digest)
            case.put(hand, entry)
    return range(rows[at].number, rows[at].number + 1)


def cut_tail(case: Case) -> range:
    """The last entries are gone."""
    left = case.rng.randrange(1, ENTRIES)
    with case.hand() as hand:
        hand.execute("DELETE FROM entries WHERE number > ?", (left,))
    return range(left + 1, ENTRIES + 1)


def torn_entry(case: Case) -> range:
    """The text of an entry ends in its middle."""
    entry = case.rng.choice(case.rows())
    text = entry.content()
    with case.hand() as hand:
        hand.execute(
            "UPDATE entries SET content = ? WHERE number = ?",
            (text[: case.rng.randrange(len(text))].decode("utf-8", "ignore"), entry.number),
        )
    return range(entry.number, entry.number + 1)


def any_cell(case: Case) -> range:
    """Any value in any table, changed as if at the prompt; the seal is left as it was."""
    case.keep_seal = True
    table, column = case.rng.choice(
        [("alembic_version", "version_num"), *(("entries", column.name) for column in schema.entries.columns)]
    )
    entry = case.rng.choice(case.rows())
    value: Any = case.rng.choice(["", "x", 7, None, b"\xff", "0002", entry.number + ENTRIES])
    if column == "number":
        value = entry.number + ENTRIES * case.rng.randrange(1, 9)
    elif column == "treatment" and value is None and entry.treatment is None:
        value = "x"
    elif value is None and column != "treatment":
        value = "null"
    where = f" WHERE number = {entry.number}" if table == "entries" else ""
    with case.hand() as hand:
        hand.execute(f"UPDATE {table} SET {column} = ?{where}", (value,))
    return range(0)


def torn_file(case: Case) -> range:
    """The file ends in its middle; the seal is left as it was."""
    case.keep_seal = True
    with case.path.open("r+b") as file:
        file.truncate(case.rng.randrange(1, case.path.stat().st_size))
    return range(0)


def any_byte(case: Case) -> range:
    """One byte of the file is another; the seal is left as it was."""
    case.keep_seal = True
    return any_byte_unsealed(case)


def any_byte_unsealed(case: Case) -> range:
    """One byte of the file is another."""
    with case.path.open("r+b") as file:
        at = case.rng.randrange(case.path.stat().st_size)
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ case.rng.randrange(1, 256)]))
    return range(0)


ACTS: Final[tuple[Callable[[Case], range], ...]] = (
    edit,
    edit_and_digest,
    insert,
    insert_linked,
    append_linked,
    delete,
    delete_and_close_up,
    swap,
    rechain,
    cut_tail,
    torn_entry,
    any_cell,
    torn_file,
    any_byte,
)


# -- judging -------------------------------------------------------------------------------------------------


def run(order: Order) -> list[Section]:
    """Every act in turn, each on copies of one store."""
    each = order.count(full=1_000, check=100, small=5)
    found = Section(
        "F16: tampering with a store",
        TEXT.format(entries=ENTRIES, witnessed=WITNESSED),
        ("act", "made", "found", "refused", "unwitnessed", "missed"),
    )
    unsealed = Section(
        "F16: random bytes without a seal",
        SEALS,
        ("act", "made", "found", "refused", "an entry changed unseen", "in no entry"),
    )
    with tempfile.TemporaryDirectory(prefix="pen-") as folder:
        original = Path(folder) / "original" / "records.sqlite"
        witness, entries = _make(original)
        copy = Path(folder) / "copy.sqlite"
        with mock.patch.object(verify, "verify_chain", _blind) if order.planted else _plainly():
            for act in ACTS:
                outcomes = dict.fromkeys(("found", "refused", "unwitnessed", "missed"), 0)
                for number in range(each):
                    case = Case(_copied(original, copy), order.rng("tampering", act.__name__, number))
                    outcome = _judged(case, act, witness)
                    outcomes[outcome] += 1
                    if outcome == "missed":
                        found.fail(f"{act.__name__} {number} of seed {order.seed}")
                found.ran += each
                name = (act.__doc__ or act.__name__).split(".")[0].split(";")[0]
                found.rows.append((name, f"{each:,}", *(f"{count:,}" for count in outcomes.values())))
            unsealed.rows.append(_bytes_alone(order, unsealed, each, original, copy, witness, entries))
    return [found, unsealed]


def _judged(case: Case, act: Callable[[Case], range], witness: Witness) -> str:
    touched = act(case)
    if not case.keep_seal:
        seal_path(case.path).unlink()
    try:
        verification = _verified(case.path, witness)
    except RecordError:
        return "refused"
    if verification.findings:
        return "found" if not touched or _names(verification, touched) else "missed"
    behind = touched and touched.start > verification.witnessed
    return "unwitnessed" if (behind and verification.unwitnessed) or _cut_behind(verification) else "missed"


def _cut_behind(verification: Verification) -> bool:
    """A tail that was cut off behind the witness: all that is left is witnessed up to the witness."""
    return verification.witnessed == WITNESSED <= verification.head.number < ENTRIES


def _names(verification: Verification, touched: range) -> bool:
    """Whether a finding is about a place that was touched, or right beside it."""
    return any(
        one.first - 1 <= touched.stop - 1 and touched.start <= one.last + 1 for one in verification.findings
    )


def _bytes_alone(
    order: Order,
    section: Section,
    each: int,
    original: Path,
    copy: Path,
    witness: Witness,
    entries: list[Entry],
) -> tuple[str, ...]:
    outcomes = dict.fromkeys(("found", "refused", "unseen", "in no entry"), 0)
    for number in range(each):
        case = Case(_copied(original, copy), order.rng("tampering", "unsealed", number))
        any_byte_unsealed(case)
        seal_path(case.path).unlink()
        try:
            found = _verified(case.path, witness).findings
        except RecordError:
            outcomes["refused"] += 1
            continue
        outcome = "found" if found else "in no entry" if _reads_as(case.path, entries) else "unseen"
        outcomes[outcome] += 1
        if outcome == "unseen":
            section.fail(
                f"byte {number} of seed {order.seed}: an entry reads otherwise, and nothing was found"
            )
    section.ran += each
    return ("One byte of the file is another", f"{each:,}", *(f"{count:,}" for count in outcomes.values()))


def _reads_as(path: Path, entries: list[Entry]) -> bool:
    try:
        with open_store(path, readonly=True) as store:
            return list(store.entries()) == entries
    except RecordError:
        return False


def _verified(path: Path, witness: Witness) -> Verification:
    with open_store(path, readonly=True) as store:
        return store.verify([witness])


def _make(path: Path) -> tuple[Witness, list[Entry]]:
    """The store that is tampered with: four treatments, and what stands around them."""
    rng = Random("tampering")
    with open_store(path) as store:
        while (count := store.head().number) < ENTRIES:
            body: dict[str, Any] = {
                "depth_mm": 0.5,
                "strokes": rng.randrange(10_000),
                "said": "µ" * rng.randrange(40),
            }
            kind = rng.choice(("command", "sample", "step", "held"))
            treatment = f"20261123-{count // 80:06x}"
            store.append(
                [
                    Draft(
                        UTC,
                        treatment,
                        kind,
                        "A. Berg",
                        "PS1-0042",
                        "1.2.3",
                        True,
                        count / 10,
                        count * 100,
                        body,
                    )
                ]
            )
        witnessed = store.entry(WITNESSED)
        entries = list(store.entries())
    if witnessed is None:
        raise RuntimeError("the store is shorter than it was made")
    return Witness("the campaign", WITNESSED, witnessed.digest), entries


def _copied(original: Path, copy: Path) -> Path:
    for old in copy.parent.glob(copy.name + "*"):
        old.unlink()
    shutil.copyfile(original, copy)
    shutil.copyfile(seal_path(original), seal_path(copy))
    return copy


def _blind(rows: Iterable[chain.Row], _witnesses: Sequence[Witness]) -> chain.ChainReport:
    """Planted: a verification that counts the rows, and believes every one of them."""
    report = chain.ChainReport(witnessed=ENTRIES)
    for row in rows:
        report.entries += 1
        report.head = Head(row.number, row.digest)
    return report


@contextmanager
def _plainly() -> Iterator[None]:
    yield
