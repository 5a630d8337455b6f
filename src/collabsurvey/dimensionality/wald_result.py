"""Wald tests of equalities about the labelled parameters of a model.

Source: Wald (1943) doi:10.1090/S0002-9947-1943-0012401-3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from collabsurvey.dimensionality.sem.chi_square import p_value
from collabsurvey.dimensionality.sem.wald import wald
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.display.table import format_p
from collabsurvey.errors import DataError, OptionError
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class WaldTestResult(Result):
    """Joint test of k equalities about parameters, and each of them alone."""

    equalities: tuple[str, ...]  # (k,) as written
    distance: FloatArray  # (k,) left side minus right side, as estimated
    std_error: FloatArray  # (k,)
    statistic: float  # of all together: chi-square distributed if they hold
    df: int  # k
    p_value: float
    estimator: str
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row an equality, and a last one, "all", for their joint test.

        Columns `equality, estimate, std_error, statistic, df, p_value, ci_low, ci_high`:
        `estimate` is left minus right side, `statistic` a chi-square.
        """
        import pandas as pd

        single = (self.distance / self.std_error) ** 2
        low, high = self._limits()
        alone = pd.DataFrame(
            {
                "equality": list(self.equalities),
                "estimate": self.distance,
                "std_error": self.std_error,
                "statistic": single,
                "df": 1,
                "p_value": [p_value(float(x), 1) for x in single],
                "ci_low": low,
                "ci_high": high,
            }
        )
        whole = pd.DataFrame(
            {
                "equality": ["all"],
                "estimate": [np.nan],
                "std_error": [np.nan],
                "statistic": [self.statistic],
                "df": [self.df],
                "p_value": [self.p_value],
                "ci_low": [np.nan],
                "ci_high": [np.nan],
            }
        )
        return pd.concat([alone, whole], ignore_index=True)

    def table(self) -> Table:
        """The joint test in the title, each equality below."""
        frame = self.to_frame()
        if self.df == 1:
            frame = frame.iloc[:1]
        shown = format_p(self.p_value)
        p = f"p {shown}" if shown.startswith("<") else f"p = {shown.lstrip('0')}"
        return Table(
            title=f"Wald test: chi-square({self.df}) = {self.statistic:.2f}, {p}",
            columns={str(name): frame[name].tolist() for name in frame.columns},
            notes=self.notes,
            formats={"statistic": ".2f", "df": ".0f"},
            labels={
                "estimate": "left − right",
                "statistic": "chi-square",
                "p_value": "p",
                "ci_low": f"{self.conf_level:.0%} CI low",
                "ci_high": "high",
            },
        )

    def chart(self) -> Chart:
        """By how much each equality is missed, with its interval."""
        low, high = self._limits()
        return interval_chart(
            self.equalities,
            self.distance.tolist(),
            low.tolist(),
            high.tolist(),
            title="How far the estimates are from each equality",
            axis=f"Left minus right side, {self.conf_level:.0%} interval",
            reference=0.0,
        )

    def _limits(self) -> tuple[FloatArray, FloatArray]:
        reach = float(ndtri((1 + self.conf_level) / 2)) * self.std_error
        return self.distance - reach, self.distance + reach


def wald_test(result: SemResult, equalities: str | Sequence[str]) -> WaldTestResult:
    """Test equalities about parameters without fitting a restricted model: R's lavTestWald().

    Parameters
    ----------
    result : SemResult
        A model with labels, as in `trust =~ t1 + a*t2 + b*t3`, or `:=` definitions.
    equalities : str or sequence of str
        Such as "a == b; c == 0" or "a*b == 0.2": labels and definitions of the model. Several
        stand behind a semicolon, on lines of their own, or in a list.

    Returns
    -------
    WaldTestResult
        The joint test of all, and each alone.

    Raises
    ------
    UnknownNameError
        A label that the model does not have.
    FaultsError
        Something that is not an equality.
    DataError
        The model did not converge or has no standard errors; equalities that repeat each other
        or hold in the model already.

    Notes
    -----
    With g left minus right sides, G their derivatives and V the covariance of the estimates, the
    statistic is g' inv(G V G') g. With a robust estimator V is robust, and so is the test. It
    agrees with lavaan 0.6.14. Unlike `nested`, it depends on how a nonlinear equality is written:
    `a*b == 0` and `a == 0; b == 0` are different questions, and "a == 2*b" and "a/b == 2" the
    same one with different numbers.
    """
    if not isinstance(result, SemResult):
        raise OptionError("result", type(result).__name__, allowed=("a result of cfa() or sem()",))
    if not result.converged:
        raise DataError(f"{result.name} did not converge, so that nothing can be tested.")
    found = wald(result.model, result.theta, result.vcov, equalities)
    kind = "model-based" if result.analysis.material.recipe.errors == "standard" else "robust"
    what = "the equality does" if found.df == 1 else "not all of the equalities"
    notes = [
        f"{result.estimator} with {kind} standard errors. A small p says that "
        f"{what} {'not ' if found.df == 1 else ''}hold.",
        *result.improper,
    ]
    if found.df > 1:
        notes.insert(1, "The single tests are not corrected for their number: read 'all' first.")
    return WaldTestResult(
        equalities=found.constraints,
        distance=read_only(found.distance),
        std_error=read_only(found.std_error),
        statistic=found.statistic,
        df=found.df,
        p_value=found.p_value,
        estimator=result.estimator,
        conf_level=result.conf_level,
        notes=tuple(notes),
    )
