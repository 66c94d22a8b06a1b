"""The commands that talk to a pen, on a simulated one on virtual time."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clitools import VIRTUAL

from penstroke.cli.errors import BLACK_BOX_SHOWN
from penstroke.records.entry import Entry
from penstroke.records.store import open_store

Call = Callable[..., Any]
CHEEK = ("--zone", "cheek", "--side", "left", "--depth", "0.9", "--rate", "110")


# -- status, set, faults, monitor, stop ---------------------------------------------------------------------


def test_status_has_the_documented_shape(on_pen: Call) -> None:
    status = on_pen("status", "--json").json
    assert set(status) >= {
        "identity", "state", "zone", "side", "depth_mm", "depth_measured_mm", "rate_hz", "rate_measured_hz",
        "needles", "motor", "cartridge", "limits", "battery_pct", "temperature_c", "strokes", "faults",
    }  # fmt: skip
    assert set(status["identity"]) == {"model", "serial", "firmware", "protocol", "simulated"}
    assert set(status["cartridge"]) == {
        "present", "lot", "expiry", "used", "needle_count", "needle_length_mm",
    }  # fmt: skip
    assert set(status["limits"]) >= {
        "depth_mm", "depth_max_mm", "depth_bound_by", "rate_min_hz", "rate_max_hz",
    }  # fmt: skip
    assert (status["state"], status["needles"], status["motor"]) == ("idle", "retracted", "off")
    assert status["identity"]["simulated"] is True
    assert (status["zone"], status["depth_mm"], status["faults"]) == (None, None, [])


def test_status_for_people(on_pen: Call) -> None:
    text = on_pen("status").out
    assert "state        idle, motor off, needles retracted" in text
    assert "simulated" in text
    assert "none while no zone is chosen: no depth is allowed" in text


def test_shared_options_stand_before_or_after_the_command(cli: Call) -> None:
    before = cli("--json", "--port", VIRTUAL, "status").json
    after = cli("status", "--port", VIRTUAL, "--json").json
    assert before == after


def test_set_says_what_the_pen_holds(on_pen: Call) -> None:
    held = on_pen("set", *CHEEK, "--json").json
    assert (held["zone"], held["side"], held["depth_mm"], held["rate_hz"]) == ("cheek", "left", 0.9, 110.0)
    assert (held["limits"]["depth_mm"], held["limits"]["depth_max_mm"]) == (1.0, 0.95)
    assert held["limits"]["depth_bound_by"] == "zone"
    text = on_pen("set", *CHEEK).out
    assert "depth        0.90 mm set" in text
    assert "110.0 Hz (6600 rpm) set" in text
    assert "1.00 mm (set by: zone), up to 0.95 mm may be asked" in text


def test_a_comma_is_a_decimal_point(on_pen: Call) -> None:
    held = on_pen("set", "--zone", "forehead", "--depth", "0,35", "--rate", "116,7", "--json").json
    assert held["depth_mm"] == 0.35
    assert held["rate_hz"] == 117.0


def test_the_refusal_of_the_contract_word_for_word(on_pen: Call) -> None:
    wish = ("set", "--zone", "periorbital", "--side", "left", "--depth", "2.0")
    plain = on_pen(*wish)
    assert (plain.code, plain.out) == (3, "")
    first = "refused: 2.00 mm on periorbital is above the 0.30 mm ceiling (set by: zone)"
    assert plain.err.splitlines() == [first, "  ask for 0.25 mm or less"]
    error = on_pen(*wish, "--json").error
    assert {
        "code": "depth-above-limit",
        "zone": "periorbital",
        "requested_mm": 2.0,
        "limit_mm": 0.3,
        "max_mm": 0.25,
        "bound_by": "zone",
        "hint": "ask for 0.25 mm or less",
        "message": first.removeprefix("refused: "),
    }.items() <= error.items()


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (("--zone", "cheek", "--depth", "0.5"), "side-required"),
        (("--zone", "cheek", "--side", "port"), "side-required"),
        (("--zone", "forehead", "--side", "left"), "side-not-used"),
        (("--zone", "cheeks"), "zone-unknown"),
        (("--zone", "eyelid", "--side", "left"), "zone-forbidden"),
        (("--zone", "forehead", "--depth", "0.33"), "depth-off-step"),
        (("--zone", "forehead", "--depth", "0"), "depth-below-range"),
        (("--zone", "forehead", "--depth", "350"), "depth-above-limit"),
        (("--zone", "forehead", "--rate", "7000"), "rate-out-of-range"),
        (("--zone", "forehead", "--rate", "0"), "rate-out-of-range"),
    ],
)
def test_refusals(on_pen: Call, wish: tuple[str, ...], code: str) -> None:
    result = on_pen("set", *wish, "--json")
    assert (result.code, result.out, result.error["code"]) == (3, "", code)
    assert result.error["hint"]


def test_every_reason_is_listed(on_pen: Call) -> None:
    wish = ("set", "--zone", "forehead", "--depth", "0.77")
    error = on_pen(*wish, "--json").error
    assert [reason["code"] for reason in error["reasons"]] == ["depth-above-limit", "depth-off-step"]
    assert on_pen(*wish).err.count("refused: ") == 2


@pytest.mark.parametrize("text", ["05", "1,000", " ", "", "abc", "nan", "-0.3", "1e-1", "0.3mm", "0.30001"])
def test_text_that_is_no_depth_is_wrong_usage(on_pen: Call, text: str) -> None:
    result = on_pen("set", "--zone", "forehead", "--depth", text, "--json")
    assert (result.code, result.error["code"]) == (2, "depth-invalid")


def test_text_that_is_no_rate_or_time_is_wrong_usage(on_pen: Call) -> None:
    assert on_pen("set", "--zone", "forehead", "--rate", "fast", "--json").error["code"] == "rate-invalid"
    for text in ("0", "-1", "long", "99999999"):
        result = on_pen("run", *CHEEK, "--for", text, "--json")
        assert (result.code, result.error["code"]) == (2, "time-invalid")


@pytest.mark.req("S-22")
def test_an_override_needs_a_name_and_a_reason_and_lifts_the_ceiling_only(on_pen: Call) -> None:
    wish = ("set", "--zone", "cheek", "--side", "left", "--json")
    assert on_pen(*wish, "--depth", "1.2").code == 3
    by = ("--override-by", "Dr. Who")
    assert on_pen(*wish, "--depth", "1.2", *by).error["code"] == "usage"
    assert on_pen(*wish, "--depth", "1.2", *by, "--reason", " ").error["code"] == "override-invalid"
    held = on_pen(*wish, "--depth", "1.2", *by, "--reason", "deep scars").json
    assert held["depth_mm"] == 1.2
    assert held["override"] == {"by": "Dr. Who", "reason": "deep scars"}
    assert on_pen(*wish, "--depth", "1.5", *by, "--reason", "deep scars").error["limit_mm"] == 1.5
    eyelid = ("set", "--zone", "eyelid", "--side", "left", *by, "--reason", "x", "--json")
    assert on_pen(*eyelid).error["code"] == "zone-forbidden"


def test_monitor(on_pen: Call) -> None:
    samples = on_pen("monitor", "--for", "2", "--json").lines
    assert 35 <= len(samples) <= 41
    assert {sample["event"] for sample in samples} == {"sample"}
    assert {sample["needles"] for sample in samples} == {"retracted"}
    assert samples[-1]["elapsed_s"] <= 2
    assert samples[-1]["battery_pct"] > 0
    text = on_pen("monitor", "--for", "7")
    assert text.out == ""
    assert 3 <= len(text.err.splitlines()) <= 5  # a line for every two seconds, where nothing can be redrawn


def test_monitor_until_interrupted(on_pen: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from penstroke.cli import app

    shown: list[Any] = []

    def emit(sample: Any) -> None:
        shown.append(sample)
        if len(shown) == 30:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(app, "emit", emit)
    result = on_pen("monitor", "--json")
    assert (result.code, len(shown), result.error["code"]) == (130, 30, "interrupted")


def test_stop_and_the_stop_key_is_named(on_pen: Call) -> None:
    result = on_pen("stop", "--json")
    assert (result.code, result.json["stopped"], result.json["state"]) == (0, True, "idle")
    for text in (result.err, result.json["stop_key"]):
        assert "the pen's own stop key" in text
    assert on_pen("stop").out == "stopped: motor off, needles retracted, idle\n"


def test_faults(on_pen: Call, cli: Call, scenario: Callable[..., str]) -> None:
    assert on_pen("faults", "--json").json == {
        "faults": [],
        "cleared": [],
        "simulated": True,
    }
    assert on_pen("faults").out == "no latched faults\n"
    hot = scenario((0.0, "over-temperature", {"celsius": 60.0}))
    result = cli("--port", hot, "run", *CHEEK, "--for", "5", "--json")
    assert (result.code, result.error["code"]) == (5, "fault-latched")


# -- run ---------------------------------------------------------------------------------------------------


def test_run(on_pen: Call) -> None:
    result = on_pen("run", *CHEEK, "--for", "3", "--json")
    assert result.code == 0
    begin, *samples, end = result.lines
    assert (begin["event"], begin["depth_mm"], begin["rate_hz"]) == ("begin", 0.9, 110.0)
    assert {sample["event"] for sample in samples} == {"sample"}
    assert 50 <= len(samples) <= 62
    assert samples[-1]["depth_measured_mm"] == pytest.approx(0.9, abs=0.05)
    assert samples[-1]["rate_measured_hz"] == pytest.approx(110, abs=11)
    assert (end["event"], end["ended"], end["elapsed_s"]) == ("end", "duration", 3.0)
    assert end["strokes"] == pytest.approx(330, rel=0.1)
    plain = on_pen("run", *CHEEK, "--for", "5")
    assert plain.out.startswith("ended (its time was up): 5.0 s, ")
    assert "mm (set 0.90)" in plain.err
    assert "Ctrl-C stops and retracts; the pen's own stop key does too" in plain.err


def test_run_longer_than_allowed(on_pen: Call) -> None:
    result = on_pen("run", *CHEEK, "--for", "601", "--json")
    assert (result.code, result.error["code"], result.error["max_s"]) == (3, "run-too-long", 600)


def test_a_pen_that_is_not_simulated_needs_a_bench_reason(
    on_pen: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstroke.pen.Pen.simulated", False)
    for bench in ((), ("--bench", ""), ("--bench", "  ")):
        result = on_pen("run", *CHEEK, "--for", "1", *bench, "--json")
        assert (result.code, result.error["code"], result.out) == (3, "bench-reason-needed", "")
    result = on_pen("run", *CHEEK, "--for", "1", "--bench", "spin-up test", "--json")
    assert result.code == 0
    assert result.lines[0]["bench"] == "spin-up test"


@pytest.mark.parametrize(
    ("name", "params", "code", "error"),
    [
        ("stop-key", {}, 5, "stopped-by-key"),
        ("motor-stall", {}, 5, "fault-latched"),
        ("actuator-drift", {}, 5, None),
        ("cartridge-removed", {}, 5, "fault-latched"),
        ("over-current", {}, 5, "fault-latched"),
        ("cut", {}, 6, "link-lost"),
        ("silent", {}, 6, "link-timeout"),
    ],
)
def test_what_ends_a_run_that_nobody_asked_for(
    cli: Call, scenario: Callable[..., str], name: str, params: dict[str, Any], code: int, error: str | None
) -> None:
    result = cli("--port", scenario((2.0, name, params)), "run", *CHEEK, "--for", "20", "--json")
    assert result.code == code
    assert error is None or result.error["code"] == error
    end = result.lines[-1]
    assert (end["event"], end["ended"]) == ("end", "failed")
    assert end["elapsed_s"] > 1
    assert end["strokes"] > 50
    # The newest of some seventy frames: the pen's last word, or the host's STOP to a pen that is gone.
    assert 0 < len(result.error["black_box"]) <= BLACK_BOX_SHOWN
    assert all("HELLO" not in line.upper() for line in result.error["black_box"])
    assert len(json.dumps(result.error)) < 4_000


def test_needles_that_may_be_out_are_said_to_be(cli: Call, scenario: Callable[..., str]) -> None:
    stuck = scenario((2.0, "actuator-jam", {}), (2.1, "stop-key", {}))
    result = cli("--port", stuck, "run", *CHEEK, "--for", "20", "--json")
    assert result.code == 5
    assert "lift the pen" in result.error["message"] + result.error["hint"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_stops_first(
    on_pen: Call, monkeypatch: pytest.MonkeyPatch, signum: signal.Signals
) -> None:
    from penstroke.cli import app

    seen: list[dict[str, Any]] = []

    def emit(line: dict[str, Any]) -> None:
        seen.append(line)
        if len(seen) in (20, 21):  # twice: the second must not skip the stop
            signal.raise_signal(signum)

    monkeypatch.setattr(app, "emit", emit)
    result = on_pen("run", *CHEEK, "--for", "60", "--json")
    assert (result.code, result.error["code"]) == (130, "interrupted")
    assert signum.name in result.error["message"]
    assert "stopped and retracted" in result.error["message"]
    assert len(seen) in (21, 22)
    assert (seen[-1]["event"], seen[-1]["ended"]) == ("end", "interrupted")
    assert seen[-1]["strokes"] > 0


def test_retraction_that_is_not_confirmed_outranks_an_interrupt(
    cli: Call, scenario: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from penstroke.cli import app

    seen: list[dict[str, Any]] = []

    def emit(line: dict[str, Any]) -> None:
        seen.append(line)
        if line["event"] == "sample" and line["elapsed_s"] > 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(app, "emit", emit)
    jammed = scenario((2.2, "actuator-jam", {}))
    result = cli("--port", jammed, "run", *CHEEK, "--for", "60", "--json")
    assert (result.code, result.error["code"]) == (5, "retraction-unconfirmed")
    assert "needles may be out: lift the pen" in result.error["message"]


def test_a_reader_that_goes_away_is_an_interrupt(on_pen: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from penstroke.cli import output

    written: list[str] = []

    def write(_stream: object, text: str) -> int:
        written.append(text)
        if len(written) == 10:
            raise OSError(errno.EPIPE, "gone")
        return len(text)

    monkeypatch.setattr(output, "_put", write)
    result = on_pen("run", *CHEEK, "--for", "60", "--json")
    assert (result.code, result.error["code"]) == (130, "interrupted")
    assert "stopped and retracted" in result.error["message"]


@pytest.mark.req("S-10")
def test_a_full_disk_stops_the_needles_and_is_told_as_that(
    on_pen: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from penstroke.cli import output

    written: list[str] = []

    def write(_stream: object, text: str) -> int:
        written.append(text)
        if len(written) == 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(text)

    monkeypatch.setattr(output, "_put", write)
    result = on_pen("run", *CHEEK, "--for", "60", "--json")
    assert (result.code, result.error["code"]) == (7, "output-failed")
    assert "No space left on device; the needles are stopped and retracted" in result.error["message"]


def test_a_trigger_that_nobody_presses_is_not_done(on_pen: Call) -> None:
    result = on_pen("run", *CHEEK, "--for", "10", "--start", "trigger", "--json")
    assert (result.code, result.error["code"]) == (5, "arm-expired")
    assert result.error["message"].startswith("no needle has moved: the trigger was not pressed")
    end = result.lines[-1]
    assert (end["event"], end["ended"], end["elapsed_s"], end["strokes"]) == ("end", "arm-expired", 0, 0)


def test_the_pens_own_trigger_starts_and_releases(cli: Call, scenario: Callable[..., str]) -> None:
    held = scenario((2.0, "trigger-press", {}), (3.0, "trigger-release", {}))
    result = cli("--port", held, "run", *CHEEK, "--for", "10", "--start", "trigger", "--json")
    assert result.code == 0
    states = [line["state"] for line in result.lines if line["event"] == "sample"]
    assert states[0] == "armed"
    assert states.count("running") == pytest.approx(20, abs=4)
    end = result.lines[-1]
    assert (end["ended"], end["strokes"] > 50) == ("arm-expired", True)


def test_presses_of_the_trigger_together_last_no_longer_than_asked(
    cli: Call, scenario: Callable[..., str]
) -> None:
    presses = [
        entry
        for at in (2.0, 4.0, 6.0, 8.0)
        for entry in ((at, "trigger-press", {}), (at + 1, "trigger-release", {}))
    ]
    result = cli("--port", scenario(*presses), "run", *CHEEK, "--for", "2", "--start", "trigger", "--json")
    end = result.lines[-1]
    assert (result.code, end["ended"]) == (0, "left")
    assert end["elapsed_s"] == pytest.approx(2, abs=0.15)


def test_trace_file(on_pen: Call, tmp_path: Path) -> None:
    import json

    trace = tmp_path / "trace.jsonl"
    assert on_pen("status", "--trace", trace).code == 0
    header, *rest = map(json.loads, trace.read_text().splitlines())
    assert (header["trace"], header["simulated"]) == (1, True)
    assert {line["dir"] for line in rest} == {"<", ">"}
    assert on_pen("status", "--trace", tmp_path / "no" / "where").code == 7


# -- diagnose ----------------------------------------------------------------------------------------------


def test_diagnose_with_a_pen(on_pen: Call) -> None:
    report = on_pen("diagnose", "--json").json
    assert set(report) == {"program", "config", "limits", "ports", "pen"}
    assert report["pen"]["status"]["identity"]["simulated"] is True
    assert any("HELLO" in line.upper() for line in report["pen"]["last_frames"])
    assert "== pen" in on_pen("diagnose").out


@pytest.mark.parametrize("port", ["/dev/nowhere", "auto", "x://y", "sim://pen?clock=virtual&profile=none"])
def test_diagnose_never_fails(cli: Call, port: str) -> None:
    result = cli("--port", port, "diagnose", "--json")
    assert result.code == 0
    assert result.json["pen"]["error"]["code"].startswith("port-")


def test_diagnose_survives_a_broken_configuration(
    cli: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTROKE_CONFIG", str(tmp_path / "nowhere.toml"))
    report = cli("diagnose", "--json").json
    assert report["config"]["error"]["code"] == "config-invalid"
    assert report["program"]["penstroke"]


# -- devices that are something else -------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "code"), [("wrong-version", "version-mismatch")])
def test_a_firmware_of_another_major_version(
    cli: Call, scenario: Callable[..., str], fault: str, code: str
) -> None:
    result = cli("--port", scenario((0.0, fault, {})), "status", "--json")
    assert (result.code, result.error["code"]) == (6, code)


@pytest.mark.req("S-25")
@pytest.mark.parametrize("fault", ["other-motion-hash", "other-zone-table"])
def test_another_firmware_can_only_be_looked_at(cli: Call, scenario: Callable[..., str], fault: str) -> None:
    port = scenario((0.0, fault, {}))
    assert cli("--port", port, "status", "--json").json["read_only"]
    result = cli("--port", port, "set", *CHEEK, "--json")
    assert (result.code, result.error["code"]) == (6, "read-only")
    assert cli("--port", port, "stop").code == 0


# -- an override is on record before it acts ---------------------------------------------------------------


OVERRIDE = ("--override-by", "Dr. A. Example", "--reason", "acne scar")


@pytest.mark.req("S-22")
@pytest.mark.parametrize("command", ["set", "run"])
def test_an_override_is_written_down_by_name(on_pen: Call, command: str) -> None:
    more = ("--for", "1") if command == "run" else ()
    wish = ("--zone", "forehead", "--depth", "0.6", "--rate", "110")
    result = on_pen(command, *wish, *more, *OVERRIDE)
    assert result.code == 0
    assert "the override is on record" in result.err
    entries = on_record(on_pen)
    (override,) = [entry for entry in entries if entry.kind == "override"]
    assert (override.body["by"], override.body["reason"], override.body["zone"]) == (
        "Dr. A. Example",
        "acne scar",
        "forehead",
    )
    assert override.simulated is True
    first = next(entry for entry in entries if entry.kind == "command")
    assert override.number < first.number
    assert entries[-1].body["ended"] == "finished"
    says = "set with an override: forehead" if command == "set" else "bench: a simulated pen"
    assert says in on_pen("records", "list").out


@pytest.mark.req("S-22")
def test_an_override_that_cannot_be_written_down_does_not_act(
    on_pen: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pens: list[Any]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("PENSTROKE_DATA_DIR", str(tmp_path / "file" / "folder"))
    result = on_pen("set", "--zone", "forehead", "--depth", "0.6", *OVERRIDE, "--json")
    assert (result.code, result.error["code"], pens) == (8, "record-unwritable", [])


@pytest.mark.req("S-22")
def test_an_override_that_is_refused_is_on_record_too(on_pen: Call) -> None:
    result = on_pen("set", "--zone", "forehead", "--depth", "0.8", *OVERRIDE)
    assert result.code == 3
    assert "error" in on_pen("records", "list").out
    kinds = [entry.kind for entry in on_record(on_pen)]
    assert kinds == ["store", "opened", "pen", "override", "command", "refused", "closed"]
    assert not on_pen("records", "list").out.count("finished")


def on_record(call: Call) -> list[Entry]:
    """What this call's settings have written into the store."""
    settings = {one["name"]: one["value"] for one in call("config", "--json").json["config"]}
    with open_store(settings["store"], readonly=True) as store:
        return list(store.entries())


