"""One survey's answers: frame, instrument, column roles and ledger; files read and repaired."""

from collabsurvey.responses.build import from_frame
from collabsurvey.responses.combine import concat
from collabsurvey.responses.ledger import Ledger, LedgerLine
from collabsurvey.responses.memberships import Memberships, read_eligible_staff, read_memberships
from collabsurvey.responses.numbers import numbers_from_text
from collabsurvey.responses.readers import read_column_map, read_responses, write_column_map
from collabsurvey.responses.repair import Repair
from collabsurvey.responses.responses import ROLES, Responses
from collabsurvey.responses.spss_stata import write_dta, write_sav
from collabsurvey.responses.successors import Successors, link_schools, read_successors
from collabsurvey.responses.tables import read_table

__all__ = [
    "ROLES",
    "Ledger",
    "LedgerLine",
    "Memberships",
    "Repair",
    "Responses",
    "Successors",
    "concat",
    "from_frame",
    "link_schools",
    "numbers_from_text",
    "read_column_map",
    "read_eligible_staff",
    "read_memberships",
    "read_responses",
    "read_successors",
    "read_table",
    "write_column_map",
    "write_dta",
    "write_sav",
]
