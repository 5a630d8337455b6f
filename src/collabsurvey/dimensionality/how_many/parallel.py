"""Parallel analysis: observed eigenvalues against those of uncorrelated items.

Sources: Horn (1965) doi:10.1007/BF02289447; Buja & Eyuboglu (1992)
doi:10.1207/s15327906mbr2704_2 for the resampled version; Glorfeld (1995)
doi:10.1177/0013164495055003002 for the 95th percentile; Humphreys & Ilgen (1969)
doi:10.1177/001316446902900303 for factors instead of components; Bartlett (1933), Proceedings
of the Royal Society of Edinburgh 53, 260-283, for the decomposition of a Wishart matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.dimensionality.extraction import extract
from collabsurvey.dimensionality.how_many.ekc import n_leading, sorted_eigenvalues
from collabsurvey.errors import NotEnoughDataError, NoVarianceError
from collabsurvey.numerics.typing import AnyArray, FloatArray

EigenvaluesOf = Literal["components", "factors"]
Reference = Literal["quantile", "mean"]

# Correlations (p, p) of whole columns of answers (n, p), such as polychoric ones of codes.
Correlate = Callable[[AnyArray], FloatArray]

BLOCK = 4_000_000  # numbers held at a time: 32 MB


@dataclass(frozen=True, eq=False)
class ParallelAnalysis:
    """Observed eigenvalues (p,), largest first, and what uncorrelated items give."""

    observed: FloatArray  # (p,)
    mean: FloatArray  # (p,) of the simulated eigenvalues
    quantile: FloatArray  # (p,) of the simulated eigenvalues, at `level`
    level: float
    reference: Reference  # which of the two an eigenvalue has to exceed
    n_retained: int  # leading eigenvalues above the reference
    n_draws: int
    n_not_converged: int  # draws whose one-factor solution did not converge; 0 for components


def parallel_analysis(
    cor: FloatArray,
    draws: Iterable[FloatArray],
    *,
    of: Sequence[EigenvaluesOf] = ("components", "factors"),
    level: float = 0.95,
    reference: Reference = "quantile",
) -> dict[EigenvaluesOf, ParallelAnalysis]:
    """Compare one correlation matrix (p, p) with simulated ones, given in blocks (b, p, p).

    The blocks come from `random_correlations` or `resampled_correlations`. With p < 3 items a
    single factor is not determined, and factors are refused.
    """
    if "factors" in of and len(cor) < 3:
        raise NotEnoughDataError(
            "Parallel analysis of factors", what="items", found=len(cor), needed=3
        )
    found: dict[EigenvaluesOf, list[FloatArray]] = {kind: [] for kind in of}
    failed: dict[EigenvaluesOf, int] = dict.fromkeys(of, 0)
    for block in draws:
        for kind in of:
            values, n_failed = eigenvalues(block, kind)
            found[kind].append(values)
            failed[kind] += n_failed
    results: dict[EigenvaluesOf, ParallelAnalysis] = {}
    for kind in of:
        observed = eigenvalues(cor[None], kind)[0][0]
        simulated = np.concatenate(found[kind])
        mean, quantile = simulated.mean(axis=0), np.quantile(simulated, level, axis=0)
        results[kind] = ParallelAnalysis(
            observed=observed,
            mean=mean,
            quantile=quantile,
            level=level,
            reference=reference,
            n_retained=n_leading(observed > (quantile if reference == "quantile" else mean)),
            n_draws=len(simulated),
            n_not_converged=failed[kind],
        )
    return results


def eigenvalues(cors: FloatArray, kind: EigenvaluesOf) -> tuple[FloatArray, int]:
    """Eigenvalues (B, p) of correlation matrices (B, p, p), and how many did not converge.

    Those of factors are the eigenvalues with the communalities of a one-factor minres
    solution on the diagonal, as in psych's `fa.parallel`.
    """
    if kind == "components":
        return sorted_eigenvalues(cors), 0
    solution = extract(cors, 1, "minres")
    reduced = cors.copy()
    diagonal = np.arange(cors.shape[-1])
    reduced[:, diagonal, diagonal] = (solution.loadings**2).sum(axis=2)
    return sorted_eigenvalues(reduced), int((~solution.converged).sum())


def random_correlations(
    n_respondents: int,
    n_items: int,
    n_draws: int,
    rng: np.random.Generator,
    *,
    block: int | None = None,
) -> Iterator[FloatArray]:
    """Yield blocks (at most `block`, p, p) of correlations of n draws of p independent normals.

    Cross-products of n centred rows are Wishart with n - 1 degrees of freedom, and L L' has
    that distribution if L is lower triangular with independent entries: normal below the
    diagonal, chi with n - 1, n - 2, ... degrees of freedom on it (Bartlett, 1933). So the cost
    does not depend on n. With n - 1 < p degrees of freedom L has n - 1 columns only, and the
    correlations have rank n - 1, as those of n rows have.
    """
    if n_respondents < 3:
        raise NotEnoughDataError(
            "Parallel analysis", what="respondents", found=n_respondents, needed=3
        )
    normals, chis = rng.spawn(2)  # a stream each, so that blocks do not change the draws
    rank = min(n_items, n_respondents - 1)
    below = np.tril_indices(n_items, -1, rank)
    diagonal = np.arange(rank)
    df = n_respondents - 1 - diagonal
    for size in block_sizes(n_draws, n_items**2, block):
        lower = np.zeros((size, n_items, rank))
        lower[:, below[0], below[1]] = normals.standard_normal((size, len(below[0])))
        lower[:, diagonal, diagonal] = np.sqrt(chis.chisquare(df, (size, rank)))
        lower /= np.sqrt((lower**2).sum(axis=2, keepdims=True))
        yield with_unit_diagonal(lower @ lower.transpose(0, 2, 1))


def resampled_correlations(
    x: AnyArray,
    n_draws: int,
    rng: np.random.Generator,
    *,
    correlate: Correlate | None = None,
    block: int | None = None,
) -> Iterator[FloatArray]:
    """Yield blocks (at most `block`, p, p) of correlations of columns that are each resampled.

    Every column of the complete answers `x` (n, p) is drawn with replacement from its own
    answers, independently of the others: same distributions, no correlations. `correlate`
    gives the correlations (p, p) of one resample (n, p), of the type of `x`; Pearson's if None.
    A resampled column that is constant is drawn again, as `fa.parallel` does.
    """
    n, p = x.shape
    for j in range(p):
        if (x[:, j] == x[0, j]).all():
            raise NoVarianceError(f"column {j + 1}", method="Parallel analysis")
    columns = np.ascontiguousarray(x.T if correlate else (x - x.mean(axis=0)).T)
    first, again = rng.spawn(2)
    for size in block_sizes(n_draws, n * p, block):
        answers = np.empty((size, p, n), dtype=columns.dtype)
        # 64-bit integers: numpy buffers random bits of smaller ones within a call.
        chosen = first.integers(0, n, (size, p, n), dtype=np.int64)
        for j in range(p):
            answers[:, j] = columns[j].take(chosen[:, j])
        redraw_constant(answers, columns, again)
        if correlate is None:
            yield pearson(answers)
        else:
            yield np.array([correlate(resample.T) for resample in answers])


def redraw_constant(answers: AnyArray, columns: AnyArray, rng: np.random.Generator) -> None:
    """Draw the constant ones among resampled columns (b, p, n) again, until none is."""
    constant = (answers == answers[:, :, :1]).all(axis=2)
    for draw, j in np.argwhere(constant):
        while (answers[draw, j] == answers[draw, j, 0]).all():
            answers[draw, j] = rng.choice(columns[j], columns.shape[1])


def pearson(answers: FloatArray) -> FloatArray:
    """Correlations (b, p, p) of the rows of answers (b, p, n)."""
    centred = answers - answers.mean(axis=2, keepdims=True)
    products = centred @ centred.transpose(0, 2, 1)
    scale = 1 / np.sqrt(np.diagonal(products, axis1=1, axis2=2))
    return with_unit_diagonal(products * scale[:, :, None] * scale[:, None, :])


def with_unit_diagonal(cors: FloatArray) -> FloatArray:
    """Correlations (b, p, p) with ones on the diagonal instead of ones up to rounding."""
    diagonal = np.arange(cors.shape[-1])
    cors[:, diagonal, diagonal] = 1.0
    return cors


def block_sizes(n_draws: int, numbers: int, block: int | None) -> Iterator[int]:
    """Sizes of the blocks of `n_draws`, each draw taking so many `numbers` of memory."""
    most = block or max(1, BLOCK // numbers)
    for start in range(0, n_draws, most):
        yield min(most, n_draws - start)
