"""An override outside a treatment, written down before it acts: who decided it, and why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from penstroke import __version__
from penstroke.cli.output import say
from penstroke.errors import PenError, RecordError

if TYPE_CHECKING:
    from penstroke.cli.app import App
    from penstroke.cli.wish import Wish
    from penstroke.pen import Pen


@contextmanager
def override_on_record(app: App, pen: Pen, wish: Wish, act: str) -> Iterator[None]:
    """While this lasts the override in `wish`, if there is one, is in a journal that is on the disk already.

    Raises `RecordError` when it cannot be written: what cannot be recorded does not act.
    """
    if wish.override_by is None:
        yield
        return
    from penstroke.treatment.journal import FORMAT, Journal, new_path

    place = f"{wish.zone} {wish.side}" if wish.side else wish.zone
    path = new_path(app.config.journals, f"override {place}")
    with Journal(path, operator=str(app.config["operator"])) as journal:
        journal.bind(pen.now_ns, simulated=pen.simulated)
        journal.write("opened", format=FORMAT, penstroke=__version__, act=f"{act} with an override: {place}")
        journal.write("pen", identity=asdict(pen.identity), limits=asdict(pen.limits))
        journal.write(
            "override",
            zone=wish.zone,
            side=wish.side,
            by=wish.override_by,
            reason=wish.reason,
            depth_mm=None if wish.depth_mm is None else float(wish.depth_mm),
            rate_hz=None if wish.rate_hz is None else float(wish.rate_hz),
        )
        journal.make_durable()
        try:
            yield
        except BaseException as error:
            with suppress(RecordError):
                if isinstance(error, PenError):
                    journal.error(error)
                journal.write("closed", ended="error" if isinstance(error, PenError) else "interrupted")
            raise
        journal.write("closed", ended="finished")
    say(f"the override is on record: {path}")
