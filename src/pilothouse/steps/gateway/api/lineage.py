"""Lineage: an answer back to its sources, a document forward to its answers, what is stale, and what is called back."""

import json
from collections.abc import Iterator, Mapping

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.kernel.ids import ORGANISATION
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Reader, Row, Transaction
from pilothouse.steps.gateway import store
from pilothouse.steps.gateway.contracts import (
    AnswerRef,
    AnswersRecalled,
    Impact,
    ImpactQuery,
    InteractionId,
    Lineage,
    LineageLink,
    RecallNotice,
    RecallRequest,
    ReleaseId,
    StaleAnswer,
    StaleQuery,
    UsedIn,
)
from pilothouse.steps.gateway.errors import NoSuchAnswer
from pilothouse.steps.gateway.logic import tracing
from pilothouse.steps.knowledge.api import Knowledge
from pilothouse.steps.knowledge.contracts import PassageId
from pilothouse.steps.knowledge.contracts.lineage import Origin
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import UseCaseId, UseCaseRef

STALE_MAX, NOTICES_MAX, REASON_MAX = 500, 200, 2_000
SHOWN = ("final",)
"""States of an answer whose text its asker has seen."""


class Tracing:
    """Follows answers and documents both ways; reads every interaction, about 10 µs each."""

    def __init__(self, *, database: Database, portfolio: Portfolio, knowledge: Knowledge) -> None:
        self._database, self._portfolio, self._knowledge = database, portfolio, knowledge

    @operation("GET /api/v1/answers/{interaction_id}/lineage", effect="read")
    async def lineage(self, call: Call, request: AnswerRef) -> Lineage:
        """Return where an answer comes from: passages, document versions, files, and the entries that prove it."""
        call.authorize("gateway:read_own", on=call.principal.id)
        return await self._database.read(lambda r: self._lineage(r, call, request.interaction_id))

    def _lineage(self, reader: Reader, call: Call, id: InteractionId) -> Lineage:
        row = store.interaction(reader, id)
        if row is None or not (row["principal"] == call.principal.id
                               or call.may("gateway:read_all", on=str(row["use_case_id"]))):
            raise NoSuchAnswer("there is no such answer that you may read", interaction_id=str(id)[:80])
        ids, record = store.passages_of(row), store.record_of(row)
        origins, cited = self._knowledge.origins_in(reader, ids), {c.passage_id for c in record.citations}
        links = tuple(LineageLink(passage_id=PassageId(i), cited=i in cited, origin=origins.get(i)) for i in ids)
        event = tracing.run_event(str(id), str(row["slug"]), str(row["asked_at"]), links)
        return Lineage(
            interaction_id=id, use_case_id=UseCaseId(str(row["use_case_id"])), asked_at=str(row["asked_at"]),
            model=str(row["model"]), release_id=ReleaseId(str(row["release_id"])), snapshot=record.snapshot,
            links=links, openlineage=json.dumps(event, sort_keys=True),
            entries=tuple(e.seq for e in reader.entries(stream=f"interaction/{id}", limit=100)))

    @operation("GET /api/v1/documents/{document_id}/impact", effect="read")
    async def impact(self, call: Call, request: ImpactQuery) -> Impact:
        """Return every answer that used a document, and the people who saw one."""
        call.authorize("gateway:read_all", on="*")

        def look(reader: Reader) -> Impact:
            held = self._passages(reader, call, request.document_id, request.every_version)
            found = sorted((_used(row, held) for row in _using(reader, held)), key=lambda u: u.asked_at, reverse=True)
            return Impact(document_id=request.document_id, answers=tuple(found), cited=sum(u.cited for u in found),
                          people=tuple(sorted({u.principal for u in found if u.status in SHOWN})))

        return await self._database.read(look)

    def _passages(self, reader: Reader, call: Call, document_id: str, every_version: bool) -> Mapping[str, int]:
        return self._knowledge.passages_of_in(reader, call.principal, document_id, every_version=every_version)

    @operation("GET /api/v1/stale-answers", effect="read")
    async def stale(self, call: Call, request: StaleQuery) -> tuple[StaleAnswer, ...]:
        """Return shown answers that cite what is served no more, because it was replaced, removed or erased."""
        call.authorize("gateway:read_all", on="*")
        use_case = (await self._portfolio.standing(call, UseCaseRef(use_case=request.use_case))).use_case_id \
            if request.use_case else ""
        limit = max(1, min(request.limit, STALE_MAX))
        return await self._database.read(lambda r: tuple(self._stale(r, use_case, limit)))

    def _stale(self, reader: Reader, use_case: str, limit: int) -> Iterator[StaleAnswer]:
        found = 0
        for row in store.every(reader, use_case_id=use_case):
            cited = [c.passage_id for c in store.record_of(row).citations] if row["status"] in SHOWN else []
            origins = self._knowledge.origins_in(reader, cited) if cited else {}
            gone = [i for i in cited if (o := origins.get(i)) is None or not o.current]
            if gone and found < limit:
                found += 1
                yield _stale_answer(row, gone[0], origins.get(gone[0]))

    @operation("POST /api/v1/documents/{document_id}/recall", effect="decide")
    async def recall(self, call: Call, request: RecallRequest) -> Impact:
        """Call back every shown answer that cites a wrong document; its askers find the notice. Twice is once."""
        call.authorize("knowledge:resolve", on="*")
        call.authorize("gateway:read_all", on="*")
        if not 1 <= len(request.reason.strip()) <= REASON_MAX:
            raise Invalid(f"say why in 1 to {REASON_MAX} characters: the askers will read it", field="reason")
        await self._database.write(call, lambda tx: self._recall(tx, call, request))
        return await self.impact(call, ImpactQuery(document_id=request.document_id,
                                                   every_version=request.every_version))

    def _recall(self, tx: Transaction, call: Call, request: RecallRequest) -> None:
        held = self._passages(tx, call, request.document_id, request.every_version)
        used = [row for row in _using(tx, held) if _used(row, held).cited and row["status"] in SHOWN
                and not store.is_recalled(tx, str(row["id"]), request.document_id)]
        if not used:
            return
        reason = tx.seal(ORGANISATION, request.reason.strip())
        for row in used:
            store.recall(tx, row, request.document_id, at=stamp(call.at), by=call.principal.id, reason=reason.id)
        tx.record(f"document/{request.document_id}", AnswersRecalled(
            document_id=request.document_id, reason=reason,
            interaction_ids=tuple(InteractionId(str(row["id"])) for row in used)))

    @operation("GET /api/v1/my/recalls", effect="read")
    async def my_recalls(self, call: Call, request: NoFields) -> tuple[RecallNotice, ...]:
        """Return which of the caller's own answers were called back, and why."""
        call.authorize("gateway:read_own", on=call.principal.id)
        return tuple(await self._database.read(lambda r: store.recalls(r, call.principal.id, NOTICES_MAX)))


