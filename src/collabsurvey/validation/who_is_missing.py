"""Who is missing: a model of who did not answer, from what is known of everybody.

Logistic regression (statsmodels) of an answer being missing on known characteristics, with
errors by school. Missing answers that such characteristics explain are at least not missing
completely at random (Rubin, 1976, doi:10.1093/biomet/63.3.581); those they do not explain may
still depend on the unknown answer itself, which no model can show.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import interval_chart
from collabsurvey.errors import (
    DataError,
    FewClustersWarning,
    NotEnoughDataError,
    NoVarianceError,
    OptionError,
    UnknownNameError,
    check_level,
)
from collabsurvey.moments.respondents import cluster_column
from collabsurvey.moments.split import role_or_column
from collabsurvey.numerics.intervals import normal_quantile, t_quantile
from collabsurvey.numerics.typing import BoolArray, FloatArray
from collabsurvey.responses.engine import Column, group_codes, read_columns
from collabsurvey.responses.responses import Responses, require_responses
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

FEW_CLUSTERS = 10
# Coefficients of a logistic model are shrunken towards nothing or blow up with fewer events for
# each (Peduzzi et al., 1996, doi:10.1016/S0895-4356(96)00236-3).
EVENTS_PER_TERM = 10
MOST_LEVELS = 12  # of a predictor; more are names, not a characteristic


@dataclass(frozen=True, eq=False)
class MissingnessModel(Result):
    """Odds of an answer being missing, by what is known of the respondents.

    Attributes
    ----------
    estimates : pandas.DataFrame
        term, estimate (log odds), std_error, statistic, df, p_value, ci_low, ci_high,
        odds_ratio, odds_low, odds_high.
    shares : pandas.DataFrame
        predictor, level, n, n_missing, share: of predictors with levels, unadjusted.
    what : str
        What is missing, in words.
    n, n_missing : int
        Rows in the model, and those of them where it is missing.
    chi2, df, p_value : float
        Wald test that no predictor matters (with the errors of the model).
    """

    what: str
    estimates: pd.DataFrame
    shares: pd.DataFrame
    n: int
    n_missing: int
    n_clusters: int | None
    chi2: float
    df: int
    p_value: float
    conf_level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return the estimates, one row a term."""
        return self.estimates.copy()

    def table(self) -> Table:
        """Odds ratios with their intervals, without the intercept."""
        frame = self.estimates[self.estimates["term"] != "Intercept"]
        names = ("term", "odds_ratio", "odds_low", "odds_high", "p_value")
        return Table(
            f"Who is missing: {self.what} ({self.n_missing} of {self.n})",
            {name: frame[name].tolist() for name in names},
            self.notes,
            formats=dict.fromkeys(("odds_ratio", "odds_low", "odds_high"), ".2f"),
            labels={"odds_low": "CI low", "odds_high": "CI high", "p_value": "p"},
        )

    def chart(self) -> Chart:
        """Log odds of each term with its interval."""
        frame = self.estimates[self.estimates["term"] != "Intercept"]
        return interval_chart(
            frame["term"].tolist(),
            frame["estimate"].tolist(),
            frame["ci_low"].tolist(),
            frame["ci_high"].tolist(),
            title=f"Who is missing: {self.what}",
            axis=f"log odds of being missing, {self.conf_level:.0%} interval",
            reference=0.0,
        )


