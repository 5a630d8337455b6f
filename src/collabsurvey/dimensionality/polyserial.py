"""Polyserial correlations: measurements with ordinal items.

Source: Olsson, Drasgow & Dorans (1982) doi:10.1007/BF02294164.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from collabsurvey.dimensionality.inputs import (
    MOST_CATEGORIES,
    ItemSet,
    item_set,
    named,
    require_finite,
)
from collabsurvey.dimensionality.polychoric_result import fisher_interval
from collabsurvey.dimensionality.polyserial_kernel import (
    PolyserialFit,
    closed_form,
    likelihood_fit,
)
from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import (
    DataError,
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
    check_level,
)
from collabsurvey.instruments.making import instrument_from_scales
from collabsurvey.moments import weighted_answers
from collabsurvey.moments.columns import numeric_columns
from collabsurvey.moments.respondents import data_notes
from collabsurvey.numerics.linalg import read_only
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

PolyserialMethod = Literal["ml", "two_step_ml", "two_step"]
FEWEST = 5

METHOD_WORDS = {
    "ml": "Maximum likelihood of correlation and thresholds together",
    "two_step_ml": "Thresholds from the margins, then maximum likelihood of the correlation",
    "two_step": "Two-step formula from the product-moment correlation",
}


@dataclass(frozen=True, eq=False)
class PolyserialResult(Result):
    """Correlations of measurements (rows) with ordinal items (columns).

    Attributes
    ----------
    correlations, std_errors : pandas.DataFrame
        (measurements, items); errors are NaN for the two-step formula.
    thresholds : dict of (measurement, item) to (c - 1,) array
    pearson : pandas.DataFrame
        Product-moment correlations of the same rows, for comparison.
    n : pandas.DataFrame
        Rows behind each correlation: those with both answers.
    """

    correlations: pd.DataFrame
    std_errors: pd.DataFrame
    pearson: pd.DataFrame
    thresholds: dict[tuple[str, str], FloatArray]
    n: pd.DataFrame
    method: str
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a pair: measurement, item, estimate, std_error, ci_low, ci_high, pearson, n."""
        import pandas as pd

        r, error = self.correlations.to_numpy(), self.std_errors.to_numpy()
        low, high = fisher_interval(r, error, conf_level=self.conf_level)
        rows, columns = np.indices(r.shape)
        return pd.DataFrame(
            {
                "measurement": self.correlations.index[rows.ravel()],
                "item": self.correlations.columns[columns.ravel()],
                "estimate": r.ravel(),
                "std_error": error.ravel(),
                "ci_low": low.ravel(),
                "ci_high": high.ravel(),
                "pearson": self.pearson.to_numpy().ravel(),
                "n": self.n.to_numpy().ravel(),
            }
        )

    def table(self) -> Table:
        """One row a pair."""
        frame = self.to_frame()
        names = ("estimate", "std_error", "ci_low", "ci_high", "pearson")
        return Table(
            "Polyserial correlations",
            {str(name): frame[name].tolist() for name in frame.columns},
            self.notes,
            formats=dict.fromkeys(names, ".2f") | {"std_error": ".3f"},
        )

    def chart(self) -> Chart:
        """Each correlation with its interval."""
        frame = self.to_frame()
        return interval_chart(
            [f"{a} – {b}" for a, b in zip(frame["measurement"], frame["item"], strict=True)],
            frame["estimate"].tolist(),
            frame["ci_low"].tolist(),
            frame["ci_high"].tolist(),
            title="Polyserial correlations",
            axis=f"correlation, {self.conf_level:.0%} interval",
            reference=0.0,
        )


