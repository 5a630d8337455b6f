"""Excel workbooks (.xlsx, .xlsm) as rows of text, after a look at what the file really holds.

A workbook is a zip archive of XML: archives that unpack to gigabytes and XML with entities are
refused before a cell is read, and so are merged cells among answers and formulas whose value was
never stored. Nothing in it is run; formulas give the values that were stored with them.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from collabsurvey.errors import (
    DataError,
    MissingPackageError,
    OptionError,
    UnknownNameError,
    listed,
)
from collabsurvey.responses.delimited import Lines
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.platforms.export import Source
from collabsurvey.responses.tables import refuse_path

LARGEST_UNPACKED = 500_000_000  # bytes of all parts of a workbook together
LARGEST_RATIO = 400  # times its packed size; sheets of equal cells reach about 100
SMALL = 20_000_000  # bytes below which the ratio does not matter
MOST_PARTS = 5_000
MOST_CELLS = 50_000_000
MOST_ROWS = 1_048_576  # of a sheet
HEADER_ROWS = 2  # merged cells may stand in these
SHOWN = 5
CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})")


@dataclass
class _Look:
    """What the XML of a sheet holds besides values."""

    merged: list[str]
    n_formulas: int = 0
    unstored: list[str] | None = None  # cells with a formula and no value


def read_workbook(path: str | Path, *, sheet: str | None = None) -> Source:
    """Read one sheet as rows of text.

    Parameters
    ----------
    path : path of an .xlsx or .xlsm
    sheet : str, optional
        Its name; it may be left out where only one visible sheet has cells.

    Returns
    -------
    Source
        Rows with the cells as text: 4.0 is "4", dates are written 2026-09-01.

    Raises
    ------
    DataError
        The file is no workbook, unpacks to too much, has merged cells among the answers or
        formulas without a stored value.
    """
    openpyxl = _package()
    file = Path(path)
    refuse_path(file)
    _refuse_bomb(file)
    with warnings.catch_warnings():
        # What openpyxl does not keep (styles, validation lists) is no answer.
        warnings.simplefilter("ignore", UserWarning)
        rows, numbers, chosen, notes, look = _read(openpyxl, file, sheet)
    notes += _judge(look, file.name, chosen)
    if not rows:
        raise DataError(f"{file.name}: the sheet {chosen!r} is empty.")
    width = len(rows[0])
    rows = [row + [""] * (width - len(row)) for row in rows]
    return Source(
        file.name,
        Lines(rows, numbers),
        f"sheet {chosen!r} of an Excel workbook",
        ledger=tuple(notes),
    )


def _read(
    openpyxl: Any, file: Path, sheet: str | None
) -> tuple[list[list[str]], list[int], str, list[LedgerLine], _Look]:
    """Rows with their numbers, the sheet they are from, notes, and what else the sheet holds."""
    # Opened here: of a damaged workbook openpyxl would leave the file open.
    with file.open("rb") as stream:
        try:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        except _faults() as error:
            raise _damaged(file, error) from None
        try:
            chosen, notes = _chosen(book, sheet, file.name)
            look = _look_over(file, book[chosen])
            rows, numbers = _rows(book[chosen], file.name)
        except _faults() as error:
            raise _damaged(file, error) from None
        finally:
            book.close()
    return rows, numbers, chosen, notes, look


def _package() -> Any:
    try:
        import openpyxl
    except ImportError:
        raise MissingPackageError(
            "openpyxl", purpose="Reading Excel workbooks", extra="files"
        ) from None
    return openpyxl


def _faults() -> tuple[type[Exception], ...]:
    """What openpyxl raises for damaged workbooks; faulty XML is a SyntaxError in either parser."""
    from openpyxl.utils.exceptions import InvalidFileException

    return (
        InvalidFileException, zipfile.BadZipFile, SyntaxError, KeyError, ValueError, TypeError,
        IndexError, AttributeError, OSError, EOFError, NotImplementedError, RuntimeError,
        AssertionError, OverflowError, expat.ExpatError, zipfile.LargeZipFile, LookupError,
        zlib.error,
    )  # fmt: skip


def _damaged(file: Path, error: Exception) -> Exception:
    if isinstance(error, DataError | OptionError | UnknownNameError):
        return error
    reason = str(error).splitlines()[0][:200].rstrip(".") if str(error) else "damaged"
    return DataError(
        f"{file.name} cannot be read as an Excel workbook ({reason}). Open it in Excel and save it "
        "again as .xlsx, or export CSV."
    )


def _refuse_bomb(file: Path) -> None:
    """Refuse archives that unpack to far more than a table of answers."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            unpacked = sum(part.file_size for part in parts)
            packed = max(file.stat().st_size, 1)
            if (
                len(parts) > MOST_PARTS
                or unpacked > LARGEST_UNPACKED
                or (unpacked > SMALL and unpacked > LARGEST_RATIO * packed)
            ):
                raise DataError(
                    f"{file.name} would unpack from {packed:,} to {unpacked:,} bytes in "
                    f"{len(parts):,} parts, which no table of answers does. It was not opened."
                )
            if "[Content_Types].xml" not in archive.namelist():
                raise DataError(f"{file.name} is a zip archive, but no Excel workbook.")
            for part in parts:
                with archive.open(part) as stream:
                    _refuse_doctype(stream, f"{file.name} ({part.filename})")
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        zlib.error,
    ) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{file.name} is not an Excel workbook of the new kind (.xlsx), or is damaged "
            f"({error}). Open it in Excel and save it again, or export CSV."
        ) from None


