"""Tables for Word: three rules, a caption above, notes below; real tables that can be edited."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collabsurvey.display import Table
from collabsurvey.display.sections import SectionedTable
from collabsurvey.errors import DataError, MissingPackageError, OutputError
from collabsurvey.results import Result

if TYPE_CHECKING:
    from docx.document import Document

# What XML cannot hold.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
WIDE = 5  # columns; with more the page lies on its side
RULE, HAIRLINE = 12, 6  # eighths of a point
BODY, SMALL = 9, 8  # points of letters in cells and notes


def to_word(tables: Table | Result | Sequence[Table | Result], path: str | Path) -> Path:
    """Write tables, or the tables of any results, into a Word document.

    Parameters
    ----------
    tables : Table, Result, or a sequence of them
        Such as `cs.regression.compare([...])`; in a sequence one below the other.
    path : path
        Of the document, ending in ".docx". A file that is there is replaced.

    Returns
    -------
    Path
        The document.

    Raises
    ------
    MissingPackageError
        python-docx is not installed.
    OutputError
        The file cannot be written, or its name does not end in ".docx".
    DataError
        No table.
    """
    shown = _tables(tables)
    if not shown:
        raise DataError("to_word() needs at least one table.")
    target = Path(path)
    if target.suffix.lower() != ".docx":
        raise OutputError(f"{target.name!r} is no Word document. Choose a name ending in .docx.")
    try:
        import docx
    except ImportError as error:
        raise MissingPackageError("python-docx", purpose="to_word", extra="word") from error
    document = docx.Document()
    document.core_properties.author = ""
    document.core_properties.comments = ""
    document.core_properties.title = plain(shown[0].title)
    if max(len(table.columns) for table in shown) > WIDE:
        _on_its_side(document)
    for table in shown:
        _add(document, table)
    try:
        document.save(str(target))
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"The Word document {str(path)!r} cannot be written: {reason}. Close it in Word, or "
            "choose another folder."
        ) from error
    return target


def plain(text: str) -> str:
    """A text without what a Word document cannot hold."""
    return CONTROL.sub(" ", text)


def _tables(tables: Table | Result | Sequence[Table | Result]) -> list[Table]:
    given = [tables] if isinstance(tables, Table | Result) else list(tables)
    return [one.table() if isinstance(one, Result) else one for one in given]


def _on_its_side(document: Document) -> None:
    from docx.enum.section import WD_ORIENT

    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = section.page_height, section.page_width


def _add(document: Document, table: Table) -> None:
    """Caption, rows, notes."""
    from docx.shared import Pt

    caption = document.add_paragraph(plain(table.title), style="Caption")
    caption.paragraph_format.keep_with_next = True
    body = table.cells()
    made = document.add_table(rows=1 + len(body), cols=max(len(table.columns), 1))
    right = table.is_numeric()
    heads = set(table.heads) if isinstance(table, SectionedTable) else set()
    for i, row in enumerate([table.headings(), *body]):
        bold = i == 0 or i - 1 in heads
        # One look-up a row: made.cell() would search the table anew for every cell.
        for cell, text, number in zip(made.rows[i].cells, row, right, strict=True):
            _fill(cell, text, right=number, bold=bold)
    _repeat(made.rows[0])
    _rule(made.rows[0], top=RULE, bottom=HAIRLINE)
    if body:
        _rule(made.rows[-1], bottom=RULE)
    for note in table.notes:
        paragraph = document.add_paragraph()
        paragraph.paragraph_format.space_after = Pt(2)
        run = paragraph.add_run("Note. ")
        run.italic = True
        run.font.size = Pt(SMALL)
        paragraph.add_run(plain(note)).font.size = Pt(SMALL)


def _fill(cell: Any, text: str, *, right: bool, bold: bool) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    paragraph = cell.paragraphs[0]
    paragraph.paragraph_format.space_after = Pt(1)
    if right:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    run = paragraph.add_run(plain(text))
    run.bold = bold
    run.font.size = Pt(BODY)


def _repeat(row: Any) -> None:
    """Repeat the row at the top of every page."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    row._tr.get_or_add_trPr().append(mark)


def _rule(row: Any, *, top: int = 0, bottom: int = 0) -> None:
    """Draw lines above or below every cell of a row."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for cell in row.cells:
        borders = OxmlElement("w:tcBorders")
        for side, width in (("top", top), ("bottom", bottom)):  # in the order of the format
            if width:
                line = OxmlElement(f"w:{side}")
                line.set(qn("w:val"), "single")
                line.set(qn("w:sz"), str(width))
                line.set(qn("w:color"), "auto")
                borders.append(line)
        cell._tc.get_or_add_tcPr().append(borders)
