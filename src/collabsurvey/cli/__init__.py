"""The command line: demo, init, columns, check, run, export, instruments, evidence.

Exit code 0 when all is well, 2 for anything a user can mend, with one sentence for each
fault and no traceback.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from collabsurvey import __version__
from collabsurvey.cli.evidence import evidence_app
from collabsurvey.cli.evidence_from import evidence_from
from collabsurvey.cli.instruments import TextsOption, instruments_app
from collabsurvey.errors import (
    CollabSurveyError,
    CollabSurveyWarning,
    DataError,
    FaultsError,
    NotSupportedError,
    OptionError,
    listed,
)

app = typer.Typer(
    name="collabsurvey",
    help="From questionnaire to defensible finding: surveys of collaboration between schools.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(instruments_app, name="instruments")
app.add_typer(evidence_app, name="evidence")
evidence_app.command("from")(evidence_from)


StudyArgument = Annotated[Path, typer.Argument(help="The study file, such as study.yaml.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Output folder; 'out' beside the study file if left out."),
]


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put the demonstration.")] = Path(
        "collabsurvey-demo"
    ),
) -> None:
    """Run the whole pipeline on a synthetic cohort made from the shipped instruments."""
    from collabsurvey.study.templates import write_demo

    typer.echo("Drawing a synthetic cohort: no answer in it is a person's.")
    study_file = write_demo(folder)
    typer.echo(f"Study file and data: {folder}")
    _run(study_file, folder / "out")


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="The study folder to make.")]) -> None:
    """Make a study folder to fill in."""
    from collabsurvey.study.templates import write_new

    path = write_new(folder)
    typer.echo(f"Fill in {path}, put your files beside it, then: collabsurvey check {path}")


@app.command()
def check(study_file: StudyArgument) -> None:
    """Find every fault of the study, its data and its columns, at once; run nothing."""
    from collabsurvey.study import Study

    study = Study.from_yaml(study_file)
    with _warnings_as_sentences():
        found = study.check()
    for note in found.notes:
        typer.echo(f"Note: {note}")
    if not found.faults or any("no column" in fault for fault in found.faults):
        for table, columns in found.columns.items():
            typer.echo(f"Columns of the table {table!r}, for formulas:")
            typer.echo(_wrapped(columns))
    if found.faults:
        raise FaultsError(study_file.name, found.faults)
    typer.echo(f"{study_file.name}: no faults. Run it with: collabsurvey run {study_file}")


@app.command()
def columns(
    file: Annotated[Path, typer.Argument(help="An export whose headers are the questions.")],
    instruments: Annotated[
        list[str], typer.Option("--instrument", help="An id such as trust; may be repeated.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("columns.csv"),
) -> None:
    """Draft columns.csv: which column holds which question, by its wording."""
    from collabsurvey.instruments import combine_instruments, load_instrument
    from collabsurvey.responses import read_table, write_column_map
    from collabsurvey.responses.matching import match_columns

    instrument = combine_instruments([load_instrument(name) for name in instruments])
    table, _ = read_table(file)
    found = match_columns(table.columns, instrument)
    near = {item: column for item, (column, _) in found.near.items()}
    if not found.columns and not near:
        raise DataError(
            f"No header of {file.name} reads like a question of {instrument.id}. "
            "Write columns.csv by hand: item,column."
        )
    write_column_map({**found.columns, **near}, out)
    typer.echo(f"{out}: {len(found.columns)} questions found by their wording.")
    for item, column in near.items():
        typer.echo(f"Check by eye: {item} may be {column!r}.")
    if found.missing:
        typer.echo(f"Without a column: {listed(found.missing)}.")
    if found.slots:
        words = ", ".join(f"{slot}: {word}" for slot, word in found.slots.items())
        typer.echo(f"For the study file: slots: {{{words}}}")


@app.command()
def run(study_file: StudyArgument, out: OutOption = None) -> None:
    """Run a study: scores, reliability, school means, models, report."""
    _run(study_file, out or study_file.resolve().parent / "out")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"collabsurvey {__version__}")


@app.command(hidden=True)
def verify(out: Path) -> None:
    """Refuse by name what a later version will do."""
    raise NotSupportedError(f"verify {out}", instead="Run the study again and compare the tables.")


@app.command()
def export(
    instrument: Annotated[str, typer.Argument(help="An id such as trust, or a file.")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="xlsform, redcap, limesurvey, qualtrics, html, csv, spss, stata or reproschema.",
        ),
    ] = "",
    out: Annotated[Path | None, typer.Option("--out", help="The file to write.")] = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", help="Such as en-GB; may be repeated.")
    ] = None,
    partner: Annotated[
        list[str] | None,
        typer.Option("--partner", help="Whom {partner} questions are about; may be repeated."),
    ] = None,
    slot: Annotated[
        list[str] | None,
        typer.Option("--slot", help="A word for a slot: partnership=Eastshire; may be repeated."),
    ] = None,
    form: Annotated[
        str | None, typer.Option("--form", help="Only the items of a form, such as core.")
    ] = None,
    include_text: Annotated[
        bool, typer.Option("--text/--no-text", help="With the wording, or ids in its place.")
    ] = True,
    school: Annotated[
        list[str] | None,
        typer.Option("--school", help="html: a school to pick one's own from; may be repeated."),
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="html: the heading.")] = None,
    intro: Annotated[
        str | None, typer.Option("--intro", help="html: what the questions are for.")
    ] = None,
    contact: Annotated[str | None, typer.Option("--contact", help="html: whom to ask.")] = None,
    texts: TextsOption = None,
) -> None:
    """Write an instrument for a survey platform or a statistics program."""
    from collabsurvey.instruments import load_instrument
    from collabsurvey.instruments.exchange import export_instrument, file_name, next_steps

    loaded = load_instrument(instrument, texts=texts)
    slots = _slots(slot or [])
    target = out or Path(file_name(loaded, to))
    export_instrument(
        loaded,
        to,  # type: ignore[arg-type]
        target,
        language=language or None,
        partners=partner or (),
        slots=slots,
        form=form,
        include_text=include_text,
        schools=school or (),
        title=title,
        intro=intro,
        contact=contact,
    )
    typer.echo(f"Written: {target}")
    for line in next_steps(loaded, to, partners=partner or (), slots=slots, form=form):
        typer.echo(line)


def _slots(pairs: Sequence[str]) -> dict[str, str]:
    """Words for slots, written name=word."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, sign, word = pair.partition("=")
        if not sign or name in found:
            raise OptionError("--slot", pair, allowed=("name=word, once for each slot",))
        found[name] = word
    return found


def _run(study_file: Path, out: Path) -> None:
    from collabsurvey.reporting import check_folder
    from collabsurvey.study import Study

    study = Study.from_yaml(study_file)
    check_folder(out)  # before an hour of work, not after
    with _warnings_as_sentences():
        report = study.run(progress=True).report(out)
    typer.echo(f"Report: {report}")


@contextmanager
def _warnings_as_sentences() -> Iterator[None]:
    """Print each of our warnings once, as a sentence; they are in the report as well."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CollabSurveyWarning)
        yield
    for sentence in dict.fromkeys(str(w.message) for w in caught if _ours(w)):
        typer.echo(f"Note: {sentence}", err=True)


def _ours(warning: warnings.WarningMessage) -> bool:
    return issubclass(warning.category, CollabSurveyWarning)


def _wrapped(names: Sequence[str]) -> str:
    import textwrap

    return textwrap.fill(", ".join(names), 96, initial_indent="  ", subsequent_indent="  ")


def main() -> None:
    """Run the command line; what a user can mend ends with exit code 2."""
    try:
        app()
    except CollabSurveyError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except OSError as error:  # a full disk, a drive that is gone
        typer.echo(f"Error: the system refused: {error.strerror or error}.", err=True)
        sys.exit(2)
