"""The correlation matrix that retention and factor analysis start from, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from collabsurvey.dimensionality.inputs import (
    Items,
    ItemSet,
    chosen_items,
    item_set,
    named,
    require_finite,
    scale_groups,
)
from collabsurvey.dimensionality.inverse import SMALLEST_EIGENVALUE
from collabsurvey.dimensionality.options import is_whole
from collabsurvey.dimensionality.pair_correlations import EmptyCells
from collabsurvey.dimensionality.polychoric import polychoric
from collabsurvey.dimensionality.polychoric_result import PolychoricResult
from collabsurvey.display import Chart, Table
from collabsurvey.display.heat import heat_chart
from collabsurvey.errors import (
    DataError,
    NotAmountsError,
    NotEnoughDataError,
    NotEnoughItemsError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
    listed,
)
from collabsurvey.instruments.scales import SHARES
from collabsurvey.moments import item_moments
from collabsurvey.moments.covariance import Missing, Moments, constant_items
from collabsurvey.moments.respondents import data_notes
from collabsurvey.numerics.itemstats import correlations
from collabsurvey.numerics.linalg import read_only, smoothed_correlations
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

Correlation = Literal["pearson", "polychoric"]
COPIES = 0.999  # correlation from which two items are named as repeating each other
FEWEST_RESPONDENTS = 3
CONSTANT = 1e-12  # share of an item's variance that is rounding
SINGULAR = "The correlation matrix is singular"

WORDS = {
    "pearson": "Product-moment correlations of the answers as numbers",
    "polychoric": "Polychoric correlations",
    "given": "Correlations as they were handed in",
}


@dataclass(frozen=True, eq=False)
class ItemCorrelations(Result):
    """Correlations of k items, positive definite or singular, and what they rest on.

    Attributes
    ----------
    cor : (k, k), smoothed if `smoothed`
    n : respondents behind the fit; with pairwise missing answers all rows
    mean, sd : (k,) of the answers, None where only correlations were handed in
    responses : the answers, None where only correlations were handed in
    singular : whether the smallest eigenvalue is zero up to rounding, or was before smoothing
    """

    name: str
    items: tuple[str, ...]
    cor: FloatArray
    n: int
    kind: str
    missing: Missing
    mean: FloatArray | None
    sd: FloatArray | None
    responses: Responses | None
    weighted: bool
    smoothed: bool
    singular: bool
    groups: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the correlations (items, items)."""
        return pd.DataFrame(self.cor, index=list(self.items), columns=list(self.items))

    def table(self) -> Table:
        """One row an item: its strongest correlation, and the mean of their sizes."""
        cor = self.cor.copy()
        np.fill_diagonal(cor, np.nan)
        strongest = np.nanargmax(np.abs(cor), axis=1).tolist()
        return Table(
            f"Correlations of {self.name} ({self.n} respondents)",
            {
                "item": list(self.items),
                "strongest_with": [self.items[j] for j in strongest],
                "r": [float(cor[i, j]) for i, j in enumerate(strongest)],
                "mean_abs_r": np.nanmean(np.abs(cor), axis=1).tolist(),
            },
            self.notes,
            formats={"r": ".2f", "mean_abs_r": ".2f"},
            labels={"mean_abs_r": "mean |r|"},
        )

    def chart(self) -> Chart:
        """Map of the correlations."""
        cor = self.cor.copy()
        np.fill_diagonal(cor, np.nan)
        return heat_chart(
            cor.tolist(),
            list(self.items),
            list(self.items),
            title=f"Correlations of {self.name}",
            description_of="correlation",
            groups=list(self.groups) if len(self.groups) > 1 else None,
            square=True,
        )


def given_correlations(
    matrix: Any, n: int, *, items: Sequence[str] | None = None, name: str = "the items"
) -> ItemCorrelations:
    """Take a correlation matrix that was computed elsewhere, such as one from a paper.

    Hand the result to `efa` or `retention` in the place of answers.

    Parameters
    ----------
    matrix : (k, k) DataFrame or array
        Symmetric, ones on the diagonal.
    n : int
        Respondents behind it.
    items : sequence of str, optional
        Names of the items; the columns of a DataFrame, or V1, V2, …, where left out.

    Raises
    ------
    DataError
        Not a correlation matrix; the message says in what.
    """
    try:
        values = np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("A correlation matrix holds numbers, as many in each row.") from None
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not len(values):
        raise DataError(f"A correlation matrix is square; this one has the shape {values.shape}.")
    if not np.isfinite(values).all():
        raise DataError("The correlation matrix has missing values. Leave out those items.")
    if not np.allclose(values, values.T, atol=1e-8):
        raise DataError("The correlation matrix is not symmetric. Fill both triangles alike.")
    if not np.allclose(np.diag(values), 1.0, atol=1e-8):
        raise DataError("The diagonal is not all ones: this is a covariance matrix, or damaged.")
    if np.abs(values).max() > 1 + 1e-8:
        raise DataError("The matrix has correlations above 1 or below -1.".replace("-", "−"))
    if not is_whole(n) or n < FEWEST_RESPONDENTS:
        raise OptionError("n", n, allowed=("the number of respondents, 3 or more",))
    if items is not None:
        names = named(items)
    elif isinstance(matrix, pd.DataFrame):
        names = tuple(map(str, matrix.columns))
    else:
        names = tuple(f"V{j + 1}" for j in range(len(values)))
    if len(names) != len(values) or len(set(names)) != len(names):
        raise OptionError("items", names, allowed=(f"{len(values)} different names",))
    cor, smoothed, singular, notes = _made_definite((values + values.T) / 2, names)
    return ItemCorrelations(
        name=name, items=names, cor=read_only(cor), n=int(n), kind="given", missing="listwise",
        mean=None, sd=None, responses=None, weighted=False, smoothed=smoothed, singular=singular,
        groups=(("", len(names)),), notes=(f"{WORDS['given']}, {n} respondents.", *notes),
    )  # fmt: skip


