"""The social relations model for complete round robins: actors, partners, relationships.

Source: Warner, Kenny & Stoto (1979) doi:10.1037/0022-3514.37.10.1742; Kenny (1994)
Interpersonal Perception, appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import NotEnoughDataError, listed
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.results import Result

if TYPE_CHECKING:
    import pandas as pd

METHOD = "A round robin analysis"
LEAST = 4  # schools: with three, no degree of freedom is left for mutual relationships


@dataclass(frozen=True, eq=False)
class Components:
    """Variances and covariances of one round robin, and the effects (n,) of each school."""

    mean: float
    actor: float
    partner: float
    relationship: float
    actor_partner: float  # covariance of a school's two effects
    mutual: float  # covariance of the two relationship effects of a pair
    actor_effects: FloatArray
    partner_effects: FloatArray


def social_relations(x: FloatArray) -> Components:
    """Components of a complete table x (n, n), n >= 4, sources in rows; the diagonal is ignored.

    Unbiased, so a variance may come out below zero (Warner, Kenny & Stoto, 1979).
    """
    n = len(x)
    other = ~np.eye(n, dtype=bool)
    x = np.where(other, x, 0.0)
    rows, columns = x.sum(axis=1) / (n - 1), x.sum(axis=0) / (n - 1)
    mean = float(rows.mean())
    large, small = (n - 1) ** 2 / (n * (n - 2)), (n - 1) / (n * (n - 2))
    level = (n - 1) / (n - 2) * mean
    a = large * rows + small * columns - level
    b = large * columns + small * rows - level
    g = np.where(other, x - a[:, None] - b[None, :] - mean, 0.0)
    upper = np.triu_indices(n, 1)
    forth, back = g[upper], g.T[upper]
    pairs = (n - 1) * (n - 2) / 2
    between = float(((forth + back) ** 2).sum() / 2 / (pairs - 1))
    within = float(((forth - back) ** 2).sum() / 2 / pairs)
    relationship, mutual = (between + within) / 2, (between - within) / 2
    wide, narrow = (n - 1) / (n * (n - 2)), 1 / (n * (n - 2))
    noise = wide * relationship + narrow * mutual
    shared = wide * mutual + narrow * relationship
    return Components(
        mean=mean,
        actor=float(a @ a) / (n - 1) - noise,
        partner=float(b @ b) / (n - 1) - noise,
        relationship=relationship,
        actor_partner=float(a @ b) / (n - 1) - shared,
        mutual=mutual,
        actor_effects=a,
        partner_effects=b,
    )


@dataclass(frozen=True, eq=False)
class RoundRobinResult(Result):
    """How far schools differ as sources, as targets, and in what is particular to a pair.

    Attributes
    ----------
    components : pandas.DataFrame
        One row a round robin: `partnership` and `wave` where they are known, `n_schools mean
        actor partner relationship` (variances, unbiased, possibly below zero), their shares
        `actor_share partner_share relationship_share` (negative variances as zero),
        `actor_partner_cov actor_partner_cor` (do schools that rate high get rated high),
        `mutual_cov mutual_cor` (is a particular relationship answered).
    pooled : pandas.DataFrame
        The same over the round robins of each wave, weighted by schools less one.
    effects : pandas.DataFrame
        `school actor partner` effects, deviations from the mean.
    """

    components: pd.DataFrame
    pooled: pd.DataFrame
    effects: pd.DataFrame
    value: str
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row a round robin; see the class."""
        return self.components.copy()

    def table(self) -> Table:
        """Variances, shares and correlations."""
        frame = self.components
        shares = ("actor_share", "partner_share", "relationship_share")
        hidden = ("actor_partner_cov", "mutual_cov")
        cors = dict.fromkeys(("actor_partner_cor", "mutual_cor"), ".2f")
        return Table(
            title=f"{self.value}: variances of schools as sources, as targets, and of pairs",
            columns={str(c): frame[c].tolist() for c in frame.columns if c not in hidden},
            notes=self.notes,
            formats={**dict.fromkeys(shares, ".0%"), **cors},
        )

    def chart(self) -> Chart:
        """Shares of the variance, averaged over round robins of all waves as in `pooled`."""
        shares = self.pooled[["actor_share", "partner_share", "relationship_share"]].mean()
        return dot_chart(
            ["source (actor)", "target (partner)", "particular to the pair"],
            [100 * float(x) for x in shares],
            title=f"{self.value}: where differences lie",
            axis="per cent of the variance of ratings between schools",
            reference=0.0,
        )


