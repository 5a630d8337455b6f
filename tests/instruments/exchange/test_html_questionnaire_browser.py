"""The questionnaire page in Chromium: by keyboard, on a phone, on paper, and back into Python.

Needs Chromium and `pip install playwright`; without them the tests are skipped.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.instruments.exchange.html import (
    OWN_COLUMNS,
    collect_answers,
    questionnaire_html,
)

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")

PARTNERS = ("Hill School", "Vale Academy")
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as program:
        browser = program.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visitor:
    """One person's browser window with the page open; notes what goes wrong and out."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": DESKTOP, **options})
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri())

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def focused(self) -> str:
        said = "document.activeElement.name || document.activeElement.id"
        return str(self.page.evaluate(said))

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def choose(self, answers: dict[str, str]) -> None:
        """Give many answers as a click would, only faster."""
        self.page.evaluate(
            """answers => {
              for (const [name, value] of Object.entries(answers)) {
                const circle = [...document.getElementsByName(name)].find(c => c.value === value);
                const field = circle ?? document.getElementById(`n-${name}`);
                if (circle) circle.checked = true; else field.value = value;
              }
              document.getElementById("questionnaire").dispatchEvent(new Event("change"));
            }""",
            answers,
        )

    def save(self, folder: Path, button: str = "#save") -> Path:
        with self.page.expect_download() as download:
            self.page.click(button)
        to = folder / str(download.value.suggested_filename)
        download.value.save_as(to)
        return to


@pytest.fixture(scope="module")
def trust_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "trust.html"
    text = questionnaire_html(cs.load_instrument("trust"), partners=PARTNERS)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def culture_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "culture.html"
    file.write_text(questionnaire_html(cs.load_instrument("culture")), encoding="utf-8")
    return file


def row_of(file: Path) -> dict[str, str]:
    raw = file.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\n") == raw.count(b"\r\n") == 2
    header, cells = csv.reader(file.read_text(encoding="utf-8-sig").splitlines(), strict=True)
    return dict(zip(header, cells, strict=True))


def test_the_whole_questionnaire_by_keyboard(
    chromium: Any, culture_file: Path, tmp_path: Path
) -> None:
    one = Visitor(chromium, culture_file)
    one.press("Tab", "Enter")  # skip link
    assert one.page.evaluate("document.activeElement.id") == "questions"
    items = [item.id.replace(".", "_") for item in cs.load_instrument("culture").items]
    for name in items:
        one.press("Tab")
        assert one.focused() == name
        one.press("Space", "ArrowRight")
    assert one.text("#count") == "24 of 24 answered"
    one.press("Shift+Tab", "Delete")
    assert one.text("#count") == "23 of 24 answered"
    one.press("Tab", "Tab")
    assert one.focused() == "save"
    one.press("Enter")
    assert one.focused() == "open-title"
    assert one.text("#open-title") == "One question is open"
    one.press("Tab")
    assert one.focused() == "go-back"
    one.press("Enter")
    assert one.focused() == items[-2]
    one.press("Space", "Tab", "Tab")
    with one.page.expect_download() as download:
        one.press("Enter")
    download.value.save_as(tmp_path / "answers.csv")
    assert one.focused() == "saved-title"
    row = row_of(tmp_path / "answers.csv")
    assert [row[name] for name in items[:15]] == ["2"] * 15
    assert [row[name] for name in items[15:21]] == ["-2"] * 6
    assert [row[name] for name in items[21:]] == ["2", "1", "2"]
    assert one.requests == [culture_file.as_uri()]
    assert not one.complaints


