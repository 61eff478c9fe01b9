"""Policies by risk tier: what is checked, and when an answer waits for a person."""

from collections.abc import Mapping
from dataclasses import replace

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts import LABELS, Label
from pilothouse.steps.oversight.contracts import Policy, PolicyChange
from pilothouse.steps.portfolio.contracts import RiskTier, UseCaseId

TIERS: Mapping[RiskTier, Policy] = {
    "minimal": Policy(tier="minimal", version=1, holds_attacks=False, review_within_hours=72),
    "limited": Policy(tier="limited", version=1, holds_below_groundedness=0.6, holds_from_label="confidential"),
    "high": Policy(tier="high", version=1, holds_every_answer=True, holds_below_groundedness=0.8,
                   holds_from_label="internal", review_within_hours=8),
}
"""One table. Raise a version whenever a rule changes, so that receipts tell old answers from new ones."""

HOURS_MAX, REASON_LENGTH_MAX = 24 * 30, 2000


def policy_of(tier: RiskTier, use_case_id: UseCaseId, change: tuple[PolicyChange, int] | None) -> Policy:
    """Return the tier's policy, with the thresholds of the use case where it has its own."""
    base = TIERS[tier]
    if change is None:
        return base
    own, number = change
    return replace(base, use_case_id=use_case_id, change=number, review_within_hours=own.review_within_hours,
                   holds_every_answer=own.holds_every_answer or base.holds_every_answer,
                   holds_below_groundedness=own.holds_below_groundedness, holds_from_label=own.holds_from_label)


def check(change: PolicyChange, tier: RiskTier) -> None:
    """Raise Invalid naming the first threshold that does not fit."""
    bar = change.holds_below_groundedness
    if bar is not None and not 0 <= bar <= 1:
        raise Invalid("groundedness is a share between 0 and 1", field="holds_below_groundedness")
    if not 1 <= change.review_within_hours <= HOURS_MAX:
        raise Invalid(f"a review is due within 1 to {HOURS_MAX} hours", field="review_within_hours")
    if not 3 <= len(change.reason.strip()) <= REASON_LENGTH_MAX:
        raise Invalid("say why, in a sentence that an auditor could read", field="reason")
    if tier == "high" and not change.holds_every_answer:
        raise Invalid("a high-risk use case holds every answer; leave that on and change the other thresholds",
                      field="holds_every_answer")


def streams_through(policy: Policy) -> bool:
    """Return True only where nothing in the policy can hold, block or change an answer on its way out."""
    return not (policy.holds_every_answer or policy.holds_attacks or policy.holds_from_label
                or policy.holds_below_groundedness is not None)


def reaches(label: Label, bar: Label | None) -> bool:
    """Return whether a label is at least as sensitive as the bar; nothing reaches no bar."""
    return bar is not None and LABELS.index(label) >= LABELS.index(bar)
