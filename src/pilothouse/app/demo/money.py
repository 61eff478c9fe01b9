"""The demo's business cases and scorings: written as data, turned into what their owners hand in."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from pilothouse.kernel.codec import convert
from pilothouse.steps.portfolio.contracts import UseCaseId
from pilothouse.steps.portfolio.contracts.cases import Adoption, Case, Cost, Driver, Input, Recapture
from pilothouse.steps.portfolio.contracts.planning import Scoring

Tree = Mapping[str, Any]
DRAWS = 20_000
HORIZON_MONTHS, PRICE_YEAR, RATE = 36, 2026, Decimal("0.08")
ASSUMED = "assumed by the owner"
COSTS: Mapping[str, tuple[str, str, int]] = {
    "build": ("one_off", "EUR", 0), "training": ("one_off", "EUR", 2), "change": ("one_off", "EUR", 3),
    "licence": ("monthly", "EUR/month", 1), "infrastructure": ("monthly", "EUR/month", 1),
    "exit": ("one_off", "EUR", HORIZON_MONTHS), "tokens": ("per_unit", "", 0)}


@cache
def written() -> Tree:
    """Return the demo's cases as written."""
    loaded: Tree = yaml.safe_load((files("pilothouse.app.demo") / "cases.yaml").read_text(encoding="utf8"))
    return loaded


def case_of(c: Tree) -> Case:
    """Return one written case as its owner hands it in."""
    drivers = tuple(_driver(d) for d in c["drivers"])
    a = c["adoption"]
    return Case(
        currency="EUR", price_year=PRICE_YEAR, horizon_months=HORIZON_MONTHS, discount_rate=RATE,
        function=c["function"], drivers=drivers, costs=tuple(_cost(k, v, drivers[0]) for k, v in c["costs"].items()),
        adoption=Adoption(ceiling=_input([*a["ceiling"], "share", ASSUMED]), climb=_decimal(a["climb"]),
                          half=_input([*a["half"], "months", ASSUMED])))


def _driver(d: Tree) -> Driver:
    judged = {name: _input(d[name]) for name in ("volume", "effect", "rate", "review", "rework") if name in d}
    recapture = tuple(Recapture(destination=r["to"], share=_decimal(r["share"]), where=r.get("where", ""),
                                verified_by=r.get("verified_by", ""), indicator=r.get("indicator", ""))
                      for r in d["recapture"])
    return Driver(name=d["name"], kind=d["kind"], basis=d["basis"], recapture=recapture,
                  overlap_group=d.get("overlap_group", ""), overlap_share=_decimal(d.get("overlap_share", 1)), **judged)  # type: ignore[arg-type]


def _input(given: Sequence[Any] | Tree) -> Input:
    if isinstance(given, Mapping):
        return Input(unit=given.get("unit", "min"), tie="kpi", tied_to=given["kpi"])
    low, likely, high, unit, source, *rest = given
    return Input(low=_decimal(low), likely=_decimal(likely), high=_decimal(high), unit=unit, source=source,
                 grade=rest[0] if rest else "E0", measure_cost=_decimal(rest[1]) if len(rest) > 1 else None)


def _cost(category: Any, ends: Sequence[Any], first: Driver) -> Cost:
    kind, unit, month = COSTS[category]
    per_unit = kind == "per_unit"
    return Cost(name=category.capitalize(), category=category, kind=kind, starts_month=month,  # type: ignore[arg-type]
                driver=first.name if per_unit else "",
                amount=_input([*ends, unit or f"EUR/{first.volume.unit.partition('/')[0]}", ASSUMED]))


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value))


def scoring_of(use_case_id: UseCaseId, s: Tree) -> Scoring:
    """Return one written scoring as its owner hands it in."""
    points = {name: {"low": v[0], "high": v[1]} if isinstance(v, list) else v for name, v in s.items()}
    return convert({**points, "use_case_id": use_case_id}, Scoring)
