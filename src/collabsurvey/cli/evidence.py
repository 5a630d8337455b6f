"""Commands about evidence: sheets for raters, their indices, records, and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

evidence_app = typer.Typer(no_args_is_help=True, help="What is known of a questionnaire's scores.")


@evidence_app.command("add")
def add_evidence_(
    file: Annotated[Path, typer.Argument(help="The instrument file to add to.")],
    source: Annotated[Path, typer.Option("--from", help="A file of evidence records.")],
) -> None:
    """Add evidence records to an instrument file, and say what its next rung lacks."""
    from collabsurvey.instruments import add_evidence, read_records

    typer.echo(add_evidence(file, read_records(source)).summary())


@evidence_app.command("show")
def show_evidence(
    name: Annotated[str, typer.Argument(help="An id such as trust, or a file.")],
) -> None:
    """Say how far the evidence of each score carries, and what its next rung lacks."""
    from collabsurvey.instruments import load_instrument, next_rung

    instrument = load_instrument(name)
    typer.echo(f"{instrument.title}: {instrument.status}")
    for rung in next_rung(instrument):
        typer.echo(f"- {rung.sentence()}")


@evidence_app.command("sheet")
def sheet(
    name: Annotated[str, typer.Argument(help="An id such as trust, or a file.")],
    out: Annotated[Path, typer.Option("--out", help="A .csv file, or a folder.")],
    rater: Annotated[
        list[str] | None, typer.Option("--rater", help="One sheet for each; may be repeated.")
    ] = None,
) -> None:
    """Write the empty sheet on which experts and staff judge how relevant each question is."""
    from collabsurvey.instruments import load_instrument
    from collabsurvey.validation import content_sheet

    for path in content_sheet(load_instrument(name), out, raters=tuple(rater or ())):
        typer.echo(f"Written: {path}")


@evidence_app.command("content")
def content(
    sheets: Annotated[list[Path], typer.Argument(help="The sheets that came back.")],
    instrument: Annotated[
        str, typer.Option("--instrument", help="An id such as trust, or a file.")
    ],
) -> None:
    """Content validity indices from the raters' sheets: I-CVI, modified kappa, S-CVI."""
    from collabsurvey.instruments import load_instrument
    from collabsurvey.results import table_from_frame
    from collabsurvey.validation import content_validity

    found = content_validity(
        sheets if len(sheets) > 1 else sheets[0], instrument=load_instrument(instrument)
    )
    typer.echo(found.summary())
    typer.echo(table_from_frame(found.scales(), "Scales").to_text())
