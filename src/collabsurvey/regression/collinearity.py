"""Conditions that go together: what can be separated, and what cannot."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import DataError, NotEnoughDataError
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.regression.contrasts import column_moments, contrast_frame
from collabsurvey.regression.linear import LinearResult
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.terms import INTERCEPT
from collabsurvey.results import Result, table_from_frame

# An error is then sqrt(5) = 2.2 times what it would be without the other terms. Rules of 4, 5 and
# 10 are all in use; none of them is a reason to drop a term (O'Brien, 2007,
# doi:10.1007/s11135-006-9018-6).
HIGH_VIF = 5.0
# Moderate to strong near-dependencies begin here (Belsley, Kuh & Welsch, 1980, p. 105).
HIGH_CONDITION = 30.0


@dataclass(frozen=True, eq=False)
class CollinearityResult(Result):
    """How far the terms of a model can be told apart.

    Attributes
    ----------
    terms : DataFrame
        term, n_columns, vif (generalised for several columns), vif_per_column (the square of
        GVIF^(1/(2 columns)), to compare with a VIF), error_times (how much larger the error is),
        correlation and with_term (the closest other term; the first canonical correlation of
        terms with several columns).
    condition_number : float
        Of the columns scaled to equal length, the constant among them (Belsley).
    condition_centred : float
        Of the correlations of the columns, which does not depend on where their zeros are.
    sentences : tuple of str
        What can be separated and what cannot, in words.
    """

    terms: pd.DataFrame
    condition_number: float
    condition_centred: float
    sentences: tuple[str, ...]
    correlations: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each term."""
        return self.terms.copy()

    def table(self) -> Table:
        """Return the terms, and the sentences below."""
        frame = self.terms.rename(columns={"with_term": "closest_to"})
        return table_from_frame(
            frame,
            "How far the terms can be told apart",
            labels={"vif": "VIF", "vif_per_column": "VIF per column", "correlation": "r"},
            notes=(*self.sentences, *self.notes),
        )

    def chart(self) -> Chart:
        """Return the VIFs; those above 5 are marked."""
        values = self.terms["vif_per_column"].tolist()
        return dot_chart(
            self.terms["term"].tolist(),
            values,
            title="How far the terms can be told apart",
            axis="variance inflation",
            reference=HIGH_VIF,
            highlight=[value >= HIGH_VIF for value in values],
        )


def collinearity(result: RegressionResult) -> CollinearityResult:
    """Variance inflation of each term, condition numbers, and what they mean in words.

    Parameters
    ----------
    result : LinearResult or MixedResult
        With an intercept and at least two other terms.

    Returns
    -------
    CollinearityResult
        `.terms`, `.condition_number`, `.sentences`.

    Raises
    ------
    DataError
        Another kind of model, or one without an intercept.
    NotEnoughDataError
        Fewer than two terms.

    Notes
    -----
    VIF of several columns: Fox & Monette (1992), doi:10.1080/01621459.1992.10475190, from the
    correlations of the coefficients under independent errors (least squares) or under the model
    (mixed), as car::vif. Collinear conditions are no fault of a model: errors are right, and large
    because the data do not say which of the two it is. To drop one gives its share to the other.
    """
    if not isinstance(result, LinearResult | MixedResult):
        raise DataError("collinearity takes a fitted linear model, of ols() or mixed().")
    _, sd, correlations = column_moments(result)
    names, labels = result.terms, result.plan.term_labels
    own = [label for label in dict.fromkeys(labels) if label != INTERCEPT]
    columns = {label: [j for j, lb in enumerate(labels) if lb == label] for label in own}
    if len(own) < 2:
        raise NotEnoughDataError("collinearity", what="terms", found=len(own), needed=2)
    inflation = generalised_vif(_information_covariance(result), list(columns.values()))
    size = np.array([len(columns[label]) for label in own])
    per_column = inflation ** (1 / size)
    closest = [_closest(correlations, columns, label) for label in own]
    terms = pd.DataFrame(
        {
            "term": own,
            "n_columns": size,
            "vif": inflation,
            "vif_per_column": per_column,
            "error_times": np.sqrt(per_column),
            "correlation": [r for r, _, _ in closest],
            "with_term": [labels[there] for _, _, there in closest],
        }
    )
    root = np.linalg.inv(result.basis)
    singular = np.linalg.svd(root / np.linalg.norm(root, axis=0), compute_uv=False)
    kept = [j for j, name in enumerate(names) if name != INTERCEPT]
    eigen = np.linalg.eigvalsh(correlations[np.ix_(kept, kept)])
    sentences, told = [], set()
    for i in np.argsort(-per_column, kind="stable").tolist():
        r, here, there = closest[i]
        if per_column[i] < HIGH_VIF or own[i] in told:
            continue
        sentences.append(
            _sentence(result, sd, own[i], float(inflation[i]), r, (here, there), per_column[i])
        )
        told |= {own[i], labels[there]}
    if not sentences:
        sentences.append(
            f"No term's error is more than {np.sqrt(HIGH_VIF):.1f} times what it would be without "
            "the others; the terms can be told apart as far as their intervals say."
        )
    return CollinearityResult(
        terms=terms,
        condition_number=float(singular[0] / singular[-1]),
        condition_centred=float(np.sqrt(eigen[-1] / eigen[0])),
        sentences=tuple(sentences),
        correlations=pd.DataFrame(
            correlations[np.ix_(kept, kept)],
            index=[names[j] for j in kept],
            columns=[names[j] for j in kept],
        ),
        notes=_notes(result, float(singular[0] / singular[-1])),
    )


