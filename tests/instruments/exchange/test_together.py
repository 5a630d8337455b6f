"""Picks, ranks, points to share out and free text, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import collabsurvey as cs
from collabsurvey.instruments.exchange import export_instrument
from collabsurvey.instruments.exchange.html import questionnaire_html
from collabsurvey.instruments.exchange.html.words import WORDS
from collabsurvey.instruments.exchange.names import column_name

OWN = tuple(str(row.id) for row in cs.list_instruments().itertuples() if row.kind == "own")
RANKS = [f"mng_rank_0{n}" for n in range(1, 6)]
NOW = [f"ctx_points_now_0{n}" for n in range(1, 4)]
RANK_RULE = "Give each number from 1 to 5 once."
POINT_RULE = "Share out exactly 100 points among these 3; each may get 0."


def exported(name: str, to: str, **options: Any) -> Any:
    instrument = cs.load_instrument(name)
    slots = dict.fromkeys(instrument.slots, "Dale")
    return export_instrument(instrument, to, slots=slots, **options)  # type: ignore[arg-type]


def survey(name: str, **options: Any) -> dict[str, dict[str, str]]:
    book = openpyxl.load_workbook(io.BytesIO(exported(name, "xlsform", **options)))
    header, *rows = book["survey"].iter_rows(values_only=True)
    return {
        str(row[1]): {str(k): str(v) for k, v in zip(header, row, strict=True) if v} for row in rows
    }


def holds(constraint: str, own: str, given: dict[str, str]) -> bool:
    """What an XPath engine says of a constraint: text that is no number is none (nan)."""
    words = re.sub(r"\$\{(\w+)\}", lambda m: f"V({given.get(m[1], '')!r})", constraint)
    words = re.sub(r"(?<![\w.'])\.(?![\w.'])", f"V({own!r})", words).replace(" = ", " == ")

    class V(str):
        __slots__ = ()
        __hash__ = str.__hash__

        @property
        def number(self) -> float:
            return float(self) if self else float("nan")

        def __eq__(self, other: object) -> bool:
            return str.__eq__(self, other) if isinstance(other, str) else self.number == other

        def __ne__(self, other: object) -> bool:
            return not self == other

        def __lt__(self, other: Any) -> bool:
            return self.number < other

        def __ge__(self, other: Any) -> bool:
            return self.number >= other

        def __le__(self, other: Any) -> bool:
            return self.number <= other

        def __add__(self, other: Any) -> Any:
            return self.number + getattr(other, "number", other)

        def __radd__(self, other: Any) -> Any:
            return other + self.number

    return bool(eval(words, {"V": V}))


@pytest.mark.parametrize("name", OWN)
def test_every_format_takes_every_instrument(name: str, tmp_path: Path) -> None:
    for to in ("redcap", "limesurvey", "qualtrics", "csv", "spss", "stata", "reproschema", "html"):
        assert exported(name, to)
    xls2xform = pytest.importorskip("pyxform.xls2xform")
    warned: list[str] = []
    path = exported(name, "xlsform", path=tmp_path / "form.xlsx")
    result = xls2xform.convert(path, warnings=warned, validate=False)
    assert warned == []
    for item in cs.load_instrument(name).items:
        assert f"/{column_name(item.id)}" in result.xform


def test_statements_stand_in_the_order_of_the_file() -> None:
    answers = cs.load_instrument("relational_context").response_set("ctx.now.03")
    assert answers is not None
    assert answers.values == (3, 1, 2)
    wanted = [answers.labels["en-GB"][code] for code in answers.values]
    for to in ("redcap", "limesurvey", "qualtrics", "html"):
        text = str(exported("relational_context", to))
        places = [text.index(label) for label in wanted]
        assert places == sorted(places), to
    book = openpyxl.load_workbook(io.BytesIO(exported("relational_context", "xlsform")))
    lists = [row for row in book["choices"].iter_rows(values_only=True) if row[0] == "resources3"]
    assert [row[1] for row in lists] == ["3", "1", "2", "-7", "-8"]


def test_an_xlsform_lets_each_rank_be_given_once() -> None:
    rows = survey("shared_meaning")
    assert "constraint" not in rows[RANKS[0]]
    third = rows[RANKS[2]]
    assert third["constraint_message::English (en)"] == RANK_RULE
    assert third["hint::English (en)"] == RANK_RULE
    given = {RANKS[0]: "1", RANKS[1]: "", RANKS[3]: "4"}
    said = {own: holds(third["constraint"], own, given) for own in ("1", "2", "4", "-8")}
    assert said == {"1": False, "2": True, "4": True, "-8": True}
    # Two who cannot say are no rank given twice.
    assert holds(third["constraint"], "-8", {RANKS[0]: "-8"})


@pytest.mark.parametrize(
    ("given", "own", "fine"),
    [
        (("50", "20"), "30", True),
        (("50", "20"), "20", False),
        (("100", "0"), "0", True),
        (("50", ""), "20", True),
        (("50", "-8"), "20", True),
        (("50", "20"), "-8", True),
        (("50", "20"), "101", False),
    ],
)
def test_an_xlsform_checks_the_sum_at_the_last_number(
    given: tuple[str, str], own: str, fine: bool
) -> None:
    rows = survey("relational_context")
    last = rows[NOW[2]]
    assert last["type"] == "integer"
    assert last["hint::English (en)"].startswith(POINT_RULE)
    assert holds(last["constraint"], own, dict(zip(NOW, given, strict=False))) is fine
    assert "$" not in rows[NOW[0]]["constraint"]


def test_a_form_with_half_a_ranking_has_no_rule() -> None:
    instrument = cs.load_instrument("shared_meaning")
    items = tuple(item for item in instrument.items if item.id != "mng.rank.05")
    fewer = instrument.model_copy(update={"items": items})
    text = export_instrument(fewer, "redcap", slots={"partnership": "Dale"})
    assert RANK_RULE not in str(text)
    assert RANK_RULE in exported("shared_meaning", "redcap")


def test_each_partner_has_its_own_rule() -> None:
    instrument = cs.load_instrument("shared_meaning")
    slots = {**instrument.slots, "partner": next(iter(instrument.slots.values()))}
    items = tuple(
        item.model_copy(update={"text": {"en-GB": f"{{partner}}: {item.id}"}})
        for item in instrument.items
    )
    asked = instrument.model_copy(update={"slots": slots, "items": items})
    raw = export_instrument(asked, "xlsform", partners=["Hill", "Vale"])
    book = openpyxl.load_workbook(io.BytesIO(raw))  # type: ignore[arg-type]
    header, *rows = book["survey"].iter_rows(values_only=True)
    found = {str(row[1]): dict(zip(header, row, strict=True)) for row in rows}
    constraint = str(found["mng_rank_02__2"]["constraint"])
    assert "${mng_rank_01__2}" in constraint
    assert "${mng_rank_01}" not in constraint


def test_other_platforms_say_the_rule() -> None:
    redcap = {
        row[0]: row for row in csv.reader(io.StringIO(exported("relational_context", "redcap")))
    }
    assert redcap[NOW[0]][6].startswith(POINT_RULE)
    assert redcap[NOW[0]][7:10] == ["integer", "-8", "100"]
    lime = list(csv.reader(io.StringIO(exported("shared_meaning", "limesurvey")), delimiter="\t"))
    assert next(row for row in lime if row[2] == "mngrank")[4] == RANK_RULE
    qualtrics = exported("shared_meaning", "qualtrics")
    assert f"[[ID:mng_rank_0]]\n{RANK_RULE}\n[[Choices]]" in qualtrics
    archive = zipfile.ZipFile(io.BytesIO(exported("relational_context", "reproschema")))
    item = json.loads(archive.read(f"activities/relational_context/items/{NOW[0]}"))
    assert item["preamble"] == {"en-gb": POINT_RULE}
    assert item["ui"]["inputType"] == "number"


def test_free_text_is_a_field_for_text() -> None:
    assert survey("shared_meaning")["mng_line_01"]["type"] == "text"
    redcap = {row[0]: row for row in csv.reader(io.StringIO(exported("shared_meaning", "redcap")))}
    assert redcap["mng_line_01"][3] == "notes"
    lime = list(csv.reader(io.StringIO(exported("shared_meaning", "limesurvey")), delimiter="\t"))
    assert next(row for row in lime if row[2] == "mngline")[:2] == ["Q", "Q"]
    assert "[[Question:TE:SingleLine]]\n[[ID:mng_line_01]]" in exported(
        "shared_meaning", "qualtrics"
    )
    spss = exported("shared_ownership", "spss")
    assert re.search(r"ALTER TYPE own_nominate_01 [\w\s]*\(A1000\)\.", spss)
    assert not re.search(r"VALUE LABELS[^.]*own_nominate", spss)
    stata = exported("shared_meaning", "stata")
    assert "tostring mng_line_01, replace" in stata
    assert not re.search(r"mvdecode[^,]*mng_line", stata)
    archive = zipfile.ZipFile(io.BytesIO(exported("shared_meaning", "reproschema")))
    item = json.loads(archive.read("activities/shared_meaning/items/mng_line_01"))
    assert item["responseOptions"] == {"valueType": ["xsd:string"]}


def test_the_page_ties_the_rule_to_its_questions() -> None:
    slots = {"partnership": "Dale"}
    page = questionnaire_html(cs.load_instrument("shared_meaning"), slots=slots)
    rule = re.search(rf'<p class="rule" id="([\w-]+)">{RANK_RULE}</p>', page)
    assert rule is not None
    described = re.findall(rf'<fieldset[^>]*id="q-(\w+)"[^>]*aria-describedby="{rule[1]}"', page)
    assert described == RANKS
    assert page.count('role="status" data-kind="ranks" data-total="5"') == 1
    assert '<label for="n-mng_line_01">' in page
    assert '<textarea id="n-mng_line_01"' in page
    other = questionnaire_html(cs.load_instrument("relational_context"), slots=slots)
    assert other.count('data-kind="points" data-total="100"') == 2


def test_the_page_says_its_rules_in_every_language() -> None:
    for words in WORDS.values():
        assert "{total}" in words["points_rule"]
        assert "{n}" in words["ranks_rule"]
