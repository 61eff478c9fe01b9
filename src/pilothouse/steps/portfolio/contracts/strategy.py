"""Values of strategy: objectives and what realises them, learnings and the evidence for and against them."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pilothouse.kernel.ledger import Sealed
from pilothouse.steps.portfolio.contracts import CriterionResult, Grade, Stage, UseCaseId

Stance = Literal["supports", "contradicts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewObjective:
    """A business objective that use cases are meant to serve."""

    slug: str
    title: str
    statement: str
    """What will be different, in a sentence that can turn out false."""
    owner: str = ""
    """Principal who answers for it; whoever defines it if empty."""
    due: str = ""
    """Day (ISO) by which it should be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveLink:
    """Count a share of one KPI's effect towards an objective; over all objectives the shares never pass 1."""

    objective: str
    use_case: str
    kpi: str
    share: float = 1.0
    """Fraction of the effect (0 to 1); 0 takes the link away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one KPI of one use case adds to an objective: its measured improvement a month, of which a share counts."""

    use_case_id: UseCaseId
    slug: str
    title: str
    stage: Stage
    share: float
    result: CriterionResult
    per_month: float | None
    """Improvement times monthly volume times share, in KPI units a month; None without volume or measurement."""
    low: float | None
    high: float | None
    """95 % interval of the same: it carries the measurement's doubt, not the volume's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealisedValue:
    """The sum over contributions of one unit; different units are never added."""

    unit: str
    per_month: float
    low: float
    high: float
    """Limits are added, which is wider than the sum of independent estimates would be: effects may move together."""
    grade: Grade
    """The weakest among what was added."""
    counted: int
    left_out: int
    """Contributions of this unit without data, which are missing and not zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """An objective with what contributes to it and what was realised so far."""

    slug: str
    title: str
    statement: str
    owner: str
    due: str
    defined_at: str
    contributions: tuple[Contribution, ...]
    realised: tuple[RealisedValue, ...]
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLearning:
    """Something a use case taught, as a sentence the next one can use."""

    statement: str
    use_case: str = ""
    """Where it was learned; empty for what comes from elsewhere."""
    entries: tuple[int, ...] = ()
    """Ledger entries that support it."""
    key: str = ""
    """Idempotency key: the same key sent twice is one learning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningEvidence:
    """Add evidence for or against a learning."""

    learning: str
    stance: Stance
    use_case: str
    entries: tuple[int, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One piece of evidence for or against a learning."""

    stance: Stance
    use_case_id: UseCaseId
    slug: str
    entries: tuple[int, ...]
    note: str | None
    added_by: str
    added_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """A learning with what supports and what contradicts it."""

    id: str
    statement: str | None
    """None once its author was erased."""
    use_case_id: str
    recorded_by: str
    recorded_at: str
    evidence: tuple[Evidence, ...]
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningQuery:
    """Which learnings: those that share words with a text, or all."""

    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveDefined:
    """An objective was defined or worded anew."""

    kind: ClassVar[str] = "portfolio.objective_defined"
    objective: str
    title: Sealed
    statement: Sealed
    owner: str
    due: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveLinked:
    """A share of a KPI's effect counts towards an objective from now on; 0 ends that."""

    kind: ClassVar[str] = "portfolio.objective_linked"
    objective: str
    use_case_id: UseCaseId
    kpi: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningRecorded:
    """Something was learned."""

    kind: ClassVar[str] = "portfolio.learning_recorded"
    learning: str
    use_case_id: str
    statement: Sealed
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningTested:
    """Evidence for or against a learning was added."""

    kind: ClassVar[str] = "portfolio.learning_tested"
    learning: str
    stance: Stance
    use_case_id: UseCaseId
    entries: tuple[int, ...]
    note: Sealed | None = None
