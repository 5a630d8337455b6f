"""Tables of an alignment: means of the groups, parameters, and how far each is the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from collabsurvey.invariance.configural import FactorPart
from collabsurvey.invariance.invariant_sets import differs_from_average, explained, invariant_set
from collabsurvey.invariance.simplicity import Aligned, Unaligned
from collabsurvey.numerics.intervals import normal_quantile
from collabsurvey.numerics.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class SolvedFactor:
    """One factor, aligned."""

    part: FactorPart
    problem: Unaligned
    aligned: Aligned
    cov: FloatArray  # (2G, 2G) of log sds and means
    value_cov: FloatArray  # (m, G, G) of every aligned parameter
    criterion: float  # in the units of the paper

    @property
    def sign(self) -> FloatArray:
        """-1 (m,) for thresholds, which were turned to be aligned."""
        out = np.ones(len(self.part.names))
        if self.part.turned:
            out[len(self.part.items) :] = -1.0
        return out

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Place of every parameter, and how it is called."""
        part, p = self.part, len(self.part.items)
        cut = "threshold" if part.turned else "intercept"
        for i, name in enumerate(part.names):
            item = part.items[i if i < p else part.cut_item[i - p]]
            kind = "loading" if i < p else cut
            yield i, {"factor": part.factor, "item": item, "parameter": name, "kind": kind}


def means_frame(
    solved: Sequence[SolvedFactor],
    labels: Sequence[str],
    n: FloatArray,
    reference: int,
    conf_level: float,
) -> pd.DataFrame:
    """Mean and variance of every group, and its difference from the reference."""
    import pandas as pd

    reach = normal_quantile(0.5 + conf_level / 2)
    g, parts = len(labels), []
    for one in solved:
        mean, log_sd = one.aligned.mean, one.aligned.log_sd
        errors = _root(np.diag(one.cov))
        variance = np.exp(2 * log_sd)
        difference = (mean - mean[reference]) * np.exp(-log_sd[reference])
        change = np.zeros((g, 2 * g))
        change[:, reference] = -difference
        change[:, g:] = np.exp(-log_sd[reference]) * (np.eye(g) - np.eye(g)[reference])
        apart = _root(np.einsum("gi,ij,gj->g", change, one.cov, change))
        apart[reference] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(apart > 0, difference / apart, np.nan)
        parts.append(
            pd.DataFrame(
                {
                    "factor": one.part.factor,
                    "group": list(labels),
                    "n_respondents": n.astype(int),
                    "mean": mean,
                    "std_error": errors[g:],
                    "ci_low": mean - reach * errors[g:],
                    "ci_high": mean + reach * errors[g:],
                    "variance": variance,
                    "variance_error": 2 * variance * errors[:g],
                    "difference": difference,
                    "difference_error": apart,
                    "p_value": 2 * special.ndtr(-np.abs(z)),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def parameter_frame(solved: Sequence[SolvedFactor], labels: Sequence[str]) -> pd.DataFrame:
    """Every parameter of every group, and whether it is the same as in the others."""
    import pandas as pd

    parts = []
    for one in solved:
        raw, sign = one.problem.stacked, one.sign
        for i, names in one.rows():
            values, cov = one.aligned.values[i], one.value_cov[i]
            same = invariant_set(values, cov)
            parts.append(
                pd.DataFrame(
                    {
                        **names,
                        "group": list(labels),
                        "configural": sign[i] * raw[i],
                        "estimate": sign[i] * values,
                        "std_error": _root(np.diag(cov)),
                        "p_value": differs_from_average(values, cov, same),
                        "invariant": same,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def item_frame(
    solved: Sequence[SolvedFactor], labels: Sequence[str], parameters: pd.DataFrame
) -> pd.DataFrame:
    """Average of every parameter where it is the same, and what the factor explains of it.

    R2 (Asparouhov & Muthén, 2014, eqs. 13 and 14): the configural values compared with those
    that the average parameters would have under each group's mean and variance.
    """
    import pandas as pd

    same = parameters["invariant"].to_numpy(dtype=bool).reshape(-1, len(labels))
    rows, place = [], 0
    for one in solved:
        p = len(one.part.items)
        values, raw = one.aligned.values, one.problem.stacked
        within = same[place : place + len(values)]
        average = np.array([v[s].mean() for v, s in zip(values, within, strict=True)])
        sd, mean = np.exp(one.aligned.log_sd), one.aligned.mean
        for i, names in one.rows():
            own = average[i] if i < p else average[one.part.cut_item[i - p]]
            expected = sd * own if i < p else average[i] + mean * own
            apart = [name for name, inside in zip(labels, within[i], strict=True) if not inside]
            rows.append(
                {
                    **names,
                    "average": float(one.sign[i] * average[i]),
                    "n_invariant": int(within[i].sum()),
                    "n_groups": len(labels),
                    "r2": explained(raw[i], expected),
                    "differs_in": ", ".join(apart),
                }
            )
        place += len(values)
    return pd.DataFrame(rows)


def _root(variance: FloatArray) -> FloatArray:
    """Standard errors; rounding below zero counts as zero."""
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))
