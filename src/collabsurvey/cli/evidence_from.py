"""The command that turns a file of answers into a file of evidence records."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collabsurvey.errors import CollabSurveyWarning, OptionError

if TYPE_CHECKING:
    from collabsurvey.instruments import Instrument
    from collabsurvey.responses import Responses


def evidence_from(
    file: Annotated[Path, typer.Argument(help="The answers of one wave: CSV, Excel, SPSS, ...")],
    instrument: Annotated[
        str, typer.Option("--instrument", help="An id such as trust, or a file.")
    ],
    study: Annotated[str, typer.Option("--study", help="Title of the study, the same throughout.")],
    population: Annotated[
        str, typer.Option("--population", help="Who was asked, such as uk_teachers.")
    ],
    use: Annotated[
        str,
        typer.Option("--use", help="What scores are for: research, group_feedback, individual."),
    ],
    out: Annotated[Path, typer.Option("--out", help="The file of records to write (.yaml).")],
    roles: Annotated[
        list[str] | None,
        typer.Option("--roles", help="respondent=id, cluster=school, ...; may be repeated."),
    ] = None,
    retest: Annotated[
        Path | None, typer.Option("--retest", help="The same people's answers some weeks later.")
    ] = None,
    weeks: Annotated[
        float | None, typer.Option("--weeks", help="Weeks between the two files.")
    ] = None,
    structure: Annotated[
        str, typer.Option("--structure", help="efa, cfa or none: the factor analysis of a scale.")
    ] = "efa",
    scale: Annotated[
        list[str] | None, typer.Option("--scale", help="Only this scale; may be repeated.")
    ] = None,
    columns: Annotated[
        Path | None, typer.Option("--columns", help="columns.csv: item,column.")
    ] = None,
    partner: Annotated[
        list[str] | None,
        typer.Option("--partner", help="Whom columns ..__1, ..__2 are about; may be repeated."),
    ] = None,
    present: Annotated[
        bool, typer.Option("--present", help="The file holds only part of the questions.")
    ] = False,
    language: Annotated[
        str | None, typer.Option("--language", help="That people answered in, such as en-GB.")
    ] = None,
    year: Annotated[int | None, typer.Option("--year", help="When people were asked.")] = None,
    country: Annotated[str | None, typer.Option("--country", help="Where.")] = None,
    sampling: Annotated[
        str | None, typer.Option("--sampling", help="How people were found, in a few words.")
    ] = None,
    response_rate: Annotated[
        float | None, typer.Option("--response-rate", help="Share who answered, 0 to 1.")
    ] = None,
    doi: Annotated[str | None, typer.Option("--doi", help="Of the report.")] = None,
    prereg: Annotated[
        str | None, typer.Option("--prereg", help="Where the study was registered.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="Where the answers are.")] = None,
    independent: Annotated[
        bool, typer.Option("--independent", help="Others than the instrument's authors did it.")
    ] = False,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Answers drawn by a computer: records never count.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over an older file of records.")
    ] = False,
) -> None:
    """Make evidence records of a study: reliability, items, missing answers, structure."""
    from collabsurvey.instruments import load_instrument, write_records
    from collabsurvey.validation.evidence_of_scales import evidence_of_scales

    loaded = load_instrument(instrument)
    named = _roles(roles or [])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CollabSurveyWarning)
        answers = _read(file, loaded, named, columns, partner or [], present=present)
        again = (
            _read(retest, loaded, named, columns, partner or [], present=present)
            if retest
            else None
        )
        found = evidence_of_scales(
            answers,
            study=study,
            use=use,
            population=population,
            scales=scale or None,
            retest=again,
            weeks_apart=weeks,
            structure=structure,  # type: ignore[arg-type]
            language=language,
            doi=doi,
            prereg=prereg,
            data=data,
            independent_of_authors=independent,
            sampling=sampling,
            country=country,
            year=year,
            response_rate=response_rate,
            simulated=simulated,
        )
    for sentence in dict.fromkeys(
        str(one.message) for one in caught if issubclass(one.category, CollabSurveyWarning)
    ):
        typer.echo(f"Note: {sentence}", err=True)
    path = write_records(found, out, replace=replace)
    for note in found.notes:
        typer.echo(f"- {note}")
    counts = Counter(record.verdict for record in found)
    said = ", ".join(f"{counts[one]} {one}" for one in ("supports", "mixed", "against"))
    scores = len({record.claim.score for record in found})
    typer.echo(f"{len(found)} records of {scores} scale{'' if scores == 1 else 's'}: {said}.")
    if "respondent" not in named:
        typer.echo("Without --roles respondent=COLUMN each row was counted as another person.")
    typer.echo(f"Written: {path}")
    typer.echo(f"Read it, then: collabsurvey evidence add INSTRUMENT.yaml --from {path}")


def _read(
    file: Path,
    instrument: Instrument,
    roles: dict[str, str],
    columns: Path | None,
    partners: Sequence[str],
    *,
    present: bool,
) -> Responses:
    from collabsurvey.responses import read_responses

    return read_responses(
        file,
        instrument=instrument,
        roles=roles,
        columns=columns,
        partners=partners or None,
        items="present" if present else "all",
    )


def _roles(pairs: Sequence[str]) -> dict[str, str]:
    """Roles of columns, written role=column."""
    found: dict[str, str] = {}
    for pair in pairs:
        role, sign, column = pair.partition("=")
        if not (role and sign and column) or role in found:
            raise OptionError("--roles", pair, allowed=("role=column, once for each role",))
        found[role] = column
    return found