def round_robin(directed: pd.DataFrame, keys: tuple[str, ...], value: str) -> RoundRobinResult:
    """Decompose each partnership and wave of `directed` that is a complete round robin."""
    import pandas as pd

    known = directed[directed["mean"].notna()]
    groups = known.groupby(list(keys), sort=True) if keys else [((), known)]
    rows, effects, left_out = [], [], []
    problem: NotEnoughDataError | None = None
    for key, frame in groups:
        label = dict(zip(keys, key, strict=True))
        found = _table(frame, label)
        if isinstance(found, NotEnoughDataError):
            problem = problem or found
            left_out.append(_words(label))
            continue
        schools, x = found
        parts = social_relations(x)
        rows.append({**label, "n_schools": len(schools), **_described(parts)})
        effects.append(
            pd.DataFrame(
                {
                    **label,
                    "school": schools,
                    "actor": parts.actor_effects,
                    "partner": parts.partner_effects,
                }
            )
        )
    if not rows:
        raise problem or NotEnoughDataError(METHOD, what="schools", found=0, needed=LEAST)
    components = pd.DataFrame(rows)
    return RoundRobinResult(
        components=components,
        pooled=_pooled(components, tuple(key for key in keys if key != "partnership")),
        effects=pd.concat(effects, ignore_index=True),
        value=value,
        notes=tuple(_notes(components, left_out)),
    )


def _table(
    frame: pd.DataFrame, label: dict[str, Any]
) -> tuple[list[Any], FloatArray] | NotEnoughDataError:
    """Schools and their (n, n) table, or why there is none."""
    schools = sorted({*frame["source"], *frame["target"]})
    n = len(schools)
    where = _words(label)
    if n < LEAST:
        return NotEnoughDataError(METHOD, what="schools", found=n, needed=LEAST, where=where)
    pairs = set(zip(frame["source"], frame["target"], strict=True))
    missing = [f"{a} about {b}" for a in schools for b in schools if a != b and (a, b) not in pairs]
    if missing:
        return NotEnoughDataError(
            METHOD,
            what=f"directed pairs of {n} schools (there is no answer of {listed(missing, most=5)})",
            found=len(pairs),
            needed=n * (n - 1),
            where=where,
        )
    return schools, wide_table(frame, schools, "mean").to_numpy()


def wide_table(directed: pd.DataFrame, schools: Sequence[Any], quantity: str) -> pd.DataFrame:
    """Sources in rows, targets in columns, both in this order; missing where there is no pair."""
    import pandas as pd

    place = {school: i for i, school in enumerate(schools)}
    values = np.full((len(schools), len(schools)), np.nan)
    rows, columns = directed["source"].map(place), directed["target"].map(place)
    values[rows.to_numpy(), columns.to_numpy()] = directed[quantity].to_numpy(dtype=float)
    index, across = pd.Index(schools, name="source"), pd.Index(schools, name="target")
    return pd.DataFrame(values, index=index, columns=across)


def _words(label: dict[str, Any]) -> str:
    return ", ".join(f"{key} {name}" for key, name in label.items())


def _described(parts: Components) -> dict[str, float]:
    variances = {
        "actor": parts.actor,
        "partner": parts.partner,
        "relationship": parts.relationship,
    }
    return {
        "mean": parts.mean,
        **variances,
        **_shares(variances),
        "actor_partner_cov": parts.actor_partner,
        "actor_partner_cor": _correlation(parts.actor_partner, parts.actor, parts.partner),
        "mutual_cov": parts.mutual,
        "mutual_cor": _correlation(parts.mutual, parts.relationship, parts.relationship),
    }


def _shares(variances: dict[str, float]) -> dict[str, float]:
    total = sum(max(v, 0.0) for v in variances.values())
    return {
        f"{name}_share": max(v, 0.0) / total if total > 0 else float("nan")
        for name, v in variances.items()
    }


def _correlation(cov: float, first: float, second: float) -> float:
    """Correlation; NaN where a variance is not above zero."""
    return cov / float(np.sqrt(first * second)) if min(first, second) > 0 else float("nan")


def _pooled(components: pd.DataFrame, keys: tuple[str, ...]) -> pd.DataFrame:
    """Components weighted by n_schools - 1, one row for each wave."""
    import pandas as pd

    rows = []
    for key, frame in components.groupby(list(keys), sort=True) if keys else [((), components)]:
        weights = frame["n_schools"].to_numpy() - 1
        names = ("mean", "actor", "partner", "relationship", "actor_partner_cov", "mutual_cov")
        mean, actor, partner, relationship, cov, mutual = (
            float(np.average(frame[name], weights=weights)) for name in names
        )
        nothing = np.empty(0)
        parts = Components(mean, actor, partner, relationship, cov, mutual, nothing, nothing)
        label = dict(zip(keys, key, strict=True))
        rows.append({**label, "n_round_robins": len(frame), **_described(parts)})
    return pd.DataFrame(rows)


def _notes(components: pd.DataFrame, left_out: list[str]) -> list[str]:
    """What the variances hold, and which of them cannot be taken literally."""
    notes = [
        "Analysis of variance of the means of each directed pair, which count alike. What is "
        "particular to a pair includes the chance of who answered; a variance of sources includes "
        "it too, as the same people rate all partners of their school."
    ]
    if len(components) == 1:
        notes.append(
            f"One round robin of {components['n_schools'].iloc[0]} schools: variances of so few "
            "schools are rough, and no standard error is given."
        )
    negative = [
        name for name in ("actor", "partner", "relationship") if (components[name] < 0).any()
    ]
    if negative:
        notes.append(f"Estimated below zero, which stands for none: {listed(negative)}.")
    if left_out:
        notes.append(f"Not complete, or fewer than {LEAST} schools, left out: {listed(left_out)}.")
    return notes
