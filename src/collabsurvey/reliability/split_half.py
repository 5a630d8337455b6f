"""Split-half reliability: every way to halve a scale, and the halves of odd and even items."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.errors import FewClustersWarning, OptionError
from collabsurvey.moments.covariance import Missing
from collabsurvey.numerics import itemstats
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.lower_bounds import correlation_stack
from collabsurvey.numerics.split_halves import (
    MOST_ENUMERATED,
    every_half,
    extremes,
    psych_halves,
    sampled_halves,
    spearman_brown,
    split_coefficients,
)
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.reliability.alpha_interval import SEED
from collabsurvey.reliability.bounds_inputs import scale_matrix
from collabsurvey.reliability.bounds_interval import BoundBootstrap, BoundInterval, bound_limits
from collabsurvey.reliability.guttman import splits_note
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Splits = Literal["all", "psych"]
LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)
FORMULAS = {
    "best": "highest 4 cov(A, B) / var(A + B) of the splits (Guttman's lambda 4)",
    "worst": "lowest of the splits",
    "mean": "mean of the splits",
    "odd_even_r": "correlation of the sums of the odd and the even items",
    "spearman_brown": "2 r / (1 + r) of that correlation (Spearman, 1910; Brown, 1910)",
    "guttman_flanagan": "4 cov(A, B) / var(A + B) of these halves (Flanagan, 1937; Guttman, 1945)",
    "rulon": "1 − var(A − B) / var(A + B), the same number (Rulon, 1939)",
    "alpha": "k/(k−1) (1 − Σ C_ii / ΣΣ C) (Cronbach, 1951)",
}

WORDS = {
    "best": "best split half (lambda 4)",
    "worst": "worst split half",
    "mean": "mean split half",
    "odd_even_r": "correlation of odd and even items",
    "spearman_brown": "Spearman–Brown of odd and even items",
    "guttman_flanagan": "Guttman–Flanagan of odd and even items",
    "alpha": "alpha",
}


@dataclass(frozen=True, eq=False)
class SplitHalfResult(Result):
    """Split-half coefficients of one scale.

    Attributes
    ----------
    best, worst, mean : float
        Over the splits: lambda 4, its opposite (low where a scale falls into two parts), and
        the mean, which is alpha where the number of items is even.
    quantiles : dict of level to float
        Of the splits at .025, .25, .5, .75 and .975.
    best_halves, worst_halves : pairs of tuples of item ids
    odd_even_r, spearman_brown, guttman_flanagan : float
        Of the odd against the even items in the order of the scale.
    values : (S,) coefficient of each split
    """

    scale: str
    best: float
    worst: float
    mean: float
    odd_even_r: float
    spearman_brown: float
    guttman_flanagan: float
    alpha: float
    quantiles: dict[float, float]
    best_halves: tuple[tuple[str, ...], tuple[str, ...]]
    worst_halves: tuple[tuple[str, ...], tuple[str, ...]]
    values: FloatArray
    n_splits: int
    all_splits: bool
    standardised: bool
    coefficients_frame: pd.DataFrame
    items: tuple[str, ...]
    n_respondents: int
    n_rows: int
    n_clusters: int | None
    ci_method: str
    conf_level: float
    notes: tuple[str, ...]

    @property
    def rulon(self) -> float:
        """Rulon's formula for odd and even halves: the same as `guttman_flanagan`."""
        return self.guttman_flanagan

    def to_frame(self) -> pd.DataFrame:
        """One row a coefficient.

        Columns: coefficient, estimate, std_error, ci_low, ci_high, formula, scale,
        n_respondents, conf_level, ci_method.
        """
        return self.coefficients_frame.copy()

    def table(self) -> Table:
        """Every coefficient with its formula."""
        frame = self.coefficients_frame
        columns = ["coefficient", "estimate", "ci_low", "ci_high", "formula"]
        if self.ci_method == "none":
            columns = ["coefficient", "estimate", "formula"]
        return Table(
            title=f"Split-half reliability of {self.scale}",
            columns={
                "coefficient": [WORDS[name] for name in frame["coefficient"]],
                **{name: frame[name].tolist() for name in columns[1:]},
            },
            notes=self.notes,
            formats=dict.fromkeys(("estimate", "ci_low", "ci_high"), ".2f"),
        )

    def chart(self) -> Chart:
        """How the coefficients of the splits are spread, with alpha and odd–even marked."""
        values, alpha, odd_even = self.values, self.alpha, self.guttman_flanagan

        def draw(ax: Axes) -> None:
            ax.hist(values, bins=min(max(len(values) // 5, 5), 40), color="#0072B2", zorder=2)
            ax.axvline(alpha, color="#D55E00", linewidth=1.6, label=f"alpha {alpha:.2f}", zorder=3)
            ax.axvline(
                odd_even,
                color="#4D4D4D",
                linewidth=1.6,
                linestyle="--",
                label=f"odd–even {odd_even:.2f}",
                zorder=3,
            )
            ax.set_xlabel("coefficient of the split")
            ax.set_ylabel("splits")
            ax.spines[["top", "right"]].set_visible(False)
            ax.legend(frameon=False)

        title = f"Split halves of {self.scale}"
        return Chart(
            title=title,
            description=f"{title}: {len(values)} splits from {self.worst:.2f} to {self.best:.2f}, "
            f"mean {self.mean:.2f}, alpha {alpha:.2f}.".replace("-", "−"),
            draw=draw,
            size=(7.0, 3.6),
        )


def split_half(
    responses: Responses,
    items: str | Sequence[str],
    *,
    standardised: bool = False,
    splits: Splits = "all",
    n_splits: int = 10_000,
    missing: Missing = "listwise",
    ci: BoundInterval = "none",
    cluster: str | None = "auto",
    conf_level: float = 0.95,
    bootstrap: BoundBootstrap = "bca",
    n_boot: int = 2000,
    seed: int = SEED,
    progress: bool = True,
) -> SplitHalfResult:
    """Split-half reliability over all splits of a scale, and of odd and even items.

    Parameters
    ----------
    responses : Responses
        Reverse-keyed items are turned round; the weight role is applied.
    items : str or sequence of str
        A scale id, or item ids; their order decides which are odd and even.
    standardised : bool
        The splits from correlations, as psych::splitHalf; odd–even halves are sums of the
        items as answered in any case.
    splits : "all" or "psych"
        "all" are all splits of up to 16 items, or `n_splits` drawn at random of more, the best
        and the worst improved by exchanging items. "psych" are those that psych::splitHalf
        2.2.9 tries: for an odd number of items the first half of them in lexical order, so
        that the mean depends on the order of the items.
    missing, ci, cluster, conf_level, bootstrap, n_boot, seed, progress
        As in `guttman`.

    Raises
    ------
    NotEnoughItemsError, NotEnoughDataError, NoVarianceError, DataError
        As `alpha`.

    Notes
    -----
    With an odd number of items halves differ by one item and the mean of all splits is alpha
    (1 - 1 / k²) (Raju, 1970, doi:10.1007/BF02291365, for the correction). The worst split is
    near the "beta" of a scale in two parts (Revelle, 1979,
    doi:10.1207/s15327906mbr1401_4), which searches over unequal parts too.
    """
    import pandas as pd

    if splits not in get_args(Splits):
        raise OptionError("splits", splits, allowed=get_args(Splits))
    if n_splits < 100:
        raise OptionError("n_splits", n_splits, allowed=("100 or more",))
    matrix = scale_matrix(
        responses, items, missing=missing, standardised=standardised, method="Split-half"
    )
    moments = matrix.moments
    k = len(moments.items)
    enumerated = k <= MOST_ENUMERATED
    halves = chosen_halves(k, splits, n_splits, seed)
    odd = np.arange(k) % 2 == 0

    def statistic(covs: FloatArray) -> FloatArray:
        used = correlation_stack(covs) if standardised else covs
        best, worst, mean, _, _ = extremes(used, halves, search=not enumerated)
        r, flanagan = odd_even(covs, odd)
        alphas = itemstats.alphas(used)
        return np.column_stack([best, worst, mean, r, spearman_brown(r), flanagan, alphas])

    best, worst, mean, high, low = extremes(matrix.values[None], halves, search=not enumerated)
    r, flanagan = odd_even(moments.cov[None], odd)
    estimates = np.array(
        [
            *(float(x[0]) for x in (best, worst, mean, r, spearman_brown(r), flanagan)),
            itemstats.coefficient_alpha(matrix.values),
        ]
    )
    limits = bound_limits(
        responses,
        moments.items,
        statistic,
        estimates,
        ci=ci,
        cluster=cluster,
        missing=missing,
        conf_level=conf_level,
        bootstrap=bootstrap,
        n_boot=n_boot,
        seed=seed,
        method="Split-half",
        progress=progress,
    )
    if limits.few_clusters:
        warnings.warn(limits.few_clusters, FewClustersWarning, stacklevel=2)
    names = [name for name in FORMULAS if name != "rulon"]
    frame = pd.DataFrame(
        {
            "coefficient": names,
            "estimate": estimates,
            "std_error": limits.std_error,
            "ci_low": limits.ci_low,
            "ci_high": limits.ci_high,
            "formula": [FORMULAS[name] for name in names],
            "scale": matrix.name,
            "n_respondents": moments.n_respondents,
            "conf_level": conf_level,
            "ci_method": limits.method,
        }
    )
    values = split_coefficients(matrix.values[None], halves)[0]
    notes = [*matrix.notes, _splits_note(k, len(halves), splits, seed)]
    if k % 2:
        notes.append("An odd number of items: one half has an item more than the other.")
    return SplitHalfResult(
        scale=matrix.name,
        best=float(estimates[0]),
        worst=float(estimates[1]),
        mean=float(estimates[2]),
        odd_even_r=float(estimates[3]),
        spearman_brown=float(estimates[4]),
        guttman_flanagan=float(estimates[5]),
        alpha=float(estimates[6]),
        quantiles=dict(zip(LEVELS, np.quantile(values, LEVELS).tolist(), strict=True)),
        best_halves=_named(high[0], moments.items),
        worst_halves=_named(low[0], moments.items),
        values=read_only(values),
        n_splits=len(halves),
        all_splits=enumerated and splits == "all",
        standardised=standardised,
        coefficients_frame=frame,
        items=moments.items,
        n_respondents=moments.n_respondents,
        n_rows=moments.n_rows,
        n_clusters=limits.n_clusters,
        ci_method=limits.method,
        conf_level=conf_level,
        notes=(*notes, *limits.notes),
    )


def chosen_halves(k: int, splits: Splits, n_splits: int, seed: int) -> FloatArray:
    """First halves (S, k) of the splits to be tried."""
    if k > MOST_ENUMERATED:
        return sampled_halves(k, n_splits, seed=seed)
    return psych_halves(k) if splits == "psych" else every_half(k)


def odd_even(covs: FloatArray, odd: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Correlation (B,) of the sums of two halves, and 4 cov(A, B) / var(A + B)."""
    a, b = odd.astype(float), 1 - odd.astype(float)
    own_a, own_b = a @ covs @ a, b @ covs @ b
    across = a @ covs @ b
    r = across / np.sqrt(own_a * own_b)
    return np.asarray(r), np.asarray(4 * across / covs.sum(axis=(-2, -1)))


def _named(half: FloatArray, items: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    first = tuple(item for item, inside in zip(items, half, strict=True) if inside)
    return first, tuple(item for item in items if item not in first)


def _splits_note(k: int, n: int, splits: Splits, seed: int) -> str:
    if splits == "psych" and k <= MOST_ENUMERATED:
        total = comb(k, k // 2) // (1 if k % 2 else 2)
        return f"The {n} splits that psych tries, of {total}."
    return splits_note(k, n, k <= MOST_ENUMERATED, seed)
