"""The regressions: what was asked, the coefficients, and what they say in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.display import Table
from collabsurvey.display.table import format_p
from collabsurvey.reporting.document import (
    Block,
    Bullets,
    Details,
    FigureBlock,
    Heading,
    Paragraph,
    Section,
    TableBlock,
)
from collabsurvey.reporting.figures import model_name
from collabsurvey.reporting.groups import SCHOOL
from collabsurvey.reporting.model_release import INTERCEPT, ReleasedModel
from collabsurvey.reporting.wording import counted, interval, plural_of, sentence

if TYPE_CHECKING:
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
            "listed. A coefficient is the difference in the outcome that goes with one more unit. "
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
    blocks.append(TableBlock(_estimates(shown, model)))
    if any(term != INTERCEPT for term in model.estimates["term"]):
        blocks.append(FigureBlock(model_name(number, model.name)))
    said = model.in_words or plain_words(model)
    if said:
        words = tuple(shown.readable(text).replace(" %", "%") for text in said)
        blocks += [Paragraph("In plain words:"), Bullets(words)]
    if model.calibrated:
        blocks += _calibrated(shown, model)
    if model.variance_components is not None:
        blocks.append(Details("Variances of the random part", (TableBlock(_variances(model)),)))
    if model.notes:
        blocks.append(Bullets(tuple(map(sentence, model.notes))))
    return blocks


def _basis(shown: Release, model: ReleasedModel) -> str:
    many = model.unit == "school" and shown.n_schools and model.rows_used > shown.n_schools
    each = " in one year or wave" if many else ""
    rows = f"The model is {model.formula}; one row is a {model.unit}{each}. "
    dropped = model.rows_joined - model.rows_used
    rows += f"It rests on {counted(model.rows_used, 'row')}"
    if model.n_clusters is not None:
        word = model.cluster_word
        word = shown.school_word if word in ("", *SCHOOL) else word
        rows += f" in {counted(model.n_clusters, word)}"
    if dropped > 0:
        rows += f"; {counted(dropped, 'row')} had a missing value and could not be used"
    elif dropped == 0:
        rows += "; no row was lost to missing values"
    return f"{rows}."


def _estimates(shown: Release, model: ReleasedModel) -> Table:
    table = model.estimates
    digits = 3 if table["estimate"].abs().max() < SMALL else 2
    columns: dict[str, list[object]] = {
        "term": [shown.readable(term) for term in table["term"]],
        "estimate": table["estimate"].tolist(),
        "std_error": table["std_error"].tolist(),
        "interval": [
            interval(low, high, digits)
            for low, high in zip(table["ci_low"], table["ci_high"], strict=True)
        ],
    }
    if (table["df"] < float("inf")).any():
        columns["df"] = table["df"].tolist()
    columns["p_value"] = table["p_value"].tolist()
    return Table(
        f"Coefficients: {model.name} (outcome: {shown.readable(model.outcome)})",
        columns,
        formats={
            **dict.fromkeys(("estimate", "std_error"), f".{digits}f"),
            "df": ".1f",
            "p_value": "p",
        },
        labels={
            "std_error": "standard error",
            "interval": f"{model.conf_level:.0%} interval",
            "p_value": "p",
        },
    )


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


def signed(value: float) -> str:
    """Two decimals with a true minus."""
    return f"{value:.2f}".replace("-", "−")


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
                    "term": [shown.readable(part.term) for part in parts],
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


def _variances(model: ReleasedModel) -> Table:
    table = model.variance_components
    if table is None:
        return Table("", {})
    return Table(
        f"Variances: {model.name}",
        {str(name): table[name].tolist() for name in table.columns},
        labels={
            "vcov": "variance",
            "sdcor": "standard deviation or correlation",
            "term1": "term",
            "term2": "with",
        },
    )
