"""Every list of fit indices in the gold files, with what lavaan made them from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from collabsurvey.dimensionality.sem.chi_square import (
    ChiSquare,
    ScaledChiSquare,
    ScaledKind,
    chi_square,
)
from collabsurvey.dimensionality.sem.fit_indices.information import Likelihood
from support import gold

KINDS: dict[str, ScaledKind] = {
    "mlr": "yuan-bentler-mplus",
    "cluster_robust": "yuan-bentler-mplus",
    "mlm": "satorra-bentler",
    "WLSM": "satorra-bentler",
    "wlsmv": "scaled-shifted",
    "ULSMV": "scaled-shifted",
    "ordinal": "scaled-shifted",
}


@dataclass(frozen=True)
class StoredFit:
    name: str
    fit: dict[str, Any]
    n: float
    n_groups: int

    def value(self, name: str) -> float:
        found = self.fit[name]
        return float("nan") if found is None else float(found)

    @property
    def ordinal(self) -> bool:
        return "wrmr" in self.fit

    @property
    def two_level(self) -> bool:
        return "srmr_within" in self.fit

    @property
    def least_squares(self) -> bool:
        return "logl" not in self.fit

    @property
    def missing(self) -> bool:
        return "fiml" in self.name or "longitudinal" in self.name

    @property
    def n_moments(self) -> list[int] | None:
        """Of every group; a covariate's variance counts, though the model leaves it alone."""
        if self.two_level:
            return None
        count = int(self.fit["df"] + self.fit["npar"]) + ("mediation" in self.name)
        if self.ordinal and self.n_groups == 2:
            count = 70  # 25 thresholds and 10 correlations in each group
        return [count // self.n_groups] * self.n_groups

    def test(self, prefix: str = "") -> ChiSquare:
        value = self.value(f"{prefix}chisq")
        scaled = None
        if f"{prefix}chisq.scaled" in self.fit:
            kind = next(kind for part, kind in KINDS.items() if part in self.name)
            factor = self.value(f"{prefix}chisq.scaling.factor")
            corrected = self.value(f"{prefix}chisq.scaled")
            shift = corrected - value / factor if kind == "scaled-shifted" else 0.0
            p = self.value(f"{prefix}pvalue.scaled")
            df = self.value(f"{prefix}df.scaled")
            scaled = ScaledChiSquare(kind, corrected, df, p, factor, shift)
        known = self.fit[f"{prefix}pvalue"] is not None
        return chi_square(value, int(self.fit[f"{prefix}df"]), scaled=scaled, p_known=known)

    def likelihood(self) -> Likelihood | None:
        if self.least_squares:
            return None
        return Likelihood(
            self.value("logl"),
            self.value("unrestricted.logl"),
            float(self.fit.get("scaling.factor.h0", np.nan)),
            float(self.fit.get("scaling.factor.h1", np.nan)),
        )


def stored_fits() -> Iterator[StoredFit]:
    """All of gold 05, 06 and 07."""
    for topic in ("05_cfa", "06_invariance", "07_multilevel_aggregation"):
        for name, entry in gold(topic).items():
            yield from _inside(name, entry["values"], entry["values"])


def _inside(name: str, values: Any, entry: dict[str, Any]) -> Iterator[StoredFit]:
    if not isinstance(values, dict):
        return
    if "fmin" in values and "cfi" in values:
        n = values.get("ntotal", round(values["chisq"] / values["fmin"] / 2))
        groups = entry.get("group_labels", [""])
        if "partial" in name:
            groups = entry["nobs"]
        yield StoredFit(name, values, float(n), len(groups))
        return
    for key, part in values.items():
        yield from _inside(f"{name} {key}", part, entry)
