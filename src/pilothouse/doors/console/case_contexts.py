"""What the pages about money may show: one frozen value a page."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pilothouse.doors.console.charts import Chart
from pilothouse.doors.console.desk import RefusedForm
from pilothouse.doors.console.filtering import Rectangle
from pilothouse.steps.portfolio.contracts import UseCase
from pilothouse.steps.portfolio.contracts.cases import Case, CaseLine, CaseOutcome, CaseVersion, Comparison, Input
from pilothouse.steps.portfolio.contracts.planning import Placed, Prioritised, Selection, SpendReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One input as the form asks for it, with where it comes from."""

    field: str
    """Path inside the case, such as `drivers[0].effect`: the form's names begin with it."""
    label: str
    given: Input
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Where one driver's benefit goes, as the form asks for it."""

    field: str
    driver: str
    cash: str
    verified_by: str
    indicator: str
    redeployed: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """The editor: inputs, what they come to, and the frozen versions."""

    use_case: UseCase
    case: Case
    asked: tuple[Asked, ...]
    splits: tuple[Split, ...]
    outcome: CaseOutcome | None
    pictures: Mapping[str, Chart]
    """Distribution, tornado and payback of what the page computes; empty without an outcome."""
    scenario: str
    began: int
    """The frozen version that the form began from; 0 for the starter."""
    versions: tuple[CaseLine, ...]
    shown: CaseVersion | None
    """The version that the page shows unchanged; None while something was typed."""
    may_freeze: bool
    seed: int
    refused: RefusedForm = field(default_factory=RefusedForm)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonPage:
    """Two versions beside each other."""

    use_case: UseCase
    found: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class PrioritiesPage:
    """The matrix with its doubt, and the ranking under uncertain weights."""

    found: Prioritised
    weights: Mapping[str, float]
    matrix: Chart | None
    listed: tuple[Placed, ...]
    """Those that the rectangle leaves."""
    within: Rectangle
    ends: Mapping[str, tuple[float, float]]
    """Ends of the matrix's axes."""
    refused: RefusedForm


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPage:
    """What to fund, what the next money would buy, and what the money spent so far brought."""

    found: Selection | None
    spend: SpendReport
    typed: Mapping[str, str]
    frontier: Chart | None
    refused: RefusedForm = field(default_factory=RefusedForm)
