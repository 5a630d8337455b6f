"""Rotation by name: which criterion, orthogonal or oblique, Kaiser normalisation, many starts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np

from collabsurvey.dimensionality.rotation.criteria import (
    Criterion,
    bifactor,
    geomin,
    oblimin,
    orthomax,
    towards_target,
)
from collabsurvey.dimensionality.rotation.gradient_projection import (
    MAX_PASSES,
    TOLERANCE,
    gradient_projection,
)
from collabsurvey.dimensionality.rotation.promax import promax_turn
from collabsurvey.errors import DataError, NotEnoughDataError, OptionError
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

Rotation = Literal[
    "none",
    "varimax",
    "quartimax",
    "oblimin",
    "quartimin",  # oblimin with gam 0
    "promax",
    "geomin",  # oblique
    "geomin_orthogonal",
    "target",  # oblique
    "target_orthogonal",
    "bifactor",  # orthogonal; the first factor is general
    "biquartimin",  # its oblique form
]
ORTHOGONAL = ("none", "varimax", "quartimax", "geomin_orthogonal", "target_orthogonal", "bifactor")
GENERAL_FIRST = ("bifactor", "biquartimin")
TARGETED = ("target", "target_orthogonal")
# As psych 2.2.9: its varimax is stats::varimax, which normalises, and its promax starts from
# kaiser(); for all others it calls GPArotation, which normalises only when told. Items with
# small communalities count as much as others after normalisation, and are noisier.
NORMALISED = ("varimax", "promax")
SAME = 1e-6  # relative difference of criteria below which two starts met the same minimum
NEGLIGIBLE = 1e-10  # the same as an absolute difference, for criteria that reach zero


@dataclass(frozen=True, eq=False)
class RotationSolution:
    """The best rotation found from several starts.

    loadings = unrotated @ inv(transformation).T, and
    factor_correlations = transformation.T @ transformation. The columns are as the rotation
    left them: see `ordered`.
    """

    method: Rotation
    kaiser: bool  # rows were brought to length one for the rotation, and back
    loadings: FloatArray  # (p, m) pattern
    factor_correlations: FloatArray  # (m, m), the identity if orthogonal
    transformation: FloatArray  # (m, m)
    value: float | None  # of the criterion (promax: of varimax); None if nothing was minimised
    converged: bool  # the projected gradient vanished; promax: and the loadings had full rank
    n_iterations: int  # steps tried from the start that won
    n_starts: int
    n_best: int  # starts that ended at the best value, within a relative 1e-6
    n_minima: int  # different values that converged starts ended at; above 1: local minima exist


@dataclass(frozen=True, eq=False)
class RotationBatch:
    """Rotations of B matrices, one start each; as `RotationSolution` but with a leading axis."""

    method: Rotation
    kaiser: bool
    loadings: FloatArray  # (B, p, m)
    factor_correlations: FloatArray  # (B, m, m)
    transformation: FloatArray  # (B, m, m)
    value: FloatArray | None  # (B,)
    converged: BoolArray  # (B,)
    n_iterations: IntArray  # (B,)


def rotate(
    loadings: FloatArray,
    method: Rotation,
    *,
    seed: int,
    kaiser: bool | None = None,
    n_starts: int = 10,
    gam: float = 0.0,
    epsilon: float = 0.01,
    power: float = 4.0,
    target: FloatArray | None = None,
    tolerance: float = TOLERANCE,
    max_passes: int = MAX_PASSES,
) -> RotationSolution:
    """Rotate loadings (p, m) from the identity and from random orthogonal starts; the best wins.

    `kaiser`: None is psych's choice (varimax and promax normalise). Promax without it is
    stats::promax after stats::varimax: a normalised varimax, then powers of the plain loadings;
    with it, powers of the normalised loadings, as psych's. `gam` is oblimin's, `epsilon`
    geomin's (Mplus takes .0001 with two factors and .001 with three), `power` promax's;
    `target` (p, m) holds NaN where a loading is free. One factor comes back unchanged.
    """
    if n_starts < 1:
        raise OptionError("n_starts", n_starts, allowed=("a whole number of at least 1",))
    checked(loadings[None], method, target)
    m = loadings.shape[1]
    free = method != "none" and m > 1
    starts = first_and_random_starts(m, n_starts if free else 1, seed=seed)
    ends = rotate_batch(
        np.broadcast_to(loadings, (len(starts), *loadings.shape)),
        method,
        start=starts,
        kaiser=kaiser,
        gam=gam,
        epsilon=epsilon,
        power=power,
        target=target,
        tolerance=tolerance,
        max_passes=max_passes,
    )
    best, n_best, n_minima = winner(ends) if ends.value is not None else (0, 1, 1)
    return RotationSolution(
        method=method,
        kaiser=ends.kaiser,
        loadings=ends.loadings[best],
        factor_correlations=ends.factor_correlations[best],
        transformation=ends.transformation[best],
        value=None if ends.value is None else float(ends.value[best]),
        converged=bool(ends.converged[best]),
        n_iterations=int(ends.n_iterations[best]),
        n_starts=len(starts),
        n_best=n_best,
        n_minima=n_minima,
    )


def rotate_batch(
    loadings: FloatArray,
    method: Rotation,
    *,
    start: FloatArray | None = None,
    kaiser: bool | None = None,
    gam: float = 0.0,
    epsilon: float = 0.01,
    power: float = 4.0,
    target: FloatArray | None = None,
    tolerance: float = TOLERANCE,
    max_passes: int = MAX_PASSES,
) -> RotationBatch:
    """Rotate each of B matrices of loadings (B, p, m) from one start, (m, m) or (B, m, m).

    For resamples: start from the transformation of the whole sample, or from
    `starts_towards` its rotated loadings if the unrotated factors may have changed places.
    Options as in `rotate`.
    """
    checked(loadings, method, target)
    if not epsilon > 0:
        raise OptionError("epsilon", epsilon, allowed=("a number above 0",))
    if not power > 1:
        raise OptionError("power", power, allowed=("a number above 1",))
    b, _, m = loadings.shape
    kaiser = method in NORMALISED if kaiser is None else kaiser and method != "none"
    here = np.eye(m) if start is None or method == "none" or m == 1 else start
    turn = np.array(np.broadcast_to(here, (b, m, m)))
    if method == "none" or m == 1:
        return RotationBatch(
            method=method,
            kaiser=kaiser,
            loadings=np.array(loadings),
            factor_correlations=turn.copy(),
            transformation=turn,
            value=None,
            converged=np.ones(b, dtype=np.bool_),
            n_iterations=np.zeros(b, dtype=np.int64),
        )
    # Promax without normalisation still starts from a normalised varimax, as stats::promax.
    length = row_lengths(loadings) if kaiser or method == "promax" else np.ones((b, 1, 1))
    oblique = method not in ORTHOGONAL
    criterion = criterion_of(method, gam=gam, epsilon=epsilon, target=target)
    found = gradient_projection(
        loadings / length,
        turn,
        criterion,
        oblique=oblique and method != "promax",
        tolerance=tolerance,
        max_passes=max_passes,
    )
    turn, converged = found.transformation, found.converged
    rotated = found.loadings * length
    if method == "promax":
        sharper = promax_turn(found.loadings if kaiser else rotated, turn, power=power)
        defined = np.asarray(np.isfinite(sharper).all(axis=(1, 2)))
        turn = np.where(defined[:, None, None], sharper, turn)
        converged = converged & defined
        rotated = loadings @ np.linalg.inv(turn).transpose(0, 2, 1)
    identity = np.array(np.broadcast_to(np.eye(m), (b, m, m)))
    return RotationBatch(
        method=method,
        kaiser=kaiser,
        loadings=rotated,
        factor_correlations=turn.transpose(0, 2, 1) @ turn if oblique else identity,
        transformation=turn,
        value=found.value,
        converged=converged,
        n_iterations=found.n_iterations,
    )


def criterion_of(
    method: Rotation, *, gam: float, epsilon: float, target: FloatArray | None
) -> Criterion:
    """Return the criterion that a rotation minimises; promax: that of its varimax."""
    if target is not None:
        return partial(towards_target, target=target)
    known: dict[str, Criterion] = {
        "varimax": partial(orthomax, gamma=1.0),
        "promax": partial(orthomax, gamma=1.0),
        "quartimax": partial(orthomax, gamma=0.0),
        "oblimin": partial(oblimin, gam=gam),
        "quartimin": partial(oblimin, gam=0.0),
        "geomin": partial(geomin, epsilon=epsilon),
        "geomin_orthogonal": partial(geomin, epsilon=epsilon),
        "bifactor": bifactor,
        "biquartimin": bifactor,
    }
    return known[method]


def row_lengths(loadings: FloatArray) -> FloatArray:
    """Roots of the communalities (B, p, 1), for Kaiser normalisation; 1 for a row of zeros."""
    length = np.sqrt((loadings**2).sum(axis=-1, keepdims=True))
    return np.where(length > 0, length, 1.0)


def first_and_random_starts(m: int, n_starts: int, *, seed: int) -> FloatArray:
    """Return starts (n_starts, m, m): the identity, then random orthogonal matrices.

    QR of normal draws, signs of R's diagonal moved to Q so that all are equally likely
    (Mezzadri, 2007, arXiv:math-ph/0609050).
    """
    draws = np.random.default_rng(seed).standard_normal((n_starts - 1, m, m))
    q, r = np.linalg.qr(draws)
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    return np.concatenate([np.eye(m)[None], q])


def winner(ends: RotationBatch) -> tuple[int, int, int]:
    """Return the best end, how many share its value, and the number of different minima.

    Of the ends with the best value the first that converged is taken, so that the identity
    start is preferred to random ones that are no better.
    """
    value = np.asarray(ends.value)
    tied = value <= value.min() + np.maximum(SAME * np.abs(value.min()), NEGLIGIBLE)
    good = tied & ends.converged
    best = int(np.argmax(good if good.any() else tied))
    reached = np.sort(value[ends.converged])
    apart = np.diff(reached) > np.maximum(SAME * np.abs(reached[1:]), NEGLIGIBLE)
    return best, int(tied.sum()), int(apart.sum()) + 1 if len(reached) else 0


def checked(loadings: FloatArray, method: Rotation, target: FloatArray | None) -> None:
    """Refuse what would give a wrong number: a bad name, a useless target, missing loadings."""
    if method not in get_args(Rotation):
        raise OptionError("rotation", method, allowed=get_args(Rotation))
    if not np.isfinite(loadings).all():
        raise DataError("Some loadings are not numbers, so they cannot be rotated.")
    _, p, m = loadings.shape
    if method in GENERAL_FIRST and m == 2:
        raise NotEnoughDataError(f"rotation={method!r}", what="factors", found=m, needed=3)
    if method in TARGETED and target is None:
        raise OptionError("target", None, allowed=(f"loadings ({p}, {m}), NaN where free",))
    if target is None:
        return
    if method not in TARGETED:
        raise OptionError("rotation", method, allowed=TARGETED)
    if target.shape != (p, m):
        raise OptionError("target", target.shape, allowed=((p, m),))
    if np.isinf(target).any():
        raise DataError("A target holds loadings, and NaN where they are free; it is infinite.")
    needed = m * (m - 1) if method == "target" else m * (m - 1) // 2
    if (given := int(np.isfinite(target).sum())) < needed:
        raise NotEnoughDataError(
            f"rotation={method!r}", what="values in the target", found=given, needed=needed
        )
