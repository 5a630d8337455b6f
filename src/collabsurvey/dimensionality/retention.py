"""How many factors: adequacy, parallel analysis, MAP, EKC, comparison data and VSS together.

Each method's source is in its module under `how_many`. Overview and comparison: Auerswald &
Moshagen (2019) doi:10.1037/met0000200.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from collabsurvey.dimensionality.correlate import (
    FEWEST_RESPONDENTS,
    Correlation,
    ItemCorrelations,
    item_correlations,
)
from collabsurvey.dimensionality.factor_fit import bartlett_multiplier, most_factors
from collabsurvey.dimensionality.how_many import (
    adequacy,
    comparison_data,
    empirical_kaiser,
    minimum_average_partial,
    parallel_analysis,
    random_correlations,
    resampled_correlations,
    very_simple_structure,
)
from collabsurvey.dimensionality.how_many.parallel import Reference
from collabsurvey.dimensionality.inputs import Items
from collabsurvey.dimensionality.options import check_flag, check_number, check_whole
from collabsurvey.dimensionality.pair_correlations import EmptyCells
from collabsurvey.dimensionality.pair_errors import coded
from collabsurvey.dimensionality.resampled_polychoric import (
    hot_columns,
    pair_layout,
    polychoric_of_counts,
)
from collabsurvey.dimensionality.retention_result import RetentionResult
from collabsurvey.errors import DataError, NotEnoughDataError, OptionError
from collabsurvey.moments import weighted_answers
from collabsurvey.moments.covariance import Missing
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.typing import FloatArray, IntArray
from collabsurvey.progress import track

SEED = 20260901
Draws = Literal["auto", "normal", "resampled"]
MOST_ROWS = 20_000  # beyond, comparison data takes minutes, and sampling error is no question
PEARSON_DRAWS = 1000  # a second; the 95th percentile is then known to about .002
POLYCHORIC_DRAWS = 200  # some seconds; the same to about .005


def retention(
    data: Any,
    items: Items = None,
    *,
    correlation: Correlation = "pearson",
    missing: Missing = "listwise",
    draws: Draws = "auto",
    n_draws: int | None = None,
    level: float = 0.95,
    reference: Reference = "quantile",
    max_factors: int = 8,
    compare: bool = True,
    empty_cells: EmptyCells = "lavaan",
    seed: int = SEED,
    progress: bool = True,
) -> RetentionResult:
    """How many factors a set of items has, by all methods of note, in one result.

    Parameters
    ----------
    data : Responses, any frame, a PolychoricResult, or `given_correlations(matrix, n)`
        Answers as they were given; the weight role is applied to the correlations.
    items : str, sequence of str, or None
        A scale id, scale or item ids, or every item; of a frame, columns.
    correlation : "pearson" or "polychoric"
        "polychoric" suits items of few or skewed answers, but parallel analysis then needs
        resampled answers, whose polychoric correlations scatter more than Pearson's.
    draws : "auto", "normal" or "resampled"
        What eigenvalues are compared with: those of independent normal items (Horn, 1965;
        drawn as Wishart matrices, which costs the same for any number of respondents), or of
        the answers with each column drawn anew by itself (Buja & Eyuboglu, 1992). "auto" is
        "normal" with Pearson correlations (the two differ little) and "resampled" with
        polychoric ones, where normal draws would be wrong.
    n_draws : int, optional
        1000 with Pearson, 200 with polychoric correlations. psych draws 20.
    level, reference
        An eigenvalue must exceed the 95th percentile of the simulated ones (Glorfeld, 1995),
        or with `reference="mean"` their mean (Horn), which retains more.
    max_factors : int
        Most factors that VSS and comparison data try.
    compare : bool
        Also comparison data (some seconds): Pearson correlations of complete rows, at most
        20 000 of them, and no weights.

    Raises
    ------
    NotEnoughItemsError, NotEnoughDataError, NoVarianceError, UnknownNameError, OptionError

    Notes
    -----
    KMO, Bartlett's test, eigenvalues and MAP agree with psych to 1e-8. VSS differs from psych's
    by up to .02, because psych's varimax stops early. Comparison data depends on the seed where
    two numbers fit alike; try another. Methods differ in what they count: components or
    factors, and minor factors; `reading()` says how far they agree, and does not decide.
    """
    _check_options(draws, n_draws, level, reference, max_factors)
    check_flag("compare", compare)
    check_whole("seed", seed, least=0)
    found = item_correlations(
        data,
        items,
        correlation=correlation,
        missing=missing,
        empty_cells=empty_cells,
        method="The number of factors",
    )
    notes = list(found.notes)
    rng = np.random.default_rng(seed)
    parallel_rng, compare_rng = rng.spawn(2)
    answers = _complete_answers(found)
    how = _how(draws, found, answers)
    count = n_draws or (POLYCHORIC_DRAWS if found.kind == "polychoric" else PEARSON_DRAWS)
    blocks = _blocks(found, how, answers, count, parallel_rng)
    slow = how == "resampled" and found.kind == "polychoric"
    shown = track(blocks, "Parallel analysis", total=count, show=progress and slow)
    parallel = parallel_analysis(found.cor, shown, level=level, reference=reference)
    components, factors = parallel["components"], parallel["factors"]
    average = minimum_average_partial(found.cor)
    kaiser = empirical_kaiser(found.cor, found.n)
    suggestions: dict[str, int | None] = {
        "parallel_components": components.n_retained,
        "parallel_factors": factors.n_retained,
        "map": average.n_components,
        "map_revised": average.n_components_revised,
        "ekc": kaiser.n_factors,
    }
    p_values = None
    if compare:
        suggestions["comparison_data"], p_values = _compared(
            found, answers, compare_rng, max_factors, notes
        )
    fits = _fits(found, seed, max_factors, notes)
    suggestions |= _fit_verdicts(fits)
    if len(fits) and suggestions["bic"] == fits.index[-1]:
        notes.append(f"BIC was still falling at {suggestions['bic']} factors, the most tried.")
    suggestions["kaiser"] = kaiser.n_above_one
    word = "mean" if reference == "mean" else f"{level:.0%}"
    kind = "independent normal items" if how == "normal" else "answers resampled item by item"
    if how != "normal" and found.missing == "pairwise" and answers is not None:
        kind += f" (the {len(answers)} complete rows)"
    notes.append(f"Parallel analysis: {components.n_draws} draws of {kind}; reference {word}.")
    notes.append("VSS, BIC and eigenvalues above 1 are shown but not counted: they are too rough.")
    p = len(found.items)
    number = pd.RangeIndex(1, p + 1, name="number")
    adequate = _adequacy(found)
    return RetentionResult(
        correlations=found,
        kmo=adequate["kmo"],
        kmo_items=pd.Series(adequate["kmo_items"], index=list(found.items), name="kmo"),
        bartlett={name: adequate[name] for name in ("chi2", "df", "p_value", "log_p")},
        determinant=adequate["determinant"],
        eigenvalues=read_only(components.observed),
        parallel=pd.DataFrame(
            {
                "component": components.observed,
                "component_mean": components.mean,
                "component_reference": _line(components, reference),
                "factor": factors.observed,
                "factor_mean": factors.mean,
                "factor_reference": _line(factors, reference),
            },
            index=number,
        ),
        map=pd.Series(average.squared, name="map"),
        map_revised=pd.Series(average.fourth_power, name="map_revised"),
        vss=fits,
        ekc=pd.Series(kaiser.reference, index=number, name="ekc"),
        p_comparison=p_values,
        suggestions=suggestions,
        reference_words=word,
        notes=(_adequacy_note(adequate, singular=found.singular), *notes),
    )


def _check_options(
    draws: str, n_draws: int | None, level: float, reference: str, max_factors: int
) -> None:
    if draws not in get_args(Draws):
        raise OptionError("draws", draws, allowed=get_args(Draws))
    if reference not in get_args(Reference):
        raise OptionError("reference", reference, allowed=get_args(Reference))
    if n_draws is not None:
        check_whole("n_draws", n_draws, least=20)
    check_number("level", level)
    if not 0.5 <= level < 1:
        raise OptionError("level", level, allowed=("a number from 0.5 to below 1, such as 0.95",))
    check_whole("max_factors", max_factors, least=1)


def _complete_answers(found: ItemCorrelations) -> FloatArray | None:
    """Complete rows (n, k), None where only correlations were handed in."""
    if found.responses is None:
        return None
    x, weight = weighted_answers(found.responses, found.items)
    return x[~np.isnan(x).any(axis=1) & (weight > 0)]


def _how(draws: Draws, found: ItemCorrelations, answers: FloatArray | None) -> str:
    """Which eigenvalues of unrelated items are drawn."""
    if draws == "auto":
        draws = "resampled" if found.kind == "polychoric" else "normal"
    if draws == "resampled" and answers is None:
        if found.kind == "polychoric":
            raise DataError(
                "Parallel analysis of polychoric correlations resamples the answers: hand in the "
                "answers with correlation='polychoric', or take draws='normal' as a rough guide."
            )
        raise DataError("Resampling needs answers, and only correlations were handed in.")
    if draws == "resampled" and answers is not None and len(answers) < FEWEST_RESPONDENTS:
        raise NotEnoughDataError(
            "Parallel analysis of resampled answers",
            what="complete rows",
            found=len(answers),
            needed=FEWEST_RESPONDENTS,
        )
    return draws


def _blocks(
    found: ItemCorrelations,
    how: str,
    answers: FloatArray | None,
    count: int,
    rng: np.random.Generator,
) -> Iterable[FloatArray]:
    if how == "normal" or answers is None:
        return random_correlations(found.n, len(found.items), count, rng)
    if found.kind != "polychoric":
        return resampled_correlations(answers, count, rng)
    return _polychoric_draws(answers, count, rng)


def _polychoric_draws(
    answers: FloatArray, count: int, rng: np.random.Generator
) -> Iterator[FloatArray]:
    """Polychoric correlations (1, k, k) of answers whose columns are each drawn anew."""
    categories = [np.unique(column) for column in answers.T]
    layout = pair_layout([len(codes) for codes in categories])
    codes = coded(answers, categories).astype(np.int8)
    unrelated = np.eye(layout.n_items)

    def correlate(resample: IntArray) -> FloatArray:
        hot = hot_columns(resample, layout)
        return polychoric_of_counts((hot @ hot.T).astype(np.float64), layout, unrelated)

    return resampled_correlations(codes, count, rng, correlate=correlate, block=1)


def _line(found: Any, reference: Reference) -> FloatArray:
    line: FloatArray = found.mean if reference == "mean" else found.quantile
    return line


def _compared(
    found: ItemCorrelations,
    answers: FloatArray | None,
    rng: np.random.Generator,
    max_factors: int,
    notes: list[str],
) -> tuple[int | None, pd.Series[float] | None]:
    """Verdict of comparison data, or None and the reason among the notes."""
    reason = ""
    if answers is None:
        reason = "only correlations were handed in"
    elif found.weighted:
        reason = "it cannot apply weights"
    elif len(answers) > MOST_ROWS:
        reason = f"there are more than {MOST_ROWS:,} rows".replace(",", " ")
    elif len(answers) < 3 * len(found.items):
        reason = "there are fewer than three respondents an item"
    if reason or answers is None:
        notes.append(f"Comparison data was not used: {reason}.")
        return None, None
    result = comparison_data(answers, rng, max_factors=max_factors)
    if not result.stopped:
        notes.append(
            f"Comparison data still gained at {result.n_factors} factors, the most it tried "
            "(max_factors): it says that many or more, and is not counted."
        )
    number = pd.RangeIndex(1, len(result.p_values) + 1, name="number")
    verdict = result.n_factors if result.stopped else None
    return verdict, pd.Series(result.p_values, index=number, name="p_value")


def _fits(found: ItemCorrelations, seed: int, max_factors: int, notes: list[str]) -> pd.DataFrame:
    """VSS and fit by number of factors; empty where the matrix has no inverse."""
    columns = ["vss1", "vss2", "chi2", "df", "p_value", "rmsea", "bic", "sabic", "converged"]
    p = len(found.items)
    most = min(max_factors, most_factors(p))
    reason = ""
    if found.singular:
        reason = "the matrix has no inverse"
    elif bartlett_multiplier(p, most, found.n) <= 0:
        reason = "there are too few respondents"
    if reason:
        notes.append(f"VSS and fit by number of factors are not given: {reason}.")
        return pd.DataFrame(columns=columns, dtype=float)
    fit = very_simple_structure(found.cor, found.n, seed=seed, max_factors=max_factors)
    return pd.DataFrame(
        {
            "vss1": fit.complexity1,
            "vss2": fit.complexity2,
            "chi2": fit.chi2,
            "df": fit.df,
            "p_value": fit.p_value,
            "rmsea": fit.rmsea,
            "bic": fit.bic,
            "sabic": fit.sabic,
            "converged": fit.converged,
        },
        index=pd.Index(fit.n_factors, name="number"),
    )


def _fit_verdicts(fits: pd.DataFrame) -> dict[str, int | None]:
    """Numbers of factors where BIC is smallest and VSS largest."""

    def best(name: str, *, sign: int) -> int | None:
        values = sign * fits[name].to_numpy(dtype=float)
        known = np.flatnonzero(~np.isnan(values))
        return int(fits.index.to_numpy()[known[values[known].argmax()]]) if len(known) else None

    return {
        "bic": best("bic", sign=-1),
        "vss1": best("vss1", sign=1),
        "vss2": best("vss2", sign=1),
    }


def _adequacy(found: ItemCorrelations) -> dict[str, Any]:
    """KMO and Bartlett's test; NaN where the matrix has no inverse or respondents are too few."""
    p = len(found.items)
    unknown = float("nan")
    if found.singular or found.n <= 1 + (2 * p + 5) / 6:
        return {
            "kmo": unknown, "kmo_items": np.full(p, unknown), "chi2": unknown,
            "df": p * (p - 1) // 2, "p_value": unknown, "log_p": unknown,
            "determinant": float(np.linalg.det(found.cor)),
        }  # fmt: skip
    known = adequacy(found.cor, found.n)
    return {
        "kmo": known.kmo, "kmo_items": known.kmo_per_item, "chi2": known.bartlett_chi2,
        "df": known.bartlett_df, "p_value": known.bartlett_p, "log_p": known.bartlett_log_p,
        "determinant": float(np.exp(known.log_det)),
    }  # fmt: skip


# Kaiser (1974) doi:10.1007/BF02291575
KMO_WORDS = (
    (0.9, "marvellous"),
    (0.8, "meritorious"),
    (0.7, "middling"),
    (0.6, "mediocre"),
    (0.5, "miserable"),
    (-1.0, "unacceptable"),
)


def _adequacy_note(adequate: dict[str, Any], *, singular: bool) -> str:
    """KMO in Kaiser's words, and Bartlett's test."""
    if np.isnan(adequate["chi2"]):
        reason = "the matrix has no inverse" if singular else "there are too few respondents"
        return f"KMO and Bartlett's test are not defined: {reason}."
    p = adequate["p_value"]
    shown = "p < .001" if p < 0.001 else f"p = {p:.3f}"
    test = (
        f"Bartlett's test of unrelated items: chi2({adequate['df']}) = {adequate['chi2']:.1f}, "
        f"{shown}."
    )
    if np.isnan(adequate["kmo"]):
        return f"KMO is not defined: no item correlates with another. {test}"
    word = next(word for least, word in KMO_WORDS if adequate["kmo"] >= least)
    return f"KMO {adequate['kmo']:.2f} ({word!r} in Kaiser's words of 1974); {test}"
