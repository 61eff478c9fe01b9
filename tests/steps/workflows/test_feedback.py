"""Feedback: one rating a person and answer, corrections that others settle, and figures that say how sure they are."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied, Invalid, Missing
from pilothouse.kernel.operation import NoFields
from pilothouse.kernel.store import Database
from pilothouse.steps.gateway.contracts import Answer, AnswerRef
from pilothouse.steps.gateway.migrations import MIGRATIONS as GATEWAY
from pilothouse.steps.knowledge.migrations import MIGRATIONS as KNOWLEDGE
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import UseCaseRef
from pilothouse.steps.portfolio.migrations import MIGRATIONS as PORTFOLIO
from pilothouse.steps.workflows.api import Workflows
from pilothouse.steps.workflows.contracts import NewCorrection, NewRating, Settlement
from pilothouse.steps.workflows.errors import (
    NoSuchCorrection,
    NothingToCorrect,
    NothingToRate,
    OwnCorrection,
    SettledAlready,
)
from pilothouse.steps.workflows.migrations import MIGRATIONS as WORKFLOWS
from pilothouse.steps.workflows.plugs import WorkflowFacts
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock, call_as, person
from pilothouse.testing.faults import fail_every_statement
from pilothouse.testing.gateway import CONTACT, SAVINGS, Desk, Guard
from pilothouse.testing.knowledge import Library

REF = UseCaseRef(use_case="savings-desk")
BETTER = "The notice period is 32 days, counted from the day after the notice."


def of(name: str, *roles: str) -> Call:
    return call_as(person(name, *roles), access=RoleRulings())


JONAS, RITA, OLGA, NINA = of("jonas", "employee"), of("rita", "reviewer"), of("olga", "owner"), of("nina", "employee")


class Counter:
    """A desk whose answers can be rated, by the real role table."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.keys = desk, desk.library.keys
        desk.run(desk.use_case())

    def workflows(self, database: Database | None = None) -> Workflows:
        return Workflows(database=database or self.desk.database, portfolio=self.desk.portfolio,
                         gateway=self.desk.gateway(database))

    def answer(self, guard: Guard | None = None) -> Answer:
        self.desk.guard = guard or Guard()
        return self.desk.ask()

    def kinds(self, answer: Answer) -> list[str]:
        return [k for k in self.desk.kinds(answer.interaction_id) if k.startswith(("answer_rated", "correction"))]


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    mint, keys = CountingMint(), PlainKeys()
    database = SqliteDatabase(tmp_path / "p.db", clock=StillClock(), mint=mint, keys=keys)
    asyncio.run(database.migrate((*PORTFOLIO, *KNOWLEDGE, *GATEWAY, *WORKFLOWS)))
    (tmp_path / "folder").mkdir()
    library = Library(folder=tmp_path / "folder", home=tmp_path, database=database, mint=mint, keys=keys)
    library.write("savings.md", SAVINGS)
    library.write("contact.md", CONTACT)
    library.define()
    library.ingest()
    yield Counter(Desk(database=database, library=library, portfolio=Portfolio(database=database, mint=mint),
                       mint=mint))
    database.close()


def test_a_person_has_one_rating_of_an_answer_and_changes_it_in_place(counter: Counter) -> None:
    async def story(id: str) -> None:
        w = counter.workflows()
        await w.rate(JONAS, NewRating(interaction_id=id, useful=True))  # type: ignore[arg-type]
        await w.rate(JONAS, NewRating(interaction_id=id, useful=False, tag="outdated", comment="since May it is 31"))  # type: ignore[arg-type]
        await w.rate(RITA, NewRating(interaction_id=id, useful=True))  # type: ignore[arg-type]
        said = await w.feedback(OLGA, REF)
        assert (said.rated, said.answers, [(t.tag, t.count) for t in said.tags]) == (2, 1, [("outdated", 1)])
        assert said.useful is not None and said.useful.value == 0.5
        assert said.answers_rated is not None and (said.answers_rated.value, said.answers_rated.n) == (1.0, 1)
        mine = (await w.my_feedback(JONAS, NoFields())).ratings
        assert [(r.useful, r.tag, r.comment) for r in mine] == [(False, "outdated", "since May it is 31")]

    answer = counter.answer()
    asyncio.run(story(answer.interaction_id))
    assert counter.kinds(answer) == ["answer_rated"] * 3


