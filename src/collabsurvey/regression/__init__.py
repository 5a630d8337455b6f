"""What goes with what: linear models with honest errors, and models of people in schools."""

from collabsurvey.regression.formula import Formula
from collabsurvey.regression.grammar import parse_formula
from collabsurvey.regression.linear import LinearResult, ols

__all__ = ["Formula", "LinearResult", "ols", "parse_formula"]
