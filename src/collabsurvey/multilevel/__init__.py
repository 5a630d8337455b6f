"""From people to schools: intraclass correlations, group means, centring."""

from collabsurvey.multilevel.aggregate import AggregateResult, aggregate
from collabsurvey.multilevel.center import center
from collabsurvey.multilevel.icc import IccResult, icc

__all__ = ["AggregateResult", "IccResult", "aggregate", "center", "icc"]
