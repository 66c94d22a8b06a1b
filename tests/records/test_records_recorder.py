"""The recorder: never waits, says truthfully what is on the disk, and fails for good when the disk does."""

from __future__ import annotations

import datetime
import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from recordtools import draft

from penstroke.errors import RecordError, Refused
from penstroke.records import recorder as module
from penstroke.records.entry import Draft, Entry
from penstroke.records.problems import problem
from penstroke.records.recorder import Recorder
from penstroke.records.store import Store, open_store
from penstroke.records.witness import Witness, WitnessFile
from penstroke.safety import Reason, Refusal

NOON = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
PATIENCE_S = 20.0


class Disk:
    """Stands before a store: holds its commits up, or lets them fail."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.free.set()
        self.fails: RecordError | Exception | None = None
        self.commits: list[int] = []
        self._append = store.append
        monkeypatch.setattr(store, "append", self.append)

    def append(self, drafts: Sequence[Draft]) -> list[Entry]:
        if not self.free.wait(PATIENCE_S):
            raise AssertionError("nobody freed the disk")
        if self.fails is not None:
            raise self.fails
        self.commits.append(len(drafts))
        return self._append(drafts)


@pytest.fixture
def disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The disk under `store`."""
    made = Disk(store, monkeypatch)
    yield made
    made.free.set()


def bodies(store: Store, kind: str) -> list[dict[str, Any]]:
    return [entry.body for entry in store.entries(kinds=[kind])]


def test_what_was_written_is_there(store: Store) -> None:
    with Recorder(store, treatment="20261123-abcdef", operator="A. Berg", utc_now=lambda: NOON) as recorder:
        recorder.write("opened", patient="P-17", zones=("cheek", "chin"))
        recorder.bind(lambda: 5_000_000_000, simulated=True, serial="PS1-0042", firmware="1.2.3")
        recorder.device_time(1234)
        recorder.write("held", depth_mm=0.5)
    _, opened, held = store.entries()
    assert opened.to_json() | {"previous": "", "digest": ""} == {
        "number": 2,
        "utc": "2026-11-23T12:00:00.000Z",
        "treatment": "20261123-abcdef",
        "kind": "opened",
        "operator": "A. Berg",
        "device_serial": None,
        "firmware": None,
        "simulated": None,
        "port_s": None,
        "device_ms": None,
        "body": {"patient": "P-17", "zones": ["cheek", "chin"]},
        "previous": "",
        "digest": "",
    }
    assert (held.device_serial, held.firmware, held.simulated) == ("PS1-0042", "1.2.3", True)
    assert (held.port_s, held.device_ms, held.body) == (0.0, 1234, {"depth_mm": 0.5})


@pytest.mark.req("S-14")
def test_durable_means_on_the_disk(store: Store, disk: Disk, path: Path) -> None:
    disk.free.clear()
    with Recorder(store) as recorder:
        places = [recorder.write("command", number=number) for number in range(1000)]
        assert places == list(range(1, 1001))
        assert not any(map(recorder.durable, places))
        assert recorder.number(1) is None
        disk.free.set()
        recorder.make_durable(PATIENCE_S)
        assert all(map(recorder.durable, places))
        with open_store(path, readonly=True) as other:
            assert [entry.body["number"] for entry in other.entries(kinds=["command"])] == list(range(1000))
        # What stood in line while the disk was busy went in few commits.
        assert len(disk.commits) <= 3
    assert not recorder.durable(1001)


@pytest.mark.req("S-14")
def test_a_wait_for_a_disk_that_hangs_ends(store: Store, disk: Disk) -> None:
    disk.free.clear()
    with Recorder(store) as recorder:
        recorder.write("command")
        with pytest.raises(RecordError) as late:
            recorder.make_durable(0.01)
        assert late.value.code == "record-unwritable"
        assert "1 entries are not on the disk" in late.value.message
        # It was late, it did not fail: what comes later may still be waited for.
        disk.free.set()
        recorder.make_durable(PATIENCE_S)
        assert recorder.failed is None


