"""Sentences and picture for the question whether two scales measure different things."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

from collabsurvey.display import Chart
from collabsurvey.display.charts import QUIET, interval_chart
from collabsurvey.errors import listed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Row = dict[Hashable, Any]  # of a frame of pairs

# Henseler, Ringle & Sarstedt (2015): .85 after Kline (2011), .90 after Gold et al. (2001).
STRICT = 0.85
LIBERAL = 0.90
DARK = "#595959"  # small text needs more contrast than lines
DIFFERENT = "different"
LIKELY = "probably different"
CLOSE = "hard to tell apart"
SAME = "not told apart"
UNDEFINED = "not defined"
NOT_MEANT = "not meant for this model"  # general and specific factors of the same items
KINDS = (DIFFERENT, LIKELY, CLOSE, SAME, UNDEFINED)
MEANING = (
    "HTMT estimates how strongly the two things themselves go together, measurement error aside: "
    "near 0 they are unrelated, near 1 the items of both measure one and the same thing."
)
CUT_OFFS = (
    "Cut-offs of HTMT: .85, or .90 where the ideas are close by definition (Henseler, Ringle & "
    "Sarstedt, 2015), as trust and cooperation are. They are conventions: read them beside the "
    "wording of the items."
)
WITHOUT_SIGN = (
    "HTMT takes correlations without their sign, so a strong negative relation counts as overlap "
    "too, and scales that are hardly related come out somewhat too high."
)


def reading(estimate: float, upper: float) -> str:
    """What an HTMT and its upper limit (NaN where none is known) say of two scales."""
    if not isfinite(estimate):
        return UNDEFINED
    size = abs(estimate)
    if size >= LIBERAL:
        return SAME
    if size >= STRICT:
        return CLOSE
    return LIKELY if isfinite(upper) and upper >= STRICT else DIFFERENT


def distinct_notes(pairs: pd.DataFrame, conf_level: float) -> list[str]:
    """Answer the question pair by pair, those in doubt by name.

    `pairs` has factor_1, factor_2, htmt, htmt_ci_low, htmt_ci_high and reading.
    """
    rows: list[Row] = pairs.to_dict("records")
    of = {kind: [row for row in rows if row["reading"] == kind] for kind in KINDS}
    notes = [_apart(of[DIFFERENT], len(rows), conf_level)] if of[DIFFERENT] else []
    if some := of[LIKELY]:
        notes.append(
            f"Probably different, but the interval reaches .85, so more respondents are needed to "
            f"be sure: {_shown(some, conf_level)}."
        )
    if some := of[CLOSE]:
        notes.append(
            f"Hard to tell apart (HTMT .85 to .90): {_shown(some, conf_level)}. Keep both scales "
            "only if the ideas are close by definition, and do not read much into their difference."
        )
    if some := of[SAME]:
        notes.append(
            f"Not told apart (HTMT .90 or more): {_shown(some, conf_level)}. People answer these "
            "scales as if they asked about one thing: report them as one, or look for items that "
            "belong to both."
        )
    if some := of[UNDEFINED]:
        named = listed([f"{row['factor_1']} and {row['factor_2']}" for row in some], most=6)
        notes.append(f"HTMT is not defined for {named}.")
    return notes


def _apart(rows: Sequence[Row], total: int, conf_level: float) -> str:
    if total == 1:
        row = rows[0]
        return (
            f"{row['factor_1']} and {row['factor_2']} measure different things: "
            f"{_value(row, conf_level)}, below .85."
        ).replace("-", "−")
    top = max(rows, key=lambda row: abs(_number(row["htmt"])))
    many = f"All {total}" if len(rows) == total else f"{len(rows)} of {total}"
    below = "every interval ends" if isfinite(_number(top["htmt_ci_high"])) else "HTMT is"
    verb = "measures" if len(rows) == 1 and total > 1 else "measure"
    return (
        f"{many} pairs of scales {verb} different things: {below} below .85, and the highest is "
        f"{_number(top['htmt']):.2f} ({top['factor_1']} and {top['factor_2']})."
    ).replace("-", "−")


def _shown(rows: Sequence[Row], conf_level: float) -> str:
    ordered = sorted(rows, key=lambda row: -abs(_number(row["htmt"])))
    words = [f"{r['factor_1']} and {r['factor_2']} ({_value(r, conf_level)})" for r in ordered]
    return listed(words, most=6)


def _value(row: Row, conf_level: float) -> str:
    low, high = _number(row["htmt_ci_low"]), _number(row["htmt_ci_high"])
    interval = f", {conf_level:.0%} CI {low:.2f} to {high:.2f}" if isfinite(low) else ""
    return f"HTMT {_number(row['htmt']):.2f}{interval}"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else nan


def distinct_chart(pairs: pd.DataFrame, *, title: str) -> Chart:
    """HTMT of each pair with its interval, under the lines of .85 and .90."""
    groups = pairs["group"].tolist() if "group" in pairs else [""] * len(pairs)
    names = [
        f"{a} – {b}" + (f" ({group})" if group else "")
        for a, b, group in zip(pairs["factor_1"], pairs["factor_2"], groups, strict=True)
    ]
    plain = interval_chart(
        names,
        pairs["htmt"].tolist(),
        pairs["htmt_ci_low"].tolist(),
        pairs["htmt_ci_high"].tolist(),
        title=title,
        axis="HTMT: how strongly the two things themselves go together",
        highlight=pairs["reading"].isin([CLOSE, SAME]).tolist(),
    )

    def draw(ax: Axes) -> None:
        plain.draw(ax)
        for at, style in ((STRICT, "--"), (LIBERAL, "-")):
            ax.axvline(at, color=QUIET, linewidth=1, linestyle=style, zorder=1)
        low, high = ax.get_xlim()
        ax.set_xlim(min(0.0, low), max(1.05, high))
        shown = ax.get_xaxis_transform()
        for at, side in ((STRICT, "right"), (LIBERAL, "left")):
            text = f" {at:.2f} ".replace(" 0.", " .")
            ax.text(
                at, 1.0, text, transform=shown, ha=side, va="bottom", fontsize=8, color="#595959"
            )
        source = "lines: .85 and .90 (Henseler, Ringle & Sarstedt, 2015)"
        ax.set_xlabel(f"{ax.get_xlabel()}\n{source}")

    lines = " Lines at .85 and .90 (Henseler, Ringle & Sarstedt, 2015)."
    return Chart(plain.title, plain.description + lines, draw, plain.size)
