"""Answers written for SPSS (.sav, .zsav) and Stata (.dta), as colleagues expect them there.

Variables carry the wording, value labels, measure and missing codes; `read_responses` reads the
files back to the same answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from collabsurvey.errors import (
    AnswersError,
    OptionError,
    OutputError,
)
from collabsurvey.instruments.model import Instrument, ResponseSet
from collabsurvey.responses.engine import as_narwhals, collect
from collabsurvey.responses.free_text import coded_ids, is_text
from collabsurvey.responses.platforms.export import plain_text
from collabsurvey.responses.platforms.spss_stata import pyreadstat_package
from collabsurvey.responses.responses import Responses

if TYPE_CHECKING:
    import pandas as pd

RespondentIds = Literal["numbered", "kept"]
FreeText = Literal["left_out", "kept"]
LONGEST_NAME = {"sav": 64, "dta": 32}
LONGEST_LABEL = {"sav": 255, "dta": 80}  # bytes of a variable label
DISCRETE = 3  # missing values that SPSS can name one by one
RESERVED = {  # words that SPSS or Stata keep for themselves
    "all", "and", "by", "eq", "ge", "gt", "le", "lt", "ne", "not", "or", "to", "with",
    "byte", "double", "float", "if", "in", "int", "long", "strl", "using",
}  # fmt: skip


@dataclass(frozen=True)
class _Variable:
    """One column of the file to be written."""

    name: str
    label: str
    labels: Mapping[float, str]  # of answers and of missing codes
    missing: tuple[float, ...]
    answers: tuple[float, ...]
    measure: Literal["nominal", "ordinal", "scale"]


def write_sav(
    responses: Responses,
    path: str | Path,
    *,
    language: str | None = None,
    respondent_ids: RespondentIds = "numbered",
    free_text: FreeText = "left_out",
) -> dict[str, str]:
    """Write answers as an SPSS file (.sav, or .zsav for a compressed one).

    Parameters
    ----------
    responses : Responses
        Items are written as answered, not reversed, with their role columns.
    language : str, optional
        Of wording and labels; the first of the instrument where it is left out.
    respondent_ids : {"numbered", "kept"}
        Whether people are numbered from 1 in the order of the rows (default: nobody can be
        looked up by the id of another list), or keep their ids. Text of roles is written as it is.
    free_text : {"left_out", "kept"}
        Whether lines in people's own words are written. They may say who somebody is, so they
        are left out unless asked for; read them before the file goes further.

    Returns
    -------
    dict
        Column of the responses → variable of the file.

    Raises
    ------
    OptionError
        The instrument has no such language, or the path has another ending.
    DataError
        A name is too long for the program, or two names become one.
    OutputError
        The file cannot be written.

    Notes
    -----
    Value labels, wording as variable label where it may be redistributed, measure (ordinal,
    nominal, scale) and the instrument's missing codes as user-missing. SPSS can name three
    missing values, or a range and one value; further codes are labelled and not declared.
    """
    file = _target(path, (".sav", ".zsav"))
    frame, variables, names = _written(
        responses, language, respondent_ids, free_text, program="sav"
    )
    ranges = {v.name: _ranges(v.missing, v.answers) for v in variables if v.missing}
    _write(
        "write_sav",
        frame,
        file,
        file_label=_cut(responses.instrument.title, 64),
        column_labels=[v.label for v in variables],
        compress=file.suffix.casefold() == ".zsav",
        variable_value_labels={v.name: dict(v.labels) for v in variables if v.labels},
        missing_ranges=ranges,
        variable_measure={v.name: v.measure for v in variables},
    )
    return names


def write_dta(
    responses: Responses,
    path: str | Path,
    *,
    language: str | None = None,
    respondent_ids: RespondentIds = "numbered",
    free_text: FreeText = "left_out",
) -> dict[str, str]:
    """Write answers as a Stata file (.dta), version 118.

    As `write_sav`. Stata labels whole numbers only, and has no measure; the instrument's missing
    codes are labelled and, since a missing answer has no code any more, written as `.`.
    """
    file = _target(path, (".dta",))
    frame, variables, names = _written(
        responses, language, respondent_ids, free_text, program="dta"
    )
    labels = {
        v.name: {int(value): text for value, text in v.labels.items() if float(value).is_integer()}
        for v in variables
    }
    whole = [v.name for v in variables if labels[v.name]]
    _write(
        "write_dta",
        frame,
        file,
        file_label=_cut(responses.instrument.title, 80),
        column_labels=[v.label for v in variables],
        variable_value_labels={name: labels[name] for name in whole},
    )
    return names


def _target(path: str | Path, endings: tuple[str, ...]) -> Path:
    file = Path(path)
    if file.suffix.casefold() not in endings:
        raise OptionError(
            "path", str(path), allowed=tuple(f"a name ending in {e}" for e in endings)
        )
    return file


def _write(function: str, frame: pd.DataFrame, file: Path, **options: Any) -> None:
    pyreadstat = pyreadstat_package()
    try:
        getattr(pyreadstat, function)(frame, file, **options)
    except (OSError, pyreadstat.ReadstatError, pyreadstat.PyreadstatError) as error:
        raise OutputError(f"{file} cannot be written: {error}") from None


def _written(
    responses: Responses,
    language: str | None,
    respondent_ids: str,
    free_text: str,
    *,
    program: Literal["sav", "dta"],
) -> tuple[pd.DataFrame, list[_Variable], dict[str, str]]:
    """The frame to write, its variables and their names."""
    if respondent_ids not in ("numbered", "kept"):
        raise OptionError("respondent_ids", respondent_ids, allowed=("numbered", "kept"))
    if free_text not in ("left_out", "kept"):
        raise OptionError("free_text", free_text, allowed=("left_out", "kept"))
    instrument = responses.instrument
    language = _language(instrument, language)
    roles = [column for column in responses.roles.values() if column not in instrument.item_ids]
    items = instrument.item_ids if free_text == "kept" else coded_ids(instrument)
    columns = [*roles, *items]
    names = _names(columns, set(items), program)
    table = collect(as_narwhals(responses.frame).select(*columns)).to_pandas()
    by_column = {column: role for role, column in responses.roles.items()}
    out: dict[str, Any] = {}
    variables: list[_Variable] = []
    for column in columns:
        name, series = names[column], table[column]
        if column in items:
            is_line = is_text(instrument, column)
            out[name] = _plain_role(series) if is_line else series.astype("float64")
            variables.append(_item_variable(instrument, column, name, language, program))
            continue
        if by_column[column] == "respondent" and respondent_ids == "numbered":
            series = _numbered(series)
        out[name] = _plain_role(series)
        label = _cut(f"{by_column[column]}: {column}", LONGEST_LABEL[program])
        measure: Literal["nominal", "scale"] = (
            "scale" if by_column[column] == "weight" else "nominal"
        )
        variables.append(_Variable(name, label, {}, (), (), measure))
    import pandas as pd

    return pd.DataFrame(out), variables, names


def _numbered(series: pd.Series) -> pd.Series:
    """1, 2, … in the order in which ids first occur; rows without an id have none."""
    import pandas as pd

    codes, _ = pd.factorize(series)
    numbers = pd.Series(codes, index=series.index, dtype="float64") + 1
    return numbers.where(series.notna())


def _plain_role(series: pd.Series) -> pd.Series:
    """A role column as numbers or as text, which is what these files can hold."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(series) or pd.api.types.is_numeric_dtype(series):
        return series.astype("float64")
    return series.astype(object).where(series.notna(), None).map(str, na_action="ignore")


