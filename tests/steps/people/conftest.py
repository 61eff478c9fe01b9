"""A small organisation on a real SQLite file: a directory, a portfolio with one use case, and people."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pilothouse.backends.engine import LedgerDatabase
from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.directory.api import Directory
from pilothouse.directory.contracts import NewPerson
from pilothouse.directory.migrations import MIGRATIONS as DIRECTORY
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.call import Call
from pilothouse.kernel.ledger import Entry
from pilothouse.steps.people.api import People
from pilothouse.steps.people.contracts import QuizAnswer, QuizResult, QuizSubmission
from pilothouse.steps.people.logic import quizzing
from pilothouse.steps.people.logic.courses import LESSONS
from pilothouse.steps.people.migrations import MIGRATIONS as PEOPLE
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import Proposal, UseCase
from pilothouse.steps.portfolio.migrations import MIGRATIONS as PORTFOLIO
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock, call_as, system_call

T = TypeVar("T")
STAFF = {"mara": ("owner",), "jonas": ("employee",), "rita": ("reviewer",), "adam": ("administrator",),
         "sven": ("sponsor",)}


@dataclass
class Office:
    """Everything a test on people needs; `run` drives one coroutine to its end."""

    database: LedgerDatabase
    clock: StillClock
    directory: Directory
    portfolio: Portfolio
    people: People

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    async def call(self, who: str, *, after: timedelta = timedelta(0)) -> Call:
        """Return a call by somebody of the staff under the real role table."""
        return call_as(await self.directory.principal(who), access=RoleRulings(), at=self.clock.now() + after)

    async def use_case(self, **fields: Any) -> UseCase:
        proposal = Proposal(**{"title": "Summarise complaints", "outcome": "speed", "unit_of_work": "complaint handled",
                               "problem": "Agents read every complaint twice before answering it.", **fields})
        return await self.portfolio.propose(await self.call("mara"), proposal)

    def entries(self, *kinds: str) -> tuple[Entry, ...]:
        return tuple(self.database.read_now(lambda r: r.entries(kinds=kinds)))

    @staticmethod
    def answers(who: str, course: str, attempt: int, *, wrong: int = 0) -> QuizSubmission:
        return answers(who, course, attempt, wrong=wrong)

    async def take(self, who: str, course: str, *, wrong: int = 0, after: timedelta = timedelta(0)) -> QuizResult:
        """Take a quiz as somebody who knows everything, except for the first `wrong` questions."""
        call = await self.call(who, after=after)
        attempt = self.database.read_now(lambda r: int(r.rows(
            "select count(*) as n from quiz_attempt where person = ? and course = ?", who, course)[0]["n"] or 0)) + 1
        return await self.people.submit_quiz(call, answers(who, course, attempt, wrong=wrong))


def answers(who: str, course: str, attempt: int, *, wrong: int = 0) -> QuizSubmission:
    """Return the answers of somebody who knows all but the first `wrong` questions."""
    lesson = LESSONS[course]
    quiz = quizzing.asked(lesson, quizzing.seed_of(lesson, who, attempt))
    given = [QuizAnswer(question=key, choices=tuple(k for k, c in choices.items() if c.is_right != (n < wrong)))
             for n, (key, (_, choices)) in enumerate(quiz.items())]
    return QuizSubmission(course=course, attempt=attempt, answers=tuple(given))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    clock, mint = StillClock(), CountingMint()
    database = SqliteDatabase(tmp_path / "pilothouse.db", clock=clock, mint=mint, keys=PlainKeys())
    directory = Directory(database=database, mint=mint)
    portfolio = Portfolio(database=database, mint=mint)
    people = People(database=database, mint=mint, directory=directory, portfolio=portfolio)

    async def begin() -> None:
        await database.migrate((*DIRECTORY, *PORTFOLIO, *PEOPLE))
        for name, roles in STAFF.items():
            await directory.add_person(system_call(), NewPerson(id=name, name=f"{name.capitalize()} Lindt",
                                                                roles=roles))  # type: ignore[arg-type]
        await directory.add_person(system_call(), NewPerson(id="robo", name="Robo", kind="agent"))

    asyncio.run(begin())
    yield Office(database=database, clock=clock, directory=directory, portfolio=portfolio, people=people)
    database.close()
