"""Alignment: compare many groups although no item is quite the same in all of them.

Source: Asparouhov & Muthén (2014) doi:10.1080/10705511.2014.919210; for thresholds and for how
much difference is too much Muthén & Asparouhov (2014) doi:10.3389/fpsyg.2014.00978.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from collabsurvey.dimensionality.options import check_whole
from collabsurvey.dimensionality.sem.answers import Missing
from collabsurvey.dimensionality.sem.estimators import Estimator
from collabsurvey.dimensionality.sem.from_instrument import model_of
from collabsurvey.dimensionality.sem.prepare import Options, Ordered, Prepared, prepare
from collabsurvey.dimensionality.sem.syntax import parse
from collabsurvey.errors import (
    ConvergenceWarning,
    OptionError,
    UnknownNameError,
    check_level,
)
from collabsurvey.instruments.model import Instrument
from collabsurvey.invariance.alignment_frames import (
    SolvedFactor,
    item_frame,
    means_frame,
    parameter_frame,
)
from collabsurvey.invariance.alignment_result import AlignmentResult
from collabsurvey.invariance.alignment_words import alignment_notes, configural_fit
from collabsurvey.invariance.configural import Configural, FactorPart, configural
from collabsurvey.invariance.levels import require_factor
from collabsurvey.invariance.simplicity import (
    Aligned,
    Unaligned,
    align,
    aligned_values,
    freedom,
    pair_weights,
    polish,
    spread_of,
)
from collabsurvey.invariance.whose_rows import with_people
from collabsurvey.numerics.typing import FloatArray

Method = Literal["auto", "fixed", "free"]
Metric = Literal["product", "reference"]
Errors = Literal["delta", "bootstrap"]
SEED = 20260901
UNSTEADY = 2.0  # times the error of a typical mean: the reference's mean is hardly determined


def alignment(
    data: Any,
    model: str | Instrument,
    by: str,
    *,
    method: Method = "auto",
    reference: str | None = None,
    estimator: Estimator = "ML",
    missing: Missing = "listwise",
    ordered: Ordered = (),
    cluster: str | None = None,
    weights: str | None = None,
    metric: Metric = "product",
    epsilon: float = 0.01,
    starts: int = 10,
    errors: Errors = "delta",
    n_boot: int = 200,
    seed: int = SEED,
    conf_level: float = 0.95,
) -> AlignmentResult:
    """Compare factor means of groups when measurement is only approximately the same.

    Use it with many groups (schools, partnerships, countries), where `ladder` rejects equal
    intercepts and `partial` would have to release dozens. No item has to be the same everywhere;
    most have to be in most groups.

    Parameters
    ----------
    data : Responses or any frame
        Answers as they were given. The weight role is applied.
    model : str or Instrument
        Factors and their items (`trust =~ t1 + t2 + t3`); every item on one factor.
    by : str
        Column or role of the groups.
    method : "auto", "fixed" or "free"
        "fixed" holds the mean of the reference at 0, "free" estimates it from the differences
        of loadings. "auto" follows Asparouhov & Muthén (2014): fixed for two groups, where free is
        hardly identified; free for more, unless the reference's mean then has an error more than
        twice that of a typical mean under fixed, as happens when loadings are the same.
    reference : str, optional
        Group that differences are taken from; the first in the data by default.
    estimator, missing, ordered, cluster, weights
        As in `cfa`, for the configural model of each group. With `ordered` items thresholds are
        aligned, under the theta parameterisation (residual variances 1 in every group).
    metric : "product" or "reference"
        The product of the groups' standard deviations is 1, as in the paper; or that of the
        reference is 1, the default of Mplus. The latter can be had by shrinking all other groups'
        loadings: in a simulation of 30 groups it misses their standard deviations by .16 on
        average, "product" by .01.
    epsilon : float
        Of the loss sqrt(sqrt(x^2 + epsilon)): differences well below sqrt(epsilon) count as none.
        0.01 as in Mplus.
    starts : int
        Starting points; the solution with the lowest criterion is kept.
    errors : "delta" or "bootstrap"
        By implicit differentiation, or from `n_boot` draws of the configural estimates from
        their sampling distribution, each aligned again.

    Returns
    -------
    AlignmentResult

    Raises
    ------
    UnknownNameError
        The reference is no group, or an item no column.
    NotSupportedError
        Items on several factors, regressions, fixed loadings, two levels.
    NotEnoughDataError, DataError
        A group too small to have the model fitted to it; one group only.

    Warns
    -----
    ConvergenceWarning
        The criterion did not come to rest.

    Notes
    -----
    A parameter counts as the same in the groups of the set that Asparouhov & Muthén's search
    ends with (pairs connected at p > .01, then differences from the set's average at p < .001).
    Up to a quarter of parameters outside, means are still trustworthy in simulations (Muthén &
    Asparouhov, 2014).
    """
    _check(method, metric, errors, epsilon, starts, n_boot)
    check_level(conf_level)
    text = model_of(model) if isinstance(model, Instrument) else model
    if not isinstance(text, str) or not text.strip():
        raise OptionError("model", model, allowed=("a model text, or an Instrument",))
    options = Options(
        estimator, missing, ordered, by, cluster, weights, "theta", True, False, True, True,
        None, "normal",
    )  # fmt: skip
    require_factor(parse(text))
    prepared = with_people(prepare(data, text, options), data)
    labels = prepared.answers.labels
    if reference is not None and str(reference) not in labels:
        raise UnknownNameError("group", str(reference), available=labels, where=repr(by))
    at = 0 if reference is None else labels.index(str(reference))
    found = configural(prepared, text)
    plan = _Plan(method, at, metric, epsilon, starts, errors, n_boot, seed)
    solved, used = _solve(found, plan)
    if not all(one.aligned.converged for one in solved):
        warnings.warn(
            "The alignment criterion did not come to rest: read the means with care. More "
            "starts= may help.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return _result(prepared, found, solved, used, plan, conf_level)


@dataclass(frozen=True)
class _Plan:
    method: Method
    reference: int
    metric: Metric
    epsilon: float
    starts: int
    errors: Errors
    n_boot: int
    seed: int


def _check(method: str, metric: str, errors: str, epsilon: float, starts: int, n_boot: int) -> None:
    for name, value, allowed in (
        ("method", method, get_args(Method)),
        ("metric", metric, get_args(Metric)),
        ("errors", errors, get_args(Errors)),
    ):
        if value not in allowed:
            raise OptionError(name, value, allowed=allowed)
    if not (isinstance(epsilon, int | float) and 0 < epsilon <= 1):
        raise OptionError("epsilon", epsilon, allowed=("a number above 0, at most 1",))
    check_whole("starts", starts, least=1)
    check_whole("n_boot", n_boot, least=20)


def _solve(found: Configural, plan: _Plan) -> tuple[list[SolvedFactor], Literal["fixed", "free"]]:
    """Align every factor, with one rule for all of them."""
    if plan.method == "fixed" or (plan.method == "auto" and len(found.n) == 2):
        return [_aligned(found, part, plan, free=False) for part in found.parts], "fixed"
    free = [_aligned(found, part, plan, free=True) for part in found.parts]
    if plan.method == "free":
        return free, "free"
    fixed = [_aligned(found, part, plan, free=False) for part in found.parts]
    if any(_unsteady(a, b, plan.reference) for a, b in zip(free, fixed, strict=True)):
        return fixed, "fixed"
    return free, "free"


def _unsteady(free: SolvedFactor, fixed: SolvedFactor, reference: int) -> bool:
    """Whether the mean of the reference is hardly determined when it is free."""
    g = fixed.problem.n_groups
    typical = np.median(np.sqrt(np.delete(np.diag(fixed.cov)[g:], reference)))
    own = float(free.cov[g + reference, g + reference])
    return not (0 <= own <= (UNSTEADY * typical) ** 2)


def _aligned(found: Configural, part: FactorPart, plan: _Plan, *, free: bool) -> SolvedFactor:
    values, covs = found.of(part)
    p = len(part.items)
    g = len(found.n)
    problem = Unaligned(
        values[:p],
        values[p:],
        part.cut_item,
        pair_weights(found.n),
        float(plan.epsilon),
        freedom(g, plan.reference, free_mean=free, product=plan.metric == "product"),
    )
    rng = np.random.default_rng(plan.seed)
    aligned = align(problem, starts=plan.starts, rng=rng)
    cov, value_cov = spread_of(problem, aligned.x, covs)
    if plan.errors == "bootstrap":
        cov, value_cov = _bootstrap(problem, aligned, covs, plan.n_boot, rng)
    weight = np.sqrt(np.outer(found.n, found.n))
    scale = float(weight.sum() - np.trace(weight)) / 2
    return SolvedFactor(part, problem, aligned, cov, value_cov, aligned.criterion * scale)


def _bootstrap(
    problem: Unaligned,
    aligned: Aligned,
    covs: FloatArray,
    n_boot: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Covariances over draws of the configural estimates, each aligned from the solution."""
    p, m, g = len(problem.loadings), *problem.stacked.shape
    roots = np.linalg.cholesky(covs)
    settings, values = np.empty((n_boot, 2 * g)), np.empty((n_boot, m, g))
    for b in range(n_boot):
        drawn = problem.stacked + np.einsum("gmk,gk->mg", roots, rng.standard_normal((g, m)))
        one = Unaligned(
            drawn[:p], drawn[p:], problem.item, problem.weights, problem.epsilon, problem.reduce
        )
        x, _ = polish(one, aligned.x)
        settings[b] = one.reduce @ x
        values[b] = aligned_values(one, x)
    away = values - values.mean(axis=0)
    spread = np.einsum("bmg,bmh->mgh", away, away) / (n_boot - 1)
    return np.atleast_2d(np.cov(settings.T)), spread


def _result(
    prepared: Prepared,
    found: Configural,
    solved: Sequence[SolvedFactor],
    used: Literal["fixed", "free"],
    plan: _Plan,
    conf_level: float,
) -> AlignmentResult:
    labels = prepared.answers.labels
    parameters = parameter_frame(solved, labels)
    share = float(1 - parameters["invariant"].mean())
    fit = configural_fit(found)
    return AlignmentResult(
        by=prepared.answers.group,
        method=used,
        groups=labels,
        reference=labels[plan.reference],
        means=means_frame(solved, labels, found.n, plan.reference, conf_level),
        parameters=parameters,
        items=item_frame(solved, labels, parameters),
        share=share,
        criterion={one.part.factor: one.criterion for one in solved},
        fit=fit,
        converged=all(one.aligned.converged for one in solved),
        conf_level=conf_level,
        notes=alignment_notes(
            prepared,
            found,
            solved,
            used,
            plan.reference,
            plan.method,
            plan.metric,
            share,
            fit,
            n_boot=plan.n_boot if plan.errors == "bootstrap" else None,
        ),
    )
