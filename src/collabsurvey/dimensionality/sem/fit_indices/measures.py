"""Every fit index of a model by name, as lavaan's fitMeasures lists them.

Names are Python's; `LAVAAN_NAMES` translates them for readers who come from R. A suffix says
which test an index is made of: none for the plain chi-square, `_scaled` for the corrected one,
`_robust` for estimates of what ML would show with normal and complete answers. What cannot be
had for a model (no baseline, no degrees of freedom, least squares without a likelihood) is NaN or
not in the list at all, as in lavaan; each function says when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan

from collabsurvey.dimensionality.sem.chi_square import (
    UNKNOWN,
    ChiSquare,
    Misfit,
    plain_misfit,
    scaled_misfit,
)
from collabsurvey.dimensionality.sem.fit_indices import incremental, information, other
from collabsurvey.dimensionality.sem.fit_indices.gfi import agfi, pgfi
from collabsurvey.dimensionality.sem.fit_indices.information import Likelihood
from collabsurvey.dimensionality.sem.fit_indices.rmsea import (
    CLOSE,
    LEVEL,
    NOT_CLOSE,
    p_close,
    p_not_close,
    rmsea,
    rmsea_interval,
)

_PLAIN = {
    "n_parameters": "npar",
    "minimum": "fmin",
    "n_respondents": "ntotal",
    "loglik": "logl",
    "loglik_saturated": "unrestricted.logl",
    "sabic": "bic2",
    "loglik_factor": "scaling.factor.h0",
    "loglik_saturated_factor": "scaling.factor.h1",
    "rmsea_conf_level": "rmsea.ci.level",
    "rmsea_close": "rmsea.close.h0",
    "rmsea_not_close": "rmsea.notclose.h0",
    "chi2_factor": "chisq.scaling.factor",
    "baseline_chi2_factor": "baseline.chisq.scaling.factor",
}
_SAME = (
    "aic", "bic", "rmr", "rmr_nomean", "srmr", "srmr_bentler", "srmr_bentler_nomean", "crmr",
    "crmr_nomean", "srmr_mplus", "srmr_mplus_nomean", "srmr_within", "srmr_between", "cn_05",
    "cn_01", "gfi", "agfi", "pgfi", "mfi", "ecvi", "wrmr",
)  # fmt: skip
_ROBUST = {
    "rmsea": "rmsea",
    "rmsea_ci_low": "rmsea.ci.lower",
    "rmsea_ci_high": "rmsea.ci.upper",
    "rmsea_p_close": "rmsea.pvalue",
    "rmsea_p_not_close": "rmsea.notclose.pvalue",
} | {name: name for name in ("cfi", "tli", "nnfi", "rni")}
_SCALED = {
    "chi2": "chisq",
    "df": "df",
    "p_value": "pvalue",
    "baseline_chi2": "baseline.chisq",
    "baseline_df": "baseline.df",
    "baseline_p_value": "baseline.pvalue",
} | {name: name for name in ("rfi", "nfi", "pnfi", "ifi")} | _ROBUST  # fmt: skip

# our name -> lavaan's, for every index that fit_measures can return
LAVAAN_NAMES: Mapping[str, str] = (
    _PLAIN
    | {name: name for name in _SAME}
    | _SCALED
    | {f"{ours}_scaled": f"{theirs}.scaled" for ours, theirs in _SCALED.items()}
    | {f"{ours}_robust": f"{theirs}.robust" for ours, theirs in _ROBUST.items()}
)


def fit_measures(
    test: ChiSquare,
    baseline: ChiSquare | None,
    *,
    n: float,
    n_groups: int,
    n_parameters: int,
    residuals: Mapping[str, float],
    n_less_groups: bool = False,
    likelihood: Likelihood | None = None,
    robust: Misfit | None = None,
    robust_baseline: Misfit | None = None,
    gfi: float = nan,
    n_moments: Sequence[int] | None = None,
    ordinal: bool = False,
    minimum: float | None = None,
    conf_level: float = LEVEL,
    close: float = CLOSE,
    not_close: float = NOT_CLOSE,
) -> dict[str, float]:
    """Every fit index of a model, by name.

    Parameters
    ----------
    test, baseline
        The model and the model of uncorrelated variables, fitted and corrected alike.
    n, n_groups, n_parameters
        Respondents of all groups, in any case the whole number; groups; parameters that are
        estimated, after equalities.
    residuals
        From `residual_indices` or `two_level_residuals`.
    n_less_groups
        Divide by n minus the number of groups instead of n in RMSEA, critical n, MFI and ECVI:
        lavaan's rule for everything but ML with normal likelihood.
    likelihood
        None for least squares, which have none.
    robust, robust_baseline
        `robust_misfit` of the tests for complete continuous answers; for ordered items and
        missing answers from `robust_categorical` and `robust_missing`. None where there are none:
        robust indices are then NaN if there is a corrected test, else not listed.
    gfi, n_moments
        Goodness of fit, and how many moments each group has; without them (two levels) there
        are no absolute indices.
    ordinal
        Whether there are ordered items: WRMR instead of ECVI.
    minimum
        Of the discrepancy as lavaan prints it; half the chi-square per respondent if not given.
        (Of two levels: `two_level_minimum`.)
    conf_level, close, not_close
        Of RMSEA's interval, and its values in the tests of close and not-close fit.
    """
    units = n - n_groups if n_less_groups else n
    # of least squares lavaan divides by n here, though its chi-square has n - G
    half = test.statistic / (2 * (n if likelihood is None else units))
    out = {"n_parameters": float(n_parameters), "minimum": half if minimum is None else minimum}
    out |= _tests(test, "")
    if baseline is not None:
        out |= _tests(baseline, "baseline_") | _incremental(test, baseline)
    if test.scaled is not None or robust is not None:
        out |= _robust_incremental(robust or UNKNOWN, robust_baseline or UNKNOWN)
    if likelihood is not None:
        out |= _likelihood(likelihood, n_parameters, n)
    out["n_respondents"] = float(n)
    out |= {"rmsea_conf_level": conf_level, "rmsea_close": close, "rmsea_not_close": not_close}
    levels = (conf_level, close, not_close)
    out |= _rmsea(plain_misfit(test), units, n_groups, levels, "")
    if test.scaled is not None:
        out |= _rmsea(
            scaled_misfit(test.scaled, test.statistic), units, n_groups, levels, "_scaled"
        )
    if test.scaled is not None or robust is not None:
        out |= _rmsea(robust or UNKNOWN, units, n_groups, levels, "_robust")
    out |= residuals
    if n_moments is not None:
        out |= _absolute(test, units, n_parameters, gfi, n_moments, ordinal)
    return out


def two_level_minimum(loglik: float, n: float, n_items: int) -> float:
    """Minus the log-likelihood per respondent without the constant of `n_items` densities.

    What lavaan prints as fmin of a two-level model.
    """
    return -loglik / n - n_items * information.HALF_LOG_2PI


def _tests(test: ChiSquare, prefix: str) -> dict[str, float]:
    """Plain and corrected chi-square."""
    out = {
        f"{prefix}chi2": test.statistic,
        f"{prefix}df": float(test.df),
        f"{prefix}p_value": test.p_value,
    }
    if test.scaled is not None:
        out |= {
            f"{prefix}chi2_scaled": test.scaled.statistic,
            f"{prefix}df_scaled": float(test.scaled.df),
            f"{prefix}p_value_scaled": test.scaled.p_value,
            f"{prefix}chi2_factor": test.scaled.factor,
        }
    return out


def _incremental(test: ChiSquare, baseline: ChiSquare) -> dict[str, float]:
    """Indices against the baseline, from the plain and from the corrected statistics."""
    out = _of_pair(test.statistic, test.df, baseline.statistic, baseline.df, "")
    if test.scaled is not None and baseline.scaled is not None:
        own, null = test.scaled, baseline.scaled
        out |= _of_pair(own.statistic, own.df, null.statistic, null.df, "_scaled")
    return out


def _of_pair(x: float, df: float, null: float, null_df: float, suffix: str) -> dict[str, float]:
    found = {
        "cfi": incremental.cfi(x, df, null, null_df),
        "tli": incremental.tli(x, df, null, null_df),
        "rfi": incremental.rfi(x, df, null, null_df),
        "nfi": incremental.nfi(x, df, null, null_df),
        "pnfi": incremental.pnfi(x, df, null, null_df),
        "ifi": incremental.ifi(x, df, null),
        "rni": incremental.rni(x, df, null, null_df),
    }
    found["nnfi"] = found["tli"]
    return {name + suffix: value for name, value in found.items()}


def _robust_incremental(own: Misfit, null: Misfit) -> dict[str, float]:
    x, y = own.statistic, null.statistic
    c, c0 = own.factor, null.factor
    tli = incremental.tli(x, own.df, y, null.df, factor=c, baseline_factor=c0)
    return {
        "cfi_robust": incremental.cfi(x, own.df, y, null.df, factor=c, baseline_factor=c0),
        "tli_robust": tli,
        "nnfi_robust": tli,
        "rni_robust": incremental.rni(x, own.df, y, null.df, factor=c, baseline_factor=c0),
    }


def _likelihood(found: Likelihood, n_parameters: int, n: float) -> dict[str, float]:
    out = {
        "loglik": found.loglik,
        "loglik_saturated": found.saturated,
        "aic": information.aic(found.loglik, n_parameters),
        "bic": information.bic(found.loglik, n_parameters, n),
        "sabic": information.sabic(found.loglik, n_parameters, n),
    }
    if not isnan(found.factor):
        out |= {
            "loglik_factor": found.factor,
            "loglik_saturated_factor": found.saturated_factor,
        }
    return out


def _rmsea(
    found: Misfit,
    n: float,
    n_groups: int,
    levels: tuple[float, float, float],
    suffix: str,
) -> dict[str, float]:
    """RMSEA with its limits and tests."""
    conf_level, close, not_close = levels
    x, df, unit = found.reference, found.df, found.unit
    low, high = rmsea_interval(x, df, n, n_groups=n_groups, factor=unit, conf_level=conf_level)
    estimate = rmsea(found.statistic, df, n, n_groups=n_groups, factor=found.factor)
    values = {
        "rmsea": estimate,
        "rmsea_ci_low": low,
        "rmsea_ci_high": high,
        "rmsea_p_close": p_close(x, df, n, n_groups=n_groups, factor=unit, close=close),
        "rmsea_p_not_close": p_not_close(
            x, df, n, n_groups=n_groups, factor=unit, not_close=not_close
        ),
    }
    return {name + suffix: value for name, value in values.items()}


def _absolute(
    test: ChiSquare,
    n: float,
    n_parameters: int,
    gfi: float,
    n_moments: Sequence[int],
    ordinal: bool,
) -> dict[str, float]:
    """Indices that need no baseline."""
    x, df = test.statistic, test.df
    out = {
        "cn_05": other.critical_n(x, df, n, alpha=0.05),
        "cn_01": other.critical_n(x, df, n, alpha=0.01),
        "gfi": gfi,
        "agfi": agfi(gfi, df, sum(n_moments)),
        "pgfi": pgfi(gfi, df, sum(n_moments)),
        "mfi": other.mfi(x, df, n),
    }
    if ordinal:
        return out | {"wrmr": other.wrmr(x, n_moments[0])}
    return out | {"ecvi": other.ecvi(x, n_parameters, n)}
