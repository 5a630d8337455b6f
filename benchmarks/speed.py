"""Time and memory beside R and other Python packages.

    python benchmarks/speed.py                    # every case, writes speed.csv; twenty minutes
    python benchmarks/speed.py mixed_exam icc     # these cases only; other rows stay

Every run is a process of its own that reads its data, computes once to warm up (small cases),
and times the computation alone. In each round the programs run one after the other, so that what
else the machine does meets all of them; the medians are over rounds. Peak memory is of the whole
process, the packages it loads included. R is left out where `Rscript` is missing.
"""

from __future__ import annotations

import json
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "tests" / "reference" / "data"
OURS = "collabsurvey"
BFI = {name: [f"{name}{i}" for i in range(1, 6)] for name in "ACENO"}
BFI_ITEMS = [item for items in BFI.values() for item in items]
REVERSED = ["A1", "C4", "C5", "E1", "E2", "O2", "O5"]


@dataclass(frozen=True)
class Case:
    """What is computed, on which data, by whom, how often."""

    what: str
    data: str  # a file of tests/reference/data, or "simulated_<rows>"
    peers: tuple[str, ...]
    rounds: int = 5
    repeats: int = 5  # in each process, after a warm-up; 1 is without


CASES = {
    "mixed_exam": Case(
        "random slope, REML, Satterthwaite df (statsmodels: z)",
        "exam",
        ("lmerTest", "statsmodels"),
    ),
    "ols_cr2_exam": Case(
        "least squares, CR2, Satterthwaite df (statsmodels: CR1S, z)",
        "exam",
        ("clubSandwich", "statsmodels"),
    ),
    "alpha": Case(
        "alpha of five items with item statistics (pingouin: alpha alone)",
        "bfi",
        ("psych", "pingouin"),
    ),
    "scoring": Case(
        "means of five scales, seven items reversed (psych: with reliabilities)",
        "bfi",
        ("psych", "pandas"),
    ),
    "icc": Case("ICC(1) and ICC(2) of two variables", "bh1996", ("multilevel", "statsmodels")),
    "mixed_1e5": Case(
        "random slope, 2000 groups, Satterthwaite df",
        "simulated_100000",
        ("lmerTest",),
        rounds=3,
        repeats=1,
    ),
    "mixed_1e6": Case(
        "random slope, 20 000 groups, Satterthwaite df",
        "simulated_1000000",
        ("lmerTest",),
        rounds=3,
        repeats=1,
    ),
    "alpha_clusters_1e5": Case(
        "alpha of six items, studentised bootstrap of 2000 schools, 2000 resamples",
        "simulated_100000",
        (),
        rounds=3,
        repeats=1,
    ),
    "polychoric": Case(
        "polychoric matrix of 25 items with standard errors (lavaan, psych: without)",
        "bfi",
        ("lavaan", "psych"),
        repeats=3,
    ),
    "efa": Case("five factors of 25 items, minres, oblimin (ours: ten starts)", "bfi", ("psych",)),
    "parallel": Case(
        "parallel analysis of 25 items, components and factors, 1000 draws (ours: with MAP, KMO, "
        "EKC, VSS)",
        "bfi",
        ("psych",),
        rounds=3,
        repeats=1,
    ),
    "efa_bootstrap": Case(
        "five factors of 25 items, 1000 resamples of loadings (psych: fa, n.iter = 1000)",
        "bfi",
        ("psych",),
        rounds=3,
        repeats=1,
    ),
    "polychoric_1e6": Case(
        "polychoric matrix of 60 items, five categories, 1 000 000 respondents",
        "items_1000000",
        (),
        rounds=3,
        repeats=1,
    ),
}
IN_R = {"lmerTest", "clubSandwich", "psych", "multilevel", "lavaan"}


