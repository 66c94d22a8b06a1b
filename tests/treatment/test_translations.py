"""The German of what a patient is given: complete, fresh, with the same places, marked as to be reviewed."""

from __future__ import annotations

import importlib.util
import re
import string
from pathlib import Path
from types import ModuleType

import pytest
from visits import ROOT

from penstroke.treatment.language import LANGUAGES


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("translations", ROOT / "scripts" / "translations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


script = _load()


def test_every_language_has_its_catalogue() -> None:
    assert (*LANGUAGES,) == ("en", *script.LANGUAGES)


def test_the_catalogues_are_fresh_and_complete() -> None:
    assert [str(path) for path in script.stale()] == []
    assert script.untranslated("de") == []
    assert len(script.texts()) > 40


def test_every_translation_is_to_be_reviewed() -> None:
    messages = [message for message in script.catalogue("de") if message.id]
    assert all(message.fuzzy for message in messages)
    assert script.catalogue("de").last_translator == "to be reviewed"


def places(text: str) -> set[str | None]:
    return {field for _, field, _, _ in string.Formatter().parse(text)} - {None}


def test_a_translation_has_the_places_of_its_text() -> None:
    for message in script.catalogue("de"):
        if message.id:
            assert places(message.string) == places(message.id), message.id


def elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The German catalogue in another folder, to be spoilt."""
    path: Path = folder / "de" / "LC_MESSAGES" / "penstroke.po"
    path.parent.mkdir(parents=True)
    path.write_bytes(script.po_path("de").read_bytes())
    path.with_suffix(".mo").write_bytes(script.po_path("de").with_suffix(".mo").read_bytes())
    known = script.texts()
    monkeypatch.setattr(script, "LOCALE", folder)
    monkeypatch.setattr(script, "ROOT", folder)
    monkeypatch.setattr(script, "texts", lambda: known)
    return path


def test_a_text_without_a_translation_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere(tmp_path, monkeypatch)
    known = script.texts()
    monkeypatch.setattr(script, "texts", lambda: {**known, "Something new": ["a.py"]})
    assert script.main(["--check"]) == 1
    told = capsys.readouterr().err
    assert "stale: de/LC_MESSAGES/penstroke.po" in told
    assert "not translated to de: 'Something new'" in told
    assert script.main([]) == 0
    assert script.untranslated("de") == ["Something new"]
    assert script.main(["--check"]) == 1


def test_a_review_takes_the_mark_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = elsewhere(tmp_path, monkeypatch)
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"^#, fuzzy(, )?", "#, ", text, flags=re.M), encoding="utf-8")
    assert script.main([]) == 0
    assert "Last-Translator: reviewed" in path.read_text(encoding="utf-8")
    assert script.main(["--check"]) == 0


def test_a_text_that_is_not_plain_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "SOURCE", tmp_path)
    monkeypatch.setattr(script, "ROOT", tmp_path)
    (tmp_path / "a.py").write_text('N_("a" + b)')
    with pytest.raises(ValueError, match="plain text"):
        script.texts()
