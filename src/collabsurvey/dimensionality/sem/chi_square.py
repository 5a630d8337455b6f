"""Test of a model against the saturated one, and what fit indices take from it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan
from typing import Literal

from scipy.special import chdtrc

ScaledKind = Literal["satorra-bentler", "yuan-bentler-mplus", "scaled-shifted", "mean-var-adjusted"]


@dataclass(frozen=True)
class ScaledChiSquare:
    """Chi-square corrected for answers that are not normal: the plain one / factor + shift.

    The mean of the plain statistic is `expected` if the model holds: the trace of U Gamma.
    """

    kind: ScaledKind
    statistic: float  # NaN where the factor is not positive: the correction fails
    df: float  # a fraction for "mean-var-adjusted"
    p_value: float  # NaN with no degrees of freedom
    factor: float
    shift: float = 0.0  # only of "scaled-shifted"

    @property
    def expected(self) -> float:
        """Mean of the plain statistic if the model holds."""
        return self.factor * (self.df - self.shift)


@dataclass(frozen=True)
class ChiSquare:
    """Chi-square of a model, and its correction for answers that are not normal."""

    statistic: float
    df: int
    p_value: float  # NaN with no degrees of freedom, or if it follows no chi-square (ULS)
    scaled: ScaledChiSquare | None = None


@dataclass(frozen=True)
class Misfit:
    """What RMSEA and the robust indices are made of.

    If the model holds, `statistic` has the mean `factor` times df; what it has beyond that is the
    misfit. Limits and p-values take `reference`, which is nearer to a chi-square on df; `unit`
    turns the noncentrality of `reference` into that of `statistic`.
    """

    statistic: float
    df: float
    factor: float
    reference: float
    unit: float


UNKNOWN = Misfit(nan, nan, nan, nan, nan)


def p_value(statistic: float, df: float) -> float:
    """Upper tail of chi-square; NaN with no degrees of freedom, where nothing is tested."""
    if not df > 0 or isnan(statistic):
        return nan
    return float(chdtrc(df, max(statistic, 0.0)))


def chi_square(
    statistic: float, df: int, *, scaled: ScaledChiSquare | None = None, p_known: bool = True
) -> ChiSquare:
    """Build the test; `p_known=False` for a statistic that follows no chi-square, as of ULS."""
    return ChiSquare(statistic, df, p_value(statistic, df) if p_known else nan, scaled)


def scaled_chi_square(
    kind: ScaledKind, statistic: float, df: float, *, factor: float, shift: float = 0.0
) -> ScaledChiSquare:
    """Correct the plain `statistic`; `df` is that of the corrected one."""
    corrected = statistic / factor + shift if factor > 0 else nan
    return ScaledChiSquare(kind, corrected, df, p_value(corrected, df), factor, shift)


def plain_misfit(test: ChiSquare) -> Misfit:
    """Misfit by the chi-square as it is."""
    return Misfit(test.statistic, test.df, 1.0, test.statistic, 1.0)


def scaled_misfit(scaled: ScaledChiSquare, statistic: float) -> Misfit:
    """Misfit of the scaled RMSEA, as lavaan and Mplus print it.

    A shifted statistic on its own df; else the plain `statistic` on the mean it has if the model
    holds.
    """
    if scaled.kind == "scaled-shifted":
        return Misfit(scaled.statistic, scaled.df, 1.0, scaled.statistic, 1.0)
    return Misfit(statistic, scaled.expected, 1.0, statistic, 1.0)


def robust_misfit(test: ChiSquare) -> Misfit | None:
    """Misfit of the robust indices for complete continuous answers.

    Source: Brosseau-Liard, Savalei & Li (2012, doi:10.1080/00273171.2012.715252), Brosseau-Liard
    & Savalei (2014, doi:10.1080/00273171.2014.933697): the plain statistic less its mean if the
    model holds. None without a correction, without degrees of freedom, and for
    "mean-var-adjusted", which has no such version in lavaan.
    """
    scaled = test.scaled
    if scaled is None or scaled.kind == "mean-var-adjusted" or test.df == 0:
        return None
    factor = scaled.expected / test.df
    return Misfit(test.statistic, test.df, factor, scaled.statistic, scaled.factor)


def divided_misfit(statistic: float, df: float, factor: float) -> Misfit:
    """Misfit where the reference is the statistic over its factor."""
    return Misfit(statistic, df, factor, statistic / factor, factor)
