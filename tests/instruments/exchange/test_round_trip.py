"""Instrument → export → answers as the platform gives them back → the same scores.

Each layout is built from the export alone: from its names, labels and codes, the way the
platform would. What it reads must give the scores of the answers that were drawn.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat
import pytest

import collabsurvey as cs
from collabsurvey.instruments import Instrument
from collabsurvey.instruments.exchange import export_instrument
from collabsurvey.responses.free_text import text_items

N = 25
PARTNERS = ["Hill School", "St Mary's, Dale"]
# One of every kind of answer, on every platform: agreement, bipolar, 0 to 100 beside partners;
# picks, ranks and a line of text; points to share out; scales of many forms. All others once.
SHIPPED = ("trust", "culture", "shared_meaning", "relational_context", "role_identity")
CASES = [(name, ()) for name in SHIPPED] + [("trust", tuple(PARTNERS))]
OWN = tuple(str(row.id) for row in cs.list_instruments().itertuples() if row.kind == "own")
OTHERS = tuple(name for name in OWN if name not in SHIPPED)
LINES = (
    "We share what works, 5 of us",
    'Help; "whoever" is in difficulty',
    "3",
    "I cannot say why",
)


@dataclass(frozen=True)
class Column:
    """A column of a platform's answers, as its export says."""

    name: str
    wording: str
    labels: Mapping[str, str]  # the platform's value → label


@dataclass(frozen=True)
class Case:
    """An instrument, its partners, and answers drawn for it."""

    instrument: Instrument
    partners: tuple[str, ...]
    answers: pd.DataFrame  # (N, columns) codes, NaN for a blank; columns in export order

    def export(self, to: str, **options: Any) -> Any:
        return export_instrument(self.instrument, to, partners=self.partners, **options)  # type: ignore[arg-type]

    def read(self, path: Path, respondent: str, **options: Any) -> pd.DataFrame:
        """Scores of what stands in a file."""
        if self.partners:
            options["partners"] = list(self.partners)
        responses = cs.read_responses(
            path, instrument=self.instrument, roles={"respondent": respondent}, **options
        )
        return scored(responses)

    def truth(self) -> pd.DataFrame:
        """Scores of the answers as they were drawn."""
        k = len(self.instrument.items)
        parts = []
        for place, partner in enumerate(self.partners or ("",)):
            part = self.answers.iloc[:, place * k : (place + 1) * k].copy()
            part.columns = pd.Index(self.instrument.item_ids)
            parts.append(part.assign(who=who(), partner=partner))
        roles = {"respondent": "who", **({"partner": "partner"} if self.partners else {})}
        frame = pd.concat(parts, ignore_index=True)
        return scored(cs.from_frame(frame, instrument=self.instrument, roles=roles))


def who() -> list[str]:
    return [f"R{number:03d}" for number in range(N)]


def scored(responses: cs.Responses) -> pd.DataFrame:
    """Scores and answers in the order of respondents and partners."""
    keep = [role for role in ("respondent", "partner") if role in responses.roles]
    named = {responses.roles[role]: role for role in keep}
    scores = cs.score(responses).to_frame(keep=keep).rename(columns=named)
    answers = responses.frame[list(responses.instrument.item_ids)].add_prefix("answer ")
    table = pd.concat([scores, answers], axis="columns")
    text = [f"answer {item}" for item in text_items(responses.instrument)]
    kinds = dict.fromkeys(table.columns, "float64") | dict.fromkeys([*keep, *text], "str")
    return table.astype(kinds).sort_values(keep, ignore_index=True)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}{len(case[1]) or ''}")
def case(request: pytest.FixtureRequest) -> Case:
    return drawn_case(*request.param)


@pytest.fixture(params=OTHERS)
def other(request: pytest.FixtureRequest) -> Case:
    return drawn_case(request.param, ())


