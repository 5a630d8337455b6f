"""The figures of a report: drawn once, put into the page and into files of their own."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

from collabsurvey.display import Chart
from collabsurvey.display.charts import chart_height, interval_chart
from collabsurvey.display.diverging import diverging_items
from collabsurvey.reporting.caterpillar import WIDTH, caterpillar, short, unit_of
from collabsurvey.reporting.groups import SUPPRESSED
from collabsurvey.reporting.model_release import INTERCEPT, outcome_words
from collabsurvey.reporting.relations_release import charts_of
from collabsurvey.reporting.trust_release import MAP_TITLE

if TYPE_CHECKING:
    from collabsurvey.reporting.item_release import ItemAnswers
    from collabsurvey.reporting.release import Release

TITLE_WRAP = 46
TITLE_LINE = 16  # points
AXIS_WRAP = 32
WIDE = 6.0  # inches


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart with a name that is unique in the report."""

    name: str
    caption: str
    chart: Chart
    synthetic: bool = False

    @property
    def wide(self) -> bool:
        """Whether it is too wide to be read on a telephone without being pushed."""
        return self.chart.size[0] > WIDE

    @property
    def file_name(self) -> str:
        """Name of its file, without a suffix."""
        return self.name

    @cached_property
    def drawing(self) -> str:
        """The drawing without its title, all ids its own."""
        return embedded(svg_of(replace(self.chart, title="")), f"figure-{self.name}", self.chart)

    def inline_svg(self) -> str:
        """SVG for the page, which writes the caption itself."""
        return self.drawing

    def standalone_svg(self) -> str:
        """SVG for a file: its caption above it, marked where the data are synthetic."""
        mark = " (synthetic\u00a0data)" if self.synthetic else ""
        lines = textwrap.wrap(f"{self.caption}{mark}", TITLE_WRAP)
        room = TITLE_LINE * (len(lines) + 1)
        head, rest = _head_and_rest(self.drawing)
        view = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', head)
        width, height = (float(side) for side in view.groups()) if view else (0.0, 0.0)
        head = re.sub(r'viewBox="[^"]*"', f'viewBox="0 {-room} {width:g} {height + room:g}"', head)
        texts = "".join(
            f'<text x="8" y="{TITLE_LINE * (i + 1) - room}" font-family="sans-serif" '
            f'font-size="12" font-weight="bold">{escape(line)}</text>'
            for i, line in enumerate(lines)
        )
        back = f'<rect x="0" y="{-room}" width="{width:g}" height="{room}" fill="white"/>'
        return f'<?xml version="1.0" encoding="utf-8"?>\n{head}{back}{texts}{rest}\n'


def svg_of(chart: Chart) -> str:
    """Draw a chart; dollar signs in names are dollar signs."""
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}):
        return chart.to_svg()


def embedded(svg: str, prefix: str, chart: Chart) -> str:
    """Make an SVG fit for a page with others: own ids, no fixed size, a title and description.

    matplotlib names the parts of every figure alike (`axes_1`), and names clip paths by
    their content; two figures in one page would share them.
    """
    head, rest = _head_and_rest(svg)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    rest = re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    rest = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', rest)
    rest = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", rest)
    rest = re.sub(r'(xlink:href|href)="#([^"]+)"', rf'\1="#{prefix}-\2"', rest)
    named = (
        f' role="img" aria-labelledby="{prefix}-title" aria-describedby="{prefix}-desc">'
        f'<title id="{prefix}-title">{escape(chart.title)}</title>'
        f'<desc id="{prefix}-desc">{escape(chart.description)}</desc>'
    )
    return head[:-1] + named + rest.strip()


def _head_and_rest(svg: str) -> tuple[str, str]:
    """The opening tag of an SVG, and what follows it."""
    end = svg.index(">") + 1
    return svg[:end], svg[end:]


def all_figures(shown: Release) -> dict[str, Figure]:
    """Every figure of a report by name, in the order of the report."""
    figures = [
        *missing_figure(shown),
        *distribution_figures(shown),
        *reliability_figure(shown),
        *structure_figures(shown),
        *measurement_figures(shown),
        *mean_figures(shown),
        *(Figure(name, caption, chart) for name, caption, chart in charts_of(shown.relations)),
        *model_figures(shown),
    ]
    return {figure.name: replace(figure, synthetic=shown.synthetic) for figure in figures}


MISSING_MAP = "missing-together"


def missing_figure(shown: Release) -> list[Figure]:
    """Which answers are missing together, where enough people share a pattern."""
    found = shown.completeness
    if found is None or found.map is None:
        return []
    return [Figure(MISSING_MAP, MAP_TITLE, found.map)]


def slug(text: str) -> str:
    """Letters, digits and hyphens only."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def distribution_name(number: int, scale: str) -> str:
    """Name of the figure of a scale's answers."""
    return f"answers-{number:02d}-{slug(scale)}"


def means_name(level: str, number: int, scale: str) -> str:
    """Name of the figure of a scale's group means."""
    return f"means-{slug(level)}-{number:02d}-{slug(scale)}"


def model_name(number: int, model: str) -> str:
    """Name of the figure of a model."""
    return f"model-{number:02d}-{slug(model)}"


def structure_name(number: int, what: str) -> str:
    """Name of a figure of a questionnaire's factors."""
    return f"structure-{number:02d}-{what}"