def test_answers_come_back_with_the_same_scores(
    chromium: Any, trust_file: Path, tmp_path: Path
) -> None:
    trust = cs.load_instrument("trust")
    rng = np.random.default_rng(8)
    rows: list[dict[str, Any]] = []
    for respondent in range(3):
        one = Visitor(chromium, trust_file)
        given: dict[str, str] = {}
        for number, partner in enumerate(PARTNERS, start=1):
            row: dict[str, Any] = {"who": respondent, "partner": partner}
            for item in trust.items:
                bounded = item.response == "likelihood"
                code = int(rng.integers(0, 101) if bounded else rng.integers(1, 6))
                code = int(rng.choice([code, code, code, -7, -8, -9]))
                row[item.id] = code
                if code != -9:
                    given[f"{item.id.replace('.', '_')}__{number}"] = str(code)
            rows.append(row)
        one.choose(given)
        one.page.click("#save")
        one.save(tmp_path, "#save-anyway")
        assert not one.complaints
    together = tmp_path / "together.csv"
    collect_answers(tmp_path).to_csv(together, index=False)
    back = cs.read_responses(
        together, instrument=trust, partners=PARTNERS, roles={"respondent": "response_id"}
    )
    direct = cs.from_frame(
        pd.DataFrame(rows), instrument=trust, roles={"respondent": "who", "partner": "partner"}
    )
    scales = list(trust.scale_ids)

    def ordered(responses: Any) -> pd.DataFrame:  # the ids of the page are in no order
        return cs.score(responses).to_frame()[scales].sort_values(scales, ignore_index=True)

    pd.testing.assert_frame_equal(ordered(back), ordered(direct), check_exact=True)


def test_one_file_is_read_as_it_is(chromium: Any, culture_file: Path, tmp_path: Path) -> None:
    one = Visitor(chromium, culture_file)
    one.page.fill("#school", "Hill School")
    one.page.check("input[value=decision_maker]")
    one.choose({"cul_gap_01": "4"})
    one.page.click("#save")
    file = one.save(tmp_path, "#save-anyway")
    roles = {"respondent": "response_id", "cluster": "school", "staff_role": "role"}
    read = cs.read_responses(file, instrument=cs.load_instrument("culture"), roles=roles)
    assert read.n_respondents == 1
    assert list(read.frame["role"]) == ["decision_maker"]
    row = row_of(file)
    assert tuple(row)[: len(OWN_COLUMNS)] == OWN_COLUMNS
    assert row["instrument"] == "culture" and row["instrument_version"] == "1.0.0"
    assert row["language"] == "en-GB" and int(row["duration_s"]) >= 0
    assert row["started"] <= row["finished"]


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ('=HYPERLINK("x";"y")', '\'=HYPERLINK("x";"y")'),
        ("+A1", "'+A1"),
        ("  @cmd", "'@cmd"),
        ("-5", "-5"),
        ('a "b", c', 'a "b", c'),
        ("Müller 🎈", "Müller 🎈"),
    ],
)
def test_text_is_no_formula_and_keeps_its_signs(
    chromium: Any, culture_file: Path, tmp_path: Path, typed: str, written: str
) -> None:
    one = Visitor(chromium, culture_file)
    one.page.fill("#respondent", typed)
    one.page.click("#save")
    assert row_of(one.save(tmp_path, "#save-anyway"))["respondent"] == written


def test_impossible_numbers_are_not_saved(chromium: Any, trust_file: Path, tmp_path: Path) -> None:
    one = Visitor(chromium, trust_file)
    first, second = "#n-tru_expect_01__1", "#n-tru_expect_02__1"
    one.page.fill(first, "101")
    one.page.fill(second, "12,5")
    one.page.click("#save")
    assert one.focused() == "wrong-title"
    assert one.text("#wrong .links") == "Hill School, question 1"
    assert "from 0 to 100" in one.text("#e-tru_expect_01__1")
    assert one.page.get_attribute(first, "aria-invalid") == "true"
    one.page.click("#wrong .links a")
    assert one.focused() == first[1:]
    one.press("ArrowRight")
    one.page.check("[name=tru_expect_01__1][value='-8']")  # takes the place of the number
    assert one.page.input_value(first) == ""
    assert one.page.get_attribute(first, "aria-invalid") is None
    one.page.click("#save")
    row = row_of(one.save(tmp_path, "#save-anyway"))
    assert (row["tru_expect_01__1"], row["tru_expect_02__1"]) == ("-8", "12.5")
    assert row["tru_expect_03__1"] == "-9"


