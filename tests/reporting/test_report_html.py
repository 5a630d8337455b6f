"""The page: complete, escaped, self-contained, readable by a machine that reads aloud."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from collabsurvey.moments import answer_tables
from collabsurvey.reporting import RunRecord, release, render_html
from collabsurvey.scoring import score
from collabsurvey.simulation import simulate_cohort

KEY = b"0123456789abcdef"
VOID = {"meta", "link", "br", "img", "hr"}


class Page(HTMLParser):
    """Tags, ids and headings of a page; fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            raise ValueError(f"</{tag}> closes another tag")

    def attributes(self, name: str) -> list[str]:
        return [value for _, given in self.tags if (value := given.get(name)) is not None]


@pytest.fixture(scope="module")
def text(record: RunRecord) -> str:
    return render_html(release(record, key=KEY))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def plain(text: str) -> str:
    """What a reader sees."""
    without = re.sub(r"<(style|svg)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without).split())


def section(text: str, name: str) -> str:
    """What a reader sees of one section."""
    start = text.index(f'<section id="{name}"')
    return plain(text[start : text.index("</section>", start)])


def test_every_tag_is_closed_and_every_id_is_used_once(page: Page) -> None:
    assert page.open == []
    counts = Counter(page.attributes("id"))
    assert [name for name, n in counts.items() if n > 1] == []


def test_every_reference_inside_the_page_has_its_target(text: str, page: Page) -> None:
    ids = set(page.attributes("id"))
    used = set(re.findall(r'(?:href|xlink:href)="#([^"]+)"', text))
    used |= set(re.findall(r"url\(#([^)]+)\)", text))
    for name in ("aria-labelledby", "aria-describedby"):
        used |= set(page.attributes(name))
    assert len(used) > 20
    assert used <= ids


def test_nothing_is_fetched(text: str, page: Page) -> None:
    for name in ("src", "href", "xlink:href", "data", "action"):
        assert all(value.startswith("#") for value in page.attributes(name))
    assert not {"script", "iframe", "link", "img"} & {tag for tag, _ in page.tags}
    assert "@import" not in text


def test_language_headings_captions_and_figures_are_said(text: str, page: Page) -> None:
    assert '<html lang="en-GB">' in text
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    tags = Counter(tag for tag, _ in page.tags)
    assert tags["caption"] == tags["table"] > 5
    assert all(given.get("scope") in ("col", "row") for tag, given in page.tags if tag == "th")
    drawn = [given for tag, given in page.tags if tag == "svg"]
    assert len(drawn) == tags["figcaption"] > 5
    assert all(given["role"] == "img" and given["aria-describedby"] for given in drawn)
    assert all("width" not in given and "viewbox" in given for given in drawn)


def test_sections_come_in_order(text: str) -> None:
    found = re.findall(r'<section id="([^"]+)"', text)
    assert found == [
        "what-we-found",
        "who-answered",
        "scales",
        "answers",
        "reliability",
        "schools",
        "models",
        "limits",
        "what-was-done",
        "how-made",
    ]


def test_titles_and_labels_are_escaped(record: RunRecord) -> None:
    evil = "<script>alert('$x$')</script>"
    model = replace(record.models[0], name=evil, hypothesis=evil)
    titles = {"openness": evil, "help": "Help & more"}
    shown = release(
        replace(
            record,
            title=evil,
            scale_titles=titles,
            models=(model,),
            limits=(evil,),
            school_word=evil,
            options={evil: evil},
        ),
        key=KEY,
    )
    text = render_html(shown)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert Page(text).open == []
    assert "Help &amp; more" in text


def test_synthetic_data_are_marked_on_the_page_and_in_print(text: str, record: RunRecord) -> None:
    assert "<title>A trial of the report (synthetic data)</title>" in text
    assert 'class="banner"' in text
    assert '@top-center { content: "Synthetic data' in text
    real = render_html(release(replace(record, synthetic=False, answers=None), key=KEY))
    assert "ynthetic" not in plain(real).replace("--", "")
    assert 'class="banner"' not in real


def test_what_we_found_is_computed_from_the_run(text: str, record: RunRecord) -> None:
    start = text.index('<section id="what-we-found"')
    found = plain(text[start : text.index("</section>", start)])
    n = record.scores["respondent"].nunique()
    assert f"{n} people in 6 schools" in found
    table = record.response_by_school
    assert table is not None
    n, places = table["n"].sum(), table["n_eligible"].sum()
    assert f"{n:,} answers out of {places:,} places over two waves ({n / places:.0%})" in found
    assert "those who could have" not in found
    assert "“Openness”" in found
    assert "We asked whether this holds: “open schools have higher attendance”" in found
    assert "A lead, not a finding: In the model “school by school”" in found


def test_what_we_found_names_no_statistic(text: str) -> None:
    found = section(text, "what-we-found")
    assert not re.search(r"ICC|alpha|Nunnally|REML|Satterthwaite|\bp =|correlation", found)


def test_suppression_is_stated_and_both_kinds_look_alike(text: str) -> None:
    seen = plain(text)
    assert "fewer than 10 respondents are not shown" in seen
    assert "that of the next smallest school is withheld as well" in seen
    for school in ("Birch", "Cedar"):
        row = re.search(rf'<th scope="row">{school}</th>(.*?)</tr>', text)
        assert row is not None
        assert "&lt; 10 or withheld" in row.group(1)


def test_models_say_role_hypothesis_clusters_rows_and_the_adjusted_figure(text: str) -> None:
    seen = plain(text[text.index('<section id="models"') :])
    assert "Confirmatory: the study file says that this question was asked before" in seen
    assert "Hypothesis: Open schools have higher attendance." in seen
    assert "in 6 schools; 3 rows had a missing value" in seen
    assert "allowing for reliability" in seen
    assert "In plain words:" in seen
    assert "Exploratory: this question arose with the data." in seen


def test_limits_name_what_holds(text: str) -> None:
    start = text.index('<section id="limits"')
    seen = plain(text[start : text.index("</section>", start)])
    assert "Nobody assigned the conditions." in seen
    assert "synthetic" in seen
    assert "6 schools are few" in seen
    assert "without a correction for their number" in seen
    assert "Nothing is recorded here about how the questions were tested" in seen


def test_an_item_against_its_scale_is_flagged(
    record: RunRecord, changed: Callable[..., RunRecord]
) -> None:
    overview = record.overview
    assert overview is not None
    frame = overview.scales_frame.copy()
    frame.loc[0, "item_rest_min"] = -0.42
    frame.loc[0, "weakest_item"] = "o2"
    shown = release(changed(overview=replace(overview, scales_frame=frame)), key=KEY)
    seen = plain(render_html(shown))
    assert "Openness: an item (o2) goes against the others (item–rest correlation −0.42)" in seen
    assert "On 1 scale a question goes against the others: check it first." in seen


def test_a_run_with_nothing_but_scores_still_makes_a_page(
    record: RunRecord, changed: Callable[..., RunRecord]
) -> None:
    bare = changed(
        responses=None,
        score_result=None,
        scores=record.scores[["school", "openness"]].groupby("school", as_index=False).mean(),
        response_by_school=None,
        overview=None,
        item_analyses={},
        answers=None,
        icc=None,
        aggregates={},
        joins=(),
        models=(),
    )
    text = render_html(release(bare, key=KEY))
    assert Page(text).open == []
    assert "starts from scores that had been worked out before" in text
    assert "scores of 6 schools" in text


def test_draft_instruments_are_called_drafts(changed: Callable[..., RunRecord]) -> None:
    cohort = simulate_cohort("culture", n_partnerships=2, n_schools=4, n_staff=15, seed=1)
    result = score(cohort.responses, ["cul.gap", "cul.openness"])
    scores = result.to_frame(keep=["respondent", "cluster", "partnership"])
    scores = scores.rename(columns={"cul.gap": "cul_gap", "cul.openness": "cul_openness"})
    shown = release(
        changed(
            responses=cohort.responses,
            scores=scores,
            score_result=result,
            scale_titles={"cul_gap": "Gap", "cul_openness": "Openness"},
            response_by_school=None,
            overview=None,
            item_analyses={},
            answers=answer_tables(cohort.responses, "cul.gap"),
            icc=None,
            aggregates={},
            models=(),
        ),
        key=KEY,
    )
    text = render_html(shown)
    seen = plain(text)
    assert "Status: draft. “School culture and openness to others” has not been tested" in seen
    assert "are drafts. Nobody has yet shown that these scores mean" in seen
    assert "Distance between what a school says it is and what staff live" in seen
    assert "[own school]" in seen
    assert "1\u00a0to\u00a05" in text


def test_scales_are_named_by_title_in_the_models(text: str) -> None:
    seen = plain(text[text.index('<section id="models"') :])
    assert "One unit more “Openness”" in seen
    assert "C(school)" in seen  # the formula itself is quoted as it was written


def test_a_title_that_holds_a_column_name_is_put_in_once(
    changed: Callable[..., RunRecord],
) -> None:
    shown = release(changed(scale_titles={"openness": "openness at work", "help": "H"}), key=KEY)
    assert shown.readable("openness_between, help") == (
        "“openness at work” (mean of the school), “H”"
    )
    assert shown.readable("reopenness") == "reopenness"
