"""Tests of an assumption of an ordinal model: the numbers, and what to do in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.display.table import format_value
from collabsurvey.errors import listed
from collabsurvey.results import Result, table_from_frame

Assumption = Literal["proportional_odds", "equal_spread"]
ALPHA = 0.05  # below it a test is put into words; the p-values stand beside
NAMES = {
    "proportional_odds": "One effect for every threshold (proportional odds)",
    "equal_spread": "Equal spread of the latent answer",
}


@dataclass(frozen=True, eq=False)
class AssumptionResult(Result):
    """A test per term of an assumption of an ordinal model.

    Attributes
    ----------
    assumption : str
        "proportional_odds" or "equal_spread".
    tests : DataFrame
        One row per term: term, test, statistic, df, p_value, loglik, aic (the last two of the
        model without the assumption; missing where the test is a Wald test).
    effects : DataFrame
        What the model without the assumption says: term, threshold, estimate, std_error, ci_low,
        ci_high. For proportional odds the slope at each threshold; for the spread the logarithm of
        the factor (threshold is then missing). Without terms that have no finite estimate.
    """

    assumption: Assumption
    outcome: str
    conf_level: float
    tests: pd.DataFrame = field(repr=False)
    effects: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the tests."""
        return self.tests.copy()

    def table(self) -> Table:
        """Return the tests as a reader is shown them."""
        shown = self.tests.dropna(axis="columns", how="all")
        return table_from_frame(
            shown,
            f"{NAMES[self.assumption]}: {self.outcome}",
            notes=self.notes,
            formats={"df": ".0f"},
            labels={"p_value": "p"},
        )

    def chart(self) -> Chart:
        """Return the effects without the assumption: alike dots speak for it."""
        shown = self.effects
        of_slopes = self.assumption == "proportional_odds"
        labels = [str(term) for term in shown["term"]]
        if of_slopes:
            pairs = zip(labels, shown["threshold"], strict=True)
            labels = [f"{term} at {threshold}" for term, threshold in pairs]
        return interval_chart(
            labels,
            shown["estimate"].tolist(),
            shown["ci_low"].tolist(),
            shown["ci_high"].tolist(),
            title=f"{NAMES[self.assumption]}: {self.outcome}",
            axis=("slope at each threshold" if of_slopes else "log of the factor of the spread")
            + f" ({self.conf_level:.0%} interval)",
            reference=0.0,
        )


def odds_words(
    tests: pd.DataFrame,
    effects: pd.DataFrame,
    columns: Mapping[str, Sequence[str]],
    infinite: Sequence[str],
) -> tuple[str, ...]:
    """Put the tests of proportional odds into words, and what to do where they reject.

    `columns` are those of each term; `infinite` the terms without finite effects.
    """
    failing = tests.loc[tests["p_value"] < ALPHA]
    if failing.empty:
        return (
            "No term's effect differs between thresholds beyond chance: one slope per term is "
            "supported. With few rows the test sees only large differences; compare the effects.",
            *_infinite(infinite, "the thresholds"),
        )
    notes = []
    turning = []
    for term, p_value in zip(failing["term"], failing["p_value"], strict=True):
        own = effects[effects["term"].isin(list(columns[term]))]
        sentence = f"The effect of {term} differs between thresholds (p {_p(p_value)})"
        if len(columns[term]) == 1 and len(own):
            ends = own.sort_values("estimate").iloc[[0, -1]]
            low, high = (
                f"{format_value(estimate, '.2f')} at {threshold}"
                for estimate, threshold in zip(ends["estimate"], ends["threshold"], strict=True)
            )
            sentence += f": from {low} to {high}"
        notes.append(f"{sentence}.")
        of_columns = own.groupby("term")["estimate"]
        if ((of_columns.min() < 0) & (of_columns.max() > 0)).any():
            turning.append(term)
    notes.append(
        "What to do: see .effects. Where the effects have one direction and like sizes, the "
        "single slope is their average: report it and say so (with many rows small differences "
        "are found too). Where they matter, report the slope at each threshold, or a logistic "
        "regression of answers above the threshold that your question is about."
    )
    if turning:
        notes.append(
            f"The effect of {listed(turning)} changes sign between thresholds: the single slope "
            "hides this. A term that pulls answers to both ends, or to the middle, looks so; "
            "scale_test() of ordinal() tests for it."
        )
    return (*notes, *_infinite(infinite, "the thresholds"))


def spread_words(tests: pd.DataFrame, infinite: Sequence[str]) -> tuple[str, ...]:
    """Put the tests of equal spread into words."""
    failing = tests.loc[tests["p_value"] < ALPHA, "term"].tolist()
    if not failing:
        return (
            "No term goes with more, or less, spread of the answers beyond chance.",
            *_infinite(infinite, "the spread"),
        )
    return (
        f"Answers spread differently along {listed(failing)}: .effects has the logarithm of the "
        "factor, positive for more spread. A slope then mixes a shift with a difference in spread; "
        "report predicted probabilities (.predict()) rather than slopes.",
        *_infinite(infinite, "the spread"),
    )


def errors_words(robust_by: str | None) -> str:
    """Say what the tests rest on."""
    alone = "Each term by itself; p-values are not corrected for their number."
    if robust_by is None:
        return f"Chi-square tests. {alone}"
    return f"Chi-square tests robust to clusters of {robust_by}, rough where these are few. {alone}"


def _infinite(names: Sequence[str], where: str) -> tuple[str, ...]:
    if not names:
        return ()
    return (
        f"With effects on {where}, {listed(names)} has no finite estimate somewhere: at one of "
        "its values nobody, or everybody, answered on one side of a threshold. Its effects are not "
        "shown, and its test is a rough likelihood ratio; join categories or levels to test it.",
    )


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"= {value:.3f}".replace("0.", ".", 1)
