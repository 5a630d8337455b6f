"""How much each item that works differently moves the answers: dMACS.

Source: Nye & Drasgow (2011) doi:10.1037/a0022955: the root mean square, over the factor scores of
the focal group, of the difference between the answers that the two groups' parameters expect,
in pooled standard deviations of the item. Signed: the mean of that difference (Nye, Bradburn,
Olenick, Bialko & Drasgow, 2019, doi:10.1177/1094428118761122). For ordered items the expected
answer is the mean category, by quadrature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from collabsurvey.dimensionality.sem.implied import parts
from collabsurvey.dimensionality.sem.model import Block, Model
from collabsurvey.numerics.typing import FloatArray

NODES = 61  # of Gauss-Hermite quadrature
STEP = 1e-5  # of central differences, in theta


@dataclass(frozen=True, eq=False)
class ItemBias:
    """For every group after the first and every item, (G - 1, p)."""

    mean: FloatArray  # expected answer by the group's own parameters less by the first group's
    error: FloatArray  # of that mean, delta method
    square: FloatArray  # mean of the squared difference


def item_bias(
    model: Model, theta: FloatArray, vcov: FloatArray, codes: dict[str, FloatArray]
) -> ItemBias:
    """Differences that the model's parameters make at the factor scores of each later group.

    `codes` are the values of the categories of ordered items, none for continuous ones.
    """
    first = model.blocks[0]
    out = []
    for block in model.blocks[1:]:
        which = np.union1d(first.which, block.which)
        mean, square = _moments(first, block, theta, codes)
        slopes = np.zeros((len(mean), len(which)))
        for k, i in enumerate(which):
            step = np.zeros(len(theta))
            step[i] = STEP * max(1.0, abs(theta[i]))
            up, _ = _moments(first, block, theta + step, codes)
            down, _ = _moments(first, block, theta - step, codes)
            slopes[:, k] = (up - down) / (2 * step[i])
        # Parameters that are equal move together: vcov has that, their slopes simply add up.
        spread = np.einsum("pi,ij,pj->p", slopes, vcov[np.ix_(which, which)], slopes)
        out.append((mean, np.sqrt(np.maximum(spread, 0.0)), square))
    return ItemBias(*(np.array(one) for one in zip(*out, strict=True)))


def dmacs(bias: ItemBias, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """DMACS and its signed version (G - 1, p), for pooled standard deviations (G - 1, p)."""
    return np.sqrt(bias.square) / sd, bias.mean / sd


def _moments(
    first: Block, block: Block, theta: FloatArray, codes: dict[str, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Mean and mean square (p,) of the difference between the two groups' expected answers."""
    if block.ordered:
        return _ordered(first, block, theta, codes)
    return _continuous(first, block, theta)


def _continuous(first: Block, block: Block, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Closed form: the difference is linear in the factors, which are normal."""
    at = parts(block, theta)
    shift = block.intercepts.filled(theta) - first.intercepts.filled(theta)
    turn = block.loadings.filled(theta) - first.loadings.filled(theta)
    mean = shift + turn @ at.latent_mean
    return mean, mean**2 + np.einsum("pi,ij,pj->p", turn, at.latent_cov, turn)


def _ordered(
    first: Block, block: Block, theta: FloatArray, codes: dict[str, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Quadrature over the focal group's distribution of what the item measures.

    An item on several factors is seen along the group's own combination of them.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    at = parts(block, theta)
    mean, square = np.zeros(len(block.observed)), np.zeros(len(block.observed))
    for i, item in enumerate(block.observed):
        own = block.loadings.filled(theta)[i]
        used = np.flatnonzero(own)
        if not len(used):
            continue
        j = used[0]
        scores = at.latent_mean[j] + np.sqrt(at.latent_cov[j, j]) * nodes
        apart = _expected(block, i, item, scores, theta, codes)
        apart = apart - _expected(first, i, item, scores, theta, codes)
        mean[i], square[i] = weights @ apart, weights @ apart**2
    return mean, square


def _expected(
    block: Block,
    place: int,
    item: str,
    scores: FloatArray,
    theta: FloatArray,
    codes: dict[str, FloatArray],
) -> FloatArray:
    """Mean answer at each score, of the theta parameterisation."""
    own = block.loadings.filled(theta)[place]
    response = block.intercepts.filled(theta)[place] + own[np.flatnonzero(own)[0]] * scores
    cuts = block.thresholds.filled(theta)[[name == item for name in block.threshold_of]]
    sd = np.sqrt(block.residual_cov.filled(theta)[place, place])
    above = special.ndtr((response[:, None] - cuts) / sd)
    steps = np.diff(codes[item])
    return np.asarray(codes[item][0] + above @ steps)
