"""Values of the business case: inputs with their evidence, drivers and costs in, money with its doubt out."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Literal

from pilothouse.kernel.ledger import Sealed
from pilothouse.kernel.quantity import Money
from pilothouse.steps.portfolio.contracts import Grade, UseCaseId

DriverKind = Literal["cost_out", "avoidance", "revenue", "risk", "quality", "experience"]
Destination = Literal["cash_released", "capacity_redeployed", "quality_reinvested", "not_recaptured"]
CostCategory = Literal["licence", "tokens", "infrastructure", "build", "integration", "data", "training", "change",
                       "review", "rework", "governance", "exit"]
CostKind = Literal["one_off", "monthly", "per_unit"]
Basis = Literal["minutes", "units"]
TieKind = Literal["", "kpi", "experiment", "gateway"]
Shown = Literal["hard", "whole"]
"""`hard`: released cash less all costs. `whole`: every benefit less all costs. The two are never added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One number nobody knows exactly: low, likely, high, with where it comes from.

    Low is P10 and high P90 of a PERT whose mode is likely; all three equal is a known number. A tied input takes its
    distribution, grade, source and period from a measurement when the case is computed or frozen.
    """

    low: Decimal = Decimal(0)
    likely: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    unit: str
    """Such as `EUR/h`, `min`, `replies/month`; money begins with the case's currency."""
    grade: Grade = "E0"
    source: str = ""
    """Who or what says so; `assumed by …` is an honest source."""
    period: str = ""
    """When it was true, such as `2026-03 to 2026-05`."""
    tie: TieKind = ""
    tied_to: str = ""
    """KPI slug, experiment id, or `cost per answer` of the gateway."""
    measure_cost: Decimal | None = None
    """What measuring it better would cost, in the case's currency; None while nobody has asked."""
    mean: Decimal | None = None
    """Set by a tie: the measured estimate."""
    sd: Decimal | None = None
    """Set by a tie: its standard error; the input is then normal and low and high are its P10 and P90."""
    baseline_version: int = 0
    """Set by a tie to a KPI: the frozen baseline that the estimate was computed from."""
    entries: tuple[int, ...] = ()
    """Set by a tie: ledger entries behind the measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recapture:
    """Where a share of a benefit goes; what no line names is not recaptured."""

    destination: Destination
    share: Decimal
    """Of the driver's benefit, 0 to 1."""
    where: str = ""
    """For redeployed capacity: the work that gets it."""
    verified_by: str = ""
    """Who confirms it in the books; released cash needs a name."""
    indicator: str = ""
    """What will show it, such as `overtime budget of Payments`; released cash needs one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One way in which the use case creates value, a month at full adoption.

    `minutes`: volume x (effect - review - rework) / 60 x rate. `units`: volume x effect x rate.
    Times adoption, attribution and the share of its overlap group that this driver claims.
    """

    name: str
    kind: DriverKind
    basis: Basis
    volume: Input
    """Units of work a month."""
    effect: Input
    """Minutes saved on one unit before review and rework, or how many effect units one unit of work brings."""
    rate: Input
    """Money an hour (minutes) or an effect unit (units)."""
    review: Input | None = None
    """Minutes a person spends checking one unit; mandatory for minutes."""
    rework: Input | None = None
    """Minutes spent on mending one unit, on average over all units; mandatory for minutes."""
    attribution: Decimal = Decimal(1)
    """Share of the effect that this use case causes, 0 to 1; 1 where a tied experiment isolates it."""
    overlap_group: str = ""
    """Name of the minutes (or cases, or customers) that several use cases reach for."""
    overlap_share: Decimal = Decimal(1)
    """Share of the group that this driver claims; over all use cases at most 1."""
    recapture: tuple[Recapture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One cost: once in a month, every month, or for every unit of work of a driver that is really served."""

    name: str
    category: CostCategory
    kind: CostKind
    amount: Input
    starts_month: int = 0
    """Month 0 is the decision; a one-off cost falls in this month."""
    ends_month: int | None = None
    """Last month of a monthly cost; None for the horizon."""
    driver: str = ""
    """For per-unit costs: the driver whose served units count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """How use grows: ceiling x (L(t) - L(0)) / (1 - L(0)), L(t) = 1 / (1 + exp(-(t - half) ln 81 / climb)).

    t counts months since `starts_month`; before it nobody uses it. A logistic S-curve that starts at exactly 0.
    """

    ceiling: Input
    """Share of the volume that is ever served, 0 to 1."""
    half: Input
    """Months until half of the ceiling."""
    climb: Decimal = Decimal(6)
    """Months from 10 % to 90 % of the ceiling."""
    starts_month: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A business case as written: nothing in it is computed except what ties have filled in."""

    currency: str
    price_year: int
    """Money of which year; all amounts are real, so the discount rate must be too."""
    horizon_months: int
    discount_rate: Decimal
    """Real annual rate, as a fraction."""
    adoption: Adoption
    drivers: tuple[Driver, ...]
    costs: tuple[Cost, ...]
    function: str = ""
    """Where the money is spent: `back office`, `sales and marketing`, `customer service`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDraft:
    """A case to compute without keeping it; ties are resolved against the use case's measurements."""

    use_case_id: UseCaseId
    case: Case
    seed: int = 1
    draws: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeCase:
    """Freeze a case as the next version of a scenario; immutable from then on."""

    use_case_id: UseCaseId
    case: Case
    scenario: str = "base"
    reason: str = ""
    """Why there is a new version; needed from the second on."""
    seed: int = 1
    draws: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRef:
    """Names one version of one scenario of a use case; version 0 is the latest."""

    use_case: str
    scenario: str = "base"
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFileRef:
    """Names a version and the form in which finance wants it."""

    use_case: str
    scenario: str = "base"
    version: int = 0
    form: Literal["xlsx", "pdf"] = "xlsx"


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePair:
    """Names two versions to compare, each as `scenario:version`, such as `base:1`."""

    use_case: str
    left: str
    right: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A computed amount with its doubt: mean, P10, P50, P90 over the draws."""

    mean: Money
    p10: Money
    p50: Money
    p90: Money
    error: Money
    """Monte Carlo standard error of the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """P10, P50 and P90 of a rate or a time; None where that many draws have none."""

    p10: float | None
    p50: float | None
    p90: float | None
    share: float
    """Share of the draws that have a value at all."""
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Everything about one reading of the case: hard return, or the whole of it."""

    npv: Spread
    benefits: Spread
    """Present value of this side's benefits, net of review and rework."""
    above_zero: float
    """P(NPV > 0)."""
    roi: Quantiles
    """(PV of benefits - PV of costs) / PV of costs."""
    irr: float | None
    """Annual, of the expected flows; None where there is none or not exactly one."""
    irr_says: str
    irr_spread: Quantiles
    """Annual, over the first draws (n says how many)."""
    mirr: float | None
    """Annual, of the expected flows, financed and reinvested at the discount rate."""
    payback_months: Quantiles
    """Discounted; measured from month 0, linear inside a month."""
    evpi: Money
    evpi_error: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """One bar of the tornado: the NPV when one input stands at its P10 and at its P90, all others at their medians."""

    input: str
    hard_low: Money
    hard_high: Money
    whole_low: Money
    whole_high: Money
    grade: Grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowing:
    """What it is worth at most to know one input, or all inputs of one driver, before deciding."""

    name: str
    level: Literal["input", "driver"]
    hard: Money
    hard_error: Money
    whole: Money
    whole_error: Money
    grade: Grade
    measure_cost: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One driver or cost in money: present value over the horizon."""

    name: str
    kind: str
    present_value: Spread
    cash: Money
    """Of the mean, what is released as cash; equals the mean for costs."""
    grade: Grade
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recaptured:
    """The recapture register: where the mean present value of the benefits goes."""

    destination: Destination
    where: str
    amount: Money
    drivers: tuple[str, ...]
    verified_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The flows of one month, undiscounted: expected cash, and the discounted running total with its band."""

    month: int
    benefit_hard: Money
    benefit_whole: Money
    cost: Money
    hard_p10: Money
    hard_p50: Money
    hard_p90: Money
    whole_p50: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One bar of a histogram: how many draws had an NPV from `low` to `high` (money of the case)."""

    low: float
    high: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOutcome:
    """What a case comes to: hard return first, the whole beside it, and what to measure next."""

    currency: str
    price_year: int
    horizon_months: int
    draws: int
    seed: int
    method: str
    grade: Grade
    """The weakest grade among the inputs that any benefit rests on."""
    costs: Spread
    hard: Side
    whole: Side
    tornado: tuple[Swing, ...]
    knowing: tuple[Knowing, ...]
    """By what knowing is worth, most first."""
    next_measurement: str
    """The cheapest next measurement and the most it is worth, in a sentence."""
    lines: tuple[Line, ...]
    cost_lines: tuple[Line, ...]
    recapture: tuple[Recaptured, ...]
    months: tuple[Month, ...]
    histogram_hard: tuple[Bin, ...]
    histogram_whole: tuple[Bin, ...]
    first_year_cost: Money
    """Expected undiscounted cost of months 0 to 11: what a budget must hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A case with its ties filled in, and what it comes to."""

    case: Case
    outcome: CaseOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseVersion:
    """A frozen case: its inputs as resolved that day, what they came to, and its hash."""

    id: str
    use_case_id: UseCaseId
    scenario: str
    version: int
    case: Case
    outcome: CaseOutcome
    seed: int
    draws: int
    digest: str
    """SHA-256 (hex) of the canonical case, scenario, seed and draws."""
    engine: str
    """Version of the computation; another engine may differ in the last digits."""
    frozen_by: str
    frozen_at: str
    reason: str
    seq: int
    demo: bool
    stale: tuple[str, ...] = ()
    """What has changed since: a tied baseline with a newer version. Computed on read, empty when all is current."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """One version in a list."""

    use_case_id: UseCaseId
    scenario: str
    version: int
    hard_p50: Money
    whole_p50: Money
    above_zero: float
    grade: Grade
    digest: str
    frozen_by: str
    frozen_at: str
    reason: str
    seq: int
    demo: bool
    stale: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One field that differs between two versions."""

    field: str
    left: str
    right: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two versions beside each other: what was changed, and what it did to the money."""

    left: CaseLine
    right: CaseLine
    changed: tuple[Changed, ...]
    hard_change: Money
    """Right minus left, mean NPV; draws of unchanged inputs are the same on both sides."""
    whole_change: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """A case in the form finance wants."""

    name: str
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What another step measured: a mean with its standard error, ready to become an input."""

    mean: float
    sd: float
    n: int
    unit: str
    grade: Grade
    source: str
    period: str
    entries: tuple[int, ...] = ()
    baseline_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFrozen:
    """A business case was frozen as a version: what it rests on by hash, and what it came to."""

    kind: ClassVar[str] = "portfolio.case_frozen"
    use_case_id: UseCaseId
    case_id: str
    scenario: str
    version: int
    digest: str
    engine: str
    seed: int
    draws: int
    currency: str
    hard_p10: str
    hard_p50: str
    hard_p90: str
    whole_p50: str
    above_zero: float
    grade: Grade
    baselines: tuple[str, ...]
    """Tied KPIs as `slug@version`."""
    entries: tuple[int, ...]
    reason: Sealed | None = None
