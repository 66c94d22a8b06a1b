"""What a user installs: one wheel with three packages, typed, with its data and entry points."""

from __future__ import annotations

import configparser
import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        check=True,
    )
    [path] = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def in_source(pattern: str) -> set[str]:
    """Files of the three packages, named as in the wheel."""
    found = set()
    for base in ("src", "firmware_protocol", "sim"):
        for package in (ROOT / base).glob("penstroke*"):
            found |= {str(path.relative_to(ROOT / base)) for path in package.rglob(pattern)}
    return found


def test_the_wheel_holds_every_module_and_data_file(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for pattern in ("*.py", "*.csv", "*.svg", "*.toml", "*.typ", "*.mo", "py.typed"):
        assert in_source(pattern) <= names
    assert {"penstroke/py.typed", "penstroke_protocol/py.typed", "penstroke_sim/py.typed"} <= names
    assert "penstroke/data/zones.csv" in names


def test_the_wheel_holds_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "penstroke",
        "penstroke_protocol",
        "penstroke_sim",
    }


def test_a_record_store_can_be_made_from_the_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Its tables are made by migrations, which are found as files of the package."""
    wheel.extractall(tmp_path / "installed")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import penstroke; from penstroke.records.store import open_store\n"
        "with open_store(sys.argv[2]) as store: print(penstroke.__file__, store.head().number)"
    )
    installed, store = tmp_path / "installed", tmp_path / "records.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", code, str(installed), str(store)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.stdout == f"{installed / 'penstroke' / '__init__.py'} 1\n", done.stderr


def test_every_entry_point_leads_somewhere(wheel: zipfile.ZipFile) -> None:
    [name] = [n for n in wheel.namelist() if n.endswith("entry_points.txt")]
    entries = configparser.ConfigParser()
    entries.read_string(wheel.read(name).decode())
    assert set(entries.sections()) == {
        "console_scripts",
        "penstroke.virtual_ports",
        "penstroke.pyserial_handlers",
        "pytest11",
    }
    assert set(entries["console_scripts"]) == {"penstroke", "penstroke-sim"}
    for section in entries.sections():
        for target in entries[section].values():
            module, _, attribute = target.partition(":")
            loaded = importlib.import_module(module)
            assert not attribute or callable(getattr(loaded, attribute)), target


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonical(line.split("==")[0]): line.split("==")[1] for line in lines}


def test_the_lock_pins_what_the_project_asks_for() -> None:
    asked = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["dependency-groups"]["dev"],
        *PROJECT["build-system"]["requires"],
    ]
    pinned = locked()
    for line in asked:
        requirement = Requirement(line)
        version = pinned.get(canonical(requirement.name))
        assert version is not None, f"{requirement.name} is not in constraints.txt: make lock"
        assert version in requirement.specifier, f"{requirement.name} {version}: make lock"
