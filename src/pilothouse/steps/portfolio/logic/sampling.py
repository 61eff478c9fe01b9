"""Inputs into draws: each by its own stream of the seed, so that changing one leaves the others as they were."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pilothouse.stats.eliciting import HIGH, LOW, normal_quantile, pert_quantile, stream
from pilothouse.steps.portfolio.contracts.cases import Case, Input
from pilothouse.steps.portfolio.logic import casing

Floats: TypeAlias = NDArray[np.float64]
Draws: TypeAlias = Mapping[str, Floats]
"""By the input's path; see `Named`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One input under the name that its stream, the tornado and the value of information use."""

    path: str
    label: str
    given: Input
    driver: str


def known(case: Case) -> tuple[Known, ...]:
    """Return every input of a case by a path made of names, so that order does not matter to its draws."""
    return tuple(_named(case, field, given) for field, given in casing.inputs(case))


def _named(case: Case, field: str, given: Input) -> Known:
    head, _, part = field.partition(".")
    if head == "adoption":
        label = {"ceiling": "adoption ceiling", "half": "months to half adoption"}[part]
        return Known(path=field, label=label, given=given, driver="")
    kind, i = head.split("[")[0], int(head.split("[")[1].rstrip("]"))
    if kind == "costs":
        name = case.costs[i].name
        return Known(path=f"cost/{name}", label=name, given=given, driver="")
    name = case.drivers[i].name
    return Known(path=f"driver/{name}/{part}", label=f"{name}: {part}", given=given, driver=name)


def drawn(case: Case, *, seed: int, draws: int) -> Draws:
    """Return `draws` values of every input."""
    return {k.path: at(k, stream(seed, k.path, draws)) for k in known(case)}


def at(k: Known, probabilities: Floats) -> Floats:
    """Return an input's values at probabilities: normal where it was measured, PERT where it was judged."""
    floor = None if k.path.endswith("/effect") else 0.0
    ceiling = 1.0 if k.path == "adoption.ceiling" else None
    given = k.given
    if given.mean is not None and given.sd is not None:
        values = normal_quantile(probabilities, mean=float(given.mean), sd=float(given.sd))
        return values if floor is None else np.clip(values, floor, ceiling)
    return pert_quantile(probabilities, low=float(given.low), likely=float(given.likely), high=float(given.high),
                         floor=floor, ceiling=ceiling)


def swings(case: Case) -> tuple[tuple[Known, ...], Draws]:
    """Return the inputs that vary, and rows in which each stands at P10 and P90 with all others at their medians."""
    everything = known(case)
    varying = tuple(k for k in everything if _varies(k))
    columns = {k.path: np.full(2 * len(varying), at(k, np.array([0.5]))[0]) for k in everything}
    for i, k in enumerate(varying):
        columns[k.path][2 * i: 2 * i + 2] = at(k, np.array([LOW, HIGH]))
    return varying, columns


def _varies(k: Known) -> bool:
    return bool(k.given.sd) if k.given.sd is not None else k.given.low < k.given.high