def generalised_vif(covariance: FloatArray, groups: list[list[int]]) -> FloatArray:
    """Variance inflation (k,) of groups of coefficients, from their covariance (p, p).

    det R11 det R22 / det R of their correlations (Fox & Monette, 1992, eq. 10).
    """
    everything = [j for group in groups for j in group]
    sd = np.sqrt(np.diag(covariance))
    r = covariance / np.outer(sd, sd)

    def log_det(picked: list[int]) -> float:
        return float(np.linalg.slogdet(r[np.ix_(picked, picked)])[1]) if picked else 0.0

    whole = log_det(everything)
    return np.array(
        [
            np.exp(log_det(group) + log_det([j for j in everything if j not in group]) - whole)
            for group in groups
        ]
    )


def _information_covariance(result: RegressionResult) -> FloatArray:
    """Covariance (p, p) of the coefficients that the design alone gives, up to a factor."""
    basis = result.basis  # type: ignore[attr-defined]
    inner = result.parameters.vcov if isinstance(result, MixedResult) else np.eye(len(basis))
    return np.asarray(basis @ inner @ basis.T)


def _closest(
    correlations: FloatArray, columns: dict[str, list[int]], label: str
) -> tuple[float, int, int]:
    """The closest other term, as a whole: correlation, and the first column of either.

    Of terms with several columns the first canonical correlation, which has no sign.
    """
    mine = columns[label]
    found = [
        (_between_terms(correlations, mine, other), mine[0], other[0])
        for name, other in columns.items()
        if name != label
    ]
    return max(found, key=lambda one: abs(one[0]))


def _between_terms(correlations: FloatArray, a: list[int], b: list[int]) -> float:
    """Correlation of two columns; the first canonical one of two sets of columns."""
    if len(a) == len(b) == 1:
        return float(correlations[a[0], b[0]])
    left, right = (_whitening(correlations[np.ix_(own, own)]) for own in (a, b))
    both = left.T @ correlations[np.ix_(a, b)] @ right
    return min(float(np.linalg.svd(both, compute_uv=False)[0]), 1.0) if both.size else 0.0


def _whitening(r: FloatArray) -> FloatArray:
    """W with W' r W = I on what is not constant: a factor with every level has one rank less."""
    values, vectors = np.linalg.eigh(r)
    kept = values > 1e-9 * max(float(values[-1]), 1e-300)
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def _sentence(
    result: RegressionResult,
    sd: FloatArray,
    label: str,
    vif: float,
    r: float,
    pair: tuple[int, int],
    per_column: float,
) -> str:
    here, there = (result.plan.term_labels[j] for j in pair)
    words = f"r = {r:.2f}, VIF {vif:.1f}".replace("-", "−")
    if abs(r) < 0.7:  # several terms together, none of them alone
        return (
            f"{label} follows nearly from the other terms together ({words}; its closest is "
            f"{there}), so that its error is {np.sqrt(per_column):.1f} times what it would be "
            "without them: the data say little of it by itself."
        )
    start = (
        f"{here} and {there} go together so closely ({words}) that the data hardly say which of "
        f"the two it is: the error of {label} is {np.sqrt(per_column):.1f} times what it would be "
        "without the other terms."
    )
    if any(level >= 0 for j in pair for _, level in result.plan.columns[j].parts):
        return start  # one SD of a level of a factor is no difference that anything can have
    rows = np.zeros((2, len(result.terms)))
    sign = 1.0 if r > 0 else -1.0
    rows[0, pair[0]], rows[0, pair[1]] = sd[pair[0]], sign * sd[pair[1]]
    rows[1, pair[0]], rows[1, pair[1]] = sd[pair[0]], -sign * sd[pair[1]]
    found = contrast_frame(result, rows)
    low, high = found["ci_low"].to_numpy(), found["ci_high"].to_numpy()
    move = "of both" if r > 0 else f"of {here} and less of {there}"
    together = (
        f"{(low[0] + high[0]) / 2:.2f} ({result.conf_level * 100:g} % interval {low[0]:.2f} to "
        f"{high[0]:.2f})"
    ).replace("-", "−")
    return (
        f"{start} Together they can be read: one SD more {move} goes with a "
        f"difference in {result.outcome} of {together}. The difference between their two "
        f"shares is known only to ± {(high[1] - low[1]) / 2:.2f}."
    )


def _notes(result: RegressionResult, condition: float) -> tuple[str, ...]:
    notes = []
    meeting = [c.name for c in result.plan.columns if len(c.parts) > 1]
    if meeting:
        notes.append(
            f"The VIFs of {meeting[0]} and of its parts depend on where zero lies; write center() "
            "around numbers in an interaction before reading them."
        )
    if condition >= HIGH_CONDITION:
        notes.append(
            f"The condition number is {condition:.0f}; from {HIGH_CONDITION:.0f} on some terms "
            "nearly determine each other, or lie far from zero beside their spread (Belsley, Kuh & "
            "Welsch, 1980)."
        )
    notes.append(
        "Leaving out one of two collinear conditions gives its share to the other; it does not "
        "say which of them matters (O'Brien, 2007)."
    )
    return tuple(notes)