def polyserial(
    data: Any,
    measurements: str | Sequence[str],
    items: str | Sequence[str],
    *,
    method: PolyserialMethod = "ml",
    conf_level: float = 0.95,
) -> PolyserialResult:
    """Correlations of measurements with what ordinal items would be if they were not rounded.

    Parameters
    ----------
    data : Responses or any frame
        The weight role is applied. Each correlation is from the rows with both answers.
    measurements : str or sequence of str
        Items or columns that hold measurements, such as years of service.
    items : str or sequence of str
        A scale id, ordinal items or columns.
    method : "ml", "two_step_ml" or "two_step"
        "ml", the default, is `polycor::polyserial(ML=TRUE)`; "two_step_ml" is lavaan's;
        "two_step" the formula of psych and of `polycor::polyserial(ML=FALSE)`, which is
        biased where the measurement is not normal and can exceed 1 (it is then set to .999).

    Raises
    ------
    NoVarianceError
        A measurement or an item that does not vary.
    DataError
        An item with more than 20 different answers.
    NotEnoughDataError
        Fewer than 5 rows with both answers.

    Notes
    -----
    Needs every row. Standard errors take respondents as independent: from the observed
    information for "ml"; for "two_step_ml" with the thresholds taken as known; none for the
    formula. z is standardised with divisor n.
    """
    import pandas as pd

    if method not in get_args(PolyserialMethod):
        raise OptionError("method", method, allowed=get_args(PolyserialMethod))
    check_level(conf_level)
    rows, names, responses = _names(data, measurements, items)
    answers, weight = weighted_answers(responses, [*rows, *names])
    shape = (len(rows), len(names))
    r, error, plain = np.empty(shape), np.empty(shape), np.empty(shape)
    n = np.empty(shape, dtype=np.int64)
    cuts: dict[tuple[str, str], FloatArray] = {}
    trouble: list[str] = []
    for i, measurement in enumerate(rows):
        for j, item in enumerate(names):
            x, y = answers[:, i], answers[:, len(rows) + j]
            used = ~np.isnan(x) & ~np.isnan(y) & (weight > 0)
            fit, plain[i, j] = _fit(x[used], y[used], weight[used], measurement, item, method)
            r[i, j], error[i, j], n[i, j] = fit.rho, fit.std_error, used.sum()
            cuts[measurement, item] = read_only(fit.cuts)
            if fit.at_limit:
                trouble.append(f"{measurement} with {item} is at the limit of ±.999")
            elif not fit.converged:
                trouble.append(f"{measurement} with {item} did not converge")

    def framed(values: Any) -> pd.DataFrame:
        return pd.DataFrame(values, index=list(rows), columns=list(names))

    notes = [
        f"{METHOD_WORDS[method]} (Olsson, Drasgow & Dorans, 1982).",
        f"Each correlation from the rows with both answers ({n.min()} to {n.max()}).",
        "Standard errors take respondents as independent." if method != "two_step" else "",
        f"{'; '.join(trouble)}." if trouble else "",
        *data_notes(responses, weighted=bool((weight != 1).any())),
    ]
    return PolyserialResult(
        correlations=framed(r),
        std_errors=framed(error),
        pearson=framed(plain),
        thresholds=cuts,
        n=framed(n),
        method=method,
        conf_level=conf_level,
        notes=tuple(note for note in notes if note),
    )


def _names(
    data: Any, measurements: str | Sequence[str], items: str | Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], Any]:
    """Measurements, items, and the answers that hold both."""
    what = "A polyserial correlation"
    listed = named(measurements, option="measurements")
    if hasattr(data, "instrument"):
        names = item_set(data, items, method=what, fewest=1).items
        known = {*data.instrument.item_ids, *data.instrument.scale_ids}
        columns = [name for name in listed if name not in known]
        rows = listed if columns else item_set(data, listed, method=what, fewest=1).items
        both = _with_columns(data, names, listed) if columns else None
        both = both or item_set(data, [*rows, *names], method=what)
    else:
        names, rows = named(items), listed
        both = item_set(data, [*rows, *names], method=what)
    if shared := sorted(set(rows) & set(names)):
        raise OptionError("items", shared, allowed=("items that are not measurements too",))
    return rows, names, both.responses


def _with_columns(data: Responses, items: tuple[str, ...], columns: tuple[str, ...]) -> ItemSet:
    """Answers in which columns that are no items, such as years of service, are items too."""
    known = numeric_columns(data.frame)
    if missing := [name for name in columns if name not in known]:
        raise UnknownNameError(
            "item or column of numbers", missing[0], available=known, where="The answers"
        )
    names = tuple(dict.fromkeys([*columns, *items]))
    both = data.replace(instrument=instrument_from_scales({"items": names}))
    return ItemSet(both, names, "items")


def _fit(
    x: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    measurement: str,
    item: str,
    method: PolyserialMethod,
) -> tuple[PolyserialFit, float]:
    """One correlation, and the product-moment correlation of the same rows."""
    what = f"The polyserial correlation of {measurement!r} with {item!r}"
    if len(x) < FEWEST:
        raise NotEnoughDataError(what, what="rows with both answers", found=len(x), needed=FEWEST)
    levels, codes = np.unique(y, return_inverse=True)
    codes = codes.astype(np.int64)
    if len(levels) < 2:
        raise NoVarianceError(f"the item {item!r}", method=what)
    if len(levels) > MOST_CATEGORIES:
        raise DataError(
            f"{what}: the item has {len(levels)} different answers, which is a measurement. "
            "Use a product-moment correlation."
        )
    require_finite(x[[np.abs(x).argmax()]], [measurement], method=what)
    total = weight.sum()
    x = x / max(float(np.abs(x).max()), np.finfo(float).tiny)  # squares of large numbers overflow
    centred = x - weight @ x / total
    variance = float(weight @ centred**2 / total)
    if variance <= 1e-24:
        raise NoVarianceError(f"the measurement {measurement!r}", method=what)
    z = centred / np.sqrt(variance)
    scores = codes - weight @ codes / total
    plain = float(weight @ (z * scores) / total / np.sqrt(weight @ scores**2 / total))
    if method == "two_step":
        return closed_form(z, codes, weight), plain
    return likelihood_fit(z, codes, weight, joint=method == "ml"), plain
