"""One question on its way: who may ask, what is read, which model answers, what leaves; two durable commits in all."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass

import msgspec

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.ids import Mint, SubjectId
from pilothouse.kernel.store import Database, Transaction
from pilothouse.steps.gateway import store
from pilothouse.steps.gateway.api.asking import Asking
from pilothouse.steps.gateway.contracts import (
    Answer,
    AnswerGiven,
    AnswerRefused,
    Check,
    Citation,
    Completion,
    Delta,
    Draft,
    Inspection,
    InteractionId,
    Material,
    ModelRoute,
    NotServed,
    Question,
    QuestionAsked,
    Release,
    Screening,
    Status,
)
from pilothouse.steps.gateway.errors import Blocked, NotLicensed, NotLive, OutsidePhase
from pilothouse.steps.gateway.logic import grounding, judging, prompting, routing
from pilothouse.steps.gateway.ports import Guardrail, Licence, Models, ReleasePolicy
from pilothouse.steps.knowledge.api import Knowledge
from pilothouse.steps.knowledge.contracts import PassagesRetrieved, Query, Retrieval
from pilothouse.steps.portfolio.contracts import Standing

NOTHING_READ = Retrieval(passages=(), readable=0, snapshot="", mode="lexical", label="public")
LIVE = frozenset({"pilot", "limited", "scaled"})
CUT_SHORT = Check(name="complete", outcome="allow", says="the stream ended early: this is what was sent until then")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question that was let in and recorded: everything known before a model is called."""

    id: InteractionId
    call: Call
    standing: Standing
    release: Release
    question: Question
    screening: Screening
    retrieval: Retrieval
    started: float
    """Seconds on the timer when the question arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugs:
    """What later steps have plugged in, as it stands at this moment."""

    guardrail: Guardrail
    release_policy: ReleasePolicy
    licence: Licence


class Answering:
    """Carries questions through; holds no state between them."""

    def __init__(self, *, database: Database, mint: Mint, knowledge: Knowledge, models: Models,
                 timer: Callable[[], float], routes: Callable[[], Mapping[str, ModelRoute]]) -> None:
        self._database, self._mint, self._knowledge = database, mint, knowledge
        self._models, self._timer, self._routes = models, timer, routes

    async def let_in(self, call: Call, standing: Standing, question: Question, plugs: Plugs) -> Exchange:
        """Check, retrieve, screen, and record the question; raises what keeps it out.

        Raises:
            NotLive, OutsidePhase, NotLicensed: this person may not ask this now.
            Blocked: a guardrail refused the question; the refusal is recorded.
        """
        started = self._timer()
        judging.check(question)
        release = admitted(call, standing, plugs)
        retrieval = await self._retrieve(call, standing, question, release)
        screening = plugs.guardrail.screen(call, standing, Material(
            question=question.text, turns=question.turns, instructions=question.instructions,
            passages=retrieval.passages))
        exchange = Exchange(id=InteractionId(self._mint("int")), call=call, standing=standing, release=release,
                            question=question, screening=screening, retrieval=retrieval, started=started)
        await self._database.write(call, lambda tx: _open(tx, exchange), quick=True)
        if screening.outcome == "block":
            raise Blocked("a guardrail refused this question; rephrase it without instructions to the model",
                          policy=screening.policy, going="in", interaction_id=exchange.id)
        return exchange

    async def _retrieve(self, call: Call, standing: Standing, question: Question, release: Release) -> Retrieval:
        if not release.passages:
            return NOTHING_READ
        return await self._knowledge.search(call, Query(
            text=question.text, use_case_id=standing.use_case_id, sources=standing.sources, limit=release.passages))

    async def complete(self, exchange: Exchange) -> Completion:
        """Return what the first able model says; however else it ends, the open question is closed in the ledger."""
        done = None
        try:
            done = await self._asking(exchange).complete()
            return done
        finally:
            if done is None:  # no model answered, or the asker left
                await self.refuse(exchange, going="model", policy="no model answered")

    def stream(self, exchange: Exchange) -> AsyncGenerator[Delta]:
        """Yield the pieces of the first able model; the caller closes the open question."""
        return self._asking(exchange).stream()

    def _asking(self, exchange: Exchange) -> Asking:
        return Asking(interaction_id=exchange.id, models=self._models, parameters=exchange.question.parameters,
                      prompt=prompting.compose(exchange.release, exchange.screening.material),
                      routes=routing.routes_for(exchange.release, exchange.retrieval.label, self._routes()),
                      seconds_left=lambda: self._seconds_left(exchange))

    def _seconds_left(self, exchange: Exchange) -> float | None:
        """Return how much of the call's allowance is left, measured by the timer from when the question arrived."""
        if exchange.call.deadline is None:
            return None
        return (exchange.call.deadline - exchange.call.at).total_seconds() - (self._timer() - exchange.started)

    async def break_off(self, exchange: Exchange, sent: str, plugs: Plugs) -> None:
        """Close a question whose stream ended early: what was sent is what was answered; nothing sent is a refusal."""
        if not sent:
            await self.refuse(exchange, going="model", policy="no model answered")
            return
        cut = Completion(text=sent, model=exchange.release.model, tokens_in=0, tokens_out=len(sent) // 4 + 1,
                         finish_reason="length", estimated_tokens=True)
        await self.conclude(exchange, cut, plugs, streamed="streamed through", more=(CUT_SHORT,))

    async def conclude(self, exchange: Exchange, completion: Completion, plugs: Plugs, *, streamed: str,
                       more: tuple[Check, ...] = ()) -> Answer:
        """Judge a completion, record what came of it, and return what the asker may see."""
        material, retrieval = exchange.screening.material, exchange.retrieval
        draft, parts = judging.draft(completion, material.question, material.passages, retrieval.label)
        verdict = plugs.guardrail.inspect(exchange.call, exchange.standing, draft)
        inspection = judging.stricter(exchange.screening, verdict)
        status: Status = {"allow": "final", "hold": "held", "block": "refused"}[inspection.outcome]  # type: ignore[assignment]
        checks = (*exchange.screening.checks, *inspection.checks, *more)
        # Quoted from what the asker may read, so that spans fit the document and not its masked copy.
        citations = grounding.citations(draft.citations, parts, retrieval.passages)
        record = store.Record(citations=grounding.bare(citations), checks=checks, snapshot=retrieval.snapshot,
                              masked=dict(exchange.screening.masked), label=retrieval.label, streamed=streamed,
                              finish_reason=completion.finish_reason)
        latency_ms = round(1000 * (self._timer() - exchange.started), 3)
        await self._database.write(exchange.call, lambda tx: _close(
            tx, exchange, completion, draft, inspection, record, status=status, latency_ms=latency_ms), quick=True)
        if status == "refused":
            raise Blocked("a guardrail refused this answer; ask the owner of the use case", going="out",
                          policy=inspection.policy, interaction_id=exchange.id)
        return _answer(exchange, completion, draft, inspection, checks, citations, status, plugs)

    async def refuse(self, exchange: Exchange, *, going: str, policy: str) -> None:
        """Record that a recorded question got no answer."""
        await self._database.write(exchange.call, lambda tx: _refuse(tx, exchange, going=going, policy=policy),
                                   quick=True)