def item_correlations(
    data: Any,
    items: Items,
    *,
    correlation: Correlation,
    missing: Missing,
    empty_cells: EmptyCells = "lavaan",
    method: str,
    fewest: int = 3,
) -> ItemCorrelations:
    """Correlate the items of an analysis; correlations already there are taken as they are."""
    if correlation not in get_args(Correlation):
        raise OptionError("correlation", correlation, allowed=get_args(Correlation))
    if missing not in get_args(Missing):
        raise OptionError("missing", missing, allowed=get_args(Missing))
    if isinstance(data, ItemCorrelations):
        found = _subset(data, items)
    elif isinstance(data, PolychoricResult):
        found = _subset(_from_polychoric(data, None), items)
    else:
        _refuse_correlations(data)
        chosen = item_set(data, items, method=method, fewest=fewest)
        if correlation == "polychoric":
            result = polychoric(
                chosen.responses, chosen.items, empty_cells=empty_cells, missing=missing,
                std_errors="none", smooth=False,
            )  # fmt: skip
            found = _from_polychoric(result, chosen)
        else:
            found = _pearson(chosen, missing, method)
    if len(found.items) < fewest:
        raise NotEnoughItemsError(
            found.name, n_items=len(found.items), needed=fewest, method=method
        )
    return found


def _refuse_correlations(data: Any) -> None:
    """Refuse a bare correlation matrix, whose rows would pass for respondents."""
    if not isinstance(data, pd.DataFrame | np.ndarray) or data.ndim != 2 or not len(data):
        return
    if data.shape[0] != data.shape[1] or not _numeric(data):
        return
    values = np.asarray(data, dtype=np.float64)
    if np.allclose(np.diag(values), 1.0) and np.allclose(values, values.T):
        raise DataError(
            "This is a correlation matrix, not a table of answers. Hand in "
            "given_correlations(matrix, n), with the number of respondents."
        )


def _numeric(data: pd.DataFrame | np.ndarray[Any, Any]) -> bool:
    kinds = data.dtypes if isinstance(data, pd.DataFrame) else [data.dtype]
    return all(pd.api.types.is_numeric_dtype(kind) for kind in kinds)


def _pearson(chosen: ItemSet, missing: Missing, method: str) -> ItemCorrelations:
    with np.errstate(invalid="ignore", over="ignore"):  # infinite values are named below
        moments = item_moments(chosen.responses, chosen.items, missing=missing, keyed=False)
    require_finite(np.diag(moments.cov), chosen.items, method=method)
    if moments.n_pairs.min() < FEWEST_RESPONDENTS:
        raise NotEnoughDataError(
            method, what="respondents", found=int(moments.n_pairs.min()), needed=FEWEST_RESPONDENTS
        )
    if fixed := constant_items(moments):
        what = "item" if len(fixed) == 1 else "each of the items"
        raise NoVarianceError(f"{what} {', '.join(map(repr, fixed))}", method=method)
    if missing == "listwise" and moments.cov.sum() <= CONSTANT * np.trace(moments.cov):
        raise NotAmountsError(
            method,
            items=chosen.items,
            reason=f"their sum is the same in every row: {SHARES}",
            instead="Turn them into log-ratios first, or ask for ratings.",
        )
    raw = _pairwise(moments, method) if missing == "pairwise" else correlations(moments.cov)
    np.fill_diagonal(raw, 1.0)
    cor, smoothed, singular, notes = _made_definite(raw, chosen.items)
    n, rows = moments.n_respondents, moments.n_rows
    if missing == "pairwise":
        said = f"Each correlation from the rows with both items ({moments.n_pairs.min()} or more)."
    elif n == rows:
        said = f"All {n} rows, every item answered."
    else:
        said = f"{n} of {rows} rows, those with every item answered."
    return ItemCorrelations(
        name=chosen.name,
        items=chosen.items,
        cor=read_only(cor),
        n=n,
        kind="pearson",
        missing=missing,
        mean=read_only(moments.mean),
        sd=read_only(np.sqrt(np.diag(moments.cov))),
        responses=chosen.responses,
        weighted=moments.weighted,
        smoothed=smoothed,
        singular=singular,
        groups=tuple(scale_groups(chosen.responses.instrument, chosen.items)),
        notes=(
            f"{WORDS['pearson']}.",
            said,
            *chosen.notes,
            *data_notes(chosen.responses, weighted=moments.weighted),
            *notes,
        ),
    )


