"""The golden bytes: what a stranger's implementation is held to, ours is held to first."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from linkpair import LinkPair, MakePair

from penstroke_protocol import messages as m
from penstroke_protocol.frames import Receiver, decode, decode_message, encode_message, message_class
from penstroke_protocol.link import MS

VECTORS = Path(__file__).resolve().parents[2] / "firmware_protocol" / "vectors"


def vectors(name: str) -> list[Any]:
    rows = json.loads((VECTORS / name).read_text(encoding="utf-8"))["vectors"]
    return [pytest.param(row, id=row["name"]) for row in rows]


@pytest.mark.req("S-06", "R-2.1", "R-2.2", "R-2.3", "R-2.5")
@pytest.mark.parametrize("vector", vectors("valid.json"))
def test_a_valid_frame_says_what_its_vector_says(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["bytes"])
    cls = getattr(m, vector["message"])
    fields = {
        name: int(value, 16) if isinstance(value, str) and wire.kind == "u64" else value
        for (name, value), wire in zip(vector["fields"].items(), cls.layout.wires, strict=True)
    }
    header = {name: vector[name] for name in ("session", "seq", "epoch")}

    frame = decode(raw.strip(b"\0"))

    assert frame[:5] == (vector["kind"], vector["code"], *header.values())
    assert message_class(frame) is cls
    assert decode_message(cls, frame.payload) == cls(**fields)
    assert encode_message(cls(**fields), code=vector["code"], **header) == raw


def test_every_message_has_vectors() -> None:
    named = {param.values[0]["message"] for param in vectors("valid.json")}
    assert named == {cls.__name__ for cls in m.ALL}


DAMAGED = [param for param in vectors("bad.json") if "damage" in param.values[0]]
MISSHAPEN = [param for param in vectors("bad.json") if "damage" not in param.values[0]]


@pytest.mark.req("S-07", "R-2.6")
@pytest.mark.parametrize("vector", DAMAGED)
def test_damage_is_dropped_for_its_reason(vector: dict[str, Any]) -> None:
    receiver = Receiver()

    assert receiver.receive(bytes.fromhex(vector["bytes"])) == []
    assert receiver.damage == Counter(vector["damage"])


def opened_as_the_vectors_say(link_pair: MakePair) -> LinkPair:
    pair = link_pair()
    pair.device._last_session = 0
    pair.device.epoch = 4
    pair.open()
    assert (pair.device.session, pair.device.epoch) == (1, 5)
    return pair


@pytest.mark.req("R-4.1", "R-4.2", "R-6.6", "R-6.7", "S-07")
@pytest.mark.parametrize("vector", MISSHAPEN)
def test_a_whole_frame_that_is_no_message_does_nothing(vector: dict[str, Any], link_pair: MakePair) -> None:
    pair = opened_as_the_vectors_say(link_pair)
    raw = bytes.fromhex(vector["bytes"])
    if vector["to"] == "device":
        said = pair.send_raw(raw)
        assert pair.firmware.executed == []
        assert pair.firmware.beats == []
        if "refusal" in vector:
            refusal = decode_message(m.Refusal, said[0].payload)
            assert [said[0].kind, m.Reason(refusal.reason).name] == [m.Kind.REFUSAL, vector["refusal"]]
        else:
            assert said == []
            assert pair.device.dropped == {vector["dropped"]: 1}
    else:
        before = list(pair.events)
        pair.host.receive_data(raw, pair.now_ns)
        pair._take_events()
        assert pair.events == before
        assert pair.host.dropped == {vector["dropped"]: 1}


def stream_frames(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("kind", "code", "session", "seq", "epoch")
    return [(*(row[name] for name in names), bytes.fromhex(row["payload"])) for row in rows]


@pytest.mark.req("S-07", "R-1.4", "R-2.6", "R-2.7")
@pytest.mark.parametrize("vector", vectors("streams.json"))
def test_a_stream_gives_its_frames_however_it_is_cut(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bytes"])
    rng = random.Random(len(data))
    cuts = [[], list(range(1, len(data)))] + [
        sorted(rng.sample(range(1, len(data)), k=min(5, len(data) - 1))) for _ in range(20)
    ]
    for cut in cuts:
        receiver = Receiver()
        found = []
        for begin, end in zip([0, *cut], [*cut, len(data)], strict=True):
            found += receiver.receive(data[begin:end])
        assert found == stream_frames(vector["frames"])
        assert receiver.damage == Counter(vector["damage"])
        assert receiver.frames == len(found)


def test_the_vectors_session_is_the_one_their_context_names(link_pair: MakePair) -> None:
    """The same request, well-formed, is carried out: so it is the payload that the bad vectors fail on."""
    pair = opened_as_the_vectors_say(link_pair)
    pair.now_ns += MS
    pair.send_raw(encode_message(m.SetDepth(900), session=1, seq=2, epoch=5))
    assert pair.firmware.executed == [m.SetDepth(900)]
