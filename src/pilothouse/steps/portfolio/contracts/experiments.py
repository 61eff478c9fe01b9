"""Values of experiments: what was registered, who is in which arm, what was observed, and what may be said of it."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pilothouse.kernel.ledger import Sealed
from pilothouse.steps.portfolio.contracts import Grade, Kpi, UseCaseId

Design = Literal["randomised", "cluster randomised", "stepped wedge", "switchback", "difference in differences",
                 "interrupted time series", "before and after"]
"""Who or what gets the treatment: a person or team drawn by lot, teams in drawn order, time slots drawn by lot, a
group that was chosen, everyone from a day on with a series before it, everyone from a day on."""
Arm = Literal["control", "treatment"]
Status = Literal["registered", "running", "stopped", "concluded"]
Monitoring = Literal["fixed", "sequential"]
"""`fixed`: effects are shown once, at the end. `sequential`: at any look, at the price of a wider interval."""
VerdictOfPilot = Literal["success", "failure", "inconclusive", "no data", "blocked"]
Altered = Literal["assignment", "metric", "analysis", "stop rule", "period", "size", "treatment", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """Something known of a person before the start, as a number (such as years in the job)."""

    name: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person in the experiment: directory id or pseudonym, never a name."""

    person: str
    cluster: str = ""
    """Team whose work they share; in cluster designs whole teams are assigned."""
    stratum: str = ""
    """Unit within which lots are drawn and effects are compared, such as a country or a department."""
    arm: Literal["", "control", "treatment"] = ""
    """Only where the group was chosen, not drawn (difference in differences)."""
    traits: tuple[Trait, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailMetric:
    """A KPI that must not get worse by more than `margin` (positive, KPI units, in its worse direction)."""

    kpi: str
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """Ask how many people, teams and days a pilot needs; the spread comes from the frozen baseline unless given."""

    use_case_id: UseCaseId
    kpi: str
    least_effect: float
    """Smallest effect worth acting on (KPI units, positive)."""
    design: Design = "cluster randomised"
    monitoring: Monitoring = "fixed"
    power: float = 0.8
    confidence: float = 0.95
    sd: float | None = None
    """Standard deviation between people (KPI units); None takes the frozen baseline's."""
    covariate_correlation: float = 0.0
    """Correlation of the KPI with itself before the start, which CUPED uses; 0 for none."""
    cluster_size: float = 8.0
    size_variation: float = 0.0
    """Standard deviation of team sizes over their mean."""
    intraclass: float = 0.05
    """Share of variance between teams; .05 is a guess to replace by a measurement."""
    looks: int = 1
    people_per_day: float | None = None
    """People newly observed a day; None gives no duration."""
    margin: float | None = None
    """Margin of a guardrail on the same KPI scale, to be told its size too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How large and how long: people and teams over both arms, and what that promises."""

    people: int
    teams: int
    """0 where people are drawn one by one."""
    days: int | None
    power: float
    design_effect: float
    people_for_margin: int | None
    assumed_sd: float
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerPoint:
    """The chance (0 to 1) of finding a true effect of this size (KPI units, positive in the better direction)."""

    effect: float
    power: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCurve:
    """What an experiment promised to find at its registration, by size of the true effect; no data of its own in it."""

    kpi: str
    unit: str
    least_effect: float
    points: tuple[PowerPoint, ...]
    spread: float
    """Standard deviation between people's averages (KPI units) up to which the promise holds."""
    says: tuple[str, ...]
    """What was counted, in sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Everything that must be fixed before the first observation; hashed as it is into the ledger."""

    use_case_id: UseCaseId
    slug: str
    hypothesis: str
    """What is expected to change, for whom, and why: sealed in the ledger, hashed in clear."""
    design: Design
    primary: str
    """The one KPI that decides (slug)."""
    guardrails: tuple[GuardrailMetric, ...]
    least_effect: float
    """Smallest effect worth acting on (KPI units, positive in the better direction)."""
    members: tuple[Member, ...]
    starts_on: str
    ends_on: str
    """First and last day of the treatment period (ISO dates)."""
    planned_n: int
    """People whose data are expected; the horizon of a sequential analysis."""
    stop_rule: str
    """When it ends early and who says so, in words: sealed."""
    treatment_share: float = 0.5
    """Share of people or teams in treatment."""
    monitoring: Monitoring = "fixed"
    confidence: float = 0.95
    power: float = 0.8
    cuped: bool = False
    """Adjust by each person's own mean of the primary KPI before the start."""
    step_days: int = 7
    """Days of a period (stepped wedge, difference in differences, series) or of a time slot (switchback)."""
    wash_days: int = 0
    """First days of each slot left out (switchback)."""
    individual_despite_teams: str = ""
    """Why people who share a team are drawn one by one all the same; without a reason that is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A registered experiment and where it stands."""

    id: str
    registration: Registration
    metrics: tuple[Kpi, ...]
    """The named KPIs as they stood: a KPI redefined later does not turn a finished experiment round."""
    digest: str
    """SHA-256 (hex) of the canonical registration: the one recorded in the ledger."""
    status: Status
    registered_by: str
    registered_at: str
    seq: int
    """Ledger entry of the registration."""
    deviations: int
    looks: int
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentsQuery:
    """Names the use case whose experiments are asked for."""

    use_case: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRef:
    """Names one experiment of a use case by id or slug."""

    use_case: str
    experiment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRef:
    """Names one person in an experiment."""

    use_case: str
    experiment: str
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Where a person (or their team) is, and from which day the treatment holds for them."""

    person: str
    cluster: str
    stratum: str
    arm: Arm
    from_day: str
    """First day of treatment; empty in the control arm. Switchback slots are in `slots_on`."""
    slots_on: tuple[str, ...] = ()
    """First days of the slots in which the treatment is on (switchback)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentAct:
    """Start, look at, stop or conclude an experiment; `note` is sealed."""

    use_case_id: UseCaseId
    experiment: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One observed value of one KPI for one person on one day."""

    person: str
    day: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationBatch:
    """Observations of one KPI; the same key (or the same content) twice is one batch."""

    use_case_id: UseCaseId
    experiment: str
    kpi: str
    observations: tuple[Observation, ...]
    source: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What was taken of a batch."""

    batch_id: str
    n: int
    seq: int
    repeated: bool
    """True when this batch had been accepted before: nothing was added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Record that the experiment was not run as registered; `reason` is sealed."""

    use_case_id: UseCaseId
    experiment: str
    altered: Altered
    reason: str
    key: str = ""
    """Idempotency key; empty takes what was altered and the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A recorded departure from the registration."""

    altered: Altered
    reason: str | None
    """None once its author's texts were erased."""
    recorded_by: str
    recorded_at: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One diagnostic: passed, failed or no data, and what it saw."""

    name: str
    status: Literal["passed", "failed", "no data"]
    says: str
    value: float | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Treatment minus control of one KPI, signed in KPI units, with everything it rests on."""

    kpi: str
    unit: str
    value: float
    low: float | None
    high: float | None
    p: float | None
    n: int
    clusters: int
    method: str
    confidence: float
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailResult:
    """A guardrail held against its margin: `bound` is the worst change still compatible (better direction positive)."""

    kpi: str
    margin: float
    outcome: Literal["held", "harmed", "not shown", "no data"]
    bound: float | None
    confidence: float
    effect: Effects | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StratumEffect:
    """The effect within one stratum; `p` is adjusted for how many there are."""

    stratum: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What the observations say so far; an effect is None while the registration does not let anybody see it."""

    experiment: str
    verdict: VerdictOfPilot
    grade: Grade
    why: tuple[str, ...]
    effect: Effects | None
    guardrails: tuple[GuardrailResult, ...]
    checks: tuple[Check, ...]
    strata: tuple[StratumEffect, ...]
    strata_differ_p: float | None
    people_control: int
    people_treatment: int
    left_out: int
    """Observations outside every period of the registration."""
    final: bool
    """False for an interim look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One recorded look at the data."""

    number: int
    at: str
    by: str
    seq: int
    analysis: Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentResult:
    """What a concluded experiment tells the business case: the effect with its grade, or that there is none."""

    experiment: str
    slug: str
    use_case_id: UseCaseId
    primary: str
    verdict: VerdictOfPilot
    grade: Grade
    effect: Effects | None
    digest: str
    concluded_at: str
    seq: int
    analysis: Analysis


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentRegistered:
    """An experiment was registered: frozen from here on, recomputable from `digest`."""

    kind: ClassVar[str] = "portfolio.experiment_registered"
    use_case_id: UseCaseId
    experiment_id: str
    slug: str
    design: str
    primary: str
    guardrails: tuple[GuardrailMetric, ...]
    least_effect: float
    monitoring: str
    confidence: float
    planned_n: int
    starts_on: str
    ends_on: str
    digest: str
    metrics: tuple[Kpi, ...]
    """The named KPIs as they stood, without their titles."""
    hypothesis: Sealed
    stop_rule: Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentMoved:
    """An experiment was started or stopped."""

    kind: ClassVar[str] = "portfolio.experiment_moved"
    use_case_id: UseCaseId
    experiment_id: str
    was: Status
    now: Status
    assignment_digest: str
    """SHA-256 (hex) of who is in which arm, as it stood."""
    note: Sealed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationsAccepted:
    """A batch of observations was accepted: its size and the hash of its canonical form."""

    kind: ClassVar[str] = "portfolio.observations_accepted"
    use_case_id: UseCaseId
    experiment_id: str
    kpi: str
    batch_id: str
    source: str
    n: int
    total: float
    total_squares: float
    starts_on: str
    ends_on: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentLookedAt:
    """Somebody looked at a running experiment."""

    kind: ClassVar[str] = "portfolio.experiment_looked_at"
    use_case_id: UseCaseId
    experiment_id: str
    number: int
    people: int
    shown: bool
    """Whether an effect was shown."""
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentDeviated:
    """The experiment was not run as registered."""

    kind: ClassVar[str] = "portfolio.experiment_deviated"
    use_case_id: UseCaseId
    experiment_id: str
    altered: Altered
    reason: Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentConcluded:
    """An experiment was concluded: verdict, grade and effect are final."""

    kind: ClassVar[str] = "portfolio.experiment_concluded"
    use_case_id: UseCaseId
    experiment_id: str
    verdict: VerdictOfPilot
    grade: Grade
    value: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    registration_digest: str
    evidence: tuple[int, ...]
    """Ledger entries of every batch behind it."""
    note: Sealed | None = None