def drawn_case(name: str, partners: tuple[str, ...]) -> Case:
    instrument = cs.load_instrument(name)
    rng = np.random.default_rng(20261125)
    drawn: dict[int, Any] = {}
    for _ in partners or ("",):
        trait = rng.uniform(-0.4, 0.4, N)  # one for all scales, so that no key is contradicted
        for item in instrument.items:
            answers = instrument.response_set(item.id)
            assert answers is not None
            if answers.type == "text":
                lines = pd.Series(rng.choice([*LINES, ""], N))
                drawn[len(drawn)] = lines.where(lines != "", None)
                continue
            bounded = answers.type == "bounded"
            values = np.arange(answers.low, answers.high + 1) if bounded else answers.values
            place = np.clip(0.5 + item.keyed * trait + rng.normal(0, 0.1, N), 0, 0.999)
            some = np.asarray(values, dtype=float)[(place * len(values)).astype(int)]
            other = rng.choice([-7.0, -8.0, np.nan], N)
            drawn[len(drawn)] = np.where(rng.random(N) < 0.12, other, some)
    return Case(instrument, partners, pd.DataFrame(drawn))


def cells(case: Case, columns: Sequence[Column], *, labelled: bool) -> list[list[str]]:
    """Rows of answers in the platform's own values, or in its labels; "" for a blank."""
    assert len(columns) == case.answers.shape[1]
    rows = []
    for drawn in case.answers.to_numpy():
        row = []
        for column, code in zip(columns, drawn, strict=True):
            if pd.isna(code):
                row.append("")
                continue
            value = code if isinstance(code, str) else in_platform(f"{code:g}", column)
            row.append(column.labels[value] if labelled and column.labels else value)
        rows.append(row)
    return rows


def in_platform(code: str, column: Column) -> str:
    """The platform's value of a code: itself, or without its sign where there are no signs."""
    return code if code in column.labels or not column.labels else code.replace("-", "n")


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def same(found: pd.DataFrame, case: Case) -> None:
    pd.testing.assert_frame_equal(found, case.truth(), check_exact=True)


# LimeSurvey: id, submitdate, … and `question[part]`


def limesurvey_columns(text: str) -> list[Column]:
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t"))
    columns: list[Column] = []
    parts: list[tuple[str, str]] = []
    labels: dict[str, str] = {}
    question = ""

    def close() -> None:
        columns.extend(Column(name, said, labels) for name, said in parts)

    for row in rows:
        if row["class"] == "Q":
            close()
            parts, labels, question = [], {}, row["name"]
        elif row["class"] == "SQ":
            parts.append((f"{question}[{row['name']}]", html.unescape(row["text"])))
        elif row["class"] == "A":
            labels[row["name"]] = html.unescape(row["text"])
    close()
    return columns


def limesurvey_file(
    case: Case, path: Path, head: Callable[[Column], str], *, labelled: bool
) -> Path:
    columns = limesurvey_columns(case.export("limesurvey"))
    header = ["id", "submitdate", "lastpage", "startlanguage", *map(head, columns)]
    body = [
        [name, "2026-09-01 10:00:00", "1", "en", *row]
        for name, row in zip(who(), cells(case, columns, labelled=labelled), strict=True)
    ]
    return write(path, [header, *body])


@pytest.mark.parametrize("labelled", [True, False], ids=["answers", "codes"])
def test_limesurvey_by_code(case: Case, tmp_path: Path, *, labelled: bool) -> None:
    path = limesurvey_file(case, tmp_path / "ls.csv", lambda c: c.name, labelled=labelled)
    same(case.read(path, "id"), case)


def test_limesurvey_by_code_and_text(case: Case, tmp_path: Path) -> None:
    def head(column: Column) -> str:
        return f"{column.name}.  [{column.wording}]"

    path = limesurvey_file(case, tmp_path / "ls.csv", head, labelled=True)
    same(case.read(path, "id"), case)


# Qualtrics: names, questions, ImportIds, then the answers


def qualtrics_columns(text: str) -> list[Column]:
    columns: list[Column] = []
    for block in re.split(r"\n\n(?=\[\[)", text):
        lines = block.strip().split("\n")
        kind = lines[0].removeprefix("[[Question:").removesuffix("]]")
        if not lines[0].startswith("[[Question:") or kind == "DB":
            continue
        name = lines[1].removeprefix("[[ID:").removesuffix("]]")
        pairs = re.findall(r"\[\[(?:Answer|Choice):([^\]]+)\]\]\n([^\n]*)", block)
        labels = {value: html.unescape(label) for value, label in pairs}
        if kind == "Matrix":
            rows = lines[lines.index("[[Choices]]") + 1 : lines.index("[[AdvancedAnswers]]")]
            columns += [
                Column(f"{name}_{number}", f" - {html.unescape(row)}", labels)
                for number, row in enumerate(rows, start=1)
            ]
        else:
            columns.append(Column(name, html.unescape(lines[2]), labels))
    return columns


