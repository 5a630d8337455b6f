"""Refuse option values of the wrong kind, before anything is computed."""

from __future__ import annotations

from numbers import Real

import numpy as np

from collabsurvey.errors import OptionError


def is_whole(value: object) -> bool:
    """Whether a value is a whole number; True and 2.0 are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_whole(option: str, value: object, *, least: int, also: tuple[str, ...] = ()) -> None:
    """Refuse what is not a whole number of at least `least`; `also` are other values to name."""
    if not (isinstance(value, int | np.integer) and is_whole(value) and value >= least):
        allowed = (*also, f"a whole number, {least} or more")
        raise OptionError(option, value, allowed=allowed)


def check_number(option: str, value: object) -> None:
    """Refuse what is not a finite number."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not (real and np.isfinite(float(value))):  # type: ignore[arg-type]
        raise OptionError(option, value, allowed=("a number",))


def check_flag(option: str, value: object, *, none: bool = False) -> None:
    """Refuse what is neither True nor False, nor None where that is allowed."""
    if not (isinstance(value, bool | np.bool_) or (none and value is None)):
        raise OptionError(option, value, allowed=(True, False, *((None,) if none else ())))
