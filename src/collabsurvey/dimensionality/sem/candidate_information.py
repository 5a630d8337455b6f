"""Information about candidates: their own, and what they share with the estimated parameters.

Of many candidates only this is wanted, not what they share with each other. A residual
covariance, of which a model of 60 items leaves out 1770, moves one moment only, so that its
information is looked up instead of multiplied out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from collabsurvey.dimensionality.sem.estimate import Fit
from collabsurvey.dimensionality.sem.gamma import numeric_stack
from collabsurvey.dimensionality.sem.implied import parts
from collabsurvey.dimensionality.sem.least_squares import LeastSquares, Stack
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.moments import Derivatives, Discrepancy
from collabsurvey.dimensionality.sem.normal import Normal, inverted
from collabsurvey.numerics.typing import FloatArray, IntArray

Found = tuple[FloatArray, FloatArray]  # own (c,), and shared with x (c, n_unique)


class CandidateInformation(Protocol):
    """Information about parameters of block b that are not estimated."""

    def along(self, b: int, change: Derivatives) -> Found:
        """Of parameters that move the moments as `change` says."""

    def pairs(self, b: int, row: IntArray, column: IntArray) -> Found:
        """Of covariances of the residuals of these items."""


def candidate_information(fit: Fit, discrepancy: Discrepancy) -> CandidateInformation:
    """Choose the way that suits the discrepancy."""
    if isinstance(discrepancy, Normal):
        return _OfNormal(fit, discrepancy)
    if isinstance(discrepancy, LeastSquares | MissingNormal):
        return _OfMoments(fit, discrepancy)
    return _OfAny(fit, discrepancy)


class _OfNormal:
    """Maximum likelihood from complete moments."""

    def __init__(self, fit: Fit, discrepancy: Normal) -> None:
        self.n_unique, self.known = fit.model.n_unique, _projected(fit)
        self.n = [one.n for one in discrepancy.samples]
        self.inverse = [_inverse(one.cov) for one in fit.implied]
        # Slopes of the likelihood's slopes along x: (q, p, p) of each block.
        self.around = [
            n * (inverse @ one.cov @ inverse)
            for n, inverse, one in zip(self.n, self.inverse, self.known, strict=True)
        ]

    def along(self, b: int, change: Derivatives) -> Found:
        n, inverse, known, c = self.n[b], self.inverse[b], self.known[b], len(change.which)
        turned = inverse @ change.cov
        own = 0.5 * n * np.einsum("kij,kji->k", turned, turned)
        flat = change.cov.reshape(c, inverse.size)
        shared = 0.5 * flat @ self.around[b].reshape(len(known.which), inverse.size).T
        if change.mean is not None and known.mean is not None:
            pulled = n * change.mean @ inverse
            own += (pulled * change.mean).sum(axis=1)
            shared += pulled @ known.mean.T
        return own, _spread(shared, known.which, self.n_unique)

    def pairs(self, b: int, row: IntArray, column: IntArray) -> Found:
        inverse, known = self.inverse[b], self.known[b]
        own = np.diag(inverse)
        shared = self.around[b][:, row, column].T
        return (
            self.n[b] * (own[row] * own[column] + inverse[row, column] ** 2),
            _spread(shared, known.which, self.n_unique),
        )


class _OfMoments:
    """Discrepancies with a weight matrix for the stacked moments of each group."""

    def __init__(self, fit: Fit, discrepancy: LeastSquares | MissingNormal) -> None:
        self.n_unique, self.known = fit.model.n_unique, _projected(fit)
        if isinstance(discrepancy, LeastSquares):
            self.stacks = list(discrepancy.stacks)
            self.weights = [
                one.n * weight
                for one, weight in zip(discrepancy.samples, discrepancy.weights, strict=True)
            ]
        else:
            self.stacks = [numeric_stack(len(one.cov), means=True) for one in fit.implied]
            self.weights = discrepancy.saturated_information(fit.implied, observed=False)
        self.scale = [parts(block, fit.theta).scale for block in fit.model.blocks]
        self.pulled = [  # (s, q) weights times derivatives
            _times(weight, _stacked(stack, one).T)
            for weight, stack, one in zip(self.weights, self.stacks, self.known, strict=True)
        ]

    def along(self, b: int, change: Derivatives) -> Found:
        moved = _stacked(self.stacks[b], change)
        own = np.einsum("ks,sk->k", moved, _times(self.weights[b], moved.T))
        return own, _spread(moved @ self.pulled[b], self.known[b].which, self.n_unique)

    def pairs(self, b: int, row: IntArray, column: IntArray) -> Found:
        stack, weight, p = self.stacks[b], self.weights[b], len(self.scale[b])
        place = np.zeros((p, p), dtype=np.int64)
        place[stack.rows, stack.columns] = np.arange(len(stack.rows))
        first = len(weight) - len(stack.rows)
        moved = first + place[np.maximum(row, column), np.minimum(row, column)]
        size = self.scale[b][row] * self.scale[b][column]
        own = weight[moved] if weight.ndim == 1 else weight[moved, moved]
        shared = size[:, None] * self.pulled[b][moved]
        return size**2 * own, _spread(shared, self.known[b].which, self.n_unique)


class _OfAny:
    """Any discrepancy of continuous items, by asking for all information at once."""

    def __init__(self, fit: Fit, discrepancy: Discrepancy) -> None:
        self.fit, self.discrepancy, self.known = fit, discrepancy, _projected(fit)

    def along(self, b: int, change: Derivatives) -> Found:
        n, blocks = self.fit.model.n_unique, self.fit.model.blocks
        joined = [
            _joined(one, change, n) if i == b
            else one if blocks[i].group == blocks[b].group
            else _still(one, n)
            for i, one in enumerate(self.known)
        ]  # fmt: skip
        whole = self.discrepancy.information(self.fit.implied, joined, n + len(change.which))
        return np.diag(whole)[n:].copy(), whole[n:, :n]

    def pairs(self, b: int, row: IntArray, column: IntArray) -> Found:
        """Residual covariances one by one: each moves one covariance and nothing else."""
        known = self.known[b]
        cov = np.zeros((len(row), *known.cov.shape[1:]))
        each = np.arange(len(row))
        cov[each, row, column] = cov[each, column, row] = 1.0

        def still(one: FloatArray | None) -> FloatArray | None:
            return None if one is None else np.zeros((len(row), one.shape[1]))

        return self.along(b, Derivatives(each, cov, still(known.mean), still(known.thresholds)))


def joined(changes: Sequence[Derivatives]) -> Derivatives:
    """Derivatives of several sets of parameters, numbered one after the other."""
    out = changes[0]
    for one in changes[1:]:
        out = _joined(out, one, len(out.which))
    return out


def _projected(fit: Fit) -> list[Derivatives]:
    """Derivatives of every block with respect to x, of those parameters that move it."""
    out = []
    for one in fit.derivatives:
        reduce = fit.model.reduce[one.which]
        (which,) = np.nonzero(reduce.any(axis=0))
        turn = reduce[:, which].T
        if turn.shape[0] == turn.shape[1] and (turn == np.eye(len(turn))).all():
            out.append(Derivatives(which, one.cov, one.mean, one.thresholds))
            continue
        mean = None if one.mean is None else turn @ one.mean
        cuts = None if one.thresholds is None else turn @ one.thresholds
        out.append(Derivatives(which, np.tensordot(turn, one.cov, 1), mean, cuts))
    return out


def _joined(known: Derivatives, change: Derivatives, first: int) -> Derivatives:
    return Derivatives(
        np.append(known.which, first + np.arange(len(change.which))),
        np.concatenate([known.cov, change.cov]),
        _both(known.mean, change.mean),
        _both(known.thresholds, change.thresholds),
    )


def _both(one: FloatArray | None, other: FloatArray | None) -> FloatArray | None:
    return None if one is None or other is None else np.concatenate([one, other])


def _still(known: Derivatives, place: int) -> Derivatives:
    """Return the derivatives of one parameter that moves nothing."""
    mean = None if known.mean is None else np.zeros((1, known.mean.shape[1]))
    cuts = None if known.thresholds is None else np.zeros((1, known.thresholds.shape[1]))
    return Derivatives(np.array([place]), np.zeros((1, *known.cov.shape[1:])), mean, cuts)


def _spread(shared: FloatArray, which: IntArray, n: int) -> FloatArray:
    """Columns of some of the n parameters, put at their places."""
    if len(which) == n:
        return shared
    out = np.zeros((len(shared), n))
    out[:, which] = shared
    return out


def _stacked(stack: Stack, change: Derivatives) -> FloatArray:
    return stack.vector(change.cov, change.mean, change.thresholds)


def _times(weight: FloatArray, right: FloatArray) -> FloatArray:
    return np.asarray(weight @ right if weight.ndim == 2 else weight[:, None] * right)


def _inverse(cov: FloatArray) -> FloatArray:
    inverse, _ = inverted(cov)
    if inverse is None:
        raise np.linalg.LinAlgError("an implied covariance matrix is not definite")
    return inverse
