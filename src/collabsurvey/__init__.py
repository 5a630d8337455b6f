"""From questionnaire to defensible finding: surveys of collaboration between schools.

    import collabsurvey as cs

    responses = cs.read_responses("staff.csv", instrument=cs.load_instrument("trust"))
    cs.score(responses).to_frame(keep=["cluster"])

Everything is loaded when it is first used, so that the import is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collabsurvey import dimensionality as dimensionality
    from collabsurvey import errors as errors
    from collabsurvey import instruments as instruments
    from collabsurvey import invariance as invariance
    from collabsurvey import moments as moments
    from collabsurvey import multilevel as multilevel
    from collabsurvey import partnership as partnership
    from collabsurvey import quality as quality
    from collabsurvey import regression as regression
    from collabsurvey import reliability as reliability
    from collabsurvey import reporting as reporting
    from collabsurvey import responses as responses
    from collabsurvey import scoring as scoring
    from collabsurvey import simulation as simulation
    from collabsurvey import validation as validation
    from collabsurvey.instruments import Instrument as Instrument
    from collabsurvey.instruments import catalogue as catalogue
    from collabsurvey.instruments import list_instruments as list_instruments
    from collabsurvey.instruments import load_instrument as load_instrument
    from collabsurvey.instruments.exchange import export_instrument as export_instrument
    from collabsurvey.quality import screen as screen
    from collabsurvey.responses import Responses as Responses
    from collabsurvey.responses import concat as concat
    from collabsurvey.responses import from_frame as from_frame
    from collabsurvey.responses import read_responses as read_responses
    from collabsurvey.scoring import score as score
    from collabsurvey.simulation import simulate_cohort as simulate_cohort
    from collabsurvey.study import Study as Study
    from collabsurvey.validation import validate as validate

__version__ = "0.1.0"

_HOMES = {
    "export_instrument": "instruments.exchange",
    "Instrument": "instruments",
    "catalogue": "instruments",
    "list_instruments": "instruments",
    "load_instrument": "instruments",
    "Responses": "responses",
    "concat": "responses",
    "from_frame": "responses",
    "read_responses": "responses",
    "score": "scoring",
    "screen": "quality",
    "simulate_cohort": "simulation",
    "Study": "study",
    "validate": "validation",
}
_SUBPACKAGES = (
    "dimensionality",
    "errors",
    "instruments",
    "invariance",
    "moments",
    "multilevel",
    "partnership",
    "quality",
    "regression",
    "reliability",
    "reporting",
    "responses",
    "scoring",
    "simulation",
    "validation",
)

__all__ = [*_HOMES, *_SUBPACKAGES, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"collabsurvey.{_HOMES[name]}"), name)
    if name in _SUBPACKAGES:
        return import_module(f"collabsurvey.{name}")
    raise AttributeError(f"module 'collabsurvey' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
