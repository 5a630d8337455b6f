"""How each item of a scale behaves: distribution, fit with the others, alpha without it.

Sources: the item statistics of `psych::alpha` (Revelle, 2.2.9): `raw_r`, `std_r`, `r_cor`
(overlap replaced by squared multiple correlations) and `r_drop`, here `item_rest`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import KeyingWarning
from collabsurvey.instruments.scales import not_reflective, scale_name
from collabsurvey.moments import weighted_answers
from collabsurvey.moments.covariance import Missing, key_signs, turn_offsets
from collabsurvey.moments.respondents import data_notes
from collabsurvey.numerics import itemstats
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.reliability.inputs import scale_moments
from collabsurvey.reliability.item_flags import OneFactor, item_flags, one_factor
from collabsurvey.responses.responses import Responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd


FLAGGED = (
    *("item_rest", "loading", "alpha_if_dropped", "floor", "ceiling", "skew", "kurtosis"),
    "missing",
)


@dataclass(frozen=True, eq=False)
class ItemAnalysisResult(Result):
    """One row an item, in questionnaire order.

    Attributes
    ----------
    items_frame : pandas.DataFrame
        `item`; `keyed` (1, or -1 for an item turned round here); `n` respondents; `mean`,
        `sd`, `skew` in the direction of the scale; `missing`, `floor`, `ceiling`: shares
        of all rows without an answer, and of the answers at the end that means least
        and most of the construct; `item_rest`; `alpha_if_dropped`; `raw_r`, `std_r`,
        `r_cor`, `smc` as in psych, all from the covariances (psych's `raw.r` of incomplete
        rows is instead with the mean of the items that were answered); `kurtosis` (minus 3);
        `loading` on one factor by maximum likelihood, standardised, and `omega_if_dropped` of
        that model; `r_min`, `r_max`, lowest and highest correlation with another item;
        `options_used`, different answers given; `flags`, what is striking, in words with
        the source of the cut-off, separated by "; ".
    options_frame : pandas.DataFrame
        One row an item and option, in the direction of the items as answered: item, answer,
        n, share (of the answers, weighted).
    omega : float
        Omega total of the one-factor model; NaN where there is none.
    """

    scale: str
    alpha: float
    missing: Missing
    items_frame: pd.DataFrame
    notes: tuple[str, ...]
    options_frame: pd.DataFrame
    omega: float

    def options(self) -> pd.DataFrame:
        """How often each answer was given; see the class."""
        return self.options_frame.copy()

    def flagged(self) -> Table:
        """The items that something is striking about, one row a flag."""
        rows = [
            (item, flag)
            for item, flags in zip(self.items_frame["item"], self.items_frame["flags"], strict=True)
            for flag in str(flags).split("; ")
            if flag
        ]
        return Table(
            title=f"What to look at in the items of {self.scale}",
            columns={"item": [row[0] for row in rows], "flag": [row[1] for row in rows]},
            notes=("A flag is a reason to look at an item, not to drop it.",),
        )

    def to_frame(self) -> pd.DataFrame:
        """One row an item; see the class."""
        return self.items_frame.copy()

    def table(self) -> Table:
        """What to look at first: distribution, item–rest correlation, alpha without the item."""
        shown = [
            "item",
            "keyed",
            "n",
            "mean",
            "sd",
            "missing",
            "floor",
            "ceiling",
            "item_rest",
            "alpha_if_dropped",
        ]
        shares = dict.fromkeys(("missing", "floor", "ceiling"), ".0%")
        return Table(
            title=f"Items of {self.scale} (alpha {self.alpha:.2f})".replace("-", "−"),
            columns={name: self.items_frame[name].tolist() for name in shown},
            notes=self.notes,
            formats={**shares, "item_rest": ".2f", "alpha_if_dropped": ".2f"},
            labels={"item_rest": "item–rest r"},
        )

    def chart(self) -> Chart:
        """Item–rest correlation of each item; negative ones are marked."""
        values = self.items_frame["item_rest"].tolist()
        return dot_chart(
            labels=self.items_frame["item"].tolist(),
            values=values,
            title=f"Item–rest correlations of {self.scale}",
            axis="correlation with the sum of the other items",
            reference=0.0,
            highlight=[value < 0 for value in values],
        )


def item_analysis(
    responses: Responses, items: str | Sequence[str], *, missing: Missing = "listwise"
) -> ItemAnalysisResult:
    """Distribution and fit of each item of a scale.

    Parameters
    ----------
    responses : Responses
        Reverse-keyed items are turned round, so `mean` is high where there is much of the
        construct; `keyed` says which ones. The weight role is applied.
    items : str or sequence of str
        A scale id, or item ids.
    missing : "listwise" or "pairwise"
        `n`, `mean`, `sd`, `floor`, `ceiling` and `skew` of the rows with all items, or of
        all rows that answered the item; correlations accordingly. `missing` is always the
        share of all rows.

    Raises
    ------
    UnknownNameError, NotEnoughItemsError, NotEnoughDataError, NoVarianceError
        As `alpha`.

    Warns
    -----
    KeyingWarning
        An item correlates negatively with the rest after keying.
    """
    import pandas as pd

    name = scale_name(items)
    moments = scale_moments(responses, items, missing=missing, method="Item analysis")
    cov = moments.cov
    cor = itemstats.correlations(cov)
    keys = responses.instrument.keys_of(moments.items)
    x, weight = keyed_answers(responses, moments.items)
    answered = ~np.isnan(x) & (weight > 0)[:, None]
    used = answered if missing == "pairwise" else answered & answered.all(axis=1, keepdims=True)
    low, high, notes = ends(responses, moments.items, x)
    share = np.where(used, weight[:, None], 0.0)
    share = share / share.sum(axis=0)
    options = option_counts(responses, moments.items, used, weight)
    factor = one_factor(cov)
    columns = {
        "item": moments.items,
        "keyed": keys,
        "n": used.sum(axis=0),
        "mean": moments.mean,
        "sd": np.sqrt(np.diag(cov)),
        "missing": 1 - (weight @ answered) / weight.sum(),
        "floor": (share * (x == low)).sum(axis=0),
        "ceiling": (share * (x == high)).sum(axis=0),
        "item_rest": itemstats.item_rest_correlations(cov),
        "alpha_if_dropped": itemstats.alpha_if_dropped(cov),
        "skew": skewness(x, share),
        "raw_r": itemstats.item_total_correlations(cov),
        "std_r": itemstats.item_total_correlations(cor),
        "r_cor": itemstats.overlap_corrected_correlations(cor),
        "smc": itemstats.squared_multiple_correlations(cor),
    } | more_columns(x, share, cor, factor, options)
    alpha = itemstats.coefficient_alpha(cov)
    frame = pd.DataFrame(columns)
    flags = item_flags(
        {name: frame[name].to_numpy(dtype=float) for name in FLAGGED},
        alpha,
        unused_options(options, moments.items),
        factor.improper,
    )
    frame["flags"] = ["; ".join(each) for each in flags]
    if missing == "listwise":
        n = moments.n_respondents
        notes.insert(0, f"{n} of {moments.n_rows} rows, those with every item answered.")
    else:
        notes.insert(0, "Each number from all rows that have the answers it needs.")
    notes += data_notes(responses, weighted=moments.weighted)
    if len(moments.items) == 2:
        notes.append("With two items, alpha without one of them does not exist.")
    if turned := [item for item, key in zip(moments.items, keys, strict=True) if key == -1]:
        notes.append(f"Turned round (low answers mean more): {', '.join(turned)}.")
    if reason := not_reflective(responses.instrument, moments.items):
        notes.append(f"Read with care: {reason}.")
    elif sentence := itemstats.contradiction(name, moments.items, cov, moments.n_pairs):
        notes.append(sentence)
        warnings.warn(sentence, KeyingWarning, stacklevel=2)
    if factor.note and len(moments.items) > 3:
        notes.append(factor.note)
    return ItemAnalysisResult(name, alpha, missing, frame, tuple(notes), options, factor.omega)


def more_columns(
    x: FloatArray, share: FloatArray, cor: FloatArray, factor: OneFactor, options: pd.DataFrame
) -> dict[str, object]:
    """Columns beside those of psych: kurtosis, loading, omega, correlations, options."""
    k = len(cor)
    between = np.where(np.eye(k, dtype=bool), np.nan, cor)
    used = options[options["n"] > 0].groupby("item", sort=False).size()
    return {
        "kurtosis": kurtosis(x, share),
        "loading": factor.loadings,
        "omega_if_dropped": factor.omega_if_dropped,
        "r_min": np.nanmin(between, axis=0),
        "r_max": np.nanmax(between, axis=0),
        "options_used": used.reindex(options["item"].unique(), fill_value=0).to_numpy(),
    }


def option_counts(
    responses: Responses, items: Sequence[str], used: BoolArray, weight: FloatArray
) -> pd.DataFrame:
    """One row an item and answer: item, answer, n rows, share of the weights.

    Answers that the response set allows are listed though nobody gave them.
    """
    import pandas as pd

    x, _ = weighted_answers(responses, items)
    rows = []
    for j, item in enumerate(items):
        given = x[used[:, j], j]
        codes = set(np.unique(given).tolist())
        stated = responses.instrument.response_set(item)
        if stated is not None and stated.type != "bounded":
            codes |= set(map(float, stated.values))
        total = weight[used[:, j]].sum()
        for code in sorted(codes):
            here = used[:, j] & (x[:, j] == code)
            rows.append((item, code, int(here.sum()), float(weight[here].sum() / total)))
    return pd.DataFrame(rows, columns=["item", "answer", "n", "share"])


def unused_options(options: pd.DataFrame, items: Sequence[str]) -> list[str]:
    """Answers that nobody gave, as text, for each item."""
    empty = options[options["n"] == 0]
    return [
        ", ".join(f"{code:g}" for code in empty.loc[empty["item"] == item, "answer"])
        for item in items
    ]


def keyed_answers(responses: Responses, items: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Answers (n, k) turned in the direction of the scale, and weights (n,).

    Where the range of answers is not known, a reversed item is x times -1.
    """
    x, weight = weighted_answers(responses, items)
    offsets = np.nan_to_num(turn_offsets(responses, items))
    return x * key_signs(responses, items) + offsets, weight


