"""Serving one simulated pen to other processes, level with the wall clock: one thread, one loop, no sleep.

Each turn: let the world catch up, hand out what it says, wait until the host speaks or the world has
something due, and let the world catch up again before the host's bytes go in: they arrive when they arrived.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from penstroke_sim.endpoints import Endpoint, PtyEndpoint, TcpEndpoint
from penstroke_sim.expect import History, Judgement
from penstroke_sim.journal import Entry, Journal, line
from penstroke_sim.journal_file import JournalFile
from penstroke_sim.pacing import Pacer
from penstroke_sim.profiles import Profile
from penstroke_sim.scenario import Scenario
from penstroke_sim.world import World

LONGEST_WAIT_S: Final = 1.0
LONGEST_BACKLOG_NS: Final = 20_000_000
"""A host that writes faster than the line carries is made to wait, as a real port makes it: past this much
that is still on its way, no more is read from it."""
BACKLOG_WAIT_S: Final = 0.005
_SIGNALS: Final = 64
"""Wake-ups taken in at once: they only wake, what came is noted where it is handled."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What to serve, and where: `tcp` (host, port), or a pseudo-terminal with an optional lasting name."""

    profile: Profile
    seed: int
    scenario: Scenario
    speed: float
    tcp: tuple[str, int] | None
    link: Path | None
    journal: Path | None


def serve(
    serving: Serving,
    *,
    ready: Callable[[dict[str, Any]], None],
    done: Callable[[], bool],
    fresh_cartridge: Callable[[], bool] = lambda: False,
) -> list[Judgement]:
    """Serve until `done()`; what came of the scenario's expectations by then. Whenever `fresh_cartridge()`, a
    new cartridge is put in.

    `ready` is called with the line to announce each time that a host can open the port: at first, and when a
    cut line is back. Raises `PortTaken`, and `ScenarioError` for a journal that cannot be written.
    """
    with ExitStack() as stack, _woken_by_signals() as woken:
        selector = stack.enter_context(selectors.DefaultSelector())
        # Waited on while the host is kept waiting: signals only.
        deaf = stack.enter_context(selectors.DefaultSelector())
        for each in (selector, deaf):
            each.register(woken, selectors.EVENT_READ)
        endpoint: Endpoint
        if serving.tcp is not None:
            endpoint = TcpEndpoint(selector, *serving.tcp)
        else:
            endpoint = PtyEndpoint(selector, serving.link)
        stack.callback(endpoint.unplug)
        # The port before the journal: a second server that cannot have the port must not empty the first
        # one's journal.
        endpoint.plug()
        file = None if serving.journal is None else stack.enter_context(JournalFile(serving.journal))

        history = History()
        journal = Journal(sink=lambda entry: _record(entry, history, file), wall=time.time)
        world = World(profile=serving.profile, seed=serving.seed, scenario=serving.scenario, journal=journal)
        pacer = Pacer(world, speed=serving.speed)
        # Device time and wall time run in step from here on, so the label is worked out from device time: it
        # is true even for what a stopped server catches up with later.
        began_s = time.time()
        journal.wall = lambda: began_s + world.now_ns / 1e9 / serving.speed
        ready(_announcement(serving, endpoint.port))
        plugged = True
        line_free_ns = 0
        while not done():
            pacer.catch_up()
            if fresh_cartridge():
                world.inject("cartridge-inserted")
            if world.line_up != plugged:
                plugged = world.line_up
                if plugged:
                    endpoint.plug()
                    ready(_announcement(serving, endpoint.port))
                else:
                    endpoint.unplug()
            said = world.take_output()
            if said:
                endpoint.send(said)
            # Every entry has been handed to the sink; a pen that serves for days must not grow.
            journal.entries.clear()
            wait_s = pacer.wait_s(endpoint.poll_s or LONGEST_WAIT_S)
            if line_free_ns - world.now_ns > LONGEST_BACKLOG_NS:
                deaf.select(min(wait_s, BACKLOG_WAIT_S))
                with suppress(BlockingIOError):
                    woken.recv(_SIGNALS)
                continue
            selector.select(wait_s)
            with suppress(BlockingIOError):
                woken.recv(_SIGNALS)
            pacer.catch_up()
            heard = endpoint.receive()
            if heard:
                world.host_sends(heard)
                line_free_ns = max(line_free_ns, world.now_ns) + len(heard) * serving.profile.byte_ns
        pacer.catch_up()
        return history.judge(serving.scenario.expect, world.now_ns)


def _announcement(serving: Serving, port: str) -> dict[str, Any]:
    return {
        "port": port,
        "pid": os.getpid(),
        "simulated": True,
        "profile": serving.profile.name,
        "seed": serving.seed,
    }


def _record(entry: Entry, history: History, file: JournalFile | None) -> None:
    history.note(entry)
    if file is not None:
        file.write(line(entry) + "\n")


@contextmanager
def _woken_by_signals() -> Iterator[socket.socket]:
    """A socket that becomes readable when a signal arrives: a waiting selector would sleep on otherwise."""
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(before)
        reader.close()
        writer.close()


@contextmanager
def ended_by_signals() -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether SIGTERM, SIGINT or SIGHUP has asked this process to end."""
    with _noted(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as asked:
        yield lambda: bool(asked)


@contextmanager
def cartridges_by_signal() -> Iterator[Callable[[], bool]]:
    """Gives a function that tells, once for each SIGUSR1, that somebody wants a new cartridge in the pen."""
    with _noted(signal.SIGUSR1) as asked:
        yield lambda: bool(asked) and bool(asked.pop())


@contextmanager
def _noted(*numbers: signal.Signals) -> Iterator[list[int]]:
    """The signals that came, as long as it lasts."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda got, frame: came.append(got)) for number in numbers}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
