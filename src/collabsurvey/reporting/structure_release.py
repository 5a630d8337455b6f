"""How many things a questionnaire measures, as it may be written: over all respondents only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from collabsurvey.display.heat import heat_chart
from collabsurvey.display.scree import Series, scree_chart
from collabsurvey.instruments.answer_words import filled, wording_of
from collabsurvey.reporting.caterpillar import WIDTH
from collabsurvey.reporting.wording import without_ids

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from collabsurvey.dimensionality import EfaResult, RetentionResult
    from collabsurvey.display import Chart
    from collabsurvey.instruments.model import Instrument, Scale
    from collabsurvey.reporting.record import RunRecord, StructureRecord

LEAST_LOADING = 0.30  # below, an item shares less than a tenth of its variance with a factor
UNTITLED = "the questionnaire"
LEAST_SHARED_WORDS = 3  # at the beginning of all questions of a scale, which the map leaves out
REVERSED = "(r) "  # before a reversed item in the map


@dataclass(frozen=True)
class ScaleOnFactors:
    """Where the items of one scale load most; items by their names."""

    scale: str  # id
    title: str
    n_items: int
    factor: str  # on which most of its items load most; empty where none do
    n_on_it: int
    elsewhere: tuple[tuple[str, str], ...]  # item, factor
    nowhere: tuple[str, ...]  # no loading of .30
    against: tuple[str, ...]  # on the factor, with the opposite sign after turning round
    n_across: int  # on the factor, and at .30 or more on another too
    shared: tuple[str, ...] = ()  # titles of other scales with the same factor

    @property
    def as_intended(self) -> bool:
        """All items on one factor, in one direction, and no other scale there."""
        odd = self.elsewhere or self.nowhere or self.against or self.shared
        return bool(self.factor) and not odd


@dataclass(frozen=True, eq=False)
class ReleasedStructure:
    """The number of factors and the loadings of one questionnaire."""

    title: str
    n_people: int
    n_fewest: int  # people behind the correlation with the fewest
    wave: str
    n_repeated: int
    n_scales: int
    n_items: int
    n_factors: int  # 0 where the methods see none
    chosen_by: str
    said: Mapping[str, int]  # method counted → its number
    suggested: tuple[int, ...]
    left_out: Mapping[str, str]
    scales: tuple[ScaleOnFactors, ...]
    retention: pd.DataFrame  # method, title, n_factors, counted
    eigenvalues: pd.DataFrame
    loadings: pd.DataFrame | None  # scale, item, wording, reversed, F1 …, communality, …
    factors: tuple[str, ...]  # in the order of the scales
    factor_correlations: pd.DataFrame | None
    scree: Chart
    map: Chart | None
    warnings: tuple[str, ...]  # what a reader must know before using the loadings
    notes: tuple[str, ...]


def released_structures(record: RunRecord, ids: Collection[str]) -> tuple[ReleasedStructure, ...]:
    """Structures of at least `min_group` people; no group has one of its own."""
    if record.responses is None:
        return ()
    instrument = record.responses.instrument
    return tuple(
        _released(one, instrument, ids)
        for one in record.structures
        if one.fewest >= record.min_group
    )


def _released(
    one: StructureRecord, instrument: Instrument, ids: Collection[str]
) -> ReleasedStructure:
    title = one.title or UNTITLED
    scales = [instrument.scale(name) for name in one.scales]
    found = one.retention
    said = {
        row["title"]: number
        for row in found.to_frame().to_dict("records")
        if row["counted"] and (number := found.suggestions[row["method"]]) is not None
    }
    placed = () if one.efa is None else placed_scales(one.efa, scales, instrument)
    factors = () if one.efa is None else _in_scale_order(one.efa, placed)
    return ReleasedStructure(
        title=title,
        n_people=one.n_people,
        n_fewest=one.fewest,
        wave=one.wave,
        n_repeated=one.n_repeated,
        n_scales=len(scales),
        n_items=len(found.items),
        n_factors=0 if one.efa is None else one.efa.n_factors,
        chosen_by=one.chosen_by,
        said=said,
        suggested=found.suggested,
        left_out=one.left_out,
        scales=placed,
        retention=found.to_frame(),
        eigenvalues=found.parallel.reset_index(),
        loadings=None if one.efa is None else _loadings(one.efa, scales, factors, instrument),
        factors=factors,
        factor_correlations=None if one.efa is None else _correlations(one.efa, factors),
        scree=_scree(found, title),
        map=None if one.efa is None else _map(one.efa, scales, factors, instrument, title),
        warnings=() if one.efa is None else _warnings(one.efa, instrument),
        notes=tuple(
            without_ids(note, ids)
            for note in (*found.notes, *(one.efa.notes if one.efa is not None else ()))
        ),
    )


def _scree(found: RetentionResult, title: str) -> Chart:
    """Eigenvalues beside those of chance; methods that do not count say so."""
    table = found.parallel
    series = [
        Series(
            f"{name}s",
            table[name].tolist(),
            table[f"{name}_reference"].tolist(),
            f"{name}s, chance alone",
        )
        for name in ("component", "factor")
        if table[name].notna().any()
    ]
    verdicts = {
        row["title"] + ("" if row["counted"] else ", not counted"): found.suggestions[row["method"]]
        for row in found.to_frame().to_dict("records")
    }
    chart = scree_chart(series, verdicts, title=f"How many things {title} measures")
    return replace(chart, size=(WIDTH, chart.size[1]))


def item_name(instrument: Instrument, item: str) -> str:
    """Wording of an item, or its id where the wording may not be shown; reversed ones marked."""
    name = filled(wording_of(instrument, item)) or item
    return name + (" (reversed item)" if instrument.item(item).keyed == -1 else "")


def placed_scales(
    result: EfaResult, scales: list[Scale], instrument: Instrument
) -> tuple[ScaleOnFactors, ...]:
    """On which factor the items of each scale load most."""
    placed = [_placed(result.loadings, scale, instrument) for scale in scales]
    return tuple(
        replace(
            one,
            shared=tuple(
                other.title
                for other in placed
                if other is not one and one.factor and other.factor == one.factor
            ),
        )
        for one in placed
    )


def _placed(loadings: pd.DataFrame, scale: Scale, instrument: Instrument) -> ScaleOnFactors:
    keys = np.array(instrument.keys_of(scale.items), dtype=float)
    own = loadings.loc[list(scale.items)].mul(keys, axis=0)
    size = own.abs()
    main = size.idxmax(axis=1).where(size.max(axis=1) >= LEAST_LOADING, "")
    # Most items; of factors with as many, the one they load on more in all.
    rank = {name: ((main == name).sum(), size[name].sum()) for name in own.columns}
    factor = max(rank, key=lambda name: rank[name])
    if not rank[factor][0]:
        factor = ""
    names = {item: item_name(instrument, item) for item in scale.items}
    on_it = [item for item in scale.items if factor and main[item] == factor]
    signs = {item: float(np.sign(own[factor][item])) for item in on_it}
    sign = np.sign(own[factor][on_it].sum()) if on_it else 1.0
    return ScaleOnFactors(
        scale=scale.id,
        title=scale.title or scale.id,
        n_items=len(scale.items),
        factor=factor,
        n_on_it=len(on_it),
        elsewhere=tuple((names[i], main[i]) for i in scale.items if main[i] not in ("", factor)),
        nowhere=tuple(names[i] for i in scale.items if not main[i]),
        against=tuple(names[i] for i in on_it if signs[i] != sign),
        n_across=int((size.loc[on_it] >= LEAST_LOADING).sum(axis=1).gt(1).sum()),
    )


def _in_scale_order(result: EfaResult, placed: tuple[ScaleOnFactors, ...]) -> tuple[str, ...]:
    """Factors in the order of the scales that load on them, then the others."""
    first = [one.factor for one in placed if one.factor]
    return tuple(dict.fromkeys([*first, *map(str, result.loadings.columns)]))


def _loadings(
    result: EfaResult, scales: list[Scale], factors: tuple[str, ...], instrument: Instrument
) -> pd.DataFrame:
    import pandas as pd

    table = result.loadings[list(factors)]
    home = {item: scale.id for scale in reversed(scales) for item in scale.items}
    return pd.DataFrame(
        {
            "scale": [home[item] for item in result.items],
            "item": list(result.items),
            "wording": [filled(wording_of(instrument, item)) for item in result.items],
            "reversed": [instrument.item(item).keyed == -1 for item in result.items],
            **{name: table[name].to_numpy() for name in factors},
            "communality": result.communalities.to_numpy(),
            "complexity": result.complexity.to_numpy(),
        }
    )


def _correlations(result: EfaResult, factors: tuple[str, ...]) -> pd.DataFrame | None:
    """Correlation of each two factors; None where they are uncorrelated by construction."""
    import pandas as pd

    phi = result.factor_correlations
    rows = [
        {"factor_1": a, "factor_2": b, "correlation": float(phi[a][b])}
        for i, a in enumerate(factors)
        for b in factors[i + 1 :]
    ]
    return pd.DataFrame(rows) if any(row["correlation"] for row in rows) else None


def _map_names(scales: list[Scale], instrument: Instrument, items: tuple[str, ...]) -> list[str]:
    """Names that tell the items of a scale apart: without the words they all begin with."""
    short: dict[str, str] = {}
    for scale in scales:
        words = [(filled(wording_of(instrument, item)) or item).split() for item in scale.items]
        same = 0
        while all(len(w) > same + 1 for w in words) and len({w[same] for w in words}) == 1:
            same += 1
        cut = same if same >= LEAST_SHARED_WORDS and len(words) > 1 else 0
        for item, parts in zip(scale.items, words, strict=True):
            mark = REVERSED if instrument.item(item).keyed == -1 else ""
            name = mark + ("… " if cut else "") + " ".join(parts[cut:])
            short.setdefault(item, name)
    return [short[item] for item in items]


def _map(
    result: EfaResult,
    scales: list[Scale],
    factors: tuple[str, ...],
    instrument: Instrument,
    title: str,
) -> Chart:
    taken: set[str] = set()
    groups = []
    for scale in scales:
        fresh = set(scale.items) - taken
        taken |= fresh
        groups.append((scale.title or scale.id, len(fresh)))
    return heat_chart(
        result.loadings[list(factors)].to_numpy().tolist(),
        _map_names(scales, instrument, result.items),
        list(factors),
        title=f"Where the items of {title} load",
        description_of="loading",
        groups=groups if len(groups) > 1 else None,
        quiet_below=LEAST_LOADING,
    )


def _warnings(result: EfaResult, instrument: Instrument) -> tuple[str, ...]:
    said = []
    if not (result.converged and result.rotation_converged):
        said.append(
            "The calculation of the factors did not come to an end. Do not use these loadings; ask "
            "for fewer factors in the study file."
        )
    if result.heywood:
        names = "; ".join(f"“{item_name(instrument, item)}”" for item in result.heywood)
        said.append(
            f"The factors would explain everything about {names}, which real ones never do. It is "
            "a sign of too many factors or too few people: ask for fewer factors, or leave it out."
        )
    if result.correlations.smoothed:
        said.append(
            "The correlations contradicted each other and were mended (the technical notes say "
            "how), so the loadings are rough."
        )
    return tuple(said)
