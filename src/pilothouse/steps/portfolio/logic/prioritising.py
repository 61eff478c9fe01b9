"""Value against complexity: where each use case lies, from recorded facts only."""

from collections.abc import Sequence

from pilothouse.steps.portfolio.contracts import MatrixPoint, Proposal, UseCase

_AUTONOMY = {"drafts for a person": 0, "answers people": 1, "acts alone": 3}
_AUDIENCE = {"own team": 0, "employees": 1, "customers": 3, "public": 4}
_TIER = {"minimal": 0, "limited": 1, "high": 3}
QUICK_WIN_COMPLEXITY_MAX = 4


def matrix(use_cases: Sequence[UseCase]) -> tuple[MatrixPoint, ...]:
    """Place every live use case; value is None while volume or unit cost has not been measured."""
    return tuple(_point(u) for u in use_cases if u.stage != "retired" and not u.trial)


def _point(u: UseCase) -> MatrixPoint:
    value, parts = spend_eur_month(u), complexity(u)
    points = sum(n for _, n in parts)
    return MatrixPoint(use_case_id=u.id, slug=u.slug, title=u.title, stage=u.stage, risk_tier=u.risk_tier,
                       spend_eur_month=value, complexity=points, demo=u.demo,
                       complexity_from=tuple(f"{name} {n}" for name, n in parts if n),
                       quick_win=value is not None and points <= QUICK_WIN_COMPLEXITY_MAX and u.risk_tier != "high")


def spend_eur_month(u: UseCase | Proposal) -> float | None:
    """Return what the work costs today (EUR a month): the most that could be saved, not a promise."""
    if u.volume_per_month is None or u.current_cost_eur is None:
        return None
    return u.volume_per_month * u.current_cost_eur


def complexity(u: UseCase) -> tuple[tuple[str, int], ...]:
    """Count what makes a use case hard to bring about, point by point, from 0 to about 15."""
    return (("autonomy", _AUTONOMY[u.autonomy]), ("audience", _AUDIENCE[u.audience]), ("risk tier", _TIER[u.risk_tier]),
            ("data classes", min(3, len(u.data_classes))), ("further countries", _further(u.geographies)),
            ("further units", _further(u.units)))


def _further(names: Sequence[str]) -> int:
    return min(2, max(0, len(names) - 1))
