"""Nested models compared: what a restriction costs.

Sources: Satorra & Bentler (2001) doi:10.1007/BF02296192 and (2010)
doi:10.1007/s11336-009-9135-y; Satorra (2000) doi:10.1007/978-1-4615-4603-0_17; Bentler & Satorra
(2010) doi:10.1037/a0019625 for whether models are nested at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, isnan, nan
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.dimensionality.nested_checks import (
    model_names,
    require_nested,
    require_same,
)
from collabsurvey.dimensionality.sem.difference import (
    Method,
    StepTest,
    possible_methods,
    step_test,
)
from collabsurvey.dimensionality.sem.estimators import ORDINAL
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import NotEnoughDataError, OptionError
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

MARKED = 0.05  # p-value below which the picture marks a step; a convention, no rule
METHODS = {
    "standard": "the plain difference of the chi-squares",
    "satorra-bentler-2001": "the corrected difference of Satorra & Bentler (2001)",
    "satorra-bentler-2010": "the corrected difference of Satorra & Bentler (2010)",
    "satorra-2000": "the scaled and shifted difference of Satorra (2000)",
}
VERSIONS = {"": "plain", "_scaled": "scaled", "_robust": "robust"}


@dataclass(frozen=True, eq=False)
class NestedResult(Result):
    """Models from the freest to the most restricted, each tested against the one before.

    Attributes
    ----------
    comparison : pandas.DataFrame
        One row a model: `model, df, chi2, p_value`, `chi2_scaled, p_value_scaled` where the
        estimator corrects them, `cfi, rmsea, aic, bic`; and against the row before
        `delta_chi2, delta_df, delta_p, delta_cfi, delta_rmsea, rmsea_difference` (RMSEA of the
        added restrictions alone) and `method`. What does not exist is NaN or empty.
    version : "plain", "scaled" or "robust"
        Of CFI and RMSEA, the same for all models.
    """

    comparison: pd.DataFrame
    estimator: str
    version: str
    n_obs: int
    notes: tuple[str, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, the freest first."""
        return tuple(self.comparison["model"])

    def to_frame(self) -> pd.DataFrame:
        """Return `comparison`."""
        return self.comparison.copy()

    def table(self) -> Table:
        """One row a model; changes are against the row above."""
        frame = self.comparison
        chi2 = "chi2_scaled" if "chi2_scaled" in frame else "chi2"
        names = ["model", chi2, "df", "delta_chi2", "delta_df", "delta_p", "cfi", "delta_cfi",
                 "rmsea", "delta_rmsea", "aic", "bic"]  # fmt: skip
        columns: dict[str, list[object]] = {}
        for name in names:
            if not frame[name].isna().all():
                columns[name] = frame[name].tolist()
        # Whole numbers, which a column with a gap would make fractions.
        columns["delta_df"] = [nan if isnan(x) else int(x) for x in frame["delta_df"]]
        three = ("cfi", "delta_cfi", "rmsea", "delta_rmsea")
        return Table(
            title=f"Nested models ({self.estimator}, {self.n_obs} respondents)",
            columns=columns,
            notes=self.notes,
            formats=dict.fromkeys((chi2, "delta_chi2"), ".2f")
            | dict.fromkeys(("aic", "bic"), ".1f")
            | dict.fromkeys(three, ".3f")
            | {"delta_p": "p"},
            labels={
                "chi2": "chi-square",
                "chi2_scaled": "chi-square (scaled)",
                "delta_chi2": "rise",
                "delta_df": "restrictions added",
                "delta_p": "p of the rise",
                "cfi": "CFI",
                "delta_cfi": "change of CFI",
                "rmsea": "RMSEA",
                "delta_rmsea": "change of RMSEA",
                "aic": "AIC",
                "bic": "BIC",
            },
        )

    def chart(self) -> Chart:
        """Rise of chi-square per restriction, about 1 where the restrictions hold."""
        frame = self.comparison.iloc[1:]
        labels = [f"{new} against {old}" for old, new in pairwise(self.models)]
        per_restriction = (frame["delta_chi2"] / frame["delta_df"]).tolist()
        return dot_chart(
            labels,
            per_restriction,
            title="What each restriction costs",
            axis="Rise of chi-square per restriction (1 expected if all hold; hollow: p < .05)",
            reference=1.0,
            highlight=(frame["delta_p"] < MARKED).tolist(),
        )


