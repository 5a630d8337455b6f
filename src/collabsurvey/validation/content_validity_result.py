"""What the raters of a content review said: by item, by scale, by rater."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.instruments.evidence import CONTENT_BARS
from collabsurvey.numerics.typing import BoolArray, FloatArray, IntArray
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

# Cicchetti & Sparrow (1981), as Polit, Beck & Owen (2007) apply them: at least this kappa.
KAPPA_WORDS = ((0.74, "excellent"), (0.60, "good"), (0.40, "fair"))


def kappa_word(kappa: float) -> str:
    """Verdict on a modified kappa: excellent > .74, good from .60, fair from .40, else poor."""
    excellent, *lower = KAPPA_WORDS
    if kappa > excellent[0]:
        return excellent[1]
    return next((word for least, word in lower if kappa >= least), "poor")


@dataclass(frozen=True, eq=False)
class ContentIndices:
    """One kind of judgement (relevance, clarity, coverage) of k items or constructs.

    Attributes
    ----------
    n, n_agree : (k,) raters, and those whose rating counts as agreement
    index : (k,) n_agree / n, the I-CVI; NaN where nobody rated
    ci_low, ci_high : (k,) limits of `index`
    chance : (k,) Pc, the chance that just so many of n raters agree by tossing a coin
    kappa : (k,) the modified kappa
    aiken_v : (k,) Aiken's V, which uses all four ratings
    """

    names: tuple[str, ...]
    n: IntArray
    n_agree: IntArray
    index: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    chance: FloatArray
    kappa: FloatArray
    aiken_v: FloatArray


@dataclass(frozen=True, eq=False)
class ContentValidityResult(Result):
    """Content validity indices from a raters' sheet.

    Attributes
    ----------
    relevance, clarity, coverage : ContentIndices
        Of the items, the items, and the constructs; the last two None where not asked.
    n_raters : int
        Raters with at least one rating.
    s_cvi_ave, s_cvi_ua : float
        Mean of the I-CVIs; share of items that every rater found relevant.
    s_cvi_ave_low, s_cvi_ave_high : float
        Limits that allow for raters who are lenient or strict throughout.
    agreement : float
        Share of pairs of raters who agree whether an item is relevant.
    comments : tuple of (rater, item or construct, text)
    """

    relevance: ContentIndices
    clarity: ContentIndices | None
    coverage: ContentIndices | None
    raters: tuple[str, ...]
    relevant: tuple[int, ...]
    s_cvi_ave: float
    s_cvi_ave_low: float
    s_cvi_ave_high: float
    s_cvi_ua: float
    agreement: float
    conf_level: float
    by_scale: pd.DataFrame
    by_rater: pd.DataFrame
    comments: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """Ids of the k items rated."""
        return self.relevance.names

    @property
    def n_raters(self) -> int:
        """Number of raters."""
        return len(self.raters)

    @property
    def i_cvi(self) -> FloatArray:
        """Share of raters who find the item relevant (k,)."""
        return self.relevance.index

    @property
    def modified_kappa(self) -> FloatArray:
        """I-CVI corrected for chance (k,)."""
        return self.relevance.kappa

    @property
    def meets_bar(self) -> BoolArray:
        """Whether the I-CVI, to two digits, reaches its bar (k,)."""
        return reaches_item_bar(self.i_cvi)

    def to_frame(self) -> pd.DataFrame:
        """One row an item: counts, I-CVI with its interval, modified kappa, Aiken's V; clarity."""
        import pandas as pd

        frame = pd.DataFrame(
            {
                "item": self.items,
                "n_raters": self.relevance.n,
                "n_relevant": self.relevance.n_agree,
                "i_cvi": self.i_cvi,
                "ci_low": self.relevance.ci_low,
                "ci_high": self.relevance.ci_high,
                "chance": self.relevance.chance,
                "modified_kappa": self.modified_kappa,
                "verdict": [kappa_word(kappa) for kappa in self.modified_kappa],
                "aiken_v": self.relevance.aiken_v,
                "meets_bar": self.meets_bar,
            }
        )
        if self.clarity is not None:
            frame["n_raters_clarity"] = self.clarity.n
            frame["i_cvi_clarity"] = self.clarity.index
            frame["modified_kappa_clarity"] = self.clarity.kappa
        return frame

    def scales(self) -> pd.DataFrame:
        """One row a scale of the instrument; one for all items where there is no instrument.

        Columns: scale, n_items, n_unrated (items of the scale without a rating), n_raters,
        fewest_raters (of an item), s_cvi_ave, ci_low, ci_high, s_cvi_ua, lowest_i_cvi, n_below
        (items below the bar), meets_bars; clarity_ave, clarity_ua where clarity was rated.
        """
        return self.by_scale.copy()

    def rater_table(self) -> pd.DataFrame:
        """One row a rater: how lenient, how alike to the others.

        Columns: rater, n_rated, n_blank, mean, share_relevant, share_top (rated highest),
        always_same, agreement (with the other raters), s_cvi_ave_without.
        """
        return self.by_rater.copy()

    def constructs(self) -> pd.DataFrame:
        """One row a construct: how many raters find it largely or fully covered."""
        import pandas as pd

        found = self.coverage
        columns = ("construct", "n_raters", "n_covered", "coverage", "ci_low", "ci_high")
        if found is None:
            return pd.DataFrame(columns=list(columns))
        values = (found.names, found.n, found.n_agree, found.index, found.ci_low, found.ci_high)
        return pd.DataFrame(dict(zip(columns, values, strict=True)))

    def table(self) -> Table:
        """One row an item."""
        found = self.relevance
        limits = zip(found.ci_low, found.ci_high, strict=True)
        columns: dict[str, list[object]] = {
            "item": list(self.items),
            "raters": found.n.tolist(),
            "relevant": found.n_agree.tolist(),
            "i_cvi": found.index.tolist(),
            "interval": [f"{low:.2f} to {high:.2f}" for low, high in limits],
            "modified_kappa": found.kappa.tolist(),
            "verdict": [kappa_word(kappa) for kappa in found.kappa],
            "reaches_bar": self.meets_bar.tolist(),
        }
        if self.clarity is not None:
            columns["clarity"] = self.clarity.index.tolist()
        return Table(
            title=f"Content validity: S-CVI/Ave {self.s_cvi_ave:.3f} ({self.conf_level:.0%} CI "
            f"{self.s_cvi_ave_low:.2f} to {self.s_cvi_ave_high:.2f}), S-CVI/UA "
            f"{self.s_cvi_ua:.2f}; {self.n_raters} raters, {len(self.items)} items",
            columns=columns,
            notes=self.notes,
            formats=dict.fromkeys(("i_cvi", "modified_kappa", "clarity"), ".2f"),
            labels={
                "i_cvi": "I-CVI",
                "interval": f"{self.conf_level:.0%} CI",
                "modified_kappa": "k*",
                "verdict": "k* is",
                "reaches_bar": f"from {CONTENT_BARS['i_cvi']:.2f}",
            },
        )

    def chart(self) -> Chart:
        """I-CVI of each item with its interval; hollow where it stays below the bar."""
        found = self.relevance
        return interval_chart(
            self.items,
            found.index.tolist(),
            found.ci_low.tolist(),
            found.ci_high.tolist(),
            title=f"Share of {self.n_raters} raters who find the item relevant",
            axis=f"I-CVI ({self.conf_level:.0%} interval; line: {CONTENT_BARS['i_cvi']:.2f})",
            reference=CONTENT_BARS["i_cvi"],
            highlight=(~self.meets_bar).tolist(),
        )


def reaches_item_bar(index: FloatArray) -> BoolArray:
    """Whether I-CVIs, to two digits, reach their bar: Lynn (1986) prints 7 of 9 as .78."""
    reached: BoolArray = np.round(index, 2) >= CONTENT_BARS["i_cvi"]
    return reached
