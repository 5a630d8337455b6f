"""Whether one slope does for every threshold, and one spread for every row.

The tests of `ordinal::nominal_test` and `ordinal::scale_test`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from collabsurvey.errors import DataError, NotEnoughDataError
from collabsurvey.numerics.cumulative import (
    CumulativeFit,
    CumulativeRows,
    cluster_sandwich,
    fit_cumulative,
    scores,
    sorted_rows,
)
from collabsurvey.numerics.student import critical_value
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.regression.ordinal_assumption_result import (
    AssumptionResult,
    errors_words,
    odds_words,
    spread_words,
)
from collabsurvey.regression.ordinal_rows import OrdinalRows, with_terms_apart
from collabsurvey.regression.prepare import Groups


@dataclass(frozen=True, eq=False)
class FreeFit:
    """A model in which one term has effects of its own at each threshold, or on the spread."""

    term: str
    own: IntArray  # (m,) columns of the term
    rows: CumulativeRows
    order: IntArray  # (n,) row of the frame of each of `rows`
    fit: CumulativeFit
    spread: FloatArray  # (m,) what the term's columns were divided by
    places: IntArray  # (j, m) parameters with the effects: j thresholds, or one row for the spread
    sign: int  # of the parameters against the effects

    @property
    def finite(self) -> bool:
        """Whether every effect has an estimate."""
        return self.fit.converged and not self.fit.flat


def proportional_odds_test(
    model: OrdinalRows,
    fitted: CumulativeFit,
    *,
    groups: Groups | None,
    conf_level: float,
    refit: Callable[[FreeFit], float] | None = None,
    loglik: float | None = None,
) -> AssumptionResult:
    """Test each term; `refit` gives the log-likelihood with a random intercept, beside `loglik`."""
    if len(model.thresholds) < 2:
        raise NotEnoughDataError(
            "The test of proportional odds", what="thresholds", found=1, needed=2
        )
    _require_terms(model)
    free = [_free_of_thresholds(model, fitted, own) for own in _terms(model)]
    base = fitted.loglik if loglik is None else loglik
    tests = [
        _wald(one, groups) if groups and one.finite else _likelihood_ratio(one, base, refit)
        for one in free
    ]
    table = pd.concat(tests, ignore_index=True)
    effects = _effects(free, model, groups, conf_level)
    names = np.array(model.plan.names, dtype=object)
    columns = {one.term: tuple(names[one.own].tolist()) for one in free}
    infinite = [one.term for one in free if not one.finite]
    notes = odds_words(table, effects, columns, infinite)
    if refit is not None:
        notes += ("The effects at each threshold are those without the random intercept.",)
    return AssumptionResult(
        "proportional_odds",
        model.formula.response.label,
        conf_level,
        table,
        effects,
        (*notes, errors_words(groups.label if groups else None)),
    )


def scale_test(
    model: OrdinalRows, fitted: CumulativeFit, *, groups: Groups | None, conf_level: float
) -> AssumptionResult:
    """Test each term's effect on the spread of the latent answer."""
    if len(model.thresholds) < 2:
        raise NotEnoughDataError("The test of equal spread", what="thresholds", found=1, needed=2)
    _require_terms(model)
    free = [_free_of_spread(model, fitted, own) for own in _terms(model)]
    tests = [
        _wald(one, groups) if groups and one.finite else _likelihood_ratio(one, fitted.loglik, None)
        for one in free
    ]
    table = pd.concat(tests, ignore_index=True)
    effects = _effects(free, model, groups, conf_level)
    infinite = [one.term for one in free if not one.finite]
    notes = spread_words(table, infinite)
    return AssumptionResult(
        "equal_spread",
        model.formula.response.label,
        conf_level,
        table,
        effects,
        (*notes, errors_words(groups.label if groups else None)),
    )


def _require_terms(model: OrdinalRows) -> None:
    if not model.plan.columns:
        raise DataError(
            f"{model.formula.text!r} has no predictors, so there is no effect that could differ. "
            "Put terms into the formula."
        )


def _terms(model: OrdinalRows) -> list[IntArray]:
    """Columns of each term."""
    labels = np.array(model.plan.term_labels, dtype=object)
    return [np.flatnonzero(labels == label) for label in dict.fromkeys(model.plan.term_labels)]


