"""How scales overlap: HTMT, HTMT2 and mean correlations, with limits from resamples."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from collabsurvey.dimensionality.options import check_whole
from collabsurvey.dimensionality.validity_words import reading
from collabsurvey.errors import FewClustersWarning, OptionError
from collabsurvey.moments.resampled import Resampler, resampler
from collabsurvey.moments.respondents import cluster_column
from collabsurvey.numerics import htmt as ratios
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.responses.responses import Responses

SEED = 20260901
N_BOOT = 1000  # limits then move by about .005 from seed to seed
FEW_CLUSTERS = 10
FEWEST_DRAWS = 100  # fewer have no 95 % limits to speak of
FEWEST_KEPT = 0.9  # share of resamples with an HTMT below which there are no limits


@dataclass(frozen=True, eq=False)
class Overlap:
    """HTMT, HTMT2 and mean correlations of m scales, with percentile limits."""

    htmt: FloatArray  # (m, m)
    htmt_limits: FloatArray  # (2, m, m) NaN where there are none
    htmt2: FloatArray  # (m, m)
    htmt2_limits: FloatArray  # (2, m, m)
    average_r: FloatArray  # (m, m) signed; within scales on the diagonal
    n_kept: int  # resamples behind the limits


def overlap(
    cor: FloatArray,
    member: BoolArray,
    *,
    absolute: bool,
    draws: Iterable[FloatArray] = (),
    conf_level: float = 0.95,
) -> Overlap:
    """Measure how scales overlap, from (k, k) correlations of turned items and (b, k, k) draws."""
    estimate = ratios.htmt(cor, member, absolute=absolute)
    estimate2 = ratios.htmt2(cor, member)
    defined = np.isfinite(estimate)
    drawn, drawn2, n_draws = [], [], 0
    for block in draws:
        n_draws += len(block)
        one = ratios.htmt(block, member, absolute=absolute)
        kept = np.isfinite(one[:, defined]).all(axis=1)
        drawn.append(one[kept])
        drawn2.append(ratios.htmt2(block[kept], member))
    m = len(estimate)
    n_kept = sum(map(len, drawn))
    limits = limits2 = np.full((2, m, m), np.nan)
    if n_draws and n_kept >= max(FEWEST_KEPT * n_draws, 2):
        tail = (1 - conf_level) / 2
        limits, limits2 = (
            np.quantile(np.concatenate(parts), [tail, 1 - tail], axis=0)
            for parts in (drawn, drawn2)
        )
    return Overlap(estimate, limits, estimate2, limits2, ratios.pair_means(cor, member), n_kept)


def pair_frame(names: Sequence[str], found: Overlap) -> pd.DataFrame:
    """One row a pair of scales: HTMT and HTMT2 with limits, mean correlation, reading."""
    i, j = np.triu_indices(len(names), 1)
    frame = pd.DataFrame(
        {
            "factor_1": np.array(names, dtype=object)[i],
            "factor_2": np.array(names, dtype=object)[j],
            "htmt": found.htmt[i, j],
            "htmt_ci_low": found.htmt_limits[0, i, j],
            "htmt_ci_high": found.htmt_limits[1, i, j],
            "htmt2": found.htmt2[i, j],
            "htmt2_ci_low": found.htmt2_limits[0, i, j],
            "htmt2_ci_high": found.htmt2_limits[1, i, j],
            "average_r": found.average_r[i, j],
        }
    )
    frame["reading"] = [
        reading(x, high) for x, high in zip(frame["htmt"], frame["htmt_ci_high"], strict=True)
    ]
    return frame


def square(pairs: pd.DataFrame, quantity: str, names: Sequence[str]) -> pd.DataFrame:
    """A column of a frame of pairs as a symmetric matrix with ones on its diagonal."""
    if quantity not in pairs.columns[2:] or not pd.api.types.is_numeric_dtype(pairs[quantity]):
        numbers = pairs.select_dtypes("number").columns
        raise OptionError("quantity", quantity, allowed=tuple(numbers))
    out = pd.DataFrame(np.eye(len(names)), index=list(names), columns=list(names))
    for a, b, x in zip(pairs["factor_1"], pairs["factor_2"], pairs[quantity], strict=True):
        out.loc[a, b] = out.loc[b, a] = x
    return out


def pair_names(pairs: pd.DataFrame) -> list[str]:
    """Names of the pairs, as tables show them."""
    return [f"{a} – {b}" for a, b in zip(pairs["factor_1"], pairs["factor_2"], strict=True)]


def check_draws(n_boot: int) -> None:
    """Refuse numbers of resamples that give no percentile limits."""
    check_whole("n_boot", n_boot, least=0)
    if n_boot and n_boot < FEWEST_DRAWS:
        raise OptionError("n_boot", n_boot, allowed=(0, f"{FEWEST_DRAWS} or more"))


def drawn_rows(responses: Responses, items: Sequence[str], *, cluster: str | None) -> Resampler:
    """Complete rows, drawn one by one or by the cluster; items as answered."""
    column = cluster_column(responses, cluster)
    return resampler(responses, items, cluster=column, keyed=False)


def warn_few_clusters(rows: Resampler) -> None:
    """Warn where the limits rest on a handful of clusters."""
    if rows.codes is not None and rows.n_units < FEW_CLUSTERS:
        warnings.warn(
            f"Only {rows.n_units} clusters ({rows.cluster!r}): the limits of HTMT are rough, and "
            "rather too close.",
            FewClustersWarning,
            stacklevel=3,
        )


def resampling_notes(rows: Resampler, n_boot: int, n_kept: int, conf_level: float) -> list[str]:
    """How the limits came about, and what was lost."""
    if n_kept < max(FEWEST_KEPT * n_boot, 2):
        return [
            f"No intervals: HTMT is defined in only {n_kept} of {n_boot} resamples, because items "
            "hardly vary or scales hardly hold together."
        ]
    if rows.codes is None:
        unit = "respondents"
    else:
        unit = f"whole clusters ({rows.n_units} of {rows.cluster!r})"
    notes = [f"Intervals: {conf_level:.0%} percentile limits of {n_kept} resamples of {unit}."]
    if lost := n_boot - n_kept:
        notes[0] += f" {lost} resamples had no HTMT and are left out."
    if rows.n_without_cluster:
        notes.append(
            f"{rows.n_without_cluster} rows without {rows.cluster!r} are left out of the intervals."
        )
    if rows.codes is not None and rows.n_units < FEW_CLUSTERS:
        notes.append(
            f"Only {rows.n_units} clusters: the intervals are rough, and rather too short."
        )
    return notes
