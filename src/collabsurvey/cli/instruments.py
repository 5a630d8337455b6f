"""Commands about questionnaires: list, show, check, compare, and what others have published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TextsOption = Annotated[
    Path | None,
    typer.Option("--texts", help="Your own folder with wording that we may not distribute."),
]
WIDE = 110  # characters; longer lines are hard to read
instruments_app = typer.Typer(no_args_is_help=True, help="The questionnaires that come with it.")


@instruments_app.command("list")
def list_() -> None:
    """List the instruments: id, title, version, status, items, scales, licence."""
    from collabsurvey.instruments import list_instruments
    from collabsurvey.results import table_from_frame

    typer.echo(table_from_frame(list_instruments(), "Instruments").to_text())


@instruments_app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="An id such as trust, or a file.")],
    texts: TextsOption = None,
) -> None:
    """Show one instrument: scales, items with their key, answers, licence, status, use."""
    from shutil import get_terminal_size

    from collabsurvey.instruments import describe_text, load_instrument

    width = min(get_terminal_size((WIDE, 24)).columns, WIDE)
    loaded = load_instrument(name, texts=texts)
    local = None if texts is None else str(texts)
    typer.echo(describe_text(loaded, width=width, source=name, texts=local))


@instruments_app.command("check")
def check_instrument(file: Annotated[Path, typer.Argument(help="An instrument file.")]) -> None:
    """Check an instrument file and report every fault with its line."""
    from collabsurvey.instruments import load_instrument

    instrument = load_instrument(file)
    typer.echo(
        f"{file.name}: no faults. {len(instrument.items)} items, {len(instrument.scoring)} scales, "
        f"status {instrument.status}."
    )


@instruments_app.command("diff")
def diff(
    first: Annotated[str, typer.Argument(help="The earlier version: a file, or an id.")],
    second: Annotated[str, typer.Argument(help="The later version: a file, or an id.")],
) -> None:
    """Say which scores stay comparable between two versions, and why."""
    from collabsurvey.instruments import diff as compared

    typer.echo(compared(first, second).summary())


@instruments_app.command("catalogue")
def catalogue_(
    name: Annotated[str | None, typer.Argument(help="An entry, such as omnibus_t.")] = None,
) -> None:
    """List published instruments: what they measure, who owns them, what is needed to use them."""
    from collabsurvey.instruments import catalogue, catalogue_entry
    from collabsurvey.results import table_from_frame

    if name is not None:
        typer.echo(catalogue_entry(name).summary())
        return
    table = catalogue()[["id", "title", "licence_status", "key_here"]]
    typer.echo(table_from_frame(table, "Published instruments").to_text())
    typer.echo("More on one of them: collabsurvey instruments catalogue ID")