def admitted(call: Call, standing: Standing, plugs: Plugs) -> Release:
    """Return the release that serves this person; raise why none does."""
    if standing.trial and call.principal.id != standing.owner:
        raise OutsidePhase("a trial answers only its owner; ask them to propose a use case", rule="trial-owner-only")
    if standing.stage not in LIVE:
        raise NotLive(f"`{standing.title}` is {'retired' if standing.stage == 'retired' else 'still an idea'} and "
                      "answers nobody", rule=f"stage-{standing.stage}", scope=standing.use_case_id)
    if refusal := plugs.licence.refusal(call, standing):
        raise NotLicensed(refusal, rule="credential-needed", scope=standing.use_case_id)
    assigned = plugs.release_policy.assign(call, standing)
    if isinstance(assigned, NotServed):
        raise OutsidePhase(assigned.says, rule=assigned.rule, scope=standing.use_case_id)
    return assigned


def _open(tx: Transaction, x: Exchange) -> None:
    who = SubjectId(x.call.principal.id)
    question = tx.seal(who, x.question.text)
    vault = tx.seal(who, msgspec.json.encode(x.screening.vault).decode()).id if x.screening.vault else ""
    seq = tx.record(f"interaction/{x.id}", QuestionAsked(
        interaction_id=x.id, use_case_id=x.standing.use_case_id, release_id=x.release.id, question=question,
        masked=x.screening.masked, unit=x.call.principal.unit, policy=x.screening.policy))
    ids = tuple(p.id for p in x.retrieval.passages)
    if x.release.passages:
        tx.record(f"interaction/{x.id}", PassagesRetrieved(
            use_case_id=x.standing.use_case_id, interaction_id=x.id, passage_ids=ids, readable=x.retrieval.readable,
            snapshot=x.retrieval.snapshot, mode=x.retrieval.mode, label=x.retrieval.label))
    store.open_interaction(
        tx, id=x.id, use_case_id=x.standing.use_case_id, slug=x.standing.slug, principal=x.call.principal.id,
        unit=x.call.principal.unit, asked_at=stamp(x.call.at), release_id=x.release.id, model=x.release.model,
        policy=x.screening.policy, question=question.id, vault=vault, passages=ids, demo=x.call.demo, seq=seq,
        record=store.Record(checks=x.screening.checks, masked=dict(x.screening.masked), label=x.retrieval.label,
                            snapshot=x.retrieval.snapshot))
    if x.screening.outcome == "block":
        _refuse(tx, x, going="in", policy=x.screening.policy)


