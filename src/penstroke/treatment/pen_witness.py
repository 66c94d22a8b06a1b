"""The pen as a witness: it keeps the head of the record where no change of the store can take it along."""

from __future__ import annotations

from penstroke.errors import RecordError
from penstroke.pen import Pen
from penstroke.records.entry import Witness
from penstroke.records.store import Store
from penstroke.status import KeptWitness


def recalled(pen: Pen, store: Store) -> Witness | None:
    """What the pen remembers of this store; None where it remembers nothing of it."""
    kept = pen.witness()
    if kept is None or kept.store != _number_of(store):
        return None
    return Witness(f"pen {pen.identity.serial}", kept.number, kept.digest)


def confirm(pen: Pen, store: Store) -> None:
    """Raise `RecordError` (`record-tampered`) where the store is not what the pen remembers of it."""
    remembered = recalled(pen, store)
    if remembered is None:
        return
    entry = store.entry(remembered.number)
    if entry is None or entry.digest != remembered.digest:
        what = "is not there" if entry is None else "is another one"
        raise RecordError(
            f"the record {store.where} is not what {remembered.where} remembers of it: entry "
            f"{remembered.number} {what}",
            code="record-tampered",
            hint="keep the store as it is; `penstroke records verify --pen` says more",
        )


def keep(pen: Pen, store: Store) -> Witness:
    """Let the pen remember the head of the store. Raises `Refused` while it is armed or runs."""
    head = store.head()
    pen.keep_witness(KeptWitness(_number_of(store), head.number, head.digest))
    return Witness(f"pen {pen.identity.serial}", head.number, head.digest)


def _number_of(store: Store) -> int:
    """The store's own number on the wire: the first 64 bits of its id, and never 0."""
    return int(store.store_id()[:16], 16) or 1
