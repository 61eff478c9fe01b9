"""Money: an exact amount in one currency that refuses to mix with another."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from pilothouse.kernel.errors import Invalid

AMOUNT_MAX = Decimal(10) ** 13
"""Amounts stay under ten trillion, where a double still tells hundredths apart."""
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in an ISO 4217 currency (`EUR`); exact decimals, never binary fractions."""

    currency: str
    amount: Decimal

    def __add__(self, other: "Money") -> "Money":
        return Money(currency=self._same(other), amount=self.amount + other.amount)

    def __sub__(self, other: "Money") -> "Money":
        return Money(currency=self._same(other), amount=self.amount - other.amount)

    def _same(self, other: "Money") -> str:
        if self.currency != other.currency:
            raise Invalid(f"{self.currency} and {other.currency} cannot be added; convert one at a stated rate first",
                          field="currency")
        return self.currency

    def __str__(self) -> str:
        return f"{self.currency} {self.amount:,}"


def money(currency: str, value: float) -> Money:
    """Return a computed amount as money, rounded half to even to hundredths; the one way from a double to money."""
    return Money(currency=currency, amount=Decimal(repr(float(value))).quantize(CENT, rounding=ROUND_HALF_EVEN))
