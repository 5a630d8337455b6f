"""The regressions: what was asked, the coefficients, and what they say in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.display.table import format_p
from collabsurvey.reporting.document import (
    Block,
    Bullets,
    FigureBlock,
    Heading,
    Paragraph,
    Section,
    TableBlock,
)
from collabsurvey.reporting.figures import model_name
from collabsurvey.reporting.groups import SCHOOL
from collabsurvey.reporting.model_release import INTERCEPT, ReleasedModel, outcome_words
from collabsurvey.reporting.sections.technical import technical
from collabsurvey.reporting.wording import counted, interval, joined, plural_of, sentence, signed

if TYPE_CHECKING:
    import pandas as pd

    from collabsurvey.reporting.release import Release

SMALL = 0.1  # coefficients below this are shown to three decimals
ROLE_WORDS = {
    "confirmatory": (
        "Confirmatory: the study file says that this question was asked before the data were "
        "looked at."
    ),
    "exploratory": (
        "Exploratory: this question arose with the data. It suggests what to look at next and "
        "proves nothing."
    ),
}


def models_section(shown: Release) -> Section:
    """Every model of the study, in the order of the study file."""
    if not shown.models:
        return Section(
            "models", "What goes with what", (Paragraph("This study fitted no models."),)
        )
    blocks: list[Block] = [
        Paragraph(
            "Each model asks how an outcome differs between people or "
            f"{plural_of(shown.school_word)} that differ in one thing and are alike in the others "
            "listed. The figures are differences in the outcome that go with one more unit. "
            "An interval that contains 0 means that the data allow for no difference."
        )
    ]
    if shown.design == "observational":
        blocks.append(
            Paragraph(
                "The study observed and did not intervene: these are associations, and none of "
                "them shows that one thing caused another.",
                "note",
            )
        )
    for number, model in enumerate(shown.models, start=1):
        blocks += _model_blocks(shown, number, model)
    return Section("models", "What goes with what", tuple(blocks))


def _model_blocks(shown: Release, number: int, model: ReleasedModel) -> list[Block]:
    role = ROLE_WORDS.get(model.role, "")
    if model.hypothesis:
        role = f"{role} Hypothesis: {sentence(model.hypothesis)}"
    blocks: list[Block] = [Heading(model.name[:1].upper() + model.name[1:]), Paragraph(role)]
    blocks.append(Paragraph(_basis(shown, model)))
    shown_terms = model.estimates[model.estimates["term"] != INTERCEPT]
    if not shown_terms.empty:
        blocks.append(TableBlock(_estimates(shown, model)))
    if any(term != INTERCEPT for term in model.estimates["term"]):
        blocks.append(FigureBlock(model_name(number, model.name)))
    said = model.in_words or plain_words(model)
    if said:
        words = tuple(shown.said(text).replace(" %", "%") for text in said)
        blocks += [Paragraph("In plain words:"), Bullets(words)]
    if rough := [shown.said(model.label(term)) for term in model.rough_terms]:
        few = plural_of(_cluster_word(shown, model))
        which = "This interval rests" if len(rough) == 1 else "These intervals rest"
        blocks.append(
            Paragraph(f"{which} on very few {few}; read as rough: {joined(rough)}.", "note")
        )
    if model.calibrated:
        blocks += _calibrated(shown, model)
    parts: list[Block] = [
        Paragraph(f"The formula is {model.formula}"),
        TableBlock(_all_estimates(shown, model)),
    ]
    if model.variance_components is not None:
        parts.append(TableBlock(_variances(shown, model)))
    return [*blocks, *technical(shown, model.notes, *parts)]


def _basis(shown: Release, model: ReleasedModel) -> str:
    many = model.unit == "school" and shown.n_schools and model.rows_used > shown.n_schools
    each = " in one year or wave" if many else ""
    unit = shown.school_word if model.unit == "school" else "person’s answer"
    rows = f"The outcome is {outcome_words(shown, model)}; one row is one {unit}{each}. "
    dropped = model.rows_joined - model.rows_used
    rows += f"The model rests on {counted(model.rows_used, 'row')}"
    if model.n_clusters is not None:
        rows += f" in {counted(model.n_clusters, _cluster_word(shown, model))}"
    if dropped > 0:
        rows += f"; {counted(dropped, 'row')} had a missing value and could not be used"
    elif dropped == 0:
        rows += "; no row was lost to missing values"
    return f"{rows}."


def _cluster_word(shown: Release, model: ReleasedModel) -> str:
    word = model.cluster_word
    return shown.school_word if word in ("", *SCHOOL) else word


def _estimates(shown: Release, model: ReleasedModel) -> Table:
    """Difference and interval of each term; the level when all else is zero is in the notes."""
    table = model.estimates[model.estimates["term"] != INTERCEPT]
    digits = _digits(table)
    return Table(
        f"What goes with {outcome_words(shown, model)}: {model.name}",
        {
            "term": [shown.said(model.label(term)) for term in table["term"]],
            "estimate": table["estimate"].tolist(),
            "interval": _intervals(table, digits),
            "p_value": table["p_value"].tolist(),
        },
        formats={"estimate": f".{digits}f", "p_value": "p"},
        labels={
            "term": "what differs (by one unit, or as said)",
            "estimate": f"difference in {outcome_words(shown, model)}",
            "interval": f"{model.conf_level:.0%} interval",
            "p_value": "p",
        },
    )


def _all_estimates(shown: Release, model: ReleasedModel) -> Table:
    """Everything that was estimated, under the names the formula gives it."""
    table = model.estimates
    digits = _digits(table)
    columns: dict[str, list[object]] = {
        "term": [
            "level when all else is zero" if term == INTERCEPT else term for term in table["term"]
        ],
        "estimate": table["estimate"].tolist(),
        "std_error": table["std_error"].tolist(),
        "interval": _intervals(table, digits),
    }
    if (table["df"] < float("inf")).any():
        columns["df"] = table["df"].tolist()
    columns["p_value"] = table["p_value"].tolist()
    return Table(
        f"Coefficients: {model.name} (outcome: {model.outcome})",
        columns,
        formats={
            **dict.fromkeys(("estimate", "std_error"), f".{digits}f"),
            "df": ".1f",
            "p_value": "p",
        },
        labels={
            "std_error": "standard error",
            "interval": f"{model.conf_level:.0%} interval",
            "df": "degrees of freedom",
            "p_value": "p",
        },
    )


def _digits(table: pd.DataFrame) -> int:
    return 3 if table["estimate"].abs().max() < SMALL else 2


def _intervals(table: pd.DataFrame, digits: int) -> list[object]:
    ends = zip(table["ci_low"], table["ci_high"], strict=True)
    return [interval(low, high, digits) for low, high in ends]


def plain_words(model: ReleasedModel) -> tuple[str, ...]:
    """One sentence a coefficient: direction, size, interval, whether chance would do."""
    said = []
    for row in model.estimates.to_dict("records"):
        if row["term"] == INTERCEPT:
            continue
        direction = "higher" if row["estimate"] > 0 else "lower"
        p = format_p(row["p_value"])
        sure = (
            f"The interval leaves out 0 (p {p if p.startswith('<') else f'= {p}'})."
            if row["ci_low"] > 0 or row["ci_high"] < 0
            else "The interval includes 0: the data allow for no difference, or for the opposite."
        )
        said.append(
            f"With one more unit of {row['term']}, {model.outcome} is {abs(row['estimate']):.2f} "
            f"{direction} on average ({model.conf_level:.0%} interval "
            f"{signed(row['ci_low'])} to {signed(row['ci_high'])}). {sure}"
        )
    return tuple(said)


def _calibrated(shown: Release, model: ReleasedModel) -> list[Block]:
    parts = model.calibrated
    word = shown.school_word
    return [
        Paragraph(
            f"Means of few people are imprecise, and imprecision usually makes a relation look "
            f"weaker than it is. The table sets the figure as estimated beside one that allows for "
            f"the reliability of the {word} means. It is a check of how much this may matter, not "
            "a better answer."
        ),
        TableBlock(
            Table(
                f"As estimated, and allowing for the reliability of {word} means: {model.name}",
                {
                    "term": [shown.said(model.label(part.term)) for part in parts],
                    "estimate": [part.estimate for part in parts],
                    "adjusted": [part.adjusted for part in parts],
                    "reliability": [part.reliability for part in parts],
                },
                formats=dict.fromkeys(("estimate", "adjusted", "reliability"), ".2f"),
                labels={
                    "estimate": "as estimated",
                    "adjusted": "allowing for reliability",
                    "reliability": f"reliability of {word} means",
                },
            )
        ),
    ]


def _variances(shown: Release, model: ReleasedModel) -> Table:
    table = model.variance_components
    if table is None:
        return Table("", {})
    words = {INTERCEPT: "level", "Residual": "rest", **dict.fromkeys(SCHOOL, shown.school_word)}
    return Table(
        f"Variances: {model.name}",
        {
            str(name): [words.get(cell, cell) for cell in table[name].tolist()]
            for name in table.columns
        },
        labels={
            "vcov": "variance",
            "sdcor": "standard deviation or correlation",
            "term1": "term",
            "term2": "with",
        },
    )
