"""Refuse a result of another kind, or a number that is none, before anything is computed."""

from __future__ import annotations

import numpy as np

from collabsurvey.errors import DataError, OptionError


def require_kind(function: str, result: object, *kinds: type, of: str) -> None:
    """Refuse what is not a result of the functions `of` that `function` takes."""
    if isinstance(result, kinds):
        return
    name = type(result).__name__
    what = "None" if result is None else f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
    raise DataError(f"{function}() takes a result of {of}; this is {what}.")


def check_whole(option: str, value: object, *, least: int) -> None:
    """Refuse what is not a whole number of at least `least`; True is none."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and value >= least):  # type: ignore[operator]
        raise OptionError(option, value, allowed=(f"a whole number of at least {least}",))
