"""An empty sheet for the people who judge the items: definition, text, and cells to fill in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from collabsurvey.errors import DataError, OptionError, OutputError
from collabsurvey.instruments.exchange.texts import csv_text, spreadsheet_text
from collabsurvey.instruments.model import Instrument, Item
from collabsurvey.instruments.page import source_language

# The words of Polit, Beck & Owen (2007); the reader takes what stands before the bracket.
RELEVANCE = "relevance (1 = not, 2 = somewhat, 3 = quite, 4 = highly relevant)"
CLARITY = "clarity (1 = not, 2 = somewhat, 3 = quite, 4 = very clear)"
COVERAGE = "coverage (1 = hardly, 2 = partly, 3 = largely, 4 = fully covered)"
HEADER = (
    "rater",
    "construct",
    "definition",
    "item",
    "text",
    RELEVANCE,
    CLARITY,
    COVERAGE,
    "comment",
)
ALL_TOGETHER = "(all items of this construct together: what of the definition is missing?)"


def content_sheet(
    instrument: Instrument,
    path: str | Path,
    *,
    raters: Sequence[str] = (),
    items: Sequence[str] | None = None,
    language: str | None = None,
    coverage: bool = True,
) -> tuple[Path, ...]:
    """Write an empty sheet for experts and staff who judge the items.

    Parameters
    ----------
    instrument : Instrument
    path : path
        A .csv file: all raters below each other, or one blank copy. A folder: one file for
        each rater, which can be sent out and read back together.
    raters : sequence of str, optional
        Names or pseudonyms. Without them the column `rater` is left for the rater to fill in.
    items : sequence of str, optional
        The scored items where it is left out.
    language : str, optional
        Of the item texts; the source language where it is left out.
    coverage : bool
        Whether each construct has a row that asks how fully its items cover the definition.

    Returns
    -------
    tuple of Path
        The files written, in UTF-8 with a mark, so that Excel shows every letter.

    Raises
    ------
    DataError
        The instrument has no texts (a key only), or not in this language.
    OptionError
        Another ending than .csv, a rater named twice, or a folder without raters.
    OutputError
        The file is there already (it might hold somebody's ratings), or cannot be written.

    Notes
    -----
    `content_validity` reads the filled sheets: hand it the file, or the list of files.
    """
    if isinstance(raters, str) or len(set(raters)) < len(raters) or "" in raters:
        raise OptionError("raters", raters, allowed=("a list of different names",))
    target = Path(path)
    if target.suffix and target.suffix.casefold() != ".csv":
        raise OptionError("path", str(path), allowed=("a file that ends in .csv", "a folder"))
    rows = list(_rows(instrument, items, language or source_language(instrument), coverage))
    if target.suffix:
        files = {target: tuple(raters) or ("",)}
    elif raters:
        files = {target / f"{instrument.id}_{_file_name(one)}.csv": (one,) for one in raters}
        if len(files) < len(raters):
            raise OptionError("raters", raters, allowed=("names that differ in letters or digits",))
    else:
        raise OptionError("raters", raters, allowed=("names, where path is a folder",))
    for file in files:
        if file.exists():
            raise OutputError(f"{file} is there already and may hold ratings. Choose another name.")
    for file, names in files.items():
        blocks = [
            [spreadsheet_text(cell) for cell in (name, *row)] for name in names for row in rows
        ]
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(csv_text(HEADER, blocks), encoding="utf-8-sig", newline="")
        except OSError as error:
            raise OutputError(f"{file} cannot be written ({error.strerror}).") from None
    return tuple(files)


def _rows(
    instrument: Instrument, items: Sequence[str] | None, language: str, coverage: bool
) -> Iterator[tuple[str, ...]]:
    """Rows without their rater: the items of one construct, then the construct as a whole."""
    wanted = set(instrument.items_of(items)) if items is not None else None
    chosen = [
        item
        for item in instrument.items
        if (item.id in wanted if wanted is not None else not item.unscored)
    ]
    for item in chosen:
        if not (item.text or {}).get(language):
            raise DataError(
                f"Item {item.id!r} of {instrument.id!r} has no text in {language}, so nobody can "
                "judge it. Add the texts first."
            )
    definitions = {c.id: " ".join(c.definition.split()) for c in instrument.constructs}
    by_construct: dict[str, list[Item]] = {name: [] for name in definitions}
    for item in chosen:
        by_construct.setdefault(item.construct_id or "", []).append(item)
    for name, members in by_construct.items():
        about = (name, definitions.get(name, ""))
        for item in members:
            text = " ".join((item.text or {})[language].split())
            yield (*about, item.id, text, "", "", "", "")
        if coverage and members and name:
            yield (*about, name, ALL_TOGETHER, "", "", "", "")


def _file_name(rater: str) -> str:
    return re.sub(r"[^\w\-]+", "_", rater).strip("_") or "rater"
