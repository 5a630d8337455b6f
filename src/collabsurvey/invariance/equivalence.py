"""How large the misfit of a step can be at most: equivalence testing (Yuan & Chan, 2016).

A difference that is not significant does not show that groups are alike; small samples see to
that. The T-size turns the question round: with 95 % confidence the RMSEA of what a level adds
is not above it. It is judged by cut-offs that allow for the size of sample and of the step
(doi:10.1037/met0000080, table 11; of one group Yuan, Chan, Marcoulides & Bentler, 2016,
doi:10.1080/10705511.2015.1065414), which correspond to .01, .05, .08 and .10. Counsell, Cribbie &
Flora (2020, doi:10.1080/00273171.2019.1633617) found that these adjusted cut-offs are lenient and
the plain ones, of which `within` takes .08, keep their error rate.
"""

from __future__ import annotations

from math import exp, isfinite, log, nan, sqrt

from scipy.special import chndtr, chndtrinc

ALPHA = 0.05
CONVENTIONAL = (0.01, 0.05, 0.08, 0.10)
LABELS = ("excellent", "close", "fair", "mediocre", "poor")
# Yuan & Chan (2016), table 11: log cut-off by number of groups, for each conventional value;
# coefficients of 1, ln df, ln² df, ln n, ln² n, n^(1/5), n^(1/2), n, ln df ln n.
_TABLE: dict[int, tuple[tuple[float, ...], ...]] = {
    1: (
        (1.34863, -0.51999, 0.01925, -0.59811, 0, 0, 0.00902, 0, 0.01796),
        (2.06034, -0.62974, 0.02512, -0.98388, 0.05442, 0, 0, -0.00005188, 0.05260),
        (2.84129, -0.54809, 0.02296, -0.76005, 0.10229, -1.11167, 0, 0, 0.04845),
        (2.36352, -0.49440, 0.02131, -0.64445, 0.09043, -1.01634, 0, 0, 0.04422),
    ),
    2: (
        (1.51409, -0.48929, 0.01781, -0.53903, 0, 0, 0, 0.00005602, 0.01188),
        (2.61777, -0.67451, 0.02596, -0.99310, 0.04739, 0, 0, 0, 0.05331),
        (3.73383, -0.61834, 0.02487, -0.93229, 0.11073, -1.09715, 0, 0, 0.05296),
        (3.34834, -0.56888, 0.02354, -0.81593, 0.10506, -1.10591, 0, 0, 0.04962),
    ),
    3: (
        (1.66291, -0.46885, 0.01699, -0.52870, 0, 0, 0, 0.00004074, 0.00846),
        (2.98724, -0.67419, 0.02566, -1.03326, 0.04855, 0, 0, 0, 0.05022),
        (2.91386, -0.65125, 0.02563, -1.09019, 0.06789, 0, -0.00948, 0, 0.05430),
        (3.90933, -0.61431, 0.02476, -0.92236, 0.11054, -1.10284, 0, 0, 0.05273),
    ),
    4: (
        (1.77502, -0.45735, 0.01652, -0.52262, 0, 0, 0, 0.00003201, 0.00656),
        (1.98287, -0.66535, 0.02518, -0.95007, 0, 0.71711, 0, 0, 0.04695),
        (3.04581, -0.66589, 0.02588, -1.05019, 0.05572, 0, 0, -0.00003864, 0.05406),
        (2.96570, -0.63962, 0.02537, -1.07005, 0.06814, 0, -0.01029, 0, 0.05396),
    ),
    5: (
        (1.86574, -0.44997, 0.01622, -0.51862, 0, 0, 0, 0.00002636, 0.00534),
        (2.12615, -0.65419, 0.02468, -0.94634, 0, 0.69787, 0, 0, 0.04390),
        (3.21990, -0.67182, 0.02591, -1.05668, 0.05430, 0, 0, -0.00002718, 0.05314),
        (3.18941, -0.65440, 0.02568, -1.09231, 0.06714, 0, -0.00894, 0, 0.05424),
    ),
}  # fmt: skip


def t_size_rmsea(
    statistic: float, df: float, *, n: float, n_groups: int, factor: float = 1.0
) -> float:
    """Upper end of a one-sided 95 % interval of the RMSEA of a difference.

    `factor` times the noncentrality of `statistic` is that of the uncorrected difference.
    """
    if not (df > 0 and isfinite(statistic) and statistic >= 0):
        return nan
    if float(chndtr(statistic, df, 0.0)) <= ALPHA:
        return 0.0
    noncentrality = float(chndtrinc(statistic, df, ALPHA))
    return sqrt(factor * noncentrality * n_groups / ((n - n_groups) * df))


def adjusted_cutoffs(df: float, *, n: float, n_groups: int) -> tuple[float, ...]:
    """Cut-offs that stand for .01, .05, .08 and .10; those themselves for over five groups."""
    if n_groups not in _TABLE or not df > 0:
        return CONVENTIONAL
    x, m = log(df), n - n_groups
    y = log(m)
    terms = (1.0, x, x * x, y, y * y, m**0.2, sqrt(m), m, x * y)
    return tuple(
        exp(sum(c * term for c, term in zip(one, terms, strict=True))) for one in _TABLE[n_groups]
    )


def size_label(size: float, cutoffs: tuple[float, ...]) -> str:
    """Name of the T-size: excellent, close, fair, mediocre or poor; "" if it is not known."""
    if not isfinite(size):
        return ""
    return LABELS[sum(size > one for one in cutoffs)]
