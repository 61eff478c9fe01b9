"""Cash flows by period into present value, returns and payback; no answer where the formula has none."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pilothouse.kernel.errors import Invalid

Floats: TypeAlias = NDArray[np.float64]
RATE_MIN, RATE_MAX = -0.99, 10.0
"""Where a rate of return is looked for, per period."""
STEPS = 60
ROUNDING = 1e-12
"""Share of the deepest point under which a cumulative value counts as 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """A rate per period, or None with the reason why there is none."""

    rate: float | None
    says: str


def npv(rate: float, flows: Sequence[float] | Floats) -> float:
    """Return the sum of flows[t] / (1 + rate)^t, t = 0, 1, …

    Units: money of the flows; the rate is a fraction per period. Errors: Invalid for a rate of -1 or less.
    The first flow is not discounted (spreadsheets' NPV discounts it once).
    """
    return float(np.asarray(flows, np.float64) @ discounts(rate, len(flows)))


def discounts(rate: float, periods: int) -> Floats:
    """Return (1 + rate)^-t for t = 0 … periods - 1."""
    if not (isfinite(rate) and rate > -1):
        raise Invalid("a discount rate per period lies above -1 (-100 %)", field="discount_rate")
    powers: Floats = (1.0 + rate) ** -np.arange(periods, dtype=np.float64)
    return powers


def per_period(annual: float, periods_a_year: int) -> float:
    """Return the rate per period that compounds to an annual one: (1 + annual)^(1 / periods) - 1."""
    return float((1.0 + annual) ** (1.0 / periods_a_year) - 1.0)


def annual(rate: float, periods_a_year: int) -> float:
    """Return the effective annual rate of a rate per period."""
    return float((1.0 + rate) ** periods_a_year - 1.0)


def sign_changes(flows: Sequence[float] | Floats) -> int:
    """Count changes of sign from one non-zero flow to the next."""
    signs = np.sign(np.asarray(flows, np.float64))
    signs = signs[signs != 0]
    return int((signs[1:] != signs[:-1]).sum())


def irr(flows: Sequence[float] | Floats) -> Return:
    """Return the rate at which the flows' present value is 0, where there is exactly one.

    Descartes: one change of sign, one rate above -1. Without a change there is none; with several there may be
    several, and picking one would be a choice nobody made, so none is given and `mirr` answers instead.
    Source: any text on corporate finance; D. Teichroew, A. Robichek, M. Montalbano, Management Science 11 (1965) on
    several roots. Looked for between -99 % and +1,000 % a period, by bisection.
    """
    changes = sign_changes(flows)
    if changes == 0:
        return Return(rate=None, says="no rate of return: the flows never change sign")
    if changes > 1:
        return Return(rate=None, says=f"the flows change sign {changes} times, so several rates may fit; see MIRR")
    found = irrs(np.asarray(flows, np.float64)[None, :])[0]
    if np.isnan(found):
        return Return(rate=None, says="no rate of return between -99 % and 1,000 % a period")
    return Return(rate=float(found), says="the one rate at which the present value is 0")


def irrs(flows: Floats) -> Floats:
    """Return each row's rate of return by bisection, NaN where the row has not exactly one within the bounds.

    Shapes: (rows, periods) in, (rows,) out. The caller turns NaN into absence; it never leaves a result.
    """
    signs = np.sign(flows)
    one = _single_change(signs)
    low, high = np.full(len(flows), RATE_MIN), np.full(len(flows), RATE_MAX)
    first = _first_sign(signs)
    inside = one & (_values(flows, low) * first < 0) & (_values(flows, high) * first > 0)
    for _ in range(STEPS):
        middle = (low + high) / 2
        # before the root (low rates) later flows win; the first flow's sign wins at high rates
        over = _values(flows, middle) * first > 0
        high, low = np.where(over, middle, high), np.where(over, low, middle)
    return np.where(inside, (low + high) / 2, np.nan)


def _single_change(signs: Floats) -> NDArray[np.bool_]:
    """Say of each row whether its non-zero signs change exactly once."""
    filled = signs.copy()
    for t in range(1, filled.shape[1]):
        filled[:, t] = np.where(filled[:, t] == 0, filled[:, t - 1], filled[:, t])
    changed = (filled[:, 1:] != filled[:, :-1]) & (filled[:, :-1] != 0)
    return np.asarray(changed.sum(axis=1) == 1)


def _first_sign(signs: Floats) -> Floats:
    first = np.argmax(signs != 0, axis=1)
    found: Floats = signs[np.arange(len(signs)), first]
    return found


def _values(flows: Floats, rates: Floats) -> Floats:
    """Return each row's present value at its own rate, by Horner's scheme from the last period."""
    factor, total = 1.0 / (1.0 + rates), flows[:, -1].copy()
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(flows.shape[1] - 2, -1, -1):
            total = total * factor + flows[:, t]
    return total


def mirr(flows: Sequence[float] | Floats, *, finance: float, reinvest: float) -> float | None:
    """Return the modified rate of return per period, None without both an outflow and an inflow.

    (future value of the inflows at `reinvest` / -present value of the outflows at `finance`)^(1 / T) - 1, T the last
    period. One answer always, whatever the signs do. Source: S. A. Lin, Engineering Economist 21 (1976).
    """
    values = np.asarray(flows, np.float64)
    last = len(values) - 1
    out, came = npv(finance, np.minimum(values, 0)), npv(reinvest, np.maximum(values, 0)) * (1 + reinvest) ** last
    return float((came / -out) ** (1 / last) - 1) if last and out < 0 < came else None


def discounted_payback(flows: Sequence[float] | Floats, rate: float) -> float | None:
    """Return when the cumulative present value first reaches 0, in periods; None when it never does.

    Linear inside the period in which it happens; 0 when nothing is ever out of pocket at the start. Later outflows
    (an exit) may take it below 0 again: the NPV, not the payback, tells the whole.
    """
    found = paybacks(np.asarray(flows, np.float64)[None, :] * discounts(rate, len(flows)))[0]
    return None if np.isnan(found) else float(found)


def paybacks(discounted: Floats) -> Floats:
    """Return each row's discounted payback from flows already discounted; NaN for never.

    Shapes: (rows, periods) in, (rows,) out. The caller turns NaN into absence.
    """
    total = np.cumsum(discounted, axis=1)
    reached = total >= ROUNDING * np.minimum(total.min(axis=1, keepdims=True), 0)
    first, rows = np.argmax(reached, axis=1), np.arange(len(total))
    before = total[rows, np.maximum(first - 1, 0)]
    step = discounted[rows, first]
    with np.errstate(divide="ignore", invalid="ignore"):
        when = np.where(first == 0, 0.0, first - 1 + np.where(step > 0, -before / step, 1.0))
    return np.where(reached.any(axis=1), when, np.nan)
