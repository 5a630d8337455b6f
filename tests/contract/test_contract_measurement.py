"""Measurement against its formulas, worked out again here from answers of our own."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, optimize, stats

import collabsurvey as cs
from conftest import Engine

A = ["a1", "a2", "a3", "a4", "a5", "a6"]
B = ["b1", "b2", "b3", "b4", "b5", "b6"]
ITEMS = A + B
REVERSED = ["a3", "b5"]
ROLES = {"respondent": "id", "cluster": "school"}


def drawn(n: int = 420, *, options: int = 5, holes: float = 0.0, seed: int = 8) -> pd.DataFrame:
    """Two correlated factors of six items each, answered on a few options in 14 schools."""
    rng = np.random.default_rng(seed)
    school = rng.integers(0, 14, n)
    factors = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], size=n)
    factors += 0.4 * rng.normal(size=(14, 2))[school]
    frame: dict[str, Any] = {"id": np.arange(n) + 1000, "school": [f"S{s:02d}" for s in school]}
    for place, item in enumerate(ITEMS):
        loading = 0.45 + 0.07 * (place % 6)
        latent = loading * factors[:, place // 6] + np.sqrt(1 - loading**2) * rng.normal(size=n)
        cuts = np.linspace(-1.4, 1.2, options - 1) + 0.15 * (place % 4) - 0.2
        answer = 1.0 + np.searchsorted(cuts, latent)
        frame[item] = options + 1 - answer if item in REVERSED else answer
    df = pd.DataFrame(frame)
    return df.assign(**{i: df[i].where(rng.random(n) >= holes) for i in ITEMS}) if holes else df


def fielded(frame: Any, **changes: Any) -> cs.Responses:
    options: dict[str, Any] = {
        "scales": {"a": A, "b": B},
        "reverse_keyed": REVERSED,
        "response_range": (1, 5),
    }
    return cs.from_frame(frame, **{**options, **changes})


def keyed(df: pd.DataFrame, items: list[str]) -> pd.DataFrame:
    return df[items].assign(**{item: 6 - df[item] for item in items if item in REVERSED})


def off_diagonal(matrix: np.ndarray) -> np.ndarray:
    return matrix[~np.eye(len(matrix), dtype=bool)]


# Polychoric correlations


def crossed(x: pd.Series, y: pd.Series) -> np.ndarray:
    return pd.crosstab(x, y).to_numpy(dtype=float)


def cuts(margin: np.ndarray) -> np.ndarray:
    return stats.norm.ppf(np.cumsum(margin)[:-1] / margin.sum())


def cell_probabilities(rho: float, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Of a bivariate normal cut at `rows` and `columns`."""
    below = np.zeros((len(rows) + 2, len(columns) + 2))
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    below[1:-1, 1:-1] = normal.cdf(grid)
    below[1:, -1] = np.r_[stats.norm.cdf(rows), 1]
    below[-1, 1:] = np.r_[stats.norm.cdf(columns), 1]
    return np.diff(np.diff(below, axis=0), axis=1)


def two_step(table: np.ndarray) -> float:
    """Thresholds from the margins, then the likeliest correlation."""
    rows, columns = cuts(table.sum(axis=1)), cuts(table.sum(axis=0))
    found = optimize.minimize_scalar(
        lambda rho: (
            -(table * np.log(np.maximum(cell_probabilities(rho, rows, columns), 1e-300))).sum()
        ),
        bounds=(-0.98, 0.98),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return float(found.x)


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    return drawn(holes=0.03)


@pytest.fixture(scope="module")
def full() -> pd.DataFrame:
    return drawn()


def test_polychoric_correlations_in_two_steps(df: pd.DataFrame) -> None:
    items = ["a1", "a3", "b2"]
    result = cs.dimensionality.polychoric(fielded(df), items)
    used = df[items].dropna()
    assert result.n == len(used)
    for item in items:
        counts = used[item].value_counts().sort_index().to_numpy(float)
        np.testing.assert_allclose(result.thresholds[item], cuts(counts), rtol=1e-10)
    for one, other in itertools.combinations(items, 2):
        expected = two_step(crossed(used[one], used[other]))
        assert result.correlations.loc[one, other] == pytest.approx(expected, abs=2e-6)
        assert result.correlations.loc[other, one] == result.correlations.loc[one, other]
    np.testing.assert_array_equal(np.diag(result.correlations), 1)


def test_pairwise_polychorics_use_every_row_of_a_pair(df: pd.DataFrame) -> None:
    items = ["a1", "a2", "b4"]
    options: dict[str, Any] = {"missing": "pairwise", "thresholds_from": "pairs"}
    result = cs.dimensionality.polychoric(fielded(df), items, **options)
    for one, other in itertools.combinations(items, 2):
        pair = df[[one, other]].dropna()
        assert result.n_pairs.loc[one, other] == len(pair)
        expected = two_step(crossed(pair[one], pair[other]))
        assert result.correlations.loc[one, other] == pytest.approx(expected, abs=2e-6)


def test_polychoric_errors_are_those_of_the_influence_of_each_answer(full: pd.DataFrame) -> None:
    """A cell's row more or less moves the estimate; the squares add up to the variance."""
    pair = full[["a1", "b2"]]
    table = crossed(pair["a1"], pair["b2"])
    base, step = two_step(table), 0.5
    variance = 0.0
    for cell in zip(*np.nonzero(table), strict=True):
        more = table.copy()
        more[cell] += step
        variance += table[cell] * ((two_step(more) - base) / step) ** 2
    found = cs.dimensionality.polychoric(pair, ["a1", "b2"])
    # lavaan takes expected cross-products where this takes derivatives: equal in large samples
    assert found.std_errors.loc["a1", "b2"] == pytest.approx(np.sqrt(variance), rel=0.05)


def test_empty_cell_of_a_two_by_two_table_gets_half_an_answer() -> None:
    counts = {(1, 1): 30, (1, 2): 12, (2, 2): 25}
    df = pd.DataFrame([pair for pair, n in counts.items() for _ in range(n)], columns=["x", "y"])
    table = np.array([[30, 12], [0, 25.0]])
    kept = table + 0.5 * np.array([[1, -1], [-1, 1]]) * -1  # the margins stay
    found = cs.dimensionality.polychoric(df, ["x", "y"])
    assert found.correlations.loc["x", "y"] == pytest.approx(two_step(kept), abs=2e-6)
    np.testing.assert_allclose(found.thresholds["x"], cuts(table.sum(axis=1)), rtol=1e-10)


def test_larger_tables_with_empty_cells_are_left_alone() -> None:
    rng = np.random.default_rng(3)
    latent = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=90)
    df = pd.DataFrame(np.digitize(latent, [-0.8, 0.1, 1.1]), columns=["x", "y"])
    table = crossed(df["x"], df["y"])
    assert (table == 0).any()
    found = cs.dimensionality.polychoric(df, ["x", "y"]).correlations.loc["x", "y"]
    assert found == pytest.approx(two_step(table), abs=2e-6)


