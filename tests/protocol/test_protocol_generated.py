"""What is generated is fresh, says when it is not, and compiles."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import generate
from penstroke_protocol import messages as m
from penstroke_protocol.zone_table import ZONE_DIGEST, ZONES

ROOT = Path(__file__).resolve().parents[2]
HEADERS = ROOT / "firmware_protocol" / "c"
PROGRAM = r"""
#include "pen_messages.h"
#include "pen_zones.h"
#include "pen_messages.h"
#include "pen_zones.h"
#include <inttypes.h>
#include <stdio.h>

int main(void) {
    printf("hash %" PRIu32 "\n", PEN_MOTION_HASH);
    printf("digest %" PRIu64 "\n", PEN_ZONE_DIGEST);
#define ROW(name, code, bytes, motion, epoch, observer, answer) \
    printf("%s %d %d %d %d %d %d\n", #name, code, bytes, motion, epoch, observer, answer); \
    if (PEN_##name##_CODE != (code) || PEN_##name##_BYTES != (bytes)) return 1;
    PEN_REQUESTS(ROW)
#undef ROW
#define ROW(number, name, sided, hard) printf("%d %s %d %d\n", number, #name, sided, hard);
    PEN_ZONES(ROW)
#undef ROW
    printf("%d %u\n", PEN_TELEMETRY_TEMPERATURE_DC_MIN, PEN_START_LONGEST_MS_OFFSET);
    printf("%" PRIu64 " %" PRIu32 "\n", PEN_ARM_TREATMENT_MAX, PEN_START_LONGEST_MS_MAX);
    printf("%d %d %d\n", PEN_REASON_STALE_EPOCH, PEN_FAULT_POWER_CYCLE, PEN_STATE_RUNNING);
    return 0;
}
"""


def test_every_generated_file_is_fresh() -> None:
    """`make generate` writes them anew."""
    assert [str(path.relative_to(ROOT)) for path in generate.stale()] == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A tree of its own with all that the generator reads."""
    ignore = shutil.ignore_patterns("__pycache__")
    for part in ("firmware_protocol", "sim/penstroke_sim"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignore)
    table = tmp_path / "src" / "penstroke" / "data"
    table.mkdir(parents=True)
    shutil.copy(ROOT / "src" / "penstroke" / "data" / "zones.csv", table)
    return tmp_path


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as `make generate` and `make lint` run it, on the copy's own packages."""
    return subprocess.run(
        [sys.executable, "-B", "firmware_protocol/generate.py", *arguments],
        cwd=copy,
        env={"PYTHONPATH": f"{copy / 'firmware_protocol'}:{copy / 'sim'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_check_names_what_is_stale_and_writes_nothing(copy: Path) -> None:
    table = copy / "src" / "penstroke" / "data" / "zones.csv"
    table.write_text(table.read_text().replace("8,cheek,yes,0.50,1.00,1.50", "8,cheek,yes,0.50,1.00,1.25"))
    header = copy / "firmware_protocol" / "c" / "pen_messages.h"
    header.unlink()

    checked = run(copy, "--check")

    assert checked.returncode == 1
    for name in ("pen_messages.h", "pen_zones.h", "zone_table.py", "README.md"):
        assert name in checked.stderr
    assert "valid.json" not in checked.stderr
    assert not header.exists()

    assert run(copy).returncode == 0
    assert "ZONE(8, CHEEK, 1, 1250)" in (copy / "firmware_protocol" / "c" / "pen_zones.h").read_text()
    # The digest of the new zone table is in the vectors, too, and only the next start of Python knows it.
    assert run(copy).returncode == 0
    assert run(copy, "--check").returncode == 0


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("8,cheek", "9,cheek", "numbered"),
        ("1.00,1.50", "1.00,1.5004", "whole micrometres"),
        ("8,cheek,yes", "8,cheek,maybe", "yes or no"),
    ],
)
def test_a_zone_table_that_no_device_could_hold_is_refused(
    copy: Path, old: str, new: str, complaint: str
) -> None:
    table = copy / "src" / "penstroke" / "data" / "zones.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    done = run(copy)
    assert done.returncode == 1
    assert complaint in done.stderr


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_the_c_headers_compile_and_say_what_python_says(tmp_path: Path) -> None:
    source, program = tmp_path / "main.c", tmp_path / "main"
    source.write_text(PROGRAM)
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wpedantic", "-Wshadow", "-Wconversion"]
    command = ["gcc", *flags, "-I", str(HEADERS), "-o", str(program), str(source)]
    subprocess.run(command, check=True, timeout=60)
    printed = subprocess.run([program], check=True, timeout=60, capture_output=True, text=True).stdout

    requests = [
        f"{_upper(cls.__name__)} {code} {cls.layout.packer.size} {int(cls.spec.motion)} "
        f"{int(cls.spec.epoch)} {int(cls.spec.observer)} {cls.spec.answer.layout.packer.size}"
        for code, cls in sorted(m.REQUESTS.items())
    ]
    zones = [f"{z.number} {z.name.upper()} {int(z.sided)} {z.hard_ceiling_um}" for z in ZONES]
    assert printed.splitlines() == [
        f"hash {m.MOTION_HASH}",
        f"digest {ZONE_DIGEST}",
        *requests,
        *zones,
        "-32768 6",
        f"{(1 << 64) - 1} 600000",
        f"{m.Reason.STALE_EPOCH} {int(m.POWER_CYCLE)} {m.State.RUNNING}",
    ]


def _upper(name: str) -> str:
    return "".join("_" * (char.isupper() and at > 0) + char.upper() for at, char in enumerate(name))