def who_is_missing(
    responses: Responses,
    of: str | Sequence[str] | None = None,
    *,
    predictors: str | Sequence[str],
    absent_in: Any = None,
    cluster: str | None = "auto",
    conf_level: float = 0.95,
) -> MissingnessModel:
    """Model who did not answer.

    Parameters
    ----------
    responses : Responses
        Everybody who answered something. The weight role is not applied: the question is who
        of these people is missing.
    of : str or sequence of str, optional
        A scale (missing: too few of its items answered for a score), an item, or several
        items (missing: one or more of them).
    predictors : str or sequence of str
        Roles or columns that are known of everybody, such as "staff_role". Text becomes
        levels, the first in order the reference; numbers count by the unit.
    absent_in : value of the wave role, optional
        In the place of `of`: who of those who answered in the wave before did not answer in
        this one.
    cluster : "auto", None, a role or a column
        Errors over clusters (t with clusters - 1 degrees of freedom); "auto" takes the
        cluster role, or the respondent where people have several rows.

    Raises
    ------
    NoVarianceError
        A predictor has one value only.
    DataError
        Nobody, or everybody, is missing; or it is so among the levels of a predictor, whose
        odds are then infinite; it is named.

    Warns
    -----
    FewClustersWarning
        Fewer than 10 clusters.

    Notes
    -----
    Errors over clusters are CR1: with few clusters they are too small.
    """
    require_responses(responses, method="Who is missing")
    check_level(conf_level)
    if (of is None) == (absent_in is None):
        raise OptionError("of", of, allowed=("a scale or items, or absent_in=a wave instead",))
    names = [predictors] if isinstance(predictors, str) else list(predictors)
    if not names:
        raise OptionError("predictors", names, allowed=("at least one role or column",))
    columns = {name: role_or_column(responses, name) for name in names}
    by = cluster_column(responses, cluster)
    rows = read_columns(responses.frame, _needed(responses, of, absent_in, [*columns.values(), by]))
    if absent_in is None:
        what, gone = _unanswered(responses, of or (), rows)
        used = np.ones(len(gone), dtype=bool)
    else:
        what, gone, used = _absent(responses, absent_in, rows)
    known = used.copy()
    for column in columns.values():
        known &= ~rows[column].missing
    lost = int(used.sum() - known.sum())
    if known.sum() < 10:
        raise NotEnoughDataError(
            "A model of who is missing", what="rows with every predictor", found=int(known.sum()),
            needed=10,
        )  # fmt: skip
    y = gone[known].astype(float)
    if y.min() == y.max():
        raise DataError(
            f"{what[0].upper()}{what[1:]} is missing from {'everybody' if y[0] else 'nobody'}, so "
            "there is nothing to model."
        )
    x, terms, shares = _design(columns, rows, known, y)
    groups, n_clusters, few = _groups(rows, by, known)
    if few:
        warnings.warn(few, FewClustersWarning, stacklevel=2)
    beta, cov, df = _fitted(x, y, groups, n_clusters)
    per_term = float(min(y.sum(), len(y) - y.sum())) / max(len(terms) - 1, 1)
    notes = [
        f"Logistic regression; {len(y)} rows" + (f", {lost} without a predictor left out." if lost
        else "."),
        _references(shares),
        f"Errors over {n_clusters} clusters." if n_clusters else "Rows taken as independent.",
        few,
        f"Only {per_term:.0f} missing for each term: read the odds as rough."
        if per_term < EVENTS_PER_TERM else "",
        "What the predictors do not explain may still depend on the answer that is missing.",
        "Synthetic data." if responses.synthetic else "",
    ]  # fmt: skip
    estimates = _estimates(terms, beta, cov, df, conf_level)
    chi2, p_value = _wald(beta[1:], cov[1:, 1:])
    return MissingnessModel(
        what=what,
        estimates=estimates,
        shares=shares,
        n=len(y),
        n_missing=int(y.sum()),
        n_clusters=n_clusters,
        chi2=chi2,
        df=len(terms) - 1,
        p_value=p_value,
        conf_level=conf_level,
        notes=tuple(note for note in notes if note),
    )


def _references(shares: pd.DataFrame) -> str:
    """Which level of each predictor the others are compared with."""
    first = shares.groupby("predictor", sort=False)["level"].first()
    if not len(first):
        return ""
    said = ", ".join(f"{level} ({predictor})" for predictor, level in first.items())
    return f"Odds compared with: {said}."


def _needed(
    responses: Responses,
    of: str | Sequence[str] | None,
    absent_in: Any,
    others: Sequence[str | None],
) -> list[str]:
    """Columns that have to be read."""
    names = [name for name in others if name is not None]
    if absent_in is not None:
        names += [
            responses.role("respondent", purpose="Who is absent"),
            responses.role("wave", purpose="Who is absent"),
        ]
    elif of is not None:
        names += _items_of(responses, of)[1]
    return list(dict.fromkeys(names))


def _items_of(responses: Responses, of: str | Sequence[str]) -> tuple[str, list[str], int]:
    """What is missing in words, its items, and how many of them must be answered."""
    instrument = responses.instrument
    if isinstance(of, str) and of in instrument.scale_ids and of not in instrument.item_ids:
        scale = instrument.scale(of)
        return f"the score of {scale.title or of}", list(scale.items), scale.n_required(None)
    names = [of] if isinstance(of, str) else list(of)
    if not names:
        raise OptionError("of", of, allowed=("a scale, an item, or several items",))
    for name in names:
        if name not in instrument.item_ids:
            known = [*instrument.scale_ids, *instrument.item_ids]
            raise UnknownNameError(
                "scale or item", name, available=known, where=f"Instrument {instrument.id!r}"
            )
    said = f"an answer to {names[0]}" if len(names) == 1 else f"one or more of {len(names)} answers"
    return said, names, len(names)


def _unanswered(
    responses: Responses, of: str | Sequence[str], rows: Mapping[str, Column]
) -> tuple[str, BoolArray]:
    what, items, needed = _items_of(responses, of)
    answered = np.sum([~rows[item].missing for item in items], axis=0)
    return what, np.asarray(answered < needed)


def _absent(
    responses: Responses, wave: Any, rows: Mapping[str, Column]
) -> tuple[str, BoolArray, BoolArray]:
    """Who of the wave before did not answer in this one; the rows of the wave before."""
    when, when_labels = group_codes(rows[responses.roles["wave"]])
    who, _ = group_codes(rows[responses.roles["respondent"]])
    label = f"{wave:g}" if isinstance(wave, int | float) else str(wave)
    if label not in when_labels:
        raise UnknownNameError("wave", label, available=when_labels, where="The data")
    at = when_labels.index(label)
    if at == 0:
        raise OptionError("absent_in", wave, allowed=tuple(when_labels[1:]))
    before = (when == at - 1) & (who >= 0)
    _, first = np.unique(np.where(before, who, -1), return_index=True)
    once = np.zeros(len(who), dtype=bool)
    once[first] = True  # one row a person, where several partners were asked about
    there = np.isin(who, who[when == at])
    return f"an answer in wave {label}", ~there, before & once