def _free_of_thresholds(model: OrdinalRows, fitted: CumulativeFit, own: IntArray) -> FreeFit:
    """Fit with the term's columns beside each threshold, from the fit with one effect for all."""
    k, m = len(model.thresholds), len(own)
    apart, spread, rest = with_terms_apart(model, own)
    rows, order = sorted_rows(
        model.codes, rest, link=model.link, offset=model.offset, weight=model.weight, w=apart
    )
    slopes = (model.transform @ fitted.parameters)[k:]
    share = model.weight / model.weight.sum()
    others = np.delete(model.x - share @ model.x, own, axis=1) @ np.delete(slopes, own)
    start = np.zeros(rows.n_parameters)
    theta = np.column_stack((fitted.parameters[:k], np.tile(-slopes[own] * spread, (k, 1))))
    start[: theta.size] = theta.ravel()
    start[theta.size :] = rest.T @ (share * others)
    places = np.arange(theta.size).reshape(k, m + 1)[:, 1:]
    label = model.plan.term_labels[own[0]]
    return FreeFit(label, own, rows, order, fit_cumulative(rows, start), spread, places, -1)


def _free_of_spread(model: OrdinalRows, fitted: CumulativeFit, own: IntArray) -> FreeFit:
    """Fit with the term's columns in the scale of the latent answer."""
    apart, spread, _ = with_terms_apart(model, own)
    rows, order = sorted_rows(
        model.codes, model.q, link=model.link, offset=model.offset, weight=model.weight, z=apart
    )
    start = np.concatenate((fitted.parameters, np.zeros(len(own))))
    places = np.arange(len(fitted.parameters), len(start))[None]
    label = model.plan.term_labels[own[0]]
    return FreeFit(label, own, rows, order, fit_cumulative(rows, start), spread, places, 1)


def _likelihood_ratio(
    one: FreeFit, base: float, refit: Callable[[FreeFit], float] | None
) -> pd.DataFrame:
    loglik = one.fit.loglik if refit is None else refit(one)
    df = one.places.size - (one.places.shape[1] if one.sign < 0 else 0)
    statistic = max(2 * (loglik - base), 0.0)
    n_parameters = one.rows.n_parameters + (refit is not None)
    return _row(one, "likelihood ratio", statistic, df, loglik, 2 * n_parameters - 2 * loglik)


def _wald(one: FreeFit, groups: Groups) -> pd.DataFrame:
    """Differences between thresholds, or effects on the spread, against their robust errors."""
    covariance = _covariance(one, groups)
    picked = np.eye(len(covariance))[one.places]  # (j, m, P)
    contrasts = (np.diff(picked, axis=0) if one.sign < 0 else picked).reshape(-1, len(covariance))
    found = contrasts @ one.fit.parameters
    inverse = np.linalg.pinv(contrasts @ covariance @ contrasts.T, hermitian=True)
    test = f"Wald, robust by {groups.label}"
    return _row(one, test, float(found @ inverse @ found), len(found), np.nan, np.nan)


def _row(
    one: FreeFit, test: str, statistic: float, df: int, loglik: float, aic: float
) -> pd.DataFrame:
    p_value = float(chdtrc(df, statistic))
    return pd.DataFrame(
        [(one.term, test, statistic, df, p_value, loglik, aic)],
        columns=["term", "test", "statistic", "df", "p_value", "loglik", "aic"],
    )


def _covariance(one: FreeFit, groups: Groups | None) -> FloatArray:
    covariance = np.asarray(np.linalg.pinv(one.fit.information, hermitian=True), dtype=np.float64)
    if groups is None:
        return covariance
    return cluster_sandwich(
        scores(one.rows, one.fit.parameters),
        groups.codes[one.order],
        len(groups.names),
        covariance,
        total_weight=float(one.rows.weight.sum()),
    )


def _effects(
    free: list[FreeFit], model: OrdinalRows, groups: Groups | None, conf_level: float
) -> pd.DataFrame:
    z = float(critical_value(conf_level, np.array([np.inf]))[0])
    made = []
    for one in free:
        if not one.finite:
            continue
        error = np.sqrt(np.diag(_covariance(one, groups)))
        for j, name in enumerate(np.array(model.plan.names, dtype=object)[one.own]):
            for t, place in enumerate(one.places[:, j]):
                estimate = one.sign * one.fit.parameters[place] / one.spread[j]
                half = z * error[place] / one.spread[j]
                threshold = model.thresholds[t] if one.sign < 0 else None
                made.append((name, threshold, estimate, half / z, estimate - half, estimate + half))
    return pd.DataFrame(
        made, columns=["term", "threshold", "estimate", "std_error", "ci_low", "ci_high"]
    )
