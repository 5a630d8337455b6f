"""One file of any platform: what it is, and what its reader found in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from collabsurvey.errors import DataError, NotSupportedError, OptionError, UnknownNameError
from collabsurvey.responses.delimited import DELIMITERS, find_delimiter, split_lines
from collabsurvey.responses.encoding import decode
from collabsurvey.responses.excel import read_workbook
from collabsurvey.responses.ledger import LedgerLine
from collabsurvey.responses.platforms.detect import HEAD_ROWS, Found, find_platform
from collabsurvey.responses.platforms.export import (
    PLATFORMS,
    TITLES,
    Export,
    Source,
    table_of,
)
from collabsurvey.responses.platforms.forms import read_forms
from collabsurvey.responses.platforms.limesurvey import read_limesurvey
from collabsurvey.responses.platforms.qualtrics import read_qualtrics
from collabsurvey.responses.platforms.redcap import read_redcap
from collabsurvey.responses.platforms.spss_stata import read_dta, read_sav
from collabsurvey.responses.platforms.surveymonkey import read_surveymonkey
from collabsurvey.responses.tables import (
    PARQUET_ENDINGS,
    how_read,
    read_bytes,
    read_table,
    refuse_path,
    table_of_text,
)

ENDINGS = {
    ".sav": "spss",
    ".zsav": "spss",
    ".dta": "stata",
    ".xlsx": "excel",
    ".xlsm": "excel",
    **dict.fromkeys(PARQUET_ENDINGS, "parquet"),
}
OLD_FORMATS = {
    ".xls": "old Excel workbooks",
    ".ods": "OpenDocument spreadsheets",
    ".por": "SPSS portable files",
}
WITH_DEFINITION = ("qualtrics", "limesurvey", "redcap")
SHEETS = (".xlsx", ".xlsm")
PLAIN = ("csv", "excel")  # tables that no platform explains


def read_export(
    path: str | Path,
    *,
    platform: str | None = None,
    definition: str | Path | None = None,
    sheet: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    drop_truncated: bool = False,
) -> Export:
    """Read a file of answers by the reader of its platform, named or found.

    Parameters
    ----------
    platform : str, optional
        One of `PLATFORMS`; found by the ending and the first rows where it is left out.
    definition : path, optional
        What the platform exports as the survey itself: .qsf, .lss or .xml, data dictionary.
    sheet : str, optional
        Of a workbook.

    Raises
    ------
    OptionError, UnknownNameError
        The platform is none, or an option does not belong to it.
    DataError
        The file is of another platform than the one named, or cannot be read.
    """
    file = Path(path)
    ending = file.suffix.casefold()
    if platform is not None and platform not in PLATFORMS:
        raise UnknownNameError(
            "platform", str(platform), available=PLATFORMS, where="read_responses"
        )
    refuse_path(file)
    if ending in OLD_FORMATS:
        raise NotSupportedError(
            f"Reading {OLD_FORMATS[ending]} ({file.name})",
            instead="Save the answers as .xlsx or as CSV (UTF-8) and read that file.",
        )
    by_ending = ENDINGS.get(ending)
    if by_ending in ("spss", "stata", "parquet"):
        _refuse_named(platform, Found(by_ending, f"its name ends in {ending}"), file.name)
        _refuse_options(by_ending, definition=definition, sheet=sheet)
        return _typed(file, by_ending)
    if platform in ("spss", "stata", "parquet") or (platform == "excel" and by_ending != "excel"):
        raise DataError(
            f"{file.name} is read as {TITLES[platform]} by its ending, and it has another one. "
            "Leave platform out, or rename the file to what it is."
        )
    if ending in SHEETS:
        if platform == "csv":
            _refuse_named(platform, Found("excel", f"its name ends in {ending}"), file.name)
        source = read_workbook(file, sheet=sheet)
        found = find_platform(source.lines.rows[:HEAD_ROWS])
        found = found if found.platform != "csv" else Found("excel", f"its name ends in {ending}")
    else:
        if sheet is not None:
            raise OptionError("sheet", sheet, allowed=("None: the file is no workbook",))
        if platform in ("csv", None) and definition is None:
            return _text(file, platform, encoding, delimiter, drop_truncated)
        source = _text_source(file, encoding, delimiter, drop_truncated)
        found = find_platform(source.lines.rows[:HEAD_ROWS])
    return _by_platform(source, platform, found, definition)


def _text(
    file: Path, platform: str | None, encoding: str | None, delimiter: str | None, drop: bool
) -> Export:
    """A text file: a plain table where it is one, or said to be one."""
    if delimiter is not None and len(delimiter) != 1:
        raise OptionError("delimiter", delimiter, allowed=tuple(DELIMITERS))
    text, used = decode(read_bytes(file), name=file.name, encoding=encoding)
    guessed = encoding is None
    found = Found("csv", "")
    if platform is None:
        found = find_platform(_head(text, file.name, delimiter))
    if found.platform != "csv":
        source = _source_of(text, file.name, used, guessed, delimiter, drop)
        return _by_platform(source, None, found, None)
    frame, lines = table_of_text(
        text, file.name, used=used, guessed=guessed, delimiter=delimiter, drop_truncated=drop
    )
    return Export("csv", frame, lines)


def _head(text: str, name: str, delimiter: str | None) -> list[list[str]]:
    """The first rows, read without complaint: `read_table` says what is wrong with a file."""
    try:
        mark = delimiter or find_delimiter(text, name)
        reader = csv.reader(io.StringIO(text[:1_000_000], newline=""), delimiter=mark)
        rows = []
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) >= HEAD_ROWS:
                break
    except (csv.Error, DataError, TypeError, ValueError):
        return []
    return rows


def _text_source(
    file: Path, encoding: str | None, delimiter: str | None, drop_truncated: bool
) -> Source:
    if delimiter is not None and len(delimiter) != 1:
        raise OptionError("delimiter", delimiter, allowed=tuple(DELIMITERS))
    text, used = decode(read_bytes(file), name=file.name, encoding=encoding)
    return _source_of(text, file.name, used, encoding is None, delimiter, drop_truncated)


def _source_of(
    text: str, name: str, used: str, guessed: bool, delimiter: str | None, drop_truncated: bool
) -> Source:
    lines = split_lines(text, name=name, delimiter=delimiter)
    how = how_read(used, lines.delimiter, guessed=guessed)
    return Source(name, lines, how, drop_truncated)


def _by_platform(
    source: Source, platform: str | None, found: Found, definition: str | Path | None
) -> Export:
    _refuse_named(platform, found, source.name)
    used = found.platform if platform in (None, "excel") else platform
    _refuse_options(used, definition=definition, sheet=None)
    export = _read_by(source, used, definition)
    why = "as was said" if platform == used and found.platform != used else found.why
    what = f"read as an export of {TITLES[used]}: {why}"
    n = len(export.frame.columns)
    line = LedgerLine("note", what, n, "columns", source=source.name)
    lines = export.lines if used in PLAIN else (line, *export.lines)
    if export.respondent is not None:
        n = int(export.frame[export.respondent].nunique())
        what = f"different values: {export.respondent!r} may be the respondent role"
        lines = (*lines, LedgerLine("note", what, n, "values", export.respondent, source.name))
    return replace(export, lines=lines)


def _read_by(source: Source, platform: str, definition: str | Path | None) -> Export:
    with_definition = {
        "qualtrics": read_qualtrics,
        "limesurvey": read_limesurvey,
        "redcap": read_redcap,
    }
    if platform in with_definition:
        return with_definition[platform](source, definition=definition)
    if platform == "surveymonkey":
        return read_surveymonkey(source)
    if platform in ("microsoft_forms", "google_forms"):
        return read_forms(source, platform=platform)
    return _plain(source, platform)


def _plain(source: Source, platform: str) -> Export:
    table = table_of(source)
    return Export(platform, table.frame, table.lines, names=table.names)


def _typed(file: Path, platform: str) -> Export:
    if platform == "spss":
        return read_sav(file)
    if platform == "stata":
        return read_dta(file)
    frame, lines = read_table(file)
    return Export("parquet", frame, lines)


def _refuse_named(platform: str | None, found: Found, name: str) -> None:
    """Raise where the platform named is not the one the file speaks of."""
    if platform is None or platform == found.platform or found.platform in PLAIN:
        return
    if platform in PLAIN and found.platform not in ("spss", "stata", "parquet", "excel"):
        return
    raise DataError(
        f"platform={platform!r} was said, but {name} looks like {TITLES[found.platform]}: "
        f"{found.why}. Leave platform out, or say platform={found.platform!r}."
    )


def _refuse_options(platform: str, *, definition: str | Path | None, sheet: str | None) -> None:
    if definition is not None and platform not in WITH_DEFINITION:
        named: Sequence[str] = [TITLES[one] for one in WITH_DEFINITION]
        raise OptionError(
            "definition",
            str(definition),
            allowed=(f"None: only exports of {', '.join(named)} have one",),
        )
    if sheet is not None and platform != "excel":
        raise OptionError("sheet", sheet, allowed=("None: the file is no workbook",))
