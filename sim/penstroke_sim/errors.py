"""The one error of the simulator that is the user's to mend."""

from __future__ import annotations


class ScenarioError(ValueError):
    """A scenario, an injected fault, a profile or a simulator address that cannot be used as written.

    The message is one sentence for people: what is wrong, and what would be right. `filename` names the file
    at fault, as that of an `OSError` does; None where no file is.
    """

    def __init__(self, message: str, *, filename: str | None = None) -> None:
        super().__init__(message)
        self.filename = filename
