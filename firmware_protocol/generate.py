"""Writes what follows from the declared messages and the clinical zone table; `--check` only looks.

python firmware_protocol/generate.py            write what is stale
python firmware_protocol/generate.py --check    write nothing; exit 1 and name what is stale
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from generator.headers import messages_h, zones_h
from generator.markdown import filled
from generator.vectors import bad_json, streams_json, valid_json
from generator.zone_source import module_text, read_zones

HERE = Path(__file__).resolve().parent
ZONES_CSV = HERE.parent / "src" / "penstroke" / "data" / "zones.csv"
SPECIFICATION = HERE / "README.md"


def generated() -> dict[Path, str]:
    """Every generated file and the text it must have."""
    zones = read_zones(ZONES_CSV)
    return {
        HERE / "penstroke_protocol" / "zone_table.py": module_text(zones),
        HERE / "c" / "pen_messages.h": messages_h(),
        HERE / "c" / "pen_zones.h": zones_h(zones),
        HERE / "vectors" / "valid.json": valid_json(),
        HERE / "vectors" / "bad.json": bad_json(),
        HERE / "vectors" / "streams.json": streams_json(),
        SPECIFICATION: filled(SPECIFICATION.read_text(encoding="utf-8"), zones),
    }


def stale() -> dict[Path, str]:
    """The generated files whose text is not what it must be."""
    return {
        path: text
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def main(arguments: list[str] | None = None) -> int:
    """0 when everything is fresh, or was written; 1 when `--check` found something stale."""
    parser = argparse.ArgumentParser(description="Writes what follows from the declared messages.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 naming what is stale")
    check = parser.parse_args(arguments).check
    found = stale()
    for path, text in found.items():
        name = path.relative_to(HERE.parent)
        if check:
            print(f"stale: {name} (make generate writes it anew)", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"written: {name}")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main())
