"""One survey's answers: frame, instrument, column roles and ledger; files read and repaired."""

from collabsurvey.responses.build import from_frame
from collabsurvey.responses.combine import concat
from collabsurvey.responses.ledger import Ledger, LedgerLine
from collabsurvey.responses.numbers import numbers_from_text
from collabsurvey.responses.readers import read_column_map, read_responses, write_column_map
from collabsurvey.responses.repair import Repair
from collabsurvey.responses.responses import ROLES, Responses
from collabsurvey.responses.tables import read_table

__all__ = [
    "ROLES",
    "Ledger",
    "LedgerLine",
    "Repair",
    "Responses",
    "concat",
    "from_frame",
    "numbers_from_text",
    "read_column_map",
    "read_responses",
    "read_table",
    "write_column_map",
]
