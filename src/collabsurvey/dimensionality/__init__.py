"""How many things a questionnaire measures: correlations, retention, exploratory factors."""

from collabsurvey.dimensionality.correlate import ItemCorrelations, given_correlations
from collabsurvey.dimensionality.efa import efa, pca
from collabsurvey.dimensionality.efa_result import EfaResult
from collabsurvey.dimensionality.polychoric import polychoric, tetrachoric
from collabsurvey.dimensionality.polychoric_result import PolychoricResult
from collabsurvey.dimensionality.polyserial import PolyserialResult, polyserial
from collabsurvey.dimensionality.retention import retention
from collabsurvey.dimensionality.retention_result import RetentionResult

__all__ = [
    "EfaResult",
    "ItemCorrelations",
    "PolychoricResult",
    "PolyserialResult",
    "RetentionResult",
    "efa",
    "given_correlations",
    "pca",
    "polychoric",
    "polyserial",
    "retention",
    "tetrachoric",
]
