"""F tests of the terms of a mixed model, one row a term, as lmerTest's `anova`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import DataError, OptionError
from collabsurvey.numerics.mixed_inference import joint_test
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.call_checks import require_kind
from collabsurvey.regression.expressions import Expression
from collabsurvey.regression.mixed_blocks_of import kenward_roger_of
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.terms import INTERCEPT, DesignPlan, Encoding
from collabsurvey.results import Result, table_from_frame

DfMethod = Literal["satterthwaite", "kenward-roger", "z"]
DF_METHODS: tuple[str, ...] = ("satterthwaite", "kenward-roger", "z")
WORDS = {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward-Roger"}


@dataclass(frozen=True, eq=False)
class AnovaResult(Result):
    """Tests of the terms of one model.

    Attributes
    ----------
    frame : DataFrame
        term, test ("F" or "chi-square"), statistic, df1, df2, p_value.
    """

    frame: pd.DataFrame
    model: str
    df_method: str
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the tests."""
        return self.frame.copy()

    def table(self) -> Table:
        """Return the tests as a reader is shown them."""
        shown = self.frame if self.df_method != "z" else self.frame.drop(columns="df2")
        return table_from_frame(
            shown,
            f"Tests of terms: {self.model}",
            notes=self.notes,
            labels={"p_value": "p"},
            formats={"df2": ".1f"},
        )

    def chart(self) -> Chart:
        """Return a dot for each term: how far below .05 its p-value is."""
        p = np.maximum(self.frame["p_value"].to_numpy(), 1e-16)
        return dot_chart(
            self.frame["term"].tolist(),
            (-np.log10(p)).tolist(),
            title="Tests of terms",
            axis="−log10 of the p-value; the line is p = .05",
            reference=float(-np.log10(0.05)),
        )


def anova(result: MixedResult, *, df_method: DfMethod | None = None) -> AnovaResult:
    """Test each term of a mixed model, given all others.

    Parameters
    ----------
    result : MixedResult
        Of `mixed`.
    df_method : str, optional
        "satterthwaite", "kenward-roger" (REML fits: adjusts the covariance too, and is the safer
        one with few groups), or "z" for chi-square tests; the fit's own if left out.

    Returns
    -------
    AnovaResult
        `.to_frame()`: term, test, statistic, df1, df2, p_value.

    Raises
    ------
    OptionError
        An unknown method, or Kenward-Roger of a fit by maximum likelihood.
    DataError
        A model without terms, or a result of another function than `mixed`.

    Notes
    -----
    Type III as lmerTest: a main effect is tested at the unweighted mean of the levels of factors
    that it interacts with (sum-to-zero coding), and at zero of numbers that it interacts with, so
    centre those. Terms without interactions are tested as `.wald(term)`. Sources:
    Kuznetsova, Brockhoff & Christensen (2017), doi:10.18637/jss.v082.i13; Kenward & Roger (1997),
    doi:10.2307/2533558. F of Kenward and Roger holds their scaling.
    """
    require_kind("anova", result, MixedResult, of="mixed()")
    method = result.df_method if df_method is None else df_method
    if method not in DF_METHODS:
        raise OptionError("df_method", method, allowed=DF_METHODS)
    contrasts = type_three_contrasts(result.plan, result.encoding)
    if not contrasts:
        raise DataError("anova() finds no term to test: the model holds an intercept only.")
    kenward_roger = kenward_roger_of(result) if method == "kenward-roger" else None
    rows = []
    for term, rows_of_term in contrasts.items():
        q = len(rows_of_term)
        estimates = rows_of_term @ result.coefficients
        on_q = rows_of_term @ result.basis
        if kenward_roger is not None:
            found = kenward_roger.test(on_q, estimates)
            rows.append((term, "F", found.statistic, q, found.df2, found.p_value))
        elif method == "satterthwaite":
            statistic, df2, p_value = joint_test(result.parameters, on_q, estimates)
            rows.append((term, "F", statistic, q, df2, p_value))
        else:
            spread = on_q @ result.parameters.vcov @ on_q.T
            wald = float(estimates @ np.linalg.solve(spread, estimates))
            rows.append((term, "chi-square", wald, q, np.inf, float(chdtrc(q, wald))))
    names = ["term", "test", "statistic", "df1", "df2", "p_value"]
    frame = pd.DataFrame(rows, columns=names).astype({"df1": float})
    words = "Chi-square tests" if method == "z" else f"F tests with {WORDS[method]} df"
    notes = [f"{words}, each term given all others (type III)."]
    if any(":" in term for term in contrasts):
        notes.append(
            "A term that is part of an interaction is tested at the mean of the levels of factors, "
            "and at zero of numbers, that it interacts with."
        )
    return AnovaResult(frame, result.formula, method, tuple(notes))


def type_three_contrasts(plan: DesignPlan, encoding: Encoding) -> dict[str, FloatArray]:
    """Contrasts (q, p) of each term but the intercept: its coefficients in sum-to-zero coding.

    The indicator of a level l > 0 is 1/L + s_l - (sum of s) / L with s_l = [level l] - [level 0],
    so that each column of the model is a sum of columns in that coding. Factors that keep a column
    for every level keep it.
    """
    place = {frozenset(column.parts): j for j, column in enumerate(plan.columns)}
    full = {
        (label, variable)
        for column, label in zip(plan.columns, plan.term_labels, strict=True)
        for variable, level in column.parts
        if level == 0
    }
    p = len(plan.columns)
    coding = np.zeros((p, p))  # sum-to-zero coefficients = coding @ coefficients
    for j, (column, label) in enumerate(zip(plan.columns, plan.term_labels, strict=True)):
        expanded: dict[frozenset[tuple[Expression, int]], float] = {frozenset(): 1.0}
        for variable, level in column.parts:
            options: list[tuple[frozenset[tuple[Expression, int]], float]] = [
                (frozenset({(variable, level)}), 1.0)
            ]
            if level > 0 and (label, variable) not in full:
                n = len(encoding.levels[variable])
                options = [(frozenset(), 1 / n)]
                options += [
                    (frozenset({(variable, other)}), float(other == level) - 1 / n)
                    for other in range(1, n)
                ]
            expanded = {
                parts | more: size * share
                for parts, size in expanded.items()
                for more, share in options
            }
        for parts, size in expanded.items():
            coding[place[parts], j] += size
    return {
        label: coding[[i for i, other in enumerate(plan.term_labels) if other == label]]
        for label in dict.fromkeys(plan.term_labels)
        if label != INTERCEPT
    }
