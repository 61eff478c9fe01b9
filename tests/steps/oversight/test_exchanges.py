"""The driver over the gateway's real table: what a reviewer gets is what lies there, and the asker gets the outcome."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.store import Reader, Transaction
from pilothouse.steps.gateway import store
from pilothouse.steps.gateway.contracts import InteractionId
from pilothouse.steps.gateway.migrations import MIGRATIONS as GATEWAY
from pilothouse.steps.knowledge.contracts import Passage
from pilothouse.steps.oversight.drivers.interactions import GatewayExchanges
from pilothouse.testing.fakes import system_call

ID = InteractionId("int_1")


class StoredInteractions:
    """The gateway's own store, as its façade offers it to oversight."""

    def held(self, reader: Reader, id: InteractionId) -> Mapping[str, object] | None:
        return store.interaction(reader, id)

    def conclude_review(self, tx: Transaction, id: InteractionId, *, refused: bool, answer_id: str, reviewer: str,
                        edited: bool) -> bool:
        return store.conclude_review(tx, id, status="refused" if refused else "final", answer=answer_id,
                                     reviewer=reviewer, edited=edited)


def passages(reader: Reader, ids: Sequence[str]) -> Sequence[Passage]:
    texts = {"psg_1": "First.", "psg_2": "Second."}
    return [Passage(id=i, document_id="d", source="s", path="a.md", title="T", version=1, page=None,  # type: ignore[arg-type]
                    heading=(), start=0, end=6, text=texts[i], label="internal", score=1.0)
            for i in sorted(ids) if i in texts]


async def held_answer(bench) -> GatewayExchanges:
    await bench.database.migrate((*GATEWAY,))

    def work(tx: Transaction) -> None:
        asker = SubjectId("jonas")
        record = store.Record()
        store.open_interaction(
            tx, id=ID, use_case_id="uc_1", slug="savings", principal="jonas", unit="", asked_at="2026", model="m",
            release_id="rel_1", policy="p", question=tx.seal(asker, "Ask Lena Vogt?").id, record=record, demo=False,
            vault=tx.seal(asker, json.dumps([["<PERSON_1_ab12>", "Lena Vogt"]])).id, seq=0,
            passages=("psg_2", "psg_1", "psg_gone"))
        store.close_interaction(
            tx, id=ID, status="held", model="m", policy="p", answer=tx.seal(asker, "Yes, <PERSON_1_ab12>.").id, seq=1,
            record=record, answered=True, groundedness=1.0, tokens_in=1, tokens_out=1, cost_eur=None, latency_ms=1.0)

    await bench.database.write(system_call(), work)
    return GatewayExchanges(StoredInteractions(), passages)


def test_an_exchange_holds_question_draft_vault_and_the_passages_in_their_order(bench) -> None:
    async def story() -> None:
        exchanges = await held_answer(bench)
        found = await bench.database.read(lambda r: exchanges.exchange(r, ID))
        assert found is not None and found.is_held and found.asked_by == "jonas"
        assert (found.question, found.draft) == ("Ask Lena Vogt?", "Yes, <PERSON_1_ab12>.")
        assert [p.id for p in found.passages] == ["psg_2", "psg_1"]
        assert found.vault == (("<PERSON_1_ab12>", "Lena Vogt"),)
        assert await bench.database.read(lambda r: exchanges.exchange(r, InteractionId("int_none"))) is None

    bench.run(story())


@pytest.mark.parametrize(("outcome", "text", "status", "read"), [
    ({"status": "final", "edited": False}, "Yes, <PERSON_1_ab12>.", "final", "Yes, <PERSON_1_ab12>."),
    ({"status": "final", "edited": True}, "Ask the desk.", "final", "Ask the desk."),
    ({"status": "refused", "edited": False}, "No source.", "refused", "No source.")])
def test_the_outcome_lies_where_the_asker_reads_it_and_only_once(bench, outcome: dict[str, Any], text: str,
                                                                 status: str, read: str) -> None:
    async def story() -> None:
        exchanges = await held_answer(bench)

        def conclude(tx: Transaction) -> None:
            exchanges.conclude(tx, ID, text=text, reviewer="rita", **outcome)

        await bench.database.write(system_call(), conclude)
        with pytest.raises(Conflict):
            await bench.database.write(system_call(), conclude)
        row = bench.row("select * from interaction")
        assert (row["status"], row["reviewed_by"], row["edited"]) == (status, "rita", int(outcome["edited"]))
        assert bench.database.read_now(lambda r: r.text(row["answer"])) == read
        assert bench.database.read_now(lambda r: len(r.rows("select 1 as one from content where subject = 'jonas'"))
                                       ) == (4 if read.startswith("Yes") else 5)

    bench.run(story())


def test_an_erased_asker_leaves_no_exchange(bench) -> None:
    async def story() -> None:
        exchanges = await held_answer(bench)
        await bench.database.write(system_call(), lambda tx: tx.run("delete from content where subject = 'jonas'"))
        assert await bench.database.read(lambda r: exchanges.exchange(r, ID)) is None

    bench.run(story())
