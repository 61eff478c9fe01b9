"""Values of workflows: what people say of answers where they use them, and better texts they propose."""

from dataclasses import dataclass
from typing import ClassVar

from pilothouse.kernel.ledger import Sealed
from pilothouse.stats.intervals import Estimate
from pilothouse.steps.gateway.contracts import InteractionId
from pilothouse.steps.portfolio.contracts import UseCaseId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRating:
    """Say whether an answer was useful; rating again changes the rating."""

    interaction_id: InteractionId
    useful: bool
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What somebody said of an answer."""

    interaction_id: InteractionId
    useful: bool
    comment: str | None
    """None when there is none, or when it was erased."""
    rated_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCorrection:
    """A better text for an answer, by somebody who may read it."""

    interaction_id: InteractionId
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A proposed better text, with the same receipt id as the answer."""

    interaction_id: InteractionId
    proposed_by: str
    text: str | None
    proposed_at: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What people said of a use case's answers; the share is None while nobody rated."""

    use_case_id: UseCaseId
    rated: int
    useful: Estimate | None
    corrections: int
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRated:
    """Somebody said whether an answer was useful."""

    kind: ClassVar[str] = "workflows.answer_rated"
    interaction_id: InteractionId
    use_case_id: UseCaseId
    useful: bool
    comment: Sealed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionProposed:
    """Somebody proposed a better text for an answer."""

    kind: ClassVar[str] = "workflows.correction_proposed"
    interaction_id: InteractionId
    use_case_id: UseCaseId
    text: Sealed