def _language(instrument: Instrument, language: str | None) -> str:
    texts = [item.text for item in instrument.items if item.text]
    known = list(dict.fromkeys(lang for text in texts for lang in text))
    known += [
        lang
        for one in instrument.response_sets.values()
        for lang in one.labels
        if lang not in known
    ]
    if language is None:
        return known[0] if known else ""
    if language not in known:
        raise OptionError("language", language, allowed=known or ("None",))
    return language


def _names(
    columns: Sequence[str], items: set[str], program: Literal["sav", "dta"]
) -> dict[str, str]:
    """A name that the program takes for each column; items keep theirs, dots as underscores."""
    from collabsurvey.instruments.exchange.names import column_name

    longest = LONGEST_NAME[program]
    faults: list[str] = []
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for column in sorted(columns, key=lambda c: c not in items):  # items first: theirs are stable
        name = re.sub(r"\W", "_", column_name(column) if column in items else column, flags=re.A)
        name = name if re.match(r"[A-Za-z]", name) else f"v_{name}"
        name = f"{name}_" if name.casefold() in RESERVED else name
        if column in items and len(name) > longest:
            faults.append(
                f"The name {name!r} has more than the {longest} characters allowed there."
            )
        if column not in items:
            name = _free(name[:longest], taken, longest)
        if name.casefold() in taken and column in items:
            faults.append(
                f"{column!r} and {taken[name.casefold()]!r} would both be called {name!r}."
            )
        taken[name.casefold()] = column
        names[column] = name
    if faults:
        program_name = "SPSS" if program == "sav" else "Stata"
        raise AnswersError(f"The file for {program_name}", faults)
    return {column: names[column] for column in columns}


