"""What each page may show: one frozen value a page, so that a template can use nothing that is not named here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pilothouse.directory.contracts import Person
from pilothouse.doors.console.charts import Chart
from pilothouse.doors.console.desk import RefusedForm
from pilothouse.doors.console.filtering import Rectangle
from pilothouse.kernel.explorer import Head, InclusionProof
from pilothouse.kernel.jobs import Job
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.work import Work
from pilothouse.steps.adoption.contracts import UsageReport
from pilothouse.steps.gateway.contracts import Askable, Explained, ModelRoute, Receipt
from pilothouse.steps.knowledge.contracts import (
    Document,
    DocumentQuery,
    DocumentView,
    Finding,
    Quarantined,
    Source,
)
from pilothouse.steps.knowledge.contracts.cleansing import FindingLine, SetAside, SideBySide
from pilothouse.steps.knowledge.contracts.connections import Connection
from pilothouse.steps.oversight.contracts import Review, ReviewSummary
from pilothouse.steps.people.contracts import Course, CourseSummary, Credential, QuizResult, Squad
from pilothouse.steps.portfolio.contracts import (
    Batch,
    DecidedGate,
    GateAssessment,
    KpiStanding,
    MatrixPoint,
    Reason,
    Triage,
    UseCase,
)
from pilothouse.steps.portfolio.contracts.deciding import BoardPaper, ReasonsRow
from pilothouse.steps.portfolio.contracts.experiments import Deviation, Experiment, ExperimentResult, Look
from pilothouse.steps.portfolio.contracts.samples import BaselineVersion
from pilothouse.steps.portfolio.contracts.strategy import Learning, Objective
from pilothouse.steps.rollout.contracts import Measured, Phase
from pilothouse.steps.workflows.contracts import Correction, Feedback


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioPage:
    """Every use case, as a table and as the matrix."""

    use_cases: tuple[UseCase, ...]
    """One page of those that the rectangle leaves."""
    points: Mapping[str, MatrixPoint]
    """By slug."""
    matrix: Chart | None
    within: Rectangle
    ends: Mapping[str, float]
    """Upper ends of the matrix's axes."""
    count: int
    everything: int
    page: int
    pages: int
    owners: Mapping[str, str]
    refused: RefusedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalPage:
    """Intake: the form, what it refused, and what triage says so far."""

    refused: RefusedForm = field(default_factory=RefusedForm)
    triage: Triage | None = None
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """One point of a use case's story."""

    at: str
    says: str
    seq: int
    is_decision: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCasePage:
    """A use case from idea to today."""

    use_case: UseCase
    owner: str
    kpis: tuple[tuple[KpiStanding, Chart | None], ...]
    """Each KPI with its picture."""
    gate: GateAssessment
    decisions: tuple[DecidedGate, ...]
    reasons: tuple[Reason, ...]
    story: tuple[Milestone, ...]
    receipts: tuple[tuple[str, str, str], ...]
    """(interaction id, when, status) of the latest answers, for those who may list them."""
    may_decide: bool
    refused: RefusedForm = field(default_factory=RefusedForm)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPage:
    """The page a decision is made on, or its record."""

    paper: BoardPaper
    names: Mapping[str, str]
    may_decide: bool
    refused: RefusedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonsPage:
    """Every live use case against the ten reasons."""

    rows: tuple[ReasonsRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectivesPage:
    """Objectives, and the KPIs that may be counted towards them as (`use case/KPI`, title)."""

    objectives: tuple[Objective, ...]
    names: Mapping[str, str]
    kpis: tuple[tuple[str, str], ...]
    refused: RefusedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningsPage:
    """Learnings, all or those about a text."""

    learnings: tuple[Learning, ...]
    text: str
    names: Mapping[str, str]
    use_cases: tuple[tuple[str, str], ...]
    refused: RefusedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentsPage:
    """The experiments of one use case."""

    use_case: UseCase
    experiments: tuple[Experiment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPage:
    """One experiment from registration to verdict."""

    use_case: UseCase
    experiment: Experiment
    looks: tuple[Look, ...]
    deviations: tuple[Deviation, ...]
    result: ExperimentResult | None
    names: Mapping[str, str]
    sequence: Chart | None
    power: Chart | None
    verdict: Chart | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiPage:
    """Where a KPI's figure comes from: formula, baseline, batches, entries."""

    use_case: UseCase
    standing: KpiStanding
    picture: Chart | None
    batches: tuple[Batch, ...]
    versions: tuple[BaselineVersion, ...] = ()
    may_measure: bool = False
    refused: RefusedForm = field(default_factory=RefusedForm)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPage:
    """The ledger's head and one page of its entries, newest first."""

    head: Head
    entries: tuple[Entry, ...]
    kind: str
    stream: str
    older: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """One entry with its body and the proof that it is in the log."""

    proof: InclusionProof
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that a search found."""

    kind: str
    title: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPage:
    """What a search found, of every kind that its reader may see."""

    query: str
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One thing that waits for somebody; `rail` says where it belongs."""

    rail: str
    title: str
    address: str
    since: str
    urgent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictured:
    """The one picture of a home, and the question it answers."""

    title: str
    chart: Chart


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """A desk: what waits, what runs, what changed since one was here last, and one picture."""

    role: str
    picture: Pictured | None
    since: str
    """When one signed in before; empty on the first visit."""
    changes: tuple[tuple[str, Milestone], ...]
    """(use case's slug, what happened), newest first."""

    waiting: tuple[Waiting, ...]
    jobs: tuple[Work | Job, ...]
    """Long work that goes on, or failed."""
    answers: tuple[Explained, ...]
    use_cases: tuple[UseCase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkPage:
    """One piece of long work, with what ending it would mean."""

    work: Work
    may_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPage:
    """The question form, and what it refused."""

    askable: tuple[Askable, ...]
    refused: RefusedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPage:
    """One answer by sentence, what it stands on, and what people said of it."""

    found: Explained
    is_held: bool
    corrections: tuple[Correction, ...]
    refused: RefusedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptPage:
    """One receipt."""

    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsPage:
    """The routes to models, and the form that adds one."""

    routes: tuple[ModelRoute, ...]
    refused: RefusedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """The queue of reviews."""

    reviews: tuple[ReviewSummary, ...]
    status: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPage:
    """One review beside its evidence."""

    review: Review
    names: Mapping[str, str]
    refused: RefusedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgePage:
    """Sources with their health, findings and quarantine."""

    sources: tuple[Source, ...]
    findings: tuple[Finding, ...]
    quarantined: tuple[Quarantined, ...]
    names: Mapping[str, str]
    connections: tuple[Connection, ...]
    """Systems that fill sources, for those who may sync them."""
    kinds: tuple[tuple[str, str], ...]
    to_decide: int
    """Findings between documents that wait for somebody's decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsPage:
    """Documents that a reader may open."""

    documents: tuple[Document, ...]
    query: DocumentQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentPage:
    """One document with its passages."""

    view: DocumentView


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionPage:
    """Weekly use of one use case."""

    use_cases: tuple[UseCase, ...]
    chosen: str
    report: UsageReport | None
    weekly: Chart | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRow:
    """A use case's feedback, and its corrections that nobody settled."""

    use_case: UseCase
    feedback: Feedback
    corrections: tuple[Correction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowsPage:
    """Feedback by use case."""

    rows: tuple[WorkflowRow, ...]
    names: Mapping[str, str]
    refused: RefusedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRow:
    """A use case's newest phase and its health."""

    use_case: UseCase
    phase: Phase
    health: tuple[Measured, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPage:
    """Whom the phases serve."""

    rows: tuple[RolloutRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePage:
    """Courses, own credentials, squads."""

    courses: tuple[CourseSummary, ...]
    credentials: tuple[Credential, ...]
    squads: tuple[Squad, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoursePage:
    """A course with its quiz, and how the last attempt went."""

    course: Course
    result: QuizResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsPage:
    """Who one is; a new key is shown once."""

    me: Person
    people: tuple[Person, ...]
    new_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsPage:
    """What documents say differently, and what decisions keep from being served."""

    lines: tuple[FindingLine, ...]
    aside: tuple[SetAside, ...]
    kind: str
    state: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingPage:
    """One finding with both sides."""

    found: SideBySide
    names: Mapping[str, str]
    refused: RefusedForm
