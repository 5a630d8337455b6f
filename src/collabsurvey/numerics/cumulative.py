"""Cumulative link models by maximum likelihood: ordered categories, one likelihood for all of them.

P(Y <= j) = F((w'Theta_j - x'beta - offset) / exp(z'zeta)) (McCullagh, 1980,
doi:10.1111/j.2517-6161.1980.tb01109.x). With w = 1 every effect is the same at all thresholds
(proportional odds); further columns of w have effects of their own at each threshold (Peterson &
Harrell, 1990, doi:10.2307/2347760), z changes the spread of the latent answer. Numbers agree with
R's `ordinal::clm`.

Letters: n rows, J categories, r columns of w, p of x, s of z, P = (J - 1) r + p + s parameters in
the order Theta row by row, beta, zeta.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from collabsurvey.numerics.cumulative_link import (
    Link,
    Slopes,
    curvatures,
    distribution,
    quantile,
    slopes,
)
from collabsurvey.numerics.typing import FloatArray, IntArray

NEWTON_STEPS = 100
HALVINGS = 30
DECREMENT = 1e-16  # what a further step may still promise, in log-likelihood
CONVERGED = 1e-10
FLAT = 1e-4  # curvature of the likelihood at which a parameter may be running away
LEAST_CURVED = 1e-12  # share of the largest curvature that a step assumes at least


@dataclass(frozen=True, eq=False)
class CumulativeRows:
    """Rows sorted by category; every category has one."""

    link: Link
    w: FloatArray  # (n, r), the first column ones
    x: FloatArray  # (n, p)
    z: FloatArray  # (n, s)
    offset: FloatArray  # (n,)
    weight: FloatArray  # (n,) how often the row counts
    bounds: IntArray  # (J + 1,) rows of category c are bounds[c] to bounds[c + 1]

    @property
    def n_thresholds(self) -> int:
        """J - 1."""
        return len(self.bounds) - 2

    @property
    def n_parameters(self) -> int:
        """P."""
        return int(self.n_thresholds * self.w.shape[1] + self.x.shape[1] + self.z.shape[1])

    def split(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Theta (J - 1, r), beta (p,), zeta (s,)."""
        r, p = self.w.shape[1], self.x.shape[1]
        k = self.n_thresholds * r
        return parameters[:k].reshape(-1, r), parameters[k : k + p], parameters[k + p :]


@dataclass(frozen=True, eq=False)
class CumulativeFit:
    """The optimum and the optimiser's record."""

    parameters: FloatArray  # (P,)
    loglik: float
    gradient: FloatArray  # (P,)
    information: FloatArray  # (P, P) minus the second derivatives
    converged: bool
    n_iterations: int
    decrement: float  # what a further step promises, in log-likelihood

    @property
    def flat(self) -> bool:
        """Whether some direction has next to no curvature: a parameter on its way to infinity.

        For columns whose mean square is 1; the smallest curvature is then about the smallest number
        of answers that a parameter rests on.
        """
        return bool(np.linalg.eigvalsh(self.information)[0] < FLAT)


@dataclass(frozen=True, eq=False)
class _Part:
    """The rows of one category at some parameters."""

    rows: slice
    a: FloatArray
    b: FloatArray
    spread: FloatArray  # exp(z'zeta)
    at: Slopes
    upper: FloatArray | None  # (m, k) derivatives of a by the parameters at `upper_places`
    lower: FloatArray | None
    upper_places: IntArray
    lower_places: IntArray


def sorted_rows(
    codes: IntArray,
    x: FloatArray,
    *,
    link: Link,
    offset: FloatArray,
    weight: FloatArray,
    w: FloatArray | None = None,
    z: FloatArray | None = None,
) -> tuple[CumulativeRows, IntArray]:
    """Sort rows by category (codes 0 to J - 1); also the place each came from."""
    order = np.argsort(codes, kind="stable")
    n = len(codes)
    w = np.ones((n, 1)) if w is None else np.column_stack((np.ones(n), w))
    z = np.empty((n, 0)) if z is None else z
    bounds = np.concatenate(([0], np.cumsum(np.bincount(codes))))
    made = CumulativeRows(
        link, w[order], x[order], z[order], offset[order], weight[order], bounds.astype(np.int64)
    )
    return made, order


