"""How many things a questionnaire measures: correlations, retention, exploratory factors."""

from collabsurvey.dimensionality.polychoric import polychoric, tetrachoric
from collabsurvey.dimensionality.polychoric_result import PolychoricResult
from collabsurvey.dimensionality.polyserial import PolyserialResult, polyserial

__all__ = ["PolychoricResult", "PolyserialResult", "polychoric", "polyserial", "tetrachoric"]
