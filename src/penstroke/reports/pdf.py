"""A report as PDF, set by Typst (extra `report`): PDF/A-2a and PDF/UA-1, both at once.

Of the standards that Typst knows, PDF/UA-1 goes together with PDF/A-1, -2 and -3 and not with -4, which is
of PDF 2.0; of those, 2a asks for most: tags, and text that can be copied out again. Typst itself refuses to
write what it finds to break a standard it was asked for. A report is set with the fonts within Typst, so that
it looks alike everywhere; a sign they lack comes from a font of the machine, or is named by its number.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from penstroke.errors import PenError
from penstroke.reports.parts import Block, Cell, Facts, Figure, Listing, Notice, Report, Table
from penstroke.reports.plain import clean

STANDARDS: Final = ("a-2a", "ua-1")
"""What every report is written to."""
FONT = "Libertinus Serif"
"""The face of text in drawings; it comes with Typst."""

_TEMPLATE = Path(__file__).parent.parent / "data" / "report.typ"


def pdf_report(report: Report) -> bytes:
    """The PDF. The same report gives the same bytes.

    Raises `PenError` (`report-needs-typst`) where Typst is not installed, and (`report-failed`) where it
    cannot set this report.
    """
    try:
        import typst
    except ImportError:
        raise PenError(
            "a report as PDF needs Typst, which is not installed",
            code="report-needs-typst",
            hint="pip install 'penstroke[report]', or choose --format html",
        ) from None
    text = json.dumps(_values(report), ensure_ascii=False)
    # A sign without a glyph is what a text can break a standard with; the machine's own fonts may have it.
    tries = ((text, False), (text, True), (_spelled(text), False))
    problem: Exception | None = None
    for told, machine in tries:
        fonts = typst.Fonts(include_system_fonts=machine, include_embedded_fonts=True)
        compiler = typst.Compiler(_TEMPLATE.read_bytes(), font_paths=fonts, sys_inputs={"report": told})
        try:
            pdf = compiler.compile(format="pdf", pdf_standards=[*STANDARDS])
        except typst.TypstError as error:
            problem = error
        else:
            return bytes(pdf)  # type: ignore[arg-type]  # of one file there are never several
    message = f"the report cannot be set: {problem}"
    raise PenError(message, code="report-failed", hint="choose --format html") from problem


_COMMON = re.compile(
    r"[^\x00-\u024f\u0370-\u03ff\u0400-\u04ff\u2010-\u2027\u2030-\u203a\u2190-\u2193≈≤≥−²³µ€]"
)


def _spelled(text: str) -> str:
    """The text with every rarer sign named by its number."""
    return _COMMON.sub(lambda sign: f"[U+{ord(sign[0]):04X}]", text)


def _values(report: Report) -> dict[str, Any]:
    digits = [int(part) for part in re.findall(r"\d+", report.begun_utc)[:5]]
    return {
        "lang": report.lang,
        "title": clean(report.title),
        "subtitle": clean(report.subtitle),
        "author": "penstroke",
        "date": digits if len(digits) == 5 else [1970, 1, 1, 0, 0],
        "mark": report.mark,
        "mark_text": report.mark_text,
        "foot": [clean(line) for line in report.foot],
        "sections": [
            {"title": section.title, "blocks": [_block(block) for block in section.blocks]}
            for section in report.sections
        ],
    }


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Facts(rows):
            return {"kind": "facts", "rows": [[name, _cell(cell)] for name, cell in rows]}
        case Table():
            return {
                "kind": "table",
                "caption": block.caption,
                "headers": list(block.headers),
                "rows": [[_cell(cell) for cell in row] for row in block.rows],
                "right": sorted(block.right),
                "widths": list(block.widths),
            }
        case Listing(items):
            return {"kind": "listing", "items": [_cell(item) for item in items]}
        case Notice(items):
            return {"kind": "notice", "items": [clean(item) for item in items]}
        case Figure():
            return {"kind": "figure", "svg": block.svg, "alt": clean(block.alt), "share": block.share}


def _cell(cell: Cell) -> dict[str, str]:
    return {"text": clean(cell.text), "old": clean(cell.old), "note": clean(cell.note)}
