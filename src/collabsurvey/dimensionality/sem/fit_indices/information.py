"""Log-likelihood and information criteria.

Sources: Akaike (1974) doi:10.1109/TAC.1974.1100705; Schwarz (1978) doi:10.1214/aos/1176344136;
Sclove (1987) doi:10.1007/BF02294360 for the sample-size adjusted BIC, lavaan's bic2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, nan, pi

import numpy as np

from collabsurvey.dimensionality.sem.sample import Sample
from collabsurvey.numerics.typing import FloatArray, IntArray

HALF_LOG_2PI = log(2 * pi) / 2


@dataclass(frozen=True)
class Likelihood:
    """Log-likelihoods of model and saturated model, with the scaling of robust ML."""

    loglik: float
    saturated: float
    factor: float = nan  # lavaan's scaling.factor.h0: tr(H^-1 J) over the number of parameters
    saturated_factor: float = nan  # scaling.factor.h1


def saturated_loglik(
    samples: Sequence[Sample], covariates: Sequence[IntArray] | None = None
) -> float:
    """Normal log-likelihood of complete answers at their own moments.

    `covariates` holds for each group the places of exogenous observed variables, whose own
    likelihood does not count: the rest is given them. The model's is this less half the
    discrepancy per respondent times their number.
    """
    total = 0.0
    for g, sample in enumerate(samples):
        total += _own(sample.cov, sample.n)
        if covariates is not None and len(covariates[g]):
            total -= _own(sample.cov[np.ix_(covariates[g], covariates[g])], sample.n)
    return total


def _own(cov: FloatArray, n: float) -> float:
    p = len(cov)
    return -n / 2 * (p * log(2 * pi) + float(np.linalg.slogdet(cov)[1]) + p)


def aic(loglik: float, n_parameters: int) -> float:
    """Akaike's criterion."""
    return 2.0 * n_parameters - 2.0 * loglik


def bic(loglik: float, n_parameters: int, n: float) -> float:
    """Schwarz's criterion; n counts all respondents, also with a Wishart likelihood."""
    return n_parameters * log(n) - 2.0 * loglik


def sabic(loglik: float, n_parameters: int, n: float) -> float:
    """Schwarz's criterion with (n + 2) / 24 respondents (Sclove, 1987)."""
    return n_parameters * log((n + 2.0) / 24.0) - 2.0 * loglik
