"""A question becomes a recorded, checked, cited answer, or a recorded refusal; nothing in between is ever lost."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest

from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied, Invalid, PilothouseError, Unavailable
from pilothouse.kernel.store import Database, Migration, Reader, Transaction
from pilothouse.steps.gateway.contracts import (
    Answer,
    AnswerRef,
    Delta,
    ModelRoute,
    NotServed,
    Question,
    Release,
    ReleaseId,
    Turn,
)
from pilothouse.steps.gateway.errors import (
    Blocked,
    ModelRefused,
    ModelUnavailable,
    NotLicensed,
    NotLive,
    OutsidePhase,
    TooLate,
)
from pilothouse.steps.gateway.jobs import sweep
from pilothouse.steps.gateway.logic.judging import HELD_TEXT
from pilothouse.steps.portfolio.contracts import Proposal, Standing
from pilothouse.testing.fakes import call_as, person, system_call
from pilothouse.testing.faults import fail_every_statement
from pilothouse.testing.gateway import SAID, Desk, Guard
from pilothouse.testing.models import ScriptedModel

ASKED = Question(use_case="savings-desk", text="How long is the notice period?")
T = TypeVar("T")


class CountedWrites:
    """A database that counts its writes."""

    def __init__(self, inner: Database) -> None:
        self._inner, self.writes = inner, 0

    async def write(self, call: Call, work: Callable[[Transaction], T], *, quick: bool = False) -> T:
        self.writes += 1
        return await self._inner.write(call, work, quick=quick)

    async def read(self, work: Callable[[Reader], T], *, quick: bool = False) -> T:
        return await self._inner.read(work, quick=quick)

    async def migrate(self, migrations: Sequence[Migration]) -> Sequence[str]:
        return await self._inner.migrate(migrations)


class WrittenOnce(CountedWrites):
    """A database that dies after its first write, as a crash between question and answer would have it."""

    async def write(self, call: Call, work: Callable[[Transaction], T], *, quick: bool = False) -> T:
        if self.writes:
            raise Unavailable("the process is gone")
        return await super().write(call, work, quick=quick)


def test_a_question_becomes_a_cited_answer_with_its_record(desk: Desk) -> None:
    desk.run(desk.use_case())
    answer = desk.ask()
    assert (answer.status, answer.text, answer.answered, answer.groundedness) == ("final", SAID, True, 1.0)
    (citation,) = answer.citations
    assert (citation.path, citation.title, citation.quote) == (
        "savings.md", "Notice savings", "The notice period is 32 days.")
    assert desk.kinds(answer.interaction_id) == ["question_asked", "passages_retrieved", "answer_given"]
    (row,) = desk.rows()
    assert (row["status"], desk.text(row["question"]), desk.text(row["answer"])) == ("final", ASKED.text, SAID)
    assert "notice period" not in row["record"] + json.dumps([e.body for e in desk.entries()])


def test_an_answer_costs_two_durable_commits(desk: Desk) -> None:
    desk.run(desk.use_case())
    counting = CountedWrites(desk.database)
    desk.ask(database=counting)
    assert counting.writes == 2


def test_what_is_masked_never_reaches_the_model_and_comes_back_for_its_asker(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.model = ScriptedModel("Ask <PERSON_1_ab12> about the notice period [1].")
    answer = desk.ask("May I call Lena Vogt about the notice period?", passages=3)
    assert answer.text == "Ask Lena Vogt about the notice period [1]."
    (seen,) = desk.model.prompts
    assert "Lena" not in repr(seen)
    assert any("<PERSON_1_ab12>" in p.text for p in seen.passages)
    (row,) = desk.rows()
    assert "Lena" not in str(desk.text(row["answer"]))
    gateway = desk.gateway()
    own = desk.run(gateway.explain(desk.call, AnswerRef(interaction_id=answer.interaction_id)))
    theirs = desk.run(gateway.explain(call_as(person("rita")), AnswerRef(interaction_id=answer.interaction_id)))
    assert own.question == "May I call Lena Vogt about the notice period?"
    assert theirs.question == "May I call <PERSON_1_ab12> about the notice period?"
    assert "Lena" not in f"{theirs.answer.text}{theirs.sentences}"


@pytest.mark.parametrize(("stage", "refusal"), [("idea", NotLive), ("retired", NotLive)])
def test_what_is_not_live_answers_nobody(desk: Desk, stage: str, refusal: type[Denied]) -> None:
    desk.run(desk.use_case(stage))  # type: ignore[arg-type]
    with pytest.raises(refusal):
        desk.ask()
    assert desk.rows() == []
    assert desk.model.prompts == []


def test_who_is_outside_the_phase_or_lacks_the_credential_is_refused_before_anything_is_read(desk: Desk) -> None:
    class Lacking:
        def refusal(self, call: Call, standing: Standing) -> str:
            return "take the course first"

    desk.run(desk.use_case())
    with pytest.raises(OutsidePhase) as outside:
        desk.ask(release=NotServed(rule="not-in-canary", says="the canary serves 5 % of people, and not you"))
    assert outside.value.facts["rule"] == "not-in-canary"
    gateway = desk.gateway()
    gateway.licence.plug(Lacking())
    with pytest.raises(NotLicensed, match="take the course"):
        desk.run(gateway.answer(desk.call, ASKED))
    assert desk.rows() == []


def test_without_a_guardrail_only_minimal_risk_is_served(desk: Desk) -> None:
    desk.run(desk.use_case(purpose="credit scoring"))
    with pytest.raises(Blocked):
        desk.ask(guarded=False)
    (row,) = desk.rows()
    assert desk.kinds(row["id"]) == ["question_asked", "passages_retrieved", "answer_refused"]
    assert row["status"] == "refused"
    assert desk.model.prompts == []


def test_a_held_answer_shows_the_holding_text_and_keeps_its_draft_sealed(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.guard = Guard(going_out="hold")
    answer = desk.ask()
    assert (answer.status, answer.text, answer.citations, answer.finish_reason) == ("held", HELD_TEXT, (), "stop")
    (row,) = desk.rows()
    assert desk.text(row["answer"]) == SAID
    gateway = desk.gateway()
    assert desk.run(gateway.get_answer(desk.call, AnswerRef(interaction_id=answer.interaction_id))).text == HELD_TEXT

    async def approve() -> bool:
        return await desk.database.write(system_call(), lambda tx: gateway.conclude_review(
            tx, answer.interaction_id, refused=False, answer_id=row["answer"], reviewer="pr_rita", edited=False))

    assert (desk.run(approve()), desk.run(approve())) == (True, False)
    later = desk.run(gateway.get_answer(desk.call, AnswerRef(interaction_id=answer.interaction_id)))
    assert (later.status, later.text, later.reviewed_by) == ("final", SAID, "pr_rita")
    assert later.citations[0].quote == "The notice period is 32 days."


def test_a_doubt_on_the_way_in_still_holds_the_answer_on_the_way_out(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.guard = Guard(going_in="hold", through=True)
    assert desk.ask().status == "held"
    assert [type(p) for p in desk.stream(desk.gateway())][-1] is Answer
    assert desk.rows()[-1]["status"] == "held"


def test_a_blocked_answer_is_refused_and_recorded(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.guard = Guard(going_out="block")
    with pytest.raises(Blocked) as blocked:
        desk.ask()
    assert (blocked.value.facts["going"], desk.rows()[0]["status"]) == ("out", "refused")


def test_a_failing_model_hands_over_to_the_next_route(desk: Desk) -> None:
    desk.run(desk.use_case())
    remote = ScriptedModel(ModelUnavailable("busy"), name="remote")
    gateway = desk.gateway(release=Release(id=ReleaseId("rel_2"), model="remote"), remote=remote)
    desk.run(gateway.define_model(desk.call, ModelRoute(name="remote", base_url="http://127.0.0.1:9/v1")))
    answer = desk.run(gateway.answer(desk.call, ASKED))
    assert (answer.status, len(remote.prompts), desk.rows()[0]["model"]) == ("final", 1, "scripted")


@pytest.mark.parametrize("problem", [ModelUnavailable("busy"), ModelRefused("no such model")])
def test_when_no_model_answers_the_question_is_closed_as_failed(desk: Desk, problem: PilothouseError) -> None:
    desk.run(desk.use_case())
    desk.model = ScriptedModel(problem)
    with pytest.raises(type(problem)):
        desk.ask()
    (row,) = desk.rows()
    assert (row["status"], desk.kinds(row["id"])[-1]) == ("failed", "answer_refused")


def test_a_question_whose_asker_left_is_closed(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.model = ScriptedModel(SAID, pause_s=5)

    async def leave() -> None:
        asking = asyncio.create_task(desk.gateway().answer(desk.call, ASKED))
        await desk.model.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    desk.run(leave())
    assert desk.rows()[0]["status"] == "failed"


def test_a_deadline_is_kept(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.model = ScriptedModel(SAID, pause_s=5)
    hurried = replace(desk.call, deadline=desk.call.at + timedelta(milliseconds=80))
    with pytest.raises(TooLate):
        desk.run(desk.gateway().answer(hurried, ASKED))
    assert desk.rows()[0]["status"] == "failed"


def test_no_route_may_see_a_label_above_its_clearance(desk: Desk) -> None:
    desk.run(desk.use_case())
    remote = ScriptedModel("leaked", name="remote")
    gateway = desk.gateway(release=Release(id=ReleaseId("rel_2"), model="remote"), remote=remote)
    route = ModelRoute(name="remote", base_url="http://127.0.0.1:9", clearance="public")
    desk.run(gateway.define_model(desk.call, route))
    assert desk.run(gateway.answer(desk.call, ASKED)).text == SAID
    assert remote.prompts == []


def test_a_stream_that_may_be_held_is_recorded_before_its_first_piece(desk: Desk) -> None:
    desk.run(desk.use_case())
    gateway = desk.gateway()

    async def first_piece() -> str:
        async for piece in gateway.stream(desk.call, ASKED):
            assert isinstance(piece, Delta)
            return str(desk.rows()[0]["status"])
        return "nothing"

    assert desk.run(first_piece()) == "final"
    pieces = desk.stream(gateway)
    assert "".join(p.text for p in pieces if isinstance(p, Delta)) == SAID
    assert isinstance(pieces[-1], Answer)
    assert "checked first" in desk.rows()[0]["record"]


def test_a_stream_that_passes_through_is_open_before_its_first_piece_and_closed_after(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.guard = Guard(through=True)
    gateway, seen = desk.gateway(), []

    async def read() -> None:
        async for piece in gateway.stream(desk.call, ASKED):
            seen.append((type(piece), desk.rows()[0]["status"]))

    desk.run(read())
    assert seen[0] == (Delta, "open")
    assert seen[-1] == (Answer, "final")
    assert desk.text(desk.rows()[0]["answer"]) == SAID


@pytest.mark.parametrize("who", ["the model", "the reader"])
def test_a_stream_that_breaks_off_is_recorded_as_far_as_it_was_sent(desk: Desk, who: str) -> None:
    desk.run(desk.use_case())
    desk.guard = Guard(through=True)
    desk.model = ScriptedModel(("The notice", ModelUnavailable("gone"))) if who == "the model" else ScriptedModel(SAID)
    gateway, sent = desk.gateway(), []

    async def read() -> None:
        pieces = gateway.stream(desk.call, ASKED)
        async for piece in pieces:
            sent.append(piece.text)
            if who == "the reader" and len(sent) == 2:
                break
        await pieces.aclose()

    if who == "the model":
        with pytest.raises(ModelUnavailable):
            desk.run(read())
    else:
        desk.run(read())
    (row,) = desk.rows()
    assert (row["status"], desk.text(row["answer"])) == ("final", "The notice")
    assert "ended early" in row["record"]
    assert desk.model.left_early == 1


def test_a_stream_that_fails_before_its_first_piece_goes_to_the_next_route(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.guard = Guard(through=True)
    remote = ScriptedModel(ModelUnavailable("busy"), name="remote")
    gateway = desk.gateway(release=Release(id=ReleaseId("rel_2"), model="remote"), remote=remote)
    desk.run(gateway.define_model(desk.call, ModelRoute(name="remote", base_url="http://127.0.0.1:9")))
    assert "".join(p.text for p in desk.stream(gateway) if isinstance(p, Delta)) == SAID


def test_what_streams_with_masked_text_is_checked_first(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.guard = Guard(through=True)
    desk.model = ScriptedModel("Ask <PERSON_1_ab12> [1].")
    pieces = desk.stream(desk.gateway(), "Who is Lena Vogt?")
    assert "".join(p.text for p in pieces if isinstance(p, Delta)) == "Ask Lena Vogt [1]."
    assert "checked first" in desk.rows()[0]["record"]


def test_an_answer_survives_a_fault_at_every_statement(desk: Desk) -> None:
    desk.run(desk.use_case())

    async def act(database: Database) -> Answer:
        return await desk.gateway(database).answer(desk.call, ASKED)

    async def check() -> None:
        given = {e.body["interaction_id"] for e in desk.entries("gateway.answer_given")}
        asked = {e.body["interaction_id"] for e in desk.entries("gateway.question_asked")}
        assert {r["id"] for r in desk.rows()} == asked
        assert {r["id"] for r in desk.rows() if r["status"] == "final"} == given

    statements = asyncio.run(fail_every_statement(desk.database, act, check))
    assert statements >= 8


def test_nothing_is_said_when_the_record_of_it_fails(desk: Desk) -> None:
    desk.run(desk.use_case())
    said: list[str] = []

    async def act(database: Database) -> None:
        async for piece in desk.gateway(database).stream(desk.call, ASKED):
            said.append(piece.text)

    async def check() -> None:
        final = [r for r in desk.rows() if r["status"] == "final"]
        assert bool(said) == bool(final)

    asyncio.run(fail_every_statement(desk.database, act, check))


def test_what_a_crash_left_open_is_closed_at_the_next_start_and_only_once(desk: Desk) -> None:
    desk.run(desk.use_case())

    gateway = desk.gateway()
    with pytest.raises(Unavailable):
        desk.ask(database=WrittenOnce(desk.database))
    assert desk.rows()[0]["status"] == "open"
    later = system_call(at=desk.call.at + timedelta(seconds=1))
    assert desk.run(sweep(gateway, later, sole_owner=False)) == 0
    assert desk.run(sweep(gateway, later, sole_owner=True)) == 1
    assert desk.run(sweep(gateway, later, sole_owner=True)) == 0
    (row,) = desk.rows()
    assert (row["status"], desk.kinds(row["id"])[-1]) == ("failed", "answer_refused")


@pytest.mark.parametrize(("question", "field"), [
    (Question(use_case="savings-desk", text="  "), "text"),
    (Question(use_case="savings-desk", text="a" * 16_001), "text"),
    (Question(use_case="savings-desk", text="hi", turns=(Turn(role="user", text="x"),) * 41), "turns"),
    (Question(use_case="savings-desk", text="hi", turns=(Turn(role="user", text="x" * 16_001),)), "turns[0].text"),
])
def test_a_question_that_does_not_fit_names_its_field(desk: Desk, question: Question, field: str) -> None:
    desk.run(desk.use_case())
    with pytest.raises(Invalid) as refused:
        desk.run(desk.gateway().answer(desk.call, question))
    assert refused.value.facts["field"] == field
    assert desk.rows() == []


def test_a_trial_answers_its_owner_alone(desk: Desk) -> None:
    owner = call_as(person("mara"))
    desk.run(desk.portfolio.propose_trial(owner, Proposal(
        title="Trial", problem="Somebody wants to try it.", outcome="speed", unit_of_work="question", slug="trial")))
    asked = Question(use_case="trial", text=ASKED.text)
    gateway = desk.gateway()
    assert desk.run(gateway.answer(owner, asked)).status == "final"
    with pytest.raises(OutsidePhase):
        desk.run(gateway.answer(desk.call, asked))