def start_values(rows: CumulativeRows) -> FloatArray:
    """Thresholds that give the shares of the categories; all effects zero."""
    mass = np.add.reduceat(rows.weight, rows.bounds[:-1])
    shares = np.cumsum(mass)[:-1] / mass.sum()
    middle = float(rows.weight @ rows.offset / rows.weight.sum())
    parameters = np.zeros(rows.n_parameters)
    theta, _, _ = rows.split(parameters)
    theta[:, 0] = quantile(rows.link, shares) + middle
    return parameters


def fit_cumulative(rows: CumulativeRows, start: FloatArray | None = None) -> CumulativeFit:
    """Newton's method with step halving; the likelihood is concave unless there is a z."""
    parameters = start_values(rows) if start is None else start
    loglik = log_likelihood(rows, parameters)
    decrement = np.inf
    steps = 0
    gradient, information = derivatives(rows, parameters)
    for _ in range(NEWTON_STEPS):
        move = _ascent(information, gradient)
        decrement = float(move @ gradient)
        if decrement < DECREMENT:
            break
        for _ in range(HALVINGS):
            trial = parameters + move
            height = log_likelihood(rows, trial)
            # Where the likelihood is flat to rounding, Newton's own step is the better judge.
            if height > loglik or (decrement < CONVERGED and height > loglik - 1e-9):
                break
            move = move / 2
        else:
            break
        parameters, loglik = trial, height
        gradient, information = derivatives(rows, parameters)
        steps += 1
    return CumulativeFit(
        parameters=parameters,
        loglik=loglik,
        gradient=gradient,
        information=information,
        converged=decrement < CONVERGED,
        n_iterations=steps,
        decrement=decrement,
    )


def log_likelihood(rows: CumulativeRows, parameters: FloatArray) -> float:
    """Sum of weighted log probabilities; minus infinity where thresholds of some row cross."""
    total = 0.0
    for part, a, b, _ in _ends(rows, parameters):
        if not (a > b).all():
            return -np.inf
        with np.errstate(over="ignore", divide="ignore"):
            total += float(rows.weight[part] @ slopes(rows.link, a, b).loglik)
    return total


