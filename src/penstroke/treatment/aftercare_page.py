"""The dated directions as a patient gets them: plain text, and one page of HTML to print.

The page carries its own style and asks nothing of the network: it looks the same from any disk, and on paper.
"""

from __future__ import annotations

import datetime
from html import escape

from penstroke.treatment.language import N_, Language
from penstroke.treatment.steps.aftercare import CALL, Directions

DIRECTIONS = N_("Directions")
EXPECTED = N_("What is usual")
PATIENT = N_("Patient")
TREATED_ON = N_("Treated on")
UNREVIEWED = N_("This translation has not been reviewed by a clinician yet.")
SIMULATED = N_("SIMULATED: nobody was treated.")
TIMES = N_("All times are local.")

_WIDTH = 92

_STYLE = """
@page { size: A4; margin: 15mm 18mm }
body { font: 12pt/1.45 Georgia, serif; color: #000; background: #fff; max-width: 42em; margin: 2em auto }
h1 { font-size: 1.5em; margin: 0 0 .3em } h2 { font-size: 1.1em; margin: 1.3em 0 .3em }
p.who { border-top: 1px solid #000; border-bottom: 1px solid #000; padding: .4em 0 }
p.mark { border: 2px solid #000; padding: .4em .6em; font-weight: bold }
li { margin: .35em 0; break-inside: avoid } ul.boxes { list-style: "\\2610\\00a0\\00a0" }
footer { margin-top: 1.5em; font-size: .85em }
@media print { body { margin: 0; max-width: none; font-size: 10.5pt } p { margin: .6em 0 } }
"""


def sections(directions: Directions) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each heading, in English, with its sentences; empty ones are left out."""
    found = (
        (DIRECTIONS, directions.directions),
        (EXPECTED, directions.expected),
        (CALL, directions.call),
    )
    return tuple((heading, lines) for heading, lines in found if lines)


def as_text(
    directions: Directions,
    language: Language,
    *,
    patient: str,
    treated: datetime.date,
    simulated: bool = False,
) -> str:
    """The page as plain text."""
    say = language.text
    lines = [directions.title, "=" * len(directions.title), ""]
    lines += [f"! {say(one)}" for one in _marks(language, simulated)]
    lines += [f"{say(PATIENT)}: {patient}   {say(TREATED_ON)}: {language.full_day(treated)}", ""]
    lines += [*_wrapped(directions.intro, "")]
    for heading, sentences in sections(directions):
        lines += ["", say(heading), "-" * len(say(heading))]
        for sentence in sentences:
            lines += _wrapped(sentence, "- ")
    return "\n".join([*lines, "", say(TIMES)]) + "\n"


def as_html(
    directions: Directions,
    language: Language,
    *,
    patient: str,
    treated: datetime.date,
    simulated: bool = False,
) -> str:
    """The page as HTML, whole in itself."""

    def say(text: str) -> str:
        return escape(language.text(text))

    parts = [
        f"<h1>{escape(directions.title)}</h1>",
        *[f'<p class="mark">{say(one)}</p>' for one in _marks(language, simulated)],
        f'<p class="who">{say(PATIENT)}: <b>{escape(patient)}</b> &#160; '
        f"{say(TREATED_ON)}: <b>{escape(language.full_day(treated))}</b></p>",
        f"<p>{escape(directions.intro)}</p>",
    ]
    for heading, sentences in sections(directions):
        boxes = ' class="boxes"' if heading == DIRECTIONS else ""
        items = "\n".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
        parts.append(f"<h2>{say(heading)}</h2>\n<ul{boxes}>\n{items}\n</ul>")
    parts.append(f"<footer>{say(TIMES)}</footer>")
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="{language.code}">\n<head>\n<meta charset="utf-8"/>\n'
        f"<title>{escape(directions.title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _marks(language: Language, simulated: bool) -> list[str]:
    return [*([SIMULATED] if simulated else []), *([] if language.reviewed else [UNREVIEWED])]


def _wrapped(text: str, mark: str) -> list[str]:
    from textwrap import wrap

    return wrap(text, _WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark))
