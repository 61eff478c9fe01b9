"""Derived values of measuring: what batches add up to; rebuilt from the batches at any time."""

from dataclasses import dataclass, replace

from pilothouse.stats.summary import Summary
from pilothouse.steps.portfolio.contracts import Grade, SampleBatch
from pilothouse.steps.portfolio.contracts.samples import Grain


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The observations of one hour or one day: what is added to its slot."""

    grain: Grain
    slot: str
    summary: Summary
    low: float
    high: float

    def __add__(self, other: "Part") -> "Part":
        return replace(self, summary=self.summary + other.summary, low=min(self.low, other.low),
                       high=max(self.high, other.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All batches of one KPI and period folded into one row."""

    summary: Summary
    low: float
    high: float
    batches: int
    grade: Grade
    starts_on: str
    ends_on: str
    latest: str
    chain: str
    """SHA-256 (hex) over the chain before and the digest of the latest batch: one hash for every batch behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A batch with everything that can be computed before the writer has to wait for it."""

    batch: SampleBatch
    canonical: bytes
    digest: str
    summary: Summary
    low: float
    high: float
    parts: tuple[Part, ...]
    latest: str
    accepted_at: str
