"""Tables of any result as LaTeX and as Word."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from collabsurvey.display import Table
from collabsurvey.display.sections import SectionedTable
from collabsurvey.errors import DataError, MissingPackageError, OptionError, OutputError
from collabsurvey.regression import compare, ols
from collabsurvey.reporting.latex import escaped, to_latex
from collabsurvey.reporting.word import to_word

NASTY = r"50% of a_b & c^2 {x} #1 $y$ ~ \input{/etc/passwd} < > | −1 – “q” π"


@pytest.fixture
def table() -> Table:
    return Table(
        title=f"Scores: {NASTY}",
        columns={"name_of": ["[a]", "*b", "tab\tline\nbreak"], "value": [1.25, -2.0, None]},
        notes=("Mean of 5% & more.",),
        formats={"value": ".2f"},
    )


def plain_commands(text: str) -> set[str]:
    return set(re.findall(r"\\([A-Za-z]+)", text))


def test_latex_is_escaped_whole() -> None:
    text = escaped(NASTY)
    assert "input" not in plain_commands(text)
    assert r"\textbackslash{}input\{/etc/passwd\}" in text
    bare = re.sub(r"\\[%&#_{}$]|\$[^$]*\$|\{\}", "", text)
    assert not set(bare) & set("%&#_^~{}$<>|")
    assert text.isascii()
    assert escaped("a\x00b\nc") == "a b c"


def test_latex_of_a_table(table: Table) -> None:
    text = to_latex(table, label="tab:a-1")
    lines = text.splitlines()
    assert lines[0] == r"\begin{table}[htbp]"
    assert r"\begin{tabular}{lr}" in lines
    assert [lines.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert r"\label{tab:a-1}" in lines
    assert r"name of & value \\" in lines
    assert r"{[a]} & 1.25 \\" in lines
    assert r"{*b} & $-$2.00 \\" in lines
    assert r"tab line break & -- \\" in lines
    assert r"\textit{Note.} Mean of 5\% \& more." in text
    # Every row has as many cells as the table has columns.
    rows = [line for line in lines if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {1}
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_latex_environments_and_mistakes(table: Table) -> None:
    long = to_latex(table, environment="longtable", label="t")
    assert long.startswith(r"\begin{longtable}{lr}")
    assert r"\endfirsthead" in long
    assert to_latex(table, environment="tabular").startswith(r"\begin{tabular}")
    with pytest.raises(OptionError, match="environment"):
        to_latex(table, environment="figure")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="label"):
        to_latex(table, label="a}b")


def test_latex_of_a_comparison_has_sections() -> None:
    data = pd.DataFrame({"x": [1.0, 2, 3, 4, 5], "y": [1.0, 2, 2, 4, 6]})
    text = to_latex(compare([ols("y ~ x", data)]))
    assert r"\textbf{Coefficients}" in text
    assert text.count(r"\addlinespace") == 2
    assert r"R$^{2}$" in text


def test_word_holds_the_cells(table: Table, tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    sections = SectionedTable("More", {"a": ["Head", "x"], "b": ["", "1"]}, heads=(0,))
    path = to_word([table, sections], tmp_path / "tables.docx")
    document = docx.Document(str(path))
    assert document.paragraphs[0].text.startswith("Scores: 50%")
    first, second = document.tables
    assert [cell.text for cell in first.rows[0].cells] == ["name of", "value"]
    assert [cell.text for cell in first.rows[2].cells] == ["*b", "−2.00"]
    assert second.rows[1].cells[0].paragraphs[0].runs[0].bold
    assert not second.rows[2].cells[0].paragraphs[0].runs[0].bold
    assert document.core_properties.author == ""
    assert "Note. Mean of 5% & more." in [paragraph.text for paragraph in document.paragraphs]
    assert first.rows[0]._tr.xpath("./w:trPr/w:tblHeader")
    assert document.sections[0].page_width < document.sections[0].page_height


def test_word_lays_wide_tables_on_their_side_and_drops_control_characters(tmp_path: Path) -> None:
    docx = pytest.importorskip("docx")
    wide = Table("T\x00", {f"c{i}": ["a\x0bb"] for i in range(8)})
    document = docx.Document(str(to_word(wide, tmp_path / "wide.docx")))
    assert document.sections[0].page_width > document.sections[0].page_height
    assert document.tables[0].rows[1].cells[0].text == "a b"


def test_word_mistakes(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match=r"ending in \.docx"):
        to_word(table, tmp_path / "table.pdf")
    with pytest.raises(DataError, match="at least one table"):
        to_word([], tmp_path / "table.docx")
    with pytest.raises(OutputError, match="cannot be written"):
        to_word(table, tmp_path / "nowhere" / "table.docx")
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(MissingPackageError, match=r"collabsurvey\[word\]"):
        to_word(table, tmp_path / "table.docx")
