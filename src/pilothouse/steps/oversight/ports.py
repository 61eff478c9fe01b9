"""What oversight needs of the gateway: the exchange behind a held answer, and a way to conclude it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pilothouse.kernel.store import Reader, Transaction
from pilothouse.steps.gateway.contracts import InteractionId, Status
from pilothouse.steps.knowledge.contracts import Passage
from pilothouse.steps.oversight.contracts import Exchange

PassagesIn = Callable[[Reader, Sequence[str]], Sequence[Passage]]
"""Returns stored passages by id, whoever asks: what was shown to a model is what its reviewer must see."""


class Exchanges(Protocol):
    """Held answers and what they were made from; both methods work inside the caller's snapshot or transaction."""

    def exchange(self, reader: Reader, interaction_id: InteractionId) -> Exchange | None:
        """Return the exchange as it is stored, or None once it was erased."""
        ...

    def conclude(self, tx: Transaction, interaction_id: InteractionId, *, status: Status, text: str, reviewer: str,
                 edited: bool) -> None:
        """Give the asker the reviewed text; raises Conflict unless the answer is still held."""
        ...


class Interactions(Protocol):
    """The part of the gateway that keeps interactions, as its façade offers it."""

    def held(self, reader: Reader, id: InteractionId) -> Mapping[str, object] | None: ...

    def conclude_review(self, tx: Transaction, id: InteractionId, *, refused: bool, answer_id: str, reviewer: str,
                        edited: bool) -> bool: ...
