"""Who may read which answer, what a receipt holds, which use cases may be asked, and what is configured."""

import asyncio

import pytest

from pilothouse.directory.roles import RoleRulings
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.gateway.api import Gateway
from pilothouse.steps.gateway.contracts import (
    Answer,
    AnswerRef,
    AnswersQuery,
    EmbedRequest,
    InteractionId,
    ModelRoute,
    Question,
)
from pilothouse.steps.gateway.errors import NoEmbedder, NoSuchAnswer
from pilothouse.steps.gateway.plugs import GatewayFacts
from pilothouse.steps.knowledge.contracts import AccessRule
from pilothouse.steps.portfolio.contracts import UseCaseRef
from pilothouse.testing.fakes import call_as, person
from pilothouse.testing.gateway import SAID, Desk, Guard
from pilothouse.testing.knowledge import BagEmbedder
from pilothouse.testing.models import FixedModels, ScriptedModel


def ruled(name: str, *roles: str) -> Call:
    """Return a call by somebody under the real role table."""
    return call_as(person(name, *roles), access=RoleRulings())


def answered(desk: Desk, who: Call) -> Answer:
    asked = Question(use_case="savings-desk", text="How long is the notice period?")
    return desk.run(desk.gateway().answer(who, asked))


def ref(answer: Answer) -> AnswerRef:
    return AnswerRef(interaction_id=answer.interaction_id)


def test_an_answer_is_read_by_its_asker_and_by_those_who_may_read_all(desk: Desk) -> None:
    desk.run(desk.use_case())
    answer, gateway = answered(desk, ruled("jonas", "employee")), desk.gateway()
    for reader in (ruled("jonas", "employee"), ruled("rita", "reviewer")):
        assert desk.run(gateway.get_answer(reader, ref(answer))).text == SAID
    with pytest.raises(NoSuchAnswer):
        desk.run(gateway.get_answer(ruled("eve", "employee"), ref(answer)))
    with pytest.raises(NoSuchAnswer):
        desk.run(gateway.get_answer(ruled("jonas", "employee"), AnswerRef(interaction_id=InteractionId("int_none"))))


def test_the_home_of_an_asker_lists_only_their_own_newest_first(desk: Desk) -> None:
    desk.run(desk.use_case())
    jonas, gateway = ruled("jonas", "employee"), desk.gateway()
    first = answered(desk, jonas)
    answered(desk, ruled("eve", "employee"))
    desk.guard.going_out = "hold"
    second = answered(desk, jonas)
    found = desk.run(gateway.my_answers(jonas, NoFields()))
    assert [e.answer.interaction_id for e in found] == [second.interaction_id, first.interaction_id]
    assert [e.answer.status for e in found] == ["held", "final"]
    assert found[1].question == "How long is the notice period?"


