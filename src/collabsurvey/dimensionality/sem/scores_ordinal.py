"""Factor scores of ordered answers: the most likely or the expected factor values.

Given the factors, an answer falls into category k with probability Phi(b_k+1 - s'u) -
Phi(b_k - s'u), u the factors in standard units, and answers are independent. The mode of the
posterior (lavaan's EBM; Muthén, 1998-2004, Mplus Technical Appendices, 11) is found by Newton's
method: the posterior is log-concave (Pratt, 1981, doi:10.1080/01621459.1981.10477613). The
expected values (EAP; Bock & Mislevy, 1982, doi:10.1177/014662168200600405) are had by quadrature
about the mode (Naylor & Smith, 1982, doi:10.2307/2347995). Rows with the same answers are
scored once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy.special import erfcx, ndtr

from collabsurvey.dimensionality.sem.implied import Parts, parts
from collabsurvey.dimensionality.sem.model import Block
from collabsurvey.dimensionality.sem.scores import Scores, blocks_of, standard_errors
from collabsurvey.errors import DataError, NotSupportedError, listed
from collabsurvey.numerics.typing import FloatArray, IntArray

OrdinalMethod = Literal["ebm", "eap"]
OUTSIDE = 1e10  # stands for infinity: its density is 0, and 0 times it is 0
FAR = -5.0  # beyond it probabilities are computed relative to the density
SETTLED = 1e-10  # squared length of a Newton step, in posterior standard units: the last one
MOST_STEPS = 200
# For each factor, by their number. With five items each, the worst answers (all at one end, where
# the posterior is skewed) have errors of 4e-7 with 15 nodes, and of 2e-5 with 11.
NODES = {1: 31, 2: 15, 3: 11}


@dataclass(frozen=True, eq=False)
class Responses:
    """Answers as functions of d standard normal factors, and all f factors as functions of them."""

    low: FloatArray  # (p, c) lower limits of the categories; the last is a missing answer
    high: FloatArray  # (p, c)
    slopes: FloatArray  # (p, d)
    mean: FloatArray  # (f,)
    spread: FloatArray  # (f, d): factors are mean + spread u + what u leaves open
    left: FloatArray  # (f,) variance that u leaves open
    variance: FloatArray  # (f,)
    ignored: tuple[tuple[str, str], ...]


def ordinal_scores(
    block: Block, theta: FloatArray, codes: FloatArray, *, method: OrdinalMethod = "ebm"
) -> Scores:
    """Scores from the categories (n, p) chosen: 0, 1, …, NaN for missing.

    Errors are those of the posterior: of its normal approximation at the mode ("ebm", lavaan's
    method), or its standard deviation ("eap", up to three factors). Reliability is the share of
    a factor's variance that is not left open on average. Residual covariances cannot be used
    (neither can lavaan); `ignored` names the items.
    """
    responses = _responses(block, theta)
    if method == "eap" and responses.slopes.shape[1] > len(NODES):
        raise NotSupportedError(
            f"Expected scores of {responses.slopes.shape[1]} factors",
            instead="Use the posterior mode (method='ebm').",
        )
    patterns, which, counts = _patterns(block, codes)
    f = block.n_factors
    values, spread = np.empty((len(patterns), f)), np.empty((len(patterns), f))
    for part in blocks_of(len(patterns), 4 * patterns.shape[1]):
        values[part], spread[part] = _score(responses, patterns[part], method)
    missing = patterns == responses.low.shape[1] - 1
    empty = missing.all(axis=1)
    values[empty], spread[empty] = np.nan, np.nan
    share = counts * ~empty
    average = np.full(f, np.nan)
    if share.any():
        average = share[~empty] @ spread[~empty] / share.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        reliability = 1 - average / responses.variance
    return Scores(
        block.latent[:f],
        values[which],
        standard_errors(spread, responses.variance)[which],
        np.where(responses.variance > 0, reliability, np.nan),
        int(counts[missing.any(axis=1) & ~empty].sum()),
        int(counts[empty].sum()),
        responses.ignored,
    )


def _responses(block: Block, theta: FloatArray) -> Responses:
    """Regress latent responses, and factors without items of their own, on the others."""
    if len(block.ordered) < len(block.observed):
        raise NotSupportedError(
            "Factor scores from ordered and continuous items together",
            instead="Make all items ordered, or none.",
        )
    at = parts(block, theta)
    f = block.n_factors
    measuring = np.flatnonzero((block.loadings.filled(theta)[:, :f] != 0).any(axis=0))
    cov = at.latent_cov[np.ix_(measuring, measuring)]
    try:
        root = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        raise DataError(
            f"The covariances of {listed(block.latent[j] for j in measuring)} are not positive "
            "definite, so that there are no factor scores. The solution is improper; simplify "
            "the model."
        ) from None
    slopes = np.linalg.solve(root, at.cross_cov[:, measuring].T).T
    residual = at.cov - slopes @ slopes.T
    variance = np.diag(residual)
    if (bad := np.flatnonzero(variance <= 0)).size:
        raise DataError(
            f"The residual variance of {listed(block.observed[i] for i in bad)} is not positive, "
            "so that there are no factor scores. The solution is improper; simplify the model."
        )
    sd = np.sqrt(variance)
    low, high = _limits(block, at, sd)
    spread: FloatArray = np.asarray(np.linalg.solve(root, at.latent_cov[measuring, :f]).T)
    whole = np.diag(at.latent_cov)[:f]
    left = whole - (spread**2).sum(axis=1)
    left[measuring] = 0.0
    close = np.abs(residual / np.outer(sd, sd)) < 1e-8
    ignored = [
        (block.observed[i], block.observed[j])
        for i, j in combinations(range(len(sd)), 2)
        if not close[i, j]
    ]
    return Responses(
        low, high, slopes / sd[:, None], at.latent_mean[:f], spread, left, whole, tuple(ignored)
    )


def _limits(block: Block, at: Parts, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lower and upper limits (p, c) of the categories in residual standard deviations."""
    item = block.item_of_threshold
    cuts = (at.thresholds - at.mean[item]) / sd[item]
    most = int(np.bincount(item).max())
    low = np.full((len(sd), most + 2), -OUTSIDE)
    high = np.full((len(sd), most + 2), OUTSIDE)
    for i in range(len(sd)):
        own = cuts[item == i]
        low[i, 1 : len(own) + 1] = own
        high[i, : len(own)] = own
    return low, high