def nested(
    *results: SemResult, method: Method = "auto", names: Sequence[str] | None = None
) -> NestedResult:
    """Likelihood-ratio tests of nested models: what restrictions cost (R's lavTestLRT).

    Parameters
    ----------
    results : SemResult
        Two or more models of the same answers by the same estimator, in any order.
    method : "auto", "standard", "satorra-bentler-2001", "satorra-bentler-2010", "satorra-2000"
        "auto" is lavaan's choice: the plain difference for ML, GLS and ULS; Satorra & Bentler
        (2001) for MLR, MLM and WLSM, and for the first two their test of 2010 where the factor of
        2001 is not positive (a note says so); Satorra (2000), scaled and shifted, for WLSMV and
        ULSMV.
    names : sequence of str, optional
        What the models are called, in the order given; None for their own names, or model 1, 2, …

    Returns
    -------
    NestedResult

    Raises
    ------
    DataError
        Models of other rows, variables, groups or estimators, with and without means, that did
        not converge, with the same degrees of freedom, or that are not nested.
    NotEnoughDataError
        Fewer than two models.
    OptionError
        A method that is not defined for the estimator; names that do not fit.

    Notes
    -----
    A robust difference is not the difference of two robust chi-squares, but is computed from the
    plain ones. Whether models are nested is checked by fitting the freer one to the moments that
    the restricted one implies, which it must reproduce (NET of Bentler & Satorra, 2010); for two
    levels only the degrees of freedom are compared.

    Numbers agree with lavaan 0.6.14, whose column RMSEA is `rmsea_difference`. `cfi` and `rmsea`
    are the robust versions where all models have them, with ordered items else the scaled ones.
    ULS without correction has a statistic that follows no chi-square, and so no p-value.
    """
    if method != "auto" and method not in METHODS:
        raise OptionError("method", method, allowed=("auto", *METHODS))
    if wrong := [one for one in results if not isinstance(one, SemResult)]:
        raise OptionError(
            "results", type(wrong[0]).__name__, allowed=("results of cfa() or sem()",)
        )
    if len(results) < 2:
        raise NotEnoughDataError(
            "A comparison of nested models", what="models", found=len(results), needed=2
        )
    called = model_names(results, names)
    require_same(results, called)
    order = sorted(range(len(results)), key=lambda i: results[i].analysis.df)
    ordered, called = [results[i] for i in order], [called[i] for i in order]
    possible = possible_methods(ordered[0].analysis.material)
    if method != "auto" and method not in possible:
        raise OptionError("method", method, allowed=("auto", *possible))
    require_nested(ordered, called)
    tests = [step_test(new.analysis, old.analysis, method=method) for old, new in pairwise(ordered)]
    version = _version(ordered)
    return NestedResult(
        comparison=_frame(ordered, called, tests, version),
        estimator=ordered[0].estimator,
        version=VERSIONS[version],
        n_obs=ordered[0].n_obs,
        notes=tuple(_notes(ordered, called, tests, version, method)),
    )


# Numbers and words.


def _version(results: Sequence[SemResult]) -> str:
    """Suffix of CFI and RMSEA; the same for all models that have degrees of freedom."""
    ordinal = bool(results[0].prepared.categories)
    for tail in ("_robust", "_scaled") if ordinal else ("_robust",):
        tested = [one.fit for one in results if one.analysis.df]
        if all(isfinite(fit.get(f"cfi{tail}", nan)) for fit in tested):
            return tail
    return ""


