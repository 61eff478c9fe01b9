"""The façade of workflows: ratings and corrections, captured where answers are used."""

from collections.abc import Sequence
from dataclasses import replace

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.stats.intervals import proportion
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.gateway.contracts import Answer, AnswerRef
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import Standing, UseCaseId, UseCaseRef
from pilothouse.steps.workflows import store
from pilothouse.steps.workflows.contracts import (
    AnswerRated,
    Correction,
    CorrectionProposed,
    CorrectionSettled,
    Feedback,
    MyFeedback,
    NewCorrection,
    NewRating,
    Rating,
    Settlement,
    TagCount,
)
from pilothouse.steps.workflows.errors import (
    NoSuchCorrection,
    NothingToCorrect,
    NothingToRate,
    OwnCorrection,
    SettledAlready,
)
from pilothouse.steps.workflows.logic import minding

MINE_MAX, LISTED_MAX = 50, 200


class Workflows:
    """What people say of answers, with the same receipt id as the answer itself."""

    def __init__(self, *, database: Database, portfolio: Portfolio, gateway: Gateway) -> None:
        self._database, self._portfolio, self._gateway = database, portfolio, gateway

    @operation("POST /api/v1/answers/{interaction_id}/rating", effect="write")
    async def rate(self, call: Call, request: NewRating) -> Rating:
        """Say whether an answer was useful; saying it again changes it."""
        call.authorize("workflows:rate", on="*")
        minding.check_comment(request.comment)
        answer, standing = await self._answer(call, AnswerRef(interaction_id=request.interaction_id))
        if answer.status != "final":
            raise NothingToRate("this answer has not been given, so it cannot be rated; wait for it on your home page",
                                interaction_id=request.interaction_id, status=answer.status)
        return await self._database.write(call, lambda tx: _rate(tx, call, request, standing))

    async def _answer(self, call: Call, ref: AnswerRef) -> tuple[Answer, Standing]:
        """Return an answer that the caller may read, and its use case."""
        answer = await self._gateway.get_answer(call, ref)
        return answer, await self._portfolio.standing(call, UseCaseRef(use_case=answer.use_case))

    @operation("POST /api/v1/answers/{interaction_id}/corrections", effect="write")
    async def correct(self, call: Call, request: NewCorrection) -> Correction:
        """Propose a better text for an answer; reviewers see it beside the original."""
        call.authorize("workflows:rate", on="*")
        answer, standing = await self._answer(call, AnswerRef(interaction_id=request.interaction_id))
        if answer.status != "final":
            raise NothingToCorrect("only a finished answer can be corrected", interaction_id=request.interaction_id)
        minding.check_text(request.text, answer.text)
        return await self._database.write(call, lambda tx: _correct(tx, call, request, standing))

    @operation("GET /api/v1/answers/{interaction_id}/corrections", effect="read")
    async def corrections(self, call: Call, request: AnswerRef) -> tuple[Correction, ...]:
        """Return the corrections proposed for an answer that the caller may read."""
        call.authorize("workflows:read_own", on="*")
        _, standing = await self._answer(call, request)
        found = await self._database.read(lambda r: store.corrections(r, request.interaction_id))
        return _shown(call, standing.use_case_id, found)

    @operation("GET /api/v1/use-cases/{use_case}/corrections", effect="read")
    async def list_corrections(self, call: Call, request: UseCaseRef) -> tuple[Correction, ...]:
        """Return a use case's corrections for its reviewers, those nobody settled first."""
        call.authorize("workflows:read", on=request.use_case)
        standing = await self._portfolio.standing(call, request)
        found = await self._database.read(lambda r: store.corrections_of(r, standing.use_case_id, LISTED_MAX))
        return _shown(call, standing.use_case_id, found)

    @operation("POST /api/v1/corrections/{seq}/settlement", effect="decide")
    async def settle_correction(self, call: Call, request: Settlement) -> Correction:
        """Take or decline a correction that somebody else proposed; the answer itself stays as it was given."""
        call.authorize("oversight:review", on=request.use_case_id or "*")
        minding.check_comment(request.reason)
        return await self._database.write(call, lambda tx: _settle(tx, call, request))

    @operation("GET /api/v1/use-cases/{use_case}/feedback", effect="read")
    async def feedback(self, call: Call, request: UseCaseRef) -> Feedback:
        """Return how useful people found a use case's answers, with a Wilson interval."""
        call.authorize("workflows:read", on=request.use_case)
        standing = await self._portfolio.standing(call, request)
        return await self._database.read(lambda r: self.feedback_in(r, standing.use_case_id))

    @operation("GET /api/v1/my/feedback", effect="read")
    async def my_feedback(self, call: Call, request: NoFields) -> MyFeedback:
        """Return what the caller rated and corrected, the latest first."""
        call.authorize("workflows:read_own", on=call.principal.id)
        who = call.principal.id
        return await self._database.read(lambda r: MyFeedback(
            ratings=tuple(store.ratings_by(r, who, MINE_MAX)),
            corrections=tuple(store.corrections_by(r, who, MINE_MAX))))

    def feedback_in(self, reader: Reader, use_case_id: UseCaseId) -> Feedback:
        """Count feedback from an open snapshot (the caller authorizes)."""
        rated, useful, corrections, demo = store.counts(reader, use_case_id)
        given = sum(f.status == "final" for f in self._gateway.usage(reader, use_case_id=use_case_id))
        seen = store.answers_rated(reader, use_case_id)
        return Feedback(
            use_case_id=use_case_id, rated=rated, useful=proportion(useful, rated), answers=given,
            answers_rated=proportion(min(seen, given), given), corrections=corrections, demo=demo,
            tags=tuple(TagCount(tag=t, count=n) for t, n in store.tags(reader, use_case_id).items()),
            taken=store.corrections_taken(reader, use_case_id))

    def useful_since(self, reader: Reader, use_case_id: UseCaseId, since: str) -> tuple[int, int]:
        """Return (ratings, useful ones) since an ISO instant, for steps that watch (the caller authorizes)."""
        return store.useful_since(reader, use_case_id, since)


