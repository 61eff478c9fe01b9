"""Values of rollout: phases with their limits, health as measured, and the decisions to open, advance and halt."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pilothouse.kernel.ledger import Sealed
from pilothouse.stats.intervals import Estimate
from pilothouse.steps.gateway.contracts import Release, ReleaseId
from pilothouse.steps.portfolio.contracts import UseCaseId

PhaseStatus = Literal["open", "halted", "closed"]
Metric = Literal["failed share", "refused share", "latency p95"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Health that a phase must keep, over the last `window_days` days and from `answers_min` questions on."""

    failed_share_max: float = 0.10
    refused_share_max: float = 0.30
    latency_ms_p95_max: float = 20_000.0
    window_days: int = 7
    answers_min: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Who is served by which release: people of these units whose bucket lies below the share."""

    use_case_id: UseCaseId
    number: int
    release: Release
    units: tuple[str, ...]
    """Directory units; empty means all."""
    share: float
    """Fraction of the people in those units, 0 to 1; the same person always falls on the same side."""
    status: PhaseStatus
    limits: Limits
    changed_at: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPhase:
    """Open a phase for a use case; it replaces the one before."""

    use_case_id: UseCaseId
    share: float = 1.0
    units: tuple[str, ...] = ()
    model: str = "extractive"
    instructions: str = ""
    passages: int = 6
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Serve more people: a larger share, further units, or both; a person says why."""

    use_case_id: UseCaseId
    share: float
    units: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Serve nobody from the next question on; anybody who may halt may do so at once."""

    use_case_id: UseCaseId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One health metric as measured, beside its limit; None while there are too few questions to say."""

    metric: Metric
    value: float | None
    interval: Estimate | None
    limit: float
    n: int
    breached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseOpened:
    """A phase was opened: this release for these units and this share of their people."""

    kind: ClassVar[str] = "rollout.phase_opened"
    use_case_id: UseCaseId
    number: int
    release_id: ReleaseId
    model: str
    units: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChanged:
    """A phase advanced, was halted or closed, and why."""

    kind: ClassVar[str] = "rollout.phase_changed"
    use_case_id: UseCaseId
    number: int
    action: Literal["advanced", "halted", "closed"]
    units: tuple[str, ...]
    share: float
    reason: Sealed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthBreached:
    """A health limit was breached: the phase halts without a person."""

    kind: ClassVar[str] = "rollout.health_breached"
    use_case_id: UseCaseId
    number: int
    metric: Metric
    value: float
    limit: float
    n: int
