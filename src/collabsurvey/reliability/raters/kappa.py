"""Cohen's kappa of two raters, weighted or not, with the errors that belong to it.

Sources: Cohen (1960) doi:10.1177/001316446002000104; Fleiss, Cohen & Everitt (1969)
doi:10.1037/h0028106; Byrt, Bishop & Carlin (1993) doi:10.1016/0895-4356(93)90018-V.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.heat import heat_chart
from collabsurvey.errors import DataError, NotEnoughDataError, OptionError, check_level
from collabsurvey.numerics.category_agreement import cohen_kappa, most_agreement, two_way_table
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.student import two_sided_p
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.raters.inputs import (
    Weights,
    categorise,
    read_ratings,
    weight_matrix,
)
from collabsurvey.reliability.raters.result import fisher_limits, symmetric_limits
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd


Interval = Literal["wald", "fisher"]
COLUMNS = (
    "weighting",
    "estimate",
    "std_error",
    "statistic",
    "p_value",
    "ci_low",
    "ci_high",
    "observed",
    "expected",
    "percent_agreement",
    "max_kappa",
    "brennan_prediger",
    "prevalence_index",
    "bias_index",
    "n",
    "n_missing",
)


@dataclass(frozen=True, eq=False)
class KappaResult(Result):
    """Cohen's kappa of one pair of raters.

    Attributes
    ----------
    estimate, std_error, ci_low, ci_high : float
        `std_error` allows for any amount of agreement and makes the interval.
    null_std_error, statistic, p_value : float
        The error where kappa is 0, the estimate over it, and its two-sided p-value.
    observed, expected : float
        (Weighted) agreement, and agreement by chance given how often each rater uses each
        category.
    percent_agreement : float
        Share of targets with the same category from both, 0 to 1, without weights.
    max_kappa : float or None
        Highest kappa that the two raters' use of the categories allows; None for radical
        weights and a matrix of own weights.
    brennan_prediger : float
        Unweighted kappa with every category equally likely by chance; for two categories the
        prevalence- and bias-adjusted kappa (PABAK).
    prevalence_index, bias_index : float or None
        For two categories: difference between the shares of agreement on each, and between
        the raters' shares (Byrt et al., 1993); None for more.
    counts, weights : (q, q)
        First rater in rows.
    """

    estimate: float
    std_error: float
    ci_low: float
    ci_high: float
    conf_level: float
    null_std_error: float
    statistic: float
    p_value: float
    observed: float
    expected: float
    percent_agreement: float
    max_kappa: float | None
    brennan_prediger: float
    prevalence_index: float | None
    bias_index: float | None
    weighting: str
    categories: tuple[str, ...]
    counts: FloatArray
    weights: FloatArray
    n: int
    n_missing: int
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row: kappa, its error, test and interval, and what it rests on."""
        import pandas as pd

        return pd.DataFrame([{name: getattr(self, name) for name in COLUMNS}])

    def table(self) -> Table:
        """Kappa beside what helps to read it."""
        rows = {
            f"kappa, {self.weighting}": self.estimate,
            "agreement": self.observed,
            "agreement by chance": self.expected,
            "same category": self.percent_agreement,
            "highest kappa possible": self.max_kappa,
            "Brennan–Prediger, unweighted": self.brennan_prediger,
            "prevalence index": self.prevalence_index,
            "bias index": self.bias_index,
        }
        known = {name: value for name, value in rows.items() if value is not None}
        return Table(
            title=f"Cohen's kappa ({self.weighting}): {self.estimate:.2f} "
            f"({self.conf_level:.0%} CI {self.ci_low:.2f} to {self.ci_high:.2f}), "
            f"{self.n} targets".replace("-", "−"),
            columns={"measure": list(known), "value": list(known.values())},
            notes=self.notes,
        )

    def chart(self) -> Chart:
        """How often each pair of categories was given."""
        share = self.counts / self.counts.sum()
        return heat_chart(
            share.tolist(),
            rows=self.categories,
            columns=self.categories,
            title="Categories given by the first rater (rows) and the second (columns)",
            description_of="share of targets",
            limit=float(share.max()),
        )


