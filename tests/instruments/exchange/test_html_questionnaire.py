"""The questionnaire page as text: complete, closed to the network, escaped, in its languages."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from collabsurvey.errors import (
    AnswersError,
    CollabSurveyWarning,
    DataError,
    OptionError,
    UnknownNameError,
)
from collabsurvey.instruments import Instrument, load_instrument
from collabsurvey.instruments.exchange.html import (
    OWN_COLUMNS,
    collect_answers,
    questionnaire_html,
)
from collabsurvey.instruments.exchange.html.words import WORDS, page_words
from collabsurvey.instruments.making import combine_instruments

PARTNERS = ("Hill School", "Vale Academy")
HOSTILE = "</style></script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
VOID = {"meta", "input", "img", "br", "link"}


class Page(HTMLParser):
    """Elements of a page in order, each with its attributes, parents and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[dict[str, Any]] = []
        self.open: list[dict[str, Any]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = {"tag": tag, "text": "", "parents": tuple(self.open), **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] += data

    def all(self, tag: str, **having: str) -> list[dict[str, Any]]:
        return [
            e
            for e in self.elements
            if e["tag"] == tag and all(e.get(k.rstrip("_")) == v for k, v in having.items())
        ]

    @property
    def columns(self) -> list[str]:
        return [e["data-column"] for e in self.all("fieldset") if "data-column" in e]


def page(instrument: str | Instrument, **options: Any) -> Page:
    if isinstance(instrument, str):
        instrument = load_instrument(instrument)
    return Page(questionnaire_html(instrument, **options))


@pytest.fixture(scope="module")
def trust() -> Instrument:
    return load_instrument("trust")


def small(**changes: Any) -> Instrument:
    """One question in English, changed as named."""
    data: dict[str, Any] = {
        "id": "small",
        "version": "1.0.0",
        "title": "Small",
        "kind": "own",
        "licence": {
            "items": "CC-BY-4.0", "key": "CC0-1.0", "redistribute_text": True, "commercial": True,
            "confidence": "high",
        },
        "response_sets": {
            "yes": {"type": "ordinal", "values": [0, 1], "labels": {"en-GB": ["No", "Yes"]}}
        },
        "items": [{"id": "small.a.01", "text": {"en-GB": "Is it so?"}, "response": "yes"}],
    }  # fmt: skip
    return Instrument.model_validate({**data, **changes})


# What is asked


def test_each_question_about_a_partner_is_asked_once_a_partner(trust: Instrument) -> None:
    shown = page(trust, partners=PARTNERS)
    names = [item_id.replace(".", "_") for item_id in trust.item_ids]
    assert shown.columns == [f"{name}__{n}" for n in (1, 2) for name in names]
    text = shown.all("form")[0]["text"]
    for partner in PARTNERS:
        assert f"How likely is it that {partner} releases staff" in text
    assert "{" not in text


def test_questions_about_no_partner_have_plain_columns() -> None:
    culture = load_instrument("culture")
    assert page(culture).columns == [item_id.replace(".", "_") for item_id in culture.item_ids]


def test_one_partner_that_is_no_list_fills_the_slot(trust: Instrument) -> None:
    shown = page(trust, partners="Hill School")
    assert shown.columns == [item_id.replace(".", "_") for item_id in trust.item_ids]
    assert "Please think of Hill School only." in shown.all("form")[0]["text"]


def test_a_form_asks_its_items_only(trust: Instrument) -> None:
    core = [item.id for item in trust.items if "core" in item.forms]
    shown = page(trust, partners=["A"], form="core")
    assert shown.columns == [f"{item_id.replace('.', '_')}__1" for item_id in core]


def test_words_for_other_slots_stand_in_questions_and_instructions() -> None:
    capacity = load_instrument("collaborative_capacity")
    text = page(capacity, slots={"partnership": "Eastshire"}).all("form")[0]["text"]
    assert "for the good of Eastshire." in text and "agencies in Eastshire." in text
    named = page(capacity, slots={"own_school": "Dale School"})
    assert "Dale School is ready to pool" in named.all("form")[0]["text"]
    assert not named.all("span", class_="own-school")


def test_questions_without_answers_are_refused() -> None:
    with pytest.raises(DataError, match=r"which answers these items allow.*small\.a\.01"):
        questionnaire_html(small(items=[{"id": "small.a.01", "text": {"en-GB": "Why?"}}]))


def test_instruments_fielded_together_are_asked_apart(trust: Instrument) -> None:
    culture = load_instrument("culture")
    shown = page(combine_instruments([culture, trust]), partners=PARTNERS)
    assert len(shown.columns) == len(culture.items) + 2 * len(trust.items)
    assert shown.columns[0] == culture.item_ids[0].replace(".", "_")


def test_the_circles_are_the_codes_and_nobody_can_choose_to_have_skipped() -> None:
    shown = page("culture")
    side = [e["value"] for e in shown.all("input", name=shown.columns[0])]
    assert side == ["1", "2", "3", "4", "5", "-7", "-8"]
    assert [e["value"] for e in shown.all("input", name=shown.columns[15])] == [
        "-3", "-2", "-1", "0", "1", "2", "3", "-7", "-8",
    ]  # fmt: skip
    assert {e["data-skipped"] for e in shown.all("fieldset") if "data-column" in e} == {"-9"}


def test_the_school_takes_the_place_of_its_slot() -> None:
    words = [e["text"] for e in page("culture").all("span", class_="own-school")]
    assert words and set(words) == {"our school"}
    capacity = load_instrument("collaborative_capacity")
    spans = page(capacity, schools=["the Hill School"]).all("span", class_="own-school")
    assert {e["text"] for e in spans} == {"The Hill School", "the Hill School"}
    assert all(("data-capital" in e) == e["text"].startswith("The") for e in spans)


def test_a_partner_named_like_a_slot_stays_a_name(trust: Instrument) -> None:
    shown = page(trust, partners=["{school}"])
    assert "How likely is it that {school} releases staff" in shown.all("form")[0]["text"]


def test_the_draft_status_is_said(trust: Instrument) -> None:
    assert page(trust, partners=["A"]).all("p", class_="draft")
    assert not page(small(status="piloted")).all("p", class_="draft")


def test_who_asks_and_where_the_answers_go_are_said() -> None:
    shown = page("culture", title="Our week", intro="We ask.\n\nFor May.", contact="Pat Lee")
    paragraphs = [e["text"] for e in shown.all("p")]
    assert {"We ask.", "For May.", "Questions, and where your answers go: Pat Lee"} <= set(
        paragraphs
    )
    assert shown.all("h1")[0]["text"] == "Our week"


# Nothing comes in, nothing goes out


def test_nothing_is_fetched_and_nothing_can_be_sent(trust: Instrument) -> None:
    shown = page(trust, partners=PARTNERS, schools=PARTNERS)
    for element in shown.elements:
        for name, value in element.items():
            assert name not in {"src", "srcset", "style", "action", "poster", "data"}
            assert not name.startswith("on")
            assert name != "href" or value.startswith("#")
    policy = shown.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    for name in ("default-src", "connect-src", "form-action", "base-uri"):
        assert rules[name] == "'none'"
    style = shown.all("style")[0]["text"]
    script = [e for e in shown.all("script") if "type" not in e]
    assert rules["style-src"] == sha256(style)
    assert [rules["script-src"]] == [sha256(e["text"]) for e in script]
    assert not re.search(r"url\(|@import", style)


def sha256(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def test_the_script_evaluates_nothing_and_parses_no_markup() -> None:
    script = questionnaire_html(small()).rpartition("<script>")[2]
    for word in ("eval", "Function(", "innerHTML", "outerHTML", "insertAdjacent", "document.write",
                 "fetch", "XMLHttpRequest", "sendBeacon", "WebSocket", "cookie"):  # fmt: skip
        assert word not in script
    assert script.startswith('"use strict";')


def test_every_text_is_escaped() -> None:
    hostile = small(
        title=HOSTILE,
        citation=HOSTILE,
        instructions={"en-GB": HOSTILE},
        respondents=[HOSTILE],
        slots={"partner": {"type": "organisation"}},
        items=[
            {"id": "small.a.01", "text": {"en-GB": "{partner}" + HOSTILE}, "response": "yes"},
            {"id": "small.a.02", "text": {"en-GB": HOSTILE}, "response": "yes"},
        ],
        response_sets={
            "yes": {
                "type": "ordinal", "values": [0, 1],
                "labels": {"en-GB": [HOSTILE, "Yes"]},
                "missing": {-8: "cannot_say"}, "missing_labels": {"en-GB": {-8: HOSTILE}},
            }
        },
    )  # fmt: skip
    shown = page(
        hostile, partners=[HOSTILE], schools=[HOSTILE, "B"], intro=HOSTILE, contact=HOSTILE
    )
    assert not shown.all("img")
    assert len(shown.all("script")) == 2
    assert len(shown.all("style")) == 1
    plain = questionnaire_html(small()).rpartition("<script>")[2].partition("</script>")[0]
    assert [e["text"] for e in shown.all("script") if "type" not in e] == [plain]
    assert shown.all("h1")[0]["text"] == HOSTILE
    assert [e["text"] for e in shown.all("option")][1] == HOSTILE
    assert HOSTILE in [e["text"] for e in shown.all("span", class_="word")]


def test_a_title_cannot_leave_the_footer_of_the_printed_page() -> None:
    style = page(small(), title='a"; } body { display: none } \\').all("style")[0]["text"]
    footer = style.rpartition("@bottom-left")[2]
    assert re.fullmatch(
        r' \{ content: "(\w|\\[0-9a-f]{6})+"; font: 8pt sans-serif; \} \}\n', footer
    )


# For everybody


@pytest.mark.parametrize("name", ["trust", "culture", "role_identity", "collaborative_capacity"])
def test_headings_labels_and_references_are_whole(name: str) -> None:
    partners = PARTNERS if name == "trust" else ()
    shown = page(name, partners=partners, schools=PARTNERS)
    ids = [e["id"] for e in shown.elements if "id" in e]
    assert len(set(ids)) == len(ids)
    for element in shown.elements:
        for name_ in ("aria-describedby", "aria-labelledby", "for"):
            assert set((element.get(name_) or "").split()) <= set(ids)
    levels = [int(e["tag"][1]) for e in shown.elements if re.fullmatch("h[1-6]", e["tag"])]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    labelled = {e["for"] for e in shown.all("label") if "for" in e}
    for field in (*shown.all("input"), *shown.all("select")):
        assert field.get("id") in labelled or any(p["tag"] == "label" for p in field["parents"])
    n_legends = sum(e["parents"][-1]["tag"] == "fieldset" for e in shown.all("legend"))
    assert n_legends == len(shown.all("fieldset"))
    assert shown.all("a", class_="skip", href="#questions") and "questions" in ids


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_contrast_as_wcag_asks(scheme: str) -> None:
    style = page(small()).all("style")[0]["text"]
    light, dark = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)[:2]
    found = dict(re.findall(r"--([\w-]+): (#\w+)", light))
    if scheme == "dark":
        found |= dict(re.findall(r"--([\w-]+): (#\w+)", dark))
    texts = [("ink", b) for b in ("page", "card", "chosen", "warn-back")]
    texts += [("quiet", "page"), ("accent", "page"), ("on-accent", "accent"), ("warn", "page")]
    for ink, paper in texts:
        assert contrast(found[ink], found[paper]) >= 4.5, (ink, paper)
    for edge, paper in (("edge", "page"), ("focus", "page"), ("focus", "chosen")):
        assert contrast(found[edge], found[paper]) >= 3, (edge, paper)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2."""
    lights = sorted((luminance(one), luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour: str) -> float:
    hexes = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(hexes[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# Languages


def test_every_language_says_everything_with_the_same_blanks() -> None:
    for words in WORDS.values():
        assert words.keys() == WORDS["en-GB"].keys()
        for name, sentence in words.items():
            assert set(re.findall(r"\{\w+\}", sentence)) == set(
                re.findall(r"\{\w+\}", WORDS["en-GB"][name])
            )


@pytest.mark.parametrize(
    ("language", "spoken"),
    [("de-AT", "de"), ("fr", "fr"), ("en-US", "en-GB"), ("nl", "en-GB")],
)
def test_the_page_speaks_the_nearest_language(language: str, spoken: str) -> None:
    assert page_words(language)[0] == spoken


def in_two_languages(language: str) -> Instrument:
    return small(
        items=[
            {
                "id": "small.a.01",
                "text": {"en-GB": "Is it so?", language: "Stimmt das?"},
                "response": "yes",
            }
        ],
        response_sets={
            "yes": {
                "type": "ordinal", "values": [0, 1],
                "labels": {"en-GB": ["No", "Yes"], language: ["Nein", "Ja"]},
            }
        },
    )  # fmt: skip


def test_a_german_questionnaire_is_german_all_through() -> None:
    shown = page(in_two_languages("de"), language="de")
    assert shown.all("html", lang="de")
    assert shown.all("legend")[-1]["text"] == "1 Stimmt das?"
    assert "Meine Antworten speichern" in [e["text"] for e in shown.all("button")]
    assert not [e for e in shown.elements if e["tag"] != "html" and "lang" in e]


def test_questions_in_a_language_the_page_does_not_speak_say_so() -> None:
    shown = page(in_two_languages("nl"), language="nl")
    assert shown.all("html", lang="en-GB")
    assert shown.all("legend")[-1]["lang"] == "nl"
    assert shown.all("label", class_="answer")[-1]["lang"] == "nl"


# What cannot be


def test_a_missing_language_names_what_is_missing(trust: Instrument) -> None:
    with pytest.raises(UnknownNameError, match="has no language 'de'"):
        questionnaire_html(trust, language="de", partners=PARTNERS)
    half = small(
        items=[{"id": "small.a.01", "text": {"en-GB": "So?", "de": "So?"}, "response": "yes"}]
    )
    with pytest.raises(DataError, match="no labels in 'de' of yes"):
        questionnaire_html(half, language="de")


def test_partners_must_be_named_where_they_are_asked_about(trust: Instrument) -> None:
    with pytest.raises(DataError, match=r"asks about a partner, and none is named"):
        questionnaire_html(trust)
    with pytest.raises(OptionError, match="no slot {partner}"):
        questionnaire_html(load_instrument("culture"), partners=PARTNERS)


@pytest.mark.parametrize("partners", ["", ["A", "a"], ["A", " "], ["A  B", "A B"]])
def test_names_of_partners_must_be_distinct(trust: Instrument, partners: Any) -> None:
    with pytest.raises(OptionError, match="partners="):
        questionnaire_html(trust, partners=partners)


def test_slots_that_nothing_fills_are_named() -> None:
    odd = small(
        slots={"term": {"type": "term"}},
        items=[{"id": "small.a.01", "text": {"en-GB": "In {term}?"}, "response": "yes"}],
    )
    with pytest.raises(DataError, match=r'slots without words: term.*slots={"term"'):
        questionnaire_html(odd)
    assert "In spring?" in questionnaire_html(odd, slots={"term": "spring"})


def test_an_item_cannot_take_a_column_of_the_page() -> None:
    odd = small(
        items=[{"id": "role", "text": {"en-GB": "Is it so?"}, "response": "yes"}],
    )
    with pytest.raises(DataError, match="share the column role"):
        questionnaire_html(odd)


# What comes back


def saved(folder: Path, name: str, key: str, finished: str = "2026-01-01T10:00:00Z") -> None:
    cells = dict.fromkeys(OWN_COLUMNS, "") | {
        "response_id": key, "finished": finished, "instrument": "small", "small_a_01": "1",
    }  # fmt: skip
    lines = [",".join(f'"{cell}"' for cell in line) for line in (cells, cells.values())]
    (folder / name).write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())


def test_files_of_several_people_make_one_table(tmp_path: Path) -> None:
    saved(tmp_path, "b.csv", "r2")
    saved(tmp_path, "a.CSV", "r1")
    (tmp_path / "notes.txt").write_text("not an answer")
    table = collect_answers(tmp_path)
    assert list(table["response_id"]) == ["r1", "r2"]
    assert list(table.columns) == [*OWN_COLUMNS, "small_a_01"]


def test_what_was_saved_twice_counts_as_it_was_last(tmp_path: Path) -> None:
    saved(tmp_path, "1.csv", "r1", "2026-01-01T10:00:00Z")
    saved(tmp_path, "0.csv", "r1", "2026-01-01T10:05:00Z")
    with pytest.warns(CollabSurveyWarning, match="1 of 2 saved responses are copies"):
        table = collect_answers(tmp_path)
    assert list(table["finished"]) == ["2026-01-01T10:05:00Z"]


def test_files_that_do_not_belong_are_all_named(tmp_path: Path) -> None:
    saved(tmp_path, "a.csv", "r1")
    saved(tmp_path, "b.csv", "r2")
    (tmp_path / "c.csv").write_text("response_id,finished,instrument\nr3,2026,other\n")
    (tmp_path / "d.csv").write_text("x,y\n1,2\n")
    (tmp_path / "e.csv").write_bytes(b"response_id\nM\xfcller\n")
    (tmp_path / "f.csv").write_text("response_id\n")
    (tmp_path / "g.csv").write_text("response_id,finished,instrument\nr3,2026\n")
    with pytest.raises(AnswersError) as caught:
        collect_answers(tmp_path)
    for words in (
        "c.csv has other columns",
        "d.csv is not a file that the questionnaire page",
        "e.csv is not UTF-8",
        "f.csv holds no answers",
        "g.csv has rows with too few",
    ):
        assert words in str(caught.value)


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no CSV file"):
        collect_answers(tmp_path)
