"""Draws docs/images/report-*.png: the pages of a report of a plan treated on a simulated pen.

Usage: report_picture.py FOLDER
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import typst

ROOT = Path(__file__).resolve().parents[1]
PAGES = (1, 2)
PPI = 100


def penstroke(home: Path, *args: str) -> str:
    """Calls the command line with records of its own; what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTROKE_")}
    done = subprocess.run(
        [sys.executable, "-m", "penstroke", *args],
        cwd=ROOT / "examples",
        env={**environment, "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def report(home: Path) -> Path:
    """The report of a treatment made for it, as a file."""
    people = ["--patient", "P-2041", "--operator", "Dr. Ada Example", "--roster", "roster.toml"]
    port = "sim://pen?clock=virtual&seed=1"
    penstroke(home, "--port", port, "treat", "demo.yaml", *people, "--answers", "answers.yaml", "--yes")
    (row,) = json.loads(penstroke(home, "--json", "records", "list"))["records"]
    file = home / "report.pdf"
    penstroke(home, "records", "report", row["id"], "--format", "pdf", "--out", str(file))
    return file


def picture(pdf: Path, page: int) -> bytes:
    """One page of a PDF as PNG."""
    text = f'#set page(width: auto, height: auto, margin: 0pt)\n#image("{pdf.name}", page: {page})'
    source = pdf.with_suffix(".typ")
    source.write_text(text)
    png = typst.compile(source, format="png", ppi=PPI)
    if not isinstance(png, bytes):
        raise TypeError("one page makes one picture")
    return png


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        file = report(Path(name))
        for page in PAGES:
            target = folder / f"report-{page}.png"
            target.write_bytes(picture(file, page))
            print(f"wrote {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