def test_a_record_that_falls_behind_has_failed(
    store: Store, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_BEHIND_S", 0.0)
    disk.free.clear()
    recorder = Recorder(store)
    recorder.write("command", number=1)
    with pytest.raises(RecordError) as failed:
        recorder.write("command", number=2)
    assert failed.value.code == "record-unwritable"
    disk.free.set()
    recorder.close()
    assert recorder.failed is failed.value
    assert bodies(store, "command") == [{"number": 1}]


@pytest.mark.req("S-14")
@pytest.mark.parametrize("code", ["record-unwritable", "record-read-only", "record-in-use", "record-damaged"])
def test_a_failed_disk_is_told_to_all_who_ask(store: Store, disk: Disk, code: str) -> None:
    recorder = Recorder(store)
    first = recorder.write("command")
    recorder.make_durable(PATIENCE_S)
    disk.fails = problem(code, "here")
    second = recorder.write("command")
    with pytest.raises(RecordError) as failed:
        recorder.make_durable(PATIENCE_S)
    assert failed.value.code == code
    assert recorder.failed is failed.value
    for act in (lambda: recorder.write("command"), recorder.make_durable, recorder.close):
        with pytest.raises(RecordError) as again:
            act()
        assert again.value is failed.value
    assert recorder.durable(first)
    assert not recorder.durable(second)
    # A disk that works again changes nothing: what is missing would be missing in the middle.
    disk.fails = None
    with pytest.raises(RecordError):
        recorder.write("command")


def test_a_bug_in_the_writer_is_told_too(store: Store, disk: Disk) -> None:
    recorder = Recorder(store)
    disk.fails = KeyError("surprise")
    recorder.write("command")
    with pytest.raises(RecordError, match="surprise"):
        recorder.make_durable(PATIENCE_S)
    with pytest.raises(RecordError):
        recorder.close()


def test_what_is_no_json_is_refused_to_the_writer_of_it(store: Store) -> None:
    with Recorder(store) as recorder:
        with pytest.raises(ValueError):
            recorder.write("held", depth_mm=float("nan"))
        recorder.write("held", depth_mm=0.5)
    assert bodies(store, "held") == [{"depth_mm": 0.5}]


def test_what_is_changed_after_it_was_written_stays_as_written(store: Store, disk: Disk) -> None:
    disk.free.clear()
    zones = ["cheek"]
    with Recorder(store) as recorder:
        recorder.write("summary", zones=zones)
        zones.append("chin")
        disk.free.set()
    assert bodies(store, "summary") == [{"zones": ["cheek"]}]


def test_the_thread_ends_with_the_recorder(store: Store) -> None:
    before = set(threading.enumerate())
    recorder = Recorder(store)
    [thread] = set(threading.enumerate()) - before
    assert thread.name == "records-writer"
    recorder.write("command")
    recorder.close()
    assert not thread.is_alive()
    recorder.close()
    with pytest.raises(RuntimeError, match="closed"):
        recorder.write("command")


def test_a_close_that_cannot_wait_any_longer_says_so(store: Store, disk: Disk) -> None:
    disk.free.clear()
    recorder = Recorder(store)
    recorder.write("command")
    with pytest.raises(RecordError, match="1 entries are not on the disk"):
        recorder.close(timeout_s=0.01)
    disk.free.set()
    recorder.close()


def test_what_went_wrong_is_not_hidden_by_a_record_that_fails_too(store: Store, disk: Disk) -> None:
    disk.fails = problem("record-unwritable", "here")
    with pytest.raises(KeyError, match="the real one"), Recorder(store) as recorder:
        recorder.write("command")
        raise KeyError("the real one")
    with pytest.raises(RecordError), Recorder(store) as recorder:
        recorder.write("command")


def test_an_error_is_told_once_with_all_its_reasons(store: Store) -> None:
    verdict = Refusal((Reason("depth-above-limit", "too deep"), Reason("rate-out-of-range", "too fast")))
    error = Refused.of(verdict)
    with Recorder(store) as recorder:
        recorder.error(error)
        recorder.error(error)
        recorder.error(RecordError("something else"))
    [refused] = bodies(store, "refused")
    assert [reason["code"] for reason in refused["reasons"]] == ["depth-above-limit", "rate-out-of-range"]
    assert [body["code"] for body in bodies(store, "error")] == ["record-tampered"]


def test_places_and_numbers_with_another_program_in_between(store: Store) -> None:
    with Recorder(store) as recorder:
        first = recorder.write("command")
        recorder.make_durable()
        store.append([draft("follow-up"), draft("follow-up")])
        second = recorder.write("command")
        recorder.make_durable()
        third = recorder.write("command")
        recorder.make_durable()
        assert [recorder.number(place) for place in (first, second, third)] == [2, 5, 6]
        assert recorder.number(0) is None
        assert recorder.number(4) is None
    assert [entry.number for entry in store.entries(kinds=["command"])] == [2, 5, 6]


# -- readings ------------------------------------------------------------------------------------------------


def reading(number: int, **facts: Any) -> dict[str, Any]:
    usual = {"state": "running", "needles_out": True, "motor_on": True, "depth_mm": 0.5, "rate_hz": 110.0}
    return {**usual, "strokes": number, "current_ma": 200, "missed": 0, **facts}


class Port:
    """A port's clock."""

    now_ns = 0

    def now(self) -> int:
        return self.now_ns


@pytest.fixture
def port() -> Port:
    return Port()


@pytest.fixture
def recorder(store: Store, port: Port) -> Iterator[Recorder]:
    with Recorder(store) as made:
        made.bind(port.now, simulated=True, serial="PS1-0042", firmware="1")
        yield made


@pytest.mark.parametrize("every_ms", [10, 50, 130, 200, 400, 1000, 1700])
def test_a_sample_a_second_with_its_extremes(
    store: Store, port: Port, recorder: Recorder, every_ms: int
) -> None:
    count = 20_000 // every_ms
    for number in range(count):
        port.now_ns = number * every_ms * 1_000_000
        deep = {"depth_mm": 0.61} if number == count // 2 else {}
        recorder.write("sample", **reading(number, current_ma=200 + number % 7, missed=1, **deep))
    recorder.close()
    kept = list(store.entries(kinds=["sample"]))
    times = [entry.port_s or 0.0 for entry in kept]
    longest = max(after - before for before, after in itertools.pairwise(times))
    assert longest <= max(1.0, every_ms / 1000) + 1e-9
    assert len(kept) <= 20 * 1000 / (1000 - every_ms if every_ms <= 400 else every_ms) + 2
    assert max(entry.body.get("depth_max_mm", entry.body["depth_mm"]) for entry in kept) == 0.61
    assert sum(entry.body.get("count", 1) for entry in kept) == count
    assert sum(entry.body["missed"] for entry in kept) == count
    assert kept[0].body["strokes"] == 0
    assert kept[-1].body["strokes"] == count - 1


def test_the_extremes_of_what_is_left_out_are_exact(store: Store, port: Port, recorder: Recorder) -> None:
    depths, rates, currents = [0.5, 0.47, 0.53, 0.51], [110.0, 108.5, 111.0, 110.5], [210, 190, 260, 205]
    recorder.write("sample", **reading(0))
    for number, (depth, rate, current) in enumerate(zip(depths, rates, currents, strict=True), 1):
        port.now_ns = number * 50_000_000
        recorder.write("sample", **reading(number, depth_mm=depth, rate_hz=rate, current_ma=current))
    recorder.close()
    _, kept = bodies(store, "sample")
    assert kept == {
        **reading(4, depth_mm=0.51, rate_hz=110.5, current_ma=205),
        "depth_min_mm": 0.47,
        "depth_max_mm": 0.53,
        "rate_min_hz": 108.5,
        "rate_max_hz": 111.0,
        "current_max_ma": 260,
        "count": 4,
    }


def test_what_is_held_back_comes_before_what_follows(store: Store, port: Port, recorder: Recorder) -> None:
    for number in range(3):
        port.now_ns = number * 50_000_000
        place = recorder.write("sample", **reading(number))
    assert place == 2
    recorder.write("run-ended", ended="release")
    kept = recorder.write("command")
    assert kept == 4
    recorder.close()
    told = [(entry.kind, entry.port_s) for entry in store.entries(after=1)]
    assert told == [("sample", 0.0), ("sample", 0.1), ("run-ended", 0.1), ("command", 0.1)]


def test_a_reading_held_back_is_made_durable_too(store: Store, port: Port, recorder: Recorder) -> None:
    recorder.write("sample", **reading(0))
    port.now_ns = 50_000_000
    place = recorder.write("sample", **reading(1))
    recorder.make_durable()
    assert recorder.durable(place)
    assert [body["strokes"] for body in bodies(store, "sample")] == [0, 1]


@pytest.mark.parametrize("change", [{"state": "idle"}, {"needles_out": False}, {"motor_on": False}])
def test_a_change_is_told_for_itself(
    store: Store, port: Port, recorder: Recorder, change: dict[str, Any]
) -> None:
    for number, facts in enumerate(({}, {}, {}, change, change)):
        port.now_ns = number * 50_000_000
        recorder.write("sample", **reading(number, **facts))
    recorder.close()
    assert [body["strokes"] for body in bodies(store, "sample")] == [0, 2, 3, 4]


def test_without_a_clock_every_reading_is_kept(store: Store) -> None:
    with Recorder(store) as unbound:
        for number in range(5):
            unbound.write("sample", **reading(number))
    assert len(bodies(store, "sample")) == 5


# -- witnesses -----------------------------------------------------------------------------------------------


class Memory:
    """A witness in memory."""

    where = "memory"

    def __init__(self) -> None:
        self.kept: list[Witness] = []

    def keep(self, witness: Witness) -> None:
        self.kept.append(witness)

    def recall(self) -> tuple[Witness, ...]:
        return tuple(self.kept)


def test_witnesses_are_told_of_the_head(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WITNESS_EVERY", 3)
    memory = Memory()
    with Recorder(store, witnesses=[memory]) as recorder:
        for _ in range(7):
            recorder.write("command")
            recorder.make_durable()
    assert [witness.number for witness in memory.kept] == [4, 7, 8]
    by_number = {entry.number: entry.digest for entry in store.entries()}
    assert all(by_number[witness.number] == witness.digest for witness in memory.kept)


def test_a_recorder_that_wrote_nothing_tells_nothing(store: Store) -> None:
    memory = Memory()
    Recorder(store, witnesses=[memory]).close()
    assert memory.kept == []


def test_a_witness_that_cannot_be_told_is_no_reason_to_stop(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Recorder(store, witnesses=[WitnessFile(tmp_path / "file" / "witness", "x")]) as recorder:
        recorder.write("command")
    assert recorder.failed is None
    assert recorder.unwitnessed is not None
    assert "cannot be written" in recorder.unwitnessed
