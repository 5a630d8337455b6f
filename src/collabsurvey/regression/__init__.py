"""What goes with what: linear models with honest errors, and models of people in schools."""

from collabsurvey.regression.compare import ComparisonResult, compare
from collabsurvey.regression.formula import Formula, RandomTerm
from collabsurvey.regression.grammar import LANGUAGE, parse_formula
from collabsurvey.regression.linear import LinearResult, ols
from collabsurvey.regression.mixed import mixed
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.wording import in_words

__all__ = [
    "LANGUAGE",
    "ComparisonResult",
    "Formula",
    "LinearResult",
    "MixedResult",
    "RandomTerm",
    "RegressionResult",
    "compare",
    "in_words",
    "mixed",
    "ols",
    "parse_formula",
]
