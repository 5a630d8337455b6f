"""How many factors: kernels from a correlation matrix, or answers, to a number and its reasons."""

from collabsurvey.dimensionality.how_many.adequacy import Adequacy, adequacy
from collabsurvey.dimensionality.how_many.comparison_data import ComparisonData, comparison_data
from collabsurvey.dimensionality.how_many.ekc import EmpiricalKaiser, empirical_kaiser
from collabsurvey.dimensionality.how_many.parallel import (
    Correlate,
    EigenvaluesOf,
    ParallelAnalysis,
    Reference,
    parallel_analysis,
    random_correlations,
    resampled_correlations,
)
from collabsurvey.dimensionality.how_many.velicer import (
    MinimumAveragePartial,
    minimum_average_partial,
)
from collabsurvey.dimensionality.how_many.vss import (
    VerySimpleStructure,
    very_simple_structure,
)

__all__ = [
    "Adequacy",
    "ComparisonData",
    "Correlate",
    "EigenvaluesOf",
    "EmpiricalKaiser",
    "MinimumAveragePartial",
    "ParallelAnalysis",
    "Reference",
    "VerySimpleStructure",
    "adequacy",
    "comparison_data",
    "empirical_kaiser",
    "minimum_average_partial",
    "parallel_analysis",
    "random_correlations",
    "resampled_correlations",
    "very_simple_structure",
]