def test_the_same_rating_and_the_same_correction_twice_are_one(counter: Counter) -> None:
    async def story(id: str) -> None:
        w = counter.workflows()
        for _ in range(2):
            await w.rate(JONAS, NewRating(interaction_id=id, useful=True, comment="good"))  # type: ignore[arg-type]
            await w.correct(JONAS, NewCorrection(interaction_id=id, text=BETTER))  # type: ignore[arg-type]
        assert len(await w.corrections(JONAS, AnswerRef(interaction_id=id))) == 1  # type: ignore[arg-type]

    answer = counter.answer()
    asyncio.run(story(answer.interaction_id))
    assert counter.kinds(answer) == ["answer_rated", "correction_proposed"]


def test_a_held_answer_is_neither_rated_nor_corrected(counter: Counter) -> None:
    async def story(id: str) -> None:
        w = counter.workflows()
        with pytest.raises(NothingToRate):
            await w.rate(JONAS, NewRating(interaction_id=id, useful=True))  # type: ignore[arg-type]
        with pytest.raises(NothingToCorrect):
            await w.correct(JONAS, NewCorrection(interaction_id=id, text=BETTER))  # type: ignore[arg-type]
        assert (await w.feedback(OLGA, REF)).useful is None

    asyncio.run(story(counter.answer(Guard(going_out="hold")).interaction_id))


def test_an_answer_of_somebody_else_is_not_there_to_rate(counter: Counter) -> None:
    async def story(id: str) -> None:
        with pytest.raises(Missing):
            await counter.workflows().rate(NINA, NewRating(interaction_id=id, useful=False))  # type: ignore[arg-type]

    asyncio.run(story(counter.answer().interaction_id))


def test_a_correction_shows_its_text_to_its_author_and_to_reviewers_only(counter: Counter) -> None:
    async def story(id: str) -> None:
        w, ref = counter.workflows(), AnswerRef(interaction_id=id)  # type: ignore[arg-type]
        await w.correct(JONAS, NewCorrection(interaction_id=id, text=BETTER))  # type: ignore[arg-type]
        assert [(await w.corrections(who, ref))[0].text for who in (JONAS, RITA, OLGA)] == [BETTER, BETTER, None]
        assert [(await w.list_corrections(who, REF))[0].text for who in (RITA, OLGA)] == [BETTER, None]
        with pytest.raises(Denied):
            await w.list_corrections(JONAS, REF)

    asyncio.run(story(counter.answer().interaction_id))


def test_a_correction_is_settled_once_by_other_hands(counter: Counter) -> None:
    async def story(id: str) -> None:
        w = counter.workflows()
        proposed = await w.correct(RITA, NewCorrection(interaction_id=id, text=BETTER))  # type: ignore[arg-type]
        with pytest.raises(OwnCorrection):
            await w.settle_correction(RITA, Settlement(seq=proposed.seq, taken=True))
        with pytest.raises(Denied):
            await w.settle_correction(JONAS, Settlement(seq=proposed.seq, taken=True))
        rolf = of("rolf", "reviewer")
        for _ in range(2):
            assert (await w.settle_correction(rolf, Settlement(seq=proposed.seq, taken=True))).status == "taken"
        with pytest.raises(SettledAlready):
            await w.settle_correction(rolf, Settlement(seq=proposed.seq, taken=False))
        with pytest.raises(NoSuchCorrection):
            await w.settle_correction(rolf, Settlement(seq=999, taken=True))
        said = await w.feedback(OLGA, REF)
        assert (said.corrections, said.taken) == (1, 1)

    answer = counter.answer()
    asyncio.run(story(answer.interaction_id))
    assert counter.kinds(answer) == ["correction_proposed", "correction_settled"]


