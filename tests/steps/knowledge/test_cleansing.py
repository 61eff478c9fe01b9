"""Copies, near copies and outdated versions, found and said so that a content owner can act."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pilothouse.kernel.operation import NoFields
from pilothouse.steps.knowledge.contracts import AccessRule, DocumentId, Filed, Finding
from pilothouse.steps.knowledge.drivers.parsing import FileParser
from pilothouse.steps.knowledge.drivers.sketching import MinHashSketcher
from pilothouse.steps.knowledge.logic.cleansing import compare, plain_title
from pilothouse.testing.knowledge import Library

WORDS = "the clerk checks every document twice before an account may be opened for a customer of the bank ".split()


def prose(n: int) -> str:
    return " ".join(f"{WORDS[i % len(WORDS)]}{i // len(WORDS)}" for i in range(n))


def filed(path: str, *, title: str = "", mark: str = "", effective: str = "", version: str = "", supersedes: str = "",
          ) -> Filed:
    return Filed(id=DocumentId(f"doc_{path}"), path=path, title=title or path, fingerprint=mark or path,
                 effective_on=effective, declared_version=version, supersedes=supersedes)


def found(*documents: Filed, alike: Callable[[Filed], str] | None = None) -> list[tuple[str, str, str]]:
    pairs = [(a, b) for a in documents for b in documents if a.path < b.path] if alike else []
    return [(f.kind, f.path, f.other_path) for f in compare(documents, pairs, alike or (lambda d: ""))]


def findings(library: Library) -> tuple[Finding, ...]:
    return library.run(library.knowledge.findings(library.ada, NoFields()))


def test_a_copy_is_told_once_whatever_its_layout_and_the_one_that_lies_higher_is_kept(library: Library) -> None:
    library.write("desk/old/copy.md", "# Leave\n\nStaff have 30 days of leave.")
    library.write("leave.md", "# Leave\n\nStaff   have 30 days\nof leave.")
    library.define()
    library.ingest()
    (only,) = findings(library)
    assert (only.kind, only.path, only.other_path, only.share) == ("exact duplicate", "leave.md", "desk/old/copy.md", 1)
    (library.folder / "desk/old/copy.md").unlink()
    library.ingest()
    assert findings(library) == ()


def test_a_near_copy_is_found_and_its_share_is_that_of_the_texts(library: Library) -> None:
    text = prose(400)
    library.write("a.md", f"# One\n\n{text}")
    library.write("b.md", f"# Two\n\n{text[:-300]} and here the second one goes on in its own words entirely")
    library.write("c.md", "# Three\n\nNothing of the kind is said in this one, which is about parking.")
    library.define()
    library.ingest()
    (only,) = findings(library)
    assert only.kind == "near duplicate"
    assert 0.7 < only.share < 0.95
    assert f"{only.share:.0%}" in only.says


def test_the_same_rule_with_another_figure_is_a_near_copy_and_never_a_copy(library: Library) -> None:
    library.write("a.md", f"# One\n\n{prose(100)} The limit is 5000 EUR. {prose(100)}")
    library.write("b.md", f"# Two\n\n{prose(100)} The limit is 9000 EUR. {prose(100)}")
    library.define()
    library.ingest()
    assert [f.kind for f in findings(library)] == ["near duplicate"]


def test_of_two_dated_versions_the_older_is_outdated_and_that_is_all_that_is_said(library: Library) -> None:
    library.write("travel.md", f"Version: 6\nEffective: 2026-01-01\n\n# Travel Policy\n\n{prose(200)} new")
    library.write("archive/travel-2024.md",
                  f"Version: 5\nEffective: 2024-01-01\n\n# Travel Policy 2024\n\n{prose(200)}")
    library.define()
    library.ingest()
    (only,) = findings(library)
    assert (only.kind, only.path, only.other_path) == ("outdated version", "travel.md", "archive/travel-2024.md")
    assert "2026-01-01" in only.says


def test_versions_decide_where_dates_are_missing_and_are_compared_as_numbers() -> None:
    assert found(filed("a", title="Fees v9", version="9"), filed("b", title="Fees v10", version="10")) == [
        ("outdated version", "b", "a")]


def test_a_line_that_says_what_is_replaced_is_enough() -> None:
    assert found(filed("new", title="Leave and Absence", supersedes="Holiday Policy, version 3"),
                 filed("old", title="Holiday Policy", version="3")) == [("outdated version", "new", "old")]
    assert found(filed("new", title="Fees", supersedes="version 3 of 2020"),
                 filed("old", title="Fees", version="3")) == [("outdated version", "new", "old")]


@pytest.mark.parametrize(("one", "other"), [
    (filed("a", title="Leave", effective="2026-01-01"), filed("b", title="Leave Germany", effective="2024-01-01")),
    (filed("a", title="Leave", effective="2026-01-01"), filed("b", title="Leave", effective="2026-01-01")),
    (filed("a", title="Leave"), filed("b", title="Leave")),
    (filed("a", title="2024", effective="2026-01-01"), filed("b", title="2023", effective="2024-01-01", mark="x")),
])
def test_what_is_not_known_to_be_older_is_not_called_outdated(one: Filed, other: Filed) -> None:
    assert found(one, other) == []


def test_titles_meet_without_their_version_words() -> None:
    assert len({plain_title(t) for t in ("Travel Policy", "Travel Policy 2024", "TRAVEL POLICY (v2.1)",
                                         "Travel Policy - archived", "Travel Policy, version 3")}) == 1


def test_two_empty_titles_are_not_one_title() -> None:
    assert found(filed("a", title="2024", version="2"), filed("b", title="2023", version="1")) == []


def test_a_thousand_copies_are_a_thousand_findings_and_not_half_a_million() -> None:
    documents = [filed(f"{n:04}", mark="same", title=f"T{n}x") for n in range(1001)]
    assert len(compare(documents, [], lambda d: "")) == 1000


def test_sketches_meet_for_near_copies_and_not_for_strangers() -> None:
    sketcher = MinHashSketcher()
    sketches = {"a": sketcher.sketch(prose(300)), "b": sketcher.sketch(prose(280)),
                "c": sketcher.sketch(" ".join(f"w{n}" for n in range(300)))}
    assert list(sketcher.alike(sketches)) == [("a", "b")]


def test_the_demo_banks_planted_flaws_are_found_and_little_else(library: Library) -> None:
    bank = Path(__file__).parents[3] / "src/pilothouse/app/demo/documents"
    library.knowledge = library.opened(parser=FileParser())
    for path in bank.rglob("*.*"):
        if path.name != "manifest.yaml":
            library.write(path.relative_to(bank).as_posix(), path.read_bytes())
    library.define(AccessRule(readers=("everyone",)))
    report = library.ingest()
    assert report.quarantined == ()
    told = {(f.kind, f.other_path) for f in findings(library)} | {(f.kind, f.path) for f in findings(library)}
    assert {("exact duplicate", "operations/branch-desk/home-loan-sheet-copy.html"),
            ("exact duplicate", "operations/shared-drive/complaints-handling-FINAL-2.md"),
            ("outdated version", "everyone/archive/data-retention-policy-2023.md"),
            ("outdated version", "everyone/archive/travel-and-expenses-policy-2024.md"),
            ("outdated version", "payments/archive/payment-recall-procedure-2024.md"),
            ("near duplicate", "products/notice-savings-32-website.html")} <= told
    assert len(findings(library)) <= 9, [f.says for f in findings(library)]
