"""Settings and where each came from: command line over environment over file over default.

No setting can loosen a limit. The clinic's profile lies in `clinic.toml` beside the configuration file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from penstroke.errors import PlanError

CONFIG_ENV = "PENSTROKE_CONFIG"
_LARGEST_BYTES = 64 * 1024
"""Far above any real file; it keeps a wrong name (a device, a disk image) from being read whole."""


@dataclass(frozen=True, slots=True)
class Key:
    """One setting there is."""

    name: str
    meaning: str
    env: str
    """Name of its environment variable; empty where it has none."""
    kind: type
    """`str`, or `list` for a list of texts."""


KEYS: tuple[Key, ...] = (
    Key("port", "port of the pen, or auto", "PENSTROKE_PORT", str),
    Key("operator", "who treats; written into journals", "PENSTROKE_OPERATOR", str),
    Key("roster", "file of the names and roles of those who work here", "PENSTROKE_ROSTER", str),
    Key("data_dir", "folder of the records", "PENSTROKE_DATA_DIR", str),
    Key("store", "file or database URL of the records", "PENSTROKE_STORE", str),
    Key("witness", "second file that keeps the head of the records", "PENSTROKE_WITNESS", str),
    Key("usb_ids", "USB identities (VID:PID) looked for beside 1209:0001", "", list),
)
"""Every setting; anything else in the file is an error, since a slip of the keyboard must not go unseen."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it came from: `command line`, `environment NAME`, `file PATH` or `default`."""

    name: str
    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Config:
    """All settings in force."""

    settings: tuple[Setting, ...]
    file: Path
    """The configuration file, whether it exists or not."""

    def __getitem__(self, name: str) -> Any:
        return next(setting.value for setting in self.settings if setting.name == name)

    @property
    def clinic_file(self) -> Path:
        """The clinic's profile, whether it exists or not."""
        return self.file.with_name("clinic.toml")

    @property
    def aftercare_folder(self) -> Path:
        """The clinic's own aftercare templates, whether there are any or not."""
        return self.file.with_name("aftercare")

    @property
    def journals(self) -> Path:
        """The folder of the treatments' journals."""
        return Path(self["data_dir"]) / "journals"


def config_file(environ: Mapping[str, str]) -> Path:
    """The file that `PENSTROKE_CONFIG` names, or the platform's own place."""
    named = environ.get(CONFIG_ENV, "")
    return (
        Path(named) if named else platformdirs.user_config_path("penstroke", appauthor=False) / "config.toml"
    )


def load_config(
    environ: Mapping[str, str], flags: Mapping[str, str | None], *, with_file: bool = True
) -> Config:
    """Settings from the command line's `flags`, the environment, the file and the defaults.

    `with_file` False leaves the file out, whatever is in it.

    Raises `PlanError` (`config-invalid`) where the file is unreadable, malformed, or was named and is not
    there.
    """
    file = config_file(environ)
    written = _read(file, required=bool(environ.get(CONFIG_ENV))) if with_file else {}
    defaults: dict[str, Any] = {
        "port": "auto",
        "operator": "",
        "roster": str(file.with_name("roster.toml")),
        "data_dir": str(platformdirs.user_data_path("penstroke", appauthor=False)),
        # Beside the configuration, not beside the records: whoever replaces one folder has not both.
        "witness": str(file.with_name("records.witness")),
        "usb_ids": [],
    }
    settings = []
    for key in KEYS:
        flag = flags.get(key.name)
        if flag is not None:
            settings.append(Setting(key.name, flag, "command line"))
        elif key.env and environ.get(key.env):
            settings.append(Setting(key.name, environ[key.env], f"environment {key.env}"))
        elif key.name in written:
            settings.append(Setting(key.name, written[key.name], f"file {file}"))
        elif key.name == "store":
            folder = next(setting.value for setting in settings if setting.name == "data_dir")
            settings.append(Setting(key.name, str(Path(folder) / "records.sqlite"), "default"))
        else:
            settings.append(Setting(key.name, defaults[key.name], "default"))
    return Config(tuple(settings), file)


def _read(file: Path, *, required: bool) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            raw = opened.read(_LARGEST_BYTES + 1)
        if len(raw) > _LARGEST_BYTES:
            raise _wrong(file, "it is too large for a configuration")
        written = tomllib.loads(raw.decode("utf-8"))
    except FileNotFoundError:
        if required:
            raise _wrong(file, f"it is not there ({CONFIG_ENV} names it)") from None
        return {}
    except OSError as problem:
        raise _wrong(file, problem.strerror or "it cannot be read") from problem
    except ValueError as problem:
        raise _wrong(file, f"it is not TOML in UTF-8 ({problem})") from problem
    by_name = {key.name: key for key in KEYS}
    for name, value in written.items():
        if name not in by_name:
            raise _wrong(file, f"{name} is no setting; there are {', '.join(by_name)}")
        if not _fits(value, by_name[name].kind):
            kind = "a list of texts" if by_name[name].kind is list else "text"
            raise _wrong(file, f"{name} must be {kind}")
    return written


def _fits(value: object, kind: type) -> bool:
    if kind is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, kind)


def _wrong(file: Path, problem: str) -> PlanError:
    return PlanError(
        f"the configuration {file} is wrong: {problem}",
        code="config-invalid",
        hint="correct or remove the file",
    )
