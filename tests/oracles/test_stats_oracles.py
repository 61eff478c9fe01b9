"""Our statistics against scipy, published tables, a real experiment, and what they promise: coverage."""

import csv
import warnings
from collections.abc import Iterable, Sequence
from math import comb, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import stdtrit

import pilothouse
from pilothouse.stats.intervals import Estimate, difference, mean_interval, proportion, proportion_difference
from pilothouse.stats.ranking import ndcg
from pilothouse.stats.resampling import bootstrap
from pilothouse.stats.student import t_quantile
from pilothouse.stats.summary import Summary, summarize

NSW = Path(pilothouse.__file__).parents[3] / "shared/data/causaldata/nsw.csv"
SAMPLE = st.lists(st.integers(-10_000, 10_000).map(lambda v: v / 8), min_size=2, max_size=40)
VARIED = SAMPLE.filter(lambda values: len(set(values)) > 1)
CONFIDENCE = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
RUNS = 4000
MONTE_CARLO_ERROR = sqrt(0.95 * 0.05 / RUNS)
"""Standard error of a share near .95 from so many runs: .0034; a coverage is held to four of them."""


def sure(estimate: Estimate | None) -> Estimate:
    assert estimate is not None
    return estimate


def ends(estimate: Estimate | None) -> tuple[float, float]:
    return sure(estimate).low, sure(estimate).high


def recorded(values: Iterable[float]) -> Summary:
    """Take the way of the product: summed by batch, recorded as sums, read back and added."""
    batches = [summarize(batch) for batch in np.array_split(np.fromiter(values, float), 3)]
    return sum((Summary.from_sums(b.n, b.total, b.total_squares) for b in batches), summarize([]))


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999])
def test_students_quantile_is_scipys(confidence: float) -> None:
    for degrees in (1, 1.3, 2, 2.5, 3, 5.7, 9, 30.3, 77, 150, 333.3, 999, 999.99, 1000, 1001, 1e4, 1e7, 1e12):
        wanted = -float(stdtrit(degrees, (1 - confidence) / 2))
        assert t_quantile(confidence, degrees) == pytest.approx(wanted, rel=1e-9), degrees


@given(st.floats(1, 2000), CONFIDENCE)
def test_students_quantile_is_scipys_for_any_fraction_of_a_degree(degrees: float, confidence: float) -> None:
    wanted = -float(stdtrit(degrees, (1 - confidence) / 2))
    assert t_quantile(confidence, degrees) == pytest.approx(wanted, rel=1e-9)


def test_students_quantile_is_the_printed_one() -> None:
    printed = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 10: 2.228, 20: 2.086, 30: 2.042, 60: 2.000, 120: 1.980}
    assert {v: round(t_quantile(0.95, v), 3) for v in printed} == printed


@given(VARIED, SAMPLE, CONFIDENCE)
def test_welchs_interval_is_scipys(before: Sequence[float], after: Sequence[float], confidence: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # scipy warns of a side without spread
        wanted = stats.ttest_ind(after, before, equal_var=False).confidence_interval(confidence)
    found = difference(summarize(before), summarize(after), confidence=confidence)
    assert ends(found) == pytest.approx((wanted.low, wanted.high), rel=1e-9, abs=1e-9)


@given(VARIED, CONFIDENCE)
def test_the_interval_of_a_mean_is_scipys(values: Sequence[float], confidence: float) -> None:
    wanted = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    assert ends(mean_interval(summarize(values), confidence=confidence)) == pytest.approx(
        (wanted.low, wanted.high), rel=1e-9, abs=1e-9)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), CONFIDENCE)
def test_wilsons_interval_is_scipys(counts: tuple[int, int], confidence: float) -> None:
    wanted = stats.binomtest(*counts).proportion_ci(confidence, method="wilson")
    assert ends(proportion(*counts, confidence=confidence)) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


@pytest.mark.parametrize(("one", "other", "low", "high"), [
    ((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926), ((0, 10), (0, 20), -0.1611, 0.2775), ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0), ((10, 10), (0, 10), 0.6075, 1.0)])
def test_newcombes_interval_is_the_published_one(one: tuple[int, int], other: tuple[int, int], low: float, high: float
                                                 ) -> None:
    """Source: R. G. Newcombe, Statistics in Medicine 17 (1998), table II, row of method 10; first minus second."""
    assert tuple(round(end, 4) for end in ends(proportion_difference(other, one))) == (low, high)