# How many factors


@pytest.fixture(scope="module")
def retention(df: pd.DataFrame) -> Any:
    return cs.dimensionality.retention(fielded(df), ITEMS, seed=5, compare=False)


def test_sampling_adequacy_and_sphericity(df: pd.DataFrame, retention: Any) -> None:
    used = df[ITEMS].dropna()
    R, n, k = used.corr().to_numpy(), len(used), len(ITEMS)
    inverse = np.linalg.inv(R)
    partial = -inverse / np.sqrt(np.outer(np.diag(inverse), np.diag(inverse)))
    r2, p2 = R**2 - np.eye(k), partial**2
    np.fill_diagonal(p2, 0)
    assert retention.n == n
    assert retention.kmo == pytest.approx(r2.sum() / (r2.sum() + p2.sum()), rel=1e-10)
    by_item = r2.sum(axis=0) / (r2.sum(axis=0) + p2.sum(axis=0))
    np.testing.assert_allclose(retention.kmo_items, by_item, rtol=1e-10)
    assert list(retention.kmo_items.index) == ITEMS
    chi2 = -(n - 1 - (2 * k + 5) / 6) * np.log(np.linalg.det(R))
    assert retention.bartlett["chi2"] == pytest.approx(chi2, rel=1e-10)
    assert retention.bartlett["df"] == k * (k - 1) / 2
    p_value = stats.chi2.sf(chi2, k * (k - 1) / 2)
    assert retention.bartlett["p_value"] == pytest.approx(p_value, rel=1e-8)
    assert retention.determinant == pytest.approx(np.linalg.det(R), rel=1e-10)
    np.testing.assert_allclose(retention.eigenvalues, np.linalg.eigvalsh(R)[::-1], rtol=1e-10)


def test_minimum_average_partial(df: pd.DataFrame, retention: Any) -> None:
    R = df[ITEMS].dropna().corr().to_numpy()
    values, vectors = np.linalg.eigh(R)
    components = (vectors * np.sqrt(values))[:, ::-1]
    for power, series in ((2, retention.map), (4, retention.map_revised)):
        for m, found in series.items():
            rest = R - components[:, :m] @ components[:, :m].T
            scale = np.sqrt(np.diag(rest))
            expected = np.mean(off_diagonal(rest / np.outer(scale, scale)) ** power)
            assert found == pytest.approx(expected, rel=1e-8), (power, m)
    assert 0 in retention.map.index
    suggested = retention.to_frame().set_index("method")["n_factors"]
    assert suggested["map"] == retention.map.idxmin()


def test_parallel_analysis_against_draws_of_our_own(retention: Any) -> None:
    rng = np.random.default_rng(99)
    n, k = retention.n, len(ITEMS)
    values = np.array(
        [
            np.linalg.eigvalsh(np.corrcoef(rng.normal(size=(n, k)), rowvar=False))[::-1]
            for _ in range(500)
        ]
    )
    found = retention.parallel
    np.testing.assert_allclose(found["component"], retention.eigenvalues, rtol=1e-12)
    np.testing.assert_allclose(found["component_mean"], values.mean(axis=0), atol=0.012)
    expected = np.quantile(values, 0.95, axis=0)
    np.testing.assert_allclose(found["component_reference"], expected, atol=0.03)


def test_empirical_kaiser_criterion(retention: Any) -> None:
    n, k = retention.n, len(ITEMS)
    before = np.r_[0, np.cumsum(retention.eigenvalues)[:-1]]
    reference = (k - before) / (k - np.arange(k)) * (1 + np.sqrt(k / n)) ** 2
    np.testing.assert_allclose(retention.ekc, np.maximum(reference, 1), rtol=1e-10)


def test_two_factors_are_found_by_the_methods_of_the_contract(retention: Any) -> None:
    found = retention.to_frame().set_index("method")["n_factors"]
    parallel = [method for method in found.index if method.startswith("parallel")]
    assert parallel
    assert found["map"] == 2
    assert (found[parallel] == 2).all()


# Exploratory factor analysis


def test_minres_leaves_the_smallest_residuals(df: pd.DataFrame) -> None:
    result = cs.dimensionality.efa(fielded(df), ITEMS, 2, rotation="none")
    R = df[ITEMS].dropna().corr().to_numpy()
    L = result.loadings.to_numpy()

    def missed(loadings: np.ndarray) -> float:
        return float(np.sum(off_diagonal(R - loadings @ loadings.T) ** 2))

    rng = np.random.default_rng(1)
    for _ in range(200):
        nudge = 10 ** rng.uniform(-6, -0.5) * rng.normal(size=L.shape)
        assert missed(L) <= missed(L + nudge) * (1 + 1e-12)


