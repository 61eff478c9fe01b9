"""Business cases to test and measure with: a plain one, and one as large as the limits allow."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from pilothouse.steps.portfolio.contracts.cases import Adoption, Case, Cost, Driver, Input, Recapture

CASH = Recapture(destination="cash_released", share=Decimal("0.6"), verified_by="Finance", indicator="overtime budget")
ELSEWHERE = Recapture(destination="capacity_redeployed", share=Decimal("0.3"), where="backlog of reviews")


def judged(low: float, likely: float, high: float, unit: str, **more: Any) -> Input:
    """Return an assumed input."""
    return Input(low=Decimal(str(low)), likely=Decimal(str(likely)), high=Decimal(str(high)), unit=unit,
                 source="assumed by the test", **more)


def sure(value: float, unit: str, **more: Any) -> Input:
    """Return an input that everybody knows."""
    return judged(value, value, value, unit, **more)


def replies(name: str = "Faster replies", **more: Any) -> Driver:
    """Return a driver in minutes: drafts for complaint replies."""
    plain = Driver(name=name, kind="cost_out", basis="minutes", volume=judged(500, 640, 800, "reply/month"),
                   effect=judged(5, 11, 15, "min"), review=judged(1, 2, 4, "min"), rework=judged(0.2, 0.5, 1, "min"),
                   rate=judged(38, 42, 48, "EUR/h"), recapture=(CASH, ELSEWHERE))
    return replace(plain, **more)


def fewer_reopened() -> Driver:
    """Return a driver in units: complaints that are not opened again."""
    return Driver(name="Fewer reopened", kind="quality", basis="units", volume=judged(500, 640, 800, "reply/month"),
                  effect=judged(0, 0.015, 0.03, "case"), rate=judged(60, 90, 150, "EUR/case"),
                  recapture=(Recapture(destination="quality_reinvested", share=Decimal(1), where="service"),))


def costs() -> tuple[Cost, ...]:
    """Return costs of every kind, an exit in the last month of three years."""
    return (
        Cost(name="Build", category="build", kind="one_off", amount=judged(15_000, 20_000, 40_000, "EUR")),
        Cost(name="Training", category="training", kind="one_off", starts_month=2,
             amount=judged(2_000, 4_000, 7_000, "EUR")),
        Cost(name="Licences", category="licence", kind="monthly", starts_month=1,
             amount=judged(200, 300, 500, "EUR/month")),
        Cost(name="Tokens", category="tokens", kind="per_unit", driver="Faster replies",
             amount=judged(0.002, 0.01, 0.03, "EUR/reply")),
        Cost(name="Exit", category="exit", kind="one_off", starts_month=36, amount=judged(1_000, 3_000, 6_000, "EUR")))


def a_case(**more: Any) -> Case:
    """Return a case that passes every check, with what a test wants to change."""
    plain = Case(currency="EUR", price_year=2026, horizon_months=36, discount_rate=Decimal("0.08"),
                 adoption=Adoption(ceiling=judged(0.4, 0.6, 0.8, "share"), half=judged(4, 6, 10, "months")),
                 drivers=(replies(), fewer_reopened()), costs=costs(), function="customer service")
    return replace(plain, **more)