def _design(
    columns: Mapping[str, str], rows: Mapping[str, Column], known: BoolArray, y: FloatArray
) -> tuple[FloatArray, list[str], pd.DataFrame]:
    """Design (n, q) with an intercept, the names of its columns, shares missing by level."""
    import pandas as pd

    parts, terms, shares = [np.ones(int(known.sum()))], ["Intercept"], []
    for name, column in columns.items():
        found = rows[column]
        if found.categories is None:
            values = found.values[known].astype(float)
            if np.ptp(values) == 0:
                raise NoVarianceError(f"the predictor {name!r}", method="A model of who is missing")
            parts.append(values)
            terms.append(name)
            continue
        codes = np.asarray(found.values)[known]
        levels = np.unique(codes)
        if len(levels) < 2:
            raise NoVarianceError(f"the predictor {name!r}", method="A model of who is missing")
        if len(levels) > MOST_LEVELS:
            raise DataError(
                f"The predictor {name!r} has {len(levels)} different values; more than "
                f"{MOST_LEVELS} cannot be told apart. Put them into groups first."
            )
        for code in levels:
            here = codes == code
            label = found.categories[code]
            n_gone = int(y[here].sum())
            shares.append((name, label, int(here.sum()), n_gone, n_gone / here.sum()))
            if n_gone in (0, here.sum()):
                which = "all" if n_gone else "none"
                raise DataError(
                    f"Among {name} {label!r} {which} of {here.sum()} are missing, so its odds "
                    "cannot be estimated. Put the level together with another, or leave it out."
                )
            if code != levels[0]:
                parts.append(here.astype(float))
                terms.append(f"{name}[{label}]")
    names = ["predictor", "level", "n", "n_missing", "share"]
    return np.column_stack(parts), terms, pd.DataFrame(shares, columns=names)


def _groups(
    rows: Mapping[str, Column], by: str | None, known: BoolArray
) -> tuple[Any, int | None, str]:
    """Cluster codes (n,), how many there are, and the sentence if they are few."""
    if by is None:
        return None, None, ""
    codes, _ = group_codes(rows[by])
    codes = codes[known]
    # A row without a cluster is one of its own.
    alone = codes < 0
    codes = np.where(alone, codes.max() + 1 + np.cumsum(alone), codes)
    n = len(np.unique(codes))
    if n < 2:
        raise DataError(
            f"There is only one {by!r}, so errors over clusters are unknown. Use cluster=None."
        )
    few = (
        f"Only {n} clusters: the errors are rough, and rather too small."
        if n < FEW_CLUSTERS
        else ""
    )
    return codes, n, few


def _fitted(
    x: FloatArray, y: FloatArray, groups: Any, n_clusters: int | None
) -> tuple[FloatArray, FloatArray, float]:
    """Coefficients (q,), covariance (q, q), degrees of freedom."""
    import statsmodels.api as sm

    rank = np.linalg.matrix_rank(x - np.pad(x[:, 1:].mean(axis=0), (1, 0)))
    if rank < x.shape[1]:
        raise DataError("Some predictors follow from others. Leave one of them out.")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            model = sm.GLM(y, x, family=sm.families.Binomial())
            if groups is None:
                fit = model.fit()
            else:
                fit = model.fit(cov_type="cluster", cov_kwds={"groups": groups})
        except (RuntimeWarning, sm.tools.sm_exceptions.PerfectSeparationWarning) as problem:
            raise DataError(
                "The predictors tell exactly who is missing, so their odds cannot be estimated: "
                f"{problem}. Leave one out."
            ) from None
    df = float("inf") if n_clusters is None else float(n_clusters - 1)
    return np.asarray(fit.params), np.asarray(fit.cov_params()), df


def _estimates(
    terms: list[str], beta: FloatArray, cov: FloatArray, df: float, conf_level: float
) -> pd.DataFrame:
    import pandas as pd
    from scipy import special

    error = np.sqrt(np.diag(cov))
    statistic = beta / error
    tail = (1 + conf_level) / 2
    q = normal_quantile(tail) if np.isinf(df) else t_quantile(tail, df)
    p = 2 * (
        special.ndtr(-np.abs(statistic)) if np.isinf(df) else special.stdtr(df, -np.abs(statistic))
    )
    low, high = beta - q * error, beta + q * error
    return pd.DataFrame(
        {
            "term": terms,
            "estimate": beta,
            "std_error": error,
            "statistic": statistic,
            "df": df,
            "p_value": p,
            "ci_low": low,
            "ci_high": high,
            "odds_ratio": np.exp(beta),
            "odds_low": np.exp(low),
            "odds_high": np.exp(high),
        }
    )


def _wald(beta: FloatArray, cov: FloatArray) -> tuple[float, float]:
    from scipy import special

    chi2 = float(beta @ np.linalg.pinv(cov) @ beta)
    return chi2, float(special.chdtrc(len(beta), chi2))
