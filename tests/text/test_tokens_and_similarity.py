"""Words, stems, fingerprints and overlap: what layout must not change, and what it must."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.text.similarity import fingerprint, jaccard, shingles
from pilothouse.text.tokens import STOPWORDS, content_words, stem, words


@pytest.mark.parametrize(("text", "expected"), [
    ("The bank’s fee_table, 2026!", ["the", "bank's", "fee", "table", "2026"]),
    ("Größe und Übertrag", ["größe", "und", "übertrag"]),
    ("राम की शाखा", ["राम", "की", "शाखा"]),
    ("", []), ("—…", []), ("half \ud800 character", ["half", "character"]),
])
def test_words_are_lower_cased_and_of_any_script(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text(st.characters(codec="ascii")))
def test_the_fast_path_for_ascii_finds_the_same_words_as_the_general_one(text: str) -> None:
    assert words(text) == words(text + " ß")[:-1]


@pytest.mark.parametrize("family", [
    ("approve", "approves", "approved", "approving"), ("account", "accounts", "account's"),
    ("policy", "policies"), ("transfer", "transfers", "transferred", "transferring"), ("branch", "branches"),
    ("close", "closed", "closing", "closes"), ("pay", "paying", "pays"), ("fee", "fees"),
])
def test_inflections_of_a_word_share_one_stem(family: tuple[str, ...]) -> None:
    assert len({stem(word) for word in family}) == 1, {word: stem(word) for word in family}


@pytest.mark.parametrize(("one", "other"), [
    ("card", "care"), ("loan", "lean"), ("branch", "brand"), ("interest", "interior"),
    ("business", "busy"), ("status", "state"),
])
def test_different_words_keep_different_stems(one: str, other: str) -> None:
    assert stem(one) != stem(other)


@given(st.text(min_size=1))
def test_a_stem_is_never_empty_nor_longer_than_its_word(text: str) -> None:
    for word in words(text):
        assert 0 < len(stem(word)) <= len(word)


def test_content_words_leave_out_stopwords_and_keep_order() -> None:
    assert content_words("Which of the fees are for transfers?") == [stem("fee"), stem("transfer")]
    assert not STOPWORDS & set(content_words(" ".join(STOPWORDS)))


@given(st.lists(st.sampled_from(["Fee", "TABLE", "größe", "2026"]), min_size=1),
       st.sampled_from([" ", "\n", " \t ", "\u00a0"]))
def test_a_fingerprint_sees_words_and_order_but_no_layout_and_no_case(chosen: list[str], gap: str) -> None:
    assert fingerprint(gap.join(chosen)) == fingerprint(" ".join(chosen).lower())
    assert fingerprint(" ".join([*chosen, "more"])) != fingerprint(" ".join(chosen))


def test_word_order_changes_a_fingerprint() -> None:
    assert fingerprint("bank pays customer") != fingerprint("customer pays bank")


def test_shingles_are_runs_of_words_and_a_short_text_is_one() -> None:
    assert shingles("a b c d", size=3) == {"a b c", "b c d"}
    assert shingles("A b", size=3) == {"a b"}
    assert shingles("!", size=3) == frozenset()


SETS = st.frozensets(st.integers(0, 9).map(str))


@given(SETS, SETS)
def test_jaccard_is_symmetric_between_0_and_1_and_1_only_for_equal_sets(one: frozenset[str], other: frozenset[str]
                                                                        ) -> None:
    assert jaccard(one, other) == jaccard(other, one)
    assert 0.0 <= jaccard(one, other) <= 1.0
    assert (jaccard(one, other) == 1.0) == (one == other and bool(one))
