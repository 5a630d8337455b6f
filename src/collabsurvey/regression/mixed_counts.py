"""Mixed models of counts: how often, of people in schools."""

from __future__ import annotations

from typing import Any, Literal

from collabsurvey.errors import OptionError
from collabsurvey.regression.formula import Formula
from collabsurvey.regression.generalized_mixed import fit_mixed_generalized
from collabsurvey.regression.generalized_result import MixedGeneralizedResult

CountFamily = Literal["poisson", "negbin"]
COUNT_FAMILIES: tuple[CountFamily, ...] = ("poisson", "negbin")


def mixed_counts(
    formula: str | Formula,
    data: Any,
    *,
    family: CountFamily = "poisson",
    n_quad: int = 7,
    weights: str | None = None,
    conf_level: float = 0.95,
) -> MixedGeneralizedResult:
    """Count regression with a log link and random intercepts and slopes of one grouping factor.

    Parameters
    ----------
    formula : str
        Such as "meetings ~ trust + offset(log(months)) + (1 | school)".
    data : frame
        pandas, polars (eager or lazy), DuckDB, PyArrow or Dask. Rows with a missing value in
        a column of the model are left out and counted.
    family : str
        "poisson" (default, for it has nothing to estimate but the mean; the notes say if counts
        vary more), or "negbin": variance mean + mean² / shape, the shape in
        `.fit["negbin_shape"]`.
    n_quad, weights, conf_level
        As in `mixed_logit`.

    Returns
    -------
    MixedGeneralizedResult
        As `mixed_logit`'s, with rate ratios. `.fit` has also `dispersion_ratio`: Pearson's
        chi-square at the groups' modes over rows less parameters. Where most counts are below 1
        it is a rough guide only.

    Raises
    ------
    DataError
        Negative counts or fractions; otherwise as `mixed_logit`.

    Warns
    -----
    SingularFitWarning, ConvergenceWarning, FewClustersWarning
        As `mixed_logit`.

    Notes
    -----
    R² and ICC: Nakagawa, Johnson & Schielzeth (2017), doi:10.1098/rsif.2017.0213, with the
    trigamma function for a row's variance, at the mean of the counts. The curvature at the modes of
    the negative binomial is the observed one, as in glmmTMB; lme4's glmer.nb takes the expected
    one, and its Laplace likelihood differs in the third digit or so.
    """
    if family not in COUNT_FAMILIES:
        raise OptionError("family", family, allowed=COUNT_FAMILIES)
    return fit_mixed_generalized(
        "mixed_counts",
        formula,
        data,
        family=family,
        n_quad=n_quad,
        weights=weights,
        conf_level=conf_level,
    )
