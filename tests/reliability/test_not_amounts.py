"""Shares of a whole, ranks and picks have no alpha and no factors: refused, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import collabsurvey as cs
from collabsurvey.errors import NotAmountsError
from collabsurvey.instruments import load_instrument


@pytest.fixture(scope="module")
def context() -> Any:
    """Sixty leaders: triads drawn at random, points that add up to 100, ratings."""
    instrument = load_instrument("relational_context")
    rng = np.random.default_rng(5)
    columns: dict[str, Any] = {}
    for item in instrument.item_ids:
        answers = instrument.response_set(item)
        assert answers is not None
        if answers.type == "nominal":
            columns[item] = rng.integers(1, 4, 60)
        elif answers.type == "ordinal":
            columns[item] = rng.integers(0, 11, 60)
    for side in ("now", "wanted"):
        points = rng.multinomial(100, [0.5, 0.3, 0.2], 60)
        columns |= {f"ctx.points.{side}.{k + 1:02d}": points[:, k] for k in range(3)}
    frame = pd.DataFrame(columns)
    frame["id"] = [f"p{i}" for i in range(60)]
    frame["school"] = [f"s{i % 6}" for i in range(60)]
    roles = {"respondent": "id", "cluster": "school"}
    return cs.from_frame(frame, instrument=instrument, roles=roles)


ANALYSES: dict[str, Callable[[Any, str], Any]] = {
    "alpha": cs.reliability.alpha,
    "omega": cs.reliability.omega,
    "guttman": cs.reliability.guttman,
    "glb": cs.reliability.glb,
    "split_half": cs.reliability.split_half,
    "item_analysis": cs.reliability.item_analysis,
    "ordinal_alpha": cs.reliability.ordinal_alpha,
    "precision": cs.reliability.precision,
    "polychoric": cs.dimensionality.polychoric,
    "retention": lambda resp, scale: cs.dimensionality.retention(resp, scale, seed=1),
    "efa": lambda resp, scale: cs.dimensionality.efa(resp, scale, 1),
    "cfa": lambda resp, scale: cs.dimensionality.cfa(
        resp, f"f =~ {' + '.join(resp.instrument.items_of(scale))}"
    ),
    "agreement": lambda resp, scale: cs.multilevel.agreement(resp, scale, "cluster"),
}


@pytest.mark.parametrize("name", ANALYSES)
@pytest.mark.parametrize("scale", ["ctx.now", "ctx.points.now"])
def test_parts_of_a_whole_are_refused_with_the_reason(context: Any, name: str, scale: str) -> None:
    with pytest.raises(NotAmountsError, match="share out a whole") as caught:
        ANALYSES[name](context, scale)
    assert f"cs.scoring.composition(responses, '{scale}')" in str(caught.value)


def test_some_of_the_parts_are_no_better(context: Any) -> None:
    with pytest.raises(NotAmountsError):
        cs.reliability.alpha(context, ["ctx.points.now.01", "ctx.points.now.02"])


def test_cards_and_rankings_are_refused() -> None:
    instrument = load_instrument("shared_meaning")
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({f"mng.card.0{i}": rng.integers(1, 5, 40) for i in range(1, 6)})
    ranks = np.array([rng.permutation(5) + 1 for _ in range(40)])
    for i in range(5):
        frame[f"mng.rank.0{i + 1}"] = ranks[:, i]
    for i in range(1, 5):
        frame[f"mng.felt.0{i}"] = rng.integers(1, 6, 40)
    frame["mng.line.01"] = None
    resp = cs.from_frame(frame, instrument=instrument)
    with pytest.raises(NotAmountsError, match="kinds, not amounts"):
        cs.reliability.alpha(resp, "mng.cards")
    with pytest.raises(NotAmountsError, match="share out a whole"):
        cs.reliability.alpha(resp, "mng.rank")


def test_ratings_of_the_same_instrument_are_taken(context: Any) -> None:
    like = ["ctx.like.network.01", "ctx.like.coalition.01", "ctx.like.unitary.01"]
    with pytest.warns(cs.errors.KeyingWarning):
        assert np.isfinite(cs.reliability.alpha(context, like, ci="feldt", cluster=None).estimate)


def test_without_items_a_factor_analysis_takes_the_amounts_alone(context: Any) -> None:
    found = cs.dimensionality.efa(context, None, 1)
    assert list(found.loadings.index) == [
        "ctx.like.network.01",
        "ctx.like.coalition.01",
        "ctx.like.unitary.01",
    ]


def test_shares_in_a_bare_table_are_recognised() -> None:
    """Nothing says that they share out 100; that their sum never varies does."""
    points = np.random.default_rng(2).multinomial(100, [0.4, 0.3, 0.2, 0.1], 80)
    frame = pd.DataFrame(points, columns=list("abcd"), dtype=float)
    with pytest.raises(cs.errors.DataError, match="fixed total"):
        cs.reliability.alpha(cs.from_frame(frame, scales={"s": list("abcd")}), "s")
    with pytest.raises(NotAmountsError, match="their sum is the same in every row"):
        cs.dimensionality.efa(frame, list("abcd"), 1)