@pytest.mark.parametrize("labelled", [True, False], ids=["choice text", "recode values"])
def test_qualtrics(case: Case, tmp_path: Path, *, labelled: bool) -> None:
    columns = qualtrics_columns(case.export("qualtrics"))
    own = ["StartDate", "Status", "Finished", "ResponseId"]
    header = [
        [*own, *(column.name for column in columns)],
        ["Start Date", "Response Type", "Finished", "Response ID", *(c.wording for c in columns)],
        [f'{{"ImportId":"{name}"}}' for name in ("startDate", "status", "finished", "_recordId")]
        + [f'{{"ImportId":"QID{number}"}}' for number in range(len(columns))],
    ]
    body = [
        ["2026-09-01 10:00:00", "0", "1", f"R_{name}", *row]
        for name, row in zip(who(), cells(case, columns, labelled=labelled), strict=True)
    ]
    found = case.read(write(tmp_path / "qualtrics.csv", [*header, *body]), "ResponseId")
    same(found.assign(respondent=found["respondent"].str.removeprefix("R_")), case)


# REDCap: raw and labelled


def redcap_columns(text: str) -> list[Column]:
    found = []
    for row in csv.DictReader(io.StringIO(text)):
        choices = row["Choices, Calculations, OR Slider Labels"]
        name = row["Variable / Field Name"]
        if name == "record_id" or row["Field Type"] == "descriptive":
            continue
        pairs = [one.strip().partition(", ") for one in choices.split("|") if choices]
        labels = {value: html.unescape(label) for value, _, label in pairs}
        found.append(Column(name, html.unescape(row["Field Label"]), labels))
    return found


@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "raw"])
def test_redcap(case: Case, tmp_path: Path, *, labelled: bool) -> None:
    columns = redcap_columns(case.export("redcap"))
    form = case.instrument.id
    header = ["record_id", "redcap_survey_identifier", *(c.name for c in columns)]
    body = [
        [name, "", *row, "2"]
        for name, row in zip(who(), cells(case, columns, labelled=labelled), strict=True)
    ]
    path = write(tmp_path / "redcap.csv", [[*header, f"{form}_complete"], *body])
    same(case.read(path, "record_id"), case)


def test_redcap_with_its_dictionary(case: Case, tmp_path: Path) -> None:
    dictionary = case.export("redcap", path=tmp_path / "dictionary.csv")
    columns = redcap_columns(dictionary.read_text(encoding="utf-8"))
    header = ["record_id", "redcap_survey_identifier", *(c.name for c in columns)]
    rows = zip(who(), cells(case, columns, labelled=False), strict=True)
    path = write(tmp_path / "raw.csv", [header, *([name, "", *row] for name, row in rows)])
    same(case.read(path, "record_id", definition=dictionary), case)


# XLSForm: ODK Central and KoboToolbox


def xlsform_columns(raw: bytes, mark: str) -> list[Column]:
    """Columns called by their groups and name, joined by a mark; by the name alone without one."""
    book = openpyxl.load_workbook(io.BytesIO(raw))
    lists: dict[str, dict[str, str]] = {}
    for name, value, label in list(book["choices"].iter_rows(values_only=True))[1:]:
        lists.setdefault(str(name), {})[str(value)] = str(label)
    header, *rows = book["survey"].iter_rows(values_only=True)
    groups: list[str] = []
    columns: list[Column] = []
    for cells_ in rows:
        row = dict(zip(header, cells_, strict=True))
        kind, name = str(row["type"]), str(row["name"])
        if kind == "begin_group":
            groups.append(name)
        elif kind == "end_group":
            groups.pop()
        elif kind != "note":
            path = mark.join([*groups, name]) if mark else name
            labels = lists[kind.split()[1]] if kind.startswith("select_one") else {}
            columns.append(Column(path, str(row["label::English (en)"]), labels))
    return columns


@pytest.mark.parametrize("mark", ["", "-", "/"], ids=["names", "ODK groups", "Kobo groups"])
def test_xlsform(case: Case, tmp_path: Path, mark: str) -> None:
    columns = xlsform_columns(case.export("xlsform"), mark)
    header = ["SubmissionDate", *(c.name for c in columns), "meta-instanceID", "KEY"]
    body = [
        ["2026-09-01T10:00:00.000Z", *row, f"uuid:{name}", name]
        for name, row in zip(who(), cells(case, columns, labelled=False), strict=True)
    ]
    same(case.read(write(tmp_path / "odk.csv", [header, *body]), "KEY"), case)