@pytest.mark.req("S-14")
@pytest.mark.parametrize("command", ["set", "run"])
def test_what_is_set_and_moved_outside_a_treatment_is_on_record_too(on_pen: Call, command: str) -> None:
    result = on_pen(command, *CHEEK, *(("--for", "2") if command == "run" else ()))
    assert result.code == 0
    entries = on_record(on_pen)
    commands = [entry.body["command"] for entry in entries if entry.kind == "command"]
    assert commands == ["select-zone", "set-rate", "set-depth", *(["arm", "run"] if command == "run" else [])]
    listed = on_pen("records", "list", "--json").json["records"]
    if command == "set":
        assert listed == []
        return
    assert [(row["bench"], row["ended"], row["simulated"]) for row in listed] == [
        ("a simulated pen", "finished", True)
    ]
    (ended,) = [entry for entry in entries if entry.kind == "run-ended"]
    assert ended.body["elapsed_s"] == pytest.approx(2, abs=0.1)
    assert [entry.kind for entry in entries].count("sample") >= 2


@pytest.mark.req("S-14")
@pytest.mark.parametrize("command", ["set", "run"])
def test_nothing_is_set_or_moved_where_nothing_can_be_recorded(
    on_pen: Call, pens: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    broken = tmp_path / "records.sqlite"
    broken.write_text("no database")
    monkeypatch.setenv("PENSTROKE_STORE", str(broken))
    result = on_pen(command, *CHEEK, *(("--for", "2") if command == "run" else ()), "--json")
    assert (result.code, result.error["code"], result.out) == (8, "record-not-a-store", "")
    assert pens == []
    assert broken.read_text() == "no database"
    assert on_pen("stop").code == 0  # a stop asks no record


@pytest.mark.parametrize("command", ["run", "monitor"])
def test_every_line_about_a_simulated_pen_says_so(on_pen: Call, command: str) -> None:
    wish = ("--zone", "forehead", "--depth", "0.4", "--rate", "110") if command == "run" else ()
    lines = [json.loads(line) for line in on_pen(command, *wish, "--for", "1", "--json").out.splitlines()]
    assert lines
    assert all(line["simulated"] is True for line in lines)
    text = on_pen(command, *wish, "--for", "1")
    live = [line for line in text.err.splitlines() if " Hz " in line]
    assert live
    assert all(line.startswith("SIM ") for line in live)


# -- a stop needs no file, and what was given up is said -----------------------------------------------------


@pytest.mark.req("S-12")
@pytest.mark.parametrize("file", ["config.toml", "clinic.toml"])
def test_a_stop_is_not_kept_back_by_a_wrong_file(
    on_pen: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str
) -> None:
    (tmp_path / file).write_text("port = \n", encoding="utf-8")
    monkeypatch.setenv("PENSTROKE_CONFIG", str(tmp_path / "config.toml"))
    if file == "clinic.toml":
        (tmp_path / "config.toml").write_text("", encoding="utf-8")
    result = on_pen("stop", "--json")
    assert (result.code, result.json["stopped"]) == (0, True)
    assert "wrong" in result.err or "TOML" in result.err
    assert on_pen("set", "--zone", "forehead", "--depth", "0.3").code == 7


def test_a_rate_that_is_not_on_the_pens_step_is_said(on_pen: Call) -> None:
    result = on_pen("set", "--zone", "forehead", "--rate", "110.9")
    assert "asked for 110.9 Hz: the pen's nearest step is 111.0 Hz" in result.err
    assert "nearest step" not in on_pen("set", "--zone", "forehead", "--rate", "110").err


def test_a_trace_that_cannot_be_written_is_told_at_the_end(on_pen: Call) -> None:
    result = on_pen("--trace", "/dev/full", "status")
    assert result.code == 0
    assert "the trace /dev/full is not whole" in result.err


def test_a_narrow_terminal_drops_whole_fields() -> None:
    from penstroke.cli.output import _fitted

    line = (
        "SIM running  0:01 left  0.40 mm (set 0.40)  109 Hz (set 110)  1061 strokes  2122/cm²  target 250-300"
    )
    assert _fitted(line, 90).endswith("strokes  2122/cm²")
    assert _fitted(line, 79).endswith(" 1061 strokes 2122/cm²")
    assert _fitted(line, 78).endswith("  1061 strokes")
    assert _fitted(line, 30) == "SIM running  0:01 left"
    assert _fitted(line, 200) == line
