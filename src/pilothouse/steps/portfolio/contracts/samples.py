"""Values about measuring: templates, profiles, summaries by hour and day, freshness, imports, and scheduled feeds."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pilothouse.kernel.ledger import Sealed
from pilothouse.steps.portfolio.contracts import Baseline, Grade, Kpi, Period, UseCaseId

Cadence = Literal["", "daily", "weekly", "monthly", "quarterly"]
"""How often a KPI is to be measured; empty for no promise, which can never be broken."""
Indicator = Literal["", "leading", "lagging"]
Every = Literal["hourly", "daily", "weekly", "monthly"]
FeedKind = Literal["sql", "prometheus", "ledger"]
FreshnessStatus = Literal["fresh", "stale", "missing"]
Grain = Literal["hour", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiTemplate:
    """A measure that others have used: what to watch, how it is gamed, and what to watch beside it."""

    slug: str
    title: str
    unit: str
    """UCUM symbol, `share`, or a currency as `EUR`; another currency may be chosen."""
    shape: Literal["mean", "proportion"]
    better: Literal["lower", "higher"]
    indicator: Indicator
    instrument: str
    """How it is usually measured."""
    gaming_risk: str
    counter: str
    """The template to watch beside it, which must not worsen."""
    margin: float
    """How much it may worsen as a counter-metric before that counts (units of the KPI, positive)."""
    cadence: Cadence = "weekly"


@dataclass(frozen=True, slots=True, kw_only=True)
class FromTemplate:
    """Define a KPI from a template, and its counter-metric as a guardrail beside it."""

    use_case_id: UseCaseId
    template: str
    least_change: float
    """How far it must move in the better direction, in its unit."""
    unit: str = ""
    """Another currency, such as `INR`; the template's unit if empty."""
    cadence: Cadence = ""
    """The template's if empty."""
    counter: bool = True
    margin: float | None = None
    """How much the counter-metric may worsen (its unit); the template's if not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiProfile:
    """What belongs to a KPI beside its bar: how it is measured, how often, how it is gamed, and what it guards."""

    use_case_id: UseCaseId
    kpi: str
    template: str = ""
    indicator: Indicator = ""
    instrument: str = ""
    gaming_risk: str = ""
    counter_of: str = ""
    """The KPI that this one is the guardrail of; empty for a KPI of its own."""
    margin: float | None = None
    """Of a guardrail: how much it may worsen before that counts (KPI units, 0 or more)."""
    cadence: Cadence = ""
    target: float | None = None
    """The level wanted (KPI units), for the page; gates judge by the bar."""
    target_by: str = ""
    seasonality: str = ""
    """What repeats and so must not be taken for an effect, such as `month end: twice the volume`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedPair:
    """What a template became: the KPI and, unless it was left out, its counter-metric."""

    kpi: Kpi
    counter: Kpi | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The summary of one hour or day (UTC); slots of the same KPI and period add up to the whole."""

    slot: str
    """`2026-03-02` or `2026-03-02T09`."""
    n: int
    mean: float
    sd: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendQuery:
    """Which hours or days of a KPI: `since` and `until` are days (ISO), both included."""

    use_case: str
    kpi: str
    period: Period = "current"
    grain: Grain = "day"
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchQuery:
    """Which batches of a KPI: the newest `limit` of each period, or those before entry `before`."""

    use_case: str
    kpi: str
    limit: int = 200
    before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiFreshness:
    """Whether a KPI was measured as often as was promised: a fact for gates and work for its owner."""

    use_case_id: UseCaseId
    use_case: str
    """Slug, for addresses."""
    title: str
    owner: str
    kpi: str
    kpi_title: str
    cadence: Cadence
    status: FreshnessStatus
    latest: str
    """Instant up to which there are samples; empty when there are none."""
    due_by: str
    """Instant at which it goes, or went, stale."""
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleQuery:
    """Whose KPIs: of one owner (principal id), or everybody's."""

    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Tenth, half and nine tenths of a sample (its unit), by linear interpolation."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineVersion:
    """One version of a baseline, whether a later one took its place, and which gate decisions stood on it."""

    baseline: Baseline
    entry: int
    superseded_by: int | None
    """The version now in force; None when it is this one."""
    decisions: tuple[int, ...]
    """Ledger entries of the gate decisions that cite this version."""
    quantiles: Quantiles | None
    """None when it holds more than 200,000 observations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvImport:
    """Rows of samples as CSV text: columns `value` and, where known, `at` and `unit`."""

    use_case_id: UseCaseId
    kpi: str
    period: Period
    text: str
    source: str
    instrument: str = ""
    starts_on: str = ""
    ends_on: str = ""
    grade: Grade = "E2"
    lines_before: int = 0
    """Of a file that comes in pieces: how many lines came earlier, so that refusals name the file's own lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did; all of it or nothing."""

    rows: int
    accepted: int
    missing: int
    """Rows without a value: counted here and nowhere else."""
    batches: int
    repeated: int
    """Batches that were here already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFeed:
    """A schedule on which samples of one KPI are pulled from a system."""

    use_case_id: UseCaseId
    kpi: str
    kind: FeedKind
    query: str
    """SQL with the columns `mark`, `value` and optionally `at`; PromQL with one series; or a ledger measure's name."""
    address: str = ""
    """Name of the environment variable that holds the address, `PILOTHOUSE_SOURCE_…`; never the address itself."""
    every: Every = "daily"
    since: str = ""
    """First instant to pull (ISO), for sources that go by time; one week back if empty."""
    step_s: int = 3600
    """Of Prometheus: seconds between two points, 15 to 86,400."""
    grade: Grade = "E2"
    instrument: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A scheduled feed and how far it came."""

    id: str
    use_case_id: UseCaseId
    kpi: str
    kind: FeedKind
    address: str
    query: str
    every: Every
    since: str
    step_s: int
    grade: Grade
    instrument: str
    position: str
    """Up to where was read, in the source's own words: each row is taken once."""
    taken: int
    missing: int
    """Rows that held no value."""
    state: Literal["active", "stopped"]
    error: str
    """What went wrong at the last pull; empty when it worked."""
    next_due: str
    pulled_at: str
    defined_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRef:
    """Names one feed of one use case."""

    use_case_id: UseCaseId
    feed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedQuery:
    """Which feeds: of one use case (id or slug), or all."""

    use_case: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """One page from a source: observations in order, and where to go on."""

    values: tuple[float, ...]
    times: tuple[str, ...]
    """One instant (ISO, UTC) a value, or empty when the source has none."""
    position: str
    more: bool
    missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild of the summaries found: how many there are, and how many were not as the batches say."""

    kpis: int
    batches: int
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiProfileSet:
    """How a KPI is measured, how often, and what it guards was written down."""

    kind: ClassVar[str] = "portfolio.kpi_profile_set"
    use_case_id: UseCaseId
    kpi: str
    cadence: Cadence
    counter_of: str
    margin: float | None
    target: float | None
    profile: Sealed
    """The whole profile as JSON: people write free text in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDefined:
    """Samples of a KPI will be pulled on a schedule."""

    kind: ClassVar[str] = "portfolio.feed_defined"
    feed_id: str
    use_case_id: UseCaseId
    kpi: str
    source: FeedKind
    address: str
    every: Every
    query: Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStopped:
    """Samples are no longer pulled."""

    kind: ClassVar[str] = "portfolio.feed_stopped"
    feed_id: str
    use_case_id: UseCaseId
    kpi: str
