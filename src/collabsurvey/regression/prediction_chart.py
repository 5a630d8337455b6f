"""Predictions along one predictor with their band, and the data in the same picture.

The other predictors are at their typical values. The data are shown as partial residuals (the
line plus what is left of each row), or as their means in bins: raw means would mix in what goes
with the other predictors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from collabsurvey.display import Chart
from collabsurvey.display.prediction import Dots, prediction_picture
from collabsurvey.errors import DataError, OptionError, check_level
from collabsurvey.numerics.glm_outcome import mean_of
from collabsurvey.numerics.glmm_population import averaged_mean
from collabsurvey.numerics.student import critical_value
from collabsurvey.numerics.typing import AnyArray, FloatArray
from collabsurvey.regression.expressions import Call, ColumnRef, Expression, columns_of
from collabsurvey.regression.generalized_result import GeneralizedResult, MixedGeneralizedResult
from collabsurvey.regression.ordinal_result import CumulativeResult
from collabsurvey.regression.prepare import offsets
from collabsurvey.regression.reading import Words
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.scales import scale_of
from collabsurvey.regression.terms import Columns, evaluate, expand, variable_values
from collabsurvey.regression.typical import cases_along, n_rows, rows_of, typical_words

Points = Literal["auto", "partial", "binned", "none"]
GRID_POINTS = 60  # of the line: smooth at print size
MOST_SINGLE = 250  # rows that are drawn one by one
MOST_BINS, ROWS_IN_BIN = 12, 10


@dataclass(frozen=True, eq=False)
class _Along:
    """The predictor: its values in the rows (n,), and those to predict at."""

    of_rows: FloatArray  # numbers, or codes of levels
    grid: list[float] | list[str]
    levels: tuple[str, ...] | None


def prediction_chart(
    result: RegressionResult,
    predictor: str,
    data: Any = None,
    *,
    points: Points = "auto",
    conf_level: float | None = None,
) -> Chart:
    """Draw what a model predicts along one predictor, with the data.

    Parameters
    ----------
    result : RegressionResult
        A fitted model. Of ordinal models the picture is `result.probability_chart(predictor)`.
    predictor : str
        A column, or a variable as the formula writes it: "within(trust, school)".
    data : frame
        The table of the fit; ordinal models keep their rows and do not need it.
    points : str
        "partial": a dot for each row (linear models); "binned": means of about equally many rows;
        "none". "auto" (default) is "partial" up to 250 rows of a linear model, else "binned".
    conf_level : float, optional
        Of the band; that of the fit if left out.

    Raises
    ------
    UnknownNameError
        A predictor that the model does not have.
    OptionError
        "partial" for a model of yes or no, or of counts.
    DataError
        No data; a column with parts within and between groups: name the part.

    Notes
    -----
    Mixed linear models are drawn for the typical group; mixed logistic and count models for the
    average over groups, which is what the data's shares are of. The band is that of the mean (Wald,
    with the smallest df of the coefficients in it), not of single rows, and takes the variances
    between groups as known. Dots of logistic and count models are on the scale of probabilities
    and counts, and lie off it where a bin is far from typical.
    """
    if points not in get_args(Points):
        raise OptionError("points", points, allowed=get_args(Points))
    level = result.conf_level if conf_level is None else conf_level
    check_level(level)
    if isinstance(result, CumulativeResult):
        return result.probability_chart(predictor)
    linear = not isinstance(result, GeneralizedResult)
    if points == "partial" and not linear:
        raise OptionError("points", points, allowed=("auto", "binned", "none"))
    columns = rows_of(result, data)
    if columns is None:
        raise DataError(
            "prediction_chart() needs the rows that the model was fitted to. Pass data=, the table "
            "of the fit."
        )
    along = _along(result, columns, predictor)
    case = cases_along(result, columns, predictor, along.grid)
    design, eta = case.design(result), case.linear(result)
    to_mean = _to_mean(result, case.values, case.n)
    used = (design != 0).any(axis=0)
    df = np.array([result.df[used].min()])
    error = np.sqrt(np.einsum("np,pq,nq->n", design, result.covariance, design))
    half = float(critical_value(level, df)[0]) * error
    middle, low, high = (to_mean(x) for x in (eta, eta - half, eta + half))
    dots = None
    if points != "none":
        single = points == "partial" or (
            points == "auto" and linear and n_rows(columns) <= MOST_SINGLE
        )
        dots = _dots(result, columns, along, middle, single=single)
    scale = scale_of(result)
    y_axis = {
        "difference": scale.outcome,
        "odds": f"probability of {scale.outcome}",
    }.get(scale.kind, f"expected count of {scale.outcome}")
    held = typical_words(result, columns, Words(), but=predictor)
    held = f" Held: {held}." if held else ""
    if result.encoding.formula.offsets:
        held += " The offset is at its mean."
    ends = [0, case.n - 1] if along.levels is None else list(range(case.n))
    said = "; ".join(
        f"at {along.grid[i] if along.levels else f'{float(along.grid[i]):.3g}'} {middle[i]:.3g} "
        f"[{low[i]:.3g}, {high[i]:.3g}]"
        for i in ends
    )
    return prediction_picture(
        along.grid,
        middle,
        low,
        high,
        dots=dots,
        title=f"{scale.outcome} along {predictor}",
        x_axis=predictor,
        y_axis=y_axis,
        line=f"{_whose(result)} ({level:.0%} interval)",
        description=f"Predicted {y_axis} along {predictor}: {said}.{held}".replace(
            " -", " −"
        ).replace("[-", "[−"),
    )


def _along(result: RegressionResult, columns: Columns, predictor: str) -> _Along:
    """Find the predictor among the variables, else among the columns."""
    formula, n = result.encoding.formula, n_rows(columns)
    variables = dict.fromkeys(v for term in formula.terms for v in term)
    named = next((v for v in variables if v.label == predictor), None)
    factor = next(
        (v for v in variables if v in result.encoding.levels and predictor in columns_of([v])), None
    )
    variable = named if named is not None else factor
    if variable is None and predictor in columns and columns[predictor].categories is None:
        values = np.asarray(columns[predictor].values, dtype=float)
        return _Along(values, _grid(values), None)
    if variable is None:
        variable = ColumnRef(predictor)
        if predictor not in formula.predictor_columns:
            return _Along(np.zeros(n), [0.0], None)  # cases_along() says what there is
    values = variable_values([(variable,)], columns, result.encoding, n)[variable]
    levels = result.encoding.levels.get(variable)
    if levels is not None:
        return _Along(values.astype(float), list(levels), levels)
    return _Along(np.asarray(values, dtype=float), _grid(values), None)


def _grid(values: FloatArray) -> list[float]:
    found: list[float] = np.linspace(values.min(), values.max(), GRID_POINTS).tolist()
    return found


def _to_mean(result: RegressionResult, values: Any, n: int) -> Callable[[FloatArray], FloatArray]:
    """From linear predictors (n,) to means, averaged over groups where the link is curved."""
    if isinstance(result, MixedGeneralizedResult):
        z = expand(result.random_plan, values, slice(0, n))
        sd = np.sqrt(np.einsum("na,ab,nb->n", z, result.random_covariance, z))
        family = result.family
        return lambda eta: averaged_mean(family, eta, sd).mean
    if isinstance(result, GeneralizedResult):
        own = result.family
        return lambda eta: mean_of(own, eta)
    return lambda eta: eta


def _dots(
    result: RegressionResult, columns: Columns, along: _Along, middle: FloatArray, *, single: bool
) -> Dots:
    """The line at each row plus what is left of the row, one by one or as means of bins."""
    formula, n = result.encoding.formula, n_rows(columns)
    terms = [*formula.terms, *(term for part in formula.random for term in part.terms)]
    values = variable_values(terms, columns, result.encoding, n)
    eta = expand(result.plan, values, slice(0, n)) @ result.coefficients
    offset = offsets(formula, columns, result.encoding)
    eta = eta if offset is None else eta + offset
    outcome, weight = _outcome(formula.response, columns, result, n)
    left = outcome - _to_mean(result, values, n)(eta)
    if along.levels is None:
        line = np.interp(along.of_rows, np.asarray(along.grid, dtype=float), middle)
    else:
        line = middle[along.of_rows.astype(np.int64)]
    partial = line + left
    if single:
        x = along.of_rows
        return Dots(x, partial, np.ones(n), "rows (partial residuals)")
    bins = _bins(along)
    n_bins = int(bins.max()) + 1
    total = np.bincount(bins, weights=weight, minlength=n_bins)
    x, y = (
        np.bincount(bins, weights=weight * v, minlength=n_bins) / total
        for v in (along.of_rows, partial)
    )
    label = "data: means of rows" if along.levels else "data: means of rows that are near"
    return Dots(x, y, total.astype(float), label)


def _outcome(
    response: Expression, columns: Columns, result: RegressionResult, n: int
) -> tuple[FloatArray, FloatArray]:
    """Outcome (n,) and what each row counts for: its trials, else 1."""
    if isinstance(response, Call) and response.function == "cbind":
        yes, no = (
            np.broadcast_to(evaluate(part, columns, result.encoding), n)
            for part in response.arguments
        )
        trials = np.asarray(yes + no, dtype=float)
        return np.divide(yes, trials, out=np.zeros(n), where=trials > 0), trials
    return np.array(np.broadcast_to(evaluate(response, columns, result.encoding), n)), np.ones(n)


def _bins(along: _Along) -> AnyArray:
    """Bin (n,) of each row: its value where there are few, else about equally many rows."""
    values = along.of_rows
    distinct, place = np.unique(values, return_inverse=True)
    if len(distinct) <= MOST_BINS:
        return place
    n_bins = int(np.clip(len(values) // ROWS_IN_BIN, 3, MOST_BINS))
    edges = np.unique(np.quantile(values, np.linspace(0, 1, n_bins + 1)[1:-1]))
    codes = np.searchsorted(edges, values, side="right")
    return np.unique(codes, return_inverse=True)[1]


def _whose(result: RegressionResult) -> str:
    if result.variance_components is None:
        return "model"
    if isinstance(result, MixedGeneralizedResult):
        return "model, average over groups"
    return "model, typical group"