def _using(reader: Reader, held: Mapping[str, int]) -> list[Row]:
    return [row for row in store.every(reader) if held.keys() & set(store.passages_of(row))]


def _used(row: Row, held: Mapping[str, int]) -> UsedIn:
    mine = held.keys() & set(store.passages_of(row))
    return UsedIn(interaction_id=InteractionId(str(row["id"])), use_case_id=UseCaseId(str(row["use_case_id"])),
                  slug=str(row["slug"]), principal=str(row["principal"]), asked_at=str(row["asked_at"]),
                  status="failed" if row["status"] == "open" else row["status"],  # type: ignore[arg-type]
                  versions=tuple(sorted({held[i] for i in mine})),
                  cited=any(c.passage_id in mine for c in store.record_of(row).citations))


def _stale_answer(row: Row, passage_id: str, origin: Origin | None) -> StaleAnswer:
    return StaleAnswer(
        interaction_id=InteractionId(str(row["id"])), slug=str(row["slug"]), principal=str(row["principal"]),
        asked_at=str(row["asked_at"]), passage_id=PassageId(passage_id),
        document_id=origin.document_id if origin else None, version=origin.version if origin else None,
        newest=origin.newest if origin else None,
        since="erased" if origin is None else "removed" if origin.newest is None else "replaced")
