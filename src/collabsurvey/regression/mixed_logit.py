"""Mixed logistic regression: yes or no, of people in schools.

Adaptive Gauss-Hermite quadrature around each group's mode, all groups at once (see
`numerics.glmm`). Numbers agree with lme4's glmer.
"""

from __future__ import annotations

from typing import Any

from collabsurvey.regression.formula import Formula
from collabsurvey.regression.generalized_mixed import fit_mixed_generalized
from collabsurvey.regression.generalized_result import MixedGeneralizedResult


def mixed_logit(
    formula: str | Formula,
    data: Any,
    *,
    n_quad: int = 7,
    weights: str | None = None,
    conf_level: float = 0.95,
) -> MixedGeneralizedResult:
    """Logistic regression with random intercepts and slopes of one grouping factor.

    Parameters
    ----------
    formula : str
        Such as "stayed ~ trust + (1 | school)" with an outcome of 0 and 1 (or True and False), or
        "cbind(yes, no) ~ trust + (1 | school)" with counts of both in each row.
    data : frame
        pandas, polars (eager or lazy), DuckDB, PyArrow or Dask. Rows with a missing value in
        a column of the model are left out and counted.
    n_quad : int
        Points of the adaptive quadrature in each direction of the random effects. 1 is Laplace's
        approximation, lme4's default; it underestimates the variance where groups are small.
        The default of 7 is where the log-likelihood of usual data stops changing in the fourth
        decimal. With random slopes the points multiply; 1000 for each group are the most.
    weights : str, optional
        Column of how many rows each row stands for, 0 or more; they are not weights of a survey.
    conf_level : float
        Level of the intervals (Wald, normal).

    Returns
    -------
    MixedGeneralizedResult
        `.estimates` are log odds; `.ratios` odds ratios between rows of one group;
        `.population_average` the same for averages over groups; `.variance_components`,
        `.random_effects`, `.vcov`, `.wald()`, `.predict()`. `.fit` has also `icc`, `r2_marginal`,
        `r2_conditional`, `loglik_without_random` and, where `n_quad` is above 1, `loglik_lme4`:
        lme4's number, which leaves out constants and can be compared neither with its own
        Laplace likelihood nor with that of other programs. `loglik`, AIC and BIC here are of the
        full likelihood whatever `n_quad` is, and can be.

    Raises
    ------
    NotSupportedError
        Nested or crossed grouping factors, several random terms, `mm()`.
    DataError
        An outcome that is not 0 and 1, or never varies, or not within any group; perfect
        separation, naming the predictor; constant or aliased terms; one group.

    Warns
    -----
    SingularFitWarning
        A variance at zero or a correlation at ±1.
    ConvergenceWarning
        The optimum was not reached.
    FewClustersWarning
        Fewer than 5 groups.

    Notes
    -----
    Standard errors are from the observed information of coefficients and variances together, as
    lme4's; R² and ICC are those of Nakagawa, Johnson & Schielzeth (2017,
    doi:10.1098/rsif.2017.0213) with a row's variance of pi^2 / 3, the theoretical one, and the
    variance of slopes as Johnson (2014, doi:10.1111/2041-210X.12225). Each row of `cbind()` counts
    once in them, as in the R package performance, whatever its number of trials.

    Sources: Pinheiro & Bates (1995), doi:10.1080/10618600.1995.10474663; Bates, Mächler, Bolker &
    Walker (2015), doi:10.18637/jss.v067.i01; Hedeker, du Toit, Demirtas & Gibbons (2018),
    doi:10.1111/biom.12707, for the averages over groups.
    """
    return fit_mixed_generalized(
        "mixed_logit",
        formula,
        data,
        family="binomial",
        n_quad=n_quad,
        weights=weights,
        conf_level=conf_level,
    )
