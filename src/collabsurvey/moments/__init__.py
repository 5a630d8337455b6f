"""The bridge from rows to arrays: means, cross-products, counts, designs."""

from collabsurvey.moments.casewise import clustered_answers, weighted_answers
from collabsurvey.moments.clustered import ClusterMoments, cluster_moments
from collabsurvey.moments.covariance import Moments, item_moments
from collabsurvey.moments.grouped import GroupedMoments, grouped
from collabsurvey.moments.tables import AnswerTables, answer_tables

__all__ = [
    "AnswerTables",
    "ClusterMoments",
    "GroupedMoments",
    "Moments",
    "answer_tables",
    "cluster_moments",
    "clustered_answers",
    "grouped",
    "item_moments",
    "weighted_answers",
]