def _rate(tx: Transaction, call: Call, new: NewRating, standing: Standing) -> Rating:
    held = store.rating(tx, new.interaction_id, call.principal.id)
    if held and (held.useful, held.tag, held.comment or "") == (new.useful, new.tag, new.comment):
        return held
    comment = tx.seal(SubjectId(call.principal.id), new.comment) if new.comment else None
    seq = tx.record(f"interaction/{new.interaction_id}", AnswerRated(
        interaction_id=new.interaction_id, use_case_id=standing.use_case_id, useful=new.useful, comment=comment,
        tag=new.tag))
    store.save_rating(tx, new, person=call.principal.id, use_case_id=standing.use_case_id, seq=seq,
                      comment_id=comment.id if comment else "", at=stamp(call.at), demo=call.demo)
    return Rating(interaction_id=new.interaction_id, useful=new.useful, tag=new.tag, comment=new.comment or None,
                  rated_at=stamp(call.at))


def _correct(tx: Transaction, call: Call, new: NewCorrection, standing: Standing) -> Correction:
    mine = (c for c in store.corrections(tx, new.interaction_id) if c.proposed_by == call.principal.id)
    if held := next((c for c in mine if c.text == new.text), None):
        return held
    text = tx.seal(SubjectId(call.principal.id), new.text)
    seq = tx.record(f"interaction/{new.interaction_id}", CorrectionProposed(
        interaction_id=new.interaction_id, use_case_id=standing.use_case_id, text=text))
    store.add_correction(tx, interaction_id=new.interaction_id, person=call.principal.id, at=stamp(call.at),
                         use_case_id=standing.use_case_id, text_id=text.id, seq=seq, demo=call.demo)
    return Correction(interaction_id=new.interaction_id, proposed_by=call.principal.id, text=new.text,
                      proposed_at=stamp(call.at), seq=seq)


def _settle(tx: Transaction, call: Call, asked: Settlement) -> Correction:
    found = store.correction(tx, asked.seq)
    if found is None:
        raise NoSuchCorrection("no correction was proposed in that entry; list them and take its `seq`", seq=asked.seq)
    use_case_id, held = found
    call.authorize("oversight:review", on=use_case_id)
    if held.proposed_by == call.principal.id:
        raise OwnCorrection("you proposed this text; ask another reviewer to settle it", rule="other-hands",
                            seq=asked.seq)
    status, who = "taken" if asked.taken else "declined", call.principal.id
    if (held.status, held.settled_by) == (status, who):
        return _shown(call, use_case_id, (held,))[0]
    if not store.settle(tx, asked.seq, taken=asked.taken, by=who):
        raise SettledAlready(f"this correction was {held.status} before", seq=asked.seq, settled_by=held.settled_by)
    tx.record(f"interaction/{held.interaction_id}", CorrectionSettled(
        interaction_id=held.interaction_id, use_case_id=UseCaseId(use_case_id), correction=asked.seq,
        taken=asked.taken, reason=tx.seal(SubjectId(who), asked.reason) if asked.reason else None))
    return _shown(call, use_case_id, (replace(held, status=status, settled_by=who),))[0]  # type: ignore[arg-type]


def _shown(call: Call, use_case_id: str, found: Sequence[Correction]) -> tuple[Correction, ...]:
    """Return corrections as this reader may see them: a text may carry what was put back for its author alone."""
    everything = call.may("oversight:unmask", on=use_case_id)
    return tuple(c if everything or c.proposed_by == call.principal.id else replace(c, text=None) for c in found)
