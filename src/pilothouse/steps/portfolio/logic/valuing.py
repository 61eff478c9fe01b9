"""A business case and a seed in; net present values with their doubt, and what to measure next, out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pilothouse.kernel.quantity import Money, money
from pilothouse.stats import cash
from pilothouse.stats.information import Worth, evpi, evppi, quantiles
from pilothouse.steps.portfolio.contracts import Grade
from pilothouse.steps.portfolio.contracts.cases import (
    Bin,
    Case,
    CaseOutcome,
    Destination,
    Input,
    Knowing,
    Line,
    Month,
    Quantiles,
    Recaptured,
    Side,
    Spread,
    Swing,
)
from pilothouse.steps.portfolio.logic import casing, flowing, measuring, sampling
from pilothouse.steps.portfolio.logic.sampling import Draws, Known

Floats: TypeAlias = NDArray[np.float64]
PERCENTS = (0.1, 0.5, 0.9)
IRR_DRAWS, BAND_DRAWS = 2_000, 4_000
"""Rates of return and monthly bands rest on the first so many draws; everything else on all."""
BINS = 40
FOUND_ERRORS = 2.0
"""What knowing is worth counts as found from so many standard errors above 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoned:
    """Everything the draws came to, before it is put into words and money."""

    drivers: Floats
    costs: Floats
    hard_payback: Floats
    whole_payback: Floats
    hard_mean: Floats
    whole_mean: Floats
    spent_mean: Floats
    hard_some: Floats
    whole_some: Floats
    """Net flows of the first rows, for rates of return and bands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nets:
    """Net present values a draw, and the parts they are made of."""

    hard: Floats
    whole: Floats
    hard_benefit: Floats
    whole_benefit: Floats
    cost: Floats


def value(case: Case, *, seed: int, draws: int) -> CaseOutcome:
    """Return what a checked case comes to; the same case, seed and draws give the same figures.

    Method: monthly real flows over the horizon, month 0 undiscounted; every input drawn on its own (no correlation:
    inputs that move together, such as volume and rate across a recession, make the true spread wider than shown).
    """
    drawn = sampling.drawn(case, seed=seed, draws=draws)
    found = reckon(case, drawn)
    nets = _nets(case, found)
    known = sampling.known(case)
    knowing = _knowing(case, known, drawn, nets, seed)
    hard = _side(case, nets.hard, nets.hard_benefit, nets.cost, found.hard_payback,
                 found.hard_mean - found.spent_mean, found.hard_some)
    whole = _side(case, nets.whole, nets.whole_benefit, nets.cost, found.whole_payback,
                  found.whole_mean - found.spent_mean, found.whole_some)
    return CaseOutcome(
        currency=case.currency, price_year=case.price_year, horizon_months=case.horizon_months, draws=draws, seed=seed,
        method=f"Monte Carlo, {draws:,} draws, seed {seed}; monthly real flows; independent inputs", grade=grade(case),
        costs=_spread(case, nets.cost), hard=hard, whole=whole, tornado=_tornado(case), knowing=knowing,
        next_measurement=_next_measurement(knowing, hard, whole), lines=_lines(case, found), recapture=_register(
            case, found), cost_lines=_cost_lines(case, found), months=_months(case, found),
        histogram_hard=_histogram(nets.hard), histogram_whole=_histogram(nets.whole),
        first_year_cost=money(case.currency, float(found.spent_mean[:12].sum())))


def grade(case: Case) -> Grade:
    """Return the weakest grade among the inputs that benefits rest on: a chain is as good as its weakest link."""
    held = [i.grade for field, i in casing.inputs(case) if not field.startswith("costs") and not _is_nil(i)]
    return measuring.weakest(held)


def _is_nil(given: Input) -> bool:
    return given.low == given.high == 0 and not given.tie


def reckon(case: Case, drawn: Draws) -> Reckoned:
    """Turn draws into present values, paybacks and mean flows."""
    rows = len(next(iter(drawn.values())))
    factor = cash.discounts(flowing.rate(case), case.horizon_months + 1)
    drivers, costs = np.empty((len(case.drivers), rows)), np.empty((len(case.costs), rows))
    payback = np.empty((2, rows))
    means = np.zeros((3, case.horizon_months + 1))
    some: tuple[list[Floats], list[Floats]] = ([], [])
    for p in flowing.pieces(case, drawn):
        drivers[:, p.at], costs[:, p.at] = p.drivers, p.costs
        means += np.stack([p.hard.sum(axis=0), p.whole.sum(axis=0), p.spent.sum(axis=0)])
        for side, benefit in enumerate((p.hard, p.whole)):
            net = benefit - p.spent
            if p.at.start < BAND_DRAWS:
                some[side].append(net)
            payback[side, p.at] = cash.paybacks(net * factor)
    means /= rows
    return Reckoned(drivers=drivers, costs=costs, hard_payback=payback[0], whole_payback=payback[1],
                    hard_mean=means[0], whole_mean=means[1], spent_mean=means[2],
                    hard_some=np.concatenate(some[0])[:BAND_DRAWS], whole_some=np.concatenate(some[1])[:BAND_DRAWS])


def _nets(case: Case, found: Reckoned) -> _Nets:
    released = np.array([flowing.cash_share(d) for d in case.drivers]) @ found.drivers
    counted = np.array([flowing.counted_share(d) for d in case.drivers]) @ found.drivers
    cost: Floats = found.costs.sum(axis=0)
    return _Nets(hard=released - cost, whole=counted - cost, hard_benefit=released, whole_benefit=counted, cost=cost)


def _spread(case: Case, values: Floats) -> Spread:
    ten, half, ninety = np.quantile(values, PERCENTS)
    error = values.std(ddof=1) / np.sqrt(len(values))
    m = [money(case.currency, float(v)) for v in (values.mean(), ten, half, ninety, error)]
    return Spread(mean=m[0], p10=m[1], p50=m[2], p90=m[3], error=m[4])


def _side(case: Case, net: Floats, benefit: Floats, cost: Floats, payback: Floats, flows: Floats, some: Floats) -> Side:
    rate = flowing.rate(case)
    single, modified, perfect = cash.irr(flows), cash.mirr(flows, finance=rate, reinvest=rate), evpi(net)
    roi = np.divide(benefit - cost, cost, out=np.full(len(cost), np.nan), where=cost > 0)
    return Side(npv=_spread(case, net), benefits=_spread(case, benefit), above_zero=float((net > 0).mean()),
                roi=_quantiles(roi), irr=_yearly(single.rate), irr_says=single.says, mirr=_yearly(modified),
                irr_spread=_returns(cash.irrs(np.asfortranarray(some[:IRR_DRAWS]))), payback_months=_quantiles(payback),
                evpi=money(case.currency, perfect.value), evpi_error=money(case.currency, perfect.error))


def _yearly(rate: float | None) -> float | None:
    return None if rate is None else cash.annual(rate, 12)


def _quantiles(values: Floats) -> Quantiles:
    """Return quantiles in which `never` (NaN) lies above every number."""
    ten, half, ninety = quantiles(values, PERCENTS)
    return Quantiles(p10=ten, p50=half, p90=ninety, share=float((~np.isnan(values)).mean()), n=len(values))


def _returns(monthly: Floats) -> Quantiles:
    """Return quantiles of annual rates in which a draw without a rate lies below every number: it never earns back."""
    ninety, half, ten = quantiles(-monthly, PERCENTS)
    rates = [_yearly(None if r is None else -r) for r in (ten, half, ninety)]
    return Quantiles(p10=rates[0], p50=rates[1], p90=rates[2], share=float((~np.isnan(monthly)).mean()),
                     n=len(monthly))


def _tornado(case: Case) -> tuple[Swing, ...]:
    varying, columns = sampling.swings(case)
    if not varying:
        return ()
    nets = _nets(case, reckon(case, columns))

    def swing(i: int, k: Known) -> Swing:
        m = [money(case.currency, float(side[2 * i + end])) for side in (nets.hard, nets.whole) for end in (0, 1)]
        return Swing(input=k.label, hard_low=m[0], hard_high=m[1], whole_low=m[2], whole_high=m[3], grade=k.given.grade)

    swings = [swing(i, k) for i, k in enumerate(varying)]
    return tuple(sorted(swings, key=lambda s: -abs(s.whole_high.amount - s.whole_low.amount)))


def _knowing(case: Case, known: Sequence[Known], drawn: Draws, nets: _Nets, seed: int) -> tuple[Knowing, ...]:
    """Return what each varying input, and all inputs of each driver together, are worth knowing."""
    both = np.stack([nets.hard, nets.whole], axis=1)
    found = []
    for k in known:
        if (column := drawn[k.path]).min() < column.max():
            found.append(_worth(case, k.label, "input", evppi(column, both, seed=seed), k.given))
    paid = {c.driver for c in case.costs if c.kind == "per_unit"}
    for d in case.drivers:
        own = [np.broadcast_to(flowing.full(d, drawn), nets.hard.shape)]
        own += [drawn[f"driver/{d.name}/volume"]] if d.name in paid else []
        found.append(_worth(case, d.name, "driver", evppi(np.stack(own, axis=1), both, seed=seed), d.effect))
    return tuple(sorted(found, key=lambda w: (-w.hard.amount, -w.whole.amount)))


def _worth(case: Case, name: str, level: str, worth: Sequence[Worth], given: Input) -> Knowing:
    m = [money(case.currency, x) for w in worth for x in (w.value, w.error)]
    cost = Money(currency=case.currency, amount=given.measure_cost) if given.measure_cost is not None else None
    return Knowing(name=name, level="driver" if level == "driver" else "input", hard=m[0], hard_error=m[1], whole=m[2],
                   whole_error=m[3], grade=given.grade, measure_cost=cost if level == "input" else None)


def _next_measurement(knowing: Sequence[Knowing], hard: Side, whole: Side) -> str:
    """Name the cheapest measurement that may be worth its cost, by released cash first, then by the whole."""
    for side in ("hard", "whole"):
        if said := _cheapest([k for k in knowing if k.level == "input"], side):
            return said
    sure = "go ahead" if whole.npv.mean.amount > 0 else "leave it"
    return f"No single measurement would change the answer, which is to {sure} on these inputs"


def _cheapest(knowing: Sequence[Knowing], side: str) -> str:
    basis = "released cash" if side == "hard" else "all benefits"
    found = [(k, getattr(k, side)) for k in knowing
             if float(getattr(k, side).amount) > FOUND_ERRORS * float(getattr(k, f"{side}_error").amount)]
    priced = [(k, worth) for k, worth in found if k.measure_cost is not None and k.measure_cost.amount < worth.amount]
    if priced:
        k, worth = min(priced, key=lambda pair: pair[0].measure_cost.amount if pair[0].measure_cost else 0)
        return (f"Measure `{k.name}`: it costs {k.measure_cost} and is worth at most {worth}, deciding on {basis}")
    if unpriced := [(k, worth) for k, worth in found if k.measure_cost is None]:
        k, worth = max(unpriced, key=lambda pair: pair[1].amount)
        return f"Measure `{k.name}`: it is worth at most {worth}, deciding on {basis}; nobody has said what it costs"
    return ""


def _lines(case: Case, found: Reckoned) -> tuple[Line, ...]:
    def line(d: int) -> Line:
        driver, values = case.drivers[d], found.drivers[d]
        held = measuring.weakest([i.grade for i in (driver.volume, driver.effect, driver.rate)])
        return Line(name=driver.name, kind=driver.kind, present_value=_spread(case, values), grade=held,
                    cash=money(case.currency, float(values.mean()) * flowing.cash_share(driver)),
                    source=driver.effect.source)

    return tuple(line(d) for d in range(len(case.drivers)))


def _cost_lines(case: Case, found: Reckoned) -> tuple[Line, ...]:
    return tuple(Line(name=c.name, kind=c.category, present_value=_spread(case, v), grade=c.amount.grade,
                      cash=money(case.currency, float(v.mean())), source=c.amount.source)
                 for c, v in zip(case.costs, found.costs, strict=True))


def _register(case: Case, found: Reckoned) -> tuple[Recaptured, ...]:
    """Fold the recapture lines of all drivers by destination and place; what no line names is not recaptured."""
    totals: dict[tuple[Destination, str], tuple[float, list[str], list[str]]] = {}

    def add(destination: Destination, where: str, amount: float, driver: str, who: str) -> None:
        was, drivers, names = totals.get((destination, where), (0.0, [], []))
        totals[destination, where] = (was + amount, [*drivers, driver], [*names, who] if who else names)

    for d, mean in zip(case.drivers, found.drivers.mean(axis=1), strict=True):
        for r in d.recapture:
            add(r.destination, r.where, float(mean) * float(r.share), d.name, r.verified_by)
        if left := 1 - sum((r.share for r in d.recapture), start=0):
            add("not_recaptured", "", float(mean) * float(left), d.name, "")
    return tuple(Recaptured(destination=to, where=where, amount=money(case.currency, amount), drivers=tuple(drivers),
                            verified_by=tuple(dict.fromkeys(names)))
                 for (to, where), (amount, drivers, names) in totals.items())


def _months(case: Case, found: Reckoned) -> tuple[Month, ...]:
    factor = cash.discounts(flowing.rate(case), case.horizon_months + 1)
    ten, half, ninety = np.quantile(np.cumsum(found.hard_some * factor, axis=1), PERCENTS, axis=0)
    whole = np.quantile(np.cumsum(found.whole_some * factor, axis=1), 0.5, axis=0)

    def month(t: int) -> Month:
        m = [money(case.currency, float(v[t])) for v in (found.hard_mean, found.whole_mean, found.spent_mean, ten, half,
                                                          ninety, whole)]
        return Month(month=t, benefit_hard=m[0], benefit_whole=m[1], cost=m[2], hard_p10=m[3], hard_p50=m[4],
                     hard_p90=m[5], whole_p50=m[6])

    return tuple(month(t) for t in range(case.horizon_months + 1))


def _histogram(values: Floats) -> tuple[Bin, ...]:
    """Return the middle 99 % of the draws in equal bins; shares are of all draws."""
    low, high = np.quantile(values, [0.005, 0.995])
    if low == high:
        return (Bin(low=float(low), high=float(high), share=1.0),)
    counts, edges = np.histogram(values, bins=BINS, range=(low, high))
    return tuple(Bin(low=float(edges[i]), high=float(edges[i + 1]), share=float(c) / len(values))
                 for i, c in enumerate(counts))
