"""The façade of oversight: policies, the queue of held answers, and decisions on exactly what was seen."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import instant, stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.ids import ORGANISATION, Mint, SubjectId
from pilothouse.kernel.ledger import Sealed
from pilothouse.kernel.operation import operation
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.gateway.contracts import AnswerGiven
from pilothouse.steps.oversight import store
from pilothouse.steps.oversight.contracts import (
    AnswerCorrected,
    Exchange,
    Policy,
    PolicyChange,
    PolicyChanged,
    PolicyRef,
    Review,
    ReviewDecided,
    ReviewDecision,
    ReviewId,
    ReviewOpened,
    ReviewQuery,
    ReviewRef,
    ReviewStatus,
    ReviewSummary,
    Tally,
)
from pilothouse.steps.oversight.errors import AlreadyReviewed, NoSuchReview, SameHands, Stale
from pilothouse.steps.oversight.logic import masking, policing, reviewing
from pilothouse.steps.oversight.ports import Exchanges
from pilothouse.steps.people.api import People
from pilothouse.steps.people.contracts import REVIEW_COURSE
from pilothouse.steps.people.errors import NotCertified
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import Standing

QUEUE_MAX = 500
OUTCOME: Mapping[str, ReviewStatus] = {"approve": "approved", "edit": "edited", "send back": "sent back"}


class Oversight:
    """People in the loop: what waits for them, what they decided, what they corrected."""

    def __init__(self, *, database: Database, mint: Mint, people: People, portfolio: Portfolio, exchanges: Exchanges
                 ) -> None:
        self._database, self._mint = database, mint
        self._people, self._portfolio, self._exchanges = people, portfolio, exchanges
        self._changes: Mapping[str, tuple[PolicyChange, int]] = {}

    def policy_for(self, standing: Standing) -> Policy:
        """Return the policy in force for a use case: a look into memory, for the hot path."""
        return policing.policy_of(standing.risk_tier, standing.use_case_id, self._changes.get(standing.use_case_id))

    async def refresh(self) -> None:
        """Read again which use cases have thresholds of their own: at start, and whenever one changes."""
        self._changes = await self._database.read(store.policies)

    @operation("GET /api/v1/use-cases/{use_case}/policy", effect="read")
    async def policy(self, call: Call, request: PolicyRef) -> Policy:
        """Return the policy that answers of a use case go through."""
        call.authorize("oversight:read", on=request.use_case)
        return await self._database.read(lambda r: self._policy(r, self._portfolio.standing_in(r, request.use_case)))

    @staticmethod
    def _policy(reader: Reader, standing: Standing) -> Policy:
        return policing.policy_of(standing.risk_tier, standing.use_case_id, store.policy(reader, standing.use_case_id))

    @operation("POST /api/v1/use-cases/{use_case_id}/policy", effect="decide")
    async def change_policy(self, call: Call, request: PolicyChange) -> Policy:
        """Give a use case thresholds of its own, with a reason; a high-risk one keeps holding every answer."""
        call.authorize("oversight:configure", on=request.use_case_id)
        changed = await self._database.write(call, lambda tx: self._change(tx, request))
        await self.refresh()
        return changed

    def _change(self, tx: Transaction, request: PolicyChange) -> Policy:
        standing = self._portfolio.standing_in(tx, request.use_case_id)
        policing.check(request, standing.risk_tier)
        was, held = self._policy(tx, standing), store.policy(tx, standing.use_case_id)
        change = replace(request, use_case_id=standing.use_case_id, reason="")
        if held and held[0] == change:
            return was
        version = held[1] + 1 if held else 1
        now = policing.policy_of(standing.risk_tier, standing.use_case_id, (change, version))
        seq = tx.record(f"use_case/{standing.use_case_id}", PolicyChanged(
            use_case_id=standing.use_case_id, was=was.id, now=now.id, holds_every_answer=now.holds_every_answer,
            holds_below_groundedness=now.holds_below_groundedness, holds_from_label=now.holds_from_label or "",
            review_within_hours=now.review_within_hours, reason=tx.seal(ORGANISATION, request.reason.strip())))
        store.save_policy(tx, change, version=version, seq=seq)
        return now

    async def open_review(self, call: Call, given: AnswerGiven, *, asked_by: str) -> None:
        """Put a held answer in the queue; the ledger delivers it at least once, and it is opened once."""
        call.authorize("oversight:open_review", on=given.use_case_id)
        if not await self._database.read(lambda r: store.is_opened(r, given.interaction_id), quick=True):
            await self._database.write(call, lambda tx: self.open_in(tx, call, given, asked_by=asked_by))

    def open_in(self, tx: Transaction, call: Call, given: AnswerGiven, *, asked_by: str) -> None:
        """Open a review in the caller's transaction, unless the interaction has one."""
        if store.is_opened(tx, given.interaction_id):
            return
        standing = self._portfolio.standing_in(tx, given.use_case_id)
        due_at = stamp(call.at + timedelta(hours=self._policy(tx, standing).review_within_hours))
        review_id = ReviewId(self._mint("rev"))
        seq = tx.record(f"interaction/{given.interaction_id}", ReviewOpened(
            review_id=review_id, interaction_id=given.interaction_id, use_case_id=standing.use_case_id, due_at=due_at))
        store.insert_review(tx, ReviewSummary(
            id=review_id, interaction_id=given.interaction_id, use_case_id=standing.use_case_id, due_at=due_at,
            use_case=standing.slug, risk_tier=standing.risk_tier, status="open", opened_at=stamp(call.at),
            is_overdue=False, held_because=tuple(c for c in given.checks if c.outcome == "hold"), policy=given.policy,
            label=given.label, groundedness=given.groundedness, asked_by=asked_by, escalated_by="", decided_by="",
            decided_at="", reason="", demo=call.demo), seq=seq)

    @operation("GET /api/v1/reviews", effect="read")
    async def list_reviews(self, call: Call, request: ReviewQuery) -> tuple[ReviewSummary, ...]:
        """List reviews: those that wait by risk tier, then the oldest first; decided ones the newest first."""
        call.authorize("oversight:read", on=request.use_case_id or "*")
        if not 1 <= request.limit <= QUEUE_MAX:
            raise Invalid(f"list 1 to {QUEUE_MAX} reviews at a time", field="limit")
        found = await self._database.read(lambda r: store.queue(
            r, status=request.status, use_case_id=request.use_case_id, limit=request.limit, now=stamp(call.at)))
        return tuple(_for(call, s) for s in found)

    @operation("GET /api/v1/reviews/{review_id}", effect="read")
    async def review(self, call: Call, request: ReviewRef) -> Review:
        """Return a draft beside its evidence, as far as the reader may see, with the digest a decision needs."""
        call.authorize("oversight:read", on=request.use_case_id or "*")

        def look(reader: Reader) -> Review:
            summary, _ = _known(reader, call, request.review_id, request.use_case_id)
            exchange = self._exchange(reader, summary)
            return self._page(call, summary, exchange, self._obstacle(reader, call, summary))

        return await self._database.read(look)

    def _page(self, call: Call, summary: ReviewSummary, exchange: Exchange, obstacle: str) -> Review:
        may_unmask = call.may("oversight:unmask", on=summary.use_case_id)
        seen = _changed(exchange, lambda t: masking.uncovered(t, exchange.vault)) if may_unmask else exchange
        return Review(
            summary=_for(call, summary), question=seen.question, draft=seen.draft,
            sentences=reviewing.evidence(seen.draft, seen.passages), passages=reviewing.shown(seen.passages),
            new_facts=reviewing.new_facts(seen.draft, seen.question, seen.passages), may_unmask=may_unmask,
            is_masked=bool(exchange.vault) and not may_unmask, digest=reviewing.digest(exchange), obstacle=obstacle)

    def _obstacle(self, reader: Reader, call: Call, summary: ReviewSummary) -> str:
        """Say why this reader may not decide, or nothing: the same rules that a decision meets."""
        if summary.status not in ("open", "escalated"):
            return f"this review is {summary.status}"
        if not call.may("oversight:review", on=summary.use_case_id):
            return "deciding reviews is for reviewers"
        try:
            self._people.require_in(reader, call, REVIEW_COURSE)
            _other_hands(call, summary)
        except (NotCertified, SameHands) as refused:
            return refused.message
        return ""

    @operation("POST /api/v1/reviews/{review_id}/decisions", effect="decide")
    async def decide_review(self, call: Call, request: ReviewDecision) -> ReviewSummary:
        """Record a certified reviewer's decision on exactly what they saw; the asker gets the result at once.

        Raises:
            NotCertified: the reviewer has no valid `review-basics`.
            SameHands: they asked the question, or escalated this review.
            Stale: what is stored is not what they saw.
            AlreadyReviewed: somebody else decided first.
        """
        call.authorize("oversight:review", on=request.use_case_id or "*")
        reviewing.check(request)
        return await self._database.write(call, lambda tx: self._decide(tx, call, request))

    def _decide(self, tx: Transaction, call: Call, request: ReviewDecision) -> ReviewSummary:
        self._people.require_in(tx, call, REVIEW_COURSE)
        summary, version = _known(tx, call, request.review_id, request.use_case_id)
        _undecided(summary, request)
        _other_hands(call, summary)
        exchange = self._exchange(tx, summary)
        if reviewing.digest(exchange) != request.digest:
            raise Stale("this answer or its passages changed since you read them; open the review again and decide on"
                        " what it shows", review_id=summary.id)
        reason = tx.seal(SubjectId(call.principal.id), request.reason.strip()) if request.reason.strip() else None
        seq = self._tell(tx, call, summary, request, reason)
        if not _moved(tx, call, summary, version, request, reason_id=reason.id if reason else "", seq=seq):
            raise AlreadyReviewed("somebody else decided this review first; nothing was changed", review_id=summary.id)
        if request.decision != "escalate":
            self._conclude(tx, call, exchange, request)
        return _for(call, _known(tx, call, summary.id, "")[0])

    @staticmethod
    def _tell(tx: Transaction, call: Call, summary: ReviewSummary, request: ReviewDecision, reason: Sealed | None
              ) -> int:
        waited_s = int((call.at - instant(summary.opened_at)).total_seconds())
        return tx.record(f"interaction/{summary.interaction_id}", ReviewDecided(
            review_id=summary.id, interaction_id=summary.interaction_id, use_case_id=summary.use_case_id,
            decision=request.decision, digest=request.digest, waited_s=waited_s, reason=reason))

    def _conclude(self, tx: Transaction, call: Call, exchange: Exchange, request: ReviewDecision) -> None:
        """Hand the result to the asker in the same transaction; a correction is kept for what learns from it."""
        text = exchange.draft
        if request.decision == "edit":
            text = masking.covered_again(request.text.strip(), exchange.vault)
            self._correct(tx, exchange, text)
        elif request.decision == "send back":
            text = request.reason.strip()
        self._exchanges.conclude(tx, exchange.interaction_id, text=text, reviewer=call.principal.id,
                                 status="refused" if request.decision == "send back" else "final",
                                 edited=request.decision == "edit")

    @staticmethod
    def _correct(tx: Transaction, exchange: Exchange, preferred: str) -> None:
        asker = SubjectId(exchange.asked_by)
        tx.record(f"interaction/{exchange.interaction_id}", AnswerCorrected(
            interaction_id=exchange.interaction_id, use_case_id=exchange.use_case_id, release_id=exchange.release_id,
            question=tx.seal(asker, exchange.question), rejected=tx.seal(asker, exchange.draft),
            preferred=tx.seal(asker, preferred)))

    def _exchange(self, reader: Reader, summary: ReviewSummary) -> Exchange:
        found = self._exchanges.exchange(reader, summary.interaction_id)
        if found is None:
            raise NoSuchReview("the question and its draft were erased; there is nothing left to review",
                               review_id=summary.id)
        return _changed(found, lambda text: masking.covered_again(text, found.vault))

    def tally_in(self, reader: Reader, standing: Standing, today: str) -> tuple[Tally, Policy, tuple[int, ...]]:
        """Return how reviews stand, the policy in force and the newest decisions' entries, for facts about gates."""
        return (store.tally(reader, standing.use_case_id, now=f"{today}T00:00:00.000000Z"),
                self._policy(reader, standing), tuple(store.evidence(reader, standing.use_case_id)))


