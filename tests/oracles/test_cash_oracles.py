"""Cash flows, value of information and elicitation against hand-computed, published and closed-form answers."""

from math import erf, exp, pi, sqrt

import numpy as np
import pytest
from scipy import stats

from pilothouse.kernel.errors import Invalid
from pilothouse.stats import cash
from pilothouse.stats.eliciting import normal_quantile, pert_bounds, pert_quantile, stream
from pilothouse.stats.information import evpi, evppi, quantiles

DRAWS = 100_000


@pytest.mark.parametrize(("rate", "flows", "expected"), [
    (0.10, (-1000, 300, 400, 500), -1000 + 300 / 1.1 + 400 / 1.21 + 500 / 1.331),
    (0.0, (-10, 4, 4, 4), 2.0),
    (0.08, (-40_000, 5_000, 8_000, 12_000, 30_000), 3_065.22),
    (0.281, (-100, 39, 59, 55, 20), -0.00848),
])
def test_present_value_agrees_with_the_sum_by_hand(rate: float, flows: tuple[float, ...], expected: float) -> None:
    """The third and the fourth are worked examples of numpy-financial's documentation, to their digits."""
    assert cash.npv(rate, flows) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(("flows", "expected"), [
    ((-100, 39, 59, 55, 20), 0.28095), ((-100, 0, 0, 74), -0.0955), ((-100, 110), 0.10),
    ((-70_000, 12_000, 15_000, 18_000, 21_000, 26_000), 0.08663)])
def test_the_rate_of_return_agrees_with_published_examples_and_makes_the_value_zero(
        flows: tuple[float, ...], expected: float) -> None:
    """The first two are numpy-financial's examples, the last is a spreadsheet manual's."""
    found = cash.irr(flows)
    assert found.rate == pytest.approx(expected, abs=6e-5)
    assert found.rate is not None
    assert cash.npv(found.rate, flows) == pytest.approx(0, abs=1e-6 * max(map(abs, flows)))


def test_two_rates_fit_so_none_is_given_and_the_modified_rate_answers() -> None:
    flows = (-100.0, 230.0, -132.0)
    assert [cash.npv(r, flows) for r in (0.1, 0.2)] == pytest.approx([0, 0], abs=1e-9)
    found = cash.irr(flows)
    assert found.rate is None
    assert "2 times" in found.says
    assert cash.mirr(flows, finance=0.1, reinvest=0.1) == pytest.approx(
        sqrt(230 * 1.1 / (100 + 132 / 1.21)) - 1)


@pytest.mark.parametrize("flows", [(1.0, 2.0), (-1.0, -2.0), (0.0, 0.0)])
def test_flows_that_never_change_sign_have_no_rate(flows: tuple[float, ...]) -> None:
    assert cash.irr(flows).rate is None
    assert cash.mirr(flows, finance=0.1, reinvest=0.1) is None


def test_the_modified_rate_agrees_with_the_spreadsheet_example() -> None:
    flows = (-120_000, 39_000, 30_000, 21_000, 37_000, 46_000)
    assert cash.mirr(flows, finance=0.10, reinvest=0.12) == pytest.approx(0.126094, abs=1e-6)


@pytest.mark.parametrize(("rate", "flows", "expected"), [
    (0.0, (-100, 40, 40, 40), 2.5), (0.1, (-100, 110), 1.0), (0.0, (0, 5), 0.0), (0.0, (-100, 10), None),
    (0.1, (-1000, 500, 500, 500), 2 + (1000 - 500 / 1.1 - 500 / 1.21) / (500 / 1.331))])
def test_discounted_payback_agrees_with_the_table_by_hand(rate: float, flows: tuple[float, ...],
                                                          expected: float | None) -> None:
    found = cash.discounted_payback(flows, rate)
    assert found == (pytest.approx(expected) if expected is not None else None)


def test_many_rows_have_the_rates_that_single_rows_have() -> None:
    rows = np.random.default_rng(3).normal(5, 20, (200, 12))
    rows[:, 0] = -60
    many = cash.irrs(rows)
    for row, rate in zip(rows, many, strict=True):
        alone = cash.irr(row).rate
        assert (alone is None and np.isnan(rate)) or rate == pytest.approx(alone)