def test_the_own_school_is_no_partner(chromium: Any, tmp_path: Path) -> None:
    page = tmp_path / "own.html"
    trust = cs.load_instrument("trust")
    text = questionnaire_html(trust, partners=PARTNERS, schools=PARTNERS)
    page.write_text(text, encoding="utf-8")
    one = Visitor(chromium, page)
    one.page.select_option("#school", "Vale Academy")
    assert "0 of 43" in one.text("#count")
    assert "Vale Academy is left out" in one.text("#own-note")
    assert "speaks fairly of Vale Academy" in one.text("#q-tru_expect_06__1")
    one.page.click("#save")
    row = row_of(one.save(tmp_path, "#save-anyway"))
    assert {row[name] for name in row if name.endswith("__2")} == {""}
    assert {row[name] for name in row if name.endswith("__1")} == {"-9"}


def test_nothing_is_kept_unless_asked_for(
    chromium: Any, culture_file: Path, tmp_path: Path
) -> None:
    one = Visitor(chromium, culture_file)
    kept = "localStorage.length + sessionStorage.length"
    one.page.on("dialog", lambda dialog: dialog.accept())
    one.page.check("[name=cul_gap_01][value='3']")
    assert one.page.evaluate(kept) == 0
    one.page.reload()
    assert "0 of 24" in one.text("#count")
    one.page.check("#keep")
    one.page.check("[name=cul_gap_01][value='3']")
    one.page.fill("#respondent", "MA07E")
    one.page.reload()
    assert "1 of 24" in one.text("#count")
    assert one.page.is_checked("[name=cul_gap_01][value='3']")
    assert one.page.input_value("#respondent") == "MA07E"
    assert "brought back" in one.text("#keep-note")
    one.page.uncheck("#keep")
    assert one.page.evaluate(kept) == 0
    one.page.check("#keep")
    assert one.page.evaluate(kept) == 1
    one.page.click("#save")
    one.save(tmp_path, "#save-anyway")
    assert one.page.evaluate(kept) == 0
    assert not one.page.is_checked("#keep")


def test_the_next_person_finds_an_empty_page(
    chromium: Any, culture_file: Path, tmp_path: Path
) -> None:
    one = Visitor(chromium, culture_file)
    one.page.fill("#school", "Hill School")
    assert "What Hill School says about itself" in one.text("#q-cul_gap_01")
    one.page.check("[name=cul_gap_01][value='3']")
    one.page.click("#save")
    first = row_of(one.save(tmp_path, "#save-anyway"))
    one.page.click("#fallback summary")
    assert one.page.input_value("#csv").count("\n") == 2  # the same text, to copy
    one.page.click("#empty")
    assert "0 of 24" in one.text("#count")
    assert "What our school says about itself" in one.text("#q-cul_gap_01")
    assert one.page.evaluate("document.getElementById('csv').value") == ""
    one.page.click("#save")
    second = row_of(one.save(tmp_path, "#save-anyway"))
    assert first["response_id"] != second["response_id"]
    assert second["school"] == "" and second["cul_gap_01"] == "-9"


@pytest.mark.parametrize("name", ["trust", "culture"])
def test_on_a_phone_answers_are_below_each_other_and_large(
    chromium: Any, trust_file: Path, culture_file: Path, name: str
) -> None:
    one = Visitor(chromium, {"trust": trust_file, "culture": culture_file}[name], viewport=PHONE)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    sizes = one.page.evaluate(
        """[...document.querySelectorAll("label.answer, button, select, input[type=text]")]
             .filter(e => e.offsetParent).map(e => e.getBoundingClientRect())
             .map(r => Math.min(r.height, r.width))"""
    )
    assert min(sizes) >= 44
    tops = one.page.evaluate(
        """[...document.querySelectorAll("fieldset.side .answer")].slice(0, 7)
             .map(e => e.getBoundingClientRect().top)"""
    )
    assert len(set(tops)) == len(tops)


