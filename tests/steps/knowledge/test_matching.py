"""Questions that name documents: by name, by period, by the latest of them; filtered before anything is chosen."""

from dataclasses import replace
from pathlib import Path

import pytest

from pilothouse.steps.knowledge.contracts import AccessRule
from pilothouse.steps.knowledge.contracts.matching import Card, Held
from pilothouse.steps.knowledge.drivers.exact_vectors import ExactVectors
from pilothouse.steps.knowledge.drivers.tantivy_cards import TantivyCards
from pilothouse.steps.knowledge.drivers.tantivy_index import TantivyIndex
from pilothouse.steps.knowledge.logic import matching, ranking
from pilothouse.testing.knowledge import DIMENSIONS, Library, reader_named

EVERYONE = AccessRule(readers=("everyone",))
ALL = frozenset(range(1, 9))


@pytest.mark.parametrize(("question", "mentions", "periods"), [
    ("How did Harbour Bank's fees change in Q1 2023?", {("harbour", "bank")}, {"2023q1"}),
    ("what was paid in the third quarter of fiscal year 2022", set(), {"2022q3"}),
    ("Fees of 2Q2024 against 2021", {("fees",)}, {"2024q2", "2021"}),
    ("what is the cut-off on 24 December 2026?", set(), set()),
    ("what is the fee", set(), set()),
])
def test_a_question_says_which_names_and_periods_it_is_about(question: str, mentions: set[tuple[str, ...]],
                                                              periods: set[str]) -> None:
    said = matching.wanted(question)
    assert (set(said.mentions), said.periods) == (mentions, periods)


def test_the_latest_is_not_meant_where_it_is_compared_with_earlier_ones() -> None:
    assert matching.wanted("What does the latest Harbour report say?").latest
    compared = matching.wanted("How does the latest Harbour report compare to previous ones?")
    assert not compared.latest
    assert compared.spread


def test_a_document_goes_by_its_title_its_path_and_the_names_in_its_passages() -> None:
    names = matching.names_of("Annual figures", "reports/2023 Q1 HBK.pdf",
                              ["The bank, Harbour Bank, grew.", "Rates fell. In May Harbour gained."])
    assert names[:5] == ("reports", "hbk", "annual", "figures", "harbour")
    assert not {"the", "may"} & set(names)
    assert "rates" not in names  # it begins a sentence
    assert matching.periods_of("Annual figures", "reports/2023_Q1_HBK.pdf") == {"2023q1", "2023"}
    assert matching.day_of({"2023q3", "2023"}, "2020-01-01") == "2023-07-01"
    assert matching.day_of((), "2020-01-01") == "2020-01-01"


def test_a_name_that_most_documents_share_tells_none_apart() -> None:
    weights = matching.weights((("harbour", "bank"), ("form",)), {"harbour": 2, "bank": 9, "form": 10}, 10)
    assert set(weights) == {"harbour"}


def test_a_question_that_fits_too_many_documents_is_about_none() -> None:
    fits = [Held(first_row=n, last_row=n, day="", weight=1.0) for n in range(matching.DOCUMENTS_MAX + 1)]
    assert matching.chosen(fits, latest=False) == ()
    assert len(matching.chosen(fits[1:], latest=False)) == matching.DOCUMENTS_MAX


def test_a_part_is_scaled_by_itself_so_that_the_best_of_each_stand_beside_each_other() -> None:
    everywhere = ranking.blend([(1, 9.0), (2, 5.0), (7, 1.0)], [])
    one, other = ranking.blend([(1, 9.0), (2, 8.9)], []), ranking.blend([(7, 1.0)], [])
    assert [row for row, _ in ranking.ordered(everywhere, [one, other])] == [1, 7, 2]
    assert ranking.ordered({}, []) == ()


def card(row: int, name: str, period: str = "2023", access: int = 1, source: int = 1) -> Card:
    return Card(first_row=row, last_row=row + 1, access=access, source=source, names=(name,),
                periods=frozenset({period}), day=f"{period}-01-01")


