"""How precisely a scale measures, and how far raters and occasions agree."""

from collabsurvey.reliability.alpha import AlphaResult, alpha
from collabsurvey.reliability.describe import ItemDescription, describe_items
from collabsurvey.reliability.distributions import DistributionResult, distributions
from collabsurvey.reliability.glb import GlbResult, glb
from collabsurvey.reliability.guttman import GuttmanResult, guttman
from collabsurvey.reliability.item_analysis import ItemAnalysisResult, item_analysis
from collabsurvey.reliability.kr20 import Kr20Result, kr20
from collabsurvey.reliability.omega import omega
from collabsurvey.reliability.omega_columns import OmegaColumns, omega_columns
from collabsurvey.reliability.omega_result import OmegaResult
from collabsurvey.reliability.ordinal_alpha import OrdinalAlphaResult, ordinal_alpha
from collabsurvey.reliability.overview import ReliabilityOverview, overview
from collabsurvey.reliability.precision import PrecisionResult, precision, reliable_change
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
from collabsurvey.reliability.split_half import SplitHalfResult, split_half

__all__ = [
    "AgreementResult",
    "AlphaResult",
    "DistributionResult",
    "GlbResult",
    "GuttmanResult",
    "ItemAnalysisResult",
    "ItemDescription",
    "KappaResult",
    "KendallResult",
    "Kr20Result",
    "KrippendorffResult",
    "OmegaColumns",
    "OmegaResult",
    "OrdinalAlphaResult",
    "PrecisionResult",
    "RaterIccResult",
    "ReliabilityOverview",
    "RetestResult",
    "ScaleCorrelations",
    "SplitHalfResult",
    "alpha",
    "describe_items",
    "distributions",
    "fleiss_kappa",
    "glb",
    "guttman",
    "gwet",
    "icc",
    "item_analysis",
    "kappa",
    "kendall_w",
    "kr20",
    "krippendorff",
    "light_kappa",
    "omega",
    "omega_columns",
    "ordinal_alpha",
    "overview",
    "percent_agreement",
    "precision",
    "reliable_change",
    "retest",
    "scale_correlations",
    "split_half",
]
