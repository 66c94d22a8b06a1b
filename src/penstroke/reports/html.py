"""A report as one HTML page: nothing to fetch, nothing to run, made to be printed on A4.

Every text is escaped, whoever wrote it. State is told in words and line styles, never by colour alone, and
every text has a contrast of at least 7 to 1 on its ground.
"""

from __future__ import annotations

from penstroke.reports.parts import Block, Cell, Facts, Figure, Listing, Notice, Report, Table
from penstroke.reports.plain import markup

_STYLE = """
:root { color-scheme: light; }
@page { size: A4; margin: 16mm 15mm 18mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 52rem; background: #fff; color: #111;
  font: 15px/1.4 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 1.4rem 0 .4rem; padding-bottom: .15rem; border-bottom: 2px solid #1b2a41;
  break-after: avoid; }
.subtitle { margin: .2rem 0 0; font-size: 1.05rem; }
.mark { border: 3px solid #8c1d18; color: #8c1d18; background: #fff; padding: .4rem .8rem; margin: 0 0 1rem;
  font-weight: bold; }
.mark strong { letter-spacing: .15em; }
.across { position: fixed; inset: 0; display: flex; align-items: center; justify-content: center;
  pointer-events: none; z-index: 1; }
.across span { transform: rotate(-45deg); font-size: min(13vw, 7rem); font-weight: bold; color: #666;
  opacity: .16; letter-spacing: .1em; white-space: nowrap;
  -webkit-print-color-adjust: exact; print-color-adjust: exact; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .15rem 1rem;
  margin: 0 0 .6rem; }
dt { font-weight: bold; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: 0 0 .8rem; font-size: .87em; }
caption { text-align: left; font-weight: bold; padding: .2rem 0; }
th, td { border: 1px solid #6b6b6b; padding: .2rem .4rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
th { border-bottom: 2px solid #1b2a41; }
td.number, th.number { text-align: right; white-space: nowrap; }
tr, figure, .notice { break-inside: avoid; }
del { text-decoration: line-through; margin-right: .4em; }
ins { text-decoration: none; font-weight: bold; }
.note { display: block; font-style: italic; }
.notice { border: 2px solid #111; border-left-width: 10px; padding: .4rem .8rem; margin: 0 0 .8rem; }
.notice ul, .plain { margin: 0; padding-left: 1.1rem; }
.notice li { font-weight: bold; overflow-wrap: anywhere; }
figure { margin: 0 auto .8rem; }
figure svg { display: block; width: 100%; height: auto; -webkit-print-color-adjust: exact;
  print-color-adjust: exact; }
footer { margin-top: 1.4rem; padding-top: .4rem; border-top: 2px solid #1b2a41; font-size: .8em;
  overflow-wrap: anywhere; }
footer p { margin: .15rem 0; }
@media print {
  body { padding: 0; max-width: none; font-size: 9.2pt; line-height: 1.3; }
  h2 { margin-top: .8rem; }
  figure svg { max-height: 118mm; }
  td, th { padding: .1rem .3rem; }
}
"""


def html_report(report: Report) -> str:
    """The page, as text to be written in UTF-8."""
    mark = f'<p class="mark"><strong>{markup(report.mark)}</strong> · {markup(report.mark_text)}</p>'
    across = f'<div class="across" aria-hidden="true"><span>{markup(report.mark)}</span></div>'
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="{markup(report.lang)}">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        # Nothing may be fetched, even by a text that slipped through.
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{markup(report.title)} – {markup(report.subtitle)}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        across if report.mark else "",
        "<header>",
        mark if report.mark else "",
        f"<h1>{markup(report.title)}</h1>",
        f'<p class="subtitle">{markup(report.subtitle)}</p>',
        "</header>",
        "<main>",
    ]
    for section in report.sections:
        parts += [
            "<section>",
            f"<h2>{markup(section.title)}</h2>",
            *map(_block, section.blocks),
            "</section>",
        ]
    parts += ["</main>", "<footer>", *(f"<p>{markup(line)}</p>" for line in report.foot), "</footer>"]
    parts += ["</body>", "</html>", ""]
    return "\n".join(part for part in parts if part != "") + "\n"


def _block(block: Block) -> str:
    match block:
        case Facts(rows):
            return (
                "<dl>"
                + "".join(f"<dt>{markup(name)}</dt><dd>{_cell(cell)}</dd>" for name, cell in rows)
                + "</dl>"
            )
        case Table():
            return _table(block)
        case Listing(items):
            return '<ul class="plain">' + "".join(f"<li>{_cell(item)}</li>" for item in items) + "</ul>"
        case Notice(items):
            lines = "".join(f"<li>{markup(item)}</li>" for item in items)
            return f'<div class="notice" role="note"><ul>{lines}</ul></div>'
        case Figure():
            # The picture tells what it shows by its own title, which is made from the same words as `alt`.
            return f'<figure style="max-width:{block.share * 100:g}%">{block.svg}</figure>'


def _table(table: Table) -> str:
    def kind(column: int) -> str:
        return ' class="number"' if column in table.right else ""

    columns = "".join(f'<col style="width:{width}%">' for width in table.widths)
    head = "".join(
        f'<th scope="col"{kind(column)}>{markup(header)}</th>' for column, header in enumerate(table.headers)
    )
    rows = "".join(
        "<tr>" + "".join(f"<td{kind(column)}>{_cell(cell)}</td>" for column, cell in enumerate(row)) + "</tr>"
        for row in table.rows
    )
    return (
        f"<table><caption>{markup(table.caption)}</caption>"
        + (f"<colgroup>{columns}</colgroup>" if columns else "")
        + f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _cell(cell: Cell) -> str:
    text = markup(cell.text)
    if cell.old:
        text = f"<del>{markup(cell.old)}</del> <ins>{text}</ins>"
    return text + (f' <span class="note">{markup(cell.note)}</span>' if cell.note else "")