def _pairwise(moments: Moments, method: str) -> FloatArray:
    """Correlations (k, k), each from the rows that have both items, standard deviations too."""
    variance = np.asarray(moments.pair_variance)
    nothing = CONSTANT * np.diag(moments.cov)[:, None]
    if len(fixed := np.argwhere(variance <= nothing)):
        i, j = fixed[0]
        raise NoVarianceError(
            f"item {moments.items[i]!r}, of the rows that also have {moments.items[j]!r},",
            method=method,
        )
    return np.asarray(moments.cov / np.sqrt(variance * variance.T))


def _from_polychoric(result: PolychoricResult, chosen: ItemSet | None) -> ItemCorrelations:
    """What a polychoric result says; its answers too, where they are at hand."""
    cor, smoothed, singular, notes = _made_definite(result.correlations.to_numpy(), result.items)
    mean = sd = None
    if chosen is not None:
        with np.errstate(invalid="ignore", over="ignore"):  # too large to square: named below
            moments = item_moments(
                chosen.responses, chosen.items, missing=result_missing(result), keyed=False
            )
        require_finite(np.diag(moments.cov), chosen.items, method="A factor analysis")
        mean, sd = read_only(moments.mean), read_only(np.sqrt(np.diag(moments.cov)))
    # What the polychoric result says of its matrix is said anew above.
    kept = [note for note in result.notes if not note.startswith(("The matrix", "Standard err"))]
    return ItemCorrelations(
        name=result.name,
        items=result.items,
        cor=read_only(cor),
        n=result.n,
        kind="polychoric",
        missing=result_missing(result),
        mean=mean,
        sd=sd,
        responses=None if chosen is None else chosen.responses,
        weighted=result.weighted,
        smoothed=smoothed or result.smoothed,
        singular=singular or result.smoothed,
        groups=result.groups,
        notes=(f"{WORDS['polychoric']}.", *kept, *notes),
    )


def result_missing(result: PolychoricResult) -> Missing:
    """Return the missing-answer rule of a polychoric result."""
    return "pairwise" if result.missing == "pairwise" else "listwise"


def _subset(given: ItemCorrelations, items: Items) -> ItemCorrelations:
    """Some of the items of a matrix."""
    if items is None:
        return given
    if given.responses is not None:
        names = chosen_items(given.responses.instrument, items)
    else:
        names = named(items)
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise OptionError("items", repeated, allowed=("every item once",))
    if missing := [name for name in names if name not in given.items]:
        raise UnknownNameError(
            "item", missing[0], available=given.items, where="The correlation matrix"
        )
    at = [given.items.index(name) for name in names]
    cor, smoothed, singular, said = _made_definite(given.cor[np.ix_(at, at)], names)
    kept = [note for note in given.notes if not note.startswith(SINGULAR)]
    return ItemCorrelations(
        name=given.name,
        items=names,
        cor=read_only(cor),
        n=given.n,
        kind=given.kind,
        missing=given.missing,
        mean=None if given.mean is None else given.mean[at],
        sd=None if given.sd is None else given.sd[at],
        responses=given.responses,
        weighted=given.weighted,
        smoothed=given.smoothed or smoothed,
        singular=singular,
        groups=(("", len(names)),),
        notes=(*kept, *said),
    )


def _made_definite(
    cor: FloatArray, items: Sequence[str]
) -> tuple[FloatArray, bool, bool, list[str]]:
    """Smooth an indefinite matrix; say that one is singular, and which items repeat others."""
    smallest = float(np.linalg.eigvalsh(cor)[0])
    if smallest > SMALLEST_EIGENVALUE:
        return cor, False, False, []
    close = np.argwhere(np.triu(np.abs(cor), 1) > COPIES)
    copies = listed([f"{items[i]} and {items[j]}" for i, j in close], most=6)
    why = f" These items repeat each other: {copies}; leave one of each out." if len(close) else ""
    if smallest > -1e-10:
        note = (
            f"{SINGULAR}: some items follow from others, or there are fewer respondents than "
            f"items.{why}"
        )
        return cor, False, True, [note]
    smooth = smoothed_correlations(cor)
    moved = float(np.abs(smooth - cor).max())
    note = (
        f"The matrix is not positive definite (smallest eigenvalue {smallest:.3g}). It was "
        f"smoothed by its eigenvalues; correlations moved by up to {moved:.3f}.{why}"
    )
    return smooth, True, True, [note.replace("-", "−")]
