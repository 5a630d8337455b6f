"""How many things a questionnaire measures, and whether it measures what it was written to."""

from collabsurvey.dimensionality.cfa import cfa, sem
from collabsurvey.dimensionality.correlate import ItemCorrelations, given_correlations
from collabsurvey.dimensionality.efa import efa, pca
from collabsurvey.dimensionality.efa_result import EfaResult
from collabsurvey.dimensionality.htmt import HtmtResult, htmt
from collabsurvey.dimensionality.nested import NestedResult, nested
from collabsurvey.dimensionality.polychoric import polychoric, tetrachoric
from collabsurvey.dimensionality.polychoric_result import PolychoricResult
from collabsurvey.dimensionality.polyserial import PolyserialResult, polyserial
from collabsurvey.dimensionality.retention import retention
from collabsurvey.dimensionality.retention_result import RetentionResult
from collabsurvey.dimensionality.sem_result import SemResult
from collabsurvey.dimensionality.validity import validity
from collabsurvey.dimensionality.validity_result import ValidityResult
from collabsurvey.dimensionality.wald_result import WaldTestResult, wald_test

__all__ = [
    "EfaResult",
    "HtmtResult",
    "ItemCorrelations",
    "NestedResult",
    "PolychoricResult",
    "PolyserialResult",
    "RetentionResult",
    "SemResult",
    "ValidityResult",
    "WaldTestResult",
    "cfa",
    "efa",
    "given_correlations",
    "htmt",
    "nested",
    "pca",
    "polychoric",
    "polyserial",
    "retention",
    "sem",
    "tetrachoric",
    "validity",
    "wald_test",
]