def test_an_agent_settles_no_correction(counter: Counter) -> None:
    bot = call_as(person("bot", "reviewer", kind="agent"), access=RoleRulings())
    with pytest.raises(Denied, match="only a person"):
        asyncio.run(counter.workflows().settle_correction(bot, Settlement(seq=1, taken=True)))


def test_erased_words_are_gone_and_the_rating_stays(counter: Counter) -> None:
    async def story(id: str) -> None:
        w, ref = counter.workflows(), AnswerRef(interaction_id=id)  # type: ignore[arg-type]
        await w.rate(RITA, NewRating(interaction_id=id, useful=False, comment="ask Lena"))  # type: ignore[arg-type]
        await w.correct(RITA, NewCorrection(interaction_id=id, text=BETTER))  # type: ignore[arg-type]
        counter.keys.destroy("pr_rita")
        assert [(r.useful, r.comment) for r in (await w.my_feedback(RITA, NoFields())).ratings] == [(False, None)]
        assert (await w.corrections(RITA, ref))[0].text is None

    asyncio.run(story(counter.answer().interaction_id))


@pytest.mark.parametrize("text", ["", "  \n", "x" * 20_001, "The notice period is 32 days [1]."])
def test_a_correction_says_something_else_at_a_bearable_length(counter: Counter, text: str) -> None:
    with pytest.raises(Invalid):
        asyncio.run(counter.workflows().correct(JONAS, NewCorrection(
            interaction_id=counter.answer().interaction_id, text=text)))


def test_facts_for_gates_say_no_data_until_enough_people_spoke(counter: Counter) -> None:
    def facts() -> list[tuple[str, str]]:
        standing = asyncio.run(counter.desk.portfolio.standing(OLGA, REF))
        offered = counter.desk.database.read_now(
            lambda r: WorkflowFacts(counter.workflows()).facts(r, standing, "2026-03-02"))
        return [(f.name, f.status) for f in offered]

    assert facts() == [("Useful in daily work", "no data"), ("Feedback where the work is", "no data")]
    for n in range(10):
        id = counter.answer().interaction_id
        asyncio.run(counter.workflows().rate(JONAS, NewRating(interaction_id=id, useful=n > 0)))
    assert facts() == [("Useful in daily work", "exposed"), ("Feedback where the work is", "covered")]
    for who in (RITA, of("rolf", "reviewer"), of("mia", "reviewer")):
        for line in counter.desk.rows():
            asyncio.run(counter.workflows().rate(who, NewRating(interaction_id=line["id"], useful=True)))
    assert facts()[0] == ("Useful in daily work", "covered")


def test_feedback_survives_a_fault_at_every_statement(counter: Counter) -> None:
    answer = counter.answer()
    id = answer.interaction_id

    async def act(database: Database) -> None:
        w = Workflows(database=database, portfolio=counter.desk.portfolio, gateway=counter.desk.gateway())
        await w.rate(JONAS, NewRating(interaction_id=id, useful=True, comment="good"))
        proposed = await w.correct(JONAS, NewCorrection(interaction_id=id, text=BETTER))
        await w.settle_correction(RITA, Settlement(seq=proposed.seq, taken=True, reason="clearer"))

    async def check() -> None:
        said = await counter.workflows().feedback(OLGA, REF)
        told = counter.kinds(answer)
        assert (said.rated, said.corrections, said.taken) == tuple(
            told.count(k) for k in ("answer_rated", "correction_proposed", "correction_settled"))

    assert asyncio.run(fail_every_statement(counter.desk.database, act, check)) > 10
