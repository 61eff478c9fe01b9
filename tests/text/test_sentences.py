"""Sentences: where they end in English, German, French and Hindi, and what never changes."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pilothouse.text.sentences import sentences


def split(text: str) -> list[str]:
    return [span.of(text) for span in sentences(text)]


@pytest.mark.parametrize("text", [
    "Mr. Lindt of Acme Inc. paid $3.50 a month.",
    "See No. 5 of U.S. law, e.g. in section 4.2 of it.",
    "Am 12. März kam z. B. Herr Dr. Weber nach Hause.",
    "M. Dupont est parti.",
    "J. R. Hartley wrote it.",
    "\"Stop!\" he said.",
    "Wait... there is more.",
    "One sentence that is\nwrapped over two lines.",
    "The rate is 3.75 per cent.",
])
def test_a_full_stop_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert split(text) == [text]


@pytest.mark.parametrize(("text", "parts"), [
    ("It closed. Nobody came.", ["It closed.", "Nobody came."]),
    ("Really? yes! Good.", ["Really?", "yes!", "Good."]),
    ("It ended in 2026. Nobody came.", ["It ended in 2026.", "Nobody came."]),
    ("He left at 5 p.m. She stayed.", ["He left at 5 p.m.", "She stayed."]),
    ("He said \"no.\" She left.", ["He said \"no.\"", "She left."]),
    ("Das gilt ab 1. Januar 2026. Danach nicht.", ["Das gilt ab 1. Januar 2026.", "Danach nicht."]),
    ("यह पहला वाक्य है। यह दूसरा है।", ["यह पहला वाक्य है।", "यह दूसरा है।"]),
    ("# Fees\nThere are none. Ask us.", ["# Fees", "There are none.", "Ask us."]),
    ("Text\n## Fees v. charges. More\nNone.", ["Text", "## Fees v. charges. More", "None."]),
    ("- one\n- two\n  wrapped\n1. three\n2. four", ["- one", "- two\n  wrapped", "1. three", "2. four"]),
    ("A heading\n\nThen the text.", ["A heading", "Then the text."]),
    ("fee\t3 EUR\tper month", ["fee", "3 EUR", "per month"]),
    ("", []), (" \n\t ", []),
])
def test_sentences_end_where_a_reader_says_they_do(text: str, parts: list[str]) -> None:
    assert split(text) == parts


PIECES = st.sampled_from(["Mr.", "12.", "März", " ", "\n", "\n\n", "\t", "# ", "- ", "1. ", "...", "?!", "।", "\"", ")",
                          "word", "Word", "e.g.", "\u00a0", "\u2028", "\r\n", "<", "ß", "𝒜"])


@given(st.text() | st.lists(PIECES, max_size=40).map("".join))
@example("# \n#\n# x")
def test_spans_are_ordered_disjoint_inside_and_cover_every_character_that_is_not_space(text: str) -> None:
    at = 0
    for span in sentences(text):
        assert at <= span.start < span.end <= len(text)
        assert not text[at:span.start].strip()
        assert span.of(text) == span.of(text).strip()
        at = span.end
    assert not text[at:].strip()


@given(st.text())
def test_a_sentence_with_a_closed_end_stays_one_in_front_of_any_paragraph(text: str) -> None:
    assert split("It closed.\n\n" + text)[:1] == ["It closed."]


@pytest.mark.parametrize("unit", ["a 1. b ", "1. ", "\n", ". ", "\n \t", "# ", "((((", "...)", "\n#"])
def test_time_grows_with_the_text_and_not_with_its_square(unit: str) -> None:
    def seconds(repeats: int) -> float:
        text, best = unit * repeats, 9e9
        for _ in range(3):  # the quickest of three: other programs only ever add to it
            begun = time.process_time()
            sentences(text)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(40_000) < 60 * max(seconds(4_000), 0.002), "linear is 10 times, quadratic 100"
