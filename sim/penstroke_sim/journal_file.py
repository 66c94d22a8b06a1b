"""The journal as a file: each line in the file as soon as it is written."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from penstroke_sim.errors import ScenarioError


class JournalFile:
    """Writes without a buffer, so that a killed simulator loses nothing. Raises `ScenarioError`, naming the
    file, when it cannot be opened or written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise self._cannot(error) from None

    def write(self, text: str) -> None:
        """Write all of `text`."""
        data = text.encode("utf-8")
        try:
            while data:
                data = data[self._file.write(data) or 0 :]
        except OSError as error:
            raise self._cannot(error) from None

    def __enter__(self) -> JournalFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _cannot(self, error: OSError) -> ScenarioError:
        return ScenarioError(f"{self._path}: cannot write the journal: {error.strerror or error}")
