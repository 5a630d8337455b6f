"""Fit relative to the baseline model of uncorrelated variables.

Every function takes a statistic with its degrees of freedom for the model and for the baseline.
`factor` and `baseline_factor` are the statistics' means over df if their model holds: 1 for a
chi-square, else the correction of the robust versions (Brosseau-Liard & Savalei, 2014,
doi:10.1080/00273171.2014.933697). The scaled versions put the corrected statistics in instead.

Sources: Bentler (1990) doi:10.1037/0033-2909.107.2.238 for CFI; McDonald & Marsh (1990)
doi:10.1037/0033-2909.107.2.247 for RNI; Tucker & Lewis (1973) doi:10.1007/BF02291170; Bentler &
Bonett (1980) doi:10.1037/0033-2909.88.3.588 for NNFI and NFI; Bollen (1986)
doi:10.1007/BF02294061 for RFI; Bollen (1989) doi:10.1177/0049124189017003004 for IFI; James,
Mulaik & Brett (1982) for PNFI.

An index that divides by nothing is NaN. lavaan returns 1 in several of these cases: TLI and
RFI of a model without degrees of freedom, RFI of a model that fits worse per degree of freedom
than the baseline (negative here), IFI when the baseline's statistic is below the model's df.
"""

from __future__ import annotations

from math import isclose, isfinite, nan

ROUNDING = 1.5e-8  # noncentralities below this are zero: R's all.equal


def cfi(
    statistic: float,
    df: float,
    baseline: float,
    baseline_df: float,
    *,
    factor: float = 1.0,
    baseline_factor: float = 1.0,
) -> float:
    """Comparative fit index, from 0 to 1 (Bentler, 1990).

    1 if model and baseline both fit better than expected; 0 if the baseline fits as well as the
    model.
    """
    if not _known(statistic, df, baseline, baseline_df, factor, baseline_factor):
        return nan
    lack = max(statistic - factor * df, 0.0)
    most = max(lack, baseline - baseline_factor * baseline_df)
    if most <= ROUNDING:
        return 1.0
    return 1.0 - lack / most


def rni(
    statistic: float,
    df: float,
    baseline: float,
    baseline_df: float,
    *,
    factor: float = 1.0,
    baseline_factor: float = 1.0,
) -> float:
    """Relative noncentrality index: CFI without the limits 0 and 1 (McDonald & Marsh, 1990)."""
    return 1.0 - _ratio(statistic - factor * df, baseline - baseline_factor * baseline_df)


def tli(
    statistic: float,
    df: float,
    baseline: float,
    baseline_df: float,
    *,
    factor: float = 1.0,
    baseline_factor: float = 1.0,
) -> float:
    """Tucker-Lewis index, also named NNFI; not limited to 0 and 1, as in lavaan."""
    if not df > 0:
        return nan
    lack = (statistic - factor * df) * baseline_df
    return 1.0 - _ratio(lack, (baseline - baseline_factor * baseline_df) * df)


def nfi(statistic: float, df: float, baseline: float, baseline_df: float) -> float:
    """Normed fit index (Bentler & Bonett, 1980); NaN if the model has more df than the baseline."""
    if not df <= baseline_df:
        return nan
    return _ratio(baseline - statistic, baseline)


def rfi(statistic: float, df: float, baseline: float, baseline_df: float) -> float:
    """Relative fit index (Bollen, 1986); NaN if the model has more df than the baseline."""
    if not 0 < df <= baseline_df:
        return nan
    worst = baseline / baseline_df
    return _ratio(worst - statistic / df, worst)


def ifi(statistic: float, df: float, baseline: float) -> float:
    """Incremental fit index (Bollen, 1989); NaN if the baseline is not above the model's df."""
    if not baseline - df > ROUNDING:
        return nan
    return _ratio(baseline - statistic, baseline - df)


def pnfi(statistic: float, df: float, baseline: float, baseline_df: float) -> float:
    """Parsimony normed fit index: NFI times df over the baseline's (James, Mulaik & Brett)."""
    return _ratio(df, baseline_df) * _ratio(baseline - statistic, baseline)


def _ratio(part: float, whole: float) -> float:
    """Part of the whole, NaN of nothing."""
    if not _known(part, whole) or isclose(whole, 0.0, abs_tol=ROUNDING):
        return nan
    return part / whole


def _known(*values: float) -> bool:
    return all(isfinite(value) for value in values)
