"""Values of gates: the rules of each gate, votes, conditions, what waits for a decision, and the board's paper."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pilothouse.kernel.ledger import Sealed
from pilothouse.steps.portfolio.contracts import (
    DecidedGate,
    GateAssessment,
    Grade,
    Reason,
    RiskTier,
    Stage,
    UseCase,
    UseCaseId,
    Verdict,
)

Cause = Literal["kill criterion", "votes wanted", "condition overdue", "decision expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicy:
    """The rules of the gate out of one stage for one risk tier."""

    stage: Stage
    risk_tier: RiskTier
    quorum: int
    """How many people must vote for a go; caution (hold, recycle, kill) needs one."""
    grade_min: Grade
    """Weakest evidence grade that may carry a mandatory KPI through this gate."""
    valid_days: int
    """How long a go stands before somebody must look again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatePolicySet:
    """The rules of a gate were changed."""

    kind: ClassVar[str] = "portfolio.gate_policy_set"
    stage: Stage
    risk_tier: RiskTier
    quorum: int
    grade_min: Grade
    valid_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVote:
    """One person's vote in the open round of a gate; a later vote of the same person replaces it."""

    use_case_id: UseCaseId
    by: str
    verdict: Verdict
    reason: str | None
    at: str
    expires_at: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVoted:
    """Somebody voted at a gate whose quorum is not complete yet, or completed it."""

    kind: ClassVar[str] = "portfolio.gate_voted"
    use_case_id: UseCaseId
    stage: Stage
    verdict: Verdict
    recommended: Verdict
    reason: Sealed
    digest: str
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionOpened:
    """Evidence asks for a decision without a meeting having been called, such as a kill criterion that fired."""

    kind: ClassVar[str] = "portfolio.decision_opened"
    use_case_id: UseCaseId
    stage: Stage
    cause: Cause
    recommended: Verdict
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCondition:
    """A condition of a decision, and whether somebody confirmed that it is met."""

    use_case_id: UseCaseId
    gate_seq: int
    number: int
    text: str | None
    due: str
    met_at: str
    met_by: str
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetCondition:
    """Confirm that a condition of a decision is met; its owner cannot."""

    use_case_id: UseCaseId
    gate_seq: int
    number: int
    note: str
    """What was seen that shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionMet:
    """A condition of a decision was confirmed as met."""

    kind: ClassVar[str] = "portfolio.condition_met"
    use_case_id: UseCaseId
    gate_seq: int
    number: int
    note: Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDecision:
    """A decision that waits for people, and since when."""

    use_case_id: UseCaseId
    slug: str
    title: str
    stage: Stage
    cause: Cause
    since: str
    says: str
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPaper:
    """The page a board can sign: the question, the evidence with its grades, what it recommends, votes, conditions."""

    use_case: UseCase
    question: str
    assessment: GateAssessment
    policy: GatePolicy
    votes: tuple[GateVote, ...]
    conditions: tuple[GateCondition, ...]
    reasons: tuple[Reason, ...]
    decided: DecidedGate | None = None
    """The decision, when the paper is the record of one; then everything above is as its deciders saw it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRef:
    """Names a decision by its ledger entry."""

    use_case: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonsRow:
    """One use case in the heat map of the ten reasons: its statuses in the playbook's order."""

    use_case_id: UseCaseId
    slug: str
    title: str
    stage: Stage
    reasons: tuple[Reason, ...]
    demo: bool
