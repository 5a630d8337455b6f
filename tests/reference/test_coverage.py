"""Every stored reference entry is walked by a test, or listed in LIMITATIONS.md with its reason."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from support import REFERENCE, gold

ROOT = REFERENCE.parents[1]

# Entries that a test walks: pattern → the test module that does.
WALKED = {
    "score_*": "tests/scoring/test_scales.py",
    "scale_stats_*": "tests/reliability/test_scale_correlations.py",
    "item_descriptives_*": "tests/reliability/test_item_analysis.py",
    "alpha_*": "tests/reliability/test_alpha.py",
    "icc_family_*": "tests/reliability/raters/test_icc.py",
    "icc_irr_*": "tests/reliability/raters/test_icc.py",
    "cohen_kappa_*": "tests/reliability/raters/test_kappa.py",
    "multi_rater_*": "tests/reliability/raters/test_many_raters.py",
    "guttman_*": "tests/reliability/test_guttman.py",
    "splithalf_*": "tests/reliability/test_split_half.py",
    "glb_*": "tests/reliability/test_glb.py",
    "omega_1f_cfa_*": "tests/reliability/test_omega.py",
    "omega_3f_*": "tests/reliability/test_omega_hierarchical.py",
    "ordinal_alpha_*": "tests/reliability/test_omega_categorical.py",
    "icc12_reml_*": "tests/multilevel/test_icc_reml.py",
    "gmeanrel_*": "tests/multilevel/test_icc_reml.py",
    "waba_*": "tests/multilevel/test_icc_reml.py",
    "rwg*": "tests/multilevel/test_agreement.py",
    "ad_mean_*": "tests/multilevel/test_agreement.py",
    "ad_median_*": "tests/multilevel/test_agreement.py",
    "awg_*": "tests/multilevel/test_agreement.py",
    "mlr_univbct": "tests/multilevel/test_change.py",
    "twolevel_*": "tests/multilevel/test_reliability_levels.py",
    "longstring_*": "tests/quality/test_careless_kernels.py",
    "irv_*": "tests/quality/test_careless_kernels.py",
    "mahad_*": "tests/quality/test_careless_kernels.py",
    "evenodd_*": "tests/quality/test_careless_kernels.py",
    "psychsyn_*": "tests/quality/test_careless_kernels.py",
    "psychant_*": "tests/quality/test_careless_kernels.py",
    "icc12_anova_*": "tests/multilevel/test_icc.py",
    "sleepstudy_r*": "tests/regression/test_mixed.py",
    "exam_*_reml": "tests/regression/test_mixed.py",
    "exam_*_ml": "tests/regression/test_mixed.py",
    "pastes_*": "tests/regression/test_mixed_several.py",
    "star3_*": "tests/regression/test_mixed_several.py",
    "penicillin_*": "tests/regression/test_mixed_several.py",
    "scotssec_*": "tests/regression/test_mixed_several.py",
    "contraception_*": "tests/regression/test_mixed_logit.py",
    "cbpp_*": "tests/regression/test_mixed_logit.py",
    "nlme_ar1_*": "tests/regression/test_mixed_residual.py",
    "clm_*": "tests/regression/test_ordinal.py",
    "clmm_*": "tests/regression/test_mixed_ordinal.py",
    "bh1996_growthlike_*": "tests/regression/test_mixed.py",
    "*_ols_*": "tests/regression/test_linear.py",
    "cfa_*": "tests/dimensionality/test_cfa_gold.py",
    "sem_mediation_*": "tests/dimensionality/test_cfa_gold.py",
    "ave_cr_htmt_*": "tests/dimensionality/test_validity.py",
    "invariance_*": "tests/invariance/test_ladder_gold.py",
    "polychoric_*": "tests/dimensionality/test_polychoric.py",
    "tetrachoric_*": "tests/dimensionality/test_polychoric.py",
    "polyserial_*": "tests/dimensionality/test_polyserial.py",
    "fa_*": "tests/dimensionality/test_efa.py",
    "pca_*": "tests/dimensionality/test_efa.py",
    "kmo_bartlett_*": "tests/dimensionality/test_retention.py",
    "parallel_eigen_*": "tests/dimensionality/test_retention.py",
    "map_vss_*": "tests/dimensionality/test_retention.py",
}


def listed_patterns() -> list[str]:
    """Patterns in the section of LIMITATIONS.md on reference entries."""
    text = (ROOT / "LIMITATIONS.md").read_text(encoding="utf-8")
    section = text.split("## Reference entries that are not reproduced")[1].split("\n## ")[0]
    return re.findall(r"`([a-z0-9_*]+)`", section.replace("tests/", ""))


@pytest.mark.parametrize("path", sorted((REFERENCE / "gold").glob("*.json")), ids=lambda p: p.stem)
def test_each_entry_is_walked_or_listed(path: Path) -> None:
    listed = listed_patterns()
    for entry in gold(path.stem):
        walked = [pattern for pattern in WALKED if fnmatchcase(entry, pattern)]
        missing = [pattern for pattern in listed if fnmatchcase(entry, pattern)]
        assert bool(walked) != bool(missing), f"{entry}: walked {walked}, listed {missing}"


@pytest.mark.parametrize("module", sorted(set(WALKED.values())))
def test_the_walking_tests_exist(module: str) -> None:
    assert "gold(" in (ROOT / module).read_text(encoding="utf-8")
