"""Values of prioritisation: what makes a use case hard and worth it, rankings with their doubt, and what to fund."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar, Literal

from pilothouse.kernel.quantity import Money
from pilothouse.steps.portfolio.contracts import Grade, RiskTier, Stage, UseCaseId

Quadrant = Literal["quick win", "strategic bet", "filler", "avoid", "no data"]
Pregate = Literal["clear", "deferred", "needs a risk decision"]
Criterion = Literal["value", "fit", "ease", "safety", "evidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """A judgement on a scale of 1 (least) to 5 (most), as a range: how low and how high it could be."""

    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What its owner says about one use case; complexity factors are 1 (easy) to 5 (hard)."""

    use_case_id: UseCaseId
    data_readiness: Points
    integration: Points
    model_difficulty: Points
    change_load: Points
    regulatory_load: Points
    vendor_dependence: Points
    fit: Points
    """Strategic fit, 1 to 5."""
    squad_weeks: Decimal
    """Squad capacity it needs in the planning period."""
    reach: Decimal = Decimal(0)
    """RICE: people or cases reached in a quarter; 0 leaves RICE out."""
    impact: Literal["3", "2", "1", "0.5", "0.25"] = "1"
    confidence: Literal["100", "80", "50"] = "50"
    """RICE, percent; no more than the evidence grade carries (E0 50, E1 and E2 80)."""
    effort: Decimal = Decimal(0)
    """RICE: person-months; 0 leaves RICE out."""
    business_value: Literal[0, 1, 2, 3, 5, 8, 13, 20] = 0
    """WSJF, Fibonacci points; 0 leaves WSJF out."""
    time_criticality: Literal[0, 1, 2, 3, 5, 8, 13, 20] = 0
    risk_reduction: Literal[0, 1, 2, 3, 5, 8, 13, 20] = 0
    job_size: Literal[0, 1, 2, 3, 5, 8, 13, 20] = 0
    depends_on: tuple[str, ...] = ()
    """Slugs of use cases that must be funded, or live, for this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Dirichlet concentrations of the criteria: all 1 knows nothing about what the board wants; larger says more."""

    value: float = 1.0
    fit: float = 1.0
    ease: float = 1.0
    safety: float = 1.0
    evidence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRequest:
    """Rank all live use cases under uncertain weights."""

    weights: Weights = field(default_factory=Weights)
    scenario: str = "base"
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where one use case lies: value (NPV, whole) against complexity (1 to 5), both as ranges."""

    use_case_id: UseCaseId
    slug: str
    title: str
    stage: Stage
    risk_tier: RiskTier
    pregate: Pregate
    pregate_says: str
    quadrant: Quadrant
    value: Money | None
    """P50 of the NPV with all benefits; None without a business case."""
    value_low: Money | None
    value_high: Money | None
    hard: Money | None
    """P50 of the NPV on released cash alone."""
    grade: Grade | None
    complexity: float | None
    complexity_low: float | None
    complexity_high: float | None
    rice: float | None
    wsjf: float | None
    case_version: str
    """`scenario:version` of the case behind the value, empty for none."""
    case_seq: int | None
    first: float | None
    """Share of weight draws in which it comes first; None while it cannot be ranked."""
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A comes before B in this share of the weight draws."""

    before: str
    after: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """The weight of one criterion at which the first two change places (the others keep their proportions)."""

    criterion: str
    weight_now: float
    weight_at_flip: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prioritised:
    """The ranking: placed use cases, best first, then those that cannot be ranked yet."""

    placed: tuple[Placed, ...]
    beats: tuple[Beat, ...]
    """Of every pair among the first eight, and of neighbours after them."""
    flips: tuple[Flip, ...]
    says: str
    draws: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectRequest:
    """Choose what to fund under a budget and squad capacity."""

    budget: Decimal
    """In `currency`, for costs of the first twelve months."""
    squad_weeks: Decimal
    currency: str = "EUR"
    objective: Literal["hard", "whole"] = "whole"
    """Maximise expected NPV on released cash, or with all benefits."""
    step: Decimal | None = None
    """The next unit of budget; a tenth of the budget if empty."""
    per_function_max: int | None = None
    """At most so many of one function, for diversity."""
    must: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    scenario: str = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One use case as the selection sees it."""

    slug: str
    title: str
    function: str
    net: Money
    """Expected NPV by the chosen objective."""
    cost: Money
    squad_weeks: Decimal
    chosen: bool
    why_not: str
    """Why it was left out before the solver saw it; empty otherwise."""
    grade: Grade | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """What more budget would buy, by solving again."""

    budget: Money
    net: Money
    gained: Money
    comes: tuple[str, ...]
    goes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to fund, what it costs and brings, and what the next unit of budget would buy."""

    chosen: tuple[str, ...]
    net: Money
    cost: Money
    squad_weeks: Decimal
    budget: Money
    capacity: Decimal
    candidates: tuple[Candidate, ...]
    next_step: Marginal
    """With `step` more budget."""
    next_purchase: Marginal | None
    """With the least extra budget that changes the answer for the better; None when no budget does."""
    shadow_price: float | None
    """Gain per extra unit of money in the LP relaxation (fractions of use cases allowed): an indication, no price."""
    frontier: tuple[Marginal, ...]
    """The best portfolio at budgets from a fifth to twice the asked one."""
    method: str
    caution: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpend:
    """Money in and measured return out, by function."""

    function: str
    use_cases: int
    cost: Money
    """Expected present value of costs in the latest base cases."""
    share: float
    """Of all spend."""
    hard_expected: Money
    hard_measured: Money
    """Of that, what rests on effects of grade E2 or better."""
    whole_expected: Money
    whole_measured: Money
    measured_per_cost: float | None
    """Measured whole return for each unit of cost; None without cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendReport:
    """Spend against measured return, best measured return first."""

    currency: str
    functions: tuple[FunctionSpend, ...]
    left_out: tuple[str, ...]
    """Use cases without a case, or in another currency."""
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringSet:
    """An owner's judgement of complexity and fit was recorded (again: then `version` grows)."""

    kind: ClassVar[str] = "portfolio.scoring_set"
    use_case_id: UseCaseId
    version: int
    digest: str
    squad_weeks: str
