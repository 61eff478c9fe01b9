"""Cutting documents into passages: by structure, at sentences, and always the same way."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.steps.knowledge.contracts import Block, Parsed
from pilothouse.steps.knowledge.logic.chunking import WORDS_MAX, chunk, extracted, size

SENTENCE = "The clerk checks every document before the account is opened. "


def parsed(*blocks: Block) -> Parsed:
    return Parsed(title="T", blocks=blocks, media_type="text/plain")


def heading(text: str, level: int) -> Block:
    return Block(text=text, kind="heading", level=level)


def test_a_passage_knows_every_heading_above_it_and_no_other() -> None:
    cut = chunk(parsed(heading("Policy", 1), heading("Scope", 2), Block(text="All staff."), heading("Detail", 3),
                       Block(text="Also guests."), heading("Fees", 2), Block(text="None.")))
    assert [p.heading for p in cut] == [("Policy", "Scope"), ("Policy", "Scope", "Detail"), ("Policy", "Fees")]


def test_short_neighbours_under_one_heading_become_one_passage() -> None:
    cut = chunk(parsed(heading("Scope", 1), Block(text="All staff."), Block(text="And guests.", kind="item")))
    assert [p.text for p in cut] == ["All staff.\n\nAnd guests."]


def test_pages_are_never_joined_so_that_a_citation_names_the_right_one() -> None:
    cut = chunk(parsed(Block(text="One.", page=1), Block(text="Two.", page=2)))
    assert [(p.text, p.page) for p in cut] == [("One.", 1), ("Two.", 2)]


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    cut = chunk(parsed(Block(text=SENTENCE * 60)))
    assert len(cut) > 3
    assert all(p.text.endswith("opened.") and p.text.startswith("The clerk") for p in cut)
    assert all(size(p.text) <= WORDS_MAX for p in cut)


def test_a_table_is_cut_between_rows() -> None:
    rows = "\n".join(f"| Branch {i} | opens at nine and closes at five |" for i in range(200))
    cut = chunk(parsed(Block(text=rows, kind="table")))
    assert len(cut) > 5
    assert all(line.endswith("|") and line.startswith("|") for p in cut for line in p.text.splitlines())


def test_a_megabyte_without_a_blank_is_still_cut() -> None:
    cut = chunk(parsed(Block(text="x" * 1_000_000)))
    assert all(size(p.text) <= WORDS_MAX for p in cut)
    assert sum(len(p.text) for p in cut) == 1_000_000


def test_headings_alone_make_no_passage() -> None:
    assert chunk(parsed(heading("A", 1), heading("B", 2))) == ()


blocks = st.lists(st.one_of(
    st.builds(Block, text=st.text(alphabet=st.sampled_from("ab. \n|éж語"), max_size=400),
              page=st.sampled_from([None, 1, 2])),
    st.builds(Block, text=st.text(min_size=1, max_size=20), kind=st.just("heading"), level=st.integers(1, 4)),
    st.builds(Block, text=st.just(SENTENCE * 30))), max_size=8)


@given(blocks)
def test_every_word_lies_in_exactly_one_passage_at_its_span(some: list[Block]) -> None:
    document = parsed(*some)
    text, cut = extracted(document), chunk(document)
    assert "".join("".join(p.text.split()) for p in cut) == "".join(
        "".join(b.text.split()) for b in some if b.kind != "heading")
    assert all(text[p.start:p.end].split() == p.text.split() for p in cut)
    assert all(one.end <= other.start for one, other in pairwise(cut))
    assert all(size(p.text) <= WORDS_MAX for p in cut)
    assert chunk(document) == cut
