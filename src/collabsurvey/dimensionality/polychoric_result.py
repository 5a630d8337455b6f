"""What `polychoric` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from collabsurvey.display import Chart, Table
from collabsurvey.display.heat import heat_chart
from collabsurvey.numerics.intervals import normal_quantile
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 12  # a wider matrix cannot be read as text


@dataclass(frozen=True, eq=False)
class PolychoricResult(Result):
    """Polychoric correlations of k items, with their thresholds and errors.

    Attributes
    ----------
    correlations : pandas.DataFrame
        (k, k), smoothed where `smoothed` says so; raw estimates are in `to_frame()`.
    thresholds : dict of item to (c - 1,) array
        On the scale of a standard normal; between the categories that were chosen.
    categories : dict of item to (c,) array
        Answers that were chosen, ascending.
    std_errors : pandas.DataFrame
        (k, k); NaN on the diagonal, for pairs at the limit and where none were asked for.
    n : int
        Rows used: with every item answered (listwise), or all rows (pairwise).
    n_pairs : pandas.DataFrame
        (k, k) answers (sums of weights) behind each correlation.
    n_clusters : int or None
        Clusters behind the errors; None where respondents count as independent.
    smallest_eigenvalue : float
        Of the matrix as it was estimated; below zero it is not a correlation matrix.
    smoothed : bool
        Whether `correlations` was made positive definite.
    at_limit : tuple of pairs of items
        Perfectly associated as far as the answers show: the estimate is ±.999.
    acov : pandas.DataFrame or None
        Asymptotic covariance matrix of thresholds ("A1|t1") and correlations ("A1~~A2").
    """

    name: str
    items: tuple[str, ...]
    correlations: pd.DataFrame
    thresholds: Mapping[str, FloatArray]
    categories: Mapping[str, FloatArray]
    std_errors: pd.DataFrame
    n: int
    n_rows: int
    n_pairs: pd.DataFrame
    n_clusters: int | None
    pairs: pd.DataFrame
    method: str
    empty_cells: str
    missing: str
    smallest_eigenvalue: float
    smoothed: bool
    at_limit: tuple[tuple[str, str], ...]
    acov: pd.DataFrame | None
    groups: tuple[tuple[str, int], ...]
    conf_level: float
    weighted: bool
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a pair, as estimated.

        Columns: item_1, item_2, estimate, std_error, ci_low, ci_high (on Fisher's z), n,
        n_empty and n_adjusted (cells), chi2, df, p_value (of an underlying bivariate normal).
        """
        return self.pairs.copy()

    def table(self) -> Table:
        """Correlations below the diagonal; of many items one line each instead."""
        if len(self.items) <= MOST_COLUMNS:
            return self._matrix_table()
        cor = self.correlations.to_numpy().copy()
        np.fill_diagonal(cor, np.nan)
        strongest = np.nanargmax(np.abs(cor), axis=1)
        columns: dict[str, list[object]] = {
            "item": list(self.items),
            "categories": [len(self.categories[item]) for item in self.items],
            "thresholds": [threshold_text(self.thresholds[item]) for item in self.items],
            "strongest_with": [self.items[j] for j in strongest],
            "r": [float(cor[i, j]) for i, j in enumerate(strongest)],
            "mean_abs_r": np.nanmean(np.abs(cor), axis=1).tolist(),
        }
        return Table(
            self._title(),
            columns,
            self.notes,
            formats={"r": ".2f", "mean_abs_r": ".2f"},
            labels={"mean_abs_r": "mean |r|"},
        )

    def _matrix_table(self) -> Table:
        cor = self.correlations.to_numpy()
        shown = {
            item: [float(cor[i, j]) if i > j else None for i in range(len(self.items))]
            for j, item in enumerate(self.items[:-1])
        }
        columns: dict[str, list[object]] = {"item": list(self.items)}
        columns |= {item: list(values) for item, values in shown.items()}
        columns["thresholds"] = [threshold_text(self.thresholds[item]) for item in self.items]
        return Table(
            self._title(),
            columns,
            self.notes,
            formats=dict.fromkeys(shown, ".2f"),
            labels={item: item for item in self.items},
        )

    def _title(self) -> str:
        return f"{self.kind} correlations of {self.name} ({self.n} respondents)"

    @property
    def kind(self) -> str:
        """Tetrachoric where every item has two categories."""
        two = all(len(codes) == 2 for codes in self.categories.values())
        return "Tetrachoric" if two else "Polychoric"

    def chart(self) -> Chart:
        """Map of the correlations, items ordered by scale."""
        cor = self.correlations.to_numpy().copy()
        np.fill_diagonal(cor, np.nan)
        groups = [group for group in self.groups if group[0]]
        return heat_chart(
            cor.tolist(),
            list(self.items),
            list(self.items),
            title=f"{self.kind} correlations of {self.name}",
            description_of="correlation",
            groups=list(self.groups) if len(groups) > 1 else None,
            square=True,
        )


def threshold_text(cuts: FloatArray) -> str:
    """Thresholds as one cell of a table."""
    return "  ".join(f"{cut:.2f}" for cut in cuts).replace("-", "−")


def fisher_interval(
    r: FloatArray, std_error: FloatArray, *, conf_level: float
) -> tuple[FloatArray, FloatArray]:
    """Limits of correlations on Fisher's z, where errors are nearly normal (Fisher, 1921)."""
    z = np.arctanh(r)
    half = normal_quantile((1 + conf_level) / 2) * std_error / (1 - r**2)
    return np.tanh(z - half), np.tanh(z + half)


def upper_chi2(statistic: FloatArray, df: FloatArray) -> FloatArray:
    """P-values of chi-square statistics; NaN where there are no degrees of freedom."""
    return np.where(df > 0, special.chdtrc(np.maximum(df, 1), np.maximum(statistic, 0)), np.nan)
