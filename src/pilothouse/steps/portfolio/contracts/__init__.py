"""Values of the portfolio: use cases, KPIs, baselines, criteria, evidence, and the decisions made on them."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NewType

from pilothouse.kernel.decision import Condition, Decision
from pilothouse.kernel.ledger import Sealed
from pilothouse.stats.intervals import Estimate

UseCaseId = NewType("UseCaseId", str)
Stage = Literal["idea", "pilot", "limited", "scaled", "retired"]
RiskTier = Literal["minimal", "limited", "high"]
Grade = Literal["E0", "E1", "E2", "E3", "E4"]
"""Evidence grade: assumed, self-reported, before/after, quasi-experiment with passing diagnostics, randomised."""
Verdict = Literal["go", "conditional go", "hold", "recycle", "kill"]
FactStatus = Literal["covered", "exposed", "no data"]
Status = Literal["met", "not met", "straddles", "kill", "no data"]
Autonomy = Literal["drafts for a person", "answers people", "acts alone"]
Audience = Literal["own team", "employees", "customers", "public"]
Period = Literal["baseline", "current"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What someone says when they propose a use case; every field is a plain answer to one question."""

    title: str
    problem: str
    outcome: Literal["cost", "speed", "quality", "revenue", "risk", "experience"]
    unit_of_work: str
    """What is counted, such as `complaint handled`."""
    volume_per_month: float | None = None
    current_cost_eur: float | None = None
    """Cost of one unit of work today, in EUR; None while nobody has measured it."""
    audience: Audience = "employees"
    autonomy: Autonomy = "drafts for a person"
    data_classes: tuple[str, ...] = ()
    """Such as `personal`, `special category`, `payment`, `trade secret`, `public`."""
    purpose: str = ""
    """Field of use where the law asks: `credit scoring`, `hiring`, `biometrics`, … empty for none of them."""
    geographies: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    """Directory units the use case is meant for; empty means all."""
    sources: tuple[str, ...] = ()
    """Knowledge sources it may answer from; empty means every source its asker may read."""
    owner: str = ""
    """Principal who answers for the benefit; the proposer if empty."""
    slug: str = ""
    """Short name in addresses and in `model`; made from the title if empty."""
    join_anyway: str = ""
    """Reason to go on although a likely duplicate was shown."""
    benefit_owner: str = ""
    """Principal in whose budget or targets the benefit shows; nobody yet if empty."""
    kill_criteria: str = ""
    """When this is to be stopped, in a sentence agreed before anything is built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """An existing use case that a proposal resembles, how much (share of shared words, 0 to 1), and by which words."""

    use_case_id: UseCaseId
    slug: str
    title: str
    share: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLearning:
    """What an earlier use case taught about the same thing, and how much speaks for and against it."""

    id: str
    statement: str
    supports: int
    contradicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAhead:
    """A gate on the way, and what it will ask."""

    stage: Stage
    quorum: int
    grade_min: Grade
    valid_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """What intake answers in one sitting: may it go on, how risky, like what, worth what, and what lies ahead."""

    verdict: Literal["welcome", "duplicate", "deferred", "prohibited"]
    risk_tier: RiskTier
    reasons: tuple[str, ...]
    duplicates: tuple[Likeness, ...] = ()
    work_eur_year: float | None = None
    """What the work costs today (EUR a year): the most that could be saved; None while volume or cost is unknown."""
    gates: tuple[GateAhead, ...] = ()
    open_points: tuple[str, ...] = ()
    """What the first gate will ask for and the proposal does not say yet."""
    learnings: tuple[PastLearning, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCase:
    """A business problem with an owner, a risk tier and a stage."""

    id: UseCaseId
    slug: str
    title: str
    problem: str
    outcome: str
    unit_of_work: str
    volume_per_month: float | None
    current_cost_eur: float | None
    audience: Audience
    autonomy: Autonomy
    data_classes: tuple[str, ...]
    geographies: tuple[str, ...]
    units: tuple[str, ...]
    sources: tuple[str, ...]
    owner: str
    proposed_by: str
    risk_tier: RiskTier
    tier_reasons: tuple[str, ...]
    stage: Stage
    benefit_owner: str = ""
    kill_criteria: str = ""
    trial: bool
    """Askable only by its owner, never counted, cannot advance: what `init` creates so that a stranger can ask."""
    proposed_at: str
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What every later step may ask about a use case before doing work for it."""

    use_case_id: UseCaseId
    slug: str
    title: str
    stage: Stage
    risk_tier: RiskTier
    owner: str
    units: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    trial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """A measure of one use case, and the bar that its change against the baseline must clear."""

    use_case_id: UseCaseId
    slug: str
    title: str
    unit: str
    """Unit of one sample, such as `min` or `EUR`; `share` for proportions."""
    shape: Literal["mean", "proportion"]
    better: Literal["lower", "higher"]
    least_change: float
    """How far the mean (or share) must move in the better direction, in KPI units, positive."""
    mandatory: bool = True
    kill_below: float | None = None
    """Kill when the whole interval of the improvement lies under this (KPI units); None for no kill criterion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleBatch:
    """Observations of one KPI in one period; for proportions each value is 0 or 1."""

    use_case_id: UseCaseId
    kpi: str
    period: Period
    values: tuple[float, ...]
    source: str
    """Where they come from: system, query or person."""
    instrument: str = ""
    """How they were measured, such as `ticket timestamps` or `stopwatch, 3 observers`."""
    starts_on: str = ""
    ends_on: str = ""
    """First and last day the samples cover (ISO dates)."""
    grade: Grade = "E2"
    key: str = ""
    """Idempotency key: the same key sent twice is one batch."""
    times: tuple[str, ...] = ()
    """One instant (ISO, with offset) a value, in the same order; empty when only the days are known."""
    unit: str = ""
    """Unit of the values, checked against the KPI's where it is given; nothing is converted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A frozen measurement of a KPI before the use case: immutable, hashed, replaced only by a new version."""

    use_case_id: UseCaseId
    kpi: str
    version: int
    n: int
    mean: float
    sd: float | None
    total: float
    total_squares: float
    starts_on: str
    ends_on: str
    instrument: str
    source: str
    frozen_by: str
    frozen_at: str
    digest: str
    """SHA-256 (hex) of the canonical batch contents it was frozen from."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFact:
    """One fact a step offers to gates: `entries` are the ledger entries behind it."""

    name: str
    step: str
    status: FactStatus
    says: str
    """The fact in a sentence, such as `RACI complete: Mara Lindt is accountable`."""
    mandatory: bool = True
    reason_covered: int = 0
    """Which of the playbook's ten reasons for failure it speaks to (1 to 10); 0 for none."""
    action: str = ""
    """The one thing that would cover it, when it is not covered."""
    valid_until: str = ""
    entries: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionResult:
    """One KPI held against its bar: the estimate is after minus before, in KPI units, signed."""

    kpi: Kpi
    baseline: Baseline | None
    estimate: Estimate | None
    grade: Grade
    status: Status
    n_current: int
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAssessment:
    """What the evidence recommends for the gate out of the current stage; a person still decides."""

    use_case_id: UseCaseId
    stage: Stage
    recommended: Verdict
    why: tuple[str, ...]
    results: tuple[CriterionResult, ...]
    facts: tuple[GateFact, ...]
    evidence: tuple[int, ...]
    digest: str = ""
    """SHA-256 (hex) of all of the above in canonical form: a decision names the one its deciders saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRequest:
    """Vote at the gate out of the current stage; the vote that completes the quorum decides it."""

    use_case_id: UseCaseId
    verdict: Verdict
    reason: str
    conditions: tuple[Condition, ...] = ()
    dissent: tuple[str, ...] = ()
    """Dissent heard but not voted, in its own words."""
    digest: str = ""
    """Digest of the assessment that was seen; when given, evidence that changed since refuses the vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedGate:
    """A decision as pages and clients read it, or a vote that waits for others to complete the quorum."""

    use_case_id: UseCaseId
    verdict: Verdict
    recommended: Verdict
    reason: str | None
    was: Stage
    now: Stage
    decided_by: str
    decided_at: str
    conditions: tuple[Condition, ...]
    dissent: tuple[str, ...]
    seq: int
    """The decision's ledger entry; the vote's while the decision waits."""
    status: Literal["decided", "waiting"] = "decided"
    votes_missing: int = 0
    """How many more people must vote the same for the decision to be made."""
    expires_at: str = ""
    """Day (ISO) until which it stands without being looked at again; empty for what does not expire."""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseRef:
    """Names one use case by id or slug."""

    use_case: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioQuery:
    """Which use cases to list; empty fields do not narrow."""

    stage: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeRequest:
    """Freeze what was measured in the baseline period; a second freeze needs a reason and makes a new version."""

    use_case_id: UseCaseId
    kpi: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseProposed:
    """A use case entered the portfolio."""

    kind: ClassVar[str] = "portfolio.use_case_proposed"
    use_case_id: UseCaseId
    slug: str
    title: Sealed
    problem: Sealed
    risk_tier: RiskTier
    triage: str
    owner: str
    trial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiDefined:
    """A KPI was defined or its bar changed (then `version` grows)."""

    kind: ClassVar[str] = "portfolio.kpi_defined"
    use_case_id: UseCaseId
    kpi: str
    unit: str
    shape: str
    better: str
    least_change: float
    mandatory: bool
    kill_below: float | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesAccepted:
    """A batch of observations was accepted: its sums, its period, and the hash of its canonical form."""

    kind: ClassVar[str] = "portfolio.samples_accepted"
    use_case_id: UseCaseId
    kpi: str
    batch_id: str
    period: Period
    source: str
    grade: Grade
    n: int
    total: float
    total_squares: float
    starts_on: str
    ends_on: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineFrozen:
    """A baseline was frozen: immutable from here on."""

    kind: ClassVar[str] = "portfolio.baseline_frozen"
    use_case_id: UseCaseId
    kpi: str
    version: int
    n: int
    mean: float
    sd: float | None
    starts_on: str
    ends_on: str
    instrument: str
    digest: str
    reason: Sealed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecided:
    """A gate was decided: by whom is on the entry, why and on what evidence is here."""

    kind: ClassVar[str] = "portfolio.gate_decided"
    use_case_id: UseCaseId
    was: Stage
    now: Stage
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiStanding:
    """A KPI against its frozen baseline today: what pages show and gates read."""

    kpi: Kpi
    result: CriterionResult
    entries: tuple[int, ...]
    """Ledger entries of the baseline and of the latest 50 batches behind the figure; `chain` stands for all of them."""
    demo: bool
    batches: int = 0
    """How many batches are behind the figure."""
    chain: str = ""
    """SHA-256 (hex) chained over the digests of all of them, in order."""
    latest: str = ""
    """Instant up to which there are samples; empty when there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One of the playbook's ten reasons for failure, held against the facts of one use case."""

    number: int
    title: str
    status: FactStatus
    facts: tuple[GateFact, ...]
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One accepted batch of observations, as provenance shows it."""

    id: str
    period: Period
    source: str
    instrument: str
    grade: Grade
    starts_on: str
    ends_on: str
    n: int
    mean: float
    digest: str
    seq: int
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiRef:
    """Names one KPI of one use case (id or slug)."""

    use_case: str
    kpi: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixPoint:
    """Where a use case lies between what its work costs today and what makes it hard to bring about."""

    use_case_id: UseCaseId
    slug: str
    title: str
    stage: Stage
    risk_tier: RiskTier
    spend_eur_month: float | None
    """Volume times unit cost (EUR a month): the work the use case is about, an upper bound of any saving."""
    complexity: int
    """Points, from 0; what they are for stands in `complexity_from`."""
    complexity_from: tuple[str, ...]
    quick_win: bool
    demo: bool
