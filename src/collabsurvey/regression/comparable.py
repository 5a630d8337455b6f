"""Whose likelihoods can be compared, and why not: rows, outcome, kind, REML, quadrature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collabsurvey.regression.generalized_result import GeneralizedResult, MixedGeneralizedResult
from collabsurvey.regression.linear import LinearResult
from collabsurvey.regression.mixed_ordinal_result import MixedOrdinalResult
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.ordinal_result import CumulativeResult
from collabsurvey.regression.reading import joined
from collabsurvey.regression.results import RegressionResult

WEIGHTED = "Weighted by"  # how the note of a model with weights begins


@dataclass(frozen=True)
class Likelihood:
    """What a log-likelihood rests on; two can be compared if all of it is the same."""

    outcome: str
    n_obs: int
    family: str
    weights: str
    reml_terms: tuple[str, ...] | None  # None for maximum likelihood
    points: int  # of the quadrature; 0 where the likelihood is exact


@dataclass(frozen=True)
class Comparability:
    """Models whose AIC is shown, and sentences on the others."""

    shown: tuple[bool, ...]
    notes: tuple[str, ...]


def comparability(results: Sequence[RegressionResult], names: Sequence[str]) -> Comparability:
    """Find the largest set of models whose likelihoods can be compared.

    AIC and BIC of the others would be read beside them and mean nothing; of one model alone they
    are shown. Whether equal numbers of rows are the same rows is not known where rows with missing
    values were left out, and is said.
    """
    rests = [likelihood_of(result) for result in results]
    rests = _with_exact(rests)
    sets: dict[Likelihood, list[int]] = {}
    for i, one in enumerate(rests):
        if results[i].fit.get("aic") is not None:
            sets.setdefault(one, []).append(i)
    best = max(sets.values(), key=len, default=[])
    alone = len(results) > 1 and len(best) < 2
    shown = tuple(i in best and not alone for i in range(len(results)))
    notes = _differences(results, rests)
    if 2 <= len(best) < len(results):
        notes.append(
            f"AIC and BIC can be compared between {joined([names[i] for i in best])} only."
        )
    if not alone and len(best) > 1:
        notes += _same_rows(results, names, best)
    return Comparability(shown, tuple(notes))


def likelihood_of(result: RegressionResult) -> Likelihood:
    """What the log-likelihood of a model rests on."""
    family, reml, points = type(result).__name__, None, 0
    if isinstance(result, LinearResult | MixedResult):
        family = "normal"
        reml = result.terms if isinstance(result, MixedResult) and result.reml else None
    elif isinstance(result, GeneralizedResult):
        family = "binomial" if result.family == "binomial" else "count"
    elif isinstance(result, CumulativeResult):
        family = f"ordinal {result.categories}"
    if isinstance(result, MixedGeneralizedResult | MixedOrdinalResult):
        points = result.n_quad
    weights = next((note for note in result.notes if note.startswith(WEIGHTED)), "")
    return Likelihood(result.outcome, int(result.fit["n_obs"]), family, weights, reml, points)


def _with_exact(rests: list[Likelihood]) -> list[Likelihood]:
    """Let exact likelihoods be compared with those of the most points."""
    most = max((one.points for one in rests), default=0)
    if most < 2:  # Laplace's is too far from the exact one
        return rests
    return [
        Likelihood(r.outcome, r.n_obs, r.family, r.weights, r.reml_terms, r.points or most)
        for r in rests
    ]


def _differences(results: Sequence[RegressionResult], rests: list[Likelihood]) -> list[str]:
    """Why likelihoods cannot be compared, one sentence for each reason."""
    notes = []
    if len({one.outcome for one in rests}) > 1:
        notes.append("The outcomes differ, so coefficients are in different units.")
    if len({one.n_obs for one in rests}) > 1:
        notes.append(
            "The models rest on different rows; AIC and BIC cannot be compared across them."
        )
    if len({one.family for one in rests}) > 1:
        notes.append(
            "The kinds of outcome differ (linear, yes or no, counts, ordered): their coefficients "
            "and likelihoods are on different scales."
        )
    reml = {one.reml_terms for one in rests if one.family == "normal"}
    if len(reml) > 1:
        notes.append(
            "REML likelihoods of models with different fixed parts cannot be compared, nor with "
            "those of maximum likelihood; fit with reml=False to compare AIC and BIC."
        )
    if len({one.points for one in rests if one.points or one.family != "normal"}) > 1:
        notes.append(
            "Likelihoods were approximated with different numbers of quadrature points; fit with "
            "the same n_quad to compare AIC and BIC."
        )
    if len({one.weights for one in rests}) > 1:
        notes.append("Weights differ between the models; their likelihoods cannot be compared.")
    robust = [r for r in results if getattr(r, "cluster", None) and r.fit.get("aic") is not None]
    if robust:
        notes.append(
            "Likelihood, AIC and BIC of a model with cluster-robust errors take its rows as "
            "independent; the errors do not."
        )
    return notes


def _same_rows(
    results: Sequence[RegressionResult], names: Sequence[str], best: Sequence[int]
) -> list[str]:
    """Warn where equal numbers of rows may be different rows."""
    dropped = [i for i in best if results[i].fit.get("n_dropped")]
    columns = {frozenset(results[i].encoding.formula.columns) for i in best}
    if not dropped or len(columns) == 1:
        return []
    return [
        f"Rows with missing values were left out of {joined([names[i] for i in dropped])} by other "
        "columns in each model: make sure that the rows are the same before AIC is compared."
    ]
