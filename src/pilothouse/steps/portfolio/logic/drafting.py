"""What is recorded about a use case into the first draft of its business case, every guess marked as assumed."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from pilothouse.steps.portfolio.contracts import KpiStanding, UseCase
from pilothouse.steps.portfolio.contracts.cases import Adoption, Case, Cost, CostCategory, CostKind, Driver, Input

ASSUMED = "assumed by the starter; replace it with yours"
HORIZON_MONTHS = 36
RATE = Decimal("0.08")
CURRENCY = "EUR"
_COSTS: tuple[tuple[str, CostCategory, CostKind, int, tuple[int, int, int]], ...] = (
    ("Build", "build", "one_off", 0, (10_000, 20_000, 45_000)),
    ("Training", "training", "one_off", 1, (1_000, 3_000, 8_000)),
    ("Change", "change", "one_off", 2, (1_000, 4_000, 10_000)),
    ("Licences", "licence", "monthly", 1, (100, 300, 800)),
    ("Infrastructure", "infrastructure", "monthly", 1, (50, 150, 400)),
    ("Exit", "exit", "one_off", HORIZON_MONTHS, (1_000, 3_000, 8_000)))


def draft(u: UseCase, kpis: Sequence[KpiStanding], *, price_year: int, has_token_cost: bool) -> Case:
    """Return a case from intake and KPIs: volume as recorded, minutes tied to the first KPI in minutes."""
    unit = _unit(u)
    timed = next((k for k in kpis if k.kpi.unit == "min" and k.kpi.better == "lower"), None)
    driver = _minutes(u, unit, timed) if timed else _units(u, unit)
    checking = () if timed else (_checking("review", unit, driver.name), _checking("rework", unit, driver.name))
    tokens = _tokens(unit, driver.name, measured=has_token_cost)
    return Case(currency=CURRENCY, price_year=price_year, horizon_months=HORIZON_MONTHS, discount_rate=RATE,
                adoption=Adoption(ceiling=_guess("0.3", "0.5", "0.75", "share"), half=_guess("4", "7", "12", "months")),
                drivers=(driver,), costs=(*(_cost(*c) for c in _COSTS), tokens, *checking))


def _unit(u: UseCase) -> str:
    """Return the recorded unit of work's first word, such as `complaint`."""
    return (u.unit_of_work.split() or ["case"])[0].strip(".,;/").lower() or "case"


def _guess(low: str, likely: str, high: str, unit: str) -> Input:
    return Input(low=Decimal(low), likely=Decimal(likely), high=Decimal(high), unit=unit, source=ASSUMED)


def _volume(u: UseCase, unit: str) -> Input:
    if u.volume_per_month is None:
        return _guess("100", "300", "1000", f"{unit}/month")
    recorded = Decimal(repr(u.volume_per_month))
    return Input(low=recorded * Decimal("0.8"), likely=recorded, high=recorded * Decimal("1.2"), unit=f"{unit}/month",
                 grade="E1", source="volume as stated at intake, give or take a fifth")


def _minutes(u: UseCase, unit: str, timed: KpiStanding) -> Driver:
    least = Decimal(repr(timed.kpi.least_change or 1.0))
    tied = timed.result.estimate is not None
    effect = Input(low=Decimal(0), likely=least, high=2 * least, unit="min", source=ASSUMED,
                   tie="kpi" if tied else "", tied_to=timed.kpi.slug if tied else "")
    return Driver(name=timed.kpi.title, kind="cost_out", basis="minutes", volume=_volume(u, unit), effect=effect,
                  rate=_guess("30", "40", "55", f"{CURRENCY}/h"), review=_guess("0.5", "1", "3", "min"),
                  rework=_guess("0.1", "0.3", "1", "min"), overlap_group="", recapture=())


def _units(u: UseCase, unit: str) -> Driver:
    rate = _guess("5", "10", "20", f"{CURRENCY}/{unit}")
    if u.current_cost_eur:
        cost = Decimal(repr(u.current_cost_eur))
        rate = replace(rate, low=cost, likely=cost, high=cost, grade="E1", source="unit cost as stated at intake")
    return Driver(name=f"Less work for each {unit}", kind="cost_out", basis="units", volume=_volume(u, unit),
                  effect=_guess("0.02", "0.08", "0.2", "share of the unit's cost"), rate=rate)


def _cost(name: str, category: CostCategory, kind: CostKind, month: int, guess: tuple[int, int, int]) -> Cost:
    low, likely, high = map(str, guess)
    unit = CURRENCY if kind == "one_off" else f"{CURRENCY}/month"
    return Cost(name=name, category=category, kind=kind, starts_month=month, amount=_guess(low, likely, high, unit))


def _checking(category: CostCategory, unit: str, driver: str) -> Cost:
    return Cost(name=category.capitalize(), category=category, kind="per_unit", driver=driver,
                amount=_guess("0.1", "0.3", "0.8", f"{CURRENCY}/{unit}"))


def _tokens(unit: str, driver: str, *, measured: bool) -> Cost:
    amount = Input(low=Decimal("0.001"), likely=Decimal("0.005"), high=Decimal("0.02"), unit=f"{CURRENCY}/{unit}",
                   source=ASSUMED, tie="gateway" if measured else "", tied_to="cost per answer" if measured else "")
    return Cost(name="Tokens", category="tokens", kind="per_unit", driver=driver, amount=amount)
