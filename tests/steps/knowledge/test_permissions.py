"""Who may read what: before ranking, at the next query, and for every version that ever was."""

import pytest

from pilothouse.kernel.errors import Denied, Invalid, Missing
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.contracts import (
    AccessChange,
    AccessRule,
    DocumentQuery,
    DocumentRef,
    IngestRequest,
    NewSource,
    PassageId,
)
from pilothouse.steps.knowledge.logic import permitting
from pilothouse.testing.knowledge import Library, MemoryIndex, reader_named

EVERYONE = AccessRule(readers=("everyone",))
BOARD = AccessRule(path="board", readers=("group:board",), label="restricted")
BEA = reader_named("bea", groups=("board",))
BOB = reader_named("bob", unit="payments")


def test_the_longest_whole_segment_prefix_wins() -> None:
    rules = (EVERYONE, AccessRule(path="hr", readers=("unit:hr",)), AccessRule(path="hr/open", readers=("everyone",)))
    assert permitting.rule_for("hr/pay.md", rules) == rules[1]
    assert permitting.rule_for("hr/open/leave.md", rules) == rules[2]
    assert permitting.rule_for("hrx/pay.md", rules) == rules[0]
    assert permitting.rule_for("hr", rules[1:]) == rules[1]
    assert permitting.rule_for("other.md", rules[1:]) is None


