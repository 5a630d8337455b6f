"""The rows that screening did not flag, on request and with a line in the ledger."""

from __future__ import annotations

import numpy as np

from collabsurvey.errors import DataError, NotSupportedError, OptionError
from collabsurvey.quality.screen_result import ScreenResult
from collabsurvey.responses.engine import as_narwhals, collect, is_lazy, to_native
from collabsurvey.responses.responses import Responses


def without_flagged(screened: ScreenResult, *, at_least: int = 1) -> Responses:
    """Responses without the rows that so many indices flag; the ledger counts them.

    One, the default, leaves out every row that is flagged at all: the largest change that
    screening can make. Single indices also flag careful people now and then (Curran, 2016,
    doi:10.1016/j.jesp.2015.07.006); with long questionnaires ask for two. The stored answers
    stay as they are.

    Raises
    ------
    DataError
        Every row is flagged so often.
    NotSupportedError
        The answers are in a lazy frame, whose rows have no order; collect it first.
    """
    if not isinstance(at_least, int) or at_least < 1:
        raise OptionError("at_least", at_least, allowed=("a whole number, 1 or more",))
    if screened.answers.lazy is not None:
        raise NotSupportedError(
            "Leaving flagged rows out of a lazy frame",
            instead="Collect the frame before you make Responses of it.",
        )
    flagged = screened.flags >= at_least
    if flagged.all():
        raise DataError(
            f"Every row is flagged by {at_least} or more indices, so none is left. Ask for more "
            "flags (at_least=), or loosen the cut-offs of screen()."
        )
    rows = screened.answers.rows.filter((~flagged).tolist())
    what = f"rows flagged as perhaps careless by {at_least} or more indices"
    responses = screened.responses
    return responses.replace(
        frame=to_native(rows),
        ledger=responses.ledger.add("drop", what, int(np.sum(flagged))),
    )


def held(responses: Responses) -> Responses:
    """Responses whose rows are in memory and have an order."""
    frame = as_narwhals(responses.frame)
    return responses.replace(frame=to_native(collect(frame))) if is_lazy(frame) else responses
