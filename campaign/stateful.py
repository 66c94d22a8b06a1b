"""F13: the stateful machines of the tests, for as many steps as are asked for. Each step is counted."""

from __future__ import annotations

import traceback
from typing import Any
from unittest import mock

import hypothesis
from hypothesis.stateful import invariant, run_state_machine_as_test

from campaign.hosts import from_tests
from campaign.orders import Order, Section

TEXT = """A host that says anything to a pen that breaks in any way (`tests/sim/test_sim_invariants.py`), and
a person who does things in any order on a bad line (`tests/driver/test_driver_hostile.py`), with their
invariants judged after each step."""
MACHINES = (("test_sim_invariants", "AnyHost"), ("test_driver_hostile", "AnyOrder"))
STEPS = 40


def run(order: Order) -> list[Section]:
    """Both machines, until the steps are done."""
    section = Section("F13: stateful machines", TEXT, ("machine", "examples", "steps", "violations"))
    wanted = order.count(full=50_000, check=4_000, small=250)
    if order.planted:
        # A STOP to a pen at rest leaves the epoch as it was.
        with mock.patch("penstroke_sim.core.ALWAYS_RAISES", frozenset()):
            _machine(section, order, *MACHINES[0], wanted=4_000)
        return [section]
    for module, name in MACHINES:
        _machine(section, order, module, name, wanted)
    return [section]


def _machine(section: Section, order: Order, module: str, name: str, wanted: int) -> None:
    steps = examples = violations = 0
    machine: Any = getattr(from_tests(module), name)

    class Counted(machine):  # type: ignore[misc]  # made from a test's own machine
        """The same, with its steps counted."""

        def __init__(self) -> None:
            nonlocal examples
            super().__init__()
            examples += 1

        @invariant()
        def step_taken(self) -> None:
            nonlocal steps
            steps += 1

    batch = 0
    settings = hypothesis.settings(
        max_examples=max(5, min(200, wanted // STEPS)),
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=(hypothesis.Phase.generate,),
    )
    while steps - examples < wanted and not violations:
        seeded = hypothesis.seed(order.rng("stateful", name, batch).getrandbits(32))(Counted)
        try:
            run_state_machine_as_test(seeded, settings=settings)
        except Exception as error:
            violations += 1
            section.fail(f"{name}, batch {batch}: {_told(error)}")
        batch += 1
    # Invariants are judged once before the first step of an example, too.
    taken = steps - examples
    section.ran += taken
    section.rows.append((name, f"{examples:,}", f"{taken:,}", str(violations)))


def _told(error: BaseException) -> str:
    """What failed where, and the steps that led there, in one line."""
    notes = " ".join(getattr(error, "__notes__", ()))
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {where.name}:{where.lineno} ({where.line}) {error} {notes}".replace(
        "\n", " "
    )
