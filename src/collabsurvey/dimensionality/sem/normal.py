"""Normal-theory maximum likelihood from complete moments (Jöreskog, 1969; Browne, 1982)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, log, pi

import numpy as np
from scipy.linalg import lapack

from collabsurvey.dimensionality.sem.moments import Derivatives, Implied, Slopes
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray


class Normal:
    """Likelihood-ratio chi-square against the saturated model, of one or several groups.

    Sample covariances have the divisor n; for Wishart likelihood give them with n - 1 and n - 1
    as the number of respondents.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = tuple(samples)
        self._log_dets = [float(np.linalg.slogdet(one.cov)[1]) for one in samples]

    def value(self, implied: Sequence[Implied]) -> float:
        """Return the distance; infinity where a covariance matrix is not positive definite."""
        total = 0.0
        for sample, one, log_det in zip(self.samples, implied, self._log_dets, strict=True):
            inverse, implied_log_det = inverted(one.cov)
            if inverse is None:
                return inf
            away = _away(sample, one)
            distance = implied_log_det - log_det - len(sample.cov)
            distance += (inverse * sample.cov).sum() + away @ inverse @ away
            total += sample.n * float(distance)
        return total

    def slopes(self, implied: Sequence[Implied]) -> list[Slopes]:
        """Return the derivative with respect to the moments of every group."""
        out = []
        for sample, one, inverse, away in self._each(implied):
            pulled = inverse @ away
            cov = inverse - inverse @ sample.cov @ inverse - np.outer(pulled, pulled)
            mean = 2 * sample.n * pulled if one.mean is not None else None
            out.append(Slopes(sample.n * cov, mean))
        return out

    def information(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return the expected information (n_free, n_free)."""
        total = np.zeros((n_free, n_free))
        for (sample, _, inverse, _), slopes in zip(self._each(implied), derivatives, strict=True):
            turned = (inverse @ slopes.cov).reshape(len(slopes.which), -1)
            swapped = (slopes.cov @ inverse).reshape(turned.shape)
            part = 0.5 * turned @ swapped.T
            if slopes.mean is not None:
                part += slopes.mean @ inverse @ slopes.mean.T
            total[np.ix_(slopes.which, slopes.which)] += sample.n * part
        return total

    def curvature(
        self, implied: Sequence[Implied], derivatives: Sequence[Derivatives], n_free: int
    ) -> FloatArray:
        """Return half the second derivative as if moments were linear in the parameters."""
        total = np.zeros((n_free, n_free))
        for (sample, one, inverse, away), slopes in zip(
            self._each(implied), derivatives, strict=True
        ):
            around = inverse @ (sample.cov + np.outer(away, away)) @ inverse
            weight = 2 * around - inverse
            turned = (inverse @ slopes.cov).reshape(len(slopes.which), -1)
            part = 0.5 * turned @ (slopes.cov @ weight).reshape(turned.shape).T
            if slopes.mean is not None and one.mean is not None:
                pulled = inverse @ away
                cross = slopes.mean @ inverse @ (slopes.cov @ pulled).T
                part += slopes.mean @ inverse @ slopes.mean.T - cross - cross.T
            total[np.ix_(slopes.which, slopes.which)] += sample.n * (part + part.T) / 2
        return total

    def _each(
        self, implied: Sequence[Implied]
    ) -> Iterator[tuple[Sample, Implied, FloatArray, FloatArray]]:
        """Sample, implied moments, inverse and deviation of the means, group by group."""
        for sample, one in zip(self.samples, implied, strict=True):
            inverse, _ = inverted(one.cov)
            if inverse is None:
                raise np.linalg.LinAlgError("an implied covariance matrix is not definite")
            yield sample, one, inverse, _away(sample, one)


def inverted(cov: FloatArray) -> tuple[FloatArray | None, float]:
    """Inverse and log determinant of a (p, p) matrix; None if it is not positive definite."""
    lower, failed = lapack.dpotrf(cov, lower=1, clean=1)
    diagonal = np.diag(lower)
    if failed or not np.isfinite(diagonal).all():
        return None, inf
    inverse, _ = lapack.dpotri(lower, lower=1)
    inverse += inverse.T - np.diag(np.diag(inverse))  # only the lower triangle was filled
    return inverse, float(2 * np.log(diagonal).sum())


def saturated_loglik(samples: Sequence[Sample]) -> float:
    """Log-likelihood of the sample's own means and covariances (divisor n)."""
    total = 0.0
    for one in samples:
        p = len(one.cov)
        total -= one.n / 2 * (p * log(2 * pi) + float(np.linalg.slogdet(one.cov)[1]) + p)
    return total


def _away(sample: Sample, one: Implied) -> FloatArray:
    """Implied minus sample means; 0 without a mean structure."""
    if one.mean is None or sample.mean is None:
        return np.zeros(len(sample.cov))
    return np.asarray(one.mean - sample.mean)
