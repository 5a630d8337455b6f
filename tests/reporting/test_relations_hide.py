"""Which groups are hidden beside a figure of everybody."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collabsurvey.reporting.disclosure import Hidden, is_safe
from collabsurvey.reporting.relations_hide import UNNAMED, blank, hidden_by_size, with_rest

SIZES = st.lists(
    st.lists(st.integers(0, 25), min_size=1, max_size=4), min_size=1, max_size=4
)  # partnerships of schools


@given(parts=SIZES, loose=st.integers(0, 12), lost=st.integers(0, 3))
def test_whatever_is_hidden_protects_each_other(
    parts: list[list[int]], loose: int, lost: int
) -> None:
    """`loose` people have no partnership, `lost` of each partnership no school."""
    schools = {f"S{p}{s}": n for p, part in enumerate(parts) for s, n in enumerate(part)}
    parents = {f"S{p}{s}": {f"P{p}"} for p, part in enumerate(parts) for s in range(len(part))}
    partnerships = {f"P{p}": sum(part) + lost for p, part in enumerate(parts)}
    total = sum(partnerships.values()) + loose
    hidden = hidden_by_size(total, partnerships, schools, parents, 10, also=Hidden())
    shown = {name for name in partnerships if name not in hidden.parents}
    assert all(partnerships[name] >= 10 for name in shown)
    assert all(n >= 10 for name, n in schools.items() if name not in hidden.groups)
    if shown:
        rest = [n for name, n in partnerships.items() if name not in shown]
        assert is_safe([*rest, loose], 10) or not any([*rest, loose])
    for name in shown:
        own = [s for s in schools if parents[s] == {name}]
        gone = [schools[s] for s in own if s in hidden.groups]
        assert is_safe([*gone, lost], 10) or not any([*gone, lost])


def test_people_without_a_partnership_are_no_remainder_to_read_off() -> None:
    sizes = {"P1": 30, "P2": 20, "P3": 40}
    whole = hidden_by_size(90, sizes, None, {}, 10, also=Hidden())
    one_left = hidden_by_size(91, sizes, None, {}, 10, also=Hidden())
    assert whole.parents == set()
    assert "P2" in one_left.parents
    assert with_rest(sizes, 91)[UNNAMED] == 1


def test_hidden_numbers_and_words_are_blank() -> None:
    import pandas as pd

    table = pd.DataFrame({"group": ["a", "b"], "n": [12, 3], "answer": ["x", "y"]})
    safe = blank(table, [False, True], ("group",))
    assert safe["n"].isna().tolist() == [False, True]
    assert safe["answer"].tolist() == ["x", None]
    assert safe["suppressed"].tolist() == [False, True]
