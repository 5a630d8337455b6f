"""A file as a table: CSV, TSV and text as text in every cell, Parquet as it is typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from collabsurvey.errors import DataError, NotSupportedError, OptionError
from collabsurvey.responses.delimited import DELIMITERS, Records, split_records
from collabsurvey.responses.encoding import decode
from collabsurvey.responses.ledger import Ledger, LedgerLine

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PARQUET_ENDINGS = (".parquet", ".pq")
LATER_ENDINGS = {
    ".xlsx": "Excel workbooks",
    ".xlsm": "Excel workbooks",
    ".xls": "Excel workbooks",
    ".ods": "OpenDocument spreadsheets",
    ".sav": "SPSS files",
    ".zsav": "SPSS files",
    ".por": "SPSS files",
    ".dta": "Stata files",
}
ROWS_AT_ONCE = 65_536


def read_table(
    path: str | Path,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    drop_truncated: bool = False,
) -> tuple[pd.DataFrame, tuple[LedgerLine, ...]]:
    """Read a table from a file, and say what was read.

    Parameters
    ----------
    path : path
        CSV, TSV or other delimited text; or Parquet, told by its ending.
    encoding, delimiter : str, optional
        Found where they are left out: UTF-8 (with or without mark), UTF-16 with mark, else an
        eight-bit encoding such as Windows-1252; comma, semicolon, tab or pipe.
    drop_truncated : bool
        Leave out a last line that was cut off, instead of raising.

    Returns
    -------
    frame : pandas.DataFrame
        Every cell of a text file is text, so ids keep their leading zeros and "NA" is a word;
        only the empty cell is missing. Parquet columns keep their types.
    lines : tuple of LedgerLine
        Rows read and dropped, and how the text was understood.

    Raises
    ------
    DataError
        The file is not there, is empty, is no table, or is cut off.
    AnswersError
        Lines with too few or too many cells, with their numbers.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise OptionError("delimiter", delimiter, allowed=tuple(DELIMITERS))
    file = Path(path)
    ending = file.suffix.casefold()
    refuse_path(file)
    if ending in LATER_ENDINGS:
        raise NotSupportedError(
            f"Reading {LATER_ENDINGS[ending]} ({file.name})",
            instead="Save the answers as CSV (UTF-8) and read that file.",
        )
    if ending in PARQUET_ENDINGS:
        return _read_parquet(file)
    text, used = decode(read_bytes(file), name=file.name, encoding=encoding)
    return table_of_text(
        text,
        file.name,
        used=used,
        guessed=encoding is None,
        delimiter=delimiter,
        drop_truncated=drop_truncated,
    )


def table_of_text(
    text: str, name: str, *, used: str, guessed: bool, delimiter: str | None, drop_truncated: bool
) -> tuple[pd.DataFrame, tuple[LedgerLine, ...]]:
    """Read the table that stands in a text; `used` is the encoding it came in."""
    records = split_records(text, name=name, delimiter=delimiter, drop_truncated=drop_truncated)
    return frame_of(records, name, how=how_read(used, records.delimiter, guessed=guessed))


def refuse_path(file: Path) -> None:
    """Raise where there is no file, or a folder."""
    if file.is_dir():
        raise DataError(f"{file} is a folder. Name the file in it.")
    if not file.exists():
        near = sorted(p.name for p in file.parent.glob("*")) if file.parent.is_dir() else []
        same = [name for name in near if name.casefold() == file.name.casefold()]
        hint = f"Did you mean {same[0]!r}?" if same else "Check the path."
        raise DataError(f"There is no file {file}. {hint}")


def read_bytes(file: Path) -> bytes:
    """Everything in a file; raise where the system does not let it be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        reason = error.strerror or "the system refused"
        raise DataError(f"{file} cannot be read: {reason}. Check who may open it.") from None


def how_read(encoding: str, delimiter: str, *, guessed: bool) -> str:
    """How a text was understood, in words for the ledger."""
    mark = DELIMITERS.get(delimiter, repr(delimiter))
    certain = not guessed or encoding.startswith("utf")
    doubt = "" if certain else " (judged by how the text reads; say encoding=... to be sure)"
    return f"text in {encoding}, cells divided by {mark}{doubt}"


def frame_of(
    records: Records, name: str, *, how: str
) -> tuple[pd.DataFrame, tuple[LedgerLine, ...]]:
    """Records as a frame of text, with what was done on the way."""
    import pyarrow as pa

    header, nameless = _named(records.header)
    schema = pa.schema([pa.field(column, pa.large_string()) for column in header])
    batches = [
        pa.record_batch(_columns(records.rows[start : start + ROWS_AT_ONCE]), schema=schema)
        for start in range(0, len(records.rows), ROWS_AT_ONCE)
    ]
    frame: pd.DataFrame = pa.Table.from_batches(batches, schema=schema).to_pandas()
    empty = [column for column in nameless if frame[column].isna().all()]
    frame = frame.drop(columns=empty)
    n_cut = int(records.truncated_line is not None)
    ledger = Ledger().add("read", f"rows read; {how}", len(records.rows) + n_cut)
    if n_cut:
        what = f"line {records.truncated_line} is cut off"
        ledger = ledger.add("drop", what, n_cut)
    if empty:
        ledger = ledger.add("drop", "columns without a name or a value", len(empty), unit="columns")
    if kept := [column for column in nameless if column not in empty]:
        what = f"columns without a name, called {', '.join(kept)}"
        ledger = ledger.add("rename", what, len(kept), unit="columns")
    return frame, ledger.named(name).lines


def _columns(rows: Sequence[list[str]]) -> list[pa.Array]:
    import pyarrow as pa

    return [
        pa.array([cell or None for cell in cells], type=pa.large_string())
        for cells in zip(*rows, strict=True)
    ]


def _named(header: Sequence[str]) -> tuple[list[str], list[str]]:
    """The header with a name for each nameless column, and those names.

    Blanks that cannot be seen (no-break, zero-width) become plain ones, so that a name can be
    typed as it is read.
    """
    names: list[str] = []
    made: list[str] = []
    plain = [visible(column) for column in header]
    header = plain if len(set(plain)) == len(set(header)) else header
    for place, column in enumerate(header, start=1):
        name = column
        if not column.strip():
            name = f"unnamed_{place}"
            while name in header:
                name += "_"
            made.append(name)
        names.append(name)
    return names, made


def visible(name: str) -> str:
    """A column name without invisible characters: no-break blanks are blanks, ends are cut."""
    return re.sub(
        r"[\u200b-\u200d\u2060\ufeff]", "", re.sub(r"[\u00a0\u2007\u202f]", " ", name)
    ).strip()


def _read_parquet(file: Path) -> tuple[pd.DataFrame, tuple[LedgerLine, ...]]:
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(file)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else "damaged"
        raise DataError(
            f"{file.name} cannot be read as a Parquet file ({reason}). Export it again."
        ) from None
    if not table.num_rows:
        raise DataError(f"{file.name} has columns but no rows: there are no answers to read.")
    # Integers with missing cells would become floats, and long ids would lose digits.
    whole = {
        name: pd.Int64Dtype()
        for name, column in zip(table.column_names, table.columns, strict=True)
        if pa.types.is_integer(column.type) and column.null_count
    }
    frame: pd.DataFrame = table.drop_columns(list(whole)).to_pandas(ignore_metadata=True)
    for name, dtype in whole.items():
        frame[name] = table.column(name).to_pandas(types_mapper=lambda _, d=dtype: d)
    frame = frame[table.column_names]
    line = LedgerLine("read", "rows read; Parquet", len(frame), source=file.name)
    return frame, (line,)