def _frame(
    results: Sequence[SemResult],
    names: Sequence[str],
    tests: Sequence[StepTest],
    version: str,
) -> pd.DataFrame:
    import pandas as pd

    corrected = any("chi2_scaled" in one.fit for one in results)
    same = _same_likelihood(results)
    rows = []
    for one, name, test in zip(results, names, (None, *tests), strict=True):
        fit = one.fit
        row: dict[str, object] = {"model": name}
        row |= {key: fit.get(key, nan) for key in ("df", "chi2", "p_value")}
        if corrected:
            row |= {key: fit.get(key, nan) for key in ("chi2_scaled", "p_value_scaled")}
        tail = version if one.analysis.df else ""  # exact fit, for which there is one version
        row |= {key: fit.get(f"{key}{tail}", nan) for key in ("cfi", "rmsea")}
        row |= {key: fit.get(key, nan) if same else nan for key in ("aic", "bic")}
        known = one.estimator != "ULS"  # whose plain statistic follows no chi-square
        row |= {
            "delta_chi2": test.statistic if test else nan,
            "delta_df": test.df if test else nan,
            "delta_p": test.p_value if test and known else nan,
            "rmsea_difference": test.rmsea if test and known else nan,
            "method": test.method if test else "",
        }
        rows.append(row)
    frame = pd.DataFrame(rows).astype({"df": int})
    for key in ("cfi", "rmsea"):
        frame[f"delta_{key}"] = frame[key].diff()
    return frame


def _same_likelihood(results: Sequence[SemResult]) -> bool:
    """Whether the likelihoods are of the same variables: none conditional in one model only."""
    saturated = [one.fit.get("loglik_saturated", nan) for one in results]
    return all(isnan(x) for x in saturated) or bool(
        np.allclose(saturated, saturated[0], rtol=1e-6, atol=0)
    )


def _notes(
    results: Sequence[SemResult],
    names: Sequence[str],
    tests: Sequence[StepTest],
    version: str,
    method: Method,
) -> list[str]:
    """Sentences a reader needs to read the numbers rightly."""
    used = dict.fromkeys(one.method for one in tests if one.method)
    tested = " or ".join(METHODS[one] for one in used) or "no test"
    notes = [
        "The freest model comes first; each is tested against the one above it, by "
        f"{tested}. A small p says that not all of the added restrictions hold.",
        "Large samples reject restrictions that hardly matter: look at how much CFI and RMSEA "
        "change too.",
    ]
    if version:
        notes.append(f"CFI and RMSEA are the {VERSIONS[version]} ones.")
    for name, test in zip(names[1:], tests, strict=True):
        if isnan(test.statistic):
            notes.append(
                f"{name}: no test, since the information of a model is singular or the factor of "
                "the correction is not positive. Such restrictions are often far from the data."
            )
        elif method == "auto" and test.method == "satorra-bentler-2010":
            notes.append(
                f"{name}: tested by Satorra & Bentler (2010), since the factor of 2001 is not "
                "positive."
            )
        if test.statistic < 0:
            notes.append(
                f"{name} fits better than the freer model above it, which then is not at its "
                "best fit: give that one other start values."
            )
    if results[0].analysis.assessed.test.scaled is not None and "standard" in used:
        notes.append("The plain difference is not corrected for answers that are not normal.")
    if results[0].estimator in ("ULS", "DWLS"):
        notes.append(
            f"{results[0].estimator} has no corrected test: "
            + ("p is not known." if results[0].estimator == "ULS" else "p is rough.")
            + " Use WLSMV or ULSMV for ordered items, MLR for continuous ones."
        )
    if results[0].estimator in ORDINAL:
        notes.append(
            "With ordered items, cut-offs for changes of CFI and RMSEA are less sure than with "
            "continuous ones: prefer the test."
        )
    if not _same_likelihood(results):
        notes.append(
            "No AIC and BIC: a variable that only predicts in one model is explained in another, "
            "so that their likelihoods are not of the same variables (fixed_x=False makes them)."
        )
    if results[0].prepared.two_level:
        notes.append("That the models are nested is not checked beyond degrees of freedom.")
    for one, name in zip(results, names, strict=True):
        if one.improper:
            notes.append(f"{name} has an improper solution: {' '.join(one.improper)}")
    return notes
