"""How precisely a scale measures: alpha, item analysis, correlations between scales."""

from collabsurvey.reliability.alpha import AlphaResult, alpha
from collabsurvey.reliability.describe import ItemDescription, describe_items
from collabsurvey.reliability.item_analysis import ItemAnalysisResult, item_analysis
from collabsurvey.reliability.overview import ReliabilityOverview, overview
from collabsurvey.reliability.scale_correlations import ScaleCorrelations, scale_correlations

__all__ = [
    "AlphaResult",
    "ItemAnalysisResult",
    "ItemDescription",
    "ReliabilityOverview",
    "ScaleCorrelations",
    "alpha",
    "describe_items",
    "item_analysis",
    "overview",
    "scale_correlations",
]
