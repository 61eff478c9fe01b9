"""Values of rollout: phases with their limits, health as measured, and the decisions to open, advance and halt."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pilothouse.kernel.ledger import Sealed
from pilothouse.stats.intervals import Estimate
from pilothouse.steps.gateway.contracts import Release, ReleaseId
from pilothouse.steps.portfolio.contracts import UseCaseId

PhaseStatus = Literal["open", "halted", "closed"]
Metric = Literal["failed share", "refused share", "held share", "not useful share", "latency p95"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Health that a phase must keep, over the last `window_days` days and from `answers_min` questions on."""

    failed_share_max: float = 0.10
    refused_share_max: float = 0.30
    held_share_max: float = 1.0
    """1 for use cases whose every answer a person checks; less where holding is meant to be rare."""
    not_useful_share_max: float = 0.5
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
    salt: str = ""
    """Drawn once a use case, with its first phase: who falls below a share in one use case need not in another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRelease:
    """Register what may answer: a model route, instructions, and how many passages it reads. It never changes."""

    use_case_id: UseCaseId
    model: str = "extractive"
    instructions: str = ""
    """Empty for the standard instructions."""
    passages: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredRelease:
    """A release as registered; its id is made from its content, so the same content is the same release."""

    use_case_id: UseCaseId
    release: Release
    digest: str
    registered_by: str
    registered_at: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPhase:
    """Open a phase in place of the one before. Name a registered release, or say what it consists of."""

    use_case_id: UseCaseId
    share: float = 1.0
    units: tuple[str, ...] = ()
    model: str = "extractive"
    instructions: str = ""
    passages: int = 6
    release_id: str = ""
    """A registered release; then model, instructions and passages are not read."""
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Serve more people: a larger share, further units (all of them, named), or both; a person says why."""

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
class ReleaseRegistered:
    """A release was registered: from now on it can be opened to people, and never changed."""

    kind: ClassVar[str] = "rollout.release_registered"
    use_case_id: UseCaseId
    release_id: ReleaseId
    model: str
    passages: int
    digest: str
    instructions: Sealed


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
    low: float | None = None
    high: float | None = None
    """Interval of the measured value at 95 %."""
