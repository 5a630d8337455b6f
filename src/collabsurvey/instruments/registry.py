"""Which instruments are here, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from collabsurvey.instruments.folder import shipped_paths
from collabsurvey.instruments.loader import load_instrument

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("id", "title", "version", "status", "kind", "n_items", "n_scales", "licence")


def list_instruments() -> pd.DataFrame:
    """Every instrument that comes with the package.

    Returns
    -------
    pandas.DataFrame
        One row each, by id: `id, title, version, status, kind, n_items, n_scales,
        licence`. `licence` is that of the item texts; `status` is computed from the
        evidence records, and `draft` means that nobody's answers back it yet.

    Raises
    ------
    InstrumentError
        A shipped file breaks the rules.
    """
    import pandas as pd

    found = [load_instrument(path) for path in shipped_paths().values()]
    rows = [
        (
            one.id,
            one.title,
            one.version,
            one.status,
            one.kind,
            len(one.items),
            len(one.scoring),
            one.licence.items,
        )
        for one in sorted(found, key=lambda one: one.id)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