def _known(reader: Reader, call: Call, review_id: ReviewId, use_case_id: str) -> tuple[ReviewSummary, int]:
    found = store.review(reader, review_id, now=stamp(call.at))
    if found is None or use_case_id not in ("", found[0].use_case_id):
        raise NoSuchReview(f"there is no review `{review_id[:40]}` that you may see", review_id=review_id[:40])
    return found


def _for(call: Call, summary: ReviewSummary) -> ReviewSummary:
    """Leave out who asked where the reader may not know."""
    return summary if call.may("gateway:read_all", on=summary.use_case_id) else replace(summary, asked_by="")


def _undecided(summary: ReviewSummary, request: ReviewDecision) -> None:
    if summary.status not in ("open", "escalated"):
        raise AlreadyReviewed(f"this review is {summary.status} already; nothing is left to decide",
                              review_id=summary.id, status=summary.status)
    if summary.status == "escalated" and request.decision == "escalate":
        raise AlreadyReviewed("this review is escalated already; decide it, or leave it to somebody who can",
                              review_id=summary.id, status=summary.status)


def _other_hands(call: Call, summary: ReviewSummary) -> None:
    if call.principal.id == summary.asked_by:
        raise SameHands("this is the answer to your own question; somebody else has to decide on it",
                        rule="reviewer-is-not-asker", review_id=summary.id)
    if call.principal.id == summary.escalated_by:
        raise SameHands("you passed this review on; somebody else has to decide on it", rule="escalated-to-others",
                        review_id=summary.id)


def _moved(tx: Transaction, call: Call, summary: ReviewSummary, version: int, request: ReviewDecision, *,
           reason_id: str, seq: int) -> bool:
    if request.decision == "escalate":
        return store.escalate(tx, summary.id, version=version, by=call.principal.id, reason_id=reason_id)
    return store.settle(tx, summary.id, version=version, status=OUTCOME[request.decision], by=call.principal.id,
                        at=stamp(call.at), reason_id=reason_id, seq=seq)


def _changed(exchange: Exchange, change: Callable[[str], str]) -> Exchange:
    return replace(exchange, question=change(exchange.question), draft=change(exchange.draft),
                   passages=tuple(masking.over_passage(p, change) for p in exchange.passages))
