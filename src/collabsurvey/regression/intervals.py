"""Intervals of everything a mixed model estimates: variances, correlations, coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import NotSupportedError, OptionError, check_level
from collabsurvey.numerics.mixed_bootstrap import Refits, refits, too_large_to_draw
from collabsurvey.numerics.profile import profile_intervals
from collabsurvey.numerics.profile_wald import wald_intervals
from collabsurvey.numerics.student import critical_value
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.call_checks import check_whole, require_kind
from collabsurvey.regression.mixed_blocks_of import FittedBlocks, Piece, fitted_blocks
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.results import Result, table_from_frame

Method = Literal["profile", "bootstrap", "wald"]
METHODS: tuple[str, ...] = ("profile", "bootstrap", "wald")
# Percentiles of the tails need about a thousand draws (Efron & Tibshirani, 1993, ch. 13).
N_BOOT = 1000
FEWEST_DRAWS = 100
SEED = 20240901


@dataclass(frozen=True, eq=False)
class IntervalsResult(Result):
    """Intervals of a mixed model.

    Attributes
    ----------
    frame : DataFrame
        quantity ("sd", "correlation", "residual sd", "coefficient"), group, term1, term2,
        estimate, ci_low, ci_high; standard deviations and correlations as in
        `variance_components`, in its order, then the coefficients.
    method : str
        How the limits were found.
    draws : DataFrame or None
        Of the bootstrap: what each draw gave, one column for each row of `frame`.
    """

    frame: pd.DataFrame
    model: str
    method: str
    conf_level: float
    notes: tuple[str, ...]
    draws: pd.DataFrame | None = None

    def to_frame(self) -> pd.DataFrame:
        """Return the intervals."""
        return self.frame.copy()

    def _labels(self) -> list[str]:
        return [
            _label(quantity, group, term1, term2)
            for quantity, group, term1, term2 in self.frame.iloc[:, :4].itertuples(index=False)
        ]

    def table(self) -> Table:
        """Return the intervals as a reader is shown them."""
        shown = self.frame[["estimate", "ci_low", "ci_high"]].copy()
        shown.insert(0, "of", self._labels())
        level = f"{self.conf_level:.0%} CI low"
        labels = {"ci_low": level, "ci_high": "high"}
        return table_from_frame(
            shown, f"Intervals ({self.method}): {self.model}", notes=self.notes, labels=labels
        )

    def chart(self) -> Chart:
        """Return the standard deviations with their intervals; other numbers have other units."""
        rows = self.frame["quantity"].isin(["sd", "residual sd"])
        labels = [label for label, shown in zip(self._labels(), rows, strict=True) if shown]
        some = self.frame[rows]
        return interval_chart(
            labels,
            some["estimate"].tolist(),
            some["ci_low"].tolist(),
            some["ci_high"].tolist(),
            title=f"Standard deviations ({self.method})",
            axis=f"standard deviation, {self.conf_level:.0%} interval",
            reference=0.0,
        )


def intervals(
    result: MixedResult,
    *,
    method: Method = "profile",
    conf_level: float | None = None,
    n_boot: int = N_BOOT,
    seed: int = SEED,
) -> IntervalsResult:
    """Intervals of standard deviations, correlations and coefficients of a mixed model.

    Parameters
    ----------
    result : MixedResult
        Of `mixed`. Its rows are not needed again.
    method : str
        "profile" (default, as lme4's `confint`): where the likelihood falls by what a normal
        quantile says. Its limits of a variance are not symmetric and may be zero, which is what
        the data say of variances between few groups. "bootstrap": percentiles of refits to
        outcomes drawn from the fitted model. "wald": coefficients as in `.estimates`; standard
        deviations on the log scale and correlations on Fisher's, by the curvature at the optimum
        (as nlme's `intervals`), rough with few groups.
    conf_level : float, optional
        That of the fit if left out.
    n_boot, seed : int
        Draws of the bootstrap, and the seed that makes them repeatable.

    Returns
    -------
    IntervalsResult
        `.to_frame()`: quantity, group, term1, term2, estimate, ci_low, ci_high. The estimates are
        those of the fit.

    Raises
    ------
    OptionError
        An unknown method, fewer than 100 draws.
    DataError
        A result of another function than `mixed`.
    NotSupportedError
        A bootstrap of crossed factors with more effects than can be drawn.

    Notes
    -----
    Sources: Bates, Mächler, Bolker & Walker (2015), doi:10.18637/jss.v067.i01, section 5.1;
    Pinheiro & Bates (2000), section 2.4.3. As in lme4, a profile is one of the maximum likelihood
    criterion, also of a REML fit; lme4 interpolates between points, so that its limits differ in
    the fifth digit. The bootstrap refits by the fit's own criterion; with one grouping factor all
    draws are fitted at once, from products per group.
    """
    require_kind("intervals", result, MixedResult, of="mixed()")
    if method not in METHODS:
        raise OptionError("method", method, allowed=METHODS)
    level = result.conf_level if conf_level is None else conf_level
    check_level(level)
    check_whole("n_boot", n_boot, least=FEWEST_DRAWS)
    check_whole("seed", seed, least=0)
    blocks = fitted_blocks(result)
    draws = None
    if method == "profile":
        limits, notes = _profile(result, level)
    elif method == "wald":
        limits, notes = _wald(result, blocks, level)
    else:
        draws, notes = _draws(result, blocks, n_boot=n_boot, seed=seed)
        tail = (1 - level) / 2
        limits = np.nanquantile(draws, [tail, 1 - tail], axis=0).T
    frame = _frame(result, blocks.pieces, limits)
    named = None
    if draws is not None:
        keys = frame.iloc[:, :4].itertuples(index=False)
        named = pd.DataFrame(draws, columns=[_label(*key) for key in keys])
    return IntervalsResult(frame, result.formula, method, level, tuple(notes), named)


def _frame(result: MixedResult, pieces: tuple[Piece, ...], limits: FloatArray) -> pd.DataFrame:
    """Rows as in `variance_components`, then the coefficients."""
    rows: list[tuple[str, str | None, str | None, str | None]] = []
    for piece in pieces:
        rows += [("sd", piece.group, name, None) for name in piece.names]
        rows += [
            ("correlation", piece.group, piece.names[i], piece.names[j])
            for i, j in _pairs(len(piece.names))
        ]
    rows.append(("residual sd", None, None, None))
    rows += [("coefficient", None, term, None) for term in result.terms]
    frame = pd.DataFrame(rows, columns=["quantity", "group", "term1", "term2"])
    spread = result.variance_components["sdcor"].to_numpy()
    frame["estimate"] = np.concatenate((spread, result.coefficients))
    frame["ci_low"], frame["ci_high"] = limits.T
    return frame


def _label(quantity: str, group: str | None, term1: str | None, term2: str | None) -> str:
    if quantity == "coefficient":
        return str(term1)
    if quantity == "residual sd":
        return "residual SD"
    if quantity == "correlation":
        return f"correlation {term1}, {term2} | {group}"
    return f"SD {term1} | {group}"


def _pairs(q: int) -> list[tuple[int, int]]:
    """Pairs of effects in the order of `variance_components`."""
    return [(i, j) for i in range(q) for j in range(i + 1, q)]


def _profile(result: MixedResult, level: float) -> tuple[FloatArray, list[str]]:
    """Limits (rows, 2) of the maximum likelihood profile."""
    blocks = fitted_blocks(result, reml=False)
    found = profile_intervals(
        blocks.model,
        blocks.lowers,
        float(np.sqrt(blocks.sigma2)),
        result.basis,
        conf_level=level,
    )
    start = _least_squares(result)
    limits = _ordered(blocks, found.sds, found.correlations, found.sigma, result.e_scale)
    fixed = found.fixed * result.e_scale + start[:, None]
    notes = ["Profile likelihood intervals, by maximum likelihood."]
    if result.reml:
        notes.append("The estimates are REML's; an interval may lie a little below them.")
    zero = [f"{p.names[i]} of {p.group}" for p, i, low in _zero_ends(blocks, found.sds) if low == 0]
    if zero:
        notes.append(
            f"The likelihood does not fall enough towards no variance at all of {', '.join(zero)}: "
            "the lower limit is 0."
        )
    return np.concatenate((limits, fixed)), notes


def _zero_ends(blocks: FittedBlocks, sds: list[FloatArray]) -> list[tuple[Piece, int, float]]:
    order = _term_order(blocks)
    return [
        (piece, i, float(sds[order[k]][i, 0]))
        for k, piece in enumerate(blocks.pieces)
        for i in range(len(piece.names))
    ]


def _term_order(blocks: FittedBlocks) -> list[int]:
    """Place of each piece among the terms of the blocks."""
    places = {(block, cut.start): i for i, (block, cut) in enumerate(blocks.model.terms)}
    return [places[piece.block, piece.columns.start] for piece in blocks.pieces]


def _ordered(
    blocks: FittedBlocks,
    sds: list[FloatArray],
    correlations: list[FloatArray],
    sigma: FloatArray,
    e_scale: float,
) -> FloatArray:
    """Limits of all but the coefficients, in the order of `variance_components`."""
    rows: list[FloatArray] = []
    for term, piece in zip(_term_order(blocks), blocks.pieces, strict=True):
        rows += list(sds[term] * e_scale)
        by_pair = {(j, i): k for k, (i, j) in enumerate(_lower_pairs(len(piece.names)))}
        rows += [correlations[term][by_pair[pair]] for pair in _pairs(len(piece.names))]
    return np.array([*rows, sigma * e_scale])


def _lower_pairs(q: int) -> list[tuple[int, int]]:
    """Pairs (i, j), j < i, row by row, as the profile has them."""
    return [(i, j) for i in range(q) for j in range(i)]


def _least_squares(result: MixedResult) -> FloatArray:
    """(p,) the part of the coefficients that least squares gives."""
    return np.asarray(
        result.coefficients - result.basis @ result.optimiser.at.beta * result.e_scale
    )


def _wald(result: MixedResult, blocks: FittedBlocks, level: float) -> tuple[FloatArray, list[str]]:
    """Limits from the curvature of the criterion at its optimum."""
    z = float(critical_value(level, np.array(np.inf)))
    sigma = float(np.sqrt(blocks.sigma2))
    found = wald_intervals(blocks.model, blocks.lowers, sigma, z=z)
    limits = _ordered(blocks, found.sds, found.correlations, found.sigma, result.e_scale)
    half = critical_value(level, result.df) * result.std_errors
    fixed = np.column_stack((result.coefficients - half, result.coefficients + half))
    notes = ["Wald intervals: standard deviations on the log scale, correlations on Fisher's z."]
    if np.isnan(limits).any():
        notes.append(
            "A variance at zero or a correlation at ±1 has no Wald interval, and is blank; use "
            'method="profile".'
        )
    return np.concatenate((limits, fixed)), notes


def _draws(
    result: MixedResult, blocks: FittedBlocks, *, n_boot: int, seed: int
) -> tuple[FloatArray, list[str]]:
    """What each draw gives (n_boot, rows), in units of the data, and notes."""
    if effects := too_large_to_draw(blocks.products):
        raise NotSupportedError(
            f"A bootstrap with {effects} effects of crossed factors", instead='Use "profile".'
        )
    sigma = float(np.sqrt(blocks.sigma2))
    found = refits(blocks.products, blocks.lowers, sigma, n_draws=n_boot, seed=seed)
    rows = _draw_rows(result, blocks, found)
    notes = [f"Parametric bootstrap, percentiles of {n_boot} draws (seed {seed})."]
    if failed := int((~found.converged).sum()):
        notes.append(f"{failed} draws did not converge; what they reached is counted.")
    if undefined := int(np.isnan(rows).any(axis=1).sum()):
        notes.append(
            f"In {undefined} draws a variance was zero and its correlations are not defined; "
            "their percentiles rest on the others."
        )
    return rows, notes


def _draw_rows(result: MixedResult, blocks: FittedBlocks, found: Refits) -> FloatArray:
    columns: list[FloatArray] = []
    for cov in blocks.covariances(found.lowers, found.sigma2):
        sds = np.sqrt(np.einsum("raa->ra", cov))
        columns += list(sds.T * result.e_scale)
        with np.errstate(divide="ignore", invalid="ignore"):
            columns += [
                np.clip(cov[:, i, j] / (sds[:, i] * sds[:, j]), -1.0, 1.0)
                for i, j in _pairs(cov.shape[1])
            ]
    columns.append(np.sqrt(found.sigma2) * result.e_scale)
    coefficients = result.coefficients + found.beta @ result.basis.T * result.e_scale
    return np.column_stack((*columns, coefficients))
