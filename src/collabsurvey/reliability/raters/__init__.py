"""Agreement of raters: intraclass correlations, kappas, alpha, AC1 and AC2, concordance."""

from collabsurvey.reliability.raters.concordance import (
    KendallResult,
    kendall_w,
    percent_agreement,
)
from collabsurvey.reliability.raters.fleiss import fleiss_kappa
from collabsurvey.reliability.raters.gwet import gwet
from collabsurvey.reliability.raters.icc import RaterIccResult, icc
from collabsurvey.reliability.raters.kappa import KappaResult, kappa
from collabsurvey.reliability.raters.krippendorff import KrippendorffResult, krippendorff
from collabsurvey.reliability.raters.light import light_kappa
from collabsurvey.reliability.raters.result import AgreementResult

__all__ = [
    "AgreementResult",
    "KappaResult",
    "KendallResult",
    "KrippendorffResult",
    "RaterIccResult",
    "fleiss_kappa",
    "gwet",
    "icc",
    "kappa",
    "kendall_w",
    "krippendorff",
    "light_kappa",
    "percent_agreement",
]
