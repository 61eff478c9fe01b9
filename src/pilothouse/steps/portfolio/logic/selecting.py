"""What to fund under a budget and squad capacity: a 0/1 program, solved again for what more money would buy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pilothouse.kernel.errors import Conflict, Invalid

Floats: TypeAlias = NDArray[np.float64]
CANDIDATES_MAX = 1_000
SECONDS_MAX = 10.0
LEAST_GAIN, LEAST_GAIN_SHARE = 0.01, 1e-5
"""A portfolio is better from this much money, or this share of all that is on offer: the solver takes a choice for
whole within a millionth, so a smaller gain could be bought with the rounding of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing that may be funded."""

    name: str
    net: float
    """Expected NPV, money."""
    cost: float
    """What it takes from the budget, money, from 0."""
    capacity: float
    """What it takes from the squads, weeks, from 0."""
    function: str = ""
    needs: tuple[str, ...] = ()
    """Options that must be funded for this one."""
    claims: tuple[tuple[str, float], ...] = ()
    """(overlap group, share): over all funded options a group's shares add to at most 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the choice must keep to."""

    budget: float
    capacity: float
    per_function_max: int | None = None
    must: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The best set, by name in the order given."""

    names: tuple[str, ...]
    net: float
    cost: float
    capacity: float


@dataclass(frozen=True, slots=True)
class _Rows:
    matrix: Floats
    upper: Floats


def choose(options: Sequence[Option], limits: Limits) -> Chosen:
    """Return the set with the highest total net value within the limits; money that buys nothing stays unspent.

    Shapes: up to 1,000 options. Errors: Conflict when what must be funded does not fit, Invalid for more options.
    Method: 0/1 program by scipy.optimize.milp (HiGHS), solved to a gap of 0; limits hold within a millionth of their
    largest term. Ties are broken by the solver: equal portfolios may differ in members, never in value.
    """
    solved = _solve(options, limits, -np.array([o.net for o in options]), ())
    if solved is None:
        raise Conflict("what must be funded does not fit budget, capacity or overlaps; take something out of `must`",
                       field="must")
    return solved


def next_purchase(options: Sequence[Option], limits: Limits, now: Chosen) -> Chosen | None:
    """Return the cheapest set that is worth more than the present one, were budget no limit; None when none is."""
    wider = Limits(budget=sum(o.cost for o in options) + 1, capacity=limits.capacity, must=limits.must,
                   per_function_max=limits.per_function_max, never=limits.never)
    net = np.array([o.net for o in options])
    better = (-net, -(now.net + max(LEAST_GAIN, LEAST_GAIN_SHARE * float(np.abs(net).sum()))))
    return _solve(options, wider, np.array([o.cost for o in options]), (better,))


def shadow_price(options: Sequence[Option], limits: Limits) -> float | None:
    """Return the gain per extra unit of budget in the linear relaxation, where fractions of options may be bought."""
    from scipy.optimize import linprog

    if not options:
        return None
    rows, low, high = _rows(options, limits), *_bounds(options, limits)
    found = linprog(-np.array([o.net for o in options]), A_ub=rows.matrix, b_ub=rows.upper, method="highs",
                    bounds=np.column_stack([low, high]))
    return max(0.0, -float(found.ineqlin.marginals[0])) if found.status == 0 else None


def _solve(options: Sequence[Option], limits: Limits, goal: Floats, more: Sequence[tuple[Floats, float]]
           ) -> Chosen | None:
    from scipy.optimize import Bounds, LinearConstraint, milp

    if len(options) > CANDIDATES_MAX:
        raise Invalid(f"at most {CANDIDATES_MAX} use cases can be weighed at once; narrow the choice", field="never")
    if not options:
        return Chosen(names=(), net=0.0, cost=0.0, capacity=0.0)
    rows, low, high = _rows(options, limits), *_bounds(options, limits)
    matrix = np.vstack([rows.matrix, *(m for m, _ in more)])
    upper = np.concatenate([rows.upper, [u for _, u in more]])
    # rows in units of their largest number: the solver's tolerances are absolute, and money comes in thousands
    size = np.maximum(np.abs(matrix).max(axis=1), 1e-12)
    found = milp(goal / max(float(np.abs(goal).max()), 1e-12), constraints=LinearConstraint(
        matrix / size[:, None], -np.inf, upper / size), bounds=Bounds(low, high),
                 integrality=np.ones(len(options)), options={"time_limit": SECONDS_MAX, "mip_rel_gap": 0.0})
    if found.x is None:
        return None
    return _chosen([o for o, x in zip(options, found.x, strict=True) if x > 0.5])


def _chosen(taken: Sequence[Option]) -> Chosen:
    return Chosen(names=tuple(o.name for o in taken), net=sum(o.net for o in taken), cost=sum(o.cost for o in taken),
                  capacity=sum(o.capacity for o in taken))


def _bounds(options: Sequence[Option], limits: Limits) -> tuple[Floats, Floats]:
    low = np.array([1.0 if o.name in limits.must else 0.0 for o in options])
    return low, np.array([0.0 if o.name in limits.never else 1.0 for o in options])


def _rows(options: Sequence[Option], limits: Limits) -> _Rows:
    """Return every constraint as `row @ x <= upper`; the budget is the first row."""
    rows = [([o.cost for o in options], limits.budget), ([o.capacity for o in options], limits.capacity)]
    place = {o.name: i for i, o in enumerate(options)}
    for i, o in enumerate(options):
        rows += [(_unit(len(options), {i: 1.0, place[n]: -1.0} if n in place else {i: 1.0}), 0.0) for n in o.needs]
    for group in sorted({g for o in options for g, _ in o.claims}):
        rows.append(([sum(s for g, s in o.claims if g == group) for o in options], 1.0 + 1e-9))
    if limits.per_function_max is not None:
        rows += [([1.0 if o.function == f else 0.0 for o in options], float(limits.per_function_max))
                 for f in sorted({o.function for o in options})]
    return _Rows(np.array([r for r, _ in rows]), np.array([u for _, u in rows]))


def _unit(length: int, at: Mapping[int, float]) -> list[float]:
    row = [0.0] * length
    for i, v in at.items():
        row[i] = v
    return row
