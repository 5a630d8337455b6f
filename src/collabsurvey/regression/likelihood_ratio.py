"""Likelihood ratio tests of mixed models, with the distribution that variances at zero have."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import DataError, NotSupportedError, OptionError, listed
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.call_checks import check_whole, require_kind
from collabsurvey.regression.likelihood_ratio_null import null_statistics
from collabsurvey.regression.linear import LinearResult
from collabsurvey.regression.mixed_blocks_of import FittedBlocks, fitted_blocks
from collabsurvey.regression.mixed_result import MixedResult, RandomPart
from collabsurvey.results import Result, table_from_frame

Method = Literal["chi-bar", "simulation"]
METHODS: tuple[str, ...] = ("chi-bar", "simulation")
SEED = 20240901
# The standard error of a simulated p-value of .05 is then .0034.
N_DRAWS = 4000
FEWEST_DRAWS = 100
SAME = 1e-8  # relative difference of two sums of squares that is rounding
SAME_PRODUCTS = 1e-6  # the same for products of terms, which come from an inverse

Element = tuple[str, str, str]  # grouping factor and two effects; a variance if they are one


@dataclass(frozen=True, eq=False)
class LikelihoodRatioResult(Result):
    """A likelihood ratio test of one model against a larger one.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log-likelihoods.
    df, weights : tuple
        The chi-squares that the null distribution mixes, and their shares; empty where it was
        simulated.
    p_value : float
    p_value_naive : float
        Of a chi-square with all the parameters as df, which is too large for variances.
    criterion : str
        "REML" or "maximum likelihood".
    """

    smaller: str
    larger: str
    loglik_smaller: float
    loglik_larger: float
    statistic: float
    n_parameters: int  # that the larger model has more
    df: tuple[int, ...]
    weights: tuple[float, ...]
    p_value: float
    p_value_naive: float
    criterion: str
    method: str
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a model; the test stands in that of the larger one."""
        return pd.DataFrame(
            {
                "model": [self.smaller, self.larger],
                "loglik": [self.loglik_smaller, self.loglik_larger],
                "statistic": [np.nan, self.statistic],
                "df": [np.nan, float(self.n_parameters)],
                "p_value": [np.nan, self.p_value],
            }
        )

    def table(self) -> Table:
        """Return the test as a reader is shown it."""
        title = f"Likelihood ratio test ({self.criterion})"
        return table_from_frame(self.to_frame(), title, notes=self.notes, labels={"p_value": "p"})

    def chart(self) -> Chart:
        """Return the two log-likelihoods."""
        return dot_chart(
            [self.smaller, self.larger],
            [self.loglik_smaller, self.loglik_larger],
            title=f"Likelihood ratio test ({self.criterion})",
            axis="log-likelihood",
        )


def likelihood_ratio(
    smaller: MixedResult | LinearResult,
    larger: MixedResult,
    *,
    method: Method = "chi-bar",
    n_draws: int = N_DRAWS,
    seed: int = SEED,
) -> LikelihoodRatioResult:
    """Likelihood ratio test of a model within a larger one, from the same rows.

    Parameters
    ----------
    smaller, larger : results
        Of `mixed`; the smaller one may be of `ols`. The larger one holds all that it does.
    method : str
        "chi-bar" (default): a variance cannot be below zero, so that in half of all samples
        without one the larger model fits no better. One further variance with c covariances mixes
        chi-squares of c and c + 1 df in equal shares; k separate ones mix 0 to k df in binomial
        shares.
        "simulation": outcomes are drawn from the smaller model and both are fitted to each; one
        grouping factor, the same coefficients. Exact but for the number of draws, and the one to
        use with fewer than about 20 groups or for several correlated variances at once.
    n_draws, seed : int
        Of the simulation.

    Returns
    -------
    LikelihoodRatioResult
        `.statistic`, `.p_value`, `.df` and `.weights` of the mixture.

    Raises
    ------
    DataError
        Models of different rows, weights, offsets or outcomes, or not within each other.
    NotSupportedError
        A simulation with several grouping factors or different coefficients; a structure of the
        residuals, which `.residual_test` tests.

    Notes
    -----
    Models with the same coefficients are compared by REML if both were fitted by it; else both are
    fitted by maximum likelihood, from their products, and the notes say so (as lme4's `anova`).
    Sources: Self & Liang (1987), doi:10.1080/01621459.1987.10478472; Stram & Lee (1994),
    doi:10.2307/2533455; Crainiceanu & Ruppert (2004), doi:10.1111/j.1467-9868.2004.00438.x, who
    show that with few groups the share of zeros is above one half, so that the mixture errs to
    the safe side. lmerTest's `ranova` uses the naive chi-square.
    """
    if method not in METHODS:
        raise OptionError("method", method, allowed=METHODS)
    check_whole("n_draws", n_draws, least=FEWEST_DRAWS)
    check_whole("seed", seed, least=0)
    added = require_nested(smaller, larger)
    more = len(larger.terms) - len(smaller.terms)
    reml = more == 0 and larger.reml and getattr(smaller, "reml", True)
    require_same_rows(smaller, larger)
    of_larger = fitted_blocks(larger, reml=reml)
    minus2 = minus_twice(smaller, of_larger, reml=reml, same_fixed=more == 0)
    statistic = max(minus2 - of_larger.minus2, 0.0)
    notes = [_refitted(smaller, larger, reml=reml)]
    variances = [e for e in added if e[1] == e[2]]
    naive = float(chdtrc(more + len(added), statistic)) if statistic > 0 else 1.0
    df: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    if method == "simulation":
        drawn = null_statistics(smaller, of_larger, more=more, n_draws=n_draws, seed=seed)
        p_value = (1 + int((drawn >= statistic * (1 - SAME)).sum())) / (1 + n_draws)
        notes.append(f"The p-value rests on {n_draws} draws from the smaller model (seed {seed}).")
    else:
        df, weights = mixture(more, n_variances=len(variances), n_added=len(added))
        p_value = mixture_tail(statistic, df, weights)
        notes.append(_of_mixture(df, weights, variances, n_added=len(added)))
    return LikelihoodRatioResult(
        smaller=smaller.formula,
        larger=larger.formula,
        loglik_smaller=-minus2 / 2,
        loglik_larger=-of_larger.minus2 / 2,
        statistic=statistic,
        n_parameters=more + len(added),
        df=df,
        weights=weights,
        p_value=p_value,
        p_value_naive=naive,
        criterion="REML" if reml else "maximum likelihood",
        method=method,
        notes=tuple(note for note in notes if note),
    )


