"""What columns a frame has, and of which kind, without computing anything."""

from __future__ import annotations

from typing import Any

from collabsurvey.responses.engine import as_narwhals, is_number


def numeric_columns(frame: Any) -> tuple[str, ...]:
    """Names of the columns that hold numbers, in order."""
    schema = as_narwhals(frame).collect_schema()
    return tuple(str(name) for name, dtype in schema.items() if is_number(dtype))


def group_values(labels: tuple[str, ...], *, numeric: bool) -> list[Any]:
    """Group labels as they were in the data: whole numbers, numbers, or text."""
    if not numeric:
        return list(labels)
    numbers = [float(label) for label in labels]
    if all(number.is_integer() for number in numbers):
        return [int(number) for number in numbers]
    return list(numbers)
