"""One survey's answers: frame, instrument, column roles and ledger."""

from collabsurvey.responses.build import from_frame
from collabsurvey.responses.ledger import Ledger, LedgerLine
from collabsurvey.responses.responses import ROLES, Responses, concat

__all__ = ["ROLES", "Ledger", "LedgerLine", "Responses", "concat", "from_frame"]
