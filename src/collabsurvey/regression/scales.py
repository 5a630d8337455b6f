"""What the coefficients of each kind of model are in: units of the outcome, odds, counts, shifts.

A logit's coefficient is no amount of the outcome, and exp() of a probit's means nothing: whoever
shows or says a coefficient asks here first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.regression.expressions import Call
from collabsurvey.regression.generalized_result import GeneralizedResult
from collabsurvey.regression.ordinal_result import CumulativeResult
from collabsurvey.regression.reading import Words, number, ratio_number
from collabsurvey.regression.results import RegressionResult

Kind = Literal["difference", "odds", "count", "higher", "latent", "cloglog"]
RATIOS = {"odds": "odds ratio", "count": "rate ratio", "higher": "odds ratio"}


@dataclass(frozen=True)
class Scale:
    """How the coefficients of one model are read.

    Attributes
    ----------
    kind : str
        "difference" (units of the outcome), "odds" and "higher" (log odds, of the outcome or of a
        higher category), "count" (log of the expected count), "latent" (standard deviations of
        the latent answer) or "cloglog".
    outcome : str
        As the formula writes it; of `cbind(a, b)` "a rather than b".
    """

    kind: Kind
    outcome: str

    @property
    def is_ratio(self) -> bool:
        """Whether exp() of a coefficient is a ratio that can be read."""
        return self.kind in RATIOS

    @property
    def ratio_name(self) -> str:
        """What exp() of a coefficient is called; "" where it is nothing."""
        return RATIOS.get(self.kind, "")

    @property
    def name(self) -> str:
        """Coefficients as they are estimated, for the axis of a picture or the row of a table."""
        return {
            "difference": f"difference in {self.outcome}",
            "odds": f"log odds of {self.outcome}",
            "count": f"log of the expected count of {self.outcome}",
            "higher": f"log odds of a higher category of {self.outcome}",
            "latent": f"SD of the latent {self.outcome}",
            "cloglog": f"complementary log-log of a higher category of {self.outcome}",
        }[self.kind]

    @property
    def short_name(self) -> str:
        """The same without the outcome."""
        return {
            "difference": "outcome",
            "odds": "log odds",
            "count": "log count",
            "higher": "log odds of a higher category",
            "latent": "latent answer",
            "cloglog": "complementary log-log",
        }[self.kind]

    @property
    def null(self) -> str:
        """The value of no difference, as a reader sees it."""
        return "1" if self.is_ratio else "zero"

    def shown(self, value: float) -> str:
        """A coefficient as a reader sees it: ratios in place of logarithms."""
        return ratio_number(exp(value)) if self.is_ratio else number(value)

    def amount(self, value: float, unit: str = "") -> str:
        """What a difference is, with its direction: "0.56 points more y"."""
        size = number(abs(value))
        if self.kind == "difference":
            more = "more" if value >= 0 else "less"
            return (
                f"{size} {unit} {more} {self.outcome}" if unit else f"{size} {more} {self.outcome}"
            )
        if self.kind == "odds":
            return f"{self.shown(value)} times the odds of {self.outcome}"
        if self.kind == "count":
            return f"{self.shown(value)} times the expected count of {self.outcome}"
        if self.kind == "higher":
            return f"{self.shown(value)} times the odds of a higher category of {self.outcome}"
        step = f"{size} standard deviations" if self.kind == "latent" else f"{size} (cloglog)"
        way = "higher" if value >= 0 else "lower"
        return f"a shift of {step} towards {way} categories of {self.outcome}"

    def level(self, value: float, unit: str = "") -> str:
        """Where a coefficient is the level of a cell and no difference: "the mean of y is 3"."""
        if self.kind == "odds":
            chance = probability_words(exp(value) / (1 + exp(value)) if value < 30 else 1.0)
            return f"the odds of {self.outcome} are {self.shown(value)} (a probability of {chance})"
        if self.kind == "count":
            return f"the expected count of {self.outcome} is {number(exp(value))}"
        return f"the mean of {self.outcome} is {number(value)}{f' {unit}' if unit else ''}"

    def contrast(self, step: str, value: float, unit: str = "") -> str:
        """How much what goes with a step differs: the rest of a sentence on an interaction."""
        if self.is_ratio:
            return (
                f"the {self.ratio_name} that goes with {step} is {self.shown(value)} times as large"
            )
        change = "higher" if value >= 0 else "lower"
        size = number(abs(value))
        if self.kind == "difference":
            size = f"{size} {unit}" if unit else size
            return f"the difference in {self.outcome} that goes with {step} is {size} {change}"
        scale = "standard deviations" if self.kind == "latent" else "(cloglog)"
        return f"the shift of {self.outcome} that goes with {step} is {size} {scale} {change}"


def scale_of(result: RegressionResult, words: Words | None = None) -> Scale:
    """How the coefficients of a model are read, and what its outcome is called."""
    words = Words() if words is None else words
    response = result.encoding.formula.response
    if isinstance(response, Call) and response.function == "cbind":
        yes, no = (words.plain(part) for part in response.arguments)
        outcome = f"{yes} rather than {no}"
    else:
        outcome = words.plain(response)
    kind: Kind = "difference"
    if isinstance(result, GeneralizedResult):
        kind = "odds" if result.family == "binomial" else "count"
    elif isinstance(result, CumulativeResult):
        kinds: dict[str, Kind] = {"logit": "higher", "probit": "latent"}
        kind = kinds.get(result.link, "cloglog")
    return Scale(kind, outcome)


def exp(value: float) -> float:
    """The exponential; infinite where a number cannot hold it."""
    with np.errstate(over="ignore"):
        return float(np.exp(value))


def probability_words(value: float) -> str:
    """A probability as a percentage, never a bare 0 or 100."""
    if value < 0.001:
        return "under 0.1 %"
    if value > 0.999:
        return "over 99.9 %"
    return f"{value * 100:.{1 if value < 0.0995 or value > 0.9005 else 0}f} %"
