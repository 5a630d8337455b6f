"""A general factor and group factors of a scale, from an exploratory solution.

Three ways, each under its name. schmid_leiman: oblique factors, one factor of their
correlations, and both multiplied out (Schmid & Leiman, 1957, doi:10.1007/BF02289209), as
psych::omega does. direct_schmid_leiman: unrotated loadings turned towards a bifactor target
(Waller, 2018, doi:10.1007/s11336-017-9599-0). bifactor: one more factor, rotated so that all
but the first are simple (Jennrich & Bentler, 2011, doi:10.1007/s11336-011-9218-4). Everything
takes a stack of B correlation matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from collabsurvey.dimensionality.extraction import LOWEST_UNIQUENESS, ExtractionMethod, extract
from collabsurvey.dimensionality.rotation import (
    align,
    ordered,
    rearranged,
    rotate,
    rotate_batch,
    starts_towards,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray

Structure = Literal["schmid_leiman", "direct_schmid_leiman", "bifactor"]
ObliqueRotation = Literal["oblimin", "quartimin", "promax", "geomin"]
SALIENT = 0.25  # of an oblique loading, for the target of the direct solution (Waller's BiFAD)


@dataclass(frozen=True, eq=False)
class GroupFactors:
    """General and group loadings of B samples of k standardised items on m group factors."""

    general: FloatArray  # (B, k)
    groups: FloatArray  # (B, k, m)
    communalities: FloatArray  # (B, k) of the extracted factors
    oblique: FloatArray  # (B, k, m) pattern before; empty (B, k, 0) for a bifactor rotation
    factor_correlations: FloatArray  # (B, m, m)
    second_order: FloatArray  # (B, m) loadings of the oblique factors on the general one
    converged: BoolArray  # (B,)
    at_bound: BoolArray  # (B, k) uniqueness at its lower bound: a Heywood case
    second_order_at_bound: BoolArray  # (B,) a factor that the general one explains entirely
    n_minima: int  # different minima the rotation of the sample ended at; above 1 is a warning


def group_factors(
    cor: FloatArray,
    n_factors: int,
    *,
    structure: Structure,
    extraction: ExtractionMethod,
    rotation: ObliqueRotation,
    seed: int,
) -> GroupFactors:
    """Factors of one sample (k, k), with B = 1; the rotation starts from ten places."""
    m = n_factors
    if structure == "bifactor":
        found = extract(cor[None], m + 1, extraction, n_starts=2)
        turned = rotate(found.loadings[0], "bifactor", seed=seed, n_starts=20)
        loadings = ordered(turned.loadings, np.eye(m + 1), keep_first=True).loadings[None]
        return _bifactor(found.uniquenesses, loadings, found.converged, turned.n_minima)
    found = extract(cor[None], m, extraction, n_starts=2)
    turned = rotate(found.loadings[0], rotation, seed=seed)
    order = ordered(turned.loadings, turned.factor_correlations)
    return _hierarchical(
        found.loadings,
        found.uniquenesses,
        order.loadings[None],
        order.factor_correlations[None],
        found.converged & turned.converged,
        structure,
        turned.n_minima,
    )


def resampled_group_factors(
    cors: FloatArray,
    reference: GroupFactors,
    *,
    structure: Structure,
    extraction: ExtractionMethod,
    rotation: ObliqueRotation,
) -> GroupFactors:
    """Factors of resamples (B, k, k), rotated from a start near `reference` and matched to it."""
    m = reference.groups.shape[2]
    if structure == "bifactor":
        towards = np.concatenate([reference.general[0][:, None], reference.groups[0]], axis=1)
        found = extract(cors, m + 1, extraction)
        start = starts_towards(found.loadings, towards, oblique=False)
        turned = rotate_batch(found.loadings, "bifactor", start=start)
        # The general factor stays first; only the group factors may change places.
        where, sign = align(turned.loadings[:, :, 1:], towards[:, 1:])
        groups, _ = rearranged(turned.loadings[:, :, 1:], _identities(len(cors), m), where, sign)
        general = turned.loadings[:, :, :1]
        general = general * np.where(general.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
        loadings = np.concatenate([general, groups], axis=2)
        return _bifactor(found.uniquenesses, loadings, found.converged & turned.converged, 1)
    found = extract(cors, m, extraction)
    start = starts_towards(found.loadings, reference.oblique[0], oblique=rotation != "promax")
    turned = rotate_batch(found.loadings, rotation, start=start)
    where, sign = align(turned.loadings, reference.oblique[0])
    pattern, phi = rearranged(turned.loadings, turned.factor_correlations, where, sign)
    return _hierarchical(
        found.loadings,
        found.uniquenesses,
        pattern,
        phi,
        found.converged & turned.converged,
        structure,
        1,
    )


def _bifactor(
    uniquenesses: FloatArray, loadings: FloatArray, converged: BoolArray, n_minima: int
) -> GroupFactors:
    b, k, more = loadings.shape
    return GroupFactors(
        loadings[:, :, 0],
        loadings[:, :, 1:],
        (loadings**2).sum(axis=2),
        np.empty((b, k, 0)),
        _identities(b, more - 1),
        np.full((b, more - 1), np.nan),
        converged,
        uniquenesses <= LOWEST_UNIQUENESS * (1 + 1e-6),
        np.zeros(b, dtype=bool),
        n_minima,
    )


def _hierarchical(
    unrotated: FloatArray,
    uniquenesses: FloatArray,
    pattern: FloatArray,
    phi: FloatArray,
    converged: BoolArray,
    structure: Structure,
    n_minima: int,
) -> GroupFactors:
    second, fine, bound = second_order_loadings(phi)
    general = (pattern @ second[:, :, None])[:, :, 0]
    # A loading at its bound can exceed 1 a little; nothing is then left for the group factor.
    groups = pattern * np.sqrt(np.maximum(1 - second**2, 0.0))[:, None, :]
    if structure == "direct_schmid_leiman":
        general, groups = direct_schmid_leiman(unrotated, pattern, general)
    upright = np.where(general.sum(axis=1) < 0, -1.0, 1.0)
    return GroupFactors(
        general * upright[:, None],
        groups,
        (unrotated**2).sum(axis=2),
        pattern,
        phi,
        second * upright[:, None],
        converged & fine,
        uniquenesses <= LOWEST_UNIQUENESS * (1 + 1e-6),
        bound,
        n_minima,
    )


def second_order_loadings(phi: FloatArray) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Loadings (B, m) of factors that correlate `phi` (B, m, m) on one general factor.

    Also whether the solution was found, and whether a loading is at its bound. By minres; of
    two factors, whose one correlation cannot tell two loadings, equal ones (psych's
    option="equal").
    """
    b, m = phi.shape[:2]
    if m == 2:
        r = phi[:, 0, 1]
        size = np.sqrt(np.abs(r))
        return np.column_stack([size, np.sign(r) * size]), np.ones(b, bool), np.zeros(b, bool)
    found = extract(phi, 1, "minres")
    bound = (found.uniquenesses <= LOWEST_UNIQUENESS * (1 + 1e-6)).any(axis=1)
    loadings = found.loadings[:, :, 0]
    return loadings, found.converged, np.asarray(bound)


