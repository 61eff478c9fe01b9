"""A small organisation with a held answer: real SQLite, people and portfolio; only the gateway's table is small."""

import asyncio
import json
from collections.abc import Coroutine, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.directory.api import Directory
from pilothouse.directory.contracts import NewPerson
from pilothouse.directory.migrations import MIGRATIONS as DIRECTORY
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.call import Call
from pilothouse.kernel.codec import convert
from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.store import Database, Migration, Reader, Transaction
from pilothouse.steps.gateway.contracts import AnswerGiven, Check, InteractionId, Status
from pilothouse.steps.knowledge.contracts import Passage
from pilothouse.steps.oversight.api import Oversight
from pilothouse.steps.oversight.contracts import Exchange
from pilothouse.steps.oversight.jobs import open_reviews
from pilothouse.steps.oversight.migrations import MIGRATIONS as OVERSIGHT
from pilothouse.steps.people.api import People
from pilothouse.steps.people.contracts import OutsideCredential
from pilothouse.steps.people.migrations import MIGRATIONS as PEOPLE
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import Proposal, UseCase
from pilothouse.steps.portfolio.migrations import MIGRATIONS as PORTFOLIO
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock, call_as, system_call

T = TypeVar("T")
STAFF = {"mara": ("owner",), "jonas": ("employee",), "rita": ("reviewer",), "ravi": ("reviewer",),
         "nora": ("reviewer",), "adam": ("administrator",), "risk": ("risk",)}
DRAFT = ("The notice period is 32 days [1]. The fee is 25 EUR [1]. Ask <PERSON_1_ab12> for more."
         " Branches waive it on request.")
PASSAGE = "The notice period is 32 days. The fee is 12 EUR. Questions go to Lena Vogt."
VAULT = (("<PERSON_1_ab12>", "Lena Vogt"),)


def passage(text: str = PASSAGE, **fields: Any) -> Passage:
    return Passage(**{"id": "psg_1", "document_id": "doc_1", "source": "policies", "path": "savings.md",
                      "title": "Notice savings", "version": 2, "page": None, "heading": ("Terms",), "start": 0,
                      "end": len(text), "text": text, "label": "internal", "score": 1.0, **fields})


class TableExchanges:
    """Exchanges as rows of one table: small, but inside the same transactions as everything else."""

    migration = Migration(name="testing/0001_exchange", statements=(
        "create table exchange (id text primary key, body text not null, status text not null, text text not null,"
        " reviewer text not null, edited integer not null)",))

    def exchange(self, reader: Reader, interaction_id: InteractionId) -> Exchange | None:
        rows = reader.rows("select * from exchange where id = ?", interaction_id)
        if not rows:
            return None
        body = json.loads(str(rows[0]["body"]))
        return convert({**body, "is_held": rows[0]["status"] == "held"}, Exchange)

    def conclude(self, tx: Transaction, interaction_id: InteractionId, *, status: Status, text: str, reviewer: str,
                 edited: bool) -> None:
        if not tx.run("update exchange set status = ?, text = ?, reviewer = ?, edited = ? where id = ?"
                      " and status = 'held'", status, text, reviewer, int(edited), interaction_id):
            raise Conflict("this answer is not held any more", interaction_id=interaction_id)


@dataclass
class Bench:
    """Everything a test on reviews needs."""

    database: SqliteDatabase
    clock: StillClock
    directory: Directory
    portfolio: Portfolio
    people: People
    oversight: Oversight
    exchanges: TableExchanges

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    async def call(self, who: str, *, after: timedelta = timedelta(0)) -> Call:
        return call_as(await self.directory.principal(who), access=RoleRulings(), at=self.clock.now() + after)

    def over(self, database: Database) -> Oversight:
        """Return the same façade over another database, such as a faulty one."""
        return Oversight(database=database, mint=CountingMint(), people=self.people, portfolio=self.portfolio,
                         exchanges=self.exchanges)

    async def use_case(self, **fields: Any) -> UseCase:
        return await self.portfolio.propose(await self.call("mara"), Proposal(**{
            "title": "Answer savings questions", "outcome": "speed", "unit_of_work": "question answered",
            "problem": "Branch staff search long policies for every question.", "purpose": "credit scoring", **fields}))

    async def certify(self, *names: str) -> None:
        for name in names:
            await self.people.certify(await self.call("adam"), OutsideCredential(
                person=name, course="review-basics", issuer="Academy", reason="certificate seen"))

    async def hold(self, u: UseCase, *, id: str = "itx_1", asked_by: str = "jonas", after: timedelta = timedelta(0),
                   **fields: Any) -> AnswerGiven:
        """Put a held answer where the gateway would, with its entry in the ledger."""
        exchange = Exchange(**{"interaction_id": InteractionId(id), "use_case_id": u.id, "release_id": "rel_1",
                               "asked_by": asked_by, "question": "How long is the notice period?", "draft": DRAFT,
                               "passages": (passage(),), "vault": VAULT, "is_held": True, **fields})
        call = await self.call(asked_by, after=after)

        def work(tx: Transaction) -> AnswerGiven:
            given = AnswerGiven(
                interaction_id=exchange.interaction_id, use_case_id=u.id, release_id=exchange.release_id, unit="retail",
                outcome="hold", policy="oversight/high@1", answer=tx.seal(SubjectId(asked_by), exchange.draft),
                cited=("psg_1",), answered=True, groundedness=0.5, label="internal", model="extractive", tokens_in=1,
                checks=(Check(name="risk tier", outcome="hold", says="every answer is looked at"),
                        Check(name="groundedness", outcome="allow", says="fine")), tokens_out=1, cost_eur=None,
                latency_ms=1.0, streamed="not streamed")
            tx.run("insert into exchange values (?,?,'held','','',0)", id, json.dumps(asdict(exchange)))
            tx.record(f"interaction/{id}", given)
            return given

        return await self.database.write(call, work)

    async def deliver(self) -> None:
        """Hand the ledger's answers to the subscription, from the first one on."""
        await open_reviews(self.oversight, system_call(at=self.clock.now()), self.entries(AnswerGiven.kind))

    def entries(self, *kinds: str) -> tuple[Entry, ...]:
        return tuple(self.database.read_now(lambda r: r.entries(kinds=kinds)))

    def row(self, sql: str) -> dict[str, Any]:
        return dict(self.database.read_now(lambda r: r.rows(sql))[0])


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock, mint, exchanges = StillClock(), CountingMint(), TableExchanges()
    database = SqliteDatabase(tmp_path / "pilothouse.db", clock=clock, mint=mint, keys=PlainKeys())
    directory = Directory(database=database, mint=mint)
    portfolio = Portfolio(database=database, mint=mint)
    people = People(database=database, mint=mint, directory=directory, portfolio=portfolio)
    oversight = Oversight(database=database, mint=mint, people=people, portfolio=portfolio, exchanges=exchanges)

    async def begin() -> None:
        await database.migrate((*DIRECTORY, *PORTFOLIO, *PEOPLE, *OVERSIGHT, exchanges.migration))
        for name, roles in STAFF.items():
            await directory.add_person(system_call(), NewPerson(id=name, name=f"{name.capitalize()} Berger",
                                                                roles=roles))  # type: ignore[arg-type]

    asyncio.run(begin())
    yield Bench(database=database, clock=clock, directory=directory, portfolio=portfolio, people=people,
                oversight=oversight, exchanges=exchanges)
    database.close()