@pytest.mark.parametrize("readers", [("anyone",), ("group:",), ("unit: x",), ("person:a:b",), ("everyone ",)])
def test_a_reader_that_means_nothing_is_refused(readers: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        permitting.check((AccessRule(readers=readers),))


def test_a_person_without_a_unit_is_not_a_reader_of_the_nameless_unit(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault code is kept by the branch manager.")
    library.define(AccessRule(readers=("unit:x",)))
    library.ingest()
    assert library.ask("vault code", reader_named("nobody", unit="")).readable == 0


def test_only_readers_find_a_passage_and_the_index_never_sees_the_others_sets(library: Library) -> None:
    library.write("board/paper.md", "# Paper\n\nTwelve branches close in spring.")
    library.write("open.md", "# Open\n\nAll branches close at five.")
    library.define(EVERYONE, BOARD)
    library.ingest()
    assert library.paths("branches close", BEA) == {"board/paper.md", "open.md"}
    assert library.paths("branches close", BOB) == {"open.md"}
    assert len(library.lexical.asked[-1]) == 1
    assert library.ask("branches close", BOB).label == "internal"
    assert library.ask("branches close", BEA).label == "restricted"


def test_a_rule_change_holds_at_the_next_query_in_both_directions(library: Library) -> None:
    library.write("paper.md", "# Paper\n\nTwelve branches close in spring.")
    library.define(AccessRule(readers=("group:board",)))
    library.ingest()
    assert library.paths("branches", BOB) == set()
    library.allow(EVERYONE)
    assert library.paths("branches", BOB) == {"paper.md"}
    library.allow(AccessRule(path="paper.md", readers=("group:board",)), EVERYONE)
    assert library.paths("branches", BOB) == set()
    assert library.paths("branches", BEA) == {"paper.md"}
    library.allow()
    assert library.paths("branches", BEA) == set()


def test_an_older_version_follows_the_rules_of_today(library: Library) -> None:
    library.write("board/paper.md", "# Paper\n\nTwelve branches close in spring.")
    library.define(EVERYONE)
    library.ingest()
    old = library.ask("branches", BOB).passages[0]
    library.write("board/paper.md", "# Paper\n\nNine branches close in autumn.")
    library.ingest()
    library.allow(EVERYONE, BOARD)
    assert library.run(library.knowledge.passages_for(BOB, [old.id])) == ()
    with pytest.raises(Missing):
        library.run(library.knowledge.document(BOB, DocumentRef(document_id=old.document_id)))
    assert library.run(library.knowledge.passages_for(BEA, [old.id]))[0].text == old.text


def test_a_removed_file_follows_the_rules_of_today(library: Library) -> None:
    path = library.write("board/paper.md", "# Paper\n\nTwelve branches close in spring.")
    library.define(EVERYONE)
    library.ingest()
    old = library.ask("branches", BOB).passages[0]
    path.unlink()
    library.ingest()
    library.allow(EVERYONE, BOARD)
    assert library.run(library.knowledge.passages_for(BOB, [old.id])) == ()


def test_lists_and_findings_tell_nothing_about_what_one_may_not_read(library: Library) -> None:
    library.write("board/paper.md", "# Paper\n\nTwelve branches close in spring.")
    library.write("board/copy.md", "# Paper\n\nTwelve branches close in spring.")
    library.define(EVERYONE, BOARD)
    library.ingest()
    assert library.run(library.knowledge.list_documents(BOB, DocumentQuery())) == ()
    assert len(library.run(library.knowledge.list_documents(BEA, DocumentQuery()))) == 2
    assert library.run(library.knowledge.findings(BOB, NoFields())) == ()
    assert len(library.run(library.knowledge.findings(BEA, NoFields()))) == 1
    with pytest.raises(Denied):
        library.run(library.knowledge.quarantine(BOB, NoFields()))


def test_a_source_without_rules_is_its_owners_alone(library: Library) -> None:
    library.run(library.knowledge.define_source(library.ada, NewSource(name="docs", location=str(library.folder))))
    library.write("a.md", "# A\n\nThe vault code is kept by the branch manager.")
    library.ingest()
    assert library.paths("vault code") == {"a.md"}
    assert library.paths("vault code", BOB) == set()


def test_a_file_under_no_rule_is_kept_out(library: Library) -> None:
    library.define(BOARD)
    library.write("elsewhere/a.md", "# A\n\nThe vault code.")
    report = library.ingest()
    assert [q.code for q in report.quarantined] == ["no-access-rule"]
    assert library.count("passage") == 0


def test_only_who_defines_knowledge_changes_rules(library: Library) -> None:
    library.define(EVERYONE)
    with pytest.raises(Denied):
        library.run(library.knowledge.set_access(BOB, AccessChange(source="docs", rules=(EVERYONE,))))
    with pytest.raises(Missing):
        library.run(library.knowledge.set_access(library.ada, AccessChange(source="nothing", rules=(EVERYONE,))))


def test_passages_by_id_need_the_same_right(library: Library) -> None:
    library.write("board/paper.md", "# Paper\n\nTwelve branches close in spring.")
    library.define(EVERYONE, BOARD)
    library.ingest()
    seen = library.ask("branches", BEA).passages[0].id
    assert library.run(library.knowledge.passages_for(BOB, [seen, PassageId("psg_none")])) == ()


def test_defining_a_source_again_with_other_rules_holds_at_the_next_query(library: Library) -> None:
    library.write("board/paper.md", "# Paper\n\nTwelve branches close in spring.")
    library.define(BOARD)
    library.ingest()
    library.define(EVERYONE)
    assert library.paths("branches", BOB) == {"board/paper.md"}


def test_what_one_person_may_read_is_not_remembered_for_another_of_the_same_unit(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault code is kept by the branch manager.")
    library.define(AccessRule(readers=("person:pia",)))
    library.ingest()
    assert library.paths("vault code", reader_named("pia")) == {"a.md"}
    assert library.ask("vault code", reader_named("pit")).readable == 0


def test_an_index_that_lags_behind_serves_no_old_version(library: Library) -> None:
    library.write("a.md", "# A\n\nThe vault opens at nine.")
    library.define(EVERYONE)
    library.ingest()
    elsewhere = library.opened(lexical=MemoryIndex(), dense=MemoryIndex())
    library.write("a.md", "# A\n\nThe vault opens at ten.")
    library.run(elsewhere.ingest(library.ada, IngestRequest(path=str(library.folder), source="docs")))
    assert library.ask("vault").passages == ()
    library.run(library.knowledge.start())
    assert [p.text for p in library.ask("vault").passages] == ["The vault opens at ten."]