def test_a_rate_of_minus_one_or_less_is_refused() -> None:
    with pytest.raises(Invalid, match="above -1"):
        cash.npv(-1.0, (1.0,))


def unit_loss(mean: float, sd: float) -> float:
    """E[max(X, 0)] - max(mean, 0) of a normal: sd phi(u) - |mean| Phi(-u), u = |mean| / sd (Raiffa and Schlaifer)."""
    u = abs(mean) / sd
    return sd * exp(-u * u / 2) / sqrt(2 * pi) - abs(mean) * (1 - erf(u / sqrt(2))) / 2


def test_perfect_information_on_a_normal_is_worth_the_unit_loss() -> None:
    assert unit_loss(20, 80) == pytest.approx(22.9, abs=0.05)  # the brief's check value
    for mean, sd in ((20, 80), (-35, 60), (0, 10), (500, 50)):
        found = evpi(normal_quantile(stream(1, "net", DRAWS), mean=mean, sd=sd))
        assert found.value == pytest.approx(unit_loss(mean, sd), abs=max(4 * found.error, 1e-9))


@pytest.mark.parametrize(("mean", "slope", "sd"), [(20.0, 2.0, 30.0), (-15.0, 1.0, 40.0), (5.0, -3.0, 10.0)])
def test_partial_information_in_the_linear_normal_case_has_its_closed_form(mean: float, slope: float, sd: float
                                                                           ) -> None:
    """net = mean + slope x + noise: knowing x leaves a normal of sd |slope| sd(x), whatever the noise is."""
    x = normal_quantile(stream(7, "x", DRAWS), mean=0, sd=sd)
    noise = normal_quantile(stream(7, "noise", DRAWS), mean=0, sd=50)
    net = mean + slope * x + noise
    (found,) = evppi(x, net[:, None], seed=1)
    assert found.value == pytest.approx(unit_loss(mean, abs(slope) * sd), abs=4 * max(found.error, 0.05))
    (nothing,) = evppi(noise, (mean + slope * x)[:, None], seed=1)
    assert nothing.value < 4 * max(nothing.error, 0.05)
    assert found.value <= evpi(net).value + 1e-9


def test_partial_information_agrees_with_nested_sampling_where_the_mean_is_curved() -> None:
    """An independent estimator: means of blocks of the sorted input (M. Strong, J. E. Oakley 2013)."""
    x = pert_quantile(stream(3, "x", DRAWS), low=2, likely=4, high=12)
    net = 100 / (1 + np.exp((x - 6) / 2)) - 55 + normal_quantile(stream(3, "e", DRAWS), mean=0, sd=30)
    (found,) = evppi(x, net[:, None], seed=1)
    blocks = net[np.argsort(x)].reshape(200, -1).mean(axis=1)
    assert found.value == pytest.approx(np.maximum(blocks, 0).mean() - max(blocks.mean(), 0), rel=0.06)


@pytest.mark.parametrize(("low", "likely", "high"), [(5, 11, 15), (1, 1, 9), (2, 8, 8), (0, 5, 10), (-3, 1, 20)])
def test_a_judged_input_has_the_low_likely_and_high_that_were_judged(low: float, likely: float, high: float) -> None:
    least, most = pert_bounds(low, likely, high)
    place = (likely - least) / (most - least)
    exact = stats.beta(1 + 4 * place, 5 - 4 * place, loc=least, scale=most - least)
    assert exact.ppf([0.1, 0.9]) == pytest.approx([low, high], abs=1e-9 * (high - low))
    at = np.linspace(0.001, 0.999, 997)
    drawn = pert_quantile(at, low=low, likely=likely, high=high)
    assert drawn == pytest.approx(exact.ppf(at), abs=1e-5 * (most - least))
    peak = at[np.argmax(exact.pdf(least + at * (most - least)))]
    assert peak == pytest.approx(min(max(place, 0.001), 0.999), abs=2e-3)


def test_quantiles_of_times_put_never_above_every_number() -> None:
    values = np.array([3.0, np.nan, 1.0, 2.0, np.nan])
    assert quantiles(values, (0.1, 0.5, 0.9)) == (1.0, 3.0, None)
    assert quantiles(np.array([np.nan, np.nan]), (0.5,)) == (None,)