def simulated(n_rows: int, seed: int = 1) -> pd.DataFrame:
    """Pupils in schools of fifty: an outcome with a random slope, six items with a factor."""
    rng = np.random.default_rng(seed)
    n_groups = n_rows // 50
    school = rng.integers(0, n_groups, n_rows)
    x = rng.normal(size=n_rows)
    intercept, slope = 0.5 * rng.normal(size=(2, n_groups))
    y = 1 + 0.3 * x + intercept[school] + 0.6 * slope[school] * x + rng.normal(size=n_rows)
    frame = pd.DataFrame({"school": school, "x": x, "y": y})
    factor = 0.4 * rng.normal(size=n_groups)[school] + rng.normal(size=n_rows)
    for i in range(1, 7):
        answer = np.round(3 + 0.7 * factor + rng.normal(size=n_rows))
        frame[f"i{i}"] = np.clip(answer, 1, 5).astype(int)
    return frame


def simulated_items(n_rows: int, seed: int = 1) -> pd.DataFrame:
    """Sixty items of five categories with six factors."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_rows, 6))
    cuts = np.array([-1.2, -0.4, 0.5, 1.3])
    columns = {
        f"i{i}": np.searchsorted(cuts, 0.7 * factors[:, i % 6] + 0.7 * rng.normal(size=n_rows)) + 1
        for i in range(60)
    }
    return pd.DataFrame(columns, dtype="int8")


def computation(case: str, program: str, data: pd.DataFrame) -> Callable[[], object]:
    """Return what is timed; packages are imported before."""
    makers = {OURS: ours, "statsmodels": with_statsmodels, "pingouin": with_pingouin}
    return makers.get(program, with_pandas)(case, data)


def ours(case: str, data: pd.DataFrame) -> Callable[[], object]:
    """Return the computation by this package, from a frame to the numbers."""
    import collabsurvey as cs

    def alpha() -> object:
        answers = cs.from_frame(data, scales=BFI, reverse_keyed=REVERSED, response_range=(1, 6))
        result = cs.reliability.alpha(answers, "A")
        return result.estimate, cs.reliability.item_analysis(answers, "A").to_frame()

    def scores() -> object:
        answers = cs.from_frame(data, scales=BFI, reverse_keyed=REVERSED, response_range=(1, 6))
        return cs.score(answers).to_frame()

    def alpha_of_schools() -> object:
        items = [f"i{i}" for i in range(1, 7)]
        answers = cs.from_frame(
            data, scales={"s": items}, response_range=(1, 5), roles={"cluster": "school"}
        )
        return cs.reliability.alpha(answers, "s").ci_low

    def exam_mixed() -> object:
        formula = "normexam ~ standLRT + (1 + standLRT | school)"
        return cs.regression.mixed(formula, data).estimates

    def exam_ols() -> object:
        formula = "normexam ~ standLRT + sex + schavg"
        return cs.regression.ols(formula, data, cluster="school").estimates

    def factored(n_boot: int = 0) -> object:
        return cs.dimensionality.efa(data[BFI_ITEMS], None, 5, n_boot=n_boot).loadings

    def how_many() -> object:
        return cs.dimensionality.retention(data[BFI_ITEMS], compare=False).suggestions

    return {
        "polychoric": lambda: cs.dimensionality.polychoric(data[BFI_ITEMS]).correlations,
        "efa": factored,
        "efa_bootstrap": lambda: factored(1000),
        "parallel": how_many,
        "polychoric_1e6": lambda: cs.dimensionality.polychoric(data).correlations,
        "mixed_exam": exam_mixed,
        "ols_cr2_exam": exam_ols,
        "alpha": alpha,
        "scoring": scores,
        "icc": lambda: cs.multilevel.icc(data, ["HRS", "LEAD"], "GRP").to_frame(),
        "alpha_clusters_1e5": alpha_of_schools,
    }.get(case, lambda: cs.regression.mixed("y ~ x + (1 + x | school)", data).estimates)


def with_statsmodels(case: str, data: pd.DataFrame) -> Callable[[], object]:
    """Return the nearest computation by statsmodels."""
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    def mixed() -> object:
        model = smf.mixedlm("normexam ~ standLRT", data, groups="school", re_formula="~standLRT")
        return model.fit().summary()

    def clustered() -> object:
        model = smf.ols("normexam ~ standLRT + sex + schavg", data)
        return model.fit(cov_type="cluster", cov_kwds={"groups": data["school"]}).summary()

    def variances() -> object:
        return [anova_lm(smf.ols(f"{name} ~ C(GRP)", data).fit()) for name in ("HRS", "LEAD")]

    return {"mixed_exam": mixed, "ols_cr2_exam": clustered, "icc": variances}[case]


def with_pingouin(case: str, data: pd.DataFrame) -> Callable[[], object]:
    """Return alpha by pingouin, which wants the items turned round."""
    import pingouin

    items = data[BFI["A"]].assign(A1=7 - data["A1"])
    return lambda: pingouin.cronbach_alpha(items)


def with_pandas(case: str, data: pd.DataFrame) -> Callable[[], object]:
    """Return scoring by hand in pandas."""

    def scores() -> object:
        turned = data.assign(**{item: 7 - data[item] for item in REVERSED})
        return pd.DataFrame({name: turned[items].mean(axis=1) for name, items in BFI.items()})

    return scores


def child(case: str, program: str, file: str) -> None:
    """Time one computation in this process, and print seconds and peak memory."""
    warnings.simplefilter("ignore")
    compute = computation(case, program, pd.read_csv(file))
    repeats = CASES[case].repeats
    if repeats > 1:
        compute()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        compute()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": median(times), "peak_mb": peak}))


def run(case: str, program: str, file: Path) -> dict[str, float]:
    """One process; its seconds and peak memory."""
    script = ["Rscript", str(HERE / "speed.R")]
    if program not in IN_R:
        script = [sys.executable, str(HERE / "speed.py"), "--child"]
    command = [*script, case, program, str(file)]
    if program in IN_R:
        command.append(str(CASES[case].repeats))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def rows_of(name: str, file: Path) -> list[dict[str, object]]:
    """Rows of the table for one case: all programs, round by round."""
    case = CASES[name]
    programs = [OURS, *(p for p in case.peers if p not in IN_R or shutil.which("Rscript"))]
    runs: dict[str, list[dict[str, float]]] = {program: [] for program in programs}
    for _ in range(case.rounds):
        for program in programs:
            runs[program].append(run(name, program, file))
    own = [found["seconds"] for found in runs[OURS]]
    rows = []
    for program in programs:
        seconds = [found["seconds"] for found in runs[program]]
        ratios = [theirs / mine for theirs, mine in zip(seconds, own, strict=True)]
        row: dict[str, object] = {
            "case": name,
            "what": case.what,
            "program": program,
            "rounds": case.rounds,
            "seconds": float(f"{median(seconds):.3g}"),
            "fastest": float(f"{min(seconds):.3g}"),
            "slowest": float(f"{max(seconds):.3g}"),
            "times_ours": float(f"{median(ratios):.3g}"),
            "peak_mb": round(median(found["peak_mb"] for found in runs[program])),
        }
        print({key: row[key] for key in ("case", "program", "seconds", "times_ours", "peak_mb")})
        rows.append(row)
    return rows


def main(names: list[str]) -> None:
    """Run the cases named, or all, and write their rows into the table."""
    print(platform.platform(), platform.python_version())
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names or CASES:
            data = CASES[name].data
            file = DATA / f"{data}.csv"
            kind, _, size = data.partition("_")
            if size:
                file = Path(folder) / f"{data}.csv"
                if not file.exists():
                    made = (
                        simulated(int(size)) if kind == "simulated" else simulated_items(int(size))
                    )
                    made.to_csv(file, index=False)
            rows += rows_of(name, file)
    table = pd.DataFrame(rows)
    if names and (HERE / "speed.csv").exists():
        former = pd.read_csv(HERE / "speed.csv")
        table = pd.concat([former[~former["case"].isin(names)], table])
        order = {case: place for place, case in enumerate(CASES)}
        table = table.sort_values("case", key=lambda cases: cases.map(order), kind="stable")
    table.to_csv(HERE / "speed.csv", index=False)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:5])
    else:
        main(sys.argv[1:])
