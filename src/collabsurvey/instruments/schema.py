"""JSON schema of an instrument file, for editors that check and complete while typing.

The schema knows fields and types only; the loader checks the rest. After a change of
the model, write it anew from the checkout:

    python -c "from collabsurvey.instruments.schema import write_schema; write_schema()"
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from collabsurvey.instruments.folder import CANDIDATES
from collabsurvey.instruments.model import Instrument


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of an instrument file."""
    made = Instrument.model_json_schema(by_alias=True)
    del made["properties"]["texts_are_local"]  # known to the program only
    del made["$defs"]["ResponseSet"]["properties"]["labels_are_local"]
    labels = made["$defs"]["ResponseSet"]["properties"]["labels"]
    in_order = {"type": "array", "items": {"type": "string"}}  # one label for each value
    labels["additionalProperties"] = {"anyOf": [labels["additionalProperties"], in_order]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "collabsurvey instrument",
    }


def schema_text() -> str:
    """Write the schema as the committed file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def write_schema(path: Path = CANDIDATES[-1] / "schema.json") -> None:
    """Write the schema beside the instruments of the checkout."""
    path.write_text(schema_text(), encoding="utf-8")
