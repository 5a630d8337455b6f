"""The files that respondents pass on, put together in one table."""

from __future__ import annotations

import csv
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from collabsurvey.errors import AnswersError, CollabSurveyWarning, DataError

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 5_000_000  # bytes; one person's answers take a few thousand
KEY = "response_id"


def collect_answers(folder: str | Path) -> pd.DataFrame:
    """Put the CSV files of a folder together, one row a respondent, every cell as text.

    A response that was saved more than once counts once, as it was finished last. Write the
    table with `to_csv(path, index=False)` and read it with `read_responses`.

    Raises
    ------
    DataError
        The folder has no CSV file.
    AnswersError
        With every file that is no saved questionnaire, or one of another kind than most.

    Warns
    -----
    CollabSurveyWarning
        Files are copies or earlier savings of others and are left out.
    """
    import pandas as pd

    paths = sorted(path for path in Path(folder).glob("*") if path.suffix.lower() == ".csv")
    if not paths:
        raise DataError(f"{folder} has no CSV file. Name the folder with the saved answers.")
    rows: list[dict[str, str]] = []
    headers: dict[tuple[str, ...], list[str]] = {}
    faults: list[str] = []
    for path in paths:
        found = _records(path)
        if isinstance(found, str):
            faults.append(f"{path.name} {found}")
        else:
            headers.setdefault(tuple(found[0]), []).append(path.name)
            rows += found
    if len(headers) > 1:
        usual = max(headers, key=lambda header: len(headers[header]))
        faults += [
            f"{name} has other columns than most files: it is of another questionnaire, version "
            "or list of partners."
            for header, names in headers.items()
            if header != usual
            for name in names
        ]
    if faults:
        raise AnswersError(str(folder), faults)
    latest: dict[str, dict[str, str]] = {}
    for row in sorted(rows, key=lambda row: row["finished"]):  # ISO 8601 in UTC sorts as text
        latest[row[KEY]] = row
    if left_out := len(rows) - len(latest):
        warnings.warn(
            f"{left_out} of {len(rows)} saved responses are copies or earlier savings of others "
            "and are left out.",
            CollabSurveyWarning,
            stacklevel=2,
        )
    return pd.DataFrame(list(latest.values())).sort_values(KEY, ignore_index=True)


def _records(path: Path) -> list[dict[str, str]] | str:  # noqa: PLR0911 - one line a fault
    """The rows of one file, or what is wrong with it."""
    if path.stat().st_size > LARGEST:
        return f"is larger than {LARGEST / 1e6:g} MB, so it is not one person's answers."
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except UnicodeDecodeError:
        return "is not UTF-8 text: it was changed by another program. Ask for the saved file."
    except csv.Error as error:
        return f"cannot be read as CSV: {error}."
    if len(lines) < 2:
        return "holds no answers."
    header, *rows = lines
    if not {KEY, "finished", "instrument"} <= set(header) or len(set(header)) < len(header):
        return "is not a file that the questionnaire page saved, or was changed since."
    if any(len(row) != len(header) for row in rows):
        return "has rows with too few or too many cells: it is cut off or was changed."
    return [dict(zip(header, row, strict=True)) for row in rows]