def test_maximum_likelihood_is_the_likeliest_and_tested_by_its_chi_square(df: pd.DataFrame) -> None:
    result = cs.dimensionality.efa(fielded(df), ITEMS, 2, extraction="ml", rotation="none")
    used = df[ITEMS].dropna()
    R, n, k = used.corr().to_numpy(), len(used), len(ITEMS)
    L, psi = result.loadings.to_numpy(), result.uniquenesses.to_numpy()

    def discrepancy(loadings: np.ndarray, unique: np.ndarray) -> float:
        implied = loadings @ loadings.T + np.diag(unique)
        return float(
            np.linalg.slogdet(implied)[1]
            - np.linalg.slogdet(R)[1]
            + np.trace(np.linalg.solve(implied, R))
            - k
        )

    best = discrepancy(L, psi)
    rng = np.random.default_rng(1)
    for _ in range(200):
        size = 10 ** rng.uniform(-5, -1)
        other = discrepancy(
            L + size * rng.normal(size=L.shape), psi * np.exp(size * rng.normal(size=k))
        )
        assert best <= other + 1e-13
    df_ = ((k - 2) ** 2 - (k + 2)) / 2
    chi2 = (n - 1 - (2 * k + 5) / 6 - 2 * 2 / 3) * best
    assert result.fit["objective"] == pytest.approx(best, rel=1e-7)
    assert result.fit["df"] == df_
    assert result.fit["chi2"] == pytest.approx(chi2, rel=1e-7)
    assert result.fit["p_value"] == pytest.approx(stats.chi2.sf(chi2, df_), rel=1e-6)


@pytest.mark.parametrize("extraction", ["minres", "ml", "principal_axis"])
@pytest.mark.parametrize("rotation", ["oblimin", "varimax", "promax", "geomin"])
def test_rotations_keep_what_the_factors_imply(
    df: pd.DataFrame, extraction: Any, rotation: Any
) -> None:
    plain = cs.dimensionality.efa(fielded(df), ITEMS, 2, extraction=extraction, rotation="none")
    turned = cs.dimensionality.efa(fielded(df), ITEMS, 2, extraction=extraction, rotation=rotation)
    L, phi = turned.loadings.to_numpy(), turned.factor_correlations.to_numpy()
    common = plain.loadings.to_numpy() @ plain.loadings.to_numpy().T
    np.testing.assert_allclose(L @ phi @ L.T, common, atol=1e-8)
    np.testing.assert_allclose(np.diag(phi), 1, rtol=1e-10)
    np.testing.assert_allclose(turned.communalities, np.diag(common), rtol=1e-8)
    np.testing.assert_allclose(turned.structure, L @ phi, rtol=1e-10, atol=1e-12)
    rest = df[ITEMS].dropna().corr().to_numpy() - common
    np.testing.assert_allclose(off_diagonal(turned.residuals.to_numpy()), off_diagonal(rest))
    rmsr = np.sqrt(np.mean(off_diagonal(rest) ** 2))
    assert turned.fit["rmsr"] == pytest.approx(rmsr, rel=1e-8)


def test_oblimin_is_an_optimum_without_kaiser_normalisation(df: pd.DataFrame) -> None:
    plain = cs.dimensionality.efa(fielded(df), ITEMS, 2, rotation="none").loadings.to_numpy()
    turned = cs.dimensionality.efa(fielded(df), ITEMS, 2)
    L = turned.loadings.to_numpy()
    T = np.linalg.inv(np.linalg.lstsq(plain, L, rcond=None)[0]).T
    np.testing.assert_allclose(T.T @ T, turned.factor_correlations, atol=1e-8)

    def crossings(turn: np.ndarray) -> float:
        rotated = plain @ np.linalg.inv(turn / np.linalg.norm(turn, axis=0)).T
        return float(np.sum(rotated[:, 0] ** 2 * rotated[:, 1] ** 2))

    rng = np.random.default_rng(2)
    for _ in range(200):
        nudge = 10 ** rng.uniform(-5, 0) * rng.normal(size=(2, 2))
        assert crossings(T) <= crossings(T + nudge) + 1e-13


def test_varimax_is_an_optimum_with_kaiser_normalisation(df: pd.DataFrame) -> None:
    turned = cs.dimensionality.efa(fielded(df), ITEMS, 3, rotation="varimax")
    L = turned.loadings.to_numpy()
    unit = L / np.linalg.norm(L, axis=1, keepdims=True)

    def spread(loadings: np.ndarray) -> float:
        return float(np.var(loadings**2, axis=0).sum())

    rng = np.random.default_rng(3)
    for _ in range(200):
        skew = 10 ** rng.uniform(-5, 0) * rng.normal(size=(3, 3))
        assert spread(unit) >= spread(unit @ linalg.expm(skew - skew.T)) - 1e-13


def test_factor_scores_by_regression_bartlett_and_ten_berge(full: pd.DataFrame) -> None:
    result = cs.dimensionality.efa(fielded(full), ITEMS, 2)
    Z = ((full[ITEMS] - full[ITEMS].mean()) / full[ITEMS].std()).to_numpy()
    R = full[ITEMS].corr().to_numpy()
    L, phi = result.loadings.to_numpy(), result.factor_correlations.to_numpy()
    regression = Z @ np.linalg.solve(R, L @ phi)
    np.testing.assert_allclose(result.scores(fielded(full)), regression, atol=1e-8)
    np.testing.assert_allclose(result.scores(full), regression, atol=1e-8)
    weighted = L / result.uniquenesses.to_numpy()[:, None]
    bartlett = Z @ weighted @ np.linalg.inv(L.T @ weighted)
    np.testing.assert_allclose(result.scores(full, "bartlett"), bartlett, atol=1e-8)
    ten_berge = np.asarray(result.scores(full, method="ten_berge"))
    np.testing.assert_allclose(np.corrcoef(ten_berge, rowvar=False), phi, atol=1e-8)


