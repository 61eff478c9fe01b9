"""Effects of pilots against scipy, statsmodels, certified sets and a published experiment."""

import csv
from collections.abc import Mapping, Sequence
from math import log10, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.power import NormalIndPower, TTestIndPower

import pilothouse
from pilothouse.stats import effects, power, quasi
from pilothouse.stats.clusters import (
    analysis_of_variance,
    cluster_robust,
    clustered_difference,
    intraclass,
    numbered,
    permutation,
)
from pilothouse.stats.effects import Effect
from pilothouse.steps.portfolio.contracts import Kpi, UseCaseId
from pilothouse.steps.portfolio.contracts.experiments import (
    Analysis,
    Arm,
    Assignment,
    Design,
    Member,
    Observation,
    Registration,
    Trait,
)
from pilothouse.steps.portfolio.logic import trialling
from pilothouse.steps.portfolio.logic.trialling import Trial

NSW = Path(pilothouse.__file__).parents[3] / "shared/data/causaldata/nsw.csv"
NIST = Path(scipy.stats.__file__).parent / "tests/data/nist_anova"
DRAW = np.random.default_rng(20_26)


def sure(effect: Effect | None) -> Effect:
    assert effect is not None
    return effect


def bounds(effect: Effect | None) -> tuple[float, float]:
    held = sure(effect)
    assert held.low is not None
    assert held.high is not None
    return held.low, held.high


def test_welch_is_scipys() -> None:
    a, b = DRAW.normal(5, 2, 23), DRAW.lognormal(1.5, 0.5, 41)
    theirs, ours = stats.ttest_ind(b, a, equal_var=False), sure(effects.welch(a, b))
    interval = theirs.confidence_interval(0.95)
    assert (ours.p, ours.degrees) == (pytest.approx(theirs.pvalue, rel=1e-10), pytest.approx(theirs.df, rel=1e-10))
    assert bounds(ours) == pytest.approx((interval.low, interval.high), rel=1e-10)


def test_the_paired_t_is_scipys() -> None:
    before, after = DRAW.normal(5, 2, 23), DRAW.normal(6, 1, 23)
    theirs, ours = stats.ttest_rel(after, before), sure(effects.paired(before.tolist(), after.tolist()))
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-10)
    assert bounds(ours) == pytest.approx(tuple(theirs.confidence_interval(0.95)), rel=1e-10)


def test_the_p_of_two_shares_is_the_chi_square_without_correction() -> None:
    theirs = stats.chi2_contingency([[30, 70], [45, 65]], correction=False)
    assert sure(effects.shares((30, 100), (45, 110))).p == pytest.approx(theirs.pvalue, rel=1e-10)


def test_cuped_is_the_regression_on_the_covariate_of_all_units() -> None:
    x = DRAW.normal(0, 1, 60)
    y = 3 * x + DRAW.normal(0, 1, 60)
    adjusted, left = effects.cuped(y, x)
    fitted = sm.OLS(y, sm.add_constant(x)).fit()
    assert adjusted == pytest.approx(y - fitted.params[1] * (x - x.mean()), rel=1e-10)
    assert left == pytest.approx(1 - fitted.rsquared, rel=1e-10)


def test_a_sample_ratio_mismatch_is_the_chi_square_of_its_source() -> None:
    assert effects.mismatch([821_588, 815_482], [0.5, 0.5]) == pytest.approx(
        stats.chi2.sf(2 * (821_588 - 818_535) ** 2 / 818_535, 1), rel=1e-9)


# Cluster-robust: CR1 exists in statsmodels; CR2 is held against the definition written out in full matrices.


def clustered(sizes: Sequence[int]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], Sequence[str]]:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    arm = (labels % 2 == 0).astype(float)
    return DRAW.normal(0, 1, len(sizes))[labels] + DRAW.normal(0, 1, len(labels)), arm, [f"t{i}" for i in labels]


def written_out(y: np.ndarray[Any, Any], x: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], at: int
                ) -> tuple[float, float]:
    """Return CR2's standard error and Bell-McCaffrey degrees, by the n x n matrices of their paper."""
    n, inverse = len(y), np.linalg.inv(x.T @ x)
    hat = x @ inverse @ x.T
    rest = np.eye(n) - hat
    r, meat, gs = rest @ y, np.zeros((x.shape[1],) * 2), []
    pick = np.eye(x.shape[1])[at]
    for g in np.unique(labels):
        i = np.flatnonzero(labels == g)
        u, s, _ = np.linalg.svd(rest[np.ix_(i, i)])
        half = u @ np.diag(1 / np.sqrt(s)) @ u.T
        score = x[i].T @ half @ r[i]
        meat += np.outer(score, score)
        gs.append(rest[i].T @ half @ x[i] @ inverse @ pick)
    big = np.column_stack(gs)
    eigenvalues = np.linalg.eigvalsh(big.T @ big)
    return sqrt((inverse @ meat @ inverse)[at, at]), eigenvalues.sum() ** 2 / (eigenvalues ** 2).sum()


