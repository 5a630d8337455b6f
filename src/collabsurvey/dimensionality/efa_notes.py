"""The sentences under a factor solution: what was done, what failed, what to mind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from collabsurvey.dimensionality.efa_bootstrap import NOTHING
from collabsurvey.dimensionality.efa_result import EfaResult
from collabsurvey.dimensionality.rotation import RotationSolution
from collabsurvey.errors import listed

HOW = {
    "minres": "minimum residuals (unweighted least squares)",
    "ml": "maximum likelihood",
    "principal_axis": "iterated principal axes, whose end point is the minres solution",
    "principal_components": "principal components, which take all variance as common",
}


def trouble(result: EfaResult) -> str:
    """Say what did not reach its optimum, and what to do."""
    what = [] if result.converged else [f"the extraction ({result.extraction})"]
    what += [] if result.rotation_converged else [f"the rotation ({result.rotation})"]
    return (
        f"{' and '.join(what).capitalize()} did not reach an optimum: do not use these loadings. "
        "Try fewer factors, another method, or more starts."
    )


def with_notes(result: EfaResult, turned: RotationSolution) -> EfaResult:
    """Add the sentences a reader needs."""
    found, fit = result.correlations, result.fit
    p = len(found.items)
    total = result.variance["cumulative"].iloc[-1]
    notes = [
        *found.notes,
        f"Extraction: {HOW[result.extraction]}.",
    ]
    if result.n_factors > 1 and result.rotation != "none":
        normal = "with" if result.kaiser else "without"
        notes.append(
            f"Rotation: {result.rotation.replace('_', ' ')}, {normal} Kaiser normalisation; "
            f"{turned.n_best} of {turned.n_starts} starts met the best solution."
        )
        if turned.n_minima > 1:
            notes.append(
                f"The rotation has local minima ({turned.n_minima} were met): other starts, or "
                "other programs, may show other loadings."
            )
    shares = f"{total:.0%} of the variance of {p} items is explained."
    notes.append(shares)
    if not np.isnan(fit["rmsea"]):
        notes.append(
            f"chi2({fit['df']}) = {fit['chi2']:.1f}; RMSEA {fit['rmsea']:.3f} (90 % "
            f"{fit['rmsea_ci_low']:.3f} to {fit['rmsea_ci_high']:.3f}), TLI {fit['tli']:.3f}, "
            f"RMSR {fit['rmsr']:.3f}.".replace("-", "−")
        )
    else:
        notes.append(f"RMSR {fit['rmsr']:.3f}; other measures of fit are not defined here.")
    if found.kind == "polychoric":
        notes.append(
            "Chi-square and what follows from it are too large for polychoric correlations; RMSR "
            "is not."
        )
    if result.heywood:
        shared = result.communalities
        cases = [f"{item} (communality {shared[item]:.2f})" for item in result.heywood]
        notes.append(
            f"Heywood case: {listed(cases)}. No variance of its own is left, which cannot "
            "be. Take fewer factors, or leave it out."
        )
    if empty := [name for name, own in result.variance["ss_loadings"].items() if own < NOTHING]:
        notes.append(f"Nothing is explained by {listed(empty)}: take fewer factors.")
    if found.n < 2 * p:
        notes.append(f"{found.n} respondents for {p} items: loadings are rough.")
    if not (result.converged and result.rotation_converged):
        notes.append(trouble(result))
    phi = result.factor_correlations.to_numpy()
    if result.n_factors > 1 and np.abs(phi - np.eye(len(phi))).max() > 1e-12:
        names = list(result.loadings.columns)
        i, j = np.triu_indices(len(phi), 1)
        pairs = [
            f"{names[a]}–{names[b]} {phi[a, b]:.2f}"
            for a, b in zip(i.tolist(), j.tolist(), strict=True)
        ]
        notes.append(f"Factor correlations: {listed(pairs, most=15)}.".replace("-", "−"))
    return replace(result, notes=tuple(notes))
