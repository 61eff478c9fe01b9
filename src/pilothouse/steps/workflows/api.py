"""The façade of workflows: ratings and corrections, captured where answers are used."""

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.operation import operation
from pilothouse.kernel.store import Database, Transaction
from pilothouse.stats.intervals import proportion
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.gateway.contracts import AnswerRef
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import UseCaseId, UseCaseRef
from pilothouse.steps.workflows import store
from pilothouse.steps.workflows.contracts import (
    AnswerRated,
    Correction,
    CorrectionProposed,
    Feedback,
    NewCorrection,
    NewRating,
    Rating,
)
from pilothouse.steps.workflows.errors import NothingToCorrect
from pilothouse.steps.workflows.logic import minding


class Workflows:
    """What people say of answers, with the same receipt id as the answer itself."""

    def __init__(self, *, database: Database, portfolio: Portfolio, gateway: Gateway) -> None:
        self._database, self._portfolio, self._gateway = database, portfolio, gateway

    @operation("POST /api/v1/answers/{interaction_id}/rating", effect="write")
    async def rate(self, call: Call, request: NewRating) -> Rating:
        """Say whether an answer was useful; saying it again changes it."""
        call.authorize("workflows:rate", on="*")
        minding.check_comment(request.comment)
        answer = await self._gateway.get_answer(call, AnswerRef(interaction_id=request.interaction_id))
        standing = await self._portfolio.standing(call, UseCaseRef(use_case=answer.use_case))

        def work(tx: Transaction) -> None:
            held = store.rating(tx, request.interaction_id, call.principal.id)
            if held and (held.useful, held.comment or "") == (request.useful, request.comment):
                return
            comment = tx.seal(SubjectId(call.principal.id), request.comment) if request.comment else None
            seq = tx.record(f"interaction/{request.interaction_id}", AnswerRated(
                interaction_id=request.interaction_id, use_case_id=standing.use_case_id, useful=request.useful,
                comment=comment))
            store.save_rating(tx, request, person=call.principal.id, use_case_id=standing.use_case_id, seq=seq,
                              comment_id=comment.id if comment else "", at=stamp(call.at), demo=call.demo)

        await self._database.write(call, work)
        return Rating(interaction_id=request.interaction_id, useful=request.useful, comment=request.comment or None,
                      rated_at=stamp(call.at))

    @operation("POST /api/v1/answers/{interaction_id}/corrections", effect="write")
    async def correct(self, call: Call, request: NewCorrection) -> Correction:
        """Propose a better text for an answer; reviewers see it beside the original."""
        call.authorize("workflows:rate", on="*")
        answer = await self._gateway.get_answer(call, AnswerRef(interaction_id=request.interaction_id))
        if answer.status != "final":
            raise NothingToCorrect("only a finished answer can be corrected", interaction_id=request.interaction_id)
        minding.check_text(request.text, answer.text)
        standing = await self._portfolio.standing(call, UseCaseRef(use_case=answer.use_case))

        def work(tx: Transaction) -> int:
            text = tx.seal(SubjectId(call.principal.id), request.text)
            seq = tx.record(f"interaction/{request.interaction_id}", CorrectionProposed(
                interaction_id=request.interaction_id, use_case_id=standing.use_case_id, text=text))
            store.add_correction(tx, interaction_id=request.interaction_id, person=call.principal.id, at=stamp(call.at),
                                 use_case_id=standing.use_case_id, text_id=text.id, seq=seq)
            return seq

        seq = await self._database.write(call, work)
        return Correction(interaction_id=request.interaction_id, proposed_by=call.principal.id, text=request.text,
                          proposed_at=stamp(call.at), seq=seq)

    @operation("GET /api/v1/answers/{interaction_id}/corrections", effect="read")
    async def corrections(self, call: Call, request: AnswerRef) -> tuple[Correction, ...]:
        """Return the corrections proposed for an answer that the caller may read."""
        call.authorize("workflows:read_own", on="*")
        await self._gateway.get_answer(call, request)
        return tuple(await self._database.read(lambda r: store.corrections(r, request.interaction_id)))

    @operation("GET /api/v1/use-cases/{use_case}/feedback", effect="read")
    async def feedback(self, call: Call, request: UseCaseRef) -> Feedback:
        """Return how useful people found a use case's answers, with a Wilson interval."""
        call.authorize("workflows:read", on=request.use_case)
        standing = await self._portfolio.standing(call, request)
        rated, useful, corrections, demo = await self._database.read(lambda r: store.counts(r, standing.use_case_id))
        return Feedback(use_case_id=UseCaseId(standing.use_case_id), rated=rated, useful=proportion(useful, rated),
                        corrections=corrections, demo=demo)
