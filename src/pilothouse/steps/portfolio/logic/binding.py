"""What binds a gate besides evidence: its rules, the votes of a round, conditions with dates, and expiry."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from pilothouse.kernel.codec import encode
from pilothouse.kernel.decision import Condition
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts import (
    CriterionResult,
    DecidedGate,
    GateFact,
    GateRequest,
    Grade,
    RiskTier,
    Stage,
    Verdict,
)
from pilothouse.steps.portfolio.contracts.deciding import GateCondition, GatePolicy, GateVote

GENEROUS: frozenset[Verdict] = frozenset({"go", "conditional go"})
"""Verdicts that give something away: they need the whole quorum. Caution needs one person."""
VOTE_DAYS = 30
"""How long a vote waits for the others: older ones were cast on another world."""
GATED: tuple[Stage, ...] = ("idea", "pilot", "limited", "scaled")
TIERS: tuple[RiskTier, ...] = ("minimal", "limited", "high")
QUORUM_MAX, VALID_DAYS_MAX, CONDITIONS_MAX, CONDITION_LENGTH_MAX = 9, 3650, 10, 500
_VALID_DAYS: Mapping[RiskTier, int] = {"minimal": 730, "limited": 365, "high": 180}
_GRADE_MIN: Mapping[Stage, Grade] = {"pilot": "E1", "limited": "E2", "scaled": "E2"}


def default_policy(stage: Stage, tier: RiskTier) -> GatePolicy:
    """Return the rules of a gate that nobody changed: two people for high risk, measured evidence from limited on."""
    return GatePolicy(stage=stage, risk_tier=tier, quorum=2 if tier == "high" else 1, valid_days=_VALID_DAYS[tier],
                      grade_min=_GRADE_MIN.get(stage, "E0"))


def check_policy(policy: GatePolicy) -> None:
    """Raise Invalid naming the rule that does not fit."""
    if not 1 <= policy.quorum <= QUORUM_MAX:
        raise Invalid(f"a quorum is 1 to {QUORUM_MAX} people", field="quorum")
    if not 1 <= policy.valid_days <= VALID_DAYS_MAX:
        raise Invalid(f"a decision stands for 1 to {VALID_DAYS_MAX} days", field="valid_days")
    if policy.stage == "retired":
        raise Invalid("no gate leads out of retired; name another stage", field="stage")


def check_conditions(request: GateRequest, *, today: str) -> None:
    """Raise Invalid unless a conditional go, and nothing else, names what must be done by which day to come."""
    if (request.verdict == "conditional go") != bool(request.conditions):
        raise Invalid("a conditional go names its conditions, and no other verdict has any", field="conditions")
    if len(request.conditions) > CONDITIONS_MAX:
        raise Invalid(f"name at most {CONDITIONS_MAX} conditions", field="conditions")
    for i, condition in enumerate(request.conditions):
        _check_condition(condition, f"conditions[{i}]", today)


def _check_condition(condition: Condition, field: str, today: str) -> None:
    if not 3 <= len(condition.text.strip()) <= CONDITION_LENGTH_MAX:
        raise Invalid(f"say in 3 to {CONDITION_LENGTH_MAX} characters what must be done", field=f"{field}.text")
    try:
        due = date.fromisoformat(condition.due).isoformat()
    except ValueError as problem:
        raise Invalid("write the day as 2026-03-01", field=f"{field}.due") from problem
    if due <= today:
        raise Invalid("a condition is due on a day to come", field=f"{field}.due")


def digest(stage: Stage, results: Sequence[CriterionResult], facts: Sequence[GateFact]) -> str:
    """Return the SHA-256 (hex) of the evidence in canonical form; what it recommends follows from it."""
    return hashlib.sha256(encode([stage, results, facts])).hexdigest()


def expiry(at: str, days: int) -> str:
    """Return the ISO day so many days after an instant."""
    return (date.fromisoformat(at[:10]) + timedelta(days=days)).isoformat()


def missing_votes(votes: Sequence[GateVote], verdict: Verdict, quorum: int) -> int:
    """Return how many more people must vote the same; each person counts once, by their latest vote."""
    if verdict not in GENEROUS:
        return 0
    return max(0, quorum - sum(v.verdict == verdict for v in votes))


def facts(decisions: Sequence[DecidedGate], conditions: Sequence[GateCondition], today: str) -> tuple[GateFact, ...]:
    """Return what earlier decisions oblige to: conditions met in time, and a last go that has not expired."""
    found = [_conditions(conditions, today)] if conditions else []
    if last := next((d for d in decisions if d.verdict in GENEROUS), None):
        found.append(_standing(last, today))
    return tuple(found)


def _conditions(conditions: Sequence[GateCondition], today: str) -> GateFact:
    late = [c for c in conditions if not c.met_at and c.due < today]
    ahead = [c for c in conditions if not c.met_at and c.due >= today]
    entries = tuple(sorted({c.gate_seq for c in conditions}))
    says = f"{len(conditions) - len(late) - len(ahead)} of {len(conditions)} conditions of earlier decisions are met"
    if late:
        says += f"; {len(late)} overdue since {min(c.due for c in late)}"
    return GateFact(name="Conditions", step="portfolio", status="exposed" if late or ahead else "covered", says=says,
                    reason_covered=10, entries=entries,
                    action="Do what was promised, and let somebody else confirm it" if late or ahead else "")


def _standing(last: DecidedGate, today: str) -> GateFact:
    expired = bool(last.expires_at) and last.expires_at < today
    until = f"until {last.expires_at}" if last.expires_at else "without a date"
    return GateFact(name="Last go", step="portfolio", status="exposed" if expired else "covered", mandatory=False,
                    says=f"the {last.verdict} of {last.decided_at[:10]} stands {until}", reason_covered=10,
                    action="Look at the evidence again and decide" if expired else "", entries=(last.seq,),
                    valid_until=last.expires_at)
