"""Gradient projection: the rotation that minimises a criterion, for many matrices at once.

Jennrich (2001), doi:10.1007/BF02294840, for orthogonal and Jennrich (2002),
doi:10.1007/BF02294706, for oblique rotation; Bernaards & Jennrich (2005),
doi:10.1177/0013164404272507. Each pass tries one step for every matrix that has not
converged: down the projected gradient and back onto the orthogonal matrices (or the matrices
with columns of length one). Step lengths are Barzilai and Borwein's (1988,
doi:10.1093/imanum/8.1.141), which need some tens of passes where doubling and halving needs
hundreds; a step is kept if the criterion falls below a decaying mean of its past values
(Zhang & Hager, 2004, doi:10.1137/S1052623403428208) and shortened otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from collabsurvey.dimensionality.rotation.criteria import Criterion
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

# Norm of the projected gradient. Criteria may be nearly flat (curvature 1e-3 for an oblique
# bifactor pattern that fits well): loadings are then good to 1e-7. Rounding allows 1e-12 or so.
TOLERANCE = 1e-10
MAX_PASSES = 5000
SUFFICIENT = 1e-4  # share of the expected decrease that a step must give
MEMORY = 0.85  # weight of past values in the mean that a step is compared with
ROUNDING = 1e-14  # relative noise of a criterion: smaller increases are not held against a step
SHORTEST, LONGEST = 1e-10, 1e10


@dataclass(frozen=True, eq=False)
class Projection:
    """Where gradient projection ended, for each of B matrices.

    loadings = unrotated @ inv(transformation).T, and the factors correlate
    transformation.T @ transformation.
    """

    transformation: FloatArray  # (B, m, m), columns of length one
    loadings: FloatArray  # (B, p, m)
    value: FloatArray  # (B,) of the criterion
    gradient_norm: FloatArray  # (B,) of the projected gradient
    n_iterations: IntArray  # (B,) steps tried
    converged: BoolArray  # (B,) gradient_norm is at most the tolerance


class Point(NamedTuple):
    """A rotation of each matrix of the batch, and the criterion there."""

    transformation: FloatArray  # (b, m, m)
    loadings: FloatArray  # (b, p, m)
    value: FloatArray  # (b,), infinite where it cannot be computed
    slope: FloatArray  # (b, m, m) projected gradient
    norm2: FloatArray  # (b,) its squared length

    def only(self, keep: BoolArray) -> Point:
        """The part of the batch where `keep` (b,) is true."""
        return Point(*(part[keep] for part in self))

    def moved(self, to: Point, where: BoolArray) -> Point:
        """`to` where `where` (b,) is true, and this point elsewhere."""
        if where.all():
            return to
        wide = where[:, None, None]
        return Point(
            *(
                np.where(wide if new.ndim == 3 else where, new, old)
                for new, old in zip(to, self, strict=True)
            )
        )


def inner(a: FloatArray, b: FloatArray) -> FloatArray:
    """Sum of products of two stacks of matrices, (b, m, m) to (b,)."""
    return np.asarray((a * b).sum(axis=(-2, -1)))


def inverses(matrices: FloatArray) -> FloatArray:
    """Inverses of a stack (b, m, m); NaN for those that have none."""
    try:
        return np.asarray(np.linalg.inv(matrices))
    except np.linalg.LinAlgError:
        singular = (np.linalg.slogdet(matrices)[0] == 0)[:, None, None]
        found = np.linalg.inv(np.where(singular, np.eye(matrices.shape[-1]), matrices))
        return np.where(singular, np.nan, found)


def oblique_point(unrotated: FloatArray, moved: FloatArray, criterion: Criterion) -> Point:
    """Evaluate at `moved` (b, m, m) with its columns brought to length one."""
    turn = moved / np.sqrt((moved * moved).sum(axis=-2, keepdims=True))
    inverse = inverses(turn)
    loadings = unrotated @ inverse.transpose(0, 2, 1)
    value, by_loading = criterion(loadings)
    gradient = -(loadings.transpose(0, 2, 1) @ by_loading @ inverse).transpose(0, 2, 1)
    slope = gradient - turn * (turn * gradient).sum(axis=-2, keepdims=True)
    return finite_point(turn, loadings, value, slope)


def orthogonal_point(unrotated: FloatArray, moved: FloatArray, criterion: Criterion) -> Point:
    """Evaluate at the orthogonal matrix nearest to `moved` (b, m, m)."""
    left, _, right = np.linalg.svd(moved)
    turn = left @ right
    loadings = unrotated @ turn
    value, by_loading = criterion(loadings)
    gradient = np.swapaxes(unrotated, -1, -2) @ by_loading
    product = turn.transpose(0, 2, 1) @ gradient
    slope = gradient - turn @ (product + product.transpose(0, 2, 1)) / 2
    return finite_point(turn, loadings, value, slope)


def finite_point(
    turn: FloatArray, loadings: FloatArray, value: FloatArray, slope: FloatArray
) -> Point:
    """Put the parts together; what is not a number is infinitely bad."""
    norm2 = inner(slope, slope)
    value = np.where(np.isfinite(value) & np.isfinite(norm2), value, np.inf)
    return Point(turn, loadings, value, slope, norm2)


def next_step(old: Point, new: Point, odd: BoolArray) -> FloatArray:
    """Step length (b,) by Barzilai & Borwein, the long and the short one in turn."""
    change = new.transformation - old.transformation
    bend = new.slope - old.slope
    both = np.abs(inner(change, bend))
    length = np.where(odd, inner(change, change), both) / np.where(odd, both, inner(bend, bend))
    return np.clip(np.nan_to_num(length, nan=1.0), SHORTEST, LONGEST)


@np.errstate(all="ignore")  # a step too far may overflow: its value is infinite, it is not taken
def gradient_projection(
    unrotated: FloatArray,
    starts: FloatArray,
    criterion: Criterion,
    *,
    oblique: bool,
    tolerance: float = TOLERANCE,
    max_passes: int = MAX_PASSES,
) -> Projection:
    """Minimise `criterion` over rotations of `unrotated` (B, p, m), or (p, m) for all alike.

    `starts` (B, m, m) are orthogonal, or have columns of length one if `oblique`. A matrix
    that does not converge within `max_passes` comes back as far as it got.
    """
    evaluate = oblique_point if oblique else orthogonal_point
    shared = unrotated.ndim == 2
    own = unrotated  # of the matrices still at work
    point = evaluate(own, starts, criterion)
    found = Point(*(part.copy() for part in point))
    n_iterations = np.zeros(len(starts), dtype=np.int64)

    at_work = np.arange(len(starts))
    step = 1 / np.maximum(1.0, np.sqrt(point.norm2))
    mean, weight = point.value, np.ones(len(starts))
    for _ in range(max_passes):
        going = point.norm2 > tolerance**2
        if not going.all():
            for whole, part in zip(found, point, strict=True):
                whole[at_work] = part
            at_work, point = at_work[going], point.only(going)
            step, mean, weight = step[going], mean[going], weight[going]
            own = own if shared else own[going]
        if not len(at_work):
            break
        n_iterations[at_work] += 1
        trial = evaluate(own, point.transformation - step[:, None, None] * point.slope, criterion)
        slack = ROUNDING * (1 + np.abs(point.value))
        kept = trial.value <= mean - SUFFICIENT * step * point.norm2 + slack
        longer = next_step(point, trial, n_iterations[at_work] % 2 == 1)
        step = np.where(kept, longer, step / 4)
        heavier = MEMORY * weight + 1
        mean = np.where(kept, (MEMORY * weight * mean + trial.value) / heavier, mean)
        weight = np.where(kept, heavier, weight)
        point = point.moved(trial, kept)
    for whole, part in zip(found, point, strict=True):
        whole[at_work] = part
    return Projection(
        transformation=found.transformation,
        loadings=found.loadings,
        value=found.value,
        gradient_norm=np.sqrt(found.norm2),
        n_iterations=n_iterations,
        converged=found.norm2 <= tolerance**2,
    )