def _free(name: str, taken: Mapping[str, str], longest: int) -> str:
    new, number = name, 2
    while new.casefold() in taken:
        mark = f"_{number}"
        new, number = f"{name[: longest - len(mark)]}{mark}", number + 1
    return new


def _item_variable(
    instrument: Instrument, item: str, name: str, language: str, program: Literal["sav", "dta"]
) -> _Variable:
    answers = instrument.response_set(item)
    text = instrument.item(item).text or {}
    shown = text.get(language, "") if instrument.licence.redistribute_text else ""
    label = _cut(plain_text(shown) or item, LONGEST_LABEL[program])
    if answers is None:
        return _Variable(name, label, {}, (), (), "scale")
    labels = {float(v): _cut(t, 120) for v, t in answers.labels.get(language, {}).items()}
    said = answers.missing_labels.get(language, {})
    for code, reason in answers.missing.items():
        labels[float(code)] = _cut(said.get(code) or reason.replace("_", " "), 120)
    if answers.type == "text":  # a string variable has no codes of numbers
        return _Variable(name, label, {}, (), (), "nominal")
    return _Variable(
        name, label, labels, _missing_codes(answers), answers.values, _measure(answers)
    )


def _measure(answers: ResponseSet) -> Literal["nominal", "ordinal", "scale"]:
    if answers.type in ("nominal", "text"):
        return "nominal"
    return "scale" if answers.type == "bounded" else "ordinal"


def _missing_codes(answers: ResponseSet) -> tuple[float, ...]:
    return tuple(sorted(float(code) for code in answers.missing))


def _ranges(missing: Sequence[float], answers: Iterable[float]) -> list[float | dict[str, float]]:
    """Missing codes as SPSS takes them: three values, or a range without answers and one value."""
    if len(missing) <= DISCRETE:
        return list(missing)
    valid = list(answers)
    for start, stop in ((0, len(missing)), (1, len(missing)), (0, len(missing) - 1)):
        low, high = missing[start], missing[stop - 1]
        if not any(low <= value <= high for value in valid):
            rest = [code for code in missing if not low <= code <= high]
            return [{"lo": low, "hi": high}, *rest]
    return list(missing[:DISCRETE])


def _cut(text: str, longest: int) -> str:
    """Text of at most so many bytes, which is how these files count."""
    raw = text.encode()
    return text if len(raw) <= longest else f"{raw[: longest - 3].decode(errors='ignore')}…"
