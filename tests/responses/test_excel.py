"""Workbooks: sheets, types, formulas, merged cells, and archives that are traps."""

from __future__ import annotations

import datetime as dt
import random
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from collabsurvey.errors import AnswersError, CollabSurveyError, DataError, UnknownNameError
from collabsurvey.responses import read_responses
from collabsurvey.responses.excel import read_workbook

openpyxl = pytest.importorskip("openpyxl")
Row = Sequence[Any]
ROWS: list[Row] = [["who", "q1", "q2"], ["007", 4, 5.0], ["08", 2, None]]
SCALES = {"s": ["q1", "q2"]}
Book = Callable[..., Path]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """Write a workbook: rows of the first sheet, further sheets by name, and what to do to it."""

    def make(
        rows: Sequence[Row] = ROWS,
        others: dict[str, Sequence[Row]] | None = None,
        change: Callable[[Any], object] | None = None,
        name: str = "staff.xlsx",
    ) -> Path:
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        sheet.title = "Answers"
        for row in rows:
            sheet.append(list(row))
        for title, more in (others or {}).items():
            extra = workbook.create_sheet(title)
            for row in more:
                extra.append(list(row))
        if change:
            change(workbook)
        workbook.save(tmp_path / name)
        return tmp_path / name

    return make


def with_part(path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    """Change one part of an archive."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts[part])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in parts.items():
            archive.writestr(name, raw)
    return path


def test_answers_of_a_workbook(book: Book) -> None:
    found = read_responses(
        book(), scales=SCALES, response_range=(1, 5), roles={"respondent": "who"}
    )
    assert found.frame["who"].tolist() == ["007", "08"]
    assert found.frame["q1"].tolist() == [4.0, 2.0]
    assert found.ledger.lines[0].what == "rows read; sheet 'Answers' of an Excel workbook"
    assert found.ledger.lines[0].n == 2


def test_cells_become_the_text_of_a_csv(book: Book) -> None:
    cells = [
        1.5,
        10**12,
        True,
        dt.datetime(2026, 9, 1, 8, 30),
        dt.date(2026, 9, 1),
        dt.time(8, 30),
        "=x",
    ]
    source = read_workbook(book([["a"] * len(cells), cells[:-1]]))
    assert source.lines.rows[1] == [
        "1.5", "1000000000000", "TRUE", "2026-09-01 08:30:00", "2026-09-01", "08:30:00", "",
    ]  # fmt: skip


def test_sheets(book: Book) -> None:
    path = book(others={"Notes": [["x"]], "Empty": []})
    with pytest.raises(DataError, match="several sheets with cells: 'Answers', 'Notes'. Say which"):
        read_responses(path, scales=SCALES)
    assert read_responses(path, scales=SCALES, sheet="Answers", response_range=(1, 5)).n_rows == 2
    with pytest.raises(UnknownNameError, match="has no sheet 'answers'"):
        read_responses(path, scales=SCALES, sheet="answers")

    def hide(workbook: Any) -> None:
        workbook["Notes"].sheet_state = "hidden"

    hidden = read_responses(book(others={"Notes": [["x"]]}, change=hide), scales=SCALES)
    assert any("hidden, not read: 'Notes'" in line.what for line in hidden.ledger)
    with pytest.raises(DataError, match="no visible sheet with cells"):
        read_workbook(book([]))


def test_blank_rows_and_short_rows(book: Book) -> None:
    source = read_workbook(book([["a", "b"], [], ["1"], [None, " "], ["2", "3"]]))
    assert source.lines.rows == [["a", "b"], ["1", ""], ["2", "3"]]
    assert source.lines.numbers == [1, 3, 5]
    with pytest.raises(AnswersError, match="Line 2 has 3 cells, the header has 2"):
        read_responses(book([["a", "b"], [1, 2, 3]]), scales={"s": ["a"]})


def test_merged_cells(book: Book) -> None:
    path = book(change=lambda workbook: workbook.active.merge_cells("B2:B3"))
    with pytest.raises(DataError, match=r"merged cells among the answers \(B2:B3\)"):
        read_responses(path, scales=SCALES)
    header = book(change=lambda workbook: workbook.active.merge_cells("D1:E1"))
    found = read_responses(header, scales=SCALES, response_range=(1, 5))
    assert any("merged cells in the header" in line.what for line in found.ledger)


def test_formulas_give_their_stored_value(book: Book) -> None:
    path = book([["who", "q1"], ["a", "=2+2"], ["b", 3]])
    with pytest.raises(DataError, match=r"formulas whose value was never stored \(B2\)"):
        read_responses(path, scales={"s": ["q1"]})
    stored = with_part(
        path,
        "xl/worksheets/sheet1.xml",
        lambda raw: raw.replace(b"<v />", b"<v>4</v>").replace(b"<v></v>", b"<v>4</v>"),
    )
    found = read_responses(stored, scales={"s": ["q1"]})
    assert found.frame["q1"].tolist() == [4.0, 3.0]
    assert any("formulas read as the values stored" in line.what for line in found.ledger)


def test_errors_of_excel_are_no_answers(book: Book) -> None:
    with pytest.raises(AnswersError, match=r"'#REF!' \(1\)"):
        read_responses(book([["who", "q1"], ["a", "#REF!"], ["b", 3]]), scales={"s": ["q1"]})


def test_archive_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * 60_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="would unpack from .* It was not opened"):
        read_workbook(path)
    monkeypatch.setattr("collabsurvey.responses.excel.MOST_PARTS", 1)
    with pytest.raises(DataError, match="in 2 parts"):
        read_workbook(path)


def test_dimension_and_row_numbers_that_lie(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_part(
        book(),
        "xl/worksheets/sheet1.xml",
        lambda raw: raw.replace(b'ref="A1:C3"', b'ref="A1:XFD1048576"'),
    )
    assert len(read_workbook(path).lines.rows) == 3
    beyond = with_part(
        book(),
        "xl/worksheets/sheet1.xml",
        lambda raw: raw.replace(b'<row r="3"', b'<row r="99999999999999"'),
    )
    with pytest.raises(DataError, match="more than 1,048,576 rows"):
        read_workbook(beyond)
    monkeypatch.setattr("collabsurvey.responses.excel.MOST_CELLS", 1000)
    far = with_part(
        book(),
        "xl/worksheets/sheet1.xml",
        lambda raw: raw.replace(b'<row r="3"', b'<row r="999999"'),
    )
    with pytest.raises(DataError, match="rows or 1,000 cells"):
        read_workbook(far)


@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"]
)
def test_entities_are_refused(book: Book, part: str) -> None:
    mine = b'<!DOCTYPE a [<!ENTITY x "boom">]>'

    def declare(raw: bytes) -> bytes:
        start = raw.find(b"?>") + 2 if raw.startswith(b"<?xml") else 0
        return raw[:start] + mine + raw[start:]

    with pytest.raises(DataError, match="declares a document type"):
        read_workbook(with_part(book(), part, declare))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not an Excel workbook of the new kind"),
        (b"a,b\n1,2\n", "is not an Excel workbook of the new kind"),
        (b"\xd0\xcf\x11\xe0" * 50, "is not an Excel workbook of the new kind"),
    ],
)
def test_files_that_are_no_workbook(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "staff.xlsx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_workbook(path)


def test_archives_that_are_no_workbook(tmp_path: Path) -> None:
    path = tmp_path / "staff.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(DataError, match="is a zip archive, but no Excel workbook"):
        read_workbook(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    with pytest.raises(DataError, match="cannot be read as an Excel workbook"):
        read_workbook(path)


def test_damaged_workbooks_give_sentences(book: Book) -> None:
    """Bytes of the parts changed, and bytes of the archive: read, or refused in words."""
    rng = random.Random(8)
    whole = book().read_bytes()
    path = book()
    names = zipfile.ZipFile(path).namelist()
    for round_ in range(80):
        path.write_bytes(whole)
        if round_ % 2:
            raw = bytearray(whole)
            for _ in range(rng.randint(1, 5)):
                raw[rng.randrange(len(raw))] = rng.randrange(256)
            path.write_bytes(bytes(raw[: rng.choice([len(raw), rng.randrange(len(raw))])]))
        else:
            part = rng.choice(names)

            def spoil(content: bytes) -> bytes:
                at = rng.randrange(max(len(content), 1))
                return content[:at] + bytes([rng.choice(b'<>"/9AZ')]) + content[at + 1 :]

            with_part(path, part, spoil)
        try:
            read_responses(path, scales=SCALES)
        except CollabSurveyError as error:
            assert str(error).strip()
