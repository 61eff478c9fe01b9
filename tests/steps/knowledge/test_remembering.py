"""The embedder that remembers: the same vectors, computed once, and nothing left after an erasure."""

from collections.abc import Sequence

import numpy as np

from pilothouse.steps.knowledge.drivers.remembering import BULK, RememberingEmbedder
from pilothouse.steps.knowledge.ports import Vectors
from pilothouse.testing.knowledge import BagEmbedder, Library


class Counted(BagEmbedder):
    """Counts what it computes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return super().embed(texts)


def test_what_was_asked_before_is_not_computed_again_and_comes_out_the_same() -> None:
    counted = Counted()
    remembering = RememberingEmbedder(counted)
    first = remembering.embed(["fees", "rates", "fees"])
    assert counted.texts == ["fees", "rates"]
    again = remembering.embed(["rates", "limits", "fees"])
    assert counted.texts == ["fees", "rates", "limits"]
    assert np.array_equal(again[[2, 0, 2]], first)
    assert np.array_equal(again, BagEmbedder().embed(["rates", "limits", "fees"]))
    assert remembering.embed([]).shape == (0, BagEmbedder.dimensions)


def test_the_longest_unused_goes_first_and_documents_on_their_way_in_push_nothing_out() -> None:
    counted = Counted()
    remembering = RememberingEmbedder(counted, most=2)
    for text in ("a", "b", "a", "c"):
        remembering.embed([text])
    remembering.embed([f"passage {n}" for n in range(BULK + 1)])
    counted.texts.clear()
    remembering.embed(["a", "c"])
    assert counted.texts == []
    remembering.embed(["b"])
    assert counted.texts == ["b"]


def test_erasing_a_person_empties_what_was_remembered(library: Library) -> None:
    counted = Counted()
    library.knowledge = library.opened(embedder=RememberingEmbedder(counted))
    library.write("a.md", "# Team\n\nAnna Weber leads the branch.")
    library.define()
    library.ingest()
    library.ask("Who leads the branch?")
    counted.texts.clear()
    library.ask("Who leads the branch?")
    assert counted.texts == []
    found = library.run(library.knowledge.traces("anna", ["Anna Weber"]))
    library.run(library.database.write(library.ada, lambda tx: library.knowledge.forget_in(tx, found)))
    library.run(library.knowledge.settle_erasure(library.ada))
    counted.texts.clear()
    library.ask("Who leads the branch?")
    assert "Who leads the branch?" in counted.texts