def test_without_scripts_the_page_can_be_read_and_printed(
    chromium: Any, culture_file: Path
) -> None:
    one = Visitor(chromium, culture_file, java_script_enabled=False)
    assert one.page.locator("noscript").inner_text().startswith("You can read this page")
    assert not one.page.locator("#save").is_visible()
    assert one.page.locator("fieldset.question").first.is_visible()
    one.page.emulate_media(media="print")
    assert not one.page.locator("noscript").is_visible()
    assert one.page.locator(".tick").is_visible()


def test_paper_has_no_buttons_and_a4_pages(chromium: Any, trust_file: Path) -> None:
    one = Visitor(chromium, trust_file)
    pdf = one.page.pdf(prefer_css_page_size=True)
    assert b"/MediaBox [0 0 594.95996 841.91998]" in pdf or b"/MediaBox [0 0 595" in pdf
    one.page.emulate_media(media="print", color_scheme="dark")
    for hidden in ("button", ".bar", "#keep", "#save"):
        assert not one.page.locator(hidden).first.is_visible()
    assert one.page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    breaks = "getComputedStyle(document.querySelector('.question')).breakInside"
    assert one.page.evaluate(breaks) == "avoid"


@pytest.fixture(scope="module")
def meaning_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "meaning.html"
    text = questionnaire_html(cs.load_instrument("shared_meaning"), slots={"partnership": "Dale"})
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def context_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "context.html"
    text = questionnaire_html(
        cs.load_instrument("relational_context"), slots={"partnership": "Dale"}
    )
    file.write_text(text, encoding="utf-8")
    return file


def test_ranks_say_what_is_given_twice_and_what_is_left(
    chromium: Any, meaning_file: Path, tmp_path: Path
) -> None:
    one = Visitor(chromium, meaning_file)
    assert one.text(".together") == "Still to give: 1, 2, 3, 4, 5."
    one.choose({"mng_rank_01": "1", "mng_rank_02": "1", "mng_rank_03": "4"})
    assert one.text(".together") == "Given more than once: 1. Still to give: 2, 3, 5."
    one.page.click("#save")
    assert one.text("#wrong .links") == "Question 6"
    one.choose({"mng_rank_02": "-8", "mng_line_01": 'Sharing, "5" of us\n=1+1'})
    assert one.text(".together") == "Still to give: 2, 3, 5."
    one.page.click("#save")
    assert one.text("#open-title") == "11 questions are open"
    row = row_of(one.save(tmp_path, "#save-anyway"))
    assert [row[f"mng_rank_0{n}"] for n in range(1, 6)] == ["1", "-8", "4", "-9", "-9"]
    assert row["mng_line_01"] == 'Sharing, "5" of us =1+1'
    assert one.complaints == []


def test_points_say_what_is_left_and_are_asked_for_before_saving(
    chromium: Any, context_file: Path, tmp_path: Path
) -> None:
    one = Visitor(chromium, context_file)
    points = [f"ctx_points_now_0{n}" for n in (1, 2, 3)]
    said = ".together >> nth=0"
    assert one.text(said) == "0 of 100 points shared out, 100 to go."
    one.choose({points[0]: "50", points[1]: "20"})
    assert one.text(said) == "70 of 100 points shared out, 30 to go."
    one.choose({points[2]: "20"})
    one.page.click("#save")
    assert one.text("#wrong .links") == "Question 16"
    one.choose({points[2]: "40"})
    assert one.text(said) == "110 points shared out, 10 more than 100."
    one.choose({points[2]: ""})
    one.page.click("#save")  # a blank answer is never in the way
    assert one.text("#open-title") == "19 questions are open"
    one.choose({points[2]: "30"})
    assert one.text(said) == "All 100 points are shared out."
    one.page.click("#save")
    row = row_of(one.save(tmp_path, "#save-anyway"))
    assert [row[name] for name in points] == ["50", "20", "30"]
    assert one.complaints == []
