"""Values of oversight: policies, exchanges under review, evidence by sentence, decisions and corrections."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NewType

from pilothouse.kernel.ledger import Sealed
from pilothouse.steps.gateway.contracts import Check, InteractionId, ReleaseId
from pilothouse.steps.knowledge.contracts import Label, Passage
from pilothouse.steps.portfolio.contracts import RiskTier, UseCaseId

ReviewId = NewType("ReviewId", str)
ReviewStatus = Literal["open", "escalated", "approved", "edited", "sent back"]
Choice = Literal["approve", "edit", "send back", "escalate"]
EvidenceStatus = Literal["supported", "contradicted", "nothing found", "no claim"]
FactKind = Literal["number", "percent", "money", "date", "code", "name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is checked and when an answer waits for a person, for one risk tier or one use case."""

    tier: RiskTier
    version: int
    use_case_id: str = ""
    change: int = 0
    """Set where a use case has thresholds of its own, and which change of them this is, from 1."""
    masks: bool = True
    holds_every_answer: bool = False
    holds_below_groundedness: float | None = None
    """Share of supported sentences (0 to 1) under which an answer waits; None never."""
    holds_from_label: Label | None = None
    """Sensitivity from which an answer waits; None never."""
    holds_attacks: bool = True
    """Whether a suspicious question or document makes the answer wait."""
    suspects_from: float = 0.5
    blocks_from: float = 0.9
    """Scores (0 to 1) from which a question is suspicious, and from which it is refused."""
    review_within_hours: int = 24

    @property
    def id(self) -> str:
        """What answers and receipts record: which rules, in which version."""
        own = f"+{self.use_case_id}.{self.change}" if self.use_case_id else ""
        return f"oversight/{self.tier}@{self.version}{own}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRef:
    """Names the use case whose policy is asked for (id or slug)."""

    use_case: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """Thresholds of one use case; a high-risk one keeps holding every answer, whatever is asked."""

    use_case_id: str
    reason: str
    holds_every_answer: bool = False
    holds_below_groundedness: float | None = None
    holds_from_label: Label | None = None
    review_within_hours: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One question with its draft as it is stored; oversight covers every text by the vault before anybody sees it."""

    interaction_id: InteractionId
    use_case_id: UseCaseId
    release_id: ReleaseId
    asked_by: str
    question: str
    draft: str
    passages: tuple[Passage, ...]
    vault: tuple[tuple[str, str], ...]
    is_held: bool
    """False once the asker got an answer or a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewQuery:
    """Which reviews to list: those that wait (open or escalated), those decided, or all; of one use case if given."""

    status: Literal["waiting", "decided", "all"] = "waiting"
    use_case_id: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRef:
    """Names one review; whoever reads with a role on one use case only names that too."""

    review_id: ReviewId
    use_case_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSummary:
    """A review as the queue shows it."""

    id: ReviewId
    interaction_id: InteractionId
    use_case_id: UseCaseId
    use_case: str
    risk_tier: RiskTier
    status: ReviewStatus
    opened_at: str
    due_at: str
    is_overdue: bool
    held_because: tuple[Check, ...]
    policy: str
    label: Label
    groundedness: float | None
    asked_by: str
    """Empty where the reader may not know who asked."""
    escalated_by: str
    decided_by: str
    decided_at: str
    reason: str | None
    """Why it was sent back, edited or escalated; None once the text was erased."""
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSentence:
    """One sentence of a draft with its evidence: `start` and `end` are characters in the text of that passage."""

    text: str
    status: EvidenceStatus
    passage: int | None
    """Number of the best passage, from 1."""
    start: int
    end: int
    share: float
    """Share of the sentence's words that the best passage sentence holds, 0 to 1."""
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFact:
    """A figure, date or name of the draft that stands in no passage and not in the question."""

    kind: FactKind
    text: str
    """In normal form, such as `EUR 1250` or `2026-03-01`; names as written."""
    sentence: int
    """Which sentence of the draft, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedPassage:
    """A passage as the reviewer reads it, beside the draft."""

    number: int
    passage_id: str
    title: str
    path: str
    version: int
    page: int | None
    heading: tuple[str, ...]
    text: str
    label: Label
    suspicions: tuple[str, ...]
    """Rules that say this passage talks to the model; empty for an ordinary text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Everything a reviewer sees, and the digest that binds a decision to it."""

    summary: ReviewSummary
    question: str
    draft: str
    sentences: tuple[DraftSentence, ...]
    new_facts: tuple[NewFact, ...]
    passages: tuple[ReviewedPassage, ...]
    is_masked: bool
    """True where personal data is shown as placeholders."""
    may_unmask: bool
    digest: str
    """SHA-256 (hex) over draft, passages and question: send it back with the decision."""
    obstacle: str
    """Why the reader may not decide this review; empty if they may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDecision:
    """A reviewer's decision on exactly what they saw; `text` is the better answer of an edit."""

    review_id: ReviewId
    decision: Choice
    digest: str
    text: str = ""
    reason: str = ""
    use_case_id: str = ""
    """Named by reviewers whose role holds on one use case only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOpened:
    """A held answer waits for a person."""

    kind: ClassVar[str] = "oversight.review_opened"
    review_id: ReviewId
    interaction_id: InteractionId
    use_case_id: UseCaseId
    due_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDecided:
    """A person decided on an answer, or passed it on; who is on the entry."""

    kind: ClassVar[str] = "oversight.review_decided"
    review_id: ReviewId
    interaction_id: InteractionId
    use_case_id: UseCaseId
    decision: Choice
    digest: str
    waited_s: int
    reason: Sealed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCorrected:
    """A person replaced an answer with a better one: the raw material of improvement; texts are masked and sealed."""

    kind: ClassVar[str] = "oversight.answer_corrected"
    interaction_id: InteractionId
    use_case_id: UseCaseId
    release_id: ReleaseId
    question: Sealed
    rejected: Sealed
    preferred: Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanged:
    """A use case got thresholds of its own; `was` and `now` are policy ids."""

    kind: ClassVar[str] = "oversight.policy_changed"
    use_case_id: UseCaseId
    was: str
    now: str
    holds_every_answer: bool
    holds_below_groundedness: float | None
    holds_from_label: str
    review_within_hours: int
    reason: Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How the reviews of one use case stand, counted from the rows."""

    waiting: int
    overdue: int
    decided: int
    overridden: int
    """Edited or sent back."""
