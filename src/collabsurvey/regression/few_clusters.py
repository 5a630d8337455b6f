"""How many clusters are too few for what: every rule in one place, with its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from collabsurvey.display import Chart, Table
from collabsurvey.display.charts import dot_chart
from collabsurvey.errors import OptionError
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.results import Result, table_from_frame

# Below 4 df the t approximation is itself unreliable (Tipton, 2015,
# doi:10.1037/met0000011; Pustejovsky & Tipton, 2018, doi:10.1080/07350015.2016.1247004).
FEW_DF = 4
# "Few" begins between 20 and 50 clusters for CR0 and CR1 (Cameron & Miller, 2015,
# doi:10.3368/jhr.50.2.317, section VI).
FEW_CLUSTERS = 20
# A variance between fewer than 5 groups is hardly estimable (Gelman & Hill, 2007, p. 275).
FEW_GROUPS = 5
# With G clusters Rademacher weights give 2^(G-1) different statistics (Webb, 2023,
# doi:10.1111/caje.12661): below 6 clusters no p-value reaches .05, below 10 they are coarse.
FEWEST_RADEMACHER = 6
FEW_RADEMACHER = 10
# Lüdtke et al. (2008), doi:10.1037/a0012869: with fewer groups adjusted coefficients vary widely.
FEW_FOR_ADJUSTMENT = 50


@dataclass(frozen=True)
class ClusterRule:
    """What needs how many clusters, and who says so."""

    purpose: str
    needed: int
    below: str  # what goes wrong with fewer
    source: str


RULES = (
    ClusterRule(
        "a variance between clusters",
        FEW_GROUPS,
        "it is hardly estimable; enter the clusters as C(cluster)",
        "Gelman & Hill (2007), p. 275",
    ),
    ClusterRule(
        "a wild cluster bootstrap with Rademacher weights at .05",
        FEWEST_RADEMACHER,
        "no p-value can be below .05; Webb weights have more values",
        "Webb (2023), doi:10.1111/caje.12661",
    ),
    ClusterRule(
        "Rademacher weights without coarse p-values",
        FEW_RADEMACHER,
        "Webb weights have more values",
        "Webb (2023), doi:10.1111/caje.12661",
    ),
    ClusterRule(
        "CR0 or CR1 errors, with the normal or clusters - 1 df",
        FEW_CLUSTERS,
        "errors come out too small (the bound lies between 20 and 50, higher where clusters "
        "differ much in size); use CR2 with Satterthwaite df",
        "Cameron & Miller (2015), doi:10.3368/jhr.50.2.317",
    ),
    ClusterRule(
        "errors of variances between clusters",
        50,
        "they come out too small; coefficients and the variances themselves do not suffer",
        "Maas & Hox (2005), doi:10.1027/1614-2241.1.3.86",
    ),
    ClusterRule(
        "interactions of a condition of clusters with one of people",
        50,
        "power is low (the 50/20 rule: 50 clusters of 20)",
        "Hox (2010), Multilevel analysis, p. 235",
    ),
    ClusterRule(
        "means of clusters corrected for their reliability",
        FEW_FOR_ADJUSTMENT,
        "corrected coefficients vary widely, the more so with few members in each cluster",
        "Lüdtke et al. (2008), doi:10.1037/a0012869",
    ),
    ClusterRule(
        "variances and covariances between clusters as the finding itself",
        100,
        "they are too imprecise to be the finding (the 100/10 rule)",
        "Hox (2010), Multilevel analysis, p. 235",
    ),
)


@dataclass(frozen=True, eq=False)
class ClusterRulesResult(Result):
    """The rules of thumb, and which of them a number of clusters meets."""

    n_clusters: int
    rules: tuple[ClusterRule, ...]
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return purpose, needed, met, below, source."""
        return pd.DataFrame(
            {
                "purpose": [rule.purpose for rule in self.rules],
                "needed": [rule.needed for rule in self.rules],
                "met": [self.n_clusters >= rule.needed for rule in self.rules],
                "below": [rule.below for rule in self.rules],
                "source": [rule.source for rule in self.rules],
            }
        )

    def table(self) -> Table:
        """Return the rules with yes or no."""
        frame = self.to_frame()
        frame["met"] = ["yes" if met else "no" for met in frame["met"]]
        labels = {"purpose": "for", "needed": "clusters", "below": "with fewer"}
        title = f"What {self.n_clusters} clusters are enough for"
        return table_from_frame(frame, title, labels=labels, notes=self.notes)

    def chart(self) -> Chart:
        """Return the number each purpose needs, those not met marked."""
        return dot_chart(
            [rule.purpose for rule in self.rules],
            [float(rule.needed) for rule in self.rules],
            title=f"What {self.n_clusters} clusters are enough for",
            axis="clusters needed",
            reference=float(self.n_clusters),
            highlight=[rule.needed > self.n_clusters for rule in self.rules],
        )


def enough_clusters(n_clusters: int) -> ClusterRulesResult:
    """What a number of clusters is enough for, by the rules this package goes by.

    Parameters
    ----------
    n_clusters : int
        Schools, or whatever the people are grouped in.

    Returns
    -------
    ClusterRulesResult
        One row for each purpose: the number needed, whether it is met, what goes wrong with
        fewer, and the source.

    Notes
    -----
    Rules of thumb from simulations: balance counts as much as number, and a few clusters that
    carry a coefficient are few even among many. For that see the Satterthwaite df (below 4 a
    p-value cannot be trusted; Tipton, 2015, doi:10.1037/met0000011) and `influence`.
    """
    if not isinstance(n_clusters, int) or n_clusters < 1:
        raise OptionError("n_clusters", n_clusters, allowed=("a whole number of 1 or more",))
    note = (
        "Rules of thumb from simulations; clusters of unequal size count for fewer. Satterthwaite "
        f"df below {FEW_DF} say that too few carry a coefficient (Tipton, 2015)."
    )
    return ClusterRulesResult(n_clusters, RULES, (note,))


def few_clusters_note(
    df_method: str, df: FloatArray, n_clusters: int, terms: Sequence[str]
) -> list[str]:
    """Return the sentence of the warning, if the clusters are too few for the df in use."""
    if df_method == "satterthwaite":
        low = [name for name, value in zip(terms, df, strict=True) if value < FEW_DF]
        if not low:
            return []
        return [
            f"Too few clusters carry {', '.join(low)}: the Satterthwaite df are below {FEW_DF}, "
            "where even corrected p-values cannot be trusted (Pustejovsky & Tipton, 2018). Read "
            "those intervals as rough."
        ]
    if n_clusters >= FEW_CLUSTERS:
        return []
    return [
        f"{n_clusters} clusters are few for df_method={df_method!r}: errors come out too small "
        f"below about {FEW_CLUSTERS} (Cameron & Miller, 2015). Use cov='CR2' with "
        "df_method='satterthwaite'."
    ]


def few_of_two_note(label: str, n_clusters: int) -> list[str]:
    """Return the sentence of the warning, if one of two ways of clustering has few clusters."""
    if n_clusters >= FEW_CLUSTERS:
        return []
    return [
        f"{n_clusters} clusters of {label} are few for two-way errors, which come out too small "
        f"below about {FEW_CLUSTERS} in either direction (Cameron & Miller, 2015). Enter {label} "
        f"as C({label}) and cluster by the other alone."
    ]