def _refuse(tx: Transaction, x: Exchange, *, going: str, policy: str) -> None:
    seq = tx.record(f"interaction/{x.id}", AnswerRefused(
        interaction_id=x.id, use_case_id=x.standing.use_case_id, going=going, policy=policy,  # type: ignore[arg-type]
        checks=x.screening.checks))
    status: Status = "failed" if going == "model" else "refused"
    store.close_interaction(
        tx, id=x.id, status=status, model=x.release.model, policy=policy, answer="", answered=False, groundedness=None,
        tokens_in=0, tokens_out=0, cost_eur=None, latency_ms=None, seq=seq, record=store.Record(
            checks=x.screening.checks, masked=dict(x.screening.masked), label=x.retrieval.label,
            snapshot=x.retrieval.snapshot))


def _close(tx: Transaction, x: Exchange, done: Completion, draft: Draft, inspection: Inspection, record: store.Record,
           *, status: Status, latency_ms: float) -> None:
    text = tx.seal(SubjectId(x.call.principal.id), inspection.text)
    seq = tx.record(f"interaction/{x.id}", AnswerGiven(
        interaction_id=x.id, use_case_id=x.standing.use_case_id, release_id=x.release.id, unit=x.call.principal.unit,
        outcome=inspection.outcome, policy=inspection.policy, answer=text, answered=draft.answered,
        cited=tuple(c.passage_id for c in record.citations), groundedness=draft.groundedness, label=draft.label,
        checks=record.checks, model=done.model, tokens_in=done.tokens_in, tokens_out=done.tokens_out,
        cost_eur=done.cost_eur, latency_ms=latency_ms, streamed=record.streamed))
    store.close_interaction(
        tx, id=x.id, status=status, model=done.model, policy=inspection.policy, answer=text.id, record=record,
        answered=draft.answered, groundedness=draft.groundedness, tokens_in=done.tokens_in, tokens_out=done.tokens_out,
        cost_eur=done.cost_eur, latency_ms=latency_ms, seq=seq)


def _answer(x: Exchange, done: Completion, draft: Draft, inspection: Inspection, checks: tuple[Check, ...],
            citations: tuple[Citation, ...], status: Status, plugs: Plugs) -> Answer:
    """Return what the asker sees: held answers say so, others carry their text with personal data put back."""
    held = status == "held"
    text = judging.HELD_TEXT if held else plugs.guardrail.restore(inspection.text, x.screening.vault)
    return Answer(interaction_id=x.id, use_case=x.standing.slug, status=status, text=text,
                  citations=() if held else citations, answered=draft.answered, groundedness=draft.groundedness,
                  checks=checks, tokens_in=done.tokens_in, tokens_out=done.tokens_out, demo=x.call.demo,
                  finish_reason="stop" if held else done.finish_reason)
