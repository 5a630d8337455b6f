"""What goes with what: linear models with honest errors, and models of people in schools."""

from collabsurvey.regression.formula import Formula
from collabsurvey.regression.grammar import parse_formula
from collabsurvey.regression.linear import LinearResult, ols
from collabsurvey.regression.mixed import mixed
from collabsurvey.regression.mixed_result import MixedResult

__all__ = ["Formula", "LinearResult", "MixedResult", "mixed", "ols", "parse_formula"]
