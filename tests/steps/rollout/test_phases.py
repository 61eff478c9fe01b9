"""Phases: opened by a gate or a person, advanced by people only, halted by anybody who may and by their own health."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.kernel.store import Database, Reader, Transaction
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.gateway.contracts import NotServed, Question, Release, UsageFact
from pilothouse.steps.gateway.errors import OutsidePhase
from pilothouse.steps.gateway.migrations import MIGRATIONS as GATEWAY
from pilothouse.steps.knowledge.migrations import MIGRATIONS as KNOWLEDGE
from pilothouse.steps.portfolio.api import Portfolio
from pilothouse.steps.portfolio.contracts import (
    FreezeRequest,
    GateRequest,
    Kpi,
    Proposal,
    SampleBatch,
    Standing,
    UseCaseRef,
    Verdict,
)
from pilothouse.steps.portfolio.migrations import MIGRATIONS as PORTFOLIO
from pilothouse.steps.rollout import jobs
from pilothouse.steps.rollout.api import Rollout
from pilothouse.steps.rollout.contracts import Advance, Halt, Limits, NewPhase, NewRelease, Phase
from pilothouse.steps.rollout.errors import (
    NoPhase,
    NoSuchRelease,
    NotHealthy,
    NotYetLive,
    PhaseNotOpen,
    ServesFewer,
)
from pilothouse.steps.rollout.logic.assigning import bucket
from pilothouse.steps.rollout.migrations import MIGRATIONS as ROLLOUT
from pilothouse.steps.rollout.plugs import PhasedPolicy, RolloutFacts
from pilothouse.steps.workflows.api import Workflows
from pilothouse.steps.workflows.migrations import MIGRATIONS as WORKFLOWS
from pilothouse.testing.fakes import EPOCH, CountingMint, PlainKeys, StillClock, call_as, person, system_call
from pilothouse.testing.faults import fail_every_statement
from pilothouse.testing.gateway import SAVINGS, Desk
from pilothouse.testing.knowledge import Library
from pilothouse.testing.models import FixedModels

T = TypeVar("T")
REF = UseCaseRef(use_case="savings")
LATER = EPOCH + timedelta(hours=1)


def of(name: str, *roles: str, kind: Any = "human", unit: str = "retail") -> Call:
    return replace(call_as(person(name, *roles, kind=kind, unit=unit), access=RoleRulings()), at=LATER)


OLGA, BO, AGENT = of("olga", "owner"), of("bo", "sponsor"), of("bot", "owner", kind="agent")
SYSTEM = system_call(at=LATER)


class Uses:
    """A gateway and workflows of which only raw facts are asked: it keeps them as lists."""

    def __init__(self) -> None:
        self.facts: list[UsageFact] = []
        self.ratings = (0, 0)

    def asked(self, status: str, times: int, *, latency_ms: float = 5.0, after: timedelta = timedelta(minutes=30)
              ) -> None:
        for _ in range(times):
            self.facts.append(UsageFact(
                id=f"int_{len(self.facts)}", use_case_id="", principal="pr_jonas", unit="retail",  # type: ignore[arg-type]
                asked_at=stamp(EPOCH + after), status=status, answered=True, latency_ms=latency_ms, cost_eur=None,
                tokens_in=1, tokens_out=1, demo=False, given_seq=1))

    def usage(self, reader: Reader, *, use_case_id: str = "", since: str = "", until: str = "~") -> list[UsageFact]:
        return [f for f in self.facts if since <= f.asked_at < until]

    def useful_since(self, reader: Reader, use_case_id: str, since: str) -> tuple[int, int]:
        return self.ratings


class SlowReads:
    """A database whose readers, after the first `free` ones, look at once and tell only when `go` is set."""

    def __init__(self, inner: Database, *, free: int = 0) -> None:
        self._inner, self._free, self.go = inner, free, asyncio.Event()

    async def write(self, call: Call, work: Callable[[Transaction], T], *, quick: bool = False) -> T:
        return await self._inner.write(call, work)

    async def read(self, work: Callable[[Reader], T], *, quick: bool = False) -> T:
        seen = await self._inner.read(work)
        self._free -= 1
        if self._free < 0:
            await self.go.wait()
        return seen

    async def migrate(self, migrations: Any) -> Any:
        return await self._inner.migrate(migrations)


class Board:
    """A portfolio and a rollout on a real file, with the shortest way to a pilot."""

    def __init__(self, database: SqliteDatabase) -> None:
        self.database, self.uses, self.mint = database, Uses(), CountingMint()
        self.portfolio = Portfolio(database=database, mint=self.mint)
        self.rollout = self.over(database)
        self.policy = PhasedPolicy(self.rollout)

    def over(self, database: Database) -> Rollout:
        return Rollout(database=database, mint=self.mint, portfolio=self.portfolio, gateway=self.uses,  # type: ignore[arg-type]
                       workflows=self.uses)  # type: ignore[arg-type]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)

    async def decide(self, id: str, verdict: Verdict) -> None:
        await self.portfolio.decide_gate(call_as(person("sue")), GateRequest(
            use_case_id=id, verdict=verdict, reason="seen"))  # type: ignore[arg-type]

    async def pilot(self, **fields: Any) -> str:
        """Return a use case that its gate let go; nothing has followed that gate yet."""
        owner = call_as(person("olga"))
        u = await self.portfolio.propose(owner, Proposal(**{
            "title": "Savings desk", "outcome": "speed", "unit_of_work": "question answered", "slug": "savings",
            "problem": "Branch staff search long policies.", "units": ("retail", "payments"), **fields}))
        await self.portfolio.define_kpi(owner, Kpi(use_case_id=u.id, slug="minutes", title="Minutes", unit="min",
                                                   shape="mean", better="lower", least_change=3.0))
        await self.portfolio.measure(owner, SampleBatch(use_case_id=u.id, kpi="minutes", period="baseline",
                                                        values=(10.0, 11.0, 9.0, 12.0), source="tickets"))
        await self.portfolio.freeze_baseline(owner, FreezeRequest(use_case_id=u.id, kpi="minutes"))
        await self.decide(u.id, "go")
        return u.id

    async def follow(self) -> None:
        entries = await self.database.read(lambda r: r.entries(kinds=jobs.FOLLOWS))
        await jobs.follow_gates(self.rollout, self.portfolio, system_call(), entries)

    async def opened(self, **fields: Any) -> Phase:
        """Return a phase that a person opened."""
        id = await self.pilot()
        return await self.rollout.open_phase(replace(OLGA, at=EPOCH), NewPhase(use_case_id=id, **fields))  # type: ignore[arg-type]

    async def served(self, name: str, unit: str = "retail") -> Release | NotServed:
        return self.policy.assign(of(name, unit=unit), await self.portfolio.standing(OLGA, REF))

    def told(self) -> list[str]:
        found = self.database.read_now(lambda r: r.entries())
        return [str(e.body.get("action") or e.kind.partition(".")[2]) for e in found if e.kind.startswith("rollout.")]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    database = SqliteDatabase(tmp_path / "p.db", clock=StillClock(), mint=CountingMint(), keys=PlainKeys())
    asyncio.run(database.migrate((*PORTFOLIO, *ROLLOUT)))
    yield Board(database)
    database.close()


def test_a_go_out_of_idea_opens_one_phase_for_the_units_of_the_use_case_however_often_it_is_told(board: Board) -> None:
    async def story() -> None:
        await board.pilot()
        with pytest.raises(NoPhase):
            await board.rollout.phase(OLGA, REF)
        for _ in range(2):
            await board.follow()
        phase = await board.rollout.phase(OLGA, REF)
        assert (phase.number, phase.share, phase.units, phase.status) == (1, 1.0, ("retail", "payments"), "open")
        assert isinstance(await board.served("jonas"), Release)

    board.run(story())
    assert board.told() == ["release_registered", "phase_opened"]


@pytest.mark.parametrize("halted", [False, True])
def test_a_kill_closes_an_open_and_a_halted_phase_once(board: Board, halted: bool) -> None:
    async def story() -> None:
        id = await board.pilot()
        await board.follow()
        if halted:
            await board.rollout.halt_phase(OLGA, Halt(use_case_id=id, reason="wrong fees"))  # type: ignore[arg-type]
        await board.decide(id, "kill")
        for _ in range(2):
            await board.follow()
        assert (await board.rollout.phase(OLGA, REF)).status == "closed"

    board.run(story())
    assert board.told()[2:] == [*(["halted"] if halted else []), "closed"]


def test_a_halt_holds_from_the_very_next_question_and_halting_again_changes_nothing(board: Board) -> None:
    async def story() -> None:
        phase = await board.opened()
        assert isinstance(await board.served("jonas"), Release)
        for _ in range(2):
            await board.rollout.halt_phase(OLGA, Halt(use_case_id=phase.use_case_id, reason="wrong fees"))
            refused = await board.served("jonas")
            assert isinstance(refused, NotServed)
            assert refused.rule == "phase-open"

    board.run(story())
    assert board.told().count("halted") == 1


def test_a_halt_holds_although_whoever_asked_for_it_has_left(board: Board) -> None:
    async def story() -> None:
        phase = await board.opened()
        halting = asyncio.create_task(board.rollout.halt_phase(OLGA, Halt(use_case_id=phase.use_case_id, reason="x")))
        await asyncio.sleep(0)
        halting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await halting
        for _ in range(200):
            if isinstance(await board.served("jonas"), NotServed):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the halt never came to be")

    board.run(story())


def test_a_reading_that_began_before_a_halt_does_not_undo_it(board: Board) -> None:
    async def story() -> None:
        phase = await board.opened()
        slow = SlowReads(board.database)
        rollout = board.over(slow)
        reading = asyncio.create_task(rollout.refresh())
        await asyncio.sleep(0.05)
        await rollout.halt_phase(OLGA, Halt(use_case_id=phase.use_case_id, reason="wrong fees"))
        slow.go.set()
        await reading
        assert rollout.current[phase.use_case_id].status == "halted"

    board.run(story())


def test_another_process_learns_of_a_halt_with_its_next_watch(board: Board) -> None:
    async def story() -> None:
        phase, other = await board.opened(), board.over(board.database)
        await other.refresh()
        await board.rollout.halt_phase(OLGA, Halt(use_case_id=phase.use_case_id, reason="wrong fees"))
        await other.watch(SYSTEM)
        assert other.current[phase.use_case_id].status == "halted"

    board.run(story())


def test_a_phase_serves_its_units_and_its_share_of_their_people(board: Board) -> None:
    async def story() -> None:
        phase = await board.opened(units=("retail",), share=0.5)
        outside = await board.served("jonas", "payments")
        assert isinstance(outside, NotServed)
        assert outside.rule == "phase-units"
        names = [f"n{n}" for n in range(40)]
        inside = [n for n in names if isinstance(await board.served(n), Release)]
        assert inside == [n for n in names if bucket(f"pr_{n}", phase.use_case_id, phase.salt) < 0.5]
        assert 5 < len(inside) < 35

    board.run(story())


def test_a_trial_is_served_to_its_owner_only(board: Board) -> None:
    trial = Standing(use_case_id="uc_t", slug="trial", title="Trial", stage="pilot", risk_tier="minimal",  # type: ignore[arg-type]
                     owner="pr_olga", trial=True)
    assert isinstance(board.policy.assign(OLGA, trial), Release)
    assert isinstance(board.policy.assign(BO, trial), NotServed)


def test_opening_and_advancing_belong_to_people_and_halting_to_anybody_who_may(board: Board) -> None:
    async def story() -> None:
        phase = await board.opened(share=0.2)
        with pytest.raises(Denied, match="only a person"):
            await board.rollout.open_phase(AGENT, NewPhase(use_case_id=phase.use_case_id))
        with pytest.raises(Denied, match="only a person"):
            await board.rollout.advance_phase(AGENT, Advance(use_case_id=phase.use_case_id, share=1.0, reason="x"))
        with pytest.raises(Denied):
            await board.rollout.halt_phase(of("jonas", "employee"), Halt(use_case_id=phase.use_case_id, reason="x"))
        assert (await board.rollout.halt_phase(AGENT, Halt(use_case_id=phase.use_case_id, reason="x"))).share == 0.2

    board.run(story())


def test_advancing_serves_more_and_never_fewer(board: Board) -> None:
    async def story() -> None:
        phase = await board.opened(share=0.2, units=("retail",))
        ask = Advance(use_case_id=phase.use_case_id, share=0.5, units=("retail", "payments"), reason="went well")
        for _ in range(2):
            grown = await board.rollout.advance_phase(OLGA, ask)
        assert (grown.share, grown.units, grown.number, grown.salt) == (0.5, ask.units, 1, phase.salt)
        for fewer in (replace(ask, share=0.4), replace(ask, units=("payments",))):
            with pytest.raises(ServesFewer):
                await board.rollout.advance_phase(OLGA, fewer)
        with pytest.raises(Invalid):
            await board.rollout.advance_phase(OLGA, replace(ask, share=1.2))

    board.run(story())
    assert board.told().count("advanced") == 1


def test_advancing_without_evidence_takes_a_reason_and_a_halted_phase_does_not_advance(board: Board) -> None:
    async def story() -> None:
        phase = await board.opened(share=0.2)
        ask = Advance(use_case_id=phase.use_case_id, share=0.5)
        with pytest.raises(Invalid, match="why"):
            await board.rollout.advance_phase(OLGA, ask)
        board.uses.asked("final", 25)
        assert (await board.rollout.advance_phase(OLGA, ask)).share == 0.5
        await board.rollout.halt_phase(OLGA, Halt(use_case_id=phase.use_case_id, reason="wrong fees"))
        with pytest.raises(PhaseNotOpen):
            await board.rollout.advance_phase(OLGA, replace(ask, share=1.0, reason="again"))

    board.run(story())


@pytest.mark.parametrize("what", ["failed", "refused", "held", "slow", "not useful"])
def test_a_breach_refuses_to_advance_and_halts_without_a_person(board: Board, what: str) -> None:
    async def story() -> None:
        phase = await board.opened(share=0.2, limits=Limits(held_share_max=0.5))
        board.uses.asked("final" if what in ("slow", "not useful") else what, 25,
                         latency_ms=30_000.0 if what == "slow" else 5.0)
        board.uses.ratings = (30, 2) if what == "not useful" else (0, 0)
        with pytest.raises(NotHealthy):
            await board.rollout.advance_phase(OLGA, Advance(use_case_id=phase.use_case_id, share=1.0, reason="go"))
        assert [await board.rollout.watch(SYSTEM) for _ in range(2)] == [1, 0]
        assert isinstance(await board.served("jonas"), NotServed)
        entry = board.database.read_now(lambda r: r.entries(kinds=("rollout.health_breached",)))[0]
        said = entry.body
        assert said["limit"] < said["low"] <= said["value"] <= said["high"]
        assert (said["n"], entry.principal) == (30 if what == "not useful" else 25, "pr_system")

    board.run(story())


def test_a_few_bad_answers_among_many_halt_nothing_and_questions_before_the_phase_do_not_count(board: Board) -> None:
    async def story() -> None:
        await board.opened()
        board.uses.asked("failed", 3)
        board.uses.asked("final", 17)
        board.uses.asked("open", 100)
        board.uses.asked("failed", 100, after=timedelta(days=-1))
        assert await board.rollout.watch(SYSTEM) == 0
        failed = (await board.rollout.health(OLGA, REF))[0]
        assert (failed.metric, failed.value, failed.n, failed.breached) == ("failed share", 0.15, 20, False)

    board.run(story())


def test_a_phase_that_changed_since_it_was_measured_is_not_halted_for_what_was_before(board: Board) -> None:
    async def story() -> None:
        phase = await board.opened(share=0.2)
        board.uses.asked("failed", 25)
        slow = SlowReads(board.database, free=1)
        watching = asyncio.create_task(board.over(slow).watch(SYSTEM))
        await asyncio.sleep(0.05)
        await board.rollout.open_phase(OLGA, NewPhase(use_case_id=phase.use_case_id, model="another"))
        slow.go.set()
        assert await watching == 0
        assert (await board.rollout.phase(OLGA, REF)).status == "open"

    board.run(story())


def test_a_refusal_in_the_ledger_is_enough_to_look(board: Board) -> None:
    async def story() -> None:
        phase = await board.opened()
        board.uses.asked("failed", 25)
        entries = await board.database.read(lambda r: r.entries(kinds=("rollout.phase_opened",)))
        # any entry that names the use case will do: only where to look is read from it
        later = [replace(e, at=stamp(LATER)) for e in entries]
        for _ in range(2):
            await jobs.watch_health(board.rollout, SYSTEM, later)
        assert board.rollout.current[phase.use_case_id].status == "halted"

    board.run(story())
    assert board.told().count("health_breached") == 1


def test_a_release_is_its_content_and_serves_nobody_until_a_phase_names_it(board: Board) -> None:
    async def story() -> None:
        first = await board.opened()
        new = NewRelease(use_case_id=first.use_case_id, model="extractive", instructions="Quote.", passages=3)
        made, again = [await board.rollout.register_release(OLGA, new) for _ in range(2)]
        assert made == again
        assert await board.served("jonas") == first.release
        phase = await board.rollout.open_phase(OLGA, NewPhase(use_case_id=first.use_case_id,
                                                              release_id=made.release.id))
        assert (phase.release, phase.number, phase.salt) == (made.release, 2, first.salt)
        assert [p.status for p in await board.rollout.phases(OLGA, REF)] == ["open", "closed"]
        assert [r.release.id for r in await board.rollout.releases(OLGA, REF)] == [made.release.id, first.release.id]
        with pytest.raises(NoSuchRelease):
            await board.rollout.open_phase(OLGA, NewPhase(use_case_id=first.use_case_id, release_id="rel_none"))

    board.run(story())


def test_an_idea_has_no_phase(board: Board) -> None:
    async def story() -> None:
        u = await board.portfolio.propose(OLGA, Proposal(
            title="Rank letters", outcome="speed", unit_of_work="letter", problem="Letters wait in one pile."))
        with pytest.raises(NotYetLive):
            await board.rollout.open_phase(OLGA, NewPhase(use_case_id=u.id))

    board.run(story())


def test_phases_of_the_first_version_keep_everybody_where_they_were(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "old.db", clock=StillClock(), mint=CountingMint(), keys=PlainKeys())

    async def story() -> None:
        await database.migrate((*PORTFOLIO, *ROLLOUT[:1]))
        board = Board(database)
        id = await board.pilot()
        await database.write(SYSTEM, lambda tx: tx.run(
            "insert into phase values (?,1,?,'[]',0.5,'open','{}',?,0)", id, '{"id":"rel_old","model":"extractive"}',
            stamp(EPOCH)))
        await database.migrate(ROLLOUT)
        await board.rollout.refresh()
        for n in range(20):
            assert isinstance(await board.served(f"n{n}"), Release) == (bucket(f"pr_n{n}", id) < 0.5)
        await board.rollout.advance_phase(OLGA, Advance(use_case_id=id, share=0.6, reason="fine"))  # type: ignore[arg-type]

    asyncio.run(story())
    database.close()


def test_advancing_and_halting_survive_a_fault_at_every_statement(board: Board) -> None:
    phase = board.run(board.opened(share=0.2))
    id = phase.use_case_id

    async def advance(database: Database) -> None:
        await board.over(database).advance_phase(OLGA, Advance(use_case_id=id, share=0.5, reason="went well"))

    async def halt(database: Database) -> None:
        await board.over(database).halt_phase(OLGA, Halt(use_case_id=id, reason="wrong fees"))

    async def check() -> None:
        held = await board.rollout.phase(OLGA, REF)
        told = board.told()
        assert (held.share == 0.5, held.status == "halted") == ("advanced" in told, "halted" in told)
        assert told.count("advanced") <= 1

    assert board.run(fail_every_statement(board.database, advance, check)) >= 5
    assert board.run(fail_every_statement(board.database, halt, check)) >= 5
    assert board.told()[-2:] == ["advanced", "halted"]


def test_halting_for_a_breach_survives_a_fault_at_every_statement(board: Board) -> None:
    board.run(board.opened())
    board.uses.asked("failed", 25)

    async def act(database: Database) -> None:
        await board.over(database).watch(SYSTEM)

    async def check() -> None:
        told = board.told()
        assert ("halted" in told) == ("health_breached" in told) == (
            (await board.rollout.phase(OLGA, REF)).status == "halted")

    assert board.run(fail_every_statement(board.database, act, check)) >= 5


def test_facts_for_gates_tell_the_phase_and_its_health(board: Board) -> None:
    def facts() -> list[tuple[str, str]]:
        standing = board.run(board.portfolio.standing(OLGA, REF))
        plug = RolloutFacts(board.rollout)
        return [(f.name, f.status) for f in board.database.read_now(
            lambda r: plug.facts(r, standing, stamp(EPOCH)[:10]))]

    board.run(board.pilot())
    assert facts() == [("Phase", "no data")]
    board.run(board.follow())
    assert facts() == [("Phase", "covered"), ("Phase health", "no data")]
    board.uses.asked("final", 25)
    assert facts() == [("Phase", "covered"), ("Phase health", "covered")]
    board.uses.asked("failed", 25)
    assert facts() == [("Phase", "covered"), ("Phase health", "exposed")]
    board.run(board.rollout.watch(SYSTEM))
    assert facts()[0] == ("Phase", "exposed")


def test_the_gateway_refuses_the_first_question_after_a_halt(tmp_path: Path) -> None:
    mint, keys = CountingMint(), PlainKeys()
    database = SqliteDatabase(tmp_path / "p.db", clock=StillClock(), mint=mint, keys=keys)
    asyncio.run(database.migrate((*PORTFOLIO, *KNOWLEDGE, *GATEWAY, *WORKFLOWS, *ROLLOUT)))
    (tmp_path / "folder").mkdir()
    library = Library(folder=tmp_path / "folder", home=tmp_path, database=database, mint=mint, keys=keys)
    library.write("savings.md", SAVINGS)
    library.define()
    library.ingest()
    desk = Desk(database=database, library=library, portfolio=Portfolio(database=database, mint=mint), mint=mint)

    async def story() -> None:
        u = await desk.use_case()
        gateway = Gateway(database=database, mint=mint, portfolio=desk.portfolio, knowledge=library.knowledge,
                          models=FixedModels({"extractive": desk.model}))
        workflows = Workflows(database=database, portfolio=desk.portfolio, gateway=gateway)
        rollout = Rollout(database=database, mint=mint, portfolio=desk.portfolio, gateway=gateway, workflows=workflows)
        gateway.release_policy.plug(PhasedPolicy(rollout))
        await rollout.open_phase(OLGA, NewPhase(use_case_id=u.id))
        question = Question(use_case="savings-desk", text="How long is the notice period?")
        assert (await gateway.answer(desk.call, question)).status == "final"
        await rollout.halt_phase(OLGA, Halt(use_case_id=u.id, reason="wrong fees"))
        with pytest.raises(OutsidePhase):
            await gateway.answer(desk.call, question)

    asyncio.run(story())
    database.close()
