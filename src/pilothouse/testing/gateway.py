"""A test kit for the gateway: real SQLite, library and portfolio; only models and guardrails are small fakes."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.kernel.call import Call
from pilothouse.kernel.ledger import Entry
from pilothouse.kernel.principal import Principal
from pilothouse.kernel.store import Database, Reader
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.gateway.contracts import (
    Answer,
    Check,
    Delta,
    Draft,
    Inspection,
    Material,
    NotServed,
    Outcome,
    Question,
    Release,
    ReleaseId,
    Screening,
)
from pilothouse.steps.gateway.ports import ChatModel
from pilothouse.steps.portfolio import store as portfolio_store
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import Proposal, Stage, Standing, UseCase
from pilothouse.testing.fakes import CountingMint, call_as, person
from pilothouse.testing.knowledge import Library
from pilothouse.testing.models import FixedModels, ScriptedModel

T = TypeVar("T")
SAVINGS = "# Notice savings\n\nThe notice period is 32 days. The fee is 12 EUR a year."
CONTACT = "# Contact\n\nFor questions about savings call Lena Vogt."
SAID = "The notice period is 32 days [1]."
HIDDEN = (("<PERSON_1_ab12>", "Lena Vogt"),)


class Guard:
    """Masks one name, and judges as it is told."""

    def __init__(self, *, going_in: Outcome = "allow", going_out: Outcome = "allow", through: bool = False) -> None:
        self.going_in, self.going_out, self.through = going_in, going_out, through
        self.drafts: list[Draft] = []

    def screen(self, call: Call, standing: Standing, material: Material) -> Screening:
        hidden = replace(material, question=_hide(material.question),
                         passages=tuple(replace(p, text=_hide(p.text)) for p in material.passages))
        found = hidden != material
        return Screening(outcome=self.going_in, policy="test@1", material=hidden, masked={"person": 1} if found else {},
                         vault=HIDDEN if found else (), checks=(Check(name="in", outcome=self.going_in, says="seen"),))

    def inspect(self, call: Call, standing: Standing, draft: Draft) -> Inspection:
        self.drafts.append(draft)
        return Inspection(outcome=self.going_out, policy="test@1", text=draft.text,
                          checks=(Check(name="out", outcome=self.going_out, says="seen"),))

    def streams_through(self, standing: Standing) -> bool:
        return self.through

    def restore(self, text: str, vault: tuple[tuple[str, str], ...]) -> str:
        for placeholder, original in vault:
            text = text.replace(placeholder, original)
        return text


def _hide(text: str) -> str:
    return text.replace("Lena Vogt", HIDDEN[0][0])


class OneAnswer:
    """A release policy with one answer for everybody."""

    def __init__(self, assigned: Release | NotServed) -> None:
        self.assigned = assigned

    def assign(self, call: Call, standing: Standing) -> Release | NotServed:
        return self.assigned


@dataclass
class Desk:
    """Everything a test on the gateway needs."""

    database: SqliteDatabase
    library: Library
    portfolio: Portfolio
    mint: CountingMint
    model: ScriptedModel = field(default_factory=lambda: ScriptedModel(SAID))
    guard: Guard = field(default_factory=Guard)
    who: Principal = field(default_factory=lambda: person("jonas"))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    @property
    def call(self) -> Call:
        return call_as(self.who)

    def gateway(self, database: Database | None = None, *, guarded: bool = True, passages: int = 1,
                release: Release | NotServed | None = None, **models: ChatModel) -> Gateway:
        """Return a façade over the same database (or a faulty one) with this desk's guard and models plugged in."""
        made = Gateway(database=database or self.database, mint=self.mint, portfolio=self.portfolio,
                       knowledge=self.library.knowledge, models=FixedModels({"extractive": self.model, **models}))
        if guarded:
            made.guardrail.plug(self.guard)
        made.release_policy.plug(OneAnswer(release or Release(id=ReleaseId("rel_1"), model="extractive",
                                                              passages=passages)))
        return made

    async def use_case(self, stage: Stage = "pilot", **fields: Any) -> UseCase:
        u = await self.portfolio.propose(call_as(person("mara")), Proposal(**{
            "title": "Savings desk", "outcome": "speed", "unit_of_work": "question answered", "slug": "savings-desk",
            "problem": "Branch staff search long policies.", **fields}))
        if stage != "idea":
            await self.database.write(call_as(person("mara")),
                                      lambda tx: portfolio_store.move(tx, u.id, was="idea", now=stage))
        return u

    def ask(self, text: str = "How long is the notice period?", **fields: Any) -> Answer:
        return self.run(self.gateway(**fields).answer(self.call, Question(use_case="savings-desk", text=text)))

    def stream(self, gateway: Gateway, text: str = "How long is the notice period?") -> list[Delta | Answer]:
        async def collect() -> list[Delta | Answer]:
            asked = Question(use_case="savings-desk", text=text)
            return [piece async for piece in gateway.stream(self.call, asked)]

        return self.run(collect())

    def entries(self, *kinds: str, stream: str = "") -> Sequence[Entry]:
        return self.database.read_now(lambda r: r.entries(kinds=kinds, stream=stream))

    def kinds(self, interaction_id: str) -> list[str]:
        return [e.kind.partition(".")[2] for e in self.entries(stream=f"interaction/{interaction_id}")]

    def rows(self) -> list[dict[str, Any]]:
        return [dict(r) for r in self.database.read_now(lambda r: r.rows("select * from interaction order by id"))]

    def text(self, content_id: str) -> str | None:
        def look(reader: Reader) -> str | None:
            return reader.text(content_id)

        return self.database.read_now(look)