def test_ndcg_is_the_worked_example_of_its_source() -> None:
    """Gains 3 2 3 0 1 2 in ranked order, the usual textbook case: .961 over these six."""
    gains = dict(zip("abcdef", (3.0, 2.0, 3.0, 0.0, 1.0, 2.0), strict=True))
    assert ndcg("abcdef", gains, 6) == pytest.approx(0.9608, abs=5e-5)


def test_a_bootstrap_interval_is_near_scipys() -> None:
    values = np.random.default_rng(5).exponential(3, 60)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile",
                             rng=np.random.default_rng(6)).confidence_interval
    spread = float(values.std(ddof=1)) / sqrt(60)
    assert ends(bootstrap(values.tolist(), seed=1)) == pytest.approx((theirs.low, theirs.high), abs=0.08 * spread)


def test_the_job_training_experiment_gives_its_published_effect() -> None:
    """National Supported Work, earnings of 1978 in dollars: 185 trained, 260 not; difference 1,794.34, error 671.0."""
    if not NSW.exists():
        pytest.skip("the public experiment nsw.csv is not at ../shared/data/causaldata")
    with NSW.open(encoding="utf8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    trained, control = (recorded(float(r["re78"]) for r in rows if r["treat"] == treat) for treat in "10")
    found = sure(difference(control, trained))
    assert (trained.n, control.n, found.n) == (185, 260, 445)
    assert round(found.value, 2) == 1794.34
    assert trained.variance is not None
    assert control.variance is not None
    assert round(sqrt(trained.variance / 185 + control.variance / 260), 1) == 671.0
    assert 0 < found.low < 1794.34 < found.high


@pytest.mark.parametrize(("n_before", "n_after", "sd_before", "sd_after"), [
    (10, 10, 1.0, 1.0), (8, 20, 3.0, 1.0), (40, 12, 1.0, 5.0)])
def test_nineteen_of_twenty_welch_intervals_hold_the_truth(n_before: int, n_after: int, sd_before: float,
                                                           sd_after: float) -> None:
    draw = np.random.default_rng(n_before * 100 + n_after)
    before = draw.normal(7, sd_before, (RUNS, n_before))
    after = draw.normal(5, sd_after, (RUNS, n_after))
    found = [ends(difference(summarize(b), summarize(a))) for b, a in zip(before, after, strict=True)]
    coverage = sum(low <= -2 <= high for low, high in found) / RUNS
    assert abs(coverage - 0.95) < 4 * MONTE_CARLO_ERROR, coverage


def test_skew_in_small_samples_is_covered_less_often_as_the_docstring_warns() -> None:
    values = np.random.default_rng(9).lognormal(0, 1, (RUNS, 10))
    found = [ends(mean_interval(summarize(v))) for v in values]
    coverage = sum(low <= np.exp(0.5) <= high for low, high in found) / RUNS
    assert 0.80 < coverage < 0.95 - 4 * MONTE_CARLO_ERROR, coverage


def binomial(n: int, share: float) -> list[float]:
    return [comb(n, k) * share ** k * (1 - share) ** (n - k) for k in range(n + 1)]


def wilson_coverage(n: int, share: float) -> float:
    """Add up the chances of the counts whose interval holds the share: exact, without simulation."""
    return sum(chance for k, chance in enumerate(binomial(n, share))
               if sure(proportion(k, n)).low <= share <= sure(proportion(k, n)).high)


def test_wilsons_coverage_is_right_on_average_and_never_far_off() -> None:
    for n in (10, 30, 100):
        coverages = [wilson_coverage(n, step / 500) for step in range(1, 500)]
        assert 0.945 < sum(coverages) / len(coverages) < 0.965, n
        assert min(coverages) > 0.83, n


def test_wilsons_coverage_has_the_dip_that_its_docstring_admits() -> None:
    for n in (10, 100, 400):
        lonely = sure(proportion(1, n)).low * 0.999  # just outside the interval of one success: only 0 of n holds it
        assert wilson_coverage(n, lonely) == pytest.approx(0.838, abs=0.003)


def newcombe_coverage(n_before: int, before: float, n_after: int, after: float) -> float:
    intervals = [(chance_b * chance_a, ends(proportion_difference((b, n_before), (a, n_after))))
                 for b, chance_b in enumerate(binomial(n_before, before))
                 for a, chance_a in enumerate(binomial(n_after, after))]
    return sum(chance for chance, (low, high) in intervals if low <= after - before <= high)


@pytest.mark.parametrize(("before", "after"), [(0.5, 0.5), (0.6, 0.8), (0.1, 0.3), (0.05, 0.05), (0.9, 0.5)])
def test_newcombes_coverage_is_near_what_is_promised(before: float, after: float) -> None:
    assert 0.93 < newcombe_coverage(30, before, 40, after) < 0.99