def test_cr2_and_its_degrees_are_the_definition_written_out() -> None:
    for sizes in ([7] * 8, [3, 9, 4, 12, 6, 5, 8, 10, 2, 11]):
        y, arm, teams = clustered(sizes)
        covariate = DRAW.normal(0, 1, len(y))
        x = np.column_stack([np.ones(len(y)), arm, covariate])
        ours = sure(cluster_robust(y, x, numbered(teams), 1))
        se, degrees = written_out(y, x, numbered(teams), 1)
        assert ours.se == pytest.approx(se, rel=1e-9)
        assert ours.degrees == pytest.approx(degrees, rel=1e-9)
        fitted = sm.OLS(y, x).fit()
        assert ours.value == pytest.approx(fitted.params[1], rel=1e-9)


def test_with_equal_teams_cr2_is_welch_on_team_means() -> None:
    y, arm, teams = clustered([9] * 14)
    ours = sure(clustered_difference(y.tolist(), (arm == 1).tolist(), teams))
    means = {t: float(np.mean([v for v, c in zip(y, teams, strict=True) if c == t])) for t in set(teams)}
    even = [means[t] for t in means if int(t[1:]) % 2 == 0]
    odd = [means[t] for t in means if int(t[1:]) % 2]
    theirs = stats.ttest_ind(even, odd, equal_var=True)
    assert ours.se == pytest.approx(sqrt(np.var(even, ddof=1) / 7 + np.var(odd, ddof=1) / 7), rel=1e-9)
    assert ours.degrees == pytest.approx(12)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)


def test_cr2_lies_above_statsmodels_cr1_and_near_it_with_many_teams() -> None:
    y, arm, teams = clustered([5] * 200)
    ours = sure(clustered_difference(y.tolist(), (arm == 1).tolist(), teams))
    theirs = sm.OLS(y, sm.add_constant(arm)).fit(cov_type="cluster", cov_kwds={"groups": numbered(teams)})
    assert ours.se is not None
    assert 1 < ours.se / float(theirs.bse[1]) < 1.01


def test_the_permutation_test_counts_every_allocation() -> None:
    values, arms, teams = [1.0, 2.0, 3.0, 10.0, 11.0], [False, False, False, True, True], list("abcde")
    assert sure(permutation(values, arms, teams)).p == pytest.approx(0.2)


# NIST's certified analyses of variance, as SciPy carries them.


def certified(name: str) -> tuple[Mapping[int, np.ndarray[Any, Any]], Mapping[str, float]]:
    """Return the observations by treatment and what NIST certifies: F, the two mean squares."""
    lines = (NIST / f"{name}.dat").read_text(encoding="utf8").splitlines()
    found: dict[int, list[float]] = {}
    for line in lines[60:]:
        if line.split():
            treatment, value = line.split()
            found.setdefault(int(treatment), []).append(float(value))
    between = next(line.split() for line in lines[40:50] if line.startswith("Between"))
    within = next(line.split() for line in lines[40:50] if line.startswith("Within"))
    values = {"F": float(between[-1]), "between": float(between[-2]), "within": float(within[-1])}
    return {k: np.array(v) for k, v in found.items()}, values


def digits(found: float, wanted: float) -> float:
    """Return the log relative error: how many digits agree."""
    return 15.0 if found == wanted else -log10(abs(found - wanted) / abs(wanted))


@pytest.mark.parametrize(("name", "least"), [
    *((f"SmLs0{i}", 10.0) for i in range(1, 7)), *((f"SmLs0{i}", 4.0) for i in (7, 8, 9)), ("SiRstv", 10.0),
    ("AtmWtAg", 10.0)])
def test_the_analysis_of_variance_has_nists_certified_digits(name: str, least: float) -> None:
    """SmLs07 to 09 hold 13 leading digits alike: read into doubles, the data themselves keep about four."""
    groups, wanted = certified(name)
    found = analysis_of_variance([float(v) for g in groups.values() for v in g],
                                 [str(k) for k, g in groups.items() for _ in g])
    assert found is not None
    assert found.f is not None
    assert digits(found.f, wanted["F"]) >= least


def test_the_intraclass_correlation_follows_from_nists_mean_squares() -> None:
    groups, wanted = certified("SiRstv")
    size = len(groups[1])
    values = [float(v) for g in groups.values() for v in g]
    labels = [str(k) for k, g in groups.items() for _ in g]
    expected = (wanted["between"] - wanted["within"]) / (wanted["between"] + (size - 1) * wanted["within"])
    assert intraclass(values, labels) == pytest.approx(expected, rel=1e-9)


