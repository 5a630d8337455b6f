"""Commands about evidence: sheets for raters, their indices, records, and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collabsurvey.errors import DataError

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
    from collabsurvey.instruments.rungs import rung_sentences

    instrument = load_instrument(name)
    typer.echo(f"{instrument.title}: {instrument.status}")
    for sentence in rung_sentences(next_rung(instrument)):
        typer.echo(f"- {sentence}")


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
    sheets: Annotated[
        list[Path], typer.Argument(help="The sheets that came back, or the folder they are in.")
    ],
    instrument: Annotated[
        str, typer.Option("--instrument", help="An id such as trust, or a file.")
    ],
    records_out: Annotated[
        Path | None,
        typer.Option("--records-out", help="Also write evidence records to this file (.yaml)."),
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", help="Title of the study; needed for records.")
    ] = None,
    population: Annotated[
        str | None,
        typer.Option("--population", help="Whom the items are for, such as uk_teachers."),
    ] = None,
    use: Annotated[
        str | None, typer.Option("--use", help="What scores are for, such as research.")
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="That items were judged in, such as en-GB.")
    ] = None,
    year: Annotated[int | None, typer.Option("--year", help="When they were judged.")] = None,
    doi: Annotated[str | None, typer.Option("--doi", help="Of the report.")] = None,
    independent: Annotated[
        bool, typer.Option("--independent", help="Others than the instrument's authors did it.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over an older file of records.")
    ] = False,
) -> None:
    """Content validity indices from the raters' sheets: I-CVI, modified kappa, S-CVI."""
    from collabsurvey.instruments import load_instrument, write_records
    from collabsurvey.results import table_from_frame
    from collabsurvey.validation import content_validity, evidence

    about = {"--study": study, "--population": population, "--use": use}
    if records_out is not None and (lacking := [name for name, text in about.items() if not text]):
        raise DataError(f"Records need {', '.join(lacking)} as well: they say what they are about.")
    if records_out is None and (given := [name for name, text in about.items() if text]):
        raise DataError(f"{', '.join(given)} belongs to records: say --records-out records.yaml.")
    loaded = load_instrument(instrument)
    files = [file for one in sheets for file in _sheets_in(one, loaded.id)]
    found = content_validity(files if len(files) > 1 else files[0], instrument=loaded)
    typer.echo(found.summary())
    typer.echo(table_from_frame(found.scales(), "Scales").to_text())
    if records_out is None:
        return
    records = evidence(
        found,
        instrument=loaded,
        study=study or "",
        population=population,
        use=use or "",
        language=language,
        year=year,
        doi=doi,
        independent_of_authors=independent,
    )
    path = write_records(records, records_out, replace=replace)
    typer.echo(f"{len(records)} records written: {path}")
    typer.echo(f"Read it, then: collabsurvey evidence add INSTRUMENT.yaml --from {path}")


def _sheets_in(path: Path, instrument: str) -> list[Path]:
    """The file itself; of a folder, the sheets of this instrument, called as `sheet` calls them."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob(f"{instrument}_*.csv"))
    if not found:
        raise DataError(
            f"The folder {path} has no sheets of {instrument!r}, which are called "
            f"{instrument}_RATER.csv. Name the files instead."
        )
    return found
