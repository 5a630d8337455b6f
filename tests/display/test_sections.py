"""Tables in sections: headings set apart in text, bold in HTML."""

from __future__ import annotations

from collabsurvey.display.sections import SectionedTable

TABLE = SectionedTable(
    title="T",
    columns={"name": ["First", "a", "Second", "b"], "value": ["", 0.5, "", 1.25]},
    notes=("A note.",),
    heads=(0, 2),
)


def test_text_has_a_blank_line_between_sections() -> None:
    assert TABLE.to_text().split("\n") == [
        "T",
        "",
        "name    value",
        "------  -----",
        "First",
        "a       0.500",
        "",
        "Second",
        "b       1.250",
        "",
        "Note. A note.",
    ]


def test_headings_are_bold_in_html() -> None:
    html = TABLE.to_html()
    assert html.count('style="font-weight: bold;"') == 4  # two rows of two cells
    plain = SectionedTable(title="T", columns={"a": [1]}).to_html()
    assert 'style="font-weight: bold;"' not in plain