def test_cards_are_found_only_among_those_permitted_and_gone_once_removed(tmp_path: Path) -> None:
    cards = TantivyCards(tmp_path / "cards")
    assert cards.mark == ""
    cards.add([card(1, "harbour"), card(3, "harbour", access=2), card(5, "harbour", source=2), card(7, "other")])
    cards.flush("4")

    def found(**narrowed: frozenset[int]) -> set[int]:
        asked = {"access": ALL, "sources": None, **narrowed}
        return {h.first_row for h in cards.find({"harbour": 1.0}, frozenset(), limit=9, **asked)}  # type: ignore[arg-type]

    assert found() == {1, 3, 5}
    assert found(access=frozenset({2})) == {3}
    assert found(access=frozenset()) == set()
    assert found(sources=frozenset({2})) == {5}
    assert found(sources=frozenset()) == set()
    assert cards.find({}, frozenset({"2023"}), access=ALL, sources=None, limit=9)[0].weight == 0
    assert cards.frequency(["harbour", "nowhere"]) == ({"harbour": 3, "nowhere": 0}, 4)
    cards.add([replace(card(1, "harbour"), names=("haven",))])
    cards.remove([3])
    cards.flush("6")
    again = TantivyCards(tmp_path / "cards")
    assert again.mark == "6"
    assert {h.first_row for h in again.find({"harbour": 1.0}, frozenset(), access=ALL, sources=None, limit=9)} == {5}
    again.purge()
    assert (again.mark, again.frequency(["haven"])) == ("", ({"haven": 0}, 0))


@pytest.fixture
def reports(library: Library) -> Library:
    """Two companies with three quarters each, whose reports read alike."""
    library.knowledge = library.opened(
        lexical=TantivyIndex(library.home / "lexical"), dense=ExactVectors(library.home / "dense", DIMENSIONS),
        catalogue=TantivyCards(library.home / "cards"))
    for company, code in (("Harbour", "HBK"), ("Castle", "CSL")):
        for sales, quarter in ((31, "2022 Q4"), (47, "2023 Q1"), (58, "2023 Q2")):
            parts = (f"## Part {n}\n\nNet sales of the group, {company}, were {sales + n} million." for n in range(4))
            library.write(f"{code.lower()}/{quarter} {code}.md", "# Report\n\n" + "\n\n".join(parts))
    library.define(EVERYONE)
    library.ingest()
    return library


def test_a_question_that_names_a_company_and_a_quarter_finds_that_report_first(reports: Library) -> None:
    found = reports.ask("How did the net sales of Castle grow in the first quarter of 2023?").passages
    assert found[0].path == "csl/2023 Q1 CSL.md"
    assert reports.ask("Net sales in the latest report of Harbour").passages[0].path == "hbk/2023 Q2 HBK.md"


def test_a_question_over_time_gathers_from_every_report_it_names(reports: Library) -> None:
    found = reports.ask("How have the net sales of Harbour changed over time?", limit=5).passages
    assert {p.path for p in found} == {f"hbk/{q} HBK.md" for q in ("2022 Q4", "2023 Q1", "2023 Q2")}


def test_what_a_question_names_but_its_asker_may_not_read_stays_unseen(reports: Library) -> None:
    reports.allow(AccessRule(path="hbk", readers=("group:board",)), AccessRule(path="csl", readers=("everyone",)))
    eve = reader_named("eve")
    found = reports.paths("Net sales of Harbour in Q1 2023", eve, limit=20)
    assert found
    assert all(path.startswith("csl/") for path in found)


def test_a_removed_report_is_named_no_more_and_erasing_empties_the_cards(reports: Library) -> None:
    (reports.folder / "csl/2023 Q1 CSL.md").unlink()
    reports.ingest()
    assert "csl/2023 Q1 CSL.md" not in reports.paths("Net sales of Castle in Q1 2023", limit=20)
    asked = "Net sales of Castle in Q4 2022"
    assert reports.ask(asked).passages[0].path == "csl/2022 Q4 CSL.md"
    reports.run(reports.knowledge.start())
    assert reports.ask(asked).passages[0].path == "csl/2022 Q4 CSL.md"
