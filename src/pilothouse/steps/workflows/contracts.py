"""Values of workflows: what people say of answers where they use them, and better texts they propose."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pilothouse.kernel.ledger import Sealed
from pilothouse.stats.intervals import Estimate
from pilothouse.steps.gateway.contracts import InteractionId
from pilothouse.steps.portfolio.contracts import UseCaseId

Tag = Literal["", "wrong", "incomplete", "outdated", "off topic", "badly written", "saved time"]
"""What a rating is about, in a word; empty where the rater said none."""
CorrectionStatus = Literal["proposed", "taken", "declined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRating:
    """Say whether an answer was useful; rating again changes the rating."""

    interaction_id: InteractionId
    useful: bool
    tag: Tag = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """What somebody said of an answer."""

    interaction_id: InteractionId
    useful: bool
    tag: Tag
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
    """None when it was erased, and for readers who may see neither their own nor unmasked text."""
    proposed_at: str
    seq: int
    """Its ledger entry, by which it is settled."""
    status: CorrectionStatus = "proposed"
    settled_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Take or decline a proposed correction (named by its ledger entry), saying why."""

    seq: int
    taken: bool
    reason: str = ""
    use_case_id: str = ""
    """Where the caller's role is granted, if not everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCount:
    """How many ratings carry one tag."""

    tag: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What people said of a use case's answers; a share is None while there is nothing to take it of."""

    use_case_id: UseCaseId
    rated: int
    """Ratings; several people may rate one answer."""
    useful: Estimate | None
    """Share of ratings that say useful."""
    answers: int
    """Finished answers so far."""
    answers_rated: Estimate | None
    """Share of finished answers that somebody rated."""
    tags: tuple[TagCount, ...]
    corrections: int
    taken: int
    """Corrections that a reviewer took."""
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MyFeedback:
    """What the caller said of answers, the latest first, at most 50 of each."""

    ratings: tuple[Rating, ...]
    corrections: tuple[Correction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRated:
    """Somebody said whether an answer was useful."""

    kind: ClassVar[str] = "workflows.answer_rated"
    interaction_id: InteractionId
    use_case_id: UseCaseId
    useful: bool
    comment: Sealed | None
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionProposed:
    """Somebody proposed a better text for an answer."""

    kind: ClassVar[str] = "workflows.correction_proposed"
    interaction_id: InteractionId
    use_case_id: UseCaseId
    text: Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionSettled:
    """A reviewer took or declined a proposed correction."""

    kind: ClassVar[str] = "workflows.correction_settled"
    interaction_id: InteractionId
    use_case_id: UseCaseId
    correction: int
    """Ledger entry of the proposal."""
    taken: bool
    reason: Sealed | None
