"""Votes and decisions at gates inside one transaction: the vote that completes the quorum decides and moves."""

from collections.abc import Sequence
from dataclasses import replace

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.codec import encode
from pilothouse.kernel.decision import Decision, SealedCondition
from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.ids import ORGANISATION, SubjectId
from pilothouse.kernel.ledger import Sealed
from pilothouse.kernel.store import Reader, Transaction
from pilothouse.steps.portfolio import store
from pilothouse.steps.portfolio.contracts import (
    DecidedGate,
    GateAssessment,
    GateDecided,
    GateRequest,
    RiskTier,
    Stage,
    UseCase,
)
from pilothouse.steps.portfolio.contracts.deciding import GatePolicy, GateVote, GateVoted
from pilothouse.steps.portfolio.errors import GateNotReady, SameHands, TrialStays
from pilothouse.steps.portfolio.logic import binding, gating
from pilothouse.steps.portfolio.store import deciding as tables


def policy_in(reader: Reader, stage: Stage, tier: RiskTier) -> GatePolicy:
    """Return the rules of a gate: those somebody set, or the default ones."""
    return tables.policy(reader, stage, tier) or binding.default_policy(stage, tier)


def check_hands(u: UseCase, who: str) -> None:
    """Raise unless somebody other than the proposer and the owner acts, on a use case that has gates."""
    if u.trial:
        raise TrialStays("a trial has no gate; propose a use case of its own", use_case_id=u.id)
    if who in (u.proposed_by, u.owner):
        raise SameHands("whoever proposed or owns a use case may not decide its gate; ask a sponsor",
                        rule="other-hands", use_case_id=u.id)


def voted(tx: Transaction, call: Call, u: UseCase, request: GateRequest, assessed: GateAssessment) -> DecidedGate:
    """Record a vote, and with it the decision when enough people voted the same."""
    binding.check_conditions(request, today=stamp(call.at)[:10])
    _check_evidence(request, assessed)
    number = tables.round_of(tx, u.id)
    vote = _vote(tx, call, u, request, assessed, number)
    live = [v for v in tables.votes(tx, u.id, number) if v.expires_at >= stamp(call.at)[:10]]
    policy = policy_in(tx, u.stage, u.risk_tier)
    if missing := binding.missing_votes(live, request.verdict, policy.quorum):
        return replace(_decided(call, u, request, assessed, seq=vote.seq), now=u.stage, status="waiting",
                       votes_missing=missing)
    return _decide(tx, call, u, request, assessed, live, policy)


def _check_evidence(request: GateRequest, assessed: GateAssessment) -> None:
    if request.digest and request.digest != assessed.digest:
        raise Conflict("the evidence changed since you looked; read the page again and decide anew", field="digest",
                       seen=request.digest[:12], now=assessed.digest[:12])
    if not gating.allowed(assessed.recommended, request.verdict):
        raise GateNotReady(f"the evidence allows no `{request.verdict}`: {'; '.join(assessed.why)}",
                           recommended=assessed.recommended)


def _vote(tx: Transaction, call: Call, u: UseCase, request: GateRequest, assessed: GateAssessment, number: int
          ) -> GateVote:
    reason = tx.seal(SubjectId(call.principal.id), request.reason)
    expires = binding.expiry(stamp(call.at), binding.VOTE_DAYS)
    seq = tx.record(f"use_case/{u.id}", GateVoted(
        use_case_id=u.id, stage=u.stage, verdict=request.verdict, recommended=assessed.recommended, reason=reason,
        digest=assessed.digest, expires_at=expires))
    vote = GateVote(use_case_id=u.id, by=call.principal.id, verdict=request.verdict, reason=request.reason,
                    at=stamp(call.at), expires_at=expires, seq=seq)
    tables.insert_vote(tx, vote, number=number, reason_id=reason.id)
    return vote


def _decide(tx: Transaction, call: Call, u: UseCase, request: GateRequest, assessed: GateAssessment,
            votes: Sequence[GateVote], policy: GatePolicy) -> DecidedGate:
    store.move(tx, u.id, was=u.stage, now=gating.stage_after(u.stage, request.verdict))
    who = SubjectId(call.principal.id)
    reason = tx.seal(who, request.reason)
    dissent = _dissent(tx, request, votes, who)
    conditions = [SealedCondition(text=tx.seal(ORGANISATION, c.text), due=c.due) for c in request.conditions]
    expires = binding.expiry(stamp(call.at), policy.valid_days) if request.verdict in binding.GENEROUS else ""
    seq = tx.record(f"use_case/{u.id}", GateDecided(
        use_case_id=u.id, was=u.stage, now=gating.stage_after(u.stage, request.verdict), decision=Decision(
            question=f"gate out of {u.stage}", verdict=request.verdict, recommended=assessed.recommended,
            reason=reason, evidence=assessed.evidence, digest=assessed.digest, dissent=tuple(dissent),
            quorum=tuple(v.by for v in votes if v.verdict == request.verdict), votes=tuple(v.seq for v in votes),
            conditions=tuple(conditions), expires_at=expires)))
    sealed = [(c.text, c.due) for c in conditions if isinstance(c.text, Sealed)]
    for n, (text, due) in enumerate(sealed):
        tables.insert_condition(tx, u.id, seq, n, text, due)
    decided = replace(_decided(call, u, request, assessed, seq=seq), expires_at=expires)
    paper = tx.seal(ORGANISATION, encode(assessed).decode())
    store.insert_gate(tx, decided, reason_id=reason.id, conditions=[(t.id, due) for t, due in sealed],
                      dissent=[d.id for d in dissent], paper=paper.id)
    return decided


def _dissent(tx: Transaction, request: GateRequest, votes: Sequence[GateVote], who: SubjectId) -> list[Sealed]:
    """Seal what was said against it: by other votes, under their voters' keys, and in the meeting."""
    other = [tx.seal(SubjectId(v.by), f"{v.by} voted {v.verdict}: {v.reason or 'erased'}")
             for v in votes if v.verdict != request.verdict]
    return [*other, *(tx.seal(who, said) for said in request.dissent)]


def _decided(call: Call, u: UseCase, request: GateRequest, assessed: GateAssessment, *, seq: int) -> DecidedGate:
    return DecidedGate(
        use_case_id=u.id, verdict=request.verdict, recommended=assessed.recommended, reason=request.reason,
        was=u.stage, now=gating.stage_after(u.stage, request.verdict), decided_by=call.principal.id,
        decided_at=stamp(call.at), conditions=request.conditions, dissent=request.dissent, seq=seq,
        digest=assessed.digest)