def direct_schmid_leiman(
    unrotated: FloatArray, pattern: FloatArray, general: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """General (B, k) and group loadings (B, k, m) turned towards a target in one step.

    Unrotated loadings with a column of zeros are turned by an orthogonal matrix towards ones:
    in the first column, and with its sign wherever the oblique `pattern` is salient. Items
    whose Schmid-Leiman `general` loading is negative have minus one in the first column
    (fungible::BiFAD has ones throughout, which is the same for items keyed in one direction).
    """
    salient = np.sign(pattern) * (np.abs(pattern) >= SALIENT)
    first = np.where(general < 0, -1.0, 1.0)[:, :, None]
    target = np.concatenate([first, salient], axis=2)
    padded = np.concatenate([unrotated, np.zeros_like(unrotated[:, :, :1])], axis=2)
    left, _, right = np.linalg.svd(padded.transpose(0, 2, 1) @ target)
    turned = padded @ (left @ right)
    return turned[:, :, 0], turned[:, :, 1:]


def home_factor(groups: FloatArray) -> IntArray:
    """Group factor (k,) on which each item loads most, from loadings (k, m)."""
    return np.asarray(np.abs(groups).argmax(axis=1), dtype=np.int64)


def percent_uncontaminated(home: IntArray) -> float:
    """Share of pairs of items whose correlation only the general factor explains (PUC).

    Reise, Scheines, Widaman & Haviland (2013), doi:10.1177/0013164412449831.
    """
    k = len(home)
    sizes = np.bincount(home)
    return float(1 - (sizes * (sizes - 1)).sum() / (k * (k - 1)))


def general_names(m: int) -> tuple[str, ...]:
    """Names of the coefficients that `hierarchical_coefficients` returns, for m group factors."""
    return (
        "omega_hierarchical",
        "omega_total",
        "omega_limit",
        "explained_common_variance",
        "omega_hierarchical_raw",
        "omega_total_raw",
        "std_alpha",
        "omega_groups",
        *(f"omega_total_F{j + 1}" for j in range(m)),
        *(f"omega_general_F{j + 1}" for j in range(m)),
        *(f"omega_group_F{j + 1}" for j in range(m)),
    )


def hierarchical_coefficients(
    covs: FloatArray, factors: GroupFactors, home: IntArray, *, observed: bool
) -> FloatArray:
    """Coefficients (B, 8 + 3m), named by `general_names`, of samples with covariances (B, k, k).

    Total variances are those of the items' correlations (`observed`) or those the factors
    imply. Zinbarg, Revelle, Yovel & Li (2005), doi:10.1007/s11336-003-0974-7; Reise (2012),
    doi:10.1080/00273171.2012.715555 for ECV. The three of each group factor are of the sum of
    its own items, as psych's `omega.group`. NaN where a group factor has no items.
    """
    k = covs.shape[-1]
    diagonal = np.arange(k)
    sd = np.sqrt(np.diagonal(covs, axis1=1, axis2=2))
    cors = covs / (sd[:, :, None] * sd[:, None, :])
    g, s = factors.general, factors.groups
    unique = 1 - factors.communalities
    model = g[:, :, None] * g[:, None, :] + s @ s.transpose(0, 2, 1)
    model[:, diagonal, diagonal] = 1.0
    total = cors if observed else model
    whole = total.sum(axis=(1, 2))
    raw = np.einsum("bij,bi,bj->b", total, sd, sd)
    general = g.sum(axis=1) ** 2
    common = whole - unique.sum(axis=1)
    size = (g**2).sum(axis=1)
    m = s.shape[2]
    own = np.arange(m)[None, :] == home[:, None]  # (k, m)
    variance = np.einsum("bij,im,jm->bm", total, own.astype(float), own.astype(float))
    with np.errstate(invalid="ignore", divide="ignore"):
        by_general = (g @ own) ** 2 / variance
        by_group = (s * own).sum(axis=1) ** 2 / variance
    groups = np.nansum(by_group * variance, axis=1)
    return np.column_stack(
        [
            general / whole,
            common / whole,
            general / common,
            size / (size + (s**2).sum(axis=(1, 2))),
            (sd * g).sum(axis=1) ** 2 / raw,
            1 - (sd**2 * unique).sum(axis=1) / raw,
            k / (k - 1) * (1 - k / cors.sum(axis=(1, 2))),
            groups / whole,
            by_general + by_group,
            by_general,
            by_group,
        ]
    )


def _identities(b: int, m: int) -> FloatArray:
    return np.array(np.broadcast_to(np.eye(m), (b, m, m)))