class _Seen(Exception):  # noqa: N818 - it never leaves this module
    """The first element: what comes before it has been read."""


def _refuse_doctype(stream: IO[bytes], name: str) -> None:
    """Read up to the first element; before it stands any document type. Pictures are no XML."""
    parser = expat.ParserCreate()
    found: list[bool] = []

    def stop(*_: object) -> None:
        raise _Seen

    def refuse(*_: object) -> None:
        found.append(True)
        raise _Seen

    parser.StartElementHandler = stop
    parser.StartDoctypeDeclHandler = refuse
    try:
        while chunk := stream.read(65_536):
            parser.Parse(chunk, False)
    except _Seen:
        pass
    except expat.ExpatError:
        return
    if found:
        raise DataError(
            f"{name} declares a document type, which no workbook needs and which can hide an "
            "attack. It was not opened."
        )


def _chosen(book: Any, sheet: str | None, name: str) -> tuple[str, list[LedgerLine]]:
    """The sheet to read: the one named, or the only visible one with cells."""
    sheets = {one.title: one for one in book.worksheets}
    if not sheets:
        raise DataError(f"{name} has no sheet with cells.")
    if sheet is not None:
        if sheet not in sheets:
            raise UnknownNameError("sheet", sheet, available=sheets, where=name)
        return sheet, []
    visible = [title for title, one in sheets.items() if one.sheet_state == "visible"]
    full = [title for title in visible if _has_cells(sheets[title])]
    if not full:
        raise DataError(f"{name} has no visible sheet with cells.")
    if len(full) > 1:
        raise DataError(
            f"{name} has several sheets with cells: {listed(map(repr, full))}. Say which holds the "
            f"answers: sheet={full[0]!r}."
        )
    others = [title for title in sheets if title != full[0]]
    if not others:
        return full[0], []
    what = f"sheets that are empty or hidden, not read: {listed(map(repr, others))}"
    return full[0], [LedgerLine("note", what, len(others), "sheets", source=name)]


def _has_cells(sheet: Any) -> bool:
    sheet.reset_dimensions()
    for number, row in enumerate(sheet.iter_rows(values_only=True)):
        if any(value is not None for value in row):
            return True
        if number > 1000:
            return False
    return False


def _look_over(file: Path, sheet: Any) -> _Look:
    """Merged cells and formulas of a sheet, from its XML."""
    look = _Look([], 0, [])
    state = {"cell": "", "formula": False, "value": False, "inside": False}
    parser = expat.ParserCreate(namespace_separator=" ")

    def start(tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(" ")[2]
        if tag == "c":
            state.update(cell=attributes.get("r", "?"), formula=False, value=False)
        elif tag == "f":
            state["formula"] = True
        elif tag in ("v", "is"):
            state["inside"] = True
        elif tag == "mergeCell":
            look.merged.append(attributes.get("ref", ""))

    def text(_: str) -> None:
        state["value"] = state["value"] or state["inside"]

    def end(tag: str) -> None:
        tag = tag.rpartition(" ")[2]
        if tag in ("v", "is"):
            state["inside"] = False
        elif tag == "c" and state["formula"]:
            look.n_formulas += 1
            if not state["value"] and look.unstored is not None:
                look.unstored.append(str(state["cell"]))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    with zipfile.ZipFile(file) as archive, archive.open(sheet._worksheet_path) as stream:
        while chunk := stream.read(1 << 20):
            parser.Parse(chunk, False)
    return look


def _judge(look: _Look, name: str, sheet: str) -> list[LedgerLine]:
    """Refuse what would lose answers; say what was read in another way than it looks."""
    bottom = {ref: max(int(n) for _, n in CELL.findall(ref) or [("", 0)]) for ref in look.merged}
    among = [ref for ref, row in bottom.items() if row > HEADER_ROWS]
    if among:
        raise DataError(
            f"{name}: the sheet {sheet!r} has merged cells among the answers "
            f"({listed(among, most=SHOWN)}): only the first cell of each holds a value, so it is "
            "not known whose answer the others are. Unmerge them and fill in each cell."
        )
    if look.unstored:
        raise DataError(
            f"{name}: the sheet {sheet!r} has formulas whose value was never stored "
            f"({listed(look.unstored, most=SHOWN)}). Open it in Excel and save it, or replace the "
            "formulas by their values."
        )
    lines = []
    if look.merged:
        what = "merged cells in the header, read as their first cell"
        lines.append(LedgerLine("note", what, len(look.merged), "cells", source=name))
    if look.n_formulas:
        what = "formulas read as the values stored with them"
        lines.append(LedgerLine("note", what, look.n_formulas, "cells", source=name))
    return lines


def _rows(sheet: Any, name: str) -> tuple[list[list[str]], list[int]]:
    """Rows that hold anything, each up to its last cell, and their numbers."""
    sheet.reset_dimensions()
    rows: list[list[str]] = []
    numbers: list[int] = []
    n_cells = 0
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        n_cells += len(values) + 1
        if n_cells > MOST_CELLS or number > MOST_ROWS:
            raise DataError(
                f"{name} has more than {MOST_ROWS:,} rows or {MOST_CELLS:,} cells: no table of "
                "answers, or damaged."
            )
        cells = [_text(value) for value in values]
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            rows.append(cells)
            numbers.append(number)
    return rows, numbers


def _text(value: Any) -> str:
    """A cell as it would stand in a CSV."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds").removesuffix(" 00:00:00")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)
