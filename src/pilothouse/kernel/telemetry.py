"""Counters and timings by name: what the platform tells its operator, never holding content."""

from typing import Protocol


class Telemetry(Protocol):
    """Receives counts and durations; implementations must be cheap enough for the hot path."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None: ...

    def observe(self, name: str, seconds: float, **labels: str) -> None: ...


class Silent:
    """Telemetry that keeps nothing."""

    def count(self, name: str, amount: float = 1, **labels: str) -> None: ...

    def observe(self, name: str, seconds: float, **labels: str) -> None: ...
