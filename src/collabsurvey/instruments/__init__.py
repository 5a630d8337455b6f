"""What was asked: instruments, their files, and the evidence for them."""

from collabsurvey.instruments.catalogue import CatalogueEntry, catalogue, catalogue_entry
from collabsurvey.instruments.compare import diff
from collabsurvey.instruments.compare_result import InstrumentDiff
from collabsurvey.instruments.describe import describe, describe_text
from collabsurvey.instruments.evidence import ClaimStatus, claim_statuses, computed_status
from collabsurvey.instruments.evidence_file import AddedEvidence, add_evidence
from collabsurvey.instruments.evidence_records import (
    EvidenceRecords,
    read_records,
    write_records,
)
from collabsurvey.instruments.hypotheses import hypotheses
from collabsurvey.instruments.loader import load_instrument, read_instrument
from collabsurvey.instruments.making import combine_instruments, instrument_from_scales
from collabsurvey.instruments.model import (
    Instrument,
    Item,
    ResponseSet,
    Scale,
    items_required,
)
from collabsurvey.instruments.registry import list_instruments
from collabsurvey.instruments.rungs import NextRung, next_rung, what_is_missing
from collabsurvey.instruments.schema import schema
from collabsurvey.instruments.texts import with_texts

__all__ = [
    "AddedEvidence",
    "CatalogueEntry",
    "ClaimStatus",
    "EvidenceRecords",
    "Instrument",
    "InstrumentDiff",
    "Item",
    "NextRung",
    "ResponseSet",
    "Scale",
    "add_evidence",
    "catalogue",
    "catalogue_entry",
    "claim_statuses",
    "combine_instruments",
    "computed_status",
    "describe",
    "describe_text",
    "diff",
    "hypotheses",
    "instrument_from_scales",
    "items_required",
    "list_instruments",
    "load_instrument",
    "next_rung",
    "read_instrument",
    "read_records",
    "schema",
    "what_is_missing",
    "with_texts",
    "write_records",
]
