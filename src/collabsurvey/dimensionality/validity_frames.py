"""Tidy frames of the validity of factors: one row a factor, one row a pair of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from collabsurvey.dimensionality.overlap import Overlap, pair_frame
from collabsurvey.dimensionality.sem import validity_kernels as kernels
from collabsurvey.dimensionality.sem.validity_kernels import DeltaErrors, Measurement
from collabsurvey.numerics.typing import FloatArray


def factor_frame(
    given: Measurement, errors: DeltaErrors | None, measured: Overlap, conf_level: float
) -> pd.DataFrame:
    """One row a factor; what a single item cannot tell is missing."""
    m = len(given.factors)
    ave, cr = kernels.average_variance_extracted(given), kernels.composite_reliability(given)
    blank = np.full(m, np.nan)
    ave_error = blank if errors is None else errors.ave
    cr_error = blank if errors is None else errors.composite_reliability
    omega_total, omega_model, omega_observed = kernels.omegas(given)
    columns = {
        "ave": ave,
        "ave_std_error": ave_error,
        **_limits("ave", ave, ave_error, conf_level, special.logit, special.expit),
        "composite_reliability": cr,
        "composite_reliability_std_error": cr_error,
        **_limits("composite_reliability", cr, cr_error, conf_level, special.logit, special.expit),
        "average_r": np.diag(measured.average_r),
        "alpha": kernels.alpha(given),
        "coefficient_h": kernels.coefficient_h(given),
        "omega_total": omega_total,
        "omega_model": omega_model,
        "omega_observed": omega_observed,
        "ave_raw": kernels.raw_variance_extracted(given, given.cov),
        "ave_observed": kernels.raw_variance_extracted(given, given.sample_cov),
    }
    k = given.member.sum(axis=0)
    frame = pd.DataFrame({"factor": list(given.factors), "n_items": k})
    for name, values in columns.items():
        frame[name] = np.where(k > 1, values, np.nan)
    phi = kernels.factor_correlations(given)
    apart = np.where(np.eye(m, dtype=bool), -1.0, np.abs(phi))
    nearest = apart.argmax(axis=1)
    frame["closest"] = [given.factors[j] if m > 1 else None for j in nearest]
    frame["correlation"] = phi[np.arange(m), nearest] if m > 1 else np.nan
    return frame


def factor_pair_frame(
    given: Measurement, errors: DeltaErrors | None, measured: Overlap, conf_level: float
) -> pd.DataFrame:
    """One row a pair of factors: what the model says of it, then HTMT."""
    i, j = np.triu_indices(len(given.factors), 1)
    phi = kernels.factor_correlations(given)[i, j]
    error = np.full(len(phi), np.nan) if errors is None else errors.correlation
    single = given.member.sum(axis=0) < 2
    ave = np.where(single, np.nan, kernels.average_variance_extracted(given))
    least = np.minimum(ave[i], ave[j])
    htmt = pair_frame(given.factors, measured)
    frame = htmt[["factor_1", "factor_2"]].copy()
    frame["correlation"] = phi
    frame["correlation_std_error"] = error
    for name, values in _limits("correlation", phi, error, conf_level, np.arctanh, np.tanh).items():
        frame[name] = values
    frame["shared_variance"] = phi**2
    frame["fornell_larcker"] = pd.Series(
        [None if np.isnan(a) else bool(a > r**2) for a, r in zip(least, phi, strict=True)],
        dtype=object,
    )
    # How strong it may be, for the notes: on the raw scale, where it can reach 1.
    z = float(special.ndtri((1 + conf_level) / 2))
    frame["reach"] = np.abs(phi) + (0.0 if errors is None else z * error)
    return pd.concat([frame, htmt.drop(columns=["factor_1", "factor_2"])], axis=1)


def _limits(
    name: str,
    estimate: FloatArray,
    std_error: FloatArray,
    conf_level: float,
    there: Any,
    back: Any,
) -> dict[str, FloatArray]:
    """Limits on a scale where the estimate is unbounded; NaN for estimates out of bounds."""
    z = float(special.ndtri((1 + conf_level) / 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = there(estimate)
        slope = 1 - estimate**2 if there is np.arctanh else estimate * (1 - estimate)
        reach = np.where(np.isfinite(centre), z * std_error / slope, np.nan)
        return {f"{name}_ci_low": back(centre - reach), f"{name}_ci_high": back(centre + reach)}
