"""What the statistics of experiments refuse by field, and where they have nothing to say."""

from collections.abc import Callable

import numpy as np
import pytest

from pilothouse.kernel.errors import Invalid
from pilothouse.stats import effects, power, quasi, sequences
from pilothouse.stats.clusters import (
    analysis_of_variance,
    cluster_robust,
    clustered_difference,
    intraclass,
    permutation,
)

TEN = [float(i) for i in range(10)]
MEAN = power.Question(kind="mean", change=1.0, sd=2.0)
REFUSED: list[tuple[str, Callable[[], object]]] = [
    ("margin", lambda: effects.non_inferior(None, -0.1)), ("margin", lambda: effects.non_inferior(None, float("nan"))),
    ("expected", lambda: effects.mismatch([5, 5], [0.5, 0.6])), ("expected", lambda: effects.mismatch([5], [1.0])),
    ("expected", lambda: effects.mismatch([5, 5], [0.0, 1.0])), ("counts", lambda: effects.mismatch([-1, 5], [.5, .5])),
    ("control", lambda: effects.welch([1.0, float("nan")], TEN)), ("after", lambda: effects.paired(TEN, TEN[1:])),
    ("covariate", lambda: effects.cuped(np.array(TEN), np.array(TEN[1:]))),
    ("horizon", lambda: sequences.sequence(np.array(TEN), np.array(TEN), horizon=1)),
    ("clusters", lambda: clustered_difference(TEN, [True] * 5 + [False] * 5, list("aabbccddee"))),
    ("design", lambda: cluster_robust(np.array(TEN), np.ones((10, 2)), np.arange(10), 1)),
    ("sd", lambda: power.Question(kind="mean", change=1.0)),
    ("sd", lambda: power.Question(kind="mean", change=1.0, sd=-1.0)),
    ("change", lambda: power.Question(kind="mean", change=0.0, sd=1.0)),
    ("change", lambda: power.Question(kind="proportion", change=0.6, share=0.5)),
    ("share", lambda: power.Question(kind="proportion", change=0.1, share=1.5)),
    ("power", lambda: power.Question(kind="mean", change=1.0, sd=1.0, power=1.0)),
    ("ratio", lambda: power.Question(kind="mean", change=1.0, sd=1.0, ratio=0.0)),
    ("variance_left", lambda: power.Question(kind="mean", change=1.0, sd=1.0, variance_left=0.0)),
    ("change", lambda: power.units_needed(power.Question(kind="mean", change=1e-6, sd=1.0))),
    ("margin", lambda: power.units_for_non_inferiority(MEAN, 0.0)),
    ("cluster_size", lambda: power.Clusters(size=0.5, intraclass=0.1)),
    ("intraclass", lambda: power.Clusters(size=5, intraclass=1.1)),
    ("per_day", lambda: power.days_needed(10, per_day=0)), ("looks", lambda: power.sequential_power(MEAN, 50, 0)),
    ("values", lambda: quasi.Panel(units=("a",), clusters=("",), periods=(0,), group=(True,), treated=(True,),
                                   values=())),
]


@pytest.mark.parametrize(("field", "act"), REFUSED, ids=[f"{i}-{f}" for i, (f, _) in enumerate(REFUSED)])
def test_what_cannot_be_is_refused_by_field(field: str, act: Callable[[], object]) -> None:
    with pytest.raises(Invalid) as refused:
        act()
    assert refused.value.facts["field"] == field


@pytest.mark.parametrize("act", [
    lambda: effects.welch([1.0], TEN), lambda: effects.welch([3.0, 3.0], [3.0, 3.0]),
    lambda: effects.shares((0, 0), (1, 2)), lambda: effects.paired([1.0, 2.0], [2.0, 3.0]),
    lambda: effects.mismatch([0, 0], [0.5, 0.5]),
    lambda: sequences.sequence(np.array(TEN), np.array(TEN), horizon=100),
    lambda: sequences.sequence(np.ones(50), np.ones(50), horizon=100),
    lambda: permutation(TEN, [True] * 10, list("aabbccddee")),
    lambda: clustered_difference(TEN * 2, [True] * 2 + [False] * 18, [str(i // 2) for i in range(20)]),
    lambda: analysis_of_variance(TEN, ["a"] * 10), lambda: intraclass(TEN, [str(i) for i in range(10)]),
    lambda: quasi.interrupted_series(TEN, 5), lambda: quasi.switchback([(True, 1.0)] * 3 + [(False, 2.0)] * 9),
    lambda: effects.heterogeneity([]).q_p])
def test_too_little_to_say_is_none_and_no_number(act: Callable[[], object]) -> None:
    assert act() is None


def test_a_bound_on_the_margin_is_not_above_it() -> None:
    on_it = effects.Effect(value=0.0, low=-1.0, high=1.0, n=10, method="made")
    assert effects.non_inferior(on_it, 1.0).outcome == "not shown"
    assert effects.non_inferior(on_it, 1.1).outcome == "held"
    assert effects.better(on_it, "lower").low == -1.0


def test_a_placebo_too_wide_to_see_the_bias_has_not_passed() -> None:
    wide = effects.Effect(value=0.1, low=-5.0, high=5.2, n=10, method="made")
    assert quasi.placebo("date", wide, bias_max=1.0).status == "no data"
    assert quasi.placebo("date", wide, bias_max=6.0).status == "passed"
    assert quasi.placebo("date", effects.better(wide, "lower"), bias_max=6.0).status == "passed"
    assert quasi.placebo("date", None, bias_max=6.0).status == "no data"


def test_a_sequence_is_narrowest_near_its_horizon_and_wider_than_a_plain_interval() -> None:
    assert sequences.width(500, 500, 0.05) < sequences.width(500, 50, 0.05)
    assert sequences.width(500, 500, 0.05) < sequences.width(500, 50_000, 0.05)
    assert sequences.width(500, 500, 0.05) > 1.96
    assert sequences.one_sided_width(500, 500, 0.05) < sequences.width(500, 500, 0.05)


def test_longer_is_whole_weeks_and_more_alike_teams_need_more_people() -> None:
    assert [power.days_needed(n, per_day=10) for n in (1, 70, 71)] == [7, 7, 14]
    needed = [power.clusters_needed(MEAN, power.Clusters(size=8, intraclass=r)) for r in (0.0, 0.05, 0.2)]
    assert needed == sorted(set(needed))
    assert power.clusters_needed(MEAN, power.Clusters(size=8, intraclass=0.05, variation=1.0)) >= needed[1]