def _patterns(block: Block, codes: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Different rows of answers (u, p), which of them each row is (n,), and how often (u,)."""
    n_cuts = np.bincount(block.item_of_threshold, minlength=len(block.observed))
    n, p = codes.shape
    whole = np.empty((n, p), dtype=np.uint8)
    for i in range(p):
        column = codes[:, i]
        known = ~np.isnan(column)
        if ((there := column[known]) < 0).any() or (there > n_cuts[i]).any():
            raise DataError(
                f"{block.observed[i]!r} has answers outside the {n_cuts[i] + 1} categories the "
                "model was estimated with."
            )
        whole[:, i] = np.where(known, np.nan_to_num(column), n_cuts.max() + 1)
    as_one = whole.view(np.dtype((np.void, p))).ravel()
    _, first, which, counts = np.unique(
        as_one, return_index=True, return_inverse=True, return_counts=True
    )
    return whole[first].astype(np.int64), which, counts.astype(np.float64)


def _score(
    responses: Responses, patterns: IntArray, method: OrdinalMethod
) -> tuple[FloatArray, FloatArray]:
    """Scores (u, f) and their error variances (u, f)."""
    items = np.arange(len(responses.slopes))
    low, high = responses.low[items, patterns], responses.high[items, patterns]
    mode, curve = _mode(low, high, responses.slopes)
    cov = np.asarray(np.linalg.inv(curve), dtype=np.float64)
    if method == "eap":
        mode, cov = _expected(low, high, responses.slopes, mode, cov)
    values = responses.mean + mode @ responses.spread.T
    spread = np.einsum("fd,ude,fe->uf", responses.spread, cov, responses.spread)
    return values, spread + responses.left


def _mode(low: FloatArray, high: FloatArray, slopes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mode (u, d) of the posterior of standard normal factors, and its precision (u, d, d)."""
    d = slopes.shape[1]
    point = np.zeros((len(low), d))
    value, slope, curve = _posterior(point, low, high, slopes)
    share = np.ones(len(low))
    moving = np.arange(len(low))
    for _ in range(MOST_STEPS):
        step = np.linalg.solve(curve[moving], slope[moving][..., None])[..., 0]
        last = np.einsum("ud,ud->u", step, slope[moving]) < SETTLED
        tried = point[moving] + share[moving][:, None] * step
        there = _posterior(tried, low[moving], high[moving], slopes)
        better = there[0] >= value[moving] - 1e-12 * (1 + np.abs(value[moving]))
        taken = moving[better]
        point[taken] = tried[better]
        value[taken], slope[taken], curve[taken] = (one[better] for one in there)
        share[taken] = 1.0
        share[moving[~better]] /= 2
        moving = moving[~last]
        if not len(moving):
            return point, curve
    raise DataError(
        f"The factor scores of {len(moving)} patterns of answers did not settle. The solution has "
        "thresholds or loadings without bound; see its estimates."
    )


def _posterior(
    point: FloatArray, low: FloatArray, high: FloatArray, slopes: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log posterior (u,) but for a constant, its slope (u, d) and minus its curvature (u, d, d)."""
    d = slopes.shape[1]
    fitted = point @ slopes.T
    log_p, pull, stiff = _probabilities(low - fitted, high - fitted)
    squares = (slopes[:, :, None] * slopes[:, None, :]).reshape(-1, d * d)
    curve = (stiff @ squares).reshape(-1, d, d) + np.eye(d)
    value = log_p.sum(axis=1) - 0.5 * (point**2).sum(axis=1)
    return value, pull @ slopes - point, curve


def _probabilities(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log of P = Phi(high) - Phi(low), and its first and minus second derivative.

    Derivatives are with respect to a shift of both limits to the left. Intervals above zero are
    turned round first, since differences of numbers near 1 lose digits.
    """
    turned = low + high > 0
    a, b = np.where(turned, -high, low), np.where(turned, -low, high)
    density_a, density_b = _density(a), _density(b)
    p = ndtr(b) - ndtr(a)
    far = b < FAR
    p[far] = 1.0
    pull = (density_a - density_b) / p
    bend = (a * density_a - b * density_b) / p
    log_p = np.log(p)
    if far.any():
        x, y = a[far], b[far]
        # Everything relative to the density at the upper limit, which may be 0 in floating point.
        ratio = np.exp(0.5 * (y - x) * (y + x))
        share = np.sqrt(np.pi / 2) * (erfcx(-y / 2**0.5) - ratio * erfcx(-x / 2**0.5))
        pull[far], bend[far] = (ratio - 1) / share, (x * ratio - y) / share
        log_p[far] = np.log(share) - 0.5 * y * y - 0.5 * np.log(2 * np.pi)
    return log_p, np.where(turned, -pull, pull), pull**2 - bend


def _density(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi))


def _expected(
    low: FloatArray, high: FloatArray, slopes: FloatArray, mode: FloatArray, cov: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean (u, d) and covariance (u, d, d) of the posterior, by quadrature about its mode."""
    d = slopes.shape[1]
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES[d])
    grid = np.stack(np.meshgrid(*[nodes] * d, indexing="ij"), axis=-1).reshape(-1, d)
    log_weight = np.log(weights) + 0.5 * nodes**2
    log_weight = np.sum(
        np.stack(np.meshgrid(*[log_weight] * d, indexing="ij"), axis=-1).reshape(-1, d), axis=1
    )
    root = np.linalg.cholesky(cov)
    mean, spread = np.empty_like(mode), np.empty_like(cov)
    for part in blocks_of(len(mode), len(grid) * len(slopes)):
        u = mode[part][:, None, :] + grid @ root[part].swapaxes(1, 2)  # (r, q, d)
        fitted = u @ slopes.T
        log_p = _probabilities(low[part][:, None] - fitted, high[part][:, None] - fitted)[0]
        log_post = log_p.sum(axis=2) - 0.5 * (u**2).sum(axis=2) + log_weight
        share = np.exp(log_post - log_post.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        mean[part] = np.einsum("rq,rqd->rd", share, u)
        away = u - mean[part][:, None]
        spread[part] = (share[:, :, None] * away).swapaxes(1, 2) @ away
    return mean, spread
