"""Ordinal alpha against psych, lavaan and semTools; its interval; bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from collabsurvey.errors import KeyingWarning, NotEnoughItemsError, NoVarianceError
from collabsurvey.reliability.ordinal_alpha import ordinal_alpha
from collabsurvey.responses import Responses, from_frame
from support import BFI_REVERSED, BFI_SCALES, dataset, gold

GOLD = gold("02_reliability")


def bfi(**options: object) -> Responses:
    return from_frame(
        dataset("bfi"),
        scales=BFI_SCALES,
        **{"reverse_keyed": BFI_REVERSED, "response_range": (1, 6), **options},
    )


@pytest.mark.parametrize("scale", BFI_SCALES)
def test_ordinal_alpha_matches_psych_lavaan_and_semtools(scale: str) -> None:
    expected = GOLD[f"ordinal_alpha_bfi_{scale}"]["values"]
    found = ordinal_alpha(bfi(), scale)
    psych = expected["ordinal_alpha_psych"][0]
    assert_allclose(found.estimate, psych["raw_alpha"], rtol=1e-5)  # psych stops at about 1e-5
    assert_allclose(found.average_r, psych["average_r"], rtol=1e-4)
    assert_allclose(found.estimate, expected["ordinal_alpha_lavCor"], rtol=1e-7)
    semtools = dict(
        zip(
            expected["semTools_reliability_wlsmv"]["rows"],
            expected["semTools_reliability_wlsmv"]["data"],
            strict=True,
        )
    )
    assert_allclose(found.estimate, semtools["alpha.ord"][0], rtol=1e-7)
    assert found.ci_low < found.estimate < found.ci_high


def likert(n: int, seed: int, school: bool = False) -> pd.DataFrame:
    """Five answers of 1 to 4 with a latent correlation of .5."""
    generator = np.random.default_rng(seed)
    codes = np.arange(n) // 20
    factor = generator.standard_normal(n)
    if school:
        factor = np.sqrt(0.5) * (factor + generator.standard_normal(codes.max() + 1)[codes])
    latent = np.sqrt(0.5) * (factor[:, None] + generator.standard_normal((n, 5)))
    frame = pd.DataFrame(np.digitize(latent, [-1, 0, 1]) + 1, columns=list("abcde"))
    return frame.assign(school=codes)


def test_the_standard_error_is_that_of_repeated_samples() -> None:
    results = [
        ordinal_alpha(from_frame(likert(300, seed), scales={"s": list("abcde")}), "s")
        for seed in range(60)
    ]
    values = np.array([one.estimate for one in results])
    truth = 5 * 0.5 / (1 + 4 * 0.5)
    assert_allclose(values.mean(), truth, atol=3 * values.std() / np.sqrt(60))
    # The sd of 60 values is itself known to about 9 %.
    assert_allclose(np.mean([one.std_error for one in results]), values.std(ddof=1), rtol=0.3)


def test_schools_widen_it() -> None:
    frame = likert(600, 1, school=True)
    clustered = ordinal_alpha(
        from_frame(frame, scales={"s": list("abcde")}, roles={"cluster": "school"}), "s"
    )
    alone = ordinal_alpha(from_frame(frame, scales={"s": list("abcde")}), "s")
    assert clustered.n_clusters == 30
    assert clustered.std_error > alone.std_error
    assert_allclose(clustered.estimate, alone.estimate, rtol=1e-12)


def test_caution_and_summary() -> None:
    found = ordinal_alpha(bfi(), "agree")
    assert "Chalmers, 2018" in found.notes[0]
    assert found.summary().startswith("Ordinal alpha of agree: 0.76 (95% CI 0.74 to 0.77)\n")
    assert found.to_frame().loc[0, "coefficient"] == "ordinal_alpha"
    assert "A1" in found.chart().to_svg()


def test_bad_input() -> None:
    with pytest.raises(NotEnoughItemsError, match="Ordinal alpha needs at least 2 items"):
        ordinal_alpha(bfi(), ["A1"])
    with pytest.warns(KeyingWarning, match="A1"):
        ordinal_alpha(bfi(reverse_keyed=()), "agree")
    constant = from_frame(dataset("bfi").assign(A2=3), scales=BFI_SCALES)
    with pytest.raises(NoVarianceError, match="'A2'"):
        ordinal_alpha(constant, "agree")
