"""Exchanges from the gateway's interactions: the sealed question, the masked draft, the passages at their version."""

from collections.abc import Mapping

import msgspec

from pilothouse.kernel.errors import Conflict
from pilothouse.kernel.ids import SubjectId
from pilothouse.kernel.store import Reader, Transaction
from pilothouse.steps.gateway.contracts import InteractionId, ReleaseId, Status
from pilothouse.steps.knowledge.contracts import Passage
from pilothouse.steps.oversight.contracts import Exchange
from pilothouse.steps.oversight.ports import Interactions, PassagesIn
from pilothouse.steps.portfolio.contracts import UseCaseId

Vault = tuple[tuple[str, str], ...]


class GatewayExchanges:
    """The port `Exchanges` over the gateway's own table, inside the caller's snapshot or transaction."""

    def __init__(self, gateway: Interactions, passages: PassagesIn) -> None:
        self._gateway, self._passages = gateway, passages

    def exchange(self, reader: Reader, interaction_id: InteractionId) -> Exchange | None:
        row = self._gateway.held(reader, interaction_id)
        texts = _texts(reader, row) if row else None
        if row is None or texts is None:
            return None
        question, draft, vault = texts
        ids = msgspec.json.decode(str(row["passages"]), type=tuple[str, ...])
        by_id: dict[str, Passage] = {p.id: p for p in self._passages(reader, ids)}
        return Exchange(
            interaction_id=interaction_id, use_case_id=UseCaseId(str(row["use_case_id"])),
            release_id=ReleaseId(str(row["release_id"])), asked_by=str(row["principal"]), question=question,
            draft=draft, passages=tuple(by_id[i] for i in ids if i in by_id),
            vault=vault, is_held=row["status"] == "held")

    def conclude(self, tx: Transaction, interaction_id: InteractionId, *, status: Status, text: str, reviewer: str,
                 edited: bool) -> None:
        row = self._gateway.held(tx, interaction_id)
        asker = SubjectId(str(row["principal"])) if row else SubjectId("")
        keeps = row is not None and status == "final" and not edited
        answer_id = str(row["answer"]) if row and keeps else tx.seal(asker, text).id
        if not self._gateway.conclude_review(tx, interaction_id, refused=status == "refused", answer_id=answer_id,
                                             reviewer=reviewer, edited=edited):
            raise Conflict("this answer is not held any more; open the review again", interaction_id=interaction_id)


def _texts(reader: Reader, row: Mapping[str, object]) -> tuple[str, str, Vault] | None:
    """Return question, draft and vault; None once any of them was erased."""
    question, draft = reader.text(str(row["question"])), reader.text(str(row["answer"]))
    sealed = reader.text(str(row["vault"])) if row["vault"] else "[]"
    if question is None or draft is None or sealed is None:
        return None
    return question, draft, msgspec.json.decode(sealed, type=Vault)