def mixture(
    more: int, *, n_variances: int, n_added: int
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Chi-squares of the null distribution and their shares.

    `more` further coefficients, and `n_added` further variances and covariances.
    """
    covariances = n_added - n_variances
    if n_variances == 0:
        return (more + covariances,), (1.0,)
    if n_variances == 1:
        return (more + covariances, more + covariances + 1), (0.5, 0.5)
    if covariances == 0:
        shares = [comb(n_variances, j) / 2**n_variances for j in range(n_variances + 1)]
        return tuple(more + j for j in range(n_variances + 1)), tuple(shares)
    return (more + n_added,), (1.0,)


def mixture_tail(statistic: float, df: tuple[int, ...], weights: tuple[float, ...]) -> float:
    """Probability of a larger statistic; a chi-square of 0 df is a point at zero."""
    if statistic <= 0:
        return 1.0
    pairs = zip(df, weights, strict=True)
    return float(sum(share * float(chdtrc(d, statistic)) for d, share in pairs if d > 0))


def elements(result: MixedResult | LinearResult) -> set[Element]:
    """Variances and covariances of the random effects of a model."""
    found: set[Element] = set()
    for part in result.parts if isinstance(result, MixedResult) else ():
        for i, first in enumerate(part.terms):
            others = part.terms[: i + 1] if part.term.correlated else (first,)
            found |= {(factor(part), *sorted((first, other))) for other in others}  # type: ignore[misc]
    return found


def factor(part: RandomPart) -> str:
    """The grouping factor, of mm() with its weights, its columns in alphabetical order."""
    term = part.term
    if not term.multiple_membership:
        return part.group
    if not term.membership_weights:
        return f"mm({', '.join(sorted(term.group))})"
    columns, weights = zip(
        *sorted(zip(term.group, term.membership_weights, strict=True)), strict=True
    )
    return f"mm({', '.join(columns)}, weights=({', '.join(weights)}))"


def require_nested(smaller: MixedResult | LinearResult, larger: MixedResult) -> list[Element]:
    """Refuse models that are not within each other; what the larger one adds to the random part."""
    if not isinstance(larger, MixedResult):
        raise DataError("likelihood_ratio() needs a larger model of mixed().")
    of = "mixed() or ols() as the smaller model"
    require_kind("likelihood_ratio", smaller, MixedResult, LinearResult, of=of)
    require_same_residuals(smaller, larger)
    if smaller.outcome != larger.outcome or smaller.fit["n_obs"] != larger.fit["n_obs"]:
        raise DataError(
            f"The models rest on different data: {smaller.outcome} in {smaller.fit['n_obs']} rows, "
            f"{larger.outcome} in {larger.fit['n_obs']} rows. Fit both to the rows that have every "
            "column of the larger one."
        )
    if missing := [term for term in smaller.terms if term not in larger.terms]:
        raise DataError(
            f"The larger model lacks {listed(missing)}, so that the smaller one is not within it. "
            "Hand in the smaller model first."
        )
    offsets = [set(model.encoding.formula.offsets) for model in (smaller, larger)]
    if offsets[0] != offsets[1]:
        raise DataError("The offsets of the models differ, so that neither is within the other.")
    has, within = elements(larger), elements(smaller)
    if lost := sorted({group for group, *_ in within - has}):
        raise DataError(
            f"The larger model lacks random effects of {listed(lost)} that the smaller one has, so "
            "that the smaller one is not within it. Hand in the smaller model first."
        )
    added = sorted(has - within)
    if not added and len(smaller.terms) == len(larger.terms):
        raise DataError("The two models are the same; there is nothing to test.")
    return added


def require_same_residuals(smaller: MixedResult | LinearResult, larger: MixedResult) -> None:
    """Refuse models with a structure of their residuals, and say what tests one."""
    structures = [
        model.residual.structure.text if isinstance(model, MixedResult) and model.residual else None
        for model in (smaller, larger)
    ]
    if structures[0] != structures[1]:
        words = [f"residual={text!r}" if text else "independent residuals" for text in structures]
        which = "larger model" if structures[1] else "model that has it"
        raise NotSupportedError(
            f"A likelihood ratio test of a model with {words[0]} against one with {words[1]}",
            instead=f"A structure of the residuals is tested by `.residual_test` of the {which}.",
        )
    larger.require_plain_residuals("A likelihood ratio test")


def require_same_rows(smaller: MixedResult | LinearResult, larger: MixedResult) -> None:
    """Refuse other rows or weights, which show in sums over the rows.

    Those of products of the terms of the smaller model and the outcome; with the same terms, also
    that of squares that least squares leaves.
    """
    place = [*(larger.terms.index(term) for term in smaller.terms), len(larger.terms)]
    own, other = sums_of_products(smaller), sums_of_products(larger)[np.ix_(place, place)]
    size = np.sqrt(np.diag(other))
    if (np.abs(own - other) > SAME_PRODUCTS * np.outer(size, size)).any():
        raise DataError(
            "The models rest on different rows or weights: the sums of products of the outcome "
            "and the terms that they share differ. Fit both to the same rows, with the same "
            "weights."
        )
    if len(smaller.terms) < len(larger.terms):
        return
    left = [_left_over(model) for model in (smaller, larger)]
    if abs(left[0] - left[1]) > SAME * left[1]:
        raise DataError(
            "The models rest on different rows or weights: their terms are the same and "
            "what least squares leaves is not. Fit both to the same rows."
        )


def sums_of_products(result: MixedResult | LinearResult) -> FloatArray:
    """[X, y]'W[X, y] (p + 1, p + 1), from the basis on which X'WX is the identity."""
    size = np.linalg.norm(result.basis, axis=1)
    root = np.linalg.inv(result.basis / size[:, None]) / size
    fitted = result.coefficients  # by least squares
    if isinstance(result, MixedResult):
        fitted = fitted - result.basis @ result.optimiser.at.beta * result.e_scale
    found = np.column_stack((root, root @ fitted))
    products = found.T @ found
    products[-1, -1] += _left_over(result)
    return np.asarray(products)


def _left_over(result: MixedResult | LinearResult) -> float:
    """Sum of squares that least squares leaves."""
    if isinstance(result, MixedResult):
        return float(result.products.ee) * result.e_scale**2
    return float(result.fit["sigma"]) ** 2 * int(result.fit["df_residual"])


def minus_twice(
    smaller: MixedResult | LinearResult, larger: FittedBlocks, *, reml: bool, same_fixed: bool
) -> float:
    """-2 log-likelihood of the smaller model by the criterion of the comparison."""
    if isinstance(smaller, MixedResult):
        return fitted_blocks(smaller, reml=reml).minus2
    if same_fixed:
        zero = tuple(np.zeros_like(lower) for lower in larger.lowers)
        return larger.products.evaluate(zero).criterion + larger.correction
    return -2 * float(smaller.fit["loglik"])


def _refitted(smaller: MixedResult | LinearResult, larger: MixedResult, *, reml: bool) -> str:
    """Say which models were fitted again."""
    models = [smaller, larger] if isinstance(smaller, MixedResult) else [larger]
    if reml or not any(model.reml for model in models):
        return ""
    if len(smaller.terms) != len(larger.terms):
        return (
            "REML likelihoods of models with different coefficients cannot be compared: fitted "
            "again by maximum likelihood."
        )
    return "One model was fitted by REML and one not: both by maximum likelihood here."


def _of_mixture(
    df: tuple[int, ...], weights: tuple[float, ...], variances: list[Element], *, n_added: int
) -> str:
    """Say what the p-value rests on."""
    if not variances:
        return f"Chi-square with {df[0]} df."
    if len(df) == 1:
        return (
            f"{len(variances)} variances with covariances are added at once, for which no mixture "
            f"is known: the p-value of a chi-square with {df[0]} df is too large. Use "
            'method="simulation".'
        )
    shares = " + ".join(f"{w:g} χ²({d})" for d, w in zip(df, weights, strict=True))
    sentence = f"A variance cannot be below zero: the null distribution is {shares}."
    if len(variances) > 1:
        sentence += " It takes the estimates of the variances as unrelated."
    return sentence
