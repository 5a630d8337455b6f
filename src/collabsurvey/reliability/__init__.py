"""How precisely a scale measures, and how far raters and occasions agree."""

from collabsurvey.reliability.alpha import AlphaResult, alpha
from collabsurvey.reliability.describe import ItemDescription, describe_items
from collabsurvey.reliability.distributions import DistributionResult, distributions
from collabsurvey.reliability.item_analysis import ItemAnalysisResult, item_analysis
from collabsurvey.reliability.omega import omega
from collabsurvey.reliability.omega_columns import OmegaColumns, omega_columns
from collabsurvey.reliability.omega_result import OmegaResult
from collabsurvey.reliability.overview import ReliabilityOverview, overview
from collabsurvey.reliability.raters import (
    AgreementResult,
    KappaResult,
    KendallResult,
    KrippendorffResult,
    RaterIccResult,
    fleiss_kappa,
    gwet,
    icc,
    kappa,
    kendall_w,
    krippendorff,
    light_kappa,
    percent_agreement,
)
from collabsurvey.reliability.retest import retest
from collabsurvey.reliability.retest_result import RetestResult
from collabsurvey.reliability.scale_correlations import ScaleCorrelations, scale_correlations

__all__ = [
    "AgreementResult",
    "AlphaResult",
    "DistributionResult",
    "ItemAnalysisResult",
    "ItemDescription",
    "KappaResult",
    "KendallResult",
    "KrippendorffResult",
    "OmegaColumns",
    "OmegaResult",
    "RaterIccResult",
    "ReliabilityOverview",
    "RetestResult",
    "ScaleCorrelations",
    "alpha",
    "describe_items",
    "distributions",
    "fleiss_kappa",
    "gwet",
    "icc",
    "item_analysis",
    "kappa",
    "kendall_w",
    "krippendorff",
    "light_kappa",
    "omega",
    "omega_columns",
    "overview",
    "percent_agreement",
    "retest",
    "scale_correlations",
]
