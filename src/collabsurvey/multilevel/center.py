"""Split columns into what differs within clusters and what differs between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collabsurvey.moments.centering import centred
from collabsurvey.multilevel.inputs import score_table


def center(data: Any, columns: str | Sequence[str], cluster: str) -> Any:
    """Add `column_within` (deviation from the cluster mean) and `column_between` (that mean).

    The two parts have separate coefficients in a model: what goes with standing out in one's
    own school, and what goes with being in another school (Enders & Tofighi, 2007,
    doi:10.1037/1082-989X.12.2.121).

    Parameters
    ----------
    data : frame of any engine, or the result of `cs.score`
        Not changed.
    columns : str or sequence of str
        Numeric columns.
    cluster : str
        A column, or a role where the data have roles.

    Returns
    -------
    frame
        In the caller's engine with order and index kept; a lazy frame stays lazy. Cluster
        means are of the rows that have a value; a person with several (waves) counts as often.
        Rows without a cluster get neither part.

    Raises
    ------
    UnknownNameError
        No such column or role.
    DataError
        A column holds text, or `column_within` exists already.
    WeightsNotAppliedError
        The responses have a weight role.
    """
    table = score_table(data, method="multilevel.center")
    names = [columns] if isinstance(columns, str) else list(columns)
    return centred(table.frame, [table.column(name) for name in names], table.column(cluster))