# SPSS and Stata: what the syntax and the do-file make of the answers


def spss_labels(text: str) -> dict[str, dict[float, str]]:
    """Variable → value labels, as VALUE LABELS of the syntax gives them."""
    found: dict[str, dict[float, str]] = {}
    for command in re.findall(
        r"^VALUE LABELS (.*?)\.\n(?=MISSING|VARIABLE|\n|\Z)", text, re.S | re.M
    ):
        joined = re.sub(r"'\n +\+ '", "", command)
        pairs = re.findall(r"(-?[\d.]+) '((?:[^']|'')*)'", joined)
        labels = {float(value): label.replace("''", "'") for value, label in pairs}
        for variable in joined[: joined.index("\n  " + pairs[0][0])].split():
            found[variable] = labels
    return found


def test_spss(case: Case, tmp_path: Path) -> None:
    labels = spss_labels(case.export("spss"))
    missing = re.findall(r"MISSING VALUES (.*?) \((.*?)\)\.", case.export("spss"), re.S)
    ranges = {
        variable: [float(code) for code in codes.split(", ")]
        for variables, codes in missing
        for variable in variables.split()
    }
    columns = columns_in_order(case)
    assert set(coded_columns(case)) == set(labels) == set(ranges)
    frame = case.answers.set_axis(columns, axis=1).assign(who=who())
    path = tmp_path / "answers.sav"
    pyreadstat.write_sav(frame, path, variable_value_labels=labels, missing_ranges={**ranges})
    same(case.read(path, "who"), case)


def test_stata(case: Case, tmp_path: Path) -> None:
    text = case.export("stata")
    columns, coded = columns_in_order(case), coded_columns(case)
    letters = {
        variable: dict(pair.split("=.") for pair in pairs.split(" \\ "))
        for variables, pairs in re.findall(r"^mvdecode (.*), mv\((.*)\)$", text, re.M)
        for variable in variables.split()
    }
    assert set(coded) == set(letters)
    frame = case.answers.set_axis(columns, axis=1).astype(object)
    for column in coded:
        known = {float(code): letter for code, letter in letters[column].items()}
        frame[column] = [known.get(x, x) if x == x else None for x in frame[column]]  # noqa: PLR0124
    path = tmp_path / "answers.dta"
    pyreadstat.write_dta(
        frame.assign(who=who()),
        path,
        missing_user_values={column: sorted(set(letters[column].values())) for column in coded},
    )
    same(case.read(path, "who"), case)


def coded_columns(case: Case) -> list[str]:
    """Columns of codes and numbers, without lines of text."""
    table = pd.read_csv(io.StringIO(case.export("csv")))
    return [str(column) for column in table["column"][table["type"] != "text"]]


def columns_in_order(case: Case) -> list[str]:
    table = pd.read_csv(io.StringIO(case.export("csv")))
    return [str(column) for column in table["column"]]


def test_a_plain_table_with_the_columns_of_the_item_table(case: Case, tmp_path: Path) -> None:
    frame = case.answers.set_axis(columns_in_order(case), axis=1)
    path = tmp_path / "plain.csv"
    frame.assign(who=who()).to_csv(path, index=False)
    same(case.read(path, "who"), case)


# Every other questionnaire, on the platforms whose names or codes are their own


def test_every_other_instrument_comes_back_from_limesurvey(other: Case, tmp_path: Path) -> None:
    path = limesurvey_file(other, tmp_path / "ls.csv", lambda c: c.name, labelled=True)
    same(other.read(path, "id"), other)


def test_every_other_instrument_comes_back_from_an_xlsform(other: Case, tmp_path: Path) -> None:
    test_xlsform(other, tmp_path, "-")


def test_every_other_instrument_comes_back_from_redcap(other: Case, tmp_path: Path) -> None:
    test_redcap(other, tmp_path, labelled=True)


def test_every_other_instrument_comes_back_from_qualtrics(other: Case, tmp_path: Path) -> None:
    test_qualtrics(other, tmp_path, labelled=True)