def test_efa_of_polychorics_reproduces_polychorics(full: pd.DataFrame) -> None:
    poly = cs.dimensionality.polychoric(fielded(full), A)
    result = cs.dimensionality.efa(fielded(full), A, 1, correlation="polychoric")
    L = result.loadings.to_numpy()
    rest = poly.correlations.to_numpy() - L @ L.T
    np.testing.assert_allclose(off_diagonal(result.residuals.to_numpy()), off_diagonal(rest))
    gradient = (rest - np.diag(np.diag(rest))) @ L
    np.testing.assert_allclose(gradient, 0, atol=1e-7)


# Alpha, omega, lower bounds, items


def alpha_of(cov: np.ndarray) -> float:
    k = len(cov)
    return float(k / (k - 1) * (1 - np.trace(cov) / cov.sum()))


def one_factor(cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loadings and residual variances by maximum likelihood, from a search of our own."""
    scale = np.sqrt(np.diag(cov))
    R, k = cov / np.outer(scale, scale), len(cov)

    def discrepancy(x: np.ndarray) -> tuple[float, np.ndarray]:
        loading, unique = x[:k], np.exp(x[k:])
        implied = np.outer(loading, loading) + np.diag(unique)
        inverse = np.linalg.inv(implied)
        slope = inverse - inverse @ R @ inverse
        value = np.linalg.slogdet(implied)[1] + np.trace(inverse @ R)
        return float(value), np.r_[2 * slope @ loading, np.diag(slope) * unique]

    start = np.r_[np.full(k, 0.6), np.full(k, np.log(0.6))]
    found = optimize.minimize(
        discrepancy, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-10}
    ).x
    return found[:k] * scale, np.exp(found[k:]) * scale**2


def test_alpha_by_formula(df: pd.DataFrame) -> None:
    result = cs.reliability.alpha(fielded(df), "b")
    used = keyed(df, B).dropna()
    assert result.estimate == pytest.approx(alpha_of(used.cov().to_numpy()), rel=1e-12)
    assert result.std_alpha == pytest.approx(alpha_of(used.corr().to_numpy()), rel=1e-12)
    assert result.n_respondents == len(used)


def test_omega_from_loadings_of_our_own(df: pd.DataFrame) -> None:
    cov = keyed(df, A).dropna().cov().to_numpy()
    loading, unique = one_factor(cov)
    common = loading.sum() ** 2
    model = cs.reliability.omega(fielded(df), "a", ci="none", denominator="model")
    assert model.estimate == pytest.approx(common / (common + unique.sum()), rel=1e-6)
    observed = cs.reliability.omega(fielded(df), "a", ci="none", denominator="observed")
    assert observed.estimate == pytest.approx(common / cov.sum(), rel=1e-6)
    np.testing.assert_allclose(np.abs(model.loadings["loading"]), np.abs(loading), rtol=1e-5)
    np.testing.assert_allclose(model.loadings["residual_variance"], unique, rtol=1e-5)


def test_omega_of_one_factor_is_model_implied_unless_told_otherwise(df: pd.DataFrame) -> None:
    plain = cs.reliability.omega(fielded(df), "a", ci="none")
    named = cs.reliability.omega(fielded(df), "a", ci="none", denominator="model")
    assert (plain.estimate, plain.denominator) == (named.estimate, "model")


def test_omega_hierarchical_from_its_loadings() -> None:
    rng = np.random.default_rng(17)
    general, groups = rng.normal(size=(500, 1)), rng.normal(size=(500, 3))
    latent = 0.6 * general + 0.5 * np.repeat(groups, 4, axis=1) + 0.6 * rng.normal(size=(500, 12))
    df = pd.DataFrame(np.digitize(latent, [-1, -0.2, 0.4, 1.3]) + 1.0, columns=ITEMS)
    answers = cs.from_frame(df, scales={"all": ITEMS}, response_range=(1, 5))
    options: dict[str, Any] = {"n_factors": 3, "denominator": "observed", "ci": "none"}
    result = cs.reliability.omega(answers, "all", kind="hierarchical", **options)
    R, table, g = df.corr().to_numpy(), result.loadings, np.ravel(result.second_order)
    assert result.estimate == pytest.approx(table["general"].sum() ** 2 / R.sum(), rel=1e-8)
    total = cs.reliability.omega(answers, "all", kind="total", **options)
    assert total.estimate == pytest.approx(1 - table["uniqueness"].sum() / R.sum(), rel=1e-8)
    # Schmid & Leiman (1957): what factors share goes to the general one
    pattern, shared = result.oblique.to_numpy(), np.outer(g, g) + np.diag(1 - g**2)
    np.testing.assert_allclose(result.factor_correlations, shared, atol=1e-6)
    np.testing.assert_allclose(table["general"], pattern @ g, rtol=1e-8)
    own = table.filter(regex="^F[0-9]+$").to_numpy(float)
    np.testing.assert_allclose(np.abs(own), np.abs(pattern * np.sqrt(1 - g**2)), rtol=1e-8)
    communality = (pattern @ g) ** 2 + (own**2).sum(axis=1)
    np.testing.assert_allclose(table["communality"], communality, rtol=1e-6)
    np.testing.assert_allclose(table["uniqueness"], 1 - table["communality"], rtol=1e-10)


def covariance_below(rho: float, one: np.ndarray, other: np.ndarray) -> float:
    """Covariance of two answers cut from normals that correlate `rho`: sums over cuts."""
    grid = np.stack(np.meshgrid(one, other, indexing="ij"), axis=-1)
    joint = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf(grid)
    return float(np.sum(joint - np.outer(stats.norm.cdf(one), stats.norm.cdf(other))))


def test_categorical_omega_by_green_and_yang(full: pd.DataFrame) -> None:
    items = ["a1", "a2", "a4", "a5"]
    answers = fielded(full, scales={"s": items}, reverse_keyed=())
    result = cs.reliability.omega(answers, "s", kind="categorical", ci="none")
    loading = result.loadings["std_loading"].to_numpy()
    margins = [cuts(full[item].value_counts().sort_index().to_numpy(float)) for item in items]
    poly = cs.dimensionality.polychoric(answers, "s").correlations.to_numpy()
    true = observed = 0.0
    for i, j in itertools.product(range(4), repeat=2):
        true += covariance_below(loading[i] * loading[j], margins[i], margins[j])
        if i == j:
            below = stats.norm.cdf(margins[i])
            observed += np.sum(np.minimum.outer(below, below) - np.outer(below, below))
        else:
            observed += covariance_below(poly[i, j], margins[i], margins[j])
    assert result.estimate == pytest.approx(true / observed, rel=1e-5)
    assert "ategorical" in result.coefficient


@pytest.mark.parametrize("standardised", [False, True])
def test_guttmans_bounds_by_formula(df: pd.DataFrame, standardised: bool) -> None:
    used = keyed(df, A).dropna()
    C = (used.corr() if standardised else used.cov()).to_numpy()
    result = cs.reliability.guttman(fielded(df), "a", standardised=standardised)
    total, k = C.sum(), len(A)
    squares = C**2 - np.diag(np.diag(C) ** 2)
    lambda1 = 1 - np.trace(C) / total
    halves = []
    for half in itertools.combinations(range(k), k // 2):
        if 0 in half:
            rest = [i for i in range(k) if i not in half]
            halves.append(4 * C[np.ix_(half, rest)].sum() / total)
    expected = {
        "lambda1": lambda1,
        "lambda2": lambda1 + np.sqrt(k / (k - 1) * squares.sum()) / total,
        "lambda3": alpha_of(C),
        "lambda4": max(halves),
        "lambda5": lambda1 + 2 * np.sqrt(squares.sum(axis=0).max()) / total,
        "lambda6": 1 - (1 / np.diag(np.linalg.inv(C))).sum() / total,
        "split_half_best": max(halves),
        "split_half_worst": min(halves),
        "split_half_mean": np.mean(halves),
    }
    for name, value in expected.items():
        assert getattr(result, name) == pytest.approx(value, rel=1e-10), name
    assert result.split_half_mean == pytest.approx(alpha_of(C), rel=1e-10)
    fourth = np.sum(off_diagonal(C) ** 4)
    mu2 = lambda1 + (
        np.sqrt(squares.sum() + np.sqrt(k / (k - 1) * fourth)) / total
    )  # ten Berge & Zegers (1978)
    mu3 = lambda1 + (
        np.sqrt(
            squares.sum() + np.sqrt(fourth + np.sqrt(k / (k - 1) * np.sum(off_diagonal(C) ** 8)))
        )
        / total
    )
    assert result.mu2 == pytest.approx(mu2, rel=1e-10)
    assert result.mu3 == pytest.approx(mu3, rel=1e-10)
    first = np.linalg.eigvalsh(used.corr().to_numpy())[-1]
    assert result.theta == pytest.approx(k / (k - 1) * (1 - 1 / first), rel=1e-10)


def test_item_analysis_by_formula(df: pd.DataFrame) -> None:
    found = cs.reliability.item_analysis(fielded(df), "a").to_frame().set_index("item")
    used = keyed(df, A).dropna()
    np.testing.assert_array_equal(found["n"], len(used))
    np.testing.assert_allclose(found["mean"], used.mean(), rtol=1e-12)
    np.testing.assert_allclose(found["sd"], used.std(), rtol=1e-12)
    np.testing.assert_allclose(found["missing"], df[A].isna().mean(), rtol=1e-12)
    np.testing.assert_allclose(found["floor"], (used == 1).mean(), rtol=1e-12)
    np.testing.assert_allclose(found["ceiling"], (used == 5).mean(), rtol=1e-12)
    R = used.corr().to_numpy()
    loading, _ = one_factor(R)
    np.testing.assert_allclose(found["loading"], loading * np.sign(loading.sum()), rtol=1e-5)
    np.testing.assert_allclose(found["smc"], 1 - 1 / np.diag(np.linalg.inv(R)), rtol=1e-10)
    others = R - 2 * np.eye(len(A))
    np.testing.assert_allclose(found["r_max"], others.max(axis=1), rtol=1e-10)
    np.testing.assert_allclose(found["r_min"], (R + np.eye(len(A))).min(axis=1), rtol=1e-10)
    for item in A:
        rest = used.drop(columns=item)
        row = found.loc[item]
        assert row["item_rest"] == pytest.approx(used[item].corr(rest.sum(axis=1)), rel=1e-10)
        assert row["alpha_if_dropped"] == pytest.approx(alpha_of(rest.cov().to_numpy()), rel=1e-10)
        lam, psi = one_factor(rest.cov().to_numpy())
        omega = lam.sum() ** 2 / (lam.sum() ** 2 + psi.sum())
        assert row["omega_if_dropped"] == pytest.approx(omega, rel=1e-5)


def test_overview_has_the_numbers_of_the_single_calls(df: pd.DataFrame) -> None:
    answers = fielded(df)
    found = cs.reliability.overview(answers).to_frame().set_index("scale")
    assert list(found.index) == ["a", "b"]
    for scale in ("a", "b"):
        alpha = cs.reliability.alpha(answers, scale)
        row = found.loc[scale]
        assert (row["alpha"], row["ci_low"]) == (alpha.estimate, alpha.ci_low)
        for kind, column in (("total", "omega_total"), ("categorical", "omega_categorical")):
            omega = cs.reliability.omega(answers, scale, kind=kind, ci="none")  # type: ignore[arg-type]
            assert row[column] == pytest.approx(omega.estimate, rel=1e-8)


def test_overview_leaves_categorical_omega_blank_for_more_than_five_options() -> None:
    df = drawn(options=7)
    answers = cs.from_frame(df, scales={"a": A}, reverse_keyed=["a3"], response_range=(1, 7))
    row = cs.reliability.overview(answers).to_frame().iloc[0]
    assert np.isnan(row["omega_categorical"])
    assert np.isfinite(row["omega_total"])


# Raters and occasions


def rated(n: int = 24, k: int = 4, seed: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=k) + 0.7 * rng.normal(size=(n, k))
    return np.round(5 + 2 * values)


def mean_squares(x: np.ndarray) -> tuple[float, float, float, float]:
    """Between rows, within rows, between columns, residual."""
    n, k = x.shape
    rows, columns, grand = x.mean(axis=1), x.mean(axis=0), x.mean()
    between = k * np.sum((rows - grand) ** 2) / (n - 1)
    within = np.sum((x - rows[:, None]) ** 2) / (n * (k - 1))
    occasions = n * np.sum((columns - grand) ** 2) / (k - 1)
    rest = np.sum((x - rows[:, None] - columns + grand) ** 2) / ((n - 1) * (k - 1))
    return between, within, occasions, rest


def long(x: np.ndarray) -> pd.DataFrame:
    n, k = x.shape
    return pd.DataFrame(
        {
            "pupil": np.repeat([f"p{i:02d}" for i in range(n)], k),
            "judge": np.tile([f"j{j}" for j in range(k)], n),
            "mark": x.ravel(),
        }
    )


def test_intraclass_correlations_by_analysis_of_variance() -> None:
    x = rated()
    n, k = x.shape
    msr, msw, msc, mse = mean_squares(x)
    table = cs.reliability.icc(long(x), targets="pupil", raters="judge", ratings="mark").to_frame()
    found = table.set_index("icc")
    expected = {
        "icc_1_1": (msr - msw) / (msr + (k - 1) * msw),
        "icc_1_k": (msr - msw) / msr,
        "icc_2_1": (msr - mse) / (msr + (k - 1) * mse + k * (msc - mse) / n),
        "icc_2_k": (msr - mse) / (msr + (msc - mse) / n),
        "icc_3_1": (msr - mse) / (msr + (k - 1) * mse),
        "icc_3_k": (msr - mse) / msr,
    }
    assert sorted(found.index) == sorted(expected)
    for name, value in expected.items():
        assert found.loc[name, "estimate"] == pytest.approx(value, rel=1e-10), name
    f1, df1, df2 = msr / msw, n - 1, n * (k - 1)
    low, high = f1 / stats.f.ppf(0.975, df1, df2), f1 * stats.f.ppf(0.975, df2, df1)
    row = found.loc["icc_1_1"]
    assert (row["f_statistic"], row["df1"], row["df2"]) == pytest.approx((f1, df1, df2))
    assert row["p_value"] == pytest.approx(stats.f.sf(f1, df1, df2), rel=1e-8)
    assert row["ci_low"] == pytest.approx((low - 1) / (low + k - 1), rel=1e-9)
    assert row["ci_high"] == pytest.approx((high - 1) / (high + k - 1), rel=1e-9)
    f3, df2 = msr / mse, (n - 1) * (k - 1)
    low, high = f3 / stats.f.ppf(0.975, df1, df2), f3 * stats.f.ppf(0.975, df2, df1)
    row = found.loc["icc_3_k"]
    assert row["ci_low"] == pytest.approx(1 - 1 / low, rel=1e-9)
    assert row["ci_high"] == pytest.approx(1 - 1 / high, rel=1e-9)
    # Shrout & Fleiss (1979), with Satterthwaite's degrees of freedom
    icc, fj = expected["icc_2_1"], msc / mse
    top = k * icc * fj + n * (1 + (k - 1) * icc) - k * icc
    v = (
        (k - 1)
        * (n - 1)
        * top**2
        / ((n - 1) * k**2 * icc**2 * fj**2 + (n * (1 + (k - 1) * icc) - k * icc) ** 2)
    )
    upper, lower = stats.f.ppf(0.975, n - 1, v), stats.f.ppf(0.975, v, n - 1)
    bottom = k * msc + (k * n - k - n) * mse
    row = found.loc["icc_2_1"]
    assert row["ci_low"] == pytest.approx(
        n * (msr - upper * mse) / (upper * bottom + n * msr), rel=1e-9
    )
    assert row["ci_high"] == pytest.approx(
        n * (lower * msr - mse) / (bottom + n * lower * msr), rel=1e-9
    )


def test_one_way_coefficient_of_unbalanced_ratings_by_its_likelihood() -> None:
    df = long(rated()).sample(frac=0.8, random_state=3)
    found = cs.reliability.icc(df, targets="pupil", raters="judge", ratings="mark")
    groups = [g.to_numpy() for _, g in df.groupby("pupil")["mark"]]

    def deviance(x: np.ndarray) -> float:
        tau, sigma = np.exp(x)
        total, information, sums, pieces = 0.0, 0.0, 0.0, []
        for y in groups:
            V = tau + sigma * np.eye(len(y))
            inverse = np.linalg.inv(V)
            total += np.linalg.slogdet(V)[1]
            information += inverse.sum()
            sums += (inverse @ y).sum()
            pieces.append(y @ inverse @ y)
        return float(total + np.log(information) + sum(pieces) - sums**2 / information)

    tau, sigma = np.exp(
        optimize.minimize(
            deviance, [0.5, 0.5], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11}
        ).x
    )
    row = found.to_frame().set_index("icc").loc["icc_1_1"]
    assert row["estimate"] == pytest.approx(tau / (tau + sigma), abs=1e-5)
    assert not found.complete


def kappa_by_hand(p: np.ndarray, w: np.ndarray, n: int) -> tuple[float, float]:
    """Estimate and standard error of Fleiss, Cohen & Everitt (1969)."""
    row, column = p.sum(axis=1), p.sum(axis=0)
    observed, expected = np.sum(w * p), np.sum(w * np.outer(row, column))
    credit = (w @ column)[:, None] + (row @ w)[None, :]
    inner = np.sum(p * (w * (1 - expected) - credit * (1 - observed)) ** 2)
    inner -= (observed * expected - 2 * expected + observed) ** 2
    error = np.sqrt(inner / n) / (1 - expected) ** 2
    return float((observed - expected) / (1 - expected)), float(error)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_kappa_and_its_error_by_hand(weights: Any) -> None:
    rng = np.random.default_rng(21)
    a = rng.integers(1, 5, 150)
    b = np.clip(a + rng.integers(-1, 2, 150) * (rng.random(150) < 0.5), 1, 4)
    result = cs.reliability.kappa(a, b, weights=weights)
    apart = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    table = {None: apart == 0, "linear": 1 - apart / 3, "quadratic": 1 - apart**2 / 9}[weights]
    p = pd.crosstab(a, b).to_numpy() / 150
    estimate, error = kappa_by_hand(p, np.asarray(table, dtype=float), 150)
    assert result.estimate == pytest.approx(estimate, rel=1e-12)
    assert result.std_error == pytest.approx(error, rel=1e-10)
    assert result.ci_low == pytest.approx(estimate - stats.norm.ppf(0.975) * error, rel=1e-10)
    assert result.ci_high == pytest.approx(estimate + stats.norm.ppf(0.975) * error, rel=1e-10)
    assert result.percent_agreement == pytest.approx(np.mean(a == b), rel=1e-12)


def occasions(df: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(31)
    later = df.copy()
    for item in ITEMS:
        move = rng.integers(-1, 2, len(df)) * (rng.random(len(df)) < 0.5)
        later[item] = (df[item] + move + (rng.random(len(df)) < 0.1)).clip(1, 5)
    return df, later.sample(frac=0.9, random_state=1)


def test_retest_by_hand(full: pd.DataFrame) -> None:
    first, second = occasions(full)
    roles = {"respondent": "id"}
    result = cs.reliability.retest(fielded(first, roles=roles), fielded(second, roles=roles), "a")
    before = keyed(first, A).mean(axis=1).set_axis(first["id"])
    after = keyed(second, A).mean(axis=1).set_axis(second["id"])
    x = pd.concat([before, after], axis=1).dropna().to_numpy()
    n = len(x)
    msr, _, msc, mse = mean_squares(x)
    sem = np.sqrt(max(0, (msc - mse) / n) + mse)
    change = x[:, 1] - x[:, 0]
    expected = {
        "estimate": (msr - mse) / (msr + mse + 2 * (msc - mse) / n),
        "icc_3_1": (msr - mse) / (msr + mse),
        "pearson": np.corrcoef(x.T)[0, 1],
        "sem": sem,
        "sdc": stats.norm.ppf(0.975) * np.sqrt(2) * sem,
        "sem_consistency": change.std(ddof=1) / np.sqrt(2),
        "bias": change.mean(),
        "sd_difference": change.std(ddof=1),
        "limit_low": change.mean() - stats.norm.ppf(0.975) * change.std(ddof=1),
        "limit_high": change.mean() + stats.norm.ppf(0.975) * change.std(ddof=1),
    }
    assert (result.n, result.n_only_first, result.n_only_second) == (n, len(first) - n, 0)
    for name, value in expected.items():
        assert getattr(result, name) == pytest.approx(value, rel=5e-5), name  # 1.96 or 1.95996
    icc = cs.reliability.icc(pd.DataFrame(x, columns=["one", "two"])).to_frame().set_index("icc")
    row = icc.loc["icc_2_1"]
    assert (result.ci_low, result.ci_high) == pytest.approx((row["ci_low"], row["ci_high"]))


# Levels


@pytest.mark.parametrize("size", ["n0", "mean"])
def test_icc_of_schools_by_analysis_of_variance(df: pd.DataFrame, size: Any) -> None:
    row = cs.multilevel.icc(df, ["a1"], "school", size=size).to_frame().iloc[0]
    used = df.dropna(subset=["a1"])
    groups = used.groupby("school")["a1"]
    n, k, total = groups.size(), groups.ngroups, len(used)
    msb = np.sum(n * (groups.mean() - used["a1"].mean()) ** 2) / (k - 1)
    msw = np.sum((used["a1"] - groups.transform("mean")) ** 2) / (total - k)
    m = total / k if size == "mean" else (total - np.sum(n**2) / total) / (k - 1)
    f = msb / msw
    assert row["icc1"] == pytest.approx((msb - msw) / (msb + (m - 1) * msw), rel=1e-10)
    assert row["icc2"] == pytest.approx(1 - 1 / f, rel=1e-10)
    assert row["f_statistic"] == pytest.approx(f, rel=1e-10)
    assert (row["df1"], row["df2"], row["n_clusters"], row["n"]) == (k - 1, total - k, k, total)
    assert row["p_value"] == pytest.approx(stats.f.sf(f, k - 1, total - k), rel=1e-8)
    low = f / stats.f.ppf(0.975, k - 1, total - k)
    assert row["icc1_low"] == pytest.approx((low - 1) / (low + m - 1), rel=1e-9)


def test_agreement_within_schools_by_hand(df: pd.DataFrame) -> None:
    answers = fielded(df, roles=ROLES)
    found = cs.multilevel.agreement(answers, "a", "cluster").to_frame().set_index("school")
    nulls = {"": (5**2 - 1) / 12, "slight_skew": 1.34}  # LeBreton & Senter (2008), Table 2
    used = df.dropna(subset=A)
    assert sorted(found.index) == sorted(used["school"].unique())
    for school, people in used.groupby("school"):
        row, x = found.loc[school], people[A]
        variances = x.var(ddof=1)
        assert row["n"] == len(people)
        apart = (x - x.mean()).abs().mean().mean()
        assert row["ad"] == pytest.approx(apart, rel=1e-10)
        for null, variance in nulls.items():
            ending = f"_{null}" if null else ""
            ratio = min(variances.mean() / variance, 1)
            rwg_j = 6 * (1 - ratio) / (6 * (1 - ratio) + ratio)
            assert row[f"rwg_j{ending}"] == pytest.approx(rwg_j, rel=1e-10)
            single = np.mean(np.maximum(1 - variances / variance, 0))
            assert row[f"rwg{ending}"] == pytest.approx(single, rel=1e-10)
            star = 1 - variances.mean() / variance
            assert row[f"rwg_star{ending}"] == pytest.approx(star, rel=1e-10)


# Screening


def longest_run(row: np.ndarray) -> int:
    answered = row[~np.isnan(row)]
    return max((len(list(group)) for _, group in itertools.groupby(answered)), default=0)


def even_odd(row: pd.Series, scales: list[list[str]]) -> float:
    odd = [row[items[0::2]].mean() for items in scales]
    even = [row[items[1::2]].mean() for items in scales]
    if np.ptp(odd) == 0 or np.ptp(even) == 0:
        return np.nan
    r = np.corrcoef(odd, even)[0, 1]
    return float(-max(2 * r / (1 + r), -1)) if r > -1 else 1.0


def test_screening_indices_by_hand(eager_engine: Engine, df: pd.DataFrame) -> None:
    answers = fielded(eager_engine(df), roles=ROLES)
    found = eager_engine.pandas(cs.screen(answers).to_frame())
    x = df[ITEMS].to_numpy()
    np.testing.assert_allclose(found["missing_share"], np.isnan(x).mean(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(found["longstring"], [longest_run(row) for row in x])
    np.testing.assert_allclose(found["irv"], np.nanstd(x, axis=1, ddof=1), rtol=1e-10)
    gaps = pd.DataFrame(x).fillna(-1)
    same = gaps.groupby(list(gaps.columns))[0].transform("size") - 1
    np.testing.assert_array_equal(found["duplicate"], same)


def test_mahalanobis_distance_by_hand(full: pd.DataFrame) -> None:
    found = cs.screen(fielded(full)).to_frame()
    x = full[ITEMS].to_numpy()
    away = x - x.mean(axis=0)
    squared = np.einsum("ij,ij->i", away, np.linalg.solve(np.cov(x.T), away.T).T)
    np.testing.assert_allclose(found["mahalanobis"], squared, rtol=1e-9)
    np.testing.assert_allclose(found["mahalanobis_p"], stats.chi2.sf(squared, 12), rtol=1e-8)


def test_even_odd_by_hand(full: pd.DataFrame) -> None:
    scales = [ITEMS[start : start + 3] for start in range(0, 12, 3)]
    answers = fielded(full, scales={f"s{i}": items for i, items in enumerate(scales)})
    found = cs.screen(answers).to_frame()["even_odd"].to_numpy(float)
    turned = keyed(full, ITEMS).head(60)
    expected = np.array([even_odd(row, scales) for _, row in turned.iterrows()])
    np.testing.assert_allclose(found[:60], expected, atol=1e-8)


def test_person_total_by_hand(full: pd.DataFrame) -> None:
    found = cs.screen(fielded(full)).to_frame()["person_total"]
    x = full[ITEMS].to_numpy()
    n = len(x)
    for i in (0, 7, 100):
        others = (x.sum(axis=0) - x[i]) / (n - 1)
        assert found.iloc[i] == pytest.approx(np.corrcoef(x[i], others)[0, 1], rel=1e-9)


def test_flags_count_what_is_beyond_the_cut_offs(full: pd.DataFrame) -> None:
    more = drawn(seed=9)[ITEMS].add_suffix("x")
    items = [*ITEMS, *more.columns]
    careless = full.join(more)
    careless.loc[3, items] = 4.0
    careless.loc[5, items[:20]] = np.nan
    careless.loc[8, items] = careless.loc[9, items]
    answers = cs.from_frame(careless, scales={"s": items}, response_range=(1, 5))
    result = cs.screen(answers)
    found = result.to_frame()
    assert found["longstring"].iloc[3] == 24
    assert {"longstring", "duplicate", "missing_share"} <= set(result.used)
    assert found["duplicate"].iloc[[8, 9]].tolist() == [1, 1]
    assert found["missing_share"].iloc[5] == pytest.approx(20 / 24)
    assert found["flags"].iloc[[3, 5, 8, 9]].ge(1).all()
    assert found["reasons"].iloc[[3, 5, 8, 9]].str.len().gt(5).all()
    assert (found.loc[found["flags"] == 0, "reasons"].fillna("") == "").all()
    assert len(found) == len(careless)
    assert sum(result.n_flagged.values()) == found["flags"].sum()