def derivatives(rows: CumulativeRows, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gradient (P,) and information (P, P)."""
    gradient = np.zeros(rows.n_parameters)
    hessian = np.zeros((rows.n_parameters, rows.n_parameters))
    r, p, s = rows.w.shape[1], rows.x.shape[1], rows.z.shape[1]
    beta = np.arange(p) + rows.n_thresholds * r
    zeta = np.arange(s) + rows.n_thresholds * r + p
    for part in _parts(rows, parameters):
        weight = rows.weight[part.rows]
        second = curvatures(rows.link, part.a, part.b, part.at)
        x, z = rows.x[part.rows], rows.z[part.rows]
        pull = np.zeros(len(weight))  # of spread: sum of slope times distance
        for end, design, places, slope, bend in (
            (part.a, part.upper, part.upper_places, part.at.a, second.aa),
            (part.b, part.lower, part.lower_places, part.at.b, second.bb),
        ):
            if design is None:
                continue
            gradient[places] += (weight * slope) @ design
            hessian[np.ix_(places, places)] += design.T @ (design * (weight * bend)[:, None])
            if s:
                pull += weight * slope * end
                scaled = z * (weight * slope / part.spread)[:, None]
                theta = places[:r]
                _add_both(hessian, theta, zeta, -rows.w[part.rows].T @ scaled)
                _add_both(hessian, beta, zeta, x.T @ scaled)
        if s:
            hessian[np.ix_(zeta, zeta)] += z.T @ (z * pull[:, None])
        if part.upper is not None and part.lower is not None:
            mixed = part.upper.T @ (part.lower * (weight * second.ab)[:, None])
            _add_both(hessian, part.upper_places, part.lower_places, mixed)
    return gradient, -(hessian + hessian.T) / 2


def scores(rows: CumulativeRows, parameters: FloatArray) -> FloatArray:
    """Gradient of each row's log probability times its weight (n, P), in the sorted order."""
    out = np.zeros((len(rows.weight), rows.n_parameters))
    for part in _parts(rows, parameters):
        for design, places, slope in (
            (part.upper, part.upper_places, part.at.a),
            (part.lower, part.lower_places, part.at.b),
        ):
            if design is not None:
                out[part.rows, places] += design * (rows.weight[part.rows] * slope)[:, None]
    return out


def cluster_sandwich(
    scores_of_rows: FloatArray,
    codes: IntArray,
    n_clusters: int,
    covariance: FloatArray,
    *,
    total_weight: float,
) -> FloatArray:
    """Cluster-robust covariance (P, P) of kind CR1S, Stata's correction of linear regression.

    The sandwich of sums of scores over clusters, times m/(m - 1) (N - 1)/(N - P)
    (Cameron & Miller, 2015, doi:10.3368/jhr.50.2.317, eq. 11).
    """
    p = len(covariance)
    sums = np.zeros((n_clusters, p))
    np.add.at(sums, codes, scores_of_rows)
    half = sums @ covariance
    factor = n_clusters / (n_clusters - 1) * (total_weight - 1) / (total_weight - p)
    return np.asarray(factor * half.T @ half)


def category_probabilities(link: Link, thresholds: FloatArray, eta: FloatArray) -> FloatArray:
    """Probabilities (n, J) from thresholds (J - 1,) and linear predictors (n,)."""
    cumulative = distribution(link, thresholds - eta[:, None])
    ends = np.column_stack((np.zeros(len(eta)), cumulative, np.ones(len(eta))))
    return np.asarray(np.diff(ends, axis=1))


def _ends(
    rows: CumulativeRows, parameters: FloatArray
) -> Iterator[tuple[slice, FloatArray, FloatArray, FloatArray]]:
    """Rows of each category, their upper and lower ends, and spreads."""
    theta, beta, zeta = rows.split(parameters)
    fixed = rows.x @ beta + rows.offset
    spread = np.exp(rows.z @ zeta)
    for c in range(len(rows.bounds) - 1):
        part = slice(int(rows.bounds[c]), int(rows.bounds[c + 1]))
        m = part.stop - part.start
        a, b = np.full(m, np.inf), np.full(m, -np.inf)
        if c < rows.n_thresholds:
            a = (rows.w[part] @ theta[c] - fixed[part]) / spread[part]
        if c > 0:
            b = (rows.w[part] @ theta[c - 1] - fixed[part]) / spread[part]
        yield part, a, b, spread[part]


def _parts(rows: CumulativeRows, parameters: FloatArray) -> Iterator[_Part]:
    r, p, s = rows.w.shape[1], rows.x.shape[1], rows.z.shape[1]
    k = rows.n_thresholds * r
    shared = np.arange(k, k + p + s)
    for c, (part, a, b, spread) in enumerate(_ends(rows, parameters)):
        x, z, by_theta = rows.x[part], rows.z[part], rows.w[part] / spread[:, None]
        upper = lower = None
        if c < rows.n_thresholds:
            upper = np.column_stack((by_theta, -x / spread[:, None], -z * a[:, None]))
        if c > 0:
            lower = np.column_stack((by_theta, -x / spread[:, None], -z * b[:, None]))
        with np.errstate(over="ignore"):
            at = slopes(rows.link, a, b)
        yield _Part(
            rows=part,
            a=a,
            b=b,
            spread=spread,
            at=at,
            upper=upper,
            lower=lower,
            upper_places=np.concatenate((np.arange(c * r, (c + 1) * r), shared)),
            lower_places=np.concatenate((np.arange((c - 1) * r, c * r), shared)),
        )


def _add_both(out: FloatArray, rows: IntArray, columns: IntArray, values: FloatArray) -> None:
    out[np.ix_(rows, columns)] += values
    out[np.ix_(columns, rows)] += values.T


def _ascent(information: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton's step, uphill too where the information is not positive definite."""
    values, vectors = np.linalg.eigh(information)
    size = np.maximum(np.abs(values), LEAST_CURVED * float(np.abs(values).max()))
    return np.asarray(vectors @ ((vectors.T @ gradient) / size))