def kappa(
    a: Sequence[object] | Any,
    b: Sequence[object] | Any,
    *,
    weights: Weights = None,
    categories: Sequence[object] | None = None,
    ci: Interval = "wald",
    conf_level: float = 0.95,
) -> KappaResult:
    """Cohen's kappa: agreement of two raters on categories, beyond chance.

    Parameters
    ----------
    a, b : sequences of the same length
        Ratings of the same targets by two raters: numbers or text. Pairs with a missing
        rating are left out and counted.
    weights : None, "linear", "quadratic", "radical", "ordinal" or (q, q) matrix
        None counts only the same category as agreement. The others give part of the credit
        to near categories and need an order: "quadratic" is close to an intraclass
        correlation of agreement. A matrix holds weights of agreement, 1 on its diagonal.
    categories : sequence, optional
        All possible categories in order; those that occur, sorted, where left out. Numbers
        keep their distances; texts are one step apart.
    ci : "wald" or "fisher"
        "wald" is the estimate and 1.96 errors to each side, as Fleiss et al. and psych have
        it. "fisher" takes the error to Fisher's z, with t on n - 1 and n - 1 for n: it covers
        1 to 5 points more with 30 targets and is no longer with 100
        (benchmarks/coverage/raters.csv). The paper's is the default so that numbers can be
        compared; choose "fisher" with fewer than 100 targets.

    Raises
    ------
    DataError
        Different lengths, pandas Series with different indexes, weights on text without an
        order, a rating that is not among `categories`.
    NotEnoughDataError
        Fewer than two complete pairs.
    NoVarianceError
        Both raters gave one and the same category throughout.

    Notes
    -----
    Errors are those of Fleiss, Cohen & Everitt (1969). irr's `kappa2` gives the same value, z
    and p; psych's `cohen.kappa` the same values and the same error without weights, but its
    error of the weighted kappa (2.2.9) is not that of the paper. Kappa depends on how often
    the categories occur: read it beside `percent_agreement`, `max_kappa` and the indices.
    """
    check_level(conf_level)
    if ci not in get_args(Interval):
        raise OptionError("ci", ci, allowed=get_args(Interval))
    method = "Cohen's kappa"
    pairs = paired(a, b)
    n_both = int((~pairs.isna().any(axis=1)).sum())
    if n_both < 2:
        raise NotEnoughDataError(method, what="targets with both ratings", found=n_both, needed=2)
    found = read_ratings(pairs, targets=None, raters=None, ratings=None, method=method)
    whole = found.per_target == 2
    both = found.of_targets(whole)
    groups = categorise(both, categories, needs_order=weights is not None, method=method)
    matrix, weighting = weight_matrix(weights, groups.positions)
    q = len(groups.labels)
    first = both.rater == 0
    counts = two_way_table(groups.code[first], groups.code[~first], q)
    result = cohen_kappa(counts, matrix)
    n_pairs = int(counts.sum())
    if ci == "fisher":
        low, high = fisher_limits(result.estimate, result.std_error, n_pairs, conf_level)
    else:
        low, high = symmetric_limits(result.estimate, result.std_error, conf_level)
    statistic = result.estimate / result.null_std_error if result.null_std_error > 0 else np.inf
    share = counts / counts.sum()
    same = float(np.trace(share))
    n_missing = len(pairs) - n_pairs
    line = weights is None or weighting in ("linear", "quadratic", "ordinal")  # convex in distance
    return KappaResult(
        estimate=result.estimate,
        std_error=result.std_error,
        ci_low=low,
        ci_high=high,
        conf_level=conf_level,
        null_std_error=result.null_std_error,
        statistic=float(statistic),
        p_value=float(two_sided_p(np.array(statistic), np.array(np.inf))),
        observed=result.observed,
        expected=result.expected,
        percent_agreement=same,
        max_kappa=highest_kappa(share, None if weights is None else matrix, result.expected)
        if line
        else None,
        brennan_prediger=(q * same - 1) / (q - 1),
        prevalence_index=float(abs(share[0, 0] - share[1, 1])) if q == 2 else None,
        bias_index=float(abs(share[0, 1] - share[1, 0])) if q == 2 else None,
        weighting=weighting,
        categories=groups.labels,
        counts=read_only(counts),
        weights=read_only(matrix),
        n=n_pairs,
        n_missing=n_missing,
        notes=(*kappa_notes(counts, n_missing, weighting), *groups.notes),
    )


def highest_kappa(share: FloatArray, weights: FloatArray | None, expected: float) -> float:
    """Kappa if the raters agreed as often as their use of the categories allows."""
    most = most_agreement(share.sum(axis=1), share.sum(axis=0), weights)
    return (most - expected) / (1 - expected)


def paired(a: Any, b: Any) -> Any:
    """Put two raters side by side in a frame, checked for length and index."""
    import pandas as pd

    if isinstance(a, pd.Series) and isinstance(b, pd.Series) and not a.index.equals(b.index):
        raise DataError(
            "a and b are Series with different indexes, so it is not certain that they rate the "
            "same targets. Take both from one frame, or use a.to_numpy() and b.to_numpy()."
        )
    first, second = (
        x.reset_index(drop=True) if isinstance(x, pd.Series) else pd.Series(list(x)) for x in (a, b)
    )
    if len(first) != len(second):
        raise DataError(
            f"a has {len(first)} ratings and b {len(second)}. Kappa compares two ratings of "
            "each target, in the same order."
        )
    return pd.DataFrame({"a": first, "b": second})


def kappa_notes(counts: FloatArray, n_missing: int, weighting: str) -> list[str]:
    """How to read kappa, and what was left out or is odd."""
    notes = [
        "Agreement beyond what the raters' use of the categories gives by chance: 0 by chance, 1 "
        "perfect. A rater who is stricter throughout lowers it."
    ]
    if weighting != "unweighted":
        notes.append(f"Near categories count in part ({weighting} weights).")
    notes.append("Errors of Fleiss, Cohen & Everitt (1969), for many targets.")
    if n_missing:
        notes.append(f"{n_missing} targets without both ratings left out.")
    unused = int(((counts.sum(axis=0) == 0) != (counts.sum(axis=1) == 0)).sum())
    if unused:
        notes.append(f"Categories used by one of the raters only: {unused}.")
    if counts.sum() < 50:
        notes.append(
            f"{int(counts.sum())} targets are few for these errors, most with rare categories; "
            "ci='fisher' covers better."
        )
    return notes
