"""Intake: a proposal and what exists already in, a risk tier and a welcome, duplicate, deferred or prohibited out."""

from collections.abc import Mapping, Sequence

from pilothouse.steps.portfolio.contracts import Likeness, Proposal, RiskTier, Triage, UseCase
from pilothouse.text.tokens import content_words

DUPLICATE_SHARE = 0.5
"""Share of shared content words (Jaccard) from which two use cases are shown as likely the same."""

PROHIBITED: Mapping[str, str] = {
    "social scoring": "EU AI Act Art. 5(1)(c)",
    "emotion recognition at work": "EU AI Act Art. 5(1)(f)",
    "subliminal manipulation": "EU AI Act Art. 5(1)(a)",
    "predictive policing of individuals": "EU AI Act Art. 5(1)(d)",
    "untargeted face scraping": "EU AI Act Art. 5(1)(e)",
    "biometric categorisation by protected trait": "EU AI Act Art. 5(1)(g)",
}
HIGH_RISK: Mapping[str, str] = {
    "credit scoring": "EU AI Act Annex III 5(b)",
    "hiring": "EU AI Act Annex III 4(a)",
    "worker management": "EU AI Act Annex III 4(b)",
    "insurance pricing": "EU AI Act Annex III 5(c)",
    "essential public benefits": "EU AI Act Annex III 5(a)",
    "education scoring": "EU AI Act Annex III 3",
    "biometrics": "EU AI Act Annex III 1",
    "critical infrastructure": "EU AI Act Annex III 2",
    "law enforcement": "EU AI Act Annex III 6",
    "migration": "EU AI Act Annex III 7",
    "justice": "EU AI Act Annex III 8",
}
SENSITIVE_CLASSES = frozenset({"special category", "health", "biometric", "criminal"})
PERSONAL_CLASSES = frozenset({"personal", "payment"})


def triage(proposal: Proposal, existing: Sequence[UseCase], *, guardrails_mature: bool) -> Triage:
    """Judge a proposal; prohibited beats duplicate beats deferred, and every verdict carries its reasons."""
    tier, reasons = risk_tier(proposal)
    if rule := PROHIBITED.get(proposal.purpose):
        return Triage(verdict="prohibited", risk_tier="high", reasons=(f"{proposal.purpose}: {rule}",))
    duplicates = tuple(sorted(likenesses(proposal, existing), key=lambda d: -d.share))
    if duplicates and not proposal.join_anyway:
        return Triage(verdict="duplicate", risk_tier=tier, reasons=reasons, duplicates=duplicates)
    if waits := deferral(proposal, guardrails_mature=guardrails_mature):
        return Triage(verdict="deferred", risk_tier=tier, reasons=(*reasons, waits), duplicates=duplicates)
    return Triage(verdict="welcome", risk_tier=tier, reasons=reasons, duplicates=duplicates)


def risk_tier(proposal: Proposal) -> tuple[RiskTier, tuple[str, ...]]:
    """Return the tier and why: high by law or sensitive data, limited by contact, autonomy or personal data."""
    high = [f"{proposal.purpose}: {HIGH_RISK[proposal.purpose]}"] if proposal.purpose in HIGH_RISK else []
    high += [f"data class {c}" for c in proposal.data_classes if c in SENSITIVE_CLASSES]
    if high:
        return "high", tuple(high)
    limited = [f"data class {c}" for c in proposal.data_classes if c in PERSONAL_CLASSES]
    if proposal.audience in ("customers", "public"):
        limited.append(f"audience {proposal.audience}: people must know that they talk to an AI, EU AI Act Art. 50(1)")
    if proposal.autonomy == "acts alone":
        limited.append("acts without a person in between")
    return ("limited", tuple(limited)) if limited else ("minimal", ("no listed use, no personal data, own people",))


def open_points(proposal: Proposal, tier: RiskTier) -> tuple[str, ...]:
    """Return what the first gate will ask for and a proposal leaves open, in the order in which it is usually done."""
    asked = (("name a benefit owner", not proposal.benefit_owner),
             ("agree when it is to be stopped", not proposal.kill_criteria.strip()),
             ("count the monthly volume", proposal.volume_per_month is None),
             ("measure what one costs today", proposal.current_cost_eur is None),
             ("define a KPI and freeze its baseline", True), ("assign a RACI with one Accountable an activity", True),
             ("find a second person to decide its gates", tier == "high"),
             ("train reviewers", tier in ("limited", "high")))
    return tuple(says for says, is_open in asked if is_open)


def deferral(proposal: Proposal | UseCase, *, guardrails_mature: bool) -> str:
    """Return why a proposal must wait, or nothing: customers and autonomy come after proven guardrails."""
    exposed = proposal.audience in ("customers", "public") or proposal.autonomy == "acts alone"
    if exposed and not guardrails_mature:
        return "customer-facing or autonomous: waits until a use case for employees has reached `limited`"
    return ""


def likenesses(proposal: Proposal, existing: Sequence[UseCase]) -> Sequence[Likeness]:
    """Return the live use cases whose title and problem share at least half of their content words."""
    mine = _words(proposal.title, proposal.problem)
    found = []
    for u in existing:
        theirs = _words(u.title, u.problem)
        shared, union = mine & theirs, mine | theirs
        share = len(shared) / len(union) if union else 0.0
        if share >= DUPLICATE_SHARE and u.stage != "retired" and not u.trial:
            found.append(Likeness(use_case_id=u.id, slug=u.slug, title=u.title, share=round(share, 3),
                                  words=tuple(sorted(shared))))
    return found


def _words(title: str, problem: str) -> frozenset[str]:
    return frozenset(content_words(f"{title} {problem}"))
