"""The contract of a passage index as checks that run on any driver."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pilothouse.steps.knowledge.ports import Indexed, PassageIndex, Scored
from pilothouse.testing.embedding import HashingEmbedder

ALL = frozenset(range(1, 9))
EMBEDDER = HashingEmbedder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """An index under test: `open` opens it again over the same files, as after a restart or a crash."""

    open: Callable[[], PassageIndex]
    dense: bool


Check = Callable[[Shelf], None]


def passage(row: int, body: str, *, access: int = 1, source: int = 1, title: str = "Savings", heading: str = ""
            ) -> Indexed:
    """Return a passage that says `body`."""
    return Indexed(row=row, access=access, source=source, title=title, heading=heading, body=body)


def add(index: PassageIndex, shelf: Shelf, *passages: Indexed) -> None:
    """Add passages, with vectors where the index wants them."""
    index.add(passages, EMBEDDER.embed([p.body for p in passages]) if shelf.dense else None)


def filled(shelf: Shelf, *passages: Indexed, mark: str = "1") -> PassageIndex:
    """Open an index and flush these passages into it."""
    index = shelf.open()
    add(index, shelf, *passages)
    index.flush(mark)
    return index


def ask(index: PassageIndex, shelf: Shelf, text: str, *, access: Iterable[int] = ALL,
        sources: Iterable[int] | None = None, limit: int = 10) -> Sequence[Scored]:
    """Search by text, and by its vector where the index wants one."""
    return index.search(text, EMBEDDER.embed([text]) if shelf.dense else None, access=frozenset(access),
                        sources=None if sources is None else frozenset(sources), limit=limit)


def rows(found: Sequence[Scored]) -> list[int]:
    return [s.row for s in found]


NOTICE, FEES, HOURS = (passage(1, "The notice period is 32 days"), passage(2, "The notice costs a fee of 12 EUR"),
                       passage(3, "Branches open at nine on weekdays"))


def the_best_row_comes_first_and_scores_fall(shelf: Shelf) -> None:
    found = ask(filled(shelf, NOTICE, FEES, HOURS), shelf, "notice period in days")
    assert rows(found)[0] == 1
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)


def the_limit_cuts_the_ranking_and_changes_nothing_in_it(shelf: Shelf) -> None:
    index = filled(shelf, *(passage(n, f"notice {'period ' * (n % 5)}{n}") for n in range(1, 40)))
    whole = ask(index, shelf, "notice period", limit=50)
    assert len(whole) == 39
    assert list(ask(index, shelf, "notice period", limit=7)) == list(whole[:7])


def ties_are_decided_by_row(shelf: Shelf) -> None:
    index = filled(shelf, *(passage(n, "the same words") for n in (9, 4, 7, 2, 8)))
    assert rows(ask(index, shelf, "same words", limit=3)) == [2, 4, 7]


def only_given_access_sets_are_ranked(shelf: Shelf) -> None:
    index = filled(shelf, NOTICE, replace(NOTICE, row=2, access=2), replace(NOTICE, row=3, access=3))
    assert rows(ask(index, shelf, "notice", access={2})) == [2]
    assert rows(ask(index, shelf, "notice", access={1, 3})) == [1, 3]
    assert rows(ask(index, shelf, "notice", access={7, 2_000_000})) == []
    assert rows(ask(index, shelf, "notice", access=())) == []


def only_given_sources_are_ranked(shelf: Shelf) -> None:
    index = filled(shelf, NOTICE, replace(NOTICE, row=2, source=2))
    assert rows(ask(index, shelf, "notice", sources={2})) == [2]
    assert rows(ask(index, shelf, "notice", sources=())) == []
    assert rows(ask(index, shelf, "notice", access={1}, sources=None)) == [1, 2]


def a_filter_leaves_the_scores_as_they_are(shelf: Shelf) -> None:
    index = filled(shelf, NOTICE, replace(FEES, access=2), replace(HOURS, access=3))
    free = {s.row: s.score for s in ask(index, shelf, "notice period")}
    for s in ask(index, shelf, "notice period", access={1}, sources={1}):
        assert abs(s.score - free[s.row]) < 1e-5


def a_row_added_again_is_replaced(shelf: Shelf) -> None:
    index = filled(shelf, NOTICE, HOURS)
    add(index, shelf, replace(NOTICE, body="Cards are blocked by phone", access=2))
    index.flush("2")
    assert rows(ask(index, shelf, "cards blocked", access={2})) == [1]
    assert 1 not in rows(ask(index, shelf, "notice", access={1}))


def a_removed_row_is_gone_and_may_come_back(shelf: Shelf) -> None:
    index = filled(shelf, NOTICE, FEES)
    index.remove([1, 99])
    index.flush("2")
    assert rows(ask(index, shelf, "notice")) == [2]
    assert list(index.retag([NOTICE])) == [NOTICE], "a row that is gone must be added, not retagged"
    add(index, shelf, NOTICE)
    index.flush("3")
    assert sorted(rows(ask(index, shelf, "notice"))) == [1, 2]


def a_retag_moves_rows_to_their_new_access_set(shelf: Shelf) -> None:
    index = filled(shelf, NOTICE, FEES)
    moved = [replace(NOTICE, access=5, source=2), replace(HOURS, access=5)]
    missing = index.retag(moved)
    assert moved[1] in missing
    add(index, shelf, *missing)
    index.flush("2")
    assert sorted(rows(ask(index, shelf, "notice days branches open", access={5}))) == [1, 3]
    assert rows(ask(index, shelf, "notice", access={1}, sources={1})) == [2]
    assert rows(ask(index, shelf, "notice", access={5}, sources={2})) == [1]


def rows_and_mark_survive_a_restart(shelf: Shelf) -> None:
    assert shelf.open().mark == ""
    before = ask(filled(shelf, NOTICE, FEES, HOURS, mark="42"), shelf, "notice period")
    again = shelf.open()
    assert again.mark == "42"
    assert list(ask(again, shelf, "notice period")) == list(before)


def what_was_not_flushed_is_lost_in_a_crash_and_the_mark_says_so(shelf: Shelf) -> None:
    index = filled(shelf, NOTICE, mark="7")
    add(index, shelf, HOURS, *(passage(n, f"branch number {n}") for n in range(10, 3000)))
    del index
    again = shelf.open()
    assert again.mark == "7"
    assert rows(ask(again, shelf, "notice branches")) == [1]
    add(again, shelf, HOURS)
    again.flush("8")
    assert rows(ask(again, shelf, "notice branches open weekdays"))[0] == 3


def replaying_a_change_is_the_same_as_once(shelf: Shelf) -> None:
    index = filled(shelf, NOTICE, FEES)
    before = list(ask(index, shelf, "notice"))
    for _ in range(2):
        index.remove([3])
        add(index, shelf, *index.retag([NOTICE, FEES]))
        index.flush("2")
    assert list(ask(index, shelf, "notice")) == before


def purge_leaves_nothing_and_the_index_goes_on(shelf: Shelf) -> None:
    index = filled(shelf, NOTICE)
    index.purge()
    assert index.mark == ""
    assert rows(ask(index, shelf, "notice")) == []
    assert shelf.open().mark == ""
    add(index, shelf, FEES)
    index.flush("9")
    assert rows(ask(shelf.open(), shelf, "notice")) == [2]


def a_purge_forgets_what_was_waiting(shelf: Shelf) -> None:
    index = filled(shelf, NOTICE)
    add(index, shelf, FEES)
    index.purge()
    index.flush("1")
    assert rows(ask(index, shelf, "notice")) == []


def an_empty_index_answers_nothing(shelf: Shelf) -> None:
    assert rows(ask(shelf.open(), shelf, "notice")) == []


CHECKS: tuple[Check, ...] = (
    the_best_row_comes_first_and_scores_fall, the_limit_cuts_the_ranking_and_changes_nothing_in_it,
    ties_are_decided_by_row, only_given_access_sets_are_ranked, only_given_sources_are_ranked,
    a_filter_leaves_the_scores_as_they_are, a_row_added_again_is_replaced, a_removed_row_is_gone_and_may_come_back,
    a_retag_moves_rows_to_their_new_access_set, rows_and_mark_survive_a_restart,
    what_was_not_flushed_is_lost_in_a_crash_and_the_mark_says_so, replaying_a_change_is_the_same_as_once,
    purge_leaves_nothing_and_the_index_goes_on, a_purge_forgets_what_was_waiting, an_empty_index_answers_nothing,
)