def distribution_figures(shown: Release) -> list[Figure]:
    """Answers to the items of each scale; items with other answers in figures of their own."""
    figures = []
    for number, facts in enumerate(shown.scales, start=1):
        if shown.parts_of(facts):
            continue  # its items are drawn with its parts
        own = [answers for answers in shown.answers if facts.id in answers.scales]
        for part, items in enumerate(alike(own)):
            name = distribution_name(number, facts.column) + (f"-{part + 1}" if part else "")
            title = f"{facts.title}: answers to each item"
            chart = diverging_items(
                [item.name + (" (reversed item)" if item.reversed else "") for item in items],
                [item.shares for item in items],
                items[0].labels,
                title=title,
                neutral=items[0].neutral,
                width=WIDTH,
            )
            figures.append(Figure(name, title, chart))
    return figures


def alike(items: Sequence[ItemAnswers]) -> list[list[ItemAnswers]]:
    """Items put together by what could be answered."""
    groups: dict[tuple[str, ...], list[ItemAnswers]] = {}
    for item in items:
        groups.setdefault((*item.labels, *map(str, item.codes)), []).append(item)
    return list(groups.values())


def reliability_figure(shown: Release) -> list[Figure]:
    """Alpha of each scale with its interval."""
    table = shown.reliability
    if table is None or not table["alpha"].notna().any():
        return []
    table = table[table["alpha"].notna()]
    title = "Reliability (alpha) of each scale"
    chart = interval_chart(
        [short(shown.scale_title(scale)) for scale in table["scale"]],
        table["alpha"].tolist(),
        table["ci_low"].tolist(),
        table["ci_high"].tolist(),
        title=title,
        axis=f"alpha, with its {shown.conf_level:.0%} interval",
    )
    return [Figure("reliability", title, replace(chart, size=(WIDTH, chart.size[1])))]


def structure_figures(shown: Release) -> list[Figure]:
    """How many factors each questionnaire has, and where its items load."""
    figures = []
    for number, one in enumerate(shown.structures, start=1):
        title = f"{_capital(one.title)}: how many things it measures"
        figures.append(Figure(structure_name(number, "how-many"), title, one.scree))
        if one.map is not None:
            title = f"{_capital(one.title)}: where each question loads"
            if one.loadings is not None and one.loadings["reversed"].any():
                title += ". Reversed ones, (r), should have the opposite sign"
            figures.append(Figure(structure_name(number, "loadings"), title, one.map))
    return figures


def confirm_name(number: int) -> str:
    """Name of the figure of a confirmatory model."""
    return f"measures-{number:02d}-loadings"


def invariance_name(by: str) -> str:
    """Name of the figure of what is the same by a role."""
    return f"same-by-{slug(by)}"


def measurement_figures(shown: Release) -> list[Figure]:
    """How strongly questions are tied to their scales, and how far scales are the same for all."""
    figures = []
    for number, one in enumerate(shown.confirmatory, start=1):
        if one.map is not None:
            title = f"{_capital(one.title)}: how strongly each question is tied to its scale"
            title += ", where 1 would be perfectly"
            figures.append(Figure(confirm_name(number), title, one.map))
    for found in shown.invariance:
        if found.chart is not None:
            title = f"{found.chart.title}. Filled: the same; hollow: not the same"
            figures.append(Figure(invariance_name(found.by), title, found.chart))
    return figures


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def mean_figures(shown: Release) -> list[Figure]:
    """Means of groups with intervals, for each level and scale."""
    figures = []
    for level, table in shown.means.items():
        visible = table[~table[SUPPRESSED]]
        word = shown.school_word if level in ("school", "cluster") else level
        for number, facts in enumerate(shown.scales, start=1):
            rows = visible[visible["scale"].isin([facts.id, facts.column])]
            rows = rows[rows["mean"].notna()]
            if rows.empty:
                continue
            title = f"{facts.title}: mean of each {word}"
            span = (facts.low, facts.high)
            axis = f"mean, with its {shown.conf_level:.0%} interval"
            chart = caterpillar(rows, unit_of(rows, level), title=title, axis=axis, span=span)
            figures.append(Figure(means_name(level, number, facts.column), title, chart))
    return figures


def model_figures(shown: Release) -> list[Figure]:
    """Coefficients of each model with their intervals, without the intercept."""
    figures = []
    for number, model in enumerate(shown.models, start=1):
        table = model.estimates[model.estimates["term"] != INTERCEPT]
        if table.empty:
            continue
        labels = [short(shown.said(model.label(term))) for term in table["term"]]
        title = f"{model.name}: what goes with {outcome_words(shown, model)}"
        chart = interval_chart(
            labels,
            table["estimate"].tolist(),
            table["ci_low"].tolist(),
            table["ci_high"].tolist(),
            title=title,
            axis=textwrap.fill(
                f"change in {outcome_words(shown, model)} ({model.conf_level:.0%}\u00a0interval)",
                AXIS_WRAP,
            ),
            reference=0.0,
        )
        lines = sum(label.count("\n") for label in labels)
        height = chart_height(len(table)) + 0.15 * lines
        chart = replace(chart, size=(WIDTH, height))
        figures.append(Figure(model_name(number, model.name), title, chart))
    return figures
