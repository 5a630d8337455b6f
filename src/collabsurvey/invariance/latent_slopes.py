"""Slopes of an outcome on factors, raw and standardised, from a fitted model of several groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collabsurvey.dimensionality.sem.fitted import Analysis
from collabsurvey.dimensionality.sem.implied import STEP, parts
from collabsurvey.dimensionality.sem.model import Block
from collabsurvey.numerics.typing import FloatArray


def latent_slopes(
    found: Analysis, outcome: str, factors: Sequence[str], *, within: bool
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Slope and standardised slope of every factor, each with its error (delta method).

    The slopes are equal in all groups. Standardised with the implied standard deviations within
    groups, or over all groups, of which the means then are a part.
    """
    model, theta, vcov = found.model, found.fit.theta, found.assessed.vcov
    shares = np.array([one.n for one in found.material.samples])
    shares = shares / shares.sum()
    rows = {
        row.rhs: i
        for i, row in enumerate(model.parameters)
        if row.op == "~" and row.lhs == outcome and row.block == 0
    }
    places = [int(model.place[rows[name]]) for name in factors]
    # Every parameter moves the moments of its own group only.
    variance, mean = np.zeros(len(factors) + 1), np.zeros((len(model.blocks), len(factors) + 1))
    by_variance = np.zeros((len(theta), len(factors) + 1))
    by_mean = np.zeros((len(model.blocks), *by_variance.shape))
    for g, block in enumerate(model.blocks):
        names = [block.latent.index(name) for name in (*factors, outcome)]
        own, mean[g] = _moments(block, theta, names)
        variance += shares[g] * own
        for i in block.which:
            moved = theta.astype(complex)
            moved[i] += 1j * STEP
            there, shifted = _moments(block, moved, names)
            by_variance[i] += shares[g] * there.imag / STEP
            by_mean[g, i] = shifted.imag / STEP
    if not within:
        apart = mean - shares @ mean
        variance = variance + shares @ apart**2
        by_variance += 2 * np.einsum("g,gk,gik->ik", shares, apart, by_mean)
    estimate = theta[places] * np.sqrt(variance[:-1] / variance[-1])
    relative = (by_variance[:, :-1] / variance[:-1] - by_variance[:, -1:] / variance[-1]) / 2
    change = (relative * estimate).T
    change[np.arange(len(places)), places] += np.sqrt(variance[:-1] / variance[-1])
    errors = np.sqrt(np.maximum(np.einsum("ki,ij,kj->k", change, vcov, change), 0.0))
    return [
        (
            (float(theta[place]), float(np.sqrt(vcov[place, place]))),
            (float(estimate[j]), float(errors[j])),
        )
        for j, place in enumerate(places)
    ]


def _moments(
    block: Block, theta: FloatArray, names: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """Variances and means of some of the latent vector; complex where theta is."""
    at = parts(block, theta)
    return np.diag(at.latent_cov)[names], at.latent_mean[names]
