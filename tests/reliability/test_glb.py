"""The greatest lower bound against psych and its definition; singular matrices; bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from collabsurvey.errors import ConvergenceWarning, NotEnoughItemsError
from collabsurvey.numerics.glb import ACCURACY, greatest_lower_bound
from collabsurvey.numerics.split_halves import every_half, split_coefficients
from collabsurvey.numerics.typing import FloatArray
from collabsurvey.reliability.glb import glb
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

Engine = Callable[[pd.DataFrame], Any]
GOLD = gold("02_reliability")


def as_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def bfi(engine: Engine = as_is) -> Responses:
    return from_frame(
        engine(dataset("bfi")), scales=BFI_SCALES, reverse_keyed=BFI_REVERSED, response_range=(1, 6)
    )


def random_covariances(k: int, seed: int, n: int | None = None) -> FloatArray:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n or 3 * k, k)) + generator.standard_normal((n or 3 * k, 1))
    return np.asarray(np.cov(x.T) * np.outer(*[generator.uniform(0.5, 3, k)] * 2))


@pytest.mark.parametrize("scale", BFI_SCALES)
def test_glb_matches_psych(engine: Engine, scale: str) -> None:
    expected = GOLD[f"glb_bfi_{scale}"]["values"]
    found = glb(bfi(engine), scale)
    # CSDP is good to about 1e-8
    assert_allclose(found.estimate, expected["glb_cov"], atol=1e-8)
    assert found.converged
    assert found.accuracy < ACCURACY
    # Two minres factors of five items: psych's optimiser stops about 1e-5 away.
    assert_allclose(found.glb_fa, expected["glb_fa"], rtol=2e-5)
    assert found.n_factors_fa == 2
    standardised = glb(bfi(), scale, standardised=True)
    assert_allclose(standardised.estimate, expected["glb_cor"], atol=1e-8)
    fa = GOLD[f"guttman_bfi_{scale}"]["values"]["psych_from_cor"]["glb"]
    assert_allclose(standardised.glb_fa, fa, rtol=2e-5)


@given(seed=st.integers(0, 10_000), k=st.integers(2, 12))
def test_the_solution_is_feasible_and_its_bound_is_proven(seed: int, k: int) -> None:
    cov = random_covariances(k, seed)
    found = greatest_lower_bound(cov[None])
    assert found.converged[0]
    assert (found.errors >= 0).all()
    assert (found.errors[0] <= np.diag(cov) + 1e-9).all()
    assert np.linalg.eigvalsh(cov - np.diag(found.errors[0]))[0] > -1e-9 * cov.max()
    # No split half is higher (Jackson & Agunwamba, 1977).
    best = split_coefficients(cov[None], every_half(k)).max()
    assert best <= found.glb[0] + 1e-8


@given(seed=st.integers(0, 10_000))
def test_no_other_split_into_errors_and_true_scores_has_more_error(seed: int) -> None:
    cov = random_covariances(4, seed)
    found = greatest_lower_bound(cov[None])
    generator = np.random.default_rng(seed)
    for _ in range(20):
        direction = generator.uniform(0, 1, 4)
        # The longest step along `direction` that leaves a positive semidefinite matrix.
        root = np.linalg.inv(np.linalg.cholesky(cov))
        step = 1 / np.linalg.eigvalsh(root @ np.diag(direction) @ root.T)[-1]
        assert step * direction.sum() <= found.errors.sum() * (1 + 1e-9) + 1e-9


def test_one_factor_items_give_their_reliability() -> None:
    loadings = np.array([0.5, 0.6, 0.7, 0.8])
    cov = np.outer(loadings, loadings) + np.diag(1 - loadings**2)
    # The errors of the factor model are feasible; with one factor they are the most there can be.
    found = greatest_lower_bound(cov[None])
    assert_allclose(found.glb[0], loadings.sum() ** 2 / cov.sum(), atol=1e-8)
    assert_allclose(found.errors[0], 1 - loadings**2, atol=1e-4)


def test_a_stack_gives_what_each_gives_alone() -> None:
    covs = np.stack([random_covariances(6, seed) for seed in range(8)])
    covs[3, 1] = covs[3, 0]
    covs[3, :, 1] = covs[3, :, 0]
    together = greatest_lower_bound(covs).glb
    alone = [greatest_lower_bound(cov[None]).glb[0] for cov in covs]
    assert_allclose(together, alone, atol=1e-9)


def test_copies_of_an_item_have_no_error() -> None:
    generator = np.random.default_rng(1)
    x = generator.standard_normal((200, 5)) + generator.standard_normal((200, 1))
    frame = pd.DataFrame(x, columns=list("abcde")).assign(b=lambda y: y["a"])
    found = glb(from_frame(frame, scales={"s": list("abcde")}), "s")
    assert found.converged
    assert_allclose(found.error_variances[:2], 0, atol=1e-12)
    assert (found.error_variances[2:] > 0.1).all()
    assert any("singular" in note for note in found.notes)
    # Nearly a copy comes to nearly the same, to fewer digits than promised.
    near = frame.assign(b=frame["a"] + 1e-5 * generator.standard_normal(200))
    with pytest.warns(ConvergenceWarning, match="The optimum is known to"):
        other = glb(from_frame(near, scales={"s": list("abcde")}), "s")
    assert not other.converged
    assert_allclose(other.estimate, found.estimate, atol=0.005)


def test_fewer_rows_than_items_say_nothing() -> None:
    cov = random_covariances(8, 1, n=5)
    found = greatest_lower_bound(cov[None])
    assert_allclose(found.glb, 1)
    frame = pd.DataFrame(np.random.default_rng(3).standard_normal((6, 8))).rename(
        columns="i{}".format
    )
    frame += np.random.default_rng(4).standard_normal((6, 1)) * 2
    result = glb(from_frame(frame, scales={"s": list(frame)}), "s")
    assert any("6 rows cannot tell 8 items apart" in note for note in result.notes)
    assert_allclose(result.estimate, 1)


def test_sixty_items_are_solved() -> None:
    found = greatest_lower_bound(random_covariances(60, 5, n=400)[None])
    assert found.converged[0]


def test_the_bootstrap_shows_the_bias_of_small_samples() -> None:
    generator = np.random.default_rng(5)
    x = generator.standard_normal((80, 8)) + generator.standard_normal((80, 1))
    frame = pd.DataFrame(x).rename(columns="i{}".format)
    found = glb(from_frame(frame, scales={"s": list(frame)}), "s", ci="bootstrap", n_boot=300)
    assert found.bias > 0.005
    assert found.ci_low < found.ci_high
    assert found.to_frame()["coefficient"].tolist() == ["glb", "glb_fa", "alpha"]
    assert any("Shapiro & ten Berge, 2000" in note for note in found.notes)


def test_one_item_and_two() -> None:
    with pytest.raises(NotEnoughItemsError, match="greatest lower bound needs at least 2 items"):
        glb(bfi(), ["A1"])
    two = glb(bfi(), ["A2", "A3"])
    assert np.isnan(two.glb_fa)
    assert two.estimate > two.alpha


def test_summary_and_chart() -> None:
    found = glb(bfi(), "agree")
    assert found.summary().startswith(
        "Greatest lower bound to the reliability of agree: 0.74\n\ncoefficient "
    )
    assert "bound from communalities (glb.fa)" in found.summary()
    assert set(found.to_frame()["conf_level"]) == {0.95}
    assert "glb.fa" in found.chart().to_svg()
    assert "ci low" in glb(bfi(), "agree", ci="jackknife").summary()