def test_an_explanation_puts_each_sentence_beside_its_passage(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.model = ScriptedModel("The notice period is 32 days [1]. It costs 99 EUR [1]. Nobody knows why.")
    answer = answered(desk, ruled("jonas", "employee"))
    found = desk.run(desk.gateway().explain(ruled("jonas", "employee"), ref(answer)))
    assert [(s.citations, s.status) for s in found.sentences] == [
        ((1,), "supported"), ((1,), "unsupported"), ((), "unsupported")]
    assert [p.path for p in found.passages] == ["savings.md"]
    assert answer.groundedness == pytest.approx(1 / 3)


def test_sources_that_a_reader_may_not_see_stay_bare(desk: Desk) -> None:
    desk.run(desk.use_case())
    answer, gateway = answered(desk, ruled("jonas", "employee")), desk.gateway()
    desk.library.allow(AccessRule(readers=("person:pr_jonas",)))
    own = desk.run(gateway.explain(ruled("jonas", "employee"), ref(answer)))
    theirs = desk.run(gateway.explain(ruled("rita", "reviewer"), ref(answer)))
    assert own.answer.citations[0].quote == "The notice period is 32 days."
    assert (theirs.answer.citations[0].quote, theirs.answer.citations[0].title, theirs.passages) == ("", "", ())
    assert theirs.answer.citations[0].passage_id == own.answer.citations[0].passage_id
    assert theirs.sentences[0].status == "not checkable"


def test_a_receipt_is_complete_and_names_its_entries(desk: Desk) -> None:
    desk.run(desk.use_case())
    answer = answered(desk, ruled("jonas", "employee"))
    receipt = desk.run(desk.gateway().receipt(ruled("rita", "reviewer"), ref(answer)))
    entries = desk.entries(stream=f"interaction/{answer.interaction_id}")
    assert receipt.entries == tuple(e.seq for e in entries)
    assert receipt.question_commitment == entries[0].body["question"]["commitment"]
    assert receipt.answer_commitment == entries[2].body["answer"]["commitment"]
    assert receipt.passage_ids == tuple(entries[1].body["passage_ids"])
    assert [c.passage_id for c in receipt.cited] == entries[2].body["cited"]
    assert (receipt.asked_by, receipt.model, receipt.policy, receipt.status, receipt.streamed) == (
        "pr_jonas", "scripted", "test@1", "final", "not streamed")
    assert (receipt.tokens_in, receipt.cost_eur, [c.name for c in receipt.checks]) == (10, 0.0, ["in", "out"])
    assert receipt.latency_ms > 0
    assert receipt.snapshot


def test_a_receipt_of_a_refusal_has_no_answer_to_commit_to(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.guard = Guard(going_in="block")
    with pytest.raises(Denied):
        answered(desk, ruled("jonas", "employee"))
    id = desk.rows()[0]["id"]
    receipt = desk.run(desk.gateway().receipt(ruled("jonas", "employee"), AnswerRef(interaction_id=id)))
    assert (receipt.status, receipt.answer_commitment, len(receipt.entries)) == ("refused", "", 3)
    assert receipt.question_commitment


def test_lists_of_answers_are_for_those_who_may_and_carry_no_texts(desk: Desk) -> None:
    desk.run(desk.use_case())
    answered(desk, ruled("jonas", "employee"))
    gateway = desk.gateway()
    (line,) = desk.run(gateway.list_answers(ruled("mara", "owner"), AnswersQuery(use_case="savings-desk")))
    assert (line.slug, line.principal, line.status, line.answered) == ("savings-desk", "pr_jonas", "final", True)
    assert "notice" not in repr(line)
    with pytest.raises(Denied):
        desk.run(gateway.list_answers(ruled("jonas", "employee"), AnswersQuery(use_case="savings-desk")))


def test_what_may_be_asked_are_the_live_use_cases_that_serve_the_caller(desk: Desk) -> None:
    desk.run(desk.use_case())
    desk.run(desk.use_case("idea", title="Loans", slug="loans", problem="Loan officers compare rates by hand."))
    found = desk.run(desk.gateway().askable(ruled("jonas", "employee"), NoFields()))
    assert [a.slug for a in found] == ["savings-desk"]


@pytest.mark.parametrize(("route", "field"), [
    (ModelRoute(name="Extractive!", base_url="http://a/v1"), "name"),
    (ModelRoute(name="extractive", base_url="http://a/v1"), "name"),
    (ModelRoute(name="remote", base_url="file:///etc/passwd"), "base_url"),
    (ModelRoute(name="remote", base_url="http://a/v1", key_env="sk-abc123"), "key_env"),
    (ModelRoute(name="remote", base_url="http://a/v1", timeout_s=0), "timeout_s"),
])
def test_a_route_that_does_not_fit_names_its_field(desk: Desk, route: ModelRoute, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        desk.run(desk.gateway().define_model(ruled("ed", "engineer"), route))
    assert refused.value.facts["field"] == field


def test_a_route_is_kept_once_however_often_it_is_defined(desk: Desk) -> None:
    route = ModelRoute(name="remote", base_url="http://127.0.0.1:9/v1", key_env="REMOTE_KEY", eur_per_million_in=1.0,
                       eur_per_million_out=2.0)
    gateway = desk.gateway()
    for _ in range(2):
        desk.run(gateway.define_model(ruled("ed", "engineer"), route))
    assert len(desk.entries("gateway.model_defined")) == 1
    fresh = desk.gateway()
    desk.run(fresh.refresh())
    assert [r.name for r in desk.run(fresh.list_models(ruled("mara", "owner"), NoFields()))] == ["extractive", "remote"]
    with pytest.raises(Denied):
        desk.run(gateway.define_model(ruled("jonas", "employee"), route))


def test_embedding_needs_an_embedder_and_the_permission(desk: Desk) -> None:
    request = EmbedRequest(texts=("one", "two"))
    with pytest.raises(NoEmbedder):
        desk.run(desk.gateway().embed(ruled("ed", "engineer"), request))
    gateway = Gateway(database=desk.database, mint=desk.mint, portfolio=desk.portfolio, embeddings=BagEmbedder(),
                      knowledge=desk.library.knowledge, models=FixedModels({}))
    found = desk.run(gateway.embed(ruled("ed", "engineer"), request))
    assert (found.model, len(found.vectors)) == ("bag/1", 2)
    assert sum(x * x for x in found.vectors[0]) == pytest.approx(1, abs=1e-4)
    with pytest.raises(Denied):
        desk.run(gateway.embed(ruled("jonas", "employee"), request))
    with pytest.raises(Invalid):
        desk.run(gateway.embed(ruled("ed", "engineer"), EmbedRequest(texts=())))


def test_facts_for_gates_say_too_little_is_known_until_enough_was_asked(desk: Desk) -> None:
    u = desk.run(desk.use_case())
    standing = desk.run(desk.portfolio.standing(desk.call, UseCaseRef(use_case=u.id)))
    facts = GatewayFacts(desk.gateway())
    answered(desk, ruled("jonas", "employee"))
    before = desk.database.read_now(lambda r: facts.facts(r, standing, "2026-03-02"))
    assert {f.status for f in before} == {"no data"}

    async def many() -> None:
        gateway = desk.gateway()
        asked = Question(use_case="savings-desk", text="How long is the notice period?")
        await asyncio.gather(*(gateway.answer(ruled("jonas", "employee"), asked) for _ in range(19)))

    desk.run(many())
    after = {f.name: f for f in desk.database.read_now(lambda r: facts.facts(r, standing, "2026-03-02"))}
    assert {f.status for f in after.values()} == {"covered"}
    assert "EUR 0.00 for 20 answers" in after["Running cost"].says
    assert len(after["Running cost"].entries) == 5
    assert "95 %" in after["Answers come fast"].says
