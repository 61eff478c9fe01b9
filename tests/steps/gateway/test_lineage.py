"""Lineage: an answer back to its file, a document forward to its answers, stale ones found, wrong ones called back."""

import asyncio
import json

import pytest

from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Denied, Invalid, Missing
from pilothouse.kernel.operation import NoFields
from pilothouse.kernel.store import Database
from pilothouse.steps.gateway.api.lineage import Tracing
from pilothouse.steps.gateway.contracts import (
    Answer,
    AnswerRef,
    ImpactQuery,
    RecallRequest,
    StaleAnswer,
    StaleQuery,
)
from pilothouse.steps.knowledge.contracts import AccessRule, DocumentId, DocumentQuery
from pilothouse.testing.fakes import call_as, person
from pilothouse.testing.faults import fail_every_statement
from pilothouse.testing.gateway import SAVINGS, Desk
from pilothouse.testing.knowledge import reader_named

OWNER = reader_named("olga", roles=("owner",))
REASON = "The notice period was printed wrong; ask again."


def tracing(desk: Desk, database: Database | None = None) -> Tracing:
    return Tracing(database=database or desk.database, portfolio=desk.portfolio, knowledge=desk.library.knowledge)


def document(desk: Desk, path: str = "savings.md") -> DocumentId:
    found = desk.run(desk.library.knowledge.list_documents(OWNER, DocumentQuery(source="docs")))
    return next(d.id for d in found if d.path == path)


def asked(desk: Desk, times: int = 1) -> list[Answer]:
    if not desk.rows():
        desk.run(desk.use_case())
    return [desk.ask() for _ in range(times)]


def stale(desk: Desk) -> tuple[StaleAnswer, ...]:
    return desk.run(tracing(desk).stale(OWNER, StaleQuery(use_case="savings-desk")))


def test_an_answer_leads_back_to_the_file_and_says_so_as_an_openlineage_run(desk: Desk) -> None:
    (answer,) = asked(desk)
    found = desk.run(tracing(desk).lineage(desk.call, AnswerRef(interaction_id=answer.interaction_id)))
    (link,) = found.links
    assert link.origin is not None
    assert (link.cited, link.origin.document_id, link.origin.version) == (True, document(desk), 1)
    assert desk.library.knowledge._keeping.lake.get(link.origin.digest) == SAVINGS.encode()
    assert len(found.entries) == 3
    assert found.snapshot
    run = json.loads(found.openlineage)
    assert run["inputs"][0]["name"] == link.origin.document_id
    assert run["inputs"][0]["facets"]["version"]["datasetVersion"] == f"1:{link.origin.digest}"
    assert run["outputs"][0]["name"] == answer.interaction_id


def test_only_the_asker_and_those_who_may_read_all_answers_see_where_one_comes_from(desk: Desk) -> None:
    (answer,) = asked(desk)
    ref = AnswerRef(interaction_id=answer.interaction_id)
    assert desk.run(tracing(desk).lineage(OWNER, ref)).links
    with pytest.raises(Missing):
        desk.run(tracing(desk).lineage(reader_named("eve"), ref))
    with pytest.raises(Denied):
        desk.run(tracing(desk).impact(reader_named("eve"), ImpactQuery(document_id=document(desk))))


def test_a_document_leads_forward_to_every_answer_and_everybody_who_saw_one(desk: Desk) -> None:
    first, second = asked(desk, 2)
    found = desk.run(tracing(desk).impact(OWNER, ImpactQuery(document_id=document(desk))))
    assert {u.interaction_id for u in found.answers} == {first.interaction_id, second.interaction_id}
    assert (found.people, found.cited) == (("pr_jonas",), 2)
    assert all(u.versions == (1,) for u in found.answers)
    other = desk.run(tracing(desk).impact(OWNER, ImpactQuery(document_id=document(desk, "contact.md"))))
    assert (other.answers, other.people, other.cited) == ((), (), 0)


def test_a_document_that_one_may_not_read_has_no_impact_to_show(desk: Desk) -> None:
    asked(desk)
    held = document(desk)
    desk.library.allow(AccessRule(readers=("group:board",)))
    for unseen in (held, DocumentId("doc_none")):
        with pytest.raises(Missing):
            desk.run(tracing(desk).impact(OWNER, ImpactQuery(document_id=unseen)))


def test_an_answer_is_stale_once_its_source_is_replaced_or_gone(desk: Desk) -> None:
    (answer,) = asked(desk)
    assert stale(desk) == ()
    desk.library.write("savings.md", SAVINGS.replace("32", "45"))
    desk.library.ingest()
    (found,) = stale(desk)
    assert (found.interaction_id, found.version, found.newest, found.since) == (answer.interaction_id, 1, 2, "replaced")
    new = document(desk)
    every = desk.run(tracing(desk).impact(OWNER, ImpactQuery(document_id=new)))
    assert [u.versions for u in every.answers] == [(1,)]
    assert desk.run(tracing(desk).impact(OWNER, ImpactQuery(document_id=new, every_version=False))).answers == ()
    (desk.library.folder / "savings.md").unlink()
    desk.library.ingest()
    (found,) = stale(desk)
    assert (found.newest, found.since) == (None, "removed")


def test_a_recall_is_a_recorded_decision_whose_askers_find_the_reason_and_twice_is_once(desk: Desk) -> None:
    (answer,) = asked(desk)
    request = RecallRequest(document_id=document(desk), reason=REASON)
    for _ in range(2):
        assert desk.run(tracing(desk).recall(OWNER, request)).cited == 1
    (entry,) = desk.entries("gateway.answers_recalled")
    assert entry.body["interaction_ids"] == [answer.interaction_id]
    assert "printed" not in json.dumps(entry.body)
    (notice,) = desk.run(tracing(desk).my_recalls(desk.call, NoFields()))
    assert (notice.interaction_id, notice.recalled_by, notice.reason) == (answer.interaction_id, "olga", REASON)
    assert desk.run(tracing(desk).my_recalls(call_as(person("eve")), NoFields())) == ()
    (later,) = asked(desk)
    desk.run(tracing(desk).recall(OWNER, request))
    assert desk.entries("gateway.answers_recalled")[-1].body["interaction_ids"] == [later.interaction_id]


def test_a_recall_needs_its_permission_and_a_reason(desk: Desk) -> None:
    asked(desk)
    held = document(desk)
    refused: list[tuple[Call, str, type[Exception]]] = [
        (reader_named("rita", roles=("reviewer",)), REASON, Denied), (OWNER, "  ", Invalid),
        (OWNER, "x" * 2_001, Invalid)]
    for who, reason, refusal in refused:
        with pytest.raises(refusal):
            desk.run(tracing(desk).recall(who, RecallRequest(document_id=held, reason=reason)))
    assert not desk.entries("gateway.answers_recalled")


def test_a_recall_survives_a_fault_at_every_statement(desk: Desk) -> None:
    asked(desk, 2)
    request = RecallRequest(document_id=document(desk), reason=REASON)

    async def act(database: Database) -> object:
        return await tracing(desk, database).recall(OWNER, request)

    async def check() -> None:
        told = [i for e in desk.entries("gateway.answers_recalled") for i in e.body["interaction_ids"]]
        assert len(told) == desk.library.count("recall") in (0, 2)

    assert asyncio.run(fail_every_statement(desk.database, act, check)) >= 4
    assert desk.library.count("recall") == 2
