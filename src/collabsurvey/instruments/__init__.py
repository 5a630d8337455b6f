"""What was asked: instruments, their files, and the evidence for them."""

from collabsurvey.instruments.evidence import ClaimStatus, claim_statuses, computed_status
from collabsurvey.instruments.loader import load_instrument, read_instrument
from collabsurvey.instruments.model import (
    Instrument,
    Item,
    ResponseSet,
    Scale,
    combine_instruments,
    instrument_from_scales,
    items_required,
)

__all__ = [
    "ClaimStatus",
    "Instrument",
    "Item",
    "ResponseSet",
    "Scale",
    "claim_statuses",
    "combine_instruments",
    "computed_status",
    "instrument_from_scales",
    "items_required",
    "load_instrument",
    "read_instrument",
]
