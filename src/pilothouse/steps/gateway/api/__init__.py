"""The gateway's façade: a question in, a governed, recorded answer out."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from time import perf_counter

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Denied
from pilothouse.kernel.ids import Mint
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.outlet import Outlet
from pilothouse.kernel.store import Database, Reader, Row, Transaction
from pilothouse.steps.gateway import store
from pilothouse.steps.gateway.api.answering import Answering, Exchange, Plugs, admitted
from pilothouse.steps.gateway.api.unplugged import EXTRACTIVE_ROUTE, MinimalRiskOnly, NoLicence, OneRelease
from pilothouse.steps.gateway.contracts import (
    Answer,
    AnswerLine,
    AnswerRef,
    AnswersQuery,
    Askable,
    Delta,
    Embedded,
    EmbedRequest,
    Explained,
    InteractionId,
    ModelDefined,
    ModelRoute,
    Question,
    Receipt,
    UsageFact,
)
from pilothouse.steps.gateway.errors import NoEmbedder, NoSuchAnswer
from pilothouse.steps.gateway.logic import grounding, reading, routing
from pilothouse.steps.gateway.ports import Guardrail, Licence, Models, ReleasePolicy
from pilothouse.steps.knowledge.api import Knowledge
from pilothouse.steps.knowledge.ports import Embedder
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import PortfolioQuery, UseCaseRef

CHUNK_CHARACTERS = 48
"""How much text one piece of a checked answer carries when it is sent as a stream."""


class Gateway:
    """Everything between a question and a model, with a receipt for every answer."""

    def __init__(self, *, database: Database, mint: Mint, portfolio: Portfolio, knowledge: Knowledge, models: Models,
                 embeddings: Embedder | None = None, timer: Callable[[], float] = perf_counter) -> None:
        self._database, self._portfolio, self._knowledge = database, portfolio, knowledge
        self._embeddings = embeddings
        self.guardrail: Outlet[Guardrail] = Outlet(unplugged=MinimalRiskOnly())
        self.release_policy: Outlet[ReleasePolicy] = Outlet(unplugged=OneRelease())
        self.licence: Outlet[Licence] = Outlet(unplugged=NoLicence())
        self._routes: Mapping[str, ModelRoute] = {routing.EXTRACTIVE: EXTRACTIVE_ROUTE}
        self._answering = Answering(database=database, mint=mint, knowledge=knowledge, models=models, timer=timer,
                                    routes=lambda: self._routes)

    async def refresh(self) -> None:
        """Read the model routes again: at start, and after any change."""
        self._routes = {routing.EXTRACTIVE: EXTRACTIVE_ROUTE, **await self._database.read(store.routes)}

    def _plugs(self) -> Plugs:
        return Plugs(guardrail=self.guardrail.current, release_policy=self.release_policy.current,
                     licence=self.licence.current)

    @operation("POST /api/v1/answers", effect="write")
    async def answer(self, call: Call, request: Question) -> Answer:
        """Answer a question from what its asker may know, by the release its asker is assigned.

        Raises:
            NotLive, OutsidePhase, NotLicensed: this person may not ask this now.
            Blocked: a guardrail refused the question or the answer.
            ModelUnavailable, TooLate: no model answered, or not in time.
        """
        call.authorize("gateway:ask", on=request.use_case)
        standing = await self._portfolio.standing(call, UseCaseRef(use_case=request.use_case))
        plugs = self._plugs()
        exchange = await self._answering.let_in(call, standing, request, plugs)
        completion = await self._answering.complete(exchange)
        return await self._answering.conclude(exchange, completion, plugs, streamed="not streamed")

    async def stream(self, call: Call, request: Question) -> AsyncGenerator[Delta | Answer]:
        """Yield the answer piece by piece and then whole; raises as `answer` does, before the first piece.

        Where policy may hold, mask or block an answer on its way out, it is finished, checked and recorded first and
        then sent in pieces; else it streams through, recorded before its first piece and again after its last.
        """
        call.authorize("gateway:ask", on=request.use_case)
        standing = await self._portfolio.standing(call, UseCaseRef(use_case=request.use_case))
        plugs = self._plugs()
        exchange = await self._answering.let_in(call, standing, request, plugs)
        clear = exchange.screening.outcome == "allow" and not exchange.screening.vault
        through = clear and plugs.guardrail.streams_through(standing)
        source = self._through(exchange, plugs) if through else self._checked(exchange, plugs)
        async with aclosing(source) as pieces:
            async for piece in pieces:
                yield piece

    async def _checked(self, exchange: Exchange, plugs: Plugs) -> AsyncGenerator[Delta | Answer]:
        completion = await self._answering.complete(exchange)
        answer = await self._answering.conclude(exchange, completion, plugs, streamed="checked first")
        for start in range(0, len(answer.text), CHUNK_CHARACTERS):
            yield Delta(text=answer.text[start:start + CHUNK_CHARACTERS])
        yield answer

    async def _through(self, exchange: Exchange, plugs: Plugs) -> AsyncGenerator[Delta | Answer]:
        completion, sent = None, []
        try:
            async with aclosing(self._answering.stream(exchange)) as pieces:
                async for piece in pieces:
                    completion = piece.completion or completion
                    if piece.text:
                        sent.append(piece.text)
                        yield Delta(text=piece.text)
        finally:
            if completion is None:  # the model broke off, or the reader left
                await self._answering.break_off(exchange, "".join(sent), plugs)
        if completion is not None:
            yield await self._answering.conclude(exchange, completion, plugs, streamed="streamed through")

    @operation("GET /api/v1/answers", effect="read")
    async def list_answers(self, call: Call, request: AnswersQuery) -> tuple[AnswerLine, ...]:
        """List answers of a use case without their texts, the newest first."""
        call.authorize("gateway:list", on=request.use_case or "*")
        use_case_id = (await self._portfolio.standing(call, UseCaseRef(use_case=request.use_case))).use_case_id \
            if request.use_case else ""
        limit = max(1, min(request.limit, 200))
        return tuple(await self._database.read(lambda r: store.lines(r, use_case_id=use_case_id, limit=limit)))

    @operation("GET /api/v1/my/answers", effect="read")
    async def my_answers(self, call: Call, request: NoFields) -> tuple[Explained, ...]:
        """Return the caller's own latest answers, held ones included, with their texts."""
        call.authorize("gateway:read_own", on=call.principal.id)
        return await self._database.read(lambda r: tuple(
            self._explained(r, call, row) for row in store.latest(r, principal=call.principal.id, limit=20)))

    @operation("GET /api/v1/answers/{interaction_id}", effect="read")
    async def get_answer(self, call: Call, request: AnswerRef) -> Answer:
        """Return one answer: to its asker with personal data restored, to those who may read all of them masked."""
        call.authorize("gateway:read_own", on=call.principal.id)
        return (await self._explain(call, request.interaction_id)).answer

    @operation("GET /api/v1/answers/{interaction_id}/explanation", effect="read")
    async def explain(self, call: Call, request: AnswerRef) -> Explained:
        """Return why this answer: its sentences, what each stands on, and the passages that were read."""
        call.authorize("gateway:read_own", on=call.principal.id)
        return await self._explain(call, request.interaction_id)

    async def _explain(self, call: Call, id: InteractionId) -> Explained:
        row = await self._row(call, id)
        return await self._database.read(lambda r: self._explained(r, call, row))

    def _explained(self, reader: Reader, call: Call, row: Row) -> Explained:
        """Open an answer for its reader: the asker sees personal data restored, everybody else sees placeholders."""
        ids, record = store.passages_of(row), store.record_of(row)
        seen = {str(p.id): p for p in self._knowledge.passages_in(reader, call.principal, ids)}
        passages = tuple(seen[i] for i in ids if i in seen)
        vault = reading.vault_of(reader.text(str(row["vault"])) if row["vault"] else "")
        shown = self.guardrail.current.restore if row["principal"] == call.principal.id else reading.masked
        question, text = (reader.text(str(row[column])) for column in ("question", "answer"))
        answer = reading.answer_of(row, grounding.filled(record.citations, passages), record.checks,
                                   text=shown(text or "", vault), finish_reason=record.finish_reason)
        parts = grounding.split(text or "", [seen.get(i) for i in ids]) if answer.status == "final" else ()
        return Explained(answer=answer, question=None if question is None else shown(question, vault),
                         sentences=tuple(replace(p, text=shown(p.text, vault)) for p in parts), passages=passages)

    async def _row(self, call: Call, id: InteractionId) -> Row:
        """Return an interaction that the caller may read; the forbidden and the missing look the same."""
        row = await self._database.read(lambda r: store.interaction(r, id), quick=True)
        allowed = row is not None and (row["principal"] == call.principal.id
                                       or call.may("gateway:read_all", on=str(row["use_case_id"])))
        if row is None or not allowed:
            raise NoSuchAnswer("there is no such answer that you may read", interaction_id=str(id)[:80])
        return row

    @operation("GET /api/v1/answers/{interaction_id}/receipt", effect="read")
    async def receipt(self, call: Call, request: AnswerRef) -> Receipt:
        """Return everything an auditor asks about one answer, with the ledger entries that prove it."""
        call.authorize("gateway:read_own", on=call.principal.id)
        row = await self._row(call, request.interaction_id)
        ids = store.passages_of(row)
        entries, passages = await self._database.read(lambda r: (
            r.entries(stream=f"interaction/{row['id']!s}", limit=100),
            self._knowledge.passages_in(r, call.principal, ids)))
        return reading.receipt_of(row, store.record_of(row), ids, passages, entries)

    @operation("GET /api/v1/models/askable", effect="read")
    async def askable(self, call: Call, request: NoFields) -> tuple[Askable, ...]:
        """Return the use cases that the caller may ask now: what `/v1/models` lists."""
        call.authorize("gateway:ask", on="*")
        found = await self._portfolio.list_use_cases(call, PortfolioQuery())
        plugs, open_ones = self._plugs(), []
        for u in found:
            standing = await self._portfolio.standing(call, UseCaseRef(use_case=u.id))
            try:
                admitted(call, standing, plugs)
            except Denied:
                continue
            open_ones.append(Askable(slug=u.slug, use_case_id=u.id, title=u.title))
        return tuple(open_ones)

    @operation("GET /api/v1/models", effect="read")
    async def list_models(self, call: Call, request: NoFields) -> tuple[ModelRoute, ...]:
        """Return the routes to models; the built-in extractive one is always there."""
        call.authorize("gateway:list", on="*")
        return tuple(self._routes.values())

    @operation("POST /api/v1/models", effect="write")
    async def define_model(self, call: Call, request: ModelRoute) -> ModelRoute:
        """Define or change a route to a model; its key stays in the environment, only the variable's name is kept."""
        call.authorize("gateway:configure", on="*")
        reading.check_route(request)

        def work(tx: Transaction) -> None:
            if store.save_route(tx, request):
                tx.record(f"model/{request.name}", ModelDefined(
                    name=request.name, driver=request.kind, base_url=request.base_url,
                    upstream_model=request.upstream_model, clearance=request.clearance))

        await self._database.write(call, work)
        await self.refresh()
        return request

    @operation("POST /api/v1/embeddings", effect="read")
    async def embed(self, call: Call, request: EmbedRequest) -> Embedded:
        """Embed texts with the local embedder."""
        call.authorize("gateway:embed", on="*")
        if self._embeddings is None:
            raise NoEmbedder("no embedder is installed; see the README on the weights package")
        reading.check_texts(request)
        vectors = await asyncio.to_thread(self._embeddings.embed, request.texts)
        return Embedded(model=self._embeddings.name, tokens=sum(len(t) // 4 + 1 for t in request.texts),
                        vectors=tuple(tuple(float(x) for x in v) for v in vectors))

    def usage(self, reader: Reader, *, use_case_id: str = "", since: str = "", until: str = "~"
              ) -> Sequence[UsageFact]:
        """Return raw facts of use from an open snapshot, for steps that count (the caller authorizes)."""
        return store.usage(reader, use_case_id=use_case_id, since=since, until=until)

    def usage_after(self, reader: Reader, use_case_id: str, *, after: int, limit: int) -> Sequence[UsageFact]:
        """Return what was answered after a ledger entry, from an open snapshot (the caller authorizes)."""
        return store.usage_after(reader, use_case_id, after=after, limit=limit)

    def held(self, reader: Reader, id: InteractionId) -> Mapping[str, object] | None:
        """Return an interaction's row for oversight, from an open snapshot."""
        return store.interaction(reader, id)

    def conclude_review(self, tx: Transaction, id: InteractionId, *, refused: bool, answer_id: str, reviewer: str,
                        edited: bool) -> bool:
        """Give the asker a reviewed text (its sealed id) in the caller's transaction; False if it was not held."""
        return store.conclude_review(tx, id, status="refused" if refused else "final", answer=answer_id,
                                     reviewer=reviewer, edited=edited)

    async def sweep(self, call: Call, *, older_than: timedelta) -> int:
        """Close what a crash left open: each such question gets a recorded refusal; returns how many."""
        before = stamp(call.at - older_than)

        def work(tx: Transaction) -> int:
            found = store.left_open(tx, before=before)
            for row in found:
                seq = tx.record(f"interaction/{row['id']!s}", store.refusal(row, "interrupted before it was answered"))
                store.close_interaction(
                    tx, id=InteractionId(str(row["id"])), status="failed", model=str(row["model"]), answer="",
                    policy="interrupted", record=store.record_of(row), answered=False, groundedness=None, tokens_in=0,
                    tokens_out=0, cost_eur=None, latency_ms=None, seq=seq)
            return len(found)

        return await self._database.write(call, work)
