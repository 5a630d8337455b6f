"""Modification indices: by how much chi-square would fall if one more parameter were free.

Sources: Sörbom (1989, doi:10.1007/BF02294623); expected changes after Saris, Satorra & Sörbom
(1987, doi:10.2307/271030).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from collabsurvey.dimensionality.sem.candidate_information import candidate_information, joined
from collabsurvey.dimensionality.sem.candidates import Family, candidates, only
from collabsurvey.dimensionality.sem.estimate import Fit
from collabsurvey.dimensionality.sem.implied import derivatives, gradient
from collabsurvey.dimensionality.sem.missing import MissingNormal
from collabsurvey.dimensionality.sem.model import Parameter
from collabsurvey.dimensionality.sem.moments import Derivatives, Discrepancy, Implied
from collabsurvey.dimensionality.sem.normal import Normal
from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.dimensionality.sem.score_tests import Units, each_alone, in_units
from collabsurvey.dimensionality.sem.standardise import sizes, standards
from collabsurvey.numerics.typing import FloatArray


@dataclass(frozen=True, eq=False)
class ModificationIndices:
    """What freeing each of c fixed parameters would bring; lavaan's names of the numbers."""

    parameters: tuple[Parameter, ...]  # (c,) with the value each is fixed at
    mi: FloatArray  # (c,) expected fall of chi-square, 1 df each
    epc: FloatArray  # (c,) expected change of the parameter
    sepc_lv: FloatArray  # (c,) the change where latent variables have unit variance
    sepc_all: FloatArray  # (c,) where observed ones have, too
    sepc_nox: FloatArray  # (c,) where all but covariates have


def modification_indices(
    fit: Fit, discrepancy: Discrepancy, *, n_respondents: Sequence[float] | None = None
) -> ModificationIndices:
    """Modification indices of everything `candidates` lists and that would be identified.

    Searching a model by its largest indices capitalises on chance: the parameters it finds
    seldom return in the next sample, and the p-value of an index that was chosen among many
    is not the p-value of a test (MacCallum, Roznowski & Necowitz, 1992,
    doi:10.1037/0033-2909.111.3.490). Free only what theory or wording explains.

    The information is the expected one. Indices are not corrected for non-normality: those of
    robust ML are those of ML, those of WLSMV of the diagonally weighted least squares value,
    whose distribution is not chi-square; compare them with each other. All this is as in
    lavaan's modindices(). `n_respondents` is explained at `score_tests.in_units`. A candidate
    is left out where the parameters of the model can follow it exactly, such as a marker's
    loading. Unlike lavaan, the standardised change of a variance is that of the change, not of
    the variance, and fixed covariates are treated as estimated where they would become outcomes.
    """
    families, units = candidates(fit.model), in_units(fit, discrepancy, n_respondents)
    score, own, cross = _pieces(fit, units, families)
    each = each_alone(score, own, cross, units.information)
    keep = np.flatnonzero(~np.isnan(each.statistic))
    rows = [one for family in families for one in family.parameters]
    parameters = tuple(rows[i] for i in keep.tolist())
    change = each.change[keep]
    return ModificationIndices(
        parameters, each.statistic[keep], change, *_standardised(fit, parameters, change)
    )


def _pieces(
    fit: Fit, units: Units, families: Sequence[Family]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scores (c,), own information (c,) and that with the estimated parameters (c, n_unique)."""
    ends = np.cumsum([len(one.row) for one in families])
    total, n = (int(ends[-1]) if families else 0), fit.model.n_unique
    score, own, cross = np.zeros(total), np.zeros(total), np.zeros((total, n))
    information = candidate_information(fit, units.discrepancy)
    changes: dict[int, list[tuple[slice, Derivatives]]] = {}
    for family, end in zip(families, ends, strict=True):
        here, b = slice(end - len(family.row), end), family.block
        alone = only(fit.model.blocks[b], fit.theta, family)
        score[here] = -0.5 * gradient([alone], family.value, [units.slopes[b]])
        if family.matrix == "residual_cov" and family.pairs:
            own[here], cross[here] = information.pairs(b, family.row, family.column)
        else:
            changes.setdefault(b, []).append((here, derivatives(alone, family.value)))
    for b, found in changes.items():
        change = joined([one for _, one in found])
        places = np.concatenate([np.arange(total)[here] for here, _ in found])
        own[places], cross[places] = information.along(b, change)
        own[places] -= _of_covariates(fit, units.discrepancy, b, change, own[places])
    return score, own, cross


def _of_covariates(
    fit: Fit, discrepancy: Discrepancy, b: int, change: Derivatives, own: FloatArray
) -> FloatArray:
    """Information (c,) that is about the moments of covariates alone.

    A model says nothing about them. What a covariate depends on is judged by its relation to
    the other variables, as if its own moments were estimated. Where no likelihood tells the two
    apart, a candidate that moves these moments keeps nothing and is not listed.
    """
    block = fit.model.blocks[b]
    at = np.flatnonzero(np.isin(block.observed, block.covariates))
    here = np.ix_(at, at)
    cov = change.cov[:, here[0], here[1]]
    mean = None if change.mean is None else change.mean[:, at]
    moved = (cov != 0).any(axis=(1, 2))
    if mean is not None:
        moved = moved | (mean != 0).any(axis=1)
    if not moved.any():
        return np.zeros(len(own))
    if not isinstance(discrepancy, Normal | MissingNormal):
        return np.where(moved, own, 0.0)
    given = fit.implied[b].cov[here]
    marginal = Normal([Sample(discrepancy.samples[b].n, given, None)])
    alone = Derivatives(np.arange(len(own)), cov, mean, None)
    whole = marginal.information([Implied(given, None, None)], [alone], len(own))
    return np.diag(whole).copy()


def _standardised(
    fit: Fit, parameters: Sequence[Parameter], change: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Changes (c,) by latent variables, all variables, and all but covariates.

    By the rules for the parameters themselves.
    """
    rules = standards(replace(fit.model, parameters=tuple(parameters)))
    size = sizes(fit.model, fit.theta)
    observed, covariate = [False], [False]
    for block in fit.model.blocks:
        names = (*block.latent, *block.observed)
        observed += 2 * [name in block.observed for name in names]
        covariate += 2 * [name in block.covariates for name in names]

    def by(size: FloatArray) -> FloatArray:
        first, second = size[rules.by].T
        return np.asarray(change * size[rules.times] / (first * second))

    return by(np.where(observed, 1.0, size)), by(size), by(np.where(covariate, 1.0, size))
