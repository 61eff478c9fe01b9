"""Values of the gateway: questions, prompts, completions, answers, receipts, releases, verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NewType

from pilothouse.kernel.ledger import Sealed
from pilothouse.steps.knowledge.contracts import DocumentId, Label, Passage, PassageId
from pilothouse.steps.knowledge.contracts.lineage import Origin
from pilothouse.steps.portfolio.contracts import UseCaseId

InteractionId = NewType("InteractionId", str)
ReleaseId = NewType("ReleaseId", str)
Outcome = Literal["allow", "hold", "block"]
Status = Literal["final", "held", "refused", "failed"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One earlier message of the conversation, as the client sent it."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Generation settings a client may choose; None leaves the model's default."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What someone asks, within a use case named by slug or id."""

    use_case: str
    text: str
    turns: tuple[Turn, ...] = ()
    instructions: str = ""
    """The client's own system message: appended below the release's instructions, never instead of them."""
    parameters: Parameters = field(default_factory=Parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A versioned bundle that answers: a model, instructions, worked examples, and how much it may read."""

    id: ReleaseId
    model: str
    instructions: str = "Answer from the passages, cite them by number, and say so when they do not answer."
    examples: tuple[tuple[str, str], ...] = ()
    passages: int = 6
    """How many passages are retrieved; 0 for use cases that answer without documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotServed:
    """The asker is not in the current phase of the use case; `rule` says which part of it excludes them."""

    rule: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model is given, still in parts; drivers render it into their own dialect."""

    instructions: str
    examples: tuple[tuple[str, str], ...]
    turns: tuple[Turn, ...]
    passages: tuple[Passage, ...]
    """Numbered from 1 in this order; texts are as masked."""
    question: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a model said, and what it cost; `cost_eur` is None when the model has no price."""

    text: str
    model: str
    tokens_in: int
    tokens_out: int
    finish_reason: FinishReason = "stop"
    cost_eur: float | None = None
    estimated_tokens: bool = False
    """True where the upstream gave no usage and the counts are our estimate."""
    answered: bool = True
    """False where the model itself says that the passages do not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of a streamed completion; the last one carries the whole completion."""

    text: str
    completion: Completion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check an answer went through, and how it came out."""

    name: str
    outcome: Outcome
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Everything of one exchange that a model would see, before it is screened."""

    question: str
    turns: tuple[Turn, ...]
    instructions: str
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """Verdict on the way in: the material as a model may see it, and the vault that restores it."""

    outcome: Outcome
    policy: str
    material: Material
    checks: tuple[Check, ...]
    masked: Mapping[str, int]
    """How many findings of each kind were masked, such as {"iban": 1}."""
    vault: tuple[tuple[str, str], ...]
    """(placeholder, original) pairs; sealed under the asker's key, never sent to a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A completed answer on its way out, with the passages it may cite."""

    text: str
    question: str
    passages: tuple[Passage, ...]
    citations: tuple[int, ...]
    """Numbers of the passages it cites (from 1), in order of first citation."""
    groundedness: float | None
    """Share of sentences supported by a cited passage, 0 to 1; None when nothing can be checked."""
    label: Label
    answered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """Verdict on the way out, and the text as it may leave."""

    outcome: Outcome
    policy: str
    text: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A source of an answer: document, version, page and the quoted sentence where there is one."""

    number: int
    passage_id: str
    document_id: str
    title: str
    path: str
    version: int
    page: int | None
    heading: tuple[str, ...]
    quote: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the asker receives: always labelled, always citable, always traceable."""

    interaction_id: InteractionId
    use_case: str
    status: Status
    text: str
    citations: tuple[Citation, ...]
    answered: bool
    groundedness: float | None
    checks: tuple[Check, ...]
    tokens_in: int
    tokens_out: int
    finish_reason: FinishReason
    reviewed_by: str = ""
    edited: bool = False
    ai_assisted: bool = True
    demo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRef:
    """Names one answer by its interaction id."""

    interaction_id: InteractionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Everything an auditor asks about one answer; proof of inclusion comes with the ledger entry it names."""

    interaction_id: InteractionId
    use_case: str
    asked_by: str
    asked_at: str
    release_id: ReleaseId
    model: str
    policy: str
    status: Status
    snapshot: str
    passage_ids: tuple[str, ...]
    cited: tuple[Citation, ...]
    checks: tuple[Check, ...]
    masked: Mapping[str, int]
    tokens_in: int
    tokens_out: int
    cost_eur: float | None
    latency_ms: float
    streamed: Literal["checked first", "streamed through", "not streamed"]
    question_commitment: str
    answer_commitment: str
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAsked:
    """A question reached the gateway; recorded before any model is called."""

    kind: ClassVar[str] = "gateway.question_asked"
    interaction_id: InteractionId
    use_case_id: UseCaseId
    release_id: ReleaseId
    question: Sealed
    masked: Mapping[str, int]
    unit: str
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRefused:
    """A question was not answered: by policy going in or out, or because no model could."""

    kind: ClassVar[str] = "gateway.answer_refused"
    interaction_id: InteractionId
    use_case_id: UseCaseId
    going: Literal["in", "out", "model", "phase"]
    policy: str
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGiven:
    """The wide record of one answer, committed before the asker sees a byte of it."""

    kind: ClassVar[str] = "gateway.answer_given"
    interaction_id: InteractionId
    use_case_id: UseCaseId
    release_id: ReleaseId
    unit: str
    outcome: Outcome
    policy: str
    answer: Sealed
    cited: tuple[str, ...]
    """Ids of the passages cited."""
    answered: bool
    groundedness: float | None
    label: Label
    checks: tuple[Check, ...]
    model: str
    tokens_in: int
    tokens_out: int
    cost_eur: float | None
    latency_ms: float
    streamed: str


SentenceStatus = Literal["supported", "unsupported", "not checkable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSentence:
    """One sentence of an answer, the passages it cites (numbers from 1), and whether they support it."""

    text: str
    citations: tuple[int, ...]
    status: SentenceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRoute:
    """How one model is reached, what it costs, and the highest label it may see. Keys are named, never held."""

    name: str
    kind: Literal["extractive", "openai"] = "openai"
    base_url: str = ""
    upstream_model: str = ""
    key_env: str = ""
    """Name of the environment variable that holds the key; empty for none."""
    clearance: Label = "internal"
    eur_per_million_in: float | None = None
    eur_per_million_out: float | None = None
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDefined:
    """A route to a model was defined or changed."""

    kind: ClassVar[str] = "gateway.model_defined"
    name: str
    driver: str
    base_url: str
    upstream_model: str
    clearance: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Askable:
    """A use case that the caller may ask now: what `/v1/models` lists."""

    slug: str
    use_case_id: UseCaseId
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersQuery:
    """Which answers to list: of one use case (slug or id), the newest first; `limit` counts answers (1 to 200)."""

    use_case: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLine:
    """One answer in a list, without its texts."""

    interaction_id: InteractionId
    use_case_id: UseCaseId
    slug: str
    principal: str
    unit: str
    asked_at: str
    status: Status
    model: str
    answered: bool
    groundedness: float | None
    latency_ms: float | None
    tokens_in: int
    tokens_out: int
    cost_eur: float | None
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why this answer: its sentences, what each stands on, and the passages that were read."""

    answer: Answer
    question: str | None
    sentences: tuple[AnswerSentence, ...]
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    """Texts to embed, at most 256 of at most 8,000 characters each."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """One unit vector a text, and the model that made them."""

    model: str
    vectors: tuple[tuple[float, ...], ...]
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFact:
    """One question as usage counts it: who of which unit asked what when, and how it ended."""

    id: str
    use_case_id: UseCaseId
    principal: str
    unit: str
    asked_at: str
    status: str
    answered: bool
    latency_ms: float | None
    cost_eur: float | None
    tokens_in: int
    tokens_out: int
    demo: bool
    given_seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactQuery:
    """Which document to follow forward; `every_version` follows its file through all its versions."""

    document_id: DocumentId
    every_version: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedIn:
    """An answer whose model was given a document: who saw it, from which version, and whether it cites it."""

    interaction_id: InteractionId
    use_case_id: UseCaseId
    slug: str
    principal: str
    asked_at: str
    status: Status
    versions: tuple[int, ...]
    cited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """Every answer that a document was used in, the newest first, and the people who saw one."""

    document_id: DocumentId
    answers: tuple[UsedIn, ...]
    people: tuple[str, ...]
    """Who asked, where the answer was shown; reviewers are in the ledger."""
    cited: int
    """Answers that cite it; the others only had it before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleQuery:
    """Which answers to look at: of one use case (slug or id) or all; `limit` counts stale answers (1 to 500)."""

    use_case: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleAnswer:
    """A shown answer that cites a document version which is served no more."""

    interaction_id: InteractionId
    slug: str
    principal: str
    asked_at: str
    passage_id: PassageId
    document_id: DocumentId | None
    """None when the passage was erased."""
    version: int | None
    newest: int | None
    """The version that is served now; None when the file is gone."""
    since: Literal["replaced", "removed", "erased"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageLink:
    """One passage that an answer had before it, back to the file it came from; `origin` is None once erased."""

    passage_id: PassageId
    cited: bool
    origin: Origin | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """An answer back to its sources: passages, document versions, digests, and the ledger entries that prove it."""

    interaction_id: InteractionId
    use_case_id: UseCaseId
    asked_at: str
    model: str
    release_id: ReleaseId
    snapshot: str
    """Names the state of the knowledge that answered."""
    links: tuple[LineageLink, ...]
    entries: tuple[int, ...]
    openlineage: str
    """The same as an OpenLineage run event, in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallRequest:
    """Call back what a wrong document told: every shown answer that cites it, with the reason its askers will read."""

    document_id: DocumentId
    reason: str
    every_version: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallNotice:
    """What an asker is told of an answer that was called back."""

    interaction_id: InteractionId
    document_id: DocumentId
    recalled_at: str
    recalled_by: str
    reason: str | None
    """None once erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersRecalled:
    """A person called back answers that cite a wrong document."""

    kind: ClassVar[str] = "gateway.answers_recalled"
    document_id: DocumentId
    interaction_ids: tuple[InteractionId, ...]
    reason: Sealed
