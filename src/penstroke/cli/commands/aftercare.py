"""`penstroke aftercare`: the directions for the patient of a treatment, as text or as a page to print."""

from __future__ import annotations

from pathlib import Path

import click

from penstroke.cli.app import PenCommand, current
from penstroke.cli.errors import UsageProblem
from penstroke.cli.output import emit, show
from penstroke.cli.store import find_treatment, open_records, store_option
from penstroke.errors import PlanError
from penstroke.treatment.language import LANGUAGES, language
from penstroke.treatment.table import Step


@click.command("aftercare", cls=PenCommand)
@click.argument("record_id", metavar="[ID]", required=False)
@click.option("--language", "code", type=click.Choice(LANGUAGES), help="Else as recorded, or English.")
@click.option("--template", metavar="NAME", help="Else as recorded, or the standard one.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write one page to print into this file, which must not exist yet.",
)
@store_option
@click.pass_context
def command(
    ctx: click.Context, record_id: str | None, code: str | None, template: str | None, html: Path | None
) -> None:
    """Print the aftercare directions of treatment ID, dated for its patient; else of the newest treatment.

    Works as soon as needling has ended, while `treat` still waits for the page to be handed over.
    """
    from penstroke.treatment.aftercare_page import as_html, as_text
    from penstroke.treatment.roster import Roster
    from penstroke.treatment.session import Background, Session
    from penstroke.treatment.steps.aftercare import dated
    from penstroke.treatment.templates import load_templates

    app = current(ctx)
    templates = load_templates(app.config.aftercare_folder)
    with open_records(app, readonly=True) as store:
        treatment = find_treatment(store, _newest(store.treatment_ids()) if record_id is None else record_id)
        entries = list(store.entries(treatment, kinds=["opened", "step", "zone"]))
    if "patient" not in entries[0].body:
        raise UsageProblem(f"{treatment} is a run at the bench: nobody was treated", code="record-unknown")
    session = Session.replay(entries, Background(Roster(()), (), templates))
    ended = session.needling_ended
    if ended is None:
        raise UsageProblem(
            f"needling has not ended in treatment {treatment}", hint="the dates count from there"
        )
    recorded = session.steps[Step.AFTERCARE].answers
    name = template or str(recorded.get("template", "standard"))
    if name not in templates:
        raise UsageProblem(f"there is no template {name}", hint=f"there are {', '.join(templates)}")
    words_of = language(code or str(recorded.get("language", "en")))
    directions = dated(templates[name], ended, session.next_session(ended.date()), words_of)
    day, simulated = ended.date(), any(entry.simulated for entry in entries)
    if html is not None:
        _write(
            html,
            as_html(directions, words_of, patient=session.patient, treated=day, simulated=simulated),
        )
    if app.json:
        emit(
            {
                "id": treatment,
                "language": words_of.code,
                "reviewed": words_of.reviewed,
                "directions": list(directions.directions),
                "expected": list(directions.expected),
                "call": list(directions.call),
                "file": None if html is None else str(html),
            }
        )
    elif html is not None:
        show(str(html))
    else:
        text = as_text(directions, words_of, patient=session.patient, treated=day, simulated=simulated)
        show(text.rstrip("\n"))


def _newest(ids: list[str]) -> str:
    if not ids:
        raise UsageProblem("there is no treatment on record yet", code="record-unknown")
    return ids[-1]


def _write(path: Path, page: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(page)
    except FileExistsError:
        raise UsageProblem(f"{path} is there already", hint="name a new file") from None
    except OSError as problem:
        raise PlanError(
            f"cannot write {path}: {problem.strerror or problem}",
            code="page-unwritable",
            hint="name a file in a folder that you may write to",
        ) from problem