# The National Supported Work experiment.


def nsw() -> Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Return each column's values by arm: (control, treated)."""
    if not NSW.exists():
        pytest.skip("the public experiment nsw.csv is not at ../shared/data/causaldata")
    with NSW.open(encoding="utf8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    columns = ("age", "educ", "black", "hisp", "marr", "nodegree", "re74", "re75", "re78")
    return {c: tuple(np.array([float(r[c]) for r in rows if r["treat"] == t]) for t in "01")  # type: ignore[misc]
            for c in columns}


def test_the_experiment_gives_the_published_effect_and_error() -> None:
    """R. J. LaLonde 1986, R. H. Dehejia and S. Wahba 1999: 1,794 dollars; Welch's error 671.0 for these 445 men."""
    control, treated = nsw()["re78"]
    found = sure(effects.welch(control, treated))
    assert (round(found.value, 2), round(found.se or 0, 1), found.n) == (1794.34, 671.0, 445)


def test_the_experiments_arms_are_alike_and_show_nothing_before_the_start() -> None:
    data = nsw()
    for name in ("age", "educ", "black", "marr", "re74", "re75"):
        assert quasi.balance(name, *data[name]).status == "passed"
    for name in ("re74", "re75"):
        found = quasi.placebo(name, effects.welch(*data[name], confidence=0.9), bias_max=1794)
        assert found.status == "passed", found


def comparison(data: Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]], kind: str
               ) -> Mapping[str, np.ndarray[Any, Any]]:
    """Make a group that nobody drew: men in work, men much older, or the experiment's own better earners."""
    draw, control = np.random.default_rng(1), {c: v[0] for c, v in data.items()}
    pick = draw.choice(len(control["age"]), 800)
    taken = {c: v[pick].copy() for c, v in control.items()}
    if kind == "in work":
        for column, mean in (("re74", 14_000), ("re75", 13_600), ("re78", 14_800)):
            taken[column] = draw.gamma(2, mean / 2, 800)
    elif kind == "older":
        taken["age"], taken["marr"] = taken["age"] + 10, (draw.random(800) < 0.8).astype(float)
    else:
        best = np.argsort(control["re75"])[-120:][draw.integers(0, 120, 800)]
        taken = {c: v[best].copy() for c, v in control.items()}
    return taken


@pytest.mark.parametrize("kind", ["in work", "older", "better earners"])
def test_a_comparison_group_that_nobody_drew_fails_its_diagnostics_loudly(kind: str) -> None:
    data = nsw()
    other = comparison(data, kind)
    treated = {c: v[1] for c, v in data.items()}
    columns = [c for c in data if c != "re78"]
    found = quasi.comparable({c: other[c].tolist() for c in columns}, {c: treated[c].tolist() for c in columns},
                             ("re74", "re75"), bias_max=1794)
    assert [d.name for d in found if d.status == "failed"], found


def graded(design: Design, data: Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]) -> Analysis:
    """Analyse earnings of 1974 and 1975 (before) and 1978 (after) as the product does, under a registered design."""
    traits = ("age", "educ", "black", "hisp", "marr", "nodegree")
    members, assigned, seen = [], {}, []
    arms: tuple[tuple[int, Arm], ...] = ((0, "control"), (1, "treatment"))
    for arm, name in arms:
        for i in range(len(data["re78"][arm])):
            person = f"{name} {i}"
            members.append(Member(person=person, arm=name, traits=tuple(
                Trait(name=t, value=float(data[t][arm][i])) for t in traits)))
            assigned[person] = Assignment(person=person, cluster="", stratum="", arm=name,
                                          from_day="1976-01-01" if arm else "")
            seen += [Observation(person=person, day=day, value=float(data[column][arm][i])) for column, day in
                     (("re74", "1974-06-01"), ("re75", "1975-06-01"), ("re78", "1976-06-01"))]
    if design == "before and after":
        members, assigned = [m for m in members if m.arm == "treatment"], {
            p: a for p, a in assigned.items() if a.arm == "treatment"}
        seen = [o for o in seen if o.person in assigned]
    kpi = Kpi(use_case_id=UseCaseId("uc"), slug="earnings", title="Earnings", unit="USD", shape="mean",
              better="higher", least_change=500)
    r = Registration(use_case_id=UseCaseId("uc"), slug="nsw", hypothesis="", design=design, primary="earnings",
                     guardrails=(), least_effect=500, members=tuple(members), starts_on="1976-01-01",
                     ends_on="1976-12-31", planned_n=len(members), stop_rule="", step_days=365)
    return trialling.analyse(Trial(registration=r, kpis={"earnings": kpi}, assigned=assigned,
                                   observations={"earnings": seen}, ended_on="1976-12-31"))