def ends(
    responses: Responses, items: Sequence[str], x: FloatArray
) -> tuple[FloatArray, FloatArray, list[str]]:
    """Lowest and highest possible answer (k,), or the observed ones with a note."""
    low, high = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
    unknown = []
    for j, item in enumerate(items):
        answers = responses.instrument.response_set(item)
        if answers is None:
            unknown.append(item)
        else:
            low[j], high[j] = answers.low, answers.high
    if not unknown:
        return low, high, []
    note = (
        "The range of answers was not stated (response_range), so floor and ceiling are the "
        "lowest and highest answers given"
    )
    if any(key == -1 for key in responses.instrument.keys_of(unknown)):
        note += ", and the means of reversed items are missing"
    return low, high, [f"{note}."]


def skewness(x: FloatArray, share: FloatArray) -> FloatArray:
    """Skewness (k,) with weights `share` that add up to 1: third moment over sd³ (b1, n - 1).

    psych's type 3; with n the number of positive weights.
    """
    filled = np.where(share > 0, x, 0.0)
    d = np.where(share > 0, filled - (share * filled).sum(axis=0), 0.0)
    n = (share > 0).sum(axis=0)
    variance = (share * d**2).sum(axis=0) * n / (n - 1)
    skew: FloatArray = (share * d**3).sum(axis=0) / variance**1.5
    return skew


def kurtosis(x: FloatArray, share: FloatArray) -> FloatArray:
    """Kurtosis (k,) minus 3, with weights as in `skewness`: fourth moment over sd⁴ (b2)."""
    filled = np.where(share > 0, x, 0.0)
    d = np.where(share > 0, filled - (share * filled).sum(axis=0), 0.0)
    n = (share > 0).sum(axis=0)
    variance = (share * d**2).sum(axis=0) * n / (n - 1)
    return np.asarray((share * d**4).sum(axis=0) / variance**2 - 3)
