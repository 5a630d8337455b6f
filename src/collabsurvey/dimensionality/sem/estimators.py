"""What each estimator stands for: a discrepancy, a way to errors, a correction of chi-square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Estimator = Literal[
    "ML", "MLM", "MLR", "GLS", "ULS", "WLSMV", "WLSM", "DWLS", "ULSMV"
]  # fmt: skip
Distance = Literal["normal", "gls", "uls", "dwls"]
Errors = Literal["standard", "robust_sem", "sandwich"]
Correction = Literal["none", "satorra_bentler", "yuan_bentler", "scaled_shifted"]


@dataclass(frozen=True)
class Recipe:
    """One estimator."""

    distance: Distance
    errors: Errors
    correction: Correction
    says: str  # what a reader is told

    @property
    def normal(self) -> bool:
        """Whether it maximises a normal likelihood."""
        return self.distance == "normal"


RECIPES: dict[str, Recipe] = {
    "ML": Recipe("normal", "standard", "none", "maximum likelihood"),
    "MLM": Recipe(
        "normal",
        "robust_sem",
        "satorra_bentler",
        "maximum likelihood; errors and chi-square corrected for non-normal answers "
        "(Satorra–Bentler)",
    ),
    "MLR": Recipe(
        "normal",
        "sandwich",
        "yuan_bentler",
        "maximum likelihood; sandwich errors, chi-square corrected (Yuan–Bentler)",
    ),
    "GLS": Recipe("gls", "standard", "none", "generalised least squares"),
    "ULS": Recipe("uls", "standard", "none", "unweighted least squares"),
    "WLSMV": Recipe(
        "dwls",
        "robust_sem",
        "scaled_shifted",
        "diagonally weighted least squares on polychoric correlations; robust errors, chi-square "
        "scaled and shifted",
    ),
    "WLSM": Recipe(
        "dwls",
        "robust_sem",
        "satorra_bentler",
        "diagonally weighted least squares on polychoric correlations; robust errors, chi-square "
        "corrected for its mean",
    ),
    "DWLS": Recipe(
        "dwls",
        "standard",
        "none",
        "diagonally weighted least squares on polychoric correlations, uncorrected",
    ),
    "ULSMV": Recipe(
        "uls",
        "robust_sem",
        "scaled_shifted",
        "unweighted least squares on polychoric correlations; robust errors, chi-square scaled and "
        "shifted",
    ),
}
ORDINAL = ("WLSMV", "WLSM", "DWLS", "ULSMV")
