"""The rules on numbers of clusters, in one place."""

from __future__ import annotations

import pytest

from collabsurvey.errors import OptionError
from collabsurvey.regression.few_clusters import (
    FEW_CLUSTERS,
    FEW_DF,
    FEW_GROUPS,
    FEW_RADEMACHER,
    RULES,
    enough_clusters,
)
from collabsurvey.regression.generalized_words import FEW_GROUPS as OF_GENERALIZED
from collabsurvey.regression.linear import FEW_CLUSTERS as OF_LINEAR
from collabsurvey.regression.linear import FEW_DF as DF_OF_LINEAR


def test_other_modules_go_by_the_same_rules() -> None:
    assert OF_LINEAR == FEW_CLUSTERS
    assert DF_OF_LINEAR == FEW_DF
    assert OF_GENERALIZED == FEW_GROUPS


def test_rules_rise_and_have_sources() -> None:
    needed = [rule.needed for rule in RULES]
    assert needed == sorted(needed)
    assert all(rule.source and rule.below for rule in RULES)


@pytest.mark.parametrize(("n", "met"), [(4, 0), (12, 3), (20, 4), (49, 4), (50, 7), (200, 8)])
def test_what_a_number_is_enough_for(n: int, met: int) -> None:
    result = enough_clusters(n)
    assert int(result.to_frame()["met"].sum()) == met
    assert result.summary().startswith(f"What {n} clusters are enough for")


def test_it_shows_itself() -> None:
    result = enough_clusters(FEW_RADEMACHER)
    assert "Tipton" in result.summary()
    assert "Cameron" in result._repr_html_()
    assert "clusters needed" in result.chart().to_svg()


@pytest.mark.parametrize("n", [0, -3, 2.5])
def test_a_number_that_is_none_is_refused(n: float) -> None:
    with pytest.raises(OptionError, match="whole number of 1 or more"):
        enough_clusters(n)  # type: ignore[arg-type]
