"""The one error of the simulator that is the user's to mend."""

from __future__ import annotations


class ScenarioError(ValueError):
    """A scenario, an injected fault, a profile or a simulator address that cannot be used as written.

    The message is one sentence for people: what is wrong, and what would be right.
    """