def test_the_experiment_itself_is_e4_with_its_published_effect() -> None:
    found = graded("randomised", nsw())
    assert found.effect is not None
    assert (found.grade, found.verdict, round(found.effect.value, 2)) == ("E4", "success", 1794.34)


@pytest.mark.parametrize("kind", ["in work", "older", "better earners"])
@pytest.mark.parametrize("design", ["before and after", "difference in differences"])
def test_the_treated_without_their_controls_are_never_above_e2(design: Design, kind: str) -> None:
    data = nsw()
    other = comparison(data, kind)
    found = graded(design, {c: (other[c], v[1]) for c, v in data.items()})
    assert found.effect is not None
    assert found.grade == "E2"
    assert [c for c in found.checks if c.status == "failed"], found.checks


# Power and designs.


def test_the_power_of_means_is_statsmodels() -> None:
    for change, n in ((0.5, 64), (0.2, 30), (1.0, 8)):
        theirs = TTestIndPower().power(effect_size=change, nobs1=n, alpha=0.05, ratio=1)
        assert power.power_of(power.Question(kind="mean", change=change, sd=1.0), n) == pytest.approx(theirs, rel=1e-9)
    assert power.units_needed(power.Question(kind="mean", change=0.5, sd=1.0)) == 64


def test_the_power_of_shares_is_the_normal_one_with_both_spreads() -> None:
    q = power.Question(kind="proportion", share=0.3, change=0.1)
    size = 0.1 / sqrt(0.3 * 0.7 + 0.4 * 0.6) * sqrt(2)  # statsmodels' effect is over one arm's sd; se is sqrt(2/n)
    assert power.power_of(q, 300) == pytest.approx(NormalIndPower().power(size, 300, 0.05), rel=1e-9)


def test_non_inferiority_needs_as_many_as_a_one_sided_test_of_the_margin() -> None:
    q = power.Question(kind="mean", change=1.0, sd=4.0)
    theirs = TTestIndPower().solve_power(effect_size=0.25, alpha=0.05, power=0.8, alternative="larger")
    assert power.units_for_non_inferiority(q, 1.0) == int(np.ceil(theirs))


def test_the_design_effect_is_the_published_formula() -> None:
    """Eldridge, Ashby, Kerry 2006: m 20, ICC .05, cv .5 give 1 + (1.25 x 20 - 1) x .05 = 2.2."""
    assert power.Clusters(size=20, intraclass=0.05, variation=0.5).design_effect == pytest.approx(2.2)


def test_difference_in_differences_is_statsmodels_interaction() -> None:
    units = [f"u{i}" for i in range(40)]
    values = DRAW.normal(5, 1, (40, 2))
    rows = [(u, p, i % 2 == 0, values[i, p]) for i, u in enumerate(units) for p in (0, 1)]
    panel = quasi.Panel(
        units=tuple(r[0] for r in rows), clusters=("",) * 80, periods=tuple(r[1] for r in rows),
        group=tuple(r[2] for r in rows), treated=tuple(r[2] and r[1] == 1 for r in rows),
        values=tuple(float(r[3]) for r in rows))
    group, late = np.array([r[2] for r in rows], float), np.array([r[1] for r in rows], float)
    fitted = sm.OLS(np.array(panel.values), np.column_stack([np.ones(80), group, late, group * late])).fit()
    assert sure(quasi.difference_in_differences(panel, [0], [1])).value == pytest.approx(fitted.params[3], rel=1e-9)


def test_an_interrupted_series_is_the_whitened_regression_written_out() -> None:
    """Prais and Winsten's transformation by hand, from the same memory, gives the same effect and error."""
    y = np.concatenate([DRAW.normal(10, 1, 20), DRAW.normal(7, 1, 12)]) + np.sin(np.arange(32) / 3)
    t, on = np.arange(32.0), (np.arange(32) >= 20).astype(float)
    design = np.column_stack([np.ones(32), t, on, on * (t - 25.5)])
    r = sm.OLS(y, design).fit().resid
    memory = (32 * float(r[1:] @ r[:-1]) / float(r @ r) + 4) / (32 - 6)
    assert 0.1 < memory < 0.95

    def whitened(m: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.concatenate([sqrt(1 - memory ** 2) * m[:1], m[1:] - memory * m[:-1]])

    theirs, ours = sm.OLS(whitened(y), whitened(design)).fit(), sure(quasi.interrupted_series(y.tolist(), 20))
    assert ours.value == pytest.approx(float(theirs.params[2]), rel=1e-8)
    assert ours.se == pytest.approx(float(theirs.bse[2]), rel=1e-8)


def test_holm_and_cochran_are_worked_examples() -> None:
    assert effects.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    same = [("a", [1.0, 2, 3], [2.0, 3, 4]), ("b", [1.0, 2, 3], [2.0, 3, 4])]
    assert effects.heterogeneity(same).q_p == pytest.approx(1.0)
