"""What `validity` returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from collabsurvey.dimensionality.overlap import pair_names, square
from collabsurvey.dimensionality.validity_words import (
    CUT_OFFS,
    MEANING,
    NOT_MEANT,
    distinct_chart,
)
from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import OptionError
from collabsurvey.results import Result


@dataclass(frozen=True, eq=False)
class ValidityResult(Result):
    """How well items stand for their factors, and factors for different things.

    Attributes
    ----------
    factors : pandas.DataFrame
        One row a factor (of each group, named in `group`, where there are several): factor,
        n_items; ave, ave_std_error, ave_ci_low, ave_ci_high; composite_reliability with the
        same; average_r (mean correlation between its items); alpha; coefficient_h (of the best
        weighted sum); omega_total, omega_model, omega_observed; ave_raw, ave_observed (see the
        Notes of `validity`); closest (the factor it correlates with most), correlation.
    pairs : pandas.DataFrame
        One row a pair: factor_1, factor_2, correlation, correlation_std_error,
        correlation_ci_low, correlation_ci_high, shared_variance (its square), fornell_larcker
        (whether both AVE exceed it; None where one is not defined), htmt, htmt_ci_low,
        htmt_ci_high, htmt2, htmt2_ci_low, htmt2_ci_high, average_r (between their items),
        reading (as of `htmt`, or "not meant for this model").
    loadings : pandas.DataFrame
        One row an item and factor: factor, item, loading (standardised).
    higher_order : pandas.DataFrame
        One row a factor of factors: factor, factors, omega_items, omega_factors,
        omega_partial, omega_observed; empty without any.
    overall : pandas.DataFrame
        One row a group: group, n, maximal_reliability (of the best weighted sum of all items).
    n_boot : resamples behind the limits of HTMT, 0 without
    """

    factors: pd.DataFrame
    pairs: pd.DataFrame
    loadings: pd.DataFrame
    higher_order: pd.DataFrame
    overall: pd.DataFrame
    absolute: bool
    n_boot: int
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a factor."""
        return self.factors.copy()

    def matrix(self, quantity: str = "htmt", group: Any = None) -> pd.DataFrame:
        """Return a column of `pairs`, such as "htmt2", as a (factors, factors) matrix."""
        pairs, factors = self.pairs, self.factors
        if "group" in factors:
            known = list(dict.fromkeys(factors["group"]))
            if group not in known:
                raise OptionError("group", group, allowed=known)
            pairs = pairs[pairs["group"] == group].drop(columns="group")
            factors = factors[factors["group"] == group]
        return square(pairs, quantity, factors["factor"].tolist())

    def table(self) -> Table:
        """One row a factor: AVE, reliability, and the factor it is closest to."""
        shown = [
            "ave", "ave_ci_low", "ave_ci_high", "composite_reliability", "average_r", "closest",
            "correlation",
        ]  # fmt: skip
        frame = self.factors
        names = [*(["group"] if "group" in frame else []), "factor", "n_items", *shown]
        return Table(
            "Do the items belong together, and are the factors different things?",
            {name: frame[name].tolist() for name in names},
            self.notes,
            formats={name: ".2f" for name in shown if name != "closest"},
            labels={
                "n_items": "items",
                "ave": "AVE",
                "ave_ci_low": "low",
                "ave_ci_high": "high",
                "average_r": "mean r",
                "closest": "closest factor",
                "correlation": "r with it",
            },
        )

    def pairs_table(self) -> Table:
        """One row a pair of factors: correlation, HTMT with its interval, Fornell–Larcker."""
        shown = ["correlation", "htmt", "htmt_ci_low", "htmt_ci_high", "htmt2"]
        frame = self.pairs
        columns: dict[str, Sequence[object]] = {}
        if "group" in frame:
            columns["group"] = frame["group"].tolist()
        columns["factors"] = pair_names(frame)
        columns |= {name: frame[name].tolist() for name in [*shown, "fornell_larcker", "reading"]}
        return Table(
            "Are the factors different things?",
            columns,
            (MEANING, CUT_OFFS) if frame["reading"].ne(NOT_MEANT).any() else (),
            formats=dict.fromkeys(shown, ".2f"),
            labels={
                "htmt": "HTMT", "htmt_ci_low": "low", "htmt_ci_high": "high", "htmt2": "HTMT2",
                "fornell_larcker": "Fornell–Larcker",
            },
        )  # fmt: skip

    def chart(self) -> Chart:
        """HTMT of each pair under the lines of .85 and .90; of one factor, its loadings."""
        if len(self.pairs):
            return distinct_chart(self.pairs, title="Are the factors different things?")
        return dot_chart(
            self.loadings["item"].tolist(),
            self.loadings["loading"].tolist(),
            title="Loadings of the items on their factor",
            axis="standardised loading",
            reference=0.0,
        )
