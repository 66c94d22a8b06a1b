"""Writes the catalogues of what a patient is given: src/penstroke/locale/*/LC_MESSAGES/penstroke.po and .mo.

python scripts/translations.py            write what is stale
python scripts/translations.py --check    write nothing; exit 1 and name what is stale or untranslated

Texts are found where they are marked, `N_("...")`, and in the packaged aftercare templates. A new text gets
an empty translation in the .po file, to be filled in by hand. Every translation carries the flag `fuzzy`
until a clinician who speaks the language has reviewed it and takes the flag away; the page says so till then.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import io
import sys
import tomllib
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "penstroke"
LOCALE = SOURCE / "locale"
LANGUAGES = ("de",)
TO_BE_REVIEWED, REVIEWED = "to be reviewed", "reviewed"

# Not the time of the run: the same texts make the same files.
_ANY_TIME = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def texts() -> dict[str, list[str]]:
    """Every text to be translated, and the files it stands in."""
    found: dict[str, list[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "N_(" not in source:
            continue  # nearly all of them: reading is quick, parsing is not
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "N_":
                (text,) = node.args
                if not isinstance(text, ast.Constant) or not isinstance(text.value, str):
                    raise ValueError(f"{path}: N_() needs a plain text")
                _add(found, text.value, path)
    for path in sorted((SOURCE / "data" / "aftercare").glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for text in (table["title"], table["intro"]):
            _add(found, text, path)
        for key in ("direction", "expected", "call"):
            for row in table.get(key, []):
                _add(found, row["text"], path)
    return found


def _add(found: dict[str, list[str]], text: str, path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    places = found.setdefault(text, [])
    if name not in places:
        places.append(name)


def catalogue(language: str) -> Catalog:
    """The catalogue as it should be: today's texts, with the translations that there are."""
    path = po_path(language)
    old = Catalog(locale=language)
    if path.exists():
        with path.open("rb") as file:
            old = read_po(file, locale=language)
    found = Catalog(
        locale=language,
        project="penstroke",
        version="1",
        copyright_holder="The penstroke project",
        creation_date=_ANY_TIME,
        revision_date=_ANY_TIME,
        language_team=language,
        msgid_bugs_address="the penstroke project",
        fuzzy=False,
        header_comment="# What a patient is given, for scripts/translations.py. What is marked `fuzzy`\n"
        "# is to be reviewed by a clinician who speaks the language.",
    )
    for text, places in texts().items():
        known = old.get(text)
        flags = known.flags if known is not None else {"fuzzy"}
        found.add(
            text,
            known.string if known is not None else "",
            locations=[(place, None) for place in places],
            flags=[flag for flag in flags if flag == "fuzzy"],
        )
    open_ones = any(message.fuzzy for message in found if message.id)
    found.last_translator = TO_BE_REVIEWED if open_ones else REVIEWED
    return found


def files(language: str) -> dict[Path, bytes]:
    """What the files of this language should hold."""
    made = catalogue(language)
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, made, width=100, include_lineno=False, sort_output=False)
    write_mo(mo, made, use_fuzzy=True)
    return {po_path(language): po.getvalue(), po_path(language).with_suffix(".mo"): mo.getvalue()}


def po_path(language: str) -> Path:
    """Where the translations of a language are written by hand."""
    return LOCALE / language / "LC_MESSAGES" / "penstroke.po"


def untranslated(language: str) -> list[str]:
    """Texts without a translation."""
    return [str(message.id) for message in catalogue(language) if message.id and not message.string]


def stale() -> list[Path]:
    """Files that are not as they should be."""
    return [
        path
        for language in LANGUAGES
        for path, content in files(language).items()
        if not path.exists() or path.read_bytes() != content
    ]


def main(arguments: list[str]) -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args(arguments).check
    problems = 0
    for path in stale():
        if check:
            print(f"stale: {path.relative_to(ROOT)}; run python scripts/translations.py", file=sys.stderr)
            problems += 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files(path.parts[-3])[path])
        print(f"wrote {path.relative_to(ROOT)}")
    for language in LANGUAGES:
        for text in untranslated(language):
            print(f"not translated to {language}: {text!r}", file=sys.stderr)
            problems += check
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
