"""The strategy façade: objectives that use cases realise, and learnings that the next submitter is shown."""

from collections.abc import Sequence

from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Invalid, Missing
from pilothouse.kernel.ids import ORGANISATION, Mint, SubjectId
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.store import Database, Reader, Row, Transaction
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import UseCaseId
from pilothouse.steps.portfolio.contracts.strategy import (
    Contribution,
    Evidence,
    Learning,
    LearningEvidence,
    LearningQuery,
    LearningRecorded,
    LearningTested,
    NewLearning,
    NewObjective,
    Objective,
    ObjectiveDefined,
    ObjectiveLink,
    ObjectiveLinked,
)
from pilothouse.steps.portfolio.logic import realising, recalling
from pilothouse.steps.portfolio.store import strategy as tables


class Strategy:
    """Objectives above use cases, and what was learned below them."""

    def __init__(self, *, database: Database, mint: Mint, portfolio: Portfolio) -> None:
        self._database, self._mint, self._portfolio = database, mint, portfolio

    @operation("POST /api/v1/objectives", effect="write")
    async def define_objective(self, call: Call, request: NewObjective) -> Objective:
        """Define an objective, or word it anew; the same twice changes nothing."""
        call.authorize("objective:define", on="*")
        realising.check_objective(request)

        def work(tx: Transaction) -> Objective:
            owner, held = request.owner or call.principal.id, tables.objective(tx, request.slug)
            said = (request.title, request.statement, owner, request.due)
            if held is None or said != tuple(held[n] for n in ("title", "statement", "owner", "due")):
                tables.save_objective(tx, slug=request.slug, title=request.title, statement=request.statement,
                                      owner=owner, due=request.due, at=stamp(call.at), demo=call.demo)
                tx.record(f"objective/{request.slug}", ObjectiveDefined(
                    objective=request.slug, title=tx.seal(ORGANISATION, request.title), owner=owner, due=request.due,
                    statement=tx.seal(ORGANISATION, request.statement)))
            return self._objective(tx, _known(tx, request.slug))

        return await self._database.write(call, work)

    @operation("POST /api/v1/objectives/{objective}/links", effect="write")
    async def link_objective(self, call: Call, request: ObjectiveLink) -> Objective:
        """Let a share of a KPI's effect count towards an objective; never more than all of it over all objectives."""
        call.authorize("objective:define", on="*")

        def work(tx: Transaction) -> Objective:
            held = _known(tx, request.objective)
            u = self._portfolio.use_case_in(tx, request.use_case)
            self._portfolio.kpi_in(tx, u, request.kpi)
            shares = tables.shares(tx, u.id, request.kpi)
            realising.check_share(request, sum(s for o, s in shares.items() if o != request.objective))
            if shares.get(request.objective, 0.0) != request.share:
                tables.link(tx, request, u.id)
                tx.record(f"objective/{request.objective}", ObjectiveLinked(
                    objective=request.objective, use_case_id=u.id, kpi=request.kpi, share=request.share))
            return self._objective(tx, held)

        return await self._database.write(call, work)

    @operation("GET /api/v1/objectives", effect="read")
    async def objectives(self, call: Call, request: NoFields) -> tuple[Objective, ...]:
        """Return every objective with what contributes to it and what is realised a month, by unit."""
        call.authorize("use_case:read", on="*")
        return await self._database.read(lambda r: tuple(self._objective(r, o) for o in tables.objectives(r)))

    def _objective(self, reader: Reader, row: Row) -> Objective:
        found = tuple(self._contribution(reader, *link) for link in tables.links(reader, str(row["slug"])))
        return Objective(slug=str(row["slug"]), title=str(row["title"]), statement=str(row["statement"]),
                         owner=str(row["owner"]), due=str(row["due"]), defined_at=str(row["defined_at"]),
                         contributions=found, realised=realising.realised(found), demo=bool(row["demo"]))

    def _contribution(self, reader: Reader, use_case_id: UseCaseId, kpi: str, share: float) -> Contribution:
        u = self._portfolio.use_case_in(reader, use_case_id)
        return realising.contribution(u, self._portfolio.kpi_in(reader, u, kpi).result, share)

    @operation("POST /api/v1/learnings", effect="write")
    async def record_learning(self, call: Call, request: NewLearning) -> Learning:
        """Record what a use case taught; the same key (or the same sentence) twice is one learning."""
        call.authorize("learning:record", on="*")
        recalling.check(request)

        def work(tx: Transaction) -> Learning:
            key = request.key or recalling.key_of(request)
            id = tables.learning_by_key(tx, key)
            if id is None:
                id = self._mint("lrn")
                use_case_id = str(self._portfolio.use_case_in(tx, request.use_case).id) if request.use_case else ""
                _check_entries(tx, request.entries)
                self._record(tx, call, id, key, use_case_id, request)
            return _learning(tx, id)

        return await self._database.write(call, work)

    @staticmethod
    def _record(tx: Transaction, call: Call, id: str, key: str, use_case_id: str, new: NewLearning) -> None:
        statement = tx.seal(SubjectId(call.principal.id), new.statement)
        seq = tx.record(f"learning/{id}", LearningRecorded(
            learning=id, use_case_id=use_case_id, statement=statement, entries=new.entries))
        tables.insert_learning(tx, id=id, key=key, statement_id=statement.id, use_case_id=use_case_id,
                               by=call.principal.id, at=stamp(call.at), seq=seq, demo=call.demo)
        if new.entries:
            tables.add_evidence(tx, id, Evidence(
                stance="supports", use_case_id=UseCaseId(use_case_id), slug="", entries=new.entries, note=None,
                added_by=call.principal.id, added_at=stamp(call.at)), note_id="", seq=seq)

    @operation("POST /api/v1/learnings/{learning}/evidence", effect="write")
    async def test_learning(self, call: Call, request: LearningEvidence) -> Learning:
        """Add evidence for or against a learning; both stay, side by side."""
        call.authorize("learning:record", on="*")
        if not request.entries:
            raise Invalid("name the ledger entries that show it", field="entries")

        def work(tx: Transaction) -> Learning:
            held = _learning(tx, request.learning)
            u = self._portfolio.use_case_in(tx, request.use_case)
            _check_entries(tx, request.entries)
            if not recalling.is_known(held, request, u.id):
                note = tx.seal(SubjectId(call.principal.id), request.note) if request.note.strip() else None
                seq = tx.record(f"learning/{held.id}", LearningTested(
                    learning=held.id, stance=request.stance, use_case_id=u.id, entries=request.entries, note=note))
                tables.add_evidence(tx, held.id, Evidence(
                    stance=request.stance, use_case_id=u.id, slug=u.slug, entries=request.entries, note=request.note,
                    added_by=call.principal.id, added_at=stamp(call.at)), note_id=note.id if note else "", seq=seq)
            return _learning(tx, held.id)

        return await self._database.write(call, work)

    @operation("GET /api/v1/learnings", effect="read")
    async def learnings(self, call: Call, request: LearningQuery) -> tuple[Learning, ...]:
        """Return learnings: the ones nearest to a text first, or all, newest first."""
        call.authorize("use_case:read", on="*")
        found = await self._database.read(tables.learnings)
        return recalling.nearest(found, request.text) if request.text.strip() else tuple(found)


def _known(reader: Reader, slug: str) -> Row:
    if (found := tables.objective(reader, slug)) is None:
        raise Missing(f"there is no objective `{slug[:80]}`; define it first", objective=slug[:80], field="objective")
    return found


def _learning(reader: Reader, id: str) -> Learning:
    for learning in tables.learnings(reader):
        if learning.id == id:
            return learning
    raise Missing("there is no such learning", learning=id[:80])


def _check_entries(reader: Reader, entries: Sequence[int]) -> None:
    size = reader.size()
    for i, seq in enumerate(entries):
        if not 0 <= seq < size:
            raise Invalid(f"the ledger has entries 0 to {size - 1}", field=f"entries[{i}]")
