"""Can the answers be trusted: careless responding, missing answers, who responded."""

from collabsurvey.quality.kept import without_flagged
from collabsurvey.quality.little import LittleResult, little_mcar
from collabsurvey.quality.missingness import MissingnessResult, missingness
from collabsurvey.quality.response_rate import ResponseRateResult, response_rate
from collabsurvey.quality.screen_result import ScreenResult
from collabsurvey.quality.screening import screen

__all__ = [
    "LittleResult",
    "MissingnessResult",
    "ResponseRateResult",
    "ScreenResult",
    "little_mcar",
    "missingness",
    "response_rate",
    "screen",
    "without_flagged",
]
