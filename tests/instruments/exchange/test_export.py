"""What stands in each export, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import openpyxl
import pytest

import collabsurvey as cs
from collabsurvey.errors import (
    DataError,
    NotSupportedError,
    OptionError,
    OutputError,
    UnknownNameError,
)
from collabsurvey.instruments import Instrument
from collabsurvey.instruments.exchange import FORMATS, Platform, export_instrument
from collabsurvey.instruments.exchange.names import (
    column_name,
    item_name,
    limesurvey_answer,
    limesurvey_code,
    signed_code,
)
from collabsurvey.instruments.exchange.redcap import COLUMNS
from collabsurvey.instruments.exchange.texts import html_text, spreadsheet_text

SHIPPED = ("trust", "culture", "role_identity", "collaborative_capacity")
PARTNERS = ("Hill School", "Vale School")
TEXTS = ("redcap", "limesurvey", "qualtrics", "csv", "spss", "stata")


def small(**changes: Any) -> Instrument:
    """Two languages, every type of response set, and texts that mean harm."""
    plan: dict[str, Any] = {
        "id": "small",
        "version": "1.0.0",
        "title": "Small & <odd>",
        "kind": "own",
        "licence": {
            "items": "CC-BY-4.0",
            "key": "CC0-1.0",
            "redistribute_text": True,
            "commercial": True,
            "confidence": "high",
        },
        "respondents": ["front_line", "decision_maker"],
        "slots": {"partner": {"type": "organisation"}},
        "response_sets": {
            "agree3": {
                "type": "ordinal",
                "values": [1, 2, 3],
                "labels": {"en-GB": ["No", "=So-so", "Yes"], "de": ["Nein", "Teils", "Ja"]},
                "missing": {-8: "cannot_say", -9: "skipped"},
            },
            "kind": {
                "type": "nominal",
                "values": [1, 2],
                "labels": {"en-GB": {1: "A|B", 2: "C"}, "de": {1: "A|B", 2: "C"}},
            },
            "hours": {
                "type": "bounded",
                "values": [0, 168],
                "labels": {"en-GB": {0: "None"}, "de": {0: "Keine"}},
                "missing": {-8: "cannot_say"},
            },
        },
        "items": [
            _item("sma.one.01", "=HYPERLINK(1) of {partner}", "agree3", forms=["core", "F"]),
            _item("sma.one.02", "<b>Bold</b> & ${name} [[Block]] {lang}", "agree3", forms=["D"]),
            _item("sma.two.01", "Which kind?\nOn two lines", "kind", forms=["core", "F"]),
            _item("sma.two.02", "It's `pwd' \"$HOME\" // *_hours_*", "hours"),
        ],
        "scoring": [{"id": "sma.one", "title": "One", "items": ["sma.one.01", "sma.one.02"]}],
        "translations": [{"lang": "en-GB", "status": "source"}],
    }
    return Instrument.model_validate({**plan, **changes})


def _item(item_id: str, text: str, response: str, **more: Any) -> dict[str, Any]:
    texts = {"en-GB": text, "de": f"{text} (de)"}
    return {"id": item_id, "text": texts, "response": response, **more}


def sheets(raw: Any) -> dict[str, list[dict[str, str]]]:
    """The sheets of a workbook as rows of text by column."""
    book = openpyxl.load_workbook(io.BytesIO(raw))
    found = {}
    for sheet in book:
        header, *rows = sheet.iter_rows(values_only=True)
        found[sheet.title] = [
            {str(k): str(v) for k, v in zip(header, row, strict=True) if v is not None}
            for row in rows
        ]
    return found


def dictionary(text: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# Every instrument in every format


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("name", SHIPPED)
def test_every_item_is_in_every_export(name: str, to: Platform, tmp_path: Path) -> None:
    instrument = cs.load_instrument(name)
    path = tmp_path / f"{name}{FORMATS[to].ending}"
    assert export_instrument(instrument, to, path) == path
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing half written beside it
    content = export_instrument(instrument, to)
    kept = path.read_bytes()
    if isinstance(content, str):
        assert kept.decode(FORMATS[to].encoding) == content
        said = content
    elif to == "xlsform":
        said = " ".join(
            str(c) for rows in sheets(content).values() for row in rows for c in row.items()
        )
    else:
        said = " ".join(zipfile.ZipFile(io.BytesIO(content)).namelist())
    plain = re.sub(r"[\W_]+", "", said).casefold()
    for item in instrument.item_ids:
        whole = re.sub(r"[\W_]+", "", item).casefold() in plain
        assert whole or to in ("limesurvey", "qualtrics")  # there names are divided


def test_the_page_in_html_is_one_of_the_formats(tmp_path: Path) -> None:
    page = export_instrument(cs.load_instrument("trust"), "html", partners=PARTNERS)
    assert "tru_expect_01__2" in str(page)
    assert set(get_args(Platform)) == {*FORMATS, "html"}


def test_an_unknown_format_is_refused_with_the_list() -> None:
    with pytest.raises(OptionError, match=r"to='word'.*'xlsform', 'redcap', 'limesurvey'"):
        export_instrument(small(), "word")  # type: ignore[arg-type]


# XLSForm


@pytest.mark.parametrize("partners", [(), PARTNERS], ids=["alone", "partners"])
@pytest.mark.parametrize("name", [*SHIPPED, "small"])
def test_pyxform_takes_the_form(name: str, partners: tuple[str, ...], tmp_path: Path) -> None:
    xls2xform = pytest.importorskip("pyxform.xls2xform")
    instrument = small() if name == "small" else cs.load_instrument(name)
    if partners and "partner" not in instrument.slots:
        pytest.skip("asks about no partner")
    path = tmp_path / "form.xlsx"
    export_instrument(instrument, "xlsform", path, partners=partners)
    warned: list[str] = []
    result = xls2xform.convert(path, warnings=warned, validate=False)
    assert warned == []
    assert result.xform.count("<select1") >= len(instrument.items) - 1
    asked = [q for q in re.findall(r'nodeset="([^"]*)"', result.xform) if "__" not in q or partners]
    assert len(asked) >= len(instrument.items)


def test_an_xlsform_has_lists_matrices_and_languages() -> None:
    found = sheets(export_instrument(small(), "xlsform"))
    survey = {row["name"]: row for row in found["survey"] if "name" in row}
    assert survey["g1"] == {"type": "begin_group", "name": "g1", "appearance": "table-list"}
    assert survey["sma_one_01"]["type"] == "select_one agree3"
    assert survey["sma_one_01"]["required"] == "no"
    assert survey["sma_one_02"]["label::German (de)"].endswith("(de)")
    number = survey["sma_two_02"]
    assert number["type"] == "integer"
    assert number["constraint"] == "(. >= 0 and . <= 168) or . = -8"
    assert number["hint::English (en)"] == "0 = None; 168 = 168; -8 = Cannot say"
    choices = [(row["list_name"], row["name"]) for row in found["choices"]]
    assert ("agree3", "-8") in choices
    assert ("agree3", "-9") not in choices  # a blank is a blank
    assert found["settings"][0]["form_id"] == "small"
    assert found["settings"][0]["form_title"] == "Small & <odd> (draft)"
    assert found["settings"][0]["default_language"] == "English (en)"


def test_an_xlsform_says_whom_the_columns_are_about() -> None:
    found = sheets(export_instrument(cs.load_instrument("trust"), "xlsform", partners=PARTNERS))
    assert {
        row["name"]: row.get("label::English (en)") for row in found["survey"] if "name" in row
    }["p2"] == "Vale School"
    assert any("1 Hill School; 2 Vale School" in str(row) for row in found["about"])


def test_a_workbook_must_be_called_one(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"ends in \.xlsx"):
        export_instrument(small(), "xlsform", tmp_path / "form.csv")


# REDCap


def test_a_data_dictionary_has_its_18_columns() -> None:
    text = str(export_instrument(cs.load_instrument("role_identity"), "redcap"))
    header = next(csv.reader(io.StringIO(text)))
    assert tuple(header) == COLUMNS
    assert len(header) == 18
    rows = dictionary(text)
    assert rows[0][COLUMNS[0]] == "record_id"
    assert "draft" in rows[0]["Field Annotation"]
    assert {row["Form Name"] for row in rows} == {"role_identity"}
    first = next(row for row in rows if row[COLUMNS[0]] == "rol_fixedness_01")
    assert first[COLUMNS[5]].startswith("1, Strongly disagree | 2, Disagree | ")
    assert first[COLUMNS[5]].endswith(" | -7, I take no part in joint work | -8, I cannot say")
    assert first["Field Type"] == "radio"
    groups = [row["Matrix Group Name"] for row in rows if row["Matrix Group Name"]]
    assert groups == sorted(groups, key=groups.index)  # each matrix in one piece
    by_group: dict[str, set[str]] = {}
    for row in rows:
        by_group.setdefault(row["Matrix Group Name"], set()).add(row[COLUMNS[5]])
    assert all(len(choices) == 1 for name, choices in by_group.items() if name)
    names = [row[COLUMNS[0]] for row in rows]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z](_?[a-z0-9])*", name) for name in names)


def test_redcap_names_have_no_double_underscore() -> None:
    rows = dictionary(export_instrument(cs.load_instrument("trust"), "redcap", partners=PARTNERS))
    names = [row[COLUMNS[0]] for row in rows]
    assert "tru_expect_01_p1" in names
    assert not [name for name in names if "__" in name]
    assert [row["Section Header"] for row in rows if row["Section Header"]] == list(PARTNERS)


def test_a_range_that_is_long_is_a_number_in_redcap() -> None:
    row = next(r for r in dictionary(export_instrument(small(), "redcap")) if "hours" in str(r))
    assert row["Field Type"] == "text"
    assert row["Text Validation Type OR Show Slider Number"] == "integer"
    assert (row["Text Validation Min"], row["Text Validation Max"]) == ("-8", "168")


def test_choices_that_begin_with_a_minus_stay_codes() -> None:
    rows = dictionary(export_instrument(cs.load_instrument("culture"), "redcap"))
    row = next(one for one in rows if one[COLUMNS[0]] == "cul_flexibility_01")
    assert row[COLUMNS[5]].startswith(" -3, The left fits exactly | -2, ")


# LimeSurvey


@pytest.mark.parametrize("partners", [(), PARTNERS], ids=["alone", "partners"])
def test_limesurvey_codes_are_such_as_it_takes(partners: tuple[str, ...]) -> None:
    text = export_instrument(cs.load_instrument("trust"), "limesurvey", partners=partners)
    rows = list(csv.DictReader(io.StringIO(str(text)), delimiter="\t"))
    questions = [row["name"] for row in rows if row["class"] == "Q"]
    assert len({name.casefold() for name in questions}) == len(questions)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,19}", name) for name in questions)
    parts = [row["name"] for row in rows if row["class"] == "SQ"]
    assert all(re.fullmatch(r"[A-Za-z0-9]{1,20}", name) for name in parts)
    answers = [row["name"] for row in rows if row["class"] == "A"]
    assert all(re.fullmatch(r"[A-Za-z0-9]{1,5}", name) for name in answers)
    assert len(parts) == 43 * max(len(partners), 1)
    assert [row["class"] for row in rows][:5] == ["S", "S", "S", "SL", "SL"]


def test_limesurvey_repeats_everything_in_each_language() -> None:
    text = str(export_instrument(small(), "limesurvey"))
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t"))
    assert [row["text"] for row in rows if row["class"] == "S"] == ["en", "de", "G"]
    english, german = (
        [(row["class"], row["name"]) for row in rows if row["language"] == language]
        for language in ("en", "de")
    )
    assert english == german
    assert "draft" in next(row["text"] for row in rows if row["name"] == "surveyls_title")


def test_limesurvey_evaluates_nothing() -> None:
    text = str(export_instrument(small(), "limesurvey"))
    assert not re.search(r"\{(?!\s)", text)


def test_many_partners_have_distinct_codes_in_limesurvey() -> None:
    partners = [f"School {number}" for number in range(30)]
    text = export_instrument(cs.load_instrument("trust"), "limesurvey", partners=partners)
    rows = csv.DictReader(io.StringIO(str(text)), delimiter="\t")
    codes = [row["name"] for row in rows if row["class"] == "Q"]
    assert "p30truexpect" in codes
    assert len(set(codes)) == len(codes)


def test_what_limesurvey_cannot_hold_is_refused_by_name() -> None:
    with pytest.raises(NotSupportedError, match=r"2\.5 in LimeSurvey"):
        limesurvey_answer(2.5)
    with pytest.raises(NotSupportedError, match="Give the items shorter ids"):
        limesurvey_code(["a" * 45, "b" * 45], set())


def test_names_come_back() -> None:
    for number in (0, 1, 12):
        column = column_name("tru.invest.frontline.01", number)
        code, (part,) = limesurvey_code([column], set())
        assert item_name(f"{code}[{part}]", "limesurvey") == ("truinvestfrontline01", number)
        assert item_name(f"p1-g2-{column}", "csv") == ("tru_invest_frontline_01", number)
        assert item_name(f"p1/g2/{column}", "csv") == ("tru_invest_frontline_01", number)
    assert item_name("tru_expect_01_p2", "redcap") == ("tru_expect_01", 2)
    assert item_name("tru_expect_01_2", "redcap") == ("tru_expect_01", 2)
    assert item_name("tru_expect_01___2", "redcap") == ("tru_expect_01___2", 0)  # a checkbox
    assert signed_code(limesurvey_answer(-8)) == -8
    assert signed_code("no") is None


# Qualtrics


def test_qualtrics_matrices_and_recode_values() -> None:
    text = str(export_instrument(cs.load_instrument("culture"), "qualtrics"))
    assert text.startswith("[[AdvancedFormat]]\n\n[[Block:")
    assert "draft" in text.splitlines()[2]
    assert "[[Question:Matrix]]\n[[ID:cul_gap_0]]\n" in text
    assert "[[AdvancedAnswers]]\n[[Answer:-3]]\nThe left fits exactly\n" in text


def test_questions_about_partners_stand_alone_in_qualtrics() -> None:
    text = str(
        export_instrument(cs.load_instrument("trust"), "qualtrics", partners=PARTNERS, form="core")
    )
    assert "[[Block:About 2 Vale School: Trust between" in text
    assert "[[Question:MC:Dropdown]]\n[[ID:tru_expect_01__2]]\n" in text
    assert "[[AdvancedChoices]]\n[[Choice:0]]\n0: Certain not to happen\n[[Choice:1]]\n1\n" in text
    assert "Matrix" not in text


def test_an_item_cannot_bring_a_tag_into_qualtrics() -> None:
    text = str(export_instrument(small(), "qualtrics"))
    assert text.count("[[Block") == 1
    assert "${" not in text


# Statistics programs


def test_spss_syntax() -> None:
    text = str(export_instrument(small(), "spss"))
    assert "sma_two_02 'It''s `pwd''" in text
    assert "MISSING VALUES sma_one_01 sma_one_02 (-9, -8)." in text
    assert "VARIABLE LEVEL sma_two_01 (NOMINAL)." in text
    assert max(map(len, text.splitlines())) < 250
    assert re.search(r"VALUE LABELS sma_one_01 sma_one_02\n  1 'No'\n  2 '=So-so'\n  3 'Yes'", text)


def test_more_than_three_missing_codes_are_a_range_in_spss() -> None:
    sets = small().model_dump()["response_sets"]
    sets["agree3"]["missing"] = {-6: "a", -7: "b", -8: "c", -9: "d"}
    assert "(-9 THRU -6)." in str(export_instrument(small(response_sets=sets), "spss"))
    sets["agree3"]["missing"] = {-6: "a", -7: "b", -8: "c", 9: "d"}
    with pytest.raises(NotSupportedError, match="among the answers"):
        export_instrument(small(response_sets=sets), "spss")


def test_stata_do_file_expands_nothing() -> None:
    text = str(export_instrument(small(), "stata"))
    assert "mvdecode sma_one_01 sma_one_02, mv(-8=.a \\ -9=.b)" in text
    assert 'label define agree3_v1 .a `"Cannot say"\', modify' in text
    bare = re.sub(r"`\"(.*?)\"'", r"\1", text)
    assert not set("`$\"'") & set(bare)
    labels = re.findall(r"label variable \w+ `\"(.*)\"'", text)
    assert max(map(len, labels)) <= 80


def test_names_that_a_program_would_cut_are_refused() -> None:
    long = _item("sma.an_id_that_stata_would_have_to_cut_off", "Text", "agree3")
    with pytest.raises(NotSupportedError, match="over 32 characters in Stata"):
        export_instrument(small(items=[long], scoring=[]), "stata")


# ReproSchema


def test_reproschema_files(tmp_path: Path) -> None:
    folder = tmp_path / "trust"
    assert export_instrument(cs.load_instrument("trust"), "reproschema", folder) == folder
    protocol = json.loads((folder / "trust" / "trust_schema").read_text(encoding="utf-8"))
    assert protocol["category"] == "reproschema:Protocol"
    assert "draft" in protocol["description"]["en-gb"]
    activity = folder / "activities" / "trust"
    order = json.loads((activity / "trust_schema").read_text(encoding="utf-8"))["ui"]["order"]
    assert len(order) == 43
    item = json.loads((activity / order[0]).read_text(encoding="utf-8"))
    assert item["responseOptions"]["choices"][-1] == {
        "name": {"en-gb": "I cannot say"},
        "value": -8,
    }
    with pytest.raises(OutputError, match="exists already"):
        export_instrument(cs.load_instrument("trust"), "reproschema", folder)


def test_the_archive_is_the_folder(tmp_path: Path) -> None:
    raw = export_instrument(small(), "reproschema", partners=["Hill"])
    folder = tmp_path / "out"
    export_instrument(small(), "reproschema", folder, partners=["Hill"])
    assert isinstance(raw, bytes)
    archive = zipfile.ZipFile(io.BytesIO(raw))
    for name in archive.namelist():
        assert (folder / name).read_bytes() == archive.read(name)
    assert raw == export_instrument(small(), "reproschema", partners=["Hill"])


# Texts that mean harm


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)"])
def test_formulas_are_neutralised(text: str) -> None:
    assert spreadsheet_text(text) == f"'{text}"
    assert not html_text(text).startswith(text[0])
    assert spreadsheet_text("-8") == html_text("-8") == "-8"


@pytest.mark.parametrize("to", ["csv", "redcap", "limesurvey", "xlsform"])
def test_no_cell_of_a_table_is_a_formula(to: Platform) -> None:
    content = export_instrument(small(), to)
    if to == "xlsform":
        book = openpyxl.load_workbook(io.BytesIO(content))  # type: ignore[arg-type]
        cells = [cell.value for sheet in book for row in sheet for cell in row]
        assert {cell.data_type for sheet in book for row in sheet for cell in row} <= {"s", "n"}
    else:
        mark = "\t" if to == "limesurvey" else ","
        cells = [c for row in csv.reader(io.StringIO(str(content)), delimiter=mark) for c in row]
    starts = [str(c) for c in cells if c and str(c)[0] in "=+-@"]
    assert [cell for cell in starts if not re.fullmatch(r"-\d+", cell)] == []


@pytest.mark.parametrize("to", ["redcap", "limesurvey", "qualtrics"])
def test_html_is_escaped_where_it_would_be_shown(to: Platform) -> None:
    text = str(export_instrument(small(), to))
    assert "&lt;b&gt;Bold&lt;/b&gt; &amp; " in text
    assert "<b>" not in text
    assert "\n\n\n" not in text


def test_a_form_reads_no_tag_reference_or_markdown() -> None:
    rows = {
        r["name"]: r for r in sheets(export_instrument(small(), "xlsform"))["survey"] if "name" in r
    }
    assert rows["sma_one_02"]["label::English (en)"].startswith("< b>Bold< /b> & $ {name}")
    assert r"\*\_hours\_\*" in rows["sma_two_02"]["label::English (en)"]


def test_a_partner_with_control_characters_is_one_line() -> None:
    text = str(export_instrument(small(), "limesurvey", partners=["Hill\tSchool\r\n\x00"]))
    assert "Hill School" in text


# What may be chosen


def test_one_partner_that_is_no_list_fills_the_slot() -> None:
    text = str(export_instrument(cs.load_instrument("trust"), "csv", partners="Hill School"))
    assert "Hill School sends what it promised" in text
    assert "__1" not in text


def test_slots_have_words() -> None:
    instrument = cs.load_instrument("role_identity")
    assert "I think of myself as part of our school." in str(export_instrument(instrument, "csv"))
    words = {"own_school": "Dale School", "partnership": "Eastshire"}
    text = str(export_instrument(instrument, "csv", slots=words))
    assert "I think of myself as part of Dale School." in text
    assert "Work in Eastshire gets me noticed" in text


def test_a_form_is_a_part_of_the_items() -> None:
    rows = dictionary(export_instrument(small(), "csv", form="core"))
    assert [row["id"] for row in rows] == ["sma.one.01", "sma.two.01", "sma.two.02"]
    kind = dictionary(export_instrument(small(), "csv", form="decision_maker"))
    assert [row["id"] for row in kind] == ["sma.one.02", "sma.two.02"]


def test_languages_are_those_that_are_complete() -> None:
    assert "text_de" in str(export_instrument(small(), "csv"))
    half = _item("sma.one.01", "One", "agree3")
    half["text"] = {"en-GB": "One"}
    instrument = small(items=[half], scoring=[])
    assert "text_de" not in str(export_instrument(instrument, "csv"))
    with pytest.raises(UnknownNameError, match="no language 'fr'"):
        export_instrument(small(), "csv", language="fr")
    with pytest.raises(DataError, match=r"no wording in 'de' of sma\.one\.01"):
        export_instrument(instrument, "csv", language=["en-GB", "de"])
    with pytest.raises(OptionError, match="one language in REDCap"):
        export_instrument(small(), "redcap", language=["en-GB", "de"])


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"partners": ["A", "a"]}, OptionError, "names that each occur once"),
        ({"partners": [" "]}, OptionError, "names that each occur once"),
        ({"partners": ["A"], "slots": {"partner": "B"}}, OptionError, "the slot is filled"),
        ({"slots": {"school": "B"}}, UnknownNameError, "no slot 'school'"),
        ({"form": "coer"}, UnknownNameError, "Did you mean 'core'"),
        ({"language": []}, OptionError, "language="),
    ],
)
def test_options_that_cannot_be(
    options: Mapping[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        export_instrument(small(), "csv", **options)


@pytest.mark.parametrize("to", get_args(Platform))
def test_texts_that_may_not_be_passed_on_are_not(to: Platform) -> None:
    licence = {**small().licence.model_dump(), "redistribute_text": False, "items": "all rights"}
    instrument = small(licence=licence)
    with pytest.raises(
        OptionError, match=r"licence of 'small' \(all rights\) does not let its texts"
    ):
        export_instrument(instrument, to, partners=["Hill"])
    if to in TEXTS:
        key = str(export_instrument(instrument, to, include_text=False))
        assert "HYPERLINK" not in key
        assert "sma.one.01" in key


def test_items_without_answers_are_refused_where_they_are_asked() -> None:
    bare = {"id": "sma.one.01", "text": {"en-GB": "One"}}
    instrument = small(items=[bare], scoring=[], response_sets={})
    assert "sma.one.01" in str(export_instrument(instrument, "csv"))
    with pytest.raises(DataError, match=r"cannot be asked in LimeSurvey: sma\.one\.01"):
        export_instrument(instrument, "limesurvey")


def test_two_items_of_one_column_are_refused() -> None:
    items = [_item("sma.one.01", "One", "agree3"), _item("sma.one0.1", "Two", "agree3")]
    with pytest.raises(DataError, match="would share the column"):
        export_instrument(small(items=items, scoring=[]), "csv")


# Files


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "small.csv"
    path.write_text("before", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left on device"):
        export_instrument(small(), "csv", path)
    assert path.read_text(encoding="utf-8") == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["small.csv"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        export_instrument(small(), "csv", tmp_path)
