"""Comparison data: how many factors reproduce the observed eigenvalues with answers like these.

For k = 1, 2, ... a large population is made that has the observed distribution of each item
and, as closely as k factors can, the observed correlations. Samples of the observed size show
how far eigenvalues from such a population are from the observed ones; factors are added as
long as that distance falls.

Sources: Ruscio & Roche (2012) doi:10.1037/a0025697; Ruscio & Kaczetow (2008)
doi:10.1080/00273170802285693 for making the populations; Mann & Whitney (1947)
doi:10.1214/aoms/1177730491.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from collabsurvey.dimensionality.extraction import extract
from collabsurvey.dimensionality.factor_fit import most_factors
from collabsurvey.dimensionality.how_many.ekc import sorted_eigenvalues
from collabsurvey.dimensionality.how_many.parallel import block_sizes, pearson
from collabsurvey.errors import NotEnoughDataError, NoVarianceError
from collabsurvey.numerics.typing import FloatArray

MOST_TRIALS = 5  # without improvement, before the best population is taken (Ruscio & Kaczetow)


@dataclass(frozen=True, eq=False)
class Population:
    """Answers made with k factors, and how near their correlations are to the observed ones."""

    answers: FloatArray  # (p, n_population)
    rmsr: float  # root mean squared difference of the correlations
    n_iterations: int


@dataclass(frozen=True, eq=False)
class ComparisonData:
    """Distances of sample eigenvalues from the observed ones, for 1, ..., K factors."""

    n_factors: int
    rmsr: FloatArray  # (K, n_samples) root mean squared difference of the eigenvalues
    p_values: FloatArray  # (K,) that k factors are no nearer than k - 1; NaN for one factor
    population_rmsr: FloatArray  # (K,) of the correlations in the populations
    alpha: float
    stopped: bool  # a further factor did not help; if False the limit was reached


def comparison_data(
    x: FloatArray,
    rng: np.random.Generator,
    *,
    max_factors: int = 8,
    n_population: int = 10_000,
    n_samples: int = 500,
    alpha: float = 0.30,
    progress: Callable[[int], None] | None = None,
) -> ComparisonData:
    """Number of factors of complete answers `x` (n, p); the answer is at least 1.

    A factor is kept if the distances are stochastically smaller with it, by a one-sided
    Mann-Whitney test at `alpha`. K counts the factors tried: one more than `n_factors` if
    `stopped`. Where a model would have negative degrees of freedom, none are tried. Each k
    has one population, so that where two numbers of factors fit alike the seed decides:
    repeat with others. `progress` is called with k before k factors are tried.
    """
    n, p = x.shape
    if p < 3:
        raise NotEnoughDataError("Comparison data", what="items", found=p, needed=3)
    for j in range(p):
        if (x[:, j] == x[0, j]).all():
            raise NoVarianceError(f"column {j + 1}", method="Comparison data")
    target = pearson(np.ascontiguousarray(x.T, dtype=float)[None])[0]
    observed = sorted_eigenvalues(target)
    distances: list[FloatArray] = []
    p_values: list[float] = []
    reached: list[float] = []
    stopped = False
    for k in range(1, min(max_factors, most_factors(p)) + 1):
        if progress is not None:
            progress(k)
        population = make_population(x, target, k, rng, n_population=n_population)
        values = sample_eigenvalues(population.answers, n, n_samples, rng)
        distances.append(np.sqrt(((values - observed) ** 2).mean(axis=1)))
        reached.append(population.rmsr)
        p_values.append(probability_smaller(distances[-1], distances[-2]) if k > 1 else np.nan)
        if k > 1 and not p_values[-1] < alpha:
            stopped = True
            break
    return ComparisonData(
        n_factors=len(distances) - stopped,
        rmsr=np.array(distances),
        p_values=np.array(p_values),
        population_rmsr=np.array(reached),
        alpha=alpha,
        stopped=stopped,
    )


def make_population(
    x: FloatArray,
    target: FloatArray,
    n_factors: int,
    rng: np.random.Generator,
    *,
    n_population: int = 10_000,
) -> Population:
    """Make answers with k factors, the distributions of `x` (n, p) and near `target` (p, p).

    Normal scores with k factors are replaced, rank by rank, by answers drawn from each item's
    own. That weakens the correlations, so those the scores are made from are corrected by what
    is missing, by half as much after each failure, until five trials in a row bring nothing.
    """
    n, p = x.shape
    chosen = rng.integers(0, n, (p, n_population))
    marginals = np.sort(np.take_along_axis(np.ascontiguousarray(x.T), chosen, axis=1), axis=1)
    shared = rng.standard_normal((n_factors, n_population))
    unique = rng.standard_normal((p, n_population))
    below = np.tril_indices(p, -1)
    intermediate, best_residual, best_rmsr = target, target, np.inf
    best = intermediate
    answers = best_answers = marginals
    trials = iteration = 0
    while trials < MOST_TRIALS:
        iteration += 1
        answers = with_marginals(factor_scores(intermediate, shared, unique), marginals)
        residual = target - pearson(answers[None])[0]
        rmsr = float(np.sqrt((residual[below] ** 2).mean()))
        if rmsr < best_rmsr:
            best, best_rmsr, best_residual, best_answers = intermediate, rmsr, residual, answers
            trials = 0
        else:
            trials += 1
        intermediate = best + 0.5**trials * best_residual
    return Population(best_answers, best_rmsr, iteration)


def factor_scores(cor: FloatArray, shared: FloatArray, unique: FloatArray) -> FloatArray:
    """Items (p, N) made of k shared (k, N) and p unique (p, N) normal scores by a minres solution.

    `cor` (p, p) may have gone beyond a correlation matrix; loadings are kept within -1 and 1,
    and an item whose communality is above one has no unique part.
    """
    loadings = np.clip(extract(cor[None], len(shared), "minres").loadings[0], -1.0, 1.0)
    uniqueness = np.maximum(1 - (loadings**2).sum(axis=1), 0.0)
    return np.asarray(loadings @ shared + np.sqrt(uniqueness)[:, None] * unique)


def with_marginals(scores: FloatArray, marginals: FloatArray) -> FloatArray:
    """Replace each row of scores (p, N) by sorted answers (p, N), keeping the ranks."""
    answers = np.empty_like(marginals)
    np.put_along_axis(answers, np.argsort(scores, axis=1), marginals, axis=1)
    return answers


def sample_eigenvalues(
    population: FloatArray,
    n: int,
    n_samples: int,
    rng: np.random.Generator,
    *,
    block: int | None = None,
) -> FloatArray:
    """Eigenvalues (n_samples, p) of correlations in samples of n from a population (p, N).

    Rows are drawn with replacement; a sample with a constant item is drawn again.
    """
    p, size = population.shape
    rows = np.ascontiguousarray((population - population.mean(axis=1, keepdims=True)).T)
    first, again = rng.spawn(2)  # a stream each, so that blocks do not change the draws
    found = []
    for many in block_sizes(n_samples, n * p, block):
        chosen = first.integers(0, size, (many, n), dtype=np.int64)
        sample = rows[chosen]  # (b, n, p)
        for constant in np.flatnonzero((sample == sample[:, :1]).all(axis=1).any(axis=1)):
            while (sample[constant] == sample[constant, :1]).all(axis=0).any():
                sample[constant] = rows[again.integers(0, size, n)]
        found.append(sorted_eigenvalues(pearson(sample.transpose(0, 2, 1))))
    return np.concatenate(found)


def probability_smaller(x: FloatArray, y: FloatArray) -> float:
    """P-value of the one-sided Mann-Whitney test that x (a,) tends to be smaller than y (b,).

    Normal approximation, corrected for ties and continuity.
    """
    a, b = len(x), len(y)
    _, where, times = np.unique(np.concatenate([x, y]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[where]
    u = ranks[:a].sum() - a * (a + 1) / 2
    total = a + b
    ties = (times**3 - times).sum() / (total * (total - 1))
    spread = np.sqrt(a * b / 12 * (total + 1 - ties))
    if spread == 0:
        return 1.0
    return float(ndtr((u - a * b / 2 + 0.5) / spread))
