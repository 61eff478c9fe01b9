"""Draws of a case into money: what each driver and cost comes to, month by month and as present value."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pilothouse.stats.cash import discounts, per_period
from pilothouse.steps.portfolio.contracts.cases import Case, Cost, Driver
from pilothouse.steps.portfolio.logic.sampling import Draws

Floats: TypeAlias = NDArray[np.float64]
ROWS_AT_ONCE = 4096
"""Rows of months worked on at a time: they stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some rows of the draws, in money: present values by line, and undiscounted flows by month."""

    drivers: Floats
    """(drivers, rows): present value of each driver's whole benefit, recaptured or not."""
    costs: Floats
    """(costs, rows): present value of each cost."""
    hard: Floats
    """(rows, months): benefits released as cash."""
    whole: Floats
    """(rows, months): all benefits that are recaptured somewhere."""
    spent: Floats
    """(rows, months): costs."""
    at: slice


def rate(case: Case) -> float:
    """Return the discount rate a month."""
    return per_period(float(case.discount_rate), 12)


def cash_share(d: Driver) -> float:
    """Return the share of a driver's benefit that is released as cash."""
    return float(sum(r.share for r in d.recapture if r.destination == "cash_released"))


def counted_share(d: Driver) -> float:
    """Return the share of a driver's benefit that goes anywhere at all; the rest counts in nothing."""
    return float(sum(r.share for r in d.recapture if r.destination != "not_recaptured"))


def full(d: Driver, draws: Draws) -> Floats:
    """Return a driver's benefit a month at full adoption: what only this driver's own inputs decide."""
    own = {name: draws.get(f"driver/{d.name}/{name}", np.zeros(1)) for name in
           ("volume", "effect", "rate", "review", "rework")}
    share = float(d.attribution * d.overlap_share)
    if d.basis == "minutes":
        return own["volume"] * (own["effect"] - own["review"] - own["rework"]) / 60.0 * own["rate"] * share
    return own["volume"] * own["effect"] * own["rate"] * share


def served(case: Case, half: Floats) -> Floats:
    """Return the adoption curve as a share of its ceiling, (rows, months 0 … horizon)."""
    since = np.maximum(np.arange(case.horizon_months + 1) - case.adoption.starts_month, 0.0)
    steep = log(81.0) / float(case.adoption.climb)
    # one exponential a row and one a month instead of one a cell: exp(a - b) = exp(a) exp(-b)
    start = np.exp(np.minimum(half * steep, 600.0))
    curve = 1.0 / (1.0 + start[:, None] * np.exp(-np.minimum(since * steep, 600.0)))
    first = 1.0 / (1.0 + start)
    shape: Floats = (curve - first[:, None]) / (1.0 - first)[:, None]
    shape[:, since == 0] = 0.0
    return shape


def pieces(case: Case, draws: Draws) -> Iterator[Piece]:
    """Yield all rows in order, some thousand at a time."""
    rows = len(next(iter(draws.values())))
    for start in range(0, rows, ROWS_AT_ONCE):
        part = slice(start, min(rows, start + ROWS_AT_ONCE))
        yield _piece(case, {path: values[part] for path, values in draws.items()}, part)


def _piece(case: Case, draws: Draws, at: slice) -> Piece:
    curve = served(case, draws["adoption.half"])
    factor = discounts(rate(case), case.horizon_months + 1)
    ceiling = draws["adoption.ceiling"]
    served_value = (curve @ factor) * ceiling
    monthly = [full(d, draws) for d in case.drivers]
    hard = sum((m * cash_share(d) for m, d in zip(monthly, case.drivers, strict=True)), np.zeros(len(curve)))
    whole = sum((m * counted_share(d) for m, d in zip(monthly, case.drivers, strict=True)), np.zeros(len(curve)))
    spent, values = _spent(case, draws, curve, factor, ceiling)
    return Piece(drivers=np.stack([m * served_value for m in monthly]), costs=values, spent=spent, at=at,
                 hard=(hard * ceiling)[:, None] * curve, whole=(whole * ceiling)[:, None] * curve)


def _spent(case: Case, draws: Draws, curve: Floats, factor: Floats, ceiling: Floats) -> tuple[Floats, Floats]:
    spent, values, unit_cost = np.zeros_like(curve), [], np.zeros(len(curve))
    for c in case.costs:
        amount = draws[f"cost/{c.name}"]
        if c.kind == "per_unit":
            scale = amount * draws[f"driver/{c.driver}/volume"] * ceiling
            unit_cost += scale
            values.append(scale * (curve @ factor))
        else:
            months = _months(case, c)
            spent[:, months] += amount[:, None]
            values.append(amount * float(factor[months].sum()))
    spent += unit_cost[:, None] * curve
    return spent, np.stack(values)


def _months(case: Case, c: Cost) -> slice:
    if c.kind == "one_off":
        return slice(c.starts_month, c.starts_month + 1)
    return slice(c.starts_month, (case.horizon_months if c.ends_month is None else c.ends_month) + 1)
