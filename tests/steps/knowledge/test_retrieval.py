"""Retrieval: both indexes fused, repeats once, exact under any filter, and recorded by ids alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.kernel.ledger import Entry
from pilothouse.steps.knowledge.contracts import AccessRule, Query
from pilothouse.steps.knowledge.drivers.exact_vectors import ExactVectors
from pilothouse.steps.knowledge.drivers.tantivy_index import TantivyIndex
from pilothouse.steps.knowledge.logic import permitting, ranking
from pilothouse.steps.knowledge.plugs import KnowledgeFacts
from pilothouse.steps.knowledge.ports import Indexed, PassageIndex, Vectors
from pilothouse.steps.portfolio.contracts import Standing, UseCaseId
from pilothouse.testing.knowledge import DIMENSIONS, BagEmbedder, Library, reader_named

EVERYONE = AccessRule(readers=("everyone",))


def test_blending_rewards_what_both_rankings_hold_and_breaks_ties_by_row() -> None:
    blended = ranking.blend([(1, 8.0), (2, 6.0), (3, 4.0)], [(3, 0.9), (2, 0.8), (4, 0.4)])
    assert blended == pytest.approx({1: 0.4, 2: 0.4 * 0.5 + 0.6 * 0.8, 3: 0.6, 4: 0.0})
    assert [row for row, _ in ranking.ordered(blended, [])] == [2, 3, 1, 4]
    assert [row for row, _ in ranking.ordered(ranking.blend([(9, 1.0), (7, 1.0)], []), [])] == [7, 9]


def test_repeats_are_shown_once_and_another_figure_is_no_repeat() -> None:
    text = "A transfer abroad needs the approval of two people when it is above the limit of {} EUR on one day. "
    texts = {1: text.format(5000), 2: text.format(5000) + "Amen.", 3: text.format(9000), 4: "Something else."}
    assert ranking.distinct(texts, 10) == (1, 3, 4)
    assert ranking.distinct(texts, 2) == (1, 3)


def test_labels_join_upward() -> None:
    assert permitting.join(["public", "restricted", "internal"]) == "restricted"
    assert permitting.join([]) == "public"


def test_a_passage_says_where_it_stands(library: Library) -> None:
    library.write("x/leave.md", "Effective: 2026-01-01\n\n# Leave\n\n## Days\n\nStaff have thirty days of leave.")
    library.define(AccessRule(readers=("everyone",), label="confidential"))
    library.ingest()
    found = library.ask("how many days of leave")
    (p,) = found.passages
    assert (p.source, p.path, p.title, p.version, p.heading) == ("docs", "x/leave.md", "Leave", 1, ("Leave", "Days"))
    assert (p.text, p.label, p.effective_on) == ("Staff have thirty days of leave.", "confidential", "2026-01-01")
    assert (found.readable, found.mode, found.label) == (1, "hybrid", "confidential")


def test_without_an_embedder_the_search_is_lexical_and_says_so(library: Library) -> None:
    library.knowledge = library.opened(dense=None, embedder=None)
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    assert library.ask("vault").mode == "lexical"
    assert library.paths("vault") == {"a.md"}


def test_sources_narrow_a_search_and_an_unknown_one_finds_nothing(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    assert library.paths("vault", sources=("docs",)) == {"a.md"}
    nothing = library.ask("vault", sources=("elsewhere",))
    assert (nothing.passages, nothing.readable, nothing.label) == ((), 0, "public")


@pytest.mark.parametrize("query", [Query(text=" "), Query(text="x" * 20_000), Query(text="a", limit=0),
                                   Query(text="a", limit=51)])
def test_a_query_out_of_bounds_is_refused(library: Library, query: Query) -> None:
    with pytest.raises(Invalid):
        library.run(library.knowledge.search(library.ada, query))


def test_a_search_needs_the_right_to_ask(library: Library) -> None:
    with pytest.raises(Denied):
        library.ask("vault", reader_named("ghost", roles=()))


def test_a_search_records_nothing_and_a_retrieval_records_ids_alone(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    library.ask("vault")
    assert library.entries("knowledge.passages_retrieved") == ()
    found = library.run(library.knowledge.retrieve(library.ada, Query(text="vault secrets")))
    entry: Entry = library.entries("knowledge.passages_retrieved")[0]
    assert entry.body["passage_ids"] == [p.id for p in found.passages]
    assert "vault" not in str(entry.body)


def test_the_snapshot_names_a_state_that_changes_with_what_is_known(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    before = library.ask("vault").snapshot
    assert library.ask("vault").snapshot == before
    library.allow(EVERYONE, AccessRule(path="x", readers=()))
    assert library.ask("vault").snapshot != before


def test_a_filter_that_leaves_one_in_a_thousand_still_finds_it(library: Library) -> None:
    for n in range(300):
        library.write(f"many/{n}.md", f"# Vault {n}\n\nThe vault vault vault number {n} opens at nine.")
    library.write("mine/one.md", "# Other\n\nBeside much else that is said at length here there is a vault.")
    library.define(AccessRule(path="many", readers=("group:all",)), AccessRule(path="mine", readers=("person:pia",)))
    library.ingest()
    found = library.ask("vault", reader_named("pia"))
    assert [p.path for p in found.passages] == ["mine/one.md"]
    assert found.readable == 1


def test_the_real_indexes_find_move_and_forget(library: Library) -> None:
    lexical = TantivyIndex(library.home / "lexical")
    library.knowledge = library.opened(lexical=lexical, dense=ExactVectors(library.home / "dense", DIMENSIONS))
    library.write("x/a.md", "# Vault\n\nThe vaults are opened at nine.")
    library.write("b.md", "# Fees\n\nTransfers cost nothing.")
    library.define()
    library.ingest()
    bob = reader_named("bob")
    assert library.ask("opening the vault", bob).passages[0].path == "x/a.md"
    library.allow(EVERYONE, AccessRule(path="x", readers=("group:board",)))
    assert "x/a.md" not in library.paths("opening the vault", bob)
    assert "x/a.md" in library.paths("opening the vault", reader_named("bea", groups=("board",)))
    reopened = library.opened(lexical=TantivyIndex(library.home / "lexical"),
                              dense=ExactVectors(library.home / "dense", DIMENSIONS))
    library.knowledge = reopened
    library.run(reopened.start())
    assert library.ask("transfer fees", bob).passages[0].path == "b.md"
    (library.folder / "b.md").unlink()
    library.ingest()
    assert "b.md" not in library.paths("transfer fees", bob)


def test_facts_for_gates_say_what_is_in_how_fresh_and_how_clean(library: Library) -> None:
    def facts(today: str, *sources: str) -> dict[str, tuple[str, str]]:
        standing = Standing(use_case_id=UseCaseId("uc_1"), slug="u", title="U", stage="pilot", risk_tier="limited",
                            owner="ada", sources=sources)
        plug = KnowledgeFacts(library.knowledge)
        told = library.database.read_now(lambda r: plug.facts(r, standing, today))
        assert all(f.reason_covered == 6 and f.says for f in told)
        return {f.name: (f.status, f.says) for f in told}

    assert facts("2026-03-02")["Sources ingested"][0] == "no data"
    assert facts("2026-03-02", "docs")["Sources ingested"] == ("exposed", "nothing is in from: docs")
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define()
    assert facts("2026-03-02", "docs")["Sources current"] == ("exposed", "docs was last looked at never")
    library.ingest()
    assert {s for s, _ in facts("2026-03-02", "docs").values()} == {"covered"}
    assert facts("2026-04-03", "docs")["Sources current"][0] == "exposed"
    library.write("b.md", "# A\n\nThe vault opens at nine.")
    library.ingest()
    assert facts("2026-03-02", "docs")["Documents clean"] == (
        "exposed", "1 copy or outdated version and 0 files in quarantine")


@pytest.mark.parametrize("kind", ["lexical", "dense"])
def test_a_real_index_forgets_what_was_removed_and_where_a_row_was_before(tmp_path: Path, kind: str) -> None:
    index: PassageIndex = TantivyIndex(tmp_path) if kind == "lexical" else ExactVectors(tmp_path, 2)
    vectors = np.asarray([[1, 0], [1, 0]], np.float32)

    def passage(row: int, access: int) -> Indexed:
        return Indexed(row=row, access=access, source=1, title="Vault", heading="", body="The vault opens at nine.")

    def rows(*access: int) -> list[int]:
        return [s.row for s in index.search("vault", vectors[0], access=frozenset(access), sources=None, limit=9)]

    index.add([passage(1, 1), passage(2, 1)], vectors)
    index.flush("1")
    if new := index.retag([passage(1, 2)]):
        index.add(new, vectors[:1])
    index.flush("2")
    assert (rows(1), rows(2), rows(1, 2)) == ([2], [1], [1, 2])
    index.remove([2])
    index.flush("3")
    assert (rows(1), rows(1, 2)) == ([], [1])


def test_moving_documents_to_another_access_set_embeds_nothing_again(library: Library) -> None:
    class Counting(BagEmbedder):
        embedded = 0

        def embed(self, texts: Sequence[str]) -> Vectors:
            Counting.embedded += len(texts)
            return super().embed(texts)

    library.knowledge = library.opened(embedder=Counting())
    library.write("x/a.md", "# Vault\n\nThe vault opens at nine.")
    library.define()
    library.ingest()
    held = Counting.embedded
    library.allow(EVERYONE, AccessRule(path="x", readers=("group:board",)))
    assert Counting.embedded == held == 1
    assert library.paths("vault", reader_named("bob")) == set()
