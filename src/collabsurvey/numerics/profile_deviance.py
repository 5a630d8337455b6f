"""The deviance of a mixed model in standard deviations and correlations, with its gradient.

Parameters are the standard deviations and correlations of each random term in units of the data,
and log sigma. The correlations of a term are angles of the rows of their Cholesky factor
(Pinheiro & Bates, 1996, doi:10.1007/BF00140873), so that no parameter has a bound: the sign of a
standard deviation does not matter, and a correlation of ±1 is an angle of 0 or pi.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from collabsurvey.numerics.mixed import GroupProducts, jacobian
from collabsurvey.numerics.mixed_blocks import (
    BlockEvaluation,
    BlockProducts,
    Lowers,
    Pattern,
    df_total,
    slopes,
)
from collabsurvey.numerics.mixed_nested import NestedProducts
from collabsurvey.numerics.typing import FloatArray

FLATTEST = 1e-3  # least share of the largest curvature that is scaled by


@dataclass(frozen=True, eq=False)
class ProfileModel:
    """A model, and the scale of its random columns.

    `scales` (q, q) of each block turn effects of Z* into effects of the data, block-diagonal over
    its terms, with the residual of least squares in units of its own scale.
    """

    products: BlockProducts
    scales: tuple[FloatArray, ...]

    @property
    def terms(self) -> list[tuple[int, slice]]:
        """Block and columns of each term."""
        return [
            (block, part)
            for block, pattern in enumerate(self.products.patterns)
            for part in pattern.terms
        ]


@dataclass(frozen=True, eq=False)
class Held:
    """What is held while all else is free: a parameter, or a contrast of the coefficients."""

    parameter: int | None = None
    contrast: FloatArray | None = None  # (p,) on Q
    value: float = 0.0


def as_blocks(products: GroupProducts, *, correlated: bool) -> NestedProducts:
    """The same model of one grouping factor as a model of blocks."""
    g, q, p = products.zx.shape
    w = np.zeros((g, q + p + 1, q + p + 1))
    w[:, :q, :q] = products.zz
    w[:, :q, q:-1], w[:, q:-1, :q] = products.zx, products.zx.transpose(0, 2, 1)
    w[:, :q, -1] = w[:, -1, :q] = products.ze
    w[0, q:-1, q:-1] = np.eye(p)  # only the sum over groups enters
    w[0, -1, -1] = products.ee
    pattern = Pattern((q,) if correlated else (1,) * q)
    return NestedProducts((pattern,), w, (), products.n_rows, products.reml)


class Deviance:
    """-2 log-likelihood at standard deviations, angles and log sigma, with its gradient.

    Of a REML model it is that criterion; a contrast can be held by maximum likelihood only.

    `order` of the effects of each term: a correlation that is held is the first angle of its term,
    and standard deviations are then read without their signs, which would turn it round.
    """

    def __init__(self, model: ProfileModel, order: Sequence[Sequence[int]] | None = None) -> None:
        self.model = model
        self.signed = order is None
        self.terms = model.terms
        sizes = [part.stop - part.start for _, part in self.terms]
        self.order = [list(o) for o in order] if order else [list(range(q)) for q in sizes]
        self.angles = [[(i, j) for i in range(q) for j in range(i)] for q in sizes]
        self.back = []  # (q, q) from effects in this order to those of Z*
        for (block, part), places in zip(self.terms, self.order, strict=True):
            turn = np.eye(len(places))[:, places]
            self.back.append(np.linalg.solve(model.scales[block][part, part], turn))

    def start(self, lowers: Lowers, sigma: float) -> FloatArray:
        """Parameters (k,) of a fit."""
        found: list[float] = []
        for (block, part), back in zip(self.terms, self.back, strict=True):
            root = np.linalg.solve(back, lowers[block][part, part]) * sigma
            sds = np.linalg.norm(root, axis=1)
            found += sds.tolist()
            found += _angles_of(root / np.where(sds > 0, sds, 1.0)[:, None])
        return np.array([*found, np.log(sigma)])

    def lowers(self, values: FloatArray) -> tuple[Lowers, list[tuple[FloatArray, FloatArray]]]:
        """L of each block on Z*, and (sds, rows of the correlations' factor) of each term."""
        sigma = np.exp(values[-1])
        blocks = [np.zeros((p.n_random, p.n_random)) for p in self.model.products.patterns]
        parts, at = [], 0
        for (block, part), angles, back in zip(self.terms, self.angles, self.back, strict=True):
            q = len(back)
            sds, turns = values[at : at + q], values[at + q : at + q + len(angles)]
            sds = sds if self.signed else np.abs(sds)
            at += q + len(angles)
            rows = rows_of(turns, q)
            blocks[block][part, part] = back @ (sds[:, None] * rows) / sigma
            parts.append((sds, rows))
        return tuple(blocks), parts

    def __call__(self, values: FloatArray, held: Held | None = None) -> tuple[float, FloatArray]:
        """Deviance and gradient (k,)."""
        products = self.model.products
        lowers, parts = self.lowers(values)
        at = products.evaluate(lowers)
        n = df_total(products)
        log_v = at.criterion - n * (1 + np.log(2 * np.pi * at.r2 / n))
        if held is not None and held.contrast is not None:
            at = _with_contrast(at, held.contrast, held.value)
        sigma2 = float(np.exp(2 * values[-1]))
        deviance = log_v + n * np.log(2 * np.pi * sigma2) + at.r2 / sigma2
        by_d = slopes(at, sigma2, reml=products.reml)
        gradient: list[float] = []
        spread = 0.0
        place = 0
        for (block, part), back, (sds, rows) in zip(self.terms, self.back, parts, strict=True):
            on_data = back.T @ by_d[block][part, part] @ back / sigma2
            root = sds[:, None] * rows
            by_root = 2 * on_data @ root
            spread += float((by_root * root).sum())
            q = len(sds)
            sign = 1.0 if self.signed else np.where(values[place : place + q] < 0, -1.0, 1.0)
            gradient += (sign * (by_root * rows).sum(axis=1)).tolist()
            turns = values[place + q : place + q + q * (q - 1) // 2]
            gradient += _by_angles(by_root * sds[:, None], turns, q)
            place += q + q * (q - 1) // 2
        return float(deviance), np.array([*gradient, 2 * n - 2 * at.r2 / sigma2 - spread])


def _with_contrast(at: BlockEvaluation, contrast: FloatArray, value: float) -> BlockEvaluation:
    """The evaluation with a contrast of the coefficients held at a value."""
    reach = at.unscaled @ contrast
    variance = float(contrast @ reach)
    short = value - float(contrast @ at.beta)
    move = reach * short / variance
    return replace(
        at,
        r2=at.r2 + short**2 / variance,
        beta=at.beta + move,
        a=tuple(a - b @ move for a, b in zip(at.a, at.b, strict=True)),
    )


def rows_of(turns: FloatArray, q: int) -> FloatArray:
    """Rows (q, q) of length 1 from angles: cos a, sin a cos b, sin a sin b cos c, ..."""
    rows = np.zeros((q, q))
    at = 0
    for i in range(q):
        left = 1.0
        for j in range(i):
            rows[i, j] = left * np.cos(turns[at])
            left *= np.sin(turns[at])
            at += 1
        rows[i, i] = left
    return rows


def _angles_of(rows: FloatArray) -> list[float]:
    """Angles of the Cholesky factor of rows rows' (q, q)."""
    lower = np.linalg.qr(rows.T).R.T
    lower = lower * np.where(np.diag(lower) < 0, -1.0, 1.0)
    found: list[float] = []
    for i in range(len(lower)):
        for j in range(i):
            rest = float(np.linalg.norm(lower[i, j + 1 : i + 1]))
            found.append(float(np.arctan2(rest, lower[i, j])))
    return found


def _by_angles(by_rows: FloatArray, turns: FloatArray, q: int) -> list[float]:
    """Derivatives in the angles from those in the rows (q, q)."""
    found: list[float] = []
    at = 0
    for i in range(q):
        own = turns[at : at + i]
        for j in range(i):
            change = np.zeros(q)
            left = float(np.prod(np.sin(own[:j])))
            change[j] = -left * np.sin(own[j])
            left *= np.cos(own[j])
            for later in range(j + 1, i):
                change[later] = left * np.cos(own[later])
                left *= np.sin(own[later])
            change[i] = left
            found.append(float(by_rows[i] @ change))
        at += i
    return found


def hessian(deviance: Deviance, values: FloatArray) -> FloatArray:
    """Differences (k, k) of the gradient."""
    steps = 1e-3 * np.maximum(np.abs(values), 0.1)
    found = jacobian(lambda v: deviance(v)[1], values, steps)
    return np.asarray((found + found.T) / 2)


def positive(hessian: FloatArray) -> FloatArray:
    """A positive definite matrix with the same well-determined directions."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-8))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    values = np.maximum(np.abs(values), FLATTEST * np.abs(values).max())
    return np.asarray((vectors * values) @ vectors.T * np.outer(scale, scale))
