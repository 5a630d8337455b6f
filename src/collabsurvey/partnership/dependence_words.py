"""What has to be said of a grid of needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.multilevel.wording import counted
from collabsurvey.partnership.dependence_result import Joint
from collabsurvey.partnership.dyad_cells import Cells
from collabsurvey.partnership.dyad_inputs import Ties
from collabsurvey.partnership.dyad_words import answers_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Seen:
    """Cells of all resources: of which some people answered one question, or all say the same.

    `flat` cells have no interval, as people differ nowhere.
    """

    uneven: int = 0
    same: int = 0
    flat: int = 0
    cut: bool = False

    def after(self, our: Cells, their: Cells, gap: Cells, *, cut: bool) -> Seen:
        """Count the cells of one more resource."""
        there = (gap.n > 0) & ((our.n != gap.n) | (their.n != gap.n))
        flat = int(np.isnan(gap.spread[gap.borrowed]).sum())
        return Seen(
            self.uneven + int(there.sum()),
            self.same + len(gap.borrowed) - flat,
            self.flat + flat,
            self.cut or cut,
        )


def grid_notes(
    ties: Ties,
    grid: pd.DataFrame,
    accounts: pd.DataFrame,
    seen: Seen,
    joint: Joint,
    min_raters: int,
) -> list[str]:
    """Who answered, which asymmetries rest on others than their means, what is small."""
    notes = [
        f"{answers_of(ties)} Asymmetry is they need us, less we need them, of each person who "
        f"answered both, then averaged; joint is the {joint} of the two.",
        *ties.notes,
    ]
    if grid["n_raters"].sum() == 0:
        blank = " or ".join(
            name for name in ("we_need_them", "they_need_us") if grid[name].isna().all()
        )
        why = f": nobody answered {blank}" if blank else ""
        notes.append(f"Nobody answered both questions, so there is no asymmetry{why}.")
    if seen.uneven:
        notes.append(
            "Some people answered one of the two questions only, so in "
            f"{counted(seen.uneven, 'row')} the asymmetry is not the difference of the two means."
        )
    if seen.same:
        notes.append(
            f"Rows in which all have the same asymmetry: {seen.same}. That does not show that "
            "everybody would, so their intervals take the spread within all others, pooled."
        )
    if seen.flat:
        notes.append(
            "Rows without an interval, as nobody differs from anybody of their school: "
            f"{seen.flat}."
        )
    if count := int(accounts["one_sided"].sum()):
        notes.append(f"Needs of which one side only gives an account: {count}.")
    shown = (grid["n_ours"] > 0) | (grid["n_theirs"] > 0)
    if count := int((grid["below_min"] & shown).sum()):
        notes.append(
            f"Rows with fewer than {min_raters} people who answered both, not to be published: "
            f"{count}."
        )
    return notes
