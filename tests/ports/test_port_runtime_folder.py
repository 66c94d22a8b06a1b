"""The folder of lock files on a system that provides none."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstroke.ports.runtime_dir import runtime_dir


def test_a_system_without_a_runtime_folder_is_nothing_to_warn_about(
    monkeypatch: pytest.MonkeyPatch, own_home: Path
) -> None:
    monkeypatch.delenv("PENSTROKE_RUNTIME_DIR")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(own_home))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert runtime_dir().is_dir()  # warnings are errors here
