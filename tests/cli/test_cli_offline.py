"""What the command line does without a pen: zones, plans, settings, help, completion, wrong calls."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from penstroke import __version__
from penstroke.cli import errors
from penstroke.cli.runner import COMMANDS

EXAMPLES = Path(__file__).parents[2] / "examples"


# -- the program itself ------------------------------------------------------------------------------------


def test_version(cli: Callable[..., Any]) -> None:
    assert cli("--version").out == f"penstroke {__version__}\n"
    assert cli("--json", "--version").out == f"penstroke {__version__}\n"


def test_help_lists_every_command(cli: Callable[..., Any]) -> None:
    result = cli("--help")
    assert result.code == 0
    listed = {line.split()[0] for line in result.out.partition("Commands:")[2].splitlines() if line.strip()}
    assert listed == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(cli: Callable[..., Any], command: str) -> None:
    result = cli(command, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: penstroke {command}")


def test_nothing_asked_for_shows_help_and_is_wrong_usage(cli: Callable[..., Any]) -> None:
    result = cli()
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Usage: penstroke")


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("zones", "--nonsense"),
        ("set",),
        ("run", "--zone", "cheek"),
        ("plan", "check"),
        ("completion", "tcsh"),
        ("--port",),
    ],
)
def test_wrong_usage(cli: Callable[..., Any], args: tuple[str, ...]) -> None:
    plain = cli(*args)
    assert (plain.code, plain.out) == (2, "")
    assert plain.err.startswith("error: ")
    assert "--help" in plain.err
    as_json = cli("--json", *args)
    assert as_json.code == 2
    assert as_json.error["code"] == "usage"


def test_imports_stay_small_until_they_are_needed() -> None:
    heavy = "{'pydantic', 'yaml', 'asyncio', 'rich', 'serial.tools.list_ports', 'sqlalchemy'}"
    program = (
        "import sys; from penstroke.cli.main import main; main(sys.argv[1:]);"
        f"print(sorted({heavy} & set(sys.modules)), 'click' in sys.modules, file=sys.stderr)"
    )

    def modules(*args: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, *args], capture_output=True, text=True, check=True
        )
        return done.stderr.splitlines()[-1]

    assert modules("--version") == "[] False"
    assert modules("zones") == "[] True"
    assert modules("stop", "--port", "/dev/nowhere") == "[] True"


def test_an_unforeseen_error_is_one_line_and_a_traceback_only_with_debug(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise KeyError("planted")

    monkeypatch.setattr("penstroke.cli.commands.zones.zone_table", broken)
    plain = cli("zones")
    assert plain.code == 1
    assert plain.err.startswith("error: something unforeseen happened: KeyError: 'planted'\n")
    assert "Traceback" not in plain.err
    assert "Traceback" in cli("zones", "--debug").err
    assert cli("zones", "--json").error["code"] == "internal"


def test_every_error_class_has_an_exit_code() -> None:
    import penstroke.errors as known

    classes = [
        one for one in vars(known).values() if isinstance(one, type) and issubclass(one, known.PenError)
    ]
    codes = {one.__name__: errors.exit_code(one("x")) for one in classes if one is not known.PenError}
    assert codes == {
        "PortError": 4,
        "PortMissing": 4,
        "PortBusy": 4,
        "PortDenied": 4,
        "LinkError": 6,
        "LinkLost": 6,
        "LinkTimeout": 6,
        "ProtocolError": 6,
        "VersionMismatch": 6,
        "Refused": 3,
        "DeviceFault": 5,
        "PlanError": 7,
        "AnswerError": 2,
        "LimitsError": 7,
        "RecordError": 8,
        "Stopped": 130,
    }


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(cli: Callable[..., Any], shell: str) -> None:
    result = cli("completion", shell)
    assert result.code == 0
    assert "_PENSTROKE_COMPLETE" in result.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("penstroke mon", ["monitor"]),
        ("penstroke set --zone peri", ["periorbital"]),
        ("penstroke set --side l", ["left"]),
        ("penstroke plan e", ["estimate"]),
        ("penstroke zones eye", ["eyelid"]),
    ],
)
def test_completion_completes(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, words: str, expected: list[str]
) -> None:
    monkeypatch.setenv("_PENSTROKE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    done = subprocess.run([sys.executable, "-m", "penstroke"], capture_output=True, text=True)
    assert done.stdout.split() == [f"plain,{word}" for word in expected]


# -- zones -------------------------------------------------------------------------------------------------


def test_zones_as_json_is_the_table(cli: Callable[..., Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(files("penstroke.data").joinpath("zones.csv").read_text())))
    zones = cli("zones", "--json").json["zones"]
    assert [zone["zone"] for zone in zones] == [row["zone"] for row in rows]
    for zone, row in zip(zones, rows, strict=True):
        assert zone["id"] == int(row["id"])
        assert zone["sides"] is (row["sides"] == "yes")
        assert zone["start_mm"] == (float(row["start_mm"]) if row["start_mm"] else None)
        assert zone["ceiling_mm"] == float(row["ceiling_mm"])
        assert zone["hard_ceiling_mm"] == float(row["hard_ceiling_mm"])
        assert zone["forbidden"] is (float(row["hard_ceiling_mm"]) == 0)
        assert zone["basis"] == row["basis"]


def test_one_zone(cli: Callable[..., Any]) -> None:
    assert [zone["zone"] for zone in cli("--json", "zones", "cheek").json["zones"]] == ["cheek"]
    text = cli("zones", "cheek").out
    assert "ceiling       1.00 mm" in text
    assert "SkinPen" in text
    assert "no override lifts this" in cli("zones", "eyelid").out


def test_a_port_that_is_none_is_an_error_of_the_library() -> None:
    import penstroke

    nothing: Any = None
    for wrong in (nothing, 7, Path("/dev/ttyACM0")):
        with pytest.raises(penstroke.PortError, match="a port is named by text") as told:
            penstroke.connect(wrong)
        assert told.value.code == "port-invalid"


def test_output_that_cannot_be_written_is_told_as_that(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from penstroke.cli import output

    def full(stream: Any, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output, "_put", full)
    result = cli("zones", "--json")
    assert (result.code, result.error["code"]) == (7, "output-failed")
    assert result.error["message"] == "the output can no longer be written: No space left on device"


@pytest.mark.parametrize("program", ["penstroke.cli.main", "penstroke_sim.cli"])
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_full_disk_is_no_bug_of_the_program(program: str, option: str) -> None:
    command = f"import sys; from {program} import main; sys.exit(main())"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", command, option], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 7
    assert done.stderr.startswith("error: ")
    assert "written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


def test_unknown_zone(cli: Callable[..., Any]) -> None:
    result = cli("zones", "chek", "--json")
    assert (result.code, result.error["code"], result.error["hint"]) == (
        3,
        "zone-unknown",
        "did you mean cheek?",
    )
    assert result.error["zone"] == "chek"


def test_zones_of_a_coarse_pen_say_what_is_out_of_its_reach(cli: Callable[..., Any]) -> None:
    port = "sim://pen?clock=virtual&profile=coarse-tolerance"
    zones = {zone["zone"]: zone for zone in cli("--port", port, "zones", "--json").json["zones"]}
    assert zones["cheek"]["depth_max_mm"] == 0.8
    assert zones["eyelid"]["depth_max_mm"] is None
    reached = {name for name, zone in zones.items() if not zone["out_of_reach"] and not zone["forbidden"]}
    assert zones["periorbital"]["out_of_reach"]
    for name, zone in zones.items():
        # From 0.2 mm on, with 0.15 mm of tolerance.
        assert (name in reached) == (zone["ceiling_mm"] - 0.15 >= 0.2)


def test_zones_needs_no_pen_even_where_a_port_is_set(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTROKE_PORT", "/dev/nowhere")
    assert cli("zones").code == 0


# -- plans -------------------------------------------------------------------------------------------------


def test_plan_in_order(cli: Callable[..., Any]) -> None:
    plan = EXAMPLES / "demo.yaml"
    assert cli("plan", "check", plan).out.startswith(f"{plan}: in order")
    assert cli("plan", "check", plan, "--json").json["ok"] is True


def test_every_violation_of_a_plan_is_listed(cli: Callable[..., Any]) -> None:
    plan = EXAMPLES / "refused_too_deep.yaml"
    result = cli("--json", "plan", "check", plan)
    assert result.code == 3
    assert result.error["code"] == "depth-above-limit"
    codes = {violation["code"] for violation in result.json["violations"]}
    assert codes >= {"depth-above-limit", "zone-forbidden", "side-required", "depth-off-step", "zone-unknown"}
    plain = cli("plan", "check", plan)
    assert plain.code == 3
    assert (
        "zone 1 (periorbital left): 2.00 mm on periorbital is above the 0.30 mm ceiling (set by: zone)"
        in plain.out
    )


def test_a_plan_is_checked_against_the_pen_that_was_named(cli: Callable[..., Any]) -> None:
    port = "sim://pen?clock=virtual&profile=coarse-tolerance"
    result = cli("--port", port, "plan", "check", EXAMPLES / "demo.yaml", "--json")
    assert result.code == 3
    assert {violation["zone"] for violation in result.json["violations"]} >= {"forehead", "periorbital"}


@pytest.mark.parametrize("command", ["check", "estimate", "show"])
def test_unreadable_plans(cli: Callable[..., Any], tmp_path: Path, command: str) -> None:
    broken = tmp_path / "broken.yaml"
    for content in (b"zones: [", b"\xff\xfe\x00", b"[]", b"version: 1\ntitle: x\nzones: []\n"):
        broken.write_bytes(content)
        result = cli("plan", command, broken, "--json")
        assert (result.code, result.error["code"], result.out) == (7, "plan-invalid", "")
    assert cli("plan", command, tmp_path / "nowhere.yaml").code == 7
    assert cli("plan", command, tmp_path).code == 7


def test_plan_estimate(cli: Callable[..., Any]) -> None:
    plan = EXAMPLES / "full_face_rejuvenation.yaml"
    estimate = cli("plan", "estimate", plan, "--json").json
    assert 30 * 60 <= estimate["total_s"] <= 60 * 60
    assert len(estimate["zones"]) == 16
    assert "numbing dwell" in cli("plan", "estimate", plan).out


def test_plan_show(cli: Callable[..., Any]) -> None:
    plan = EXAMPLES / "acne_scars_cheeks.yaml"
    assert cli("plan", "show", plan, "--json").json["title"] == "Acne scars on both cheeks"
    assert "2  cheek right  40        1       0.70      110      6600" in cli("plan", "show", plan).out


def test_plan_schema(cli: Callable[..., Any]) -> None:
    assert "zones" in json.loads(cli("plan", "schema").out)["properties"]


# -- settings ----------------------------------------------------------------------------------------------


def _settings(result: Any) -> dict[str, tuple[Any, str]]:
    return {one["name"]: (one["value"], one["source"]) for one in result.json["config"]}


def test_command_line_over_environment_over_file_over_default(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _settings(cli("config", "--json"))["port"] == ("auto", "default")
    file = tmp_path / "config.toml"
    file.write_text('port = "/dev/from-file"\noperator = "Dr. File"\nusb_ids = ["1234:abcd"]\n')
    monkeypatch.setenv("PENSTROKE_CONFIG", str(file))
    found = _settings(cli("config", "--json"))
    data_dir, source = found["data_dir"]
    assert found == {
        "port": ("/dev/from-file", f"file {file}"),
        "operator": ("Dr. File", f"file {file}"),
        "roster": (str(tmp_path / "roster.toml"), "default"),
        "data_dir": (data_dir, "default"),
        "store": (str(Path(data_dir) / "records.sqlite"), "default"),
        "witness": (str(tmp_path / "records.witness"), "default"),
        "usb_ids": (["1234:abcd"], f"file {file}"),
    }
    assert source == "default"
    monkeypatch.setenv("PENSTROKE_PORT", "/dev/from-env")
    assert _settings(cli("config", "--json"))["port"] == ("/dev/from-env", "environment PENSTROKE_PORT")
    assert _settings(cli("config", "--json", "--port", "x"))["port"] == ("x", "command line")
    assert _settings(cli("--port", "y", "config", "--json"))["port"] == ("y", "command line")
    assert "environment PENSTROKE_PORT" in cli("config").out


def test_the_platforms_own_place_is_read(cli: Callable[..., Any], own_home: Path) -> None:
    file = own_home / ".config" / "penstroke" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('operator = "Dr. Home"\n')
    assert _settings(cli("config", "--json"))["operator"] == ("Dr. Home", f"file {file}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"port = 7\n", "port must be text"),
        (b'prot = "x"\n', "prot is no setting"),
        (b'usb_ids = "1209:0001"\n', "usb_ids must be a list of texts"),
        (b"port = \n", "it is not TOML"),
        (b"\xff\n", "it is not TOML in UTF-8"),
        (b"#" * 100_000, "too large"),
    ],
)
def test_a_wrong_configuration(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, says: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    monkeypatch.setenv("PENSTROKE_CONFIG", str(file))
    for command in ("config", "status", "devices"):
        result = cli(command, "--json")
        assert (result.code, result.error["code"]) == (7, "config-invalid")
        assert says in result.error["message"]


def test_a_named_configuration_must_exist(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTROKE_CONFIG", str(tmp_path / "nowhere.toml"))
    assert cli("config", "--json").error["code"] == "config-invalid"
    monkeypatch.setenv("PENSTROKE_CONFIG", str(tmp_path))
    assert cli("config").code == 7


def test_wrong_usb_identities(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('usb_ids = ["1209"]\n')
    monkeypatch.setenv("PENSTROKE_CONFIG", str(file))
    for command in ("devices", "config"):
        result = cli(command, "--json")
        assert (result.code, result.error["code"], result.out) == (7, "config-invalid", "")


@pytest.mark.req("S-01")
def test_a_clinic_profile_that_cannot_be_read_refuses(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTROKE_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text("")
    clinic = tmp_path / "clinic.toml"
    port = "sim://pen?clock=virtual"
    wish = ("--port", port, "set", "--zone", "forehead", "--depth", "0.3", "--rate", "110", "--json")
    assert cli(*wish).code == 0
    clinic.write_text('name = "Room 2"\n[ceilings_mm]\nforehead = 0.3\n')
    tight = cli(*wish)
    assert (tight.code, tight.error["bound_by"], tight.error["max_mm"]) == (3, "clinic", 0.25)
    assert cli("config", "--json").json["clinic_profile"] == "Room 2"
    clinic.write_text('name = "Room 2"\nceilings = 3\n')
    assert (cli(*wish).code, cli(*wish).error["code"]) == (7, "limits-invalid")
    clinic.unlink()
    clinic.symlink_to(tmp_path / "nowhere")
    assert (cli(*wish).code, cli(*wish).error["code"]) == (7, "limits-invalid")


@pytest.mark.req("S-01")
def test_a_clinic_profile_that_may_be_there_and_cannot_be_reached_refuses(
    on_pen: Callable[..., Any], own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = own_home / ".config" / "penstroke"
    folder.mkdir(parents=True)
    lstat = Path.lstat

    def denied(self: Path) -> Any:
        if self.name == "clinic.toml":
            raise PermissionError(13, "Permission denied")
        return lstat(self)

    monkeypatch.setattr(Path, "lstat", denied)
    result = on_pen("set", "--zone", "forehead", "--depth", "0.3", "--json")
    assert (result.code, result.error["code"]) == (7, "limits-invalid")


# -- ports -------------------------------------------------------------------------------------------------


def test_devices(cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from penstroke.ports import discovery

    pens = (
        discovery.FoundPen("/dev/ttyACM0", discovery.UsbId(0x1209, 1), "A1", "pen"),
        discovery.FoundPen("/dev/ttyACM1", discovery.UsbId(0x1209, 1), "", ""),
    )
    monkeypatch.setattr(discovery, "find_pens", lambda _ids=(): pens)
    assert cli("devices", "--json").json == {
        "devices": [
            {"port": "/dev/ttyACM0", "serial": "A1", "product": "pen", "usb": "1209:0001"},
            {"port": "/dev/ttyACM1", "serial": None, "product": None, "usb": "1209:0001"},
        ]
    }
    assert "/dev/ttyACM0  A1" in cli("devices").out
    for command in ("status", "stop"):
        both = cli(command, "--json")
        assert (both.code, both.error["code"]) == (4, "port-ambiguous")
        assert both.error["ports"] == ["/dev/ttyACM0", "/dev/ttyACM1"]


def test_no_pen_is_an_error_and_the_simulator_is_never_taken_silently(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from penstroke.ports import discovery

    monkeypatch.setattr(discovery, "find_pens", lambda _ids=(): ())
    assert cli("devices", "--json").json == {"devices": []}
    result = cli("status", "--json")
    assert (result.code, result.error["code"], result.out) == (4, "port-missing", "")
    assert "sim://" in result.error["hint"]


@pytest.mark.parametrize(
    "port", ["/dev/nowhere", "serial:NOPE", "http://localhost", "sim://pen?clock=virtual&sed=1", "x://y", ""]
)
@pytest.mark.parametrize("command", ["status", "faults", "stop", "monitor"])
def test_ports_that_cannot_be_used(cli: Callable[..., Any], port: str, command: str) -> None:
    result = cli("--port", port, command, "--json")
    assert (result.code, result.out) == (4, "")
    assert result.error["code"].startswith("port-")
