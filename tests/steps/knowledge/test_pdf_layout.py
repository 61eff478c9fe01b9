"""What a PDF page says and in which order: tables row by row, columns one after the other, words mended."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothouse.steps.knowledge.contracts import Parsed
from pilothouse.steps.knowledge.drivers.parsing import FileParser
from pilothouse.steps.knowledge.logic.chunking import chunk
from pilothouse.testing.papers import both, paper, prose, table

PARSER = FileParser()
KEPT = [["Record class", "Kept for", "Clock starts"], ["Call recordings", "13 months", "end of the call"],
        ["Payment files", "10 years", "end of the\nbusiness year"], ["Applicants", "6 months", "refusal"]]


def rows_of(parsed: Parsed) -> list[str]:
    return [b.text for b in parsed.blocks if b.kind == "table"]


@pytest.mark.parametrize("framed", [True, False], ids=["framed", "aligned"])
def test_a_row_of_a_table_can_be_quoted_alone(framed: bool) -> None:
    page = both(prose(["How long records are kept, and from when."], top=740),
                table(KEPT, widths=(150, 120, 150), framed=framed), prose(["Ask Records where in doubt."], top=560))
    parsed = PARSER.parse("a.pdf", paper(page))
    assert rows_of(parsed) == [
        "Record class: Call recordings; Kept for: 13 months; Clock starts: end of the call",
        "Record class: Payment files; Kept for: 10 years; Clock starts: end of the business year",
        "Record class: Applicants; Kept for: 6 months; Clock starts: refusal"]
    assert [b.text for b in parsed.blocks if b.kind == "paragraph"] == [
        "How long records are kept, and from when.", "Ask Records where in doubt."]
    assert {b.page for b in parsed.blocks} == {1}


def test_amounts_are_named_by_the_headings_above_them_and_by_their_group() -> None:
    def page(canvas: Any) -> None:
        canvas.drawCentredString(400, 760, "Three Months Ended")
        for n, (left, one, other) in enumerate((
                ("", "March 2026", "March 2025"), ("Net sales:", "", ""), ("  Products", "$ 96,388", "$ 104,429"),
                ("  Services", "20,766", "19,516"), ("Operating income", "(393)", "36,016"))):
            canvas.drawString(60 + 8 * left.startswith("  "), 745 - 14 * n, left.strip())
            canvas.drawRightString(380, 745 - 14 * n, one)
            canvas.drawRightString(480, 745 - 14 * n, other)

    assert rows_of(PARSER.parse("a.pdf", paper(page))) == [
        "Net sales: Products; Three Months Ended March 2026: $ 96,388; Three Months Ended March 2025: $ 104,429",
        "Net sales: Services; Three Months Ended March 2026: 20,766; Three Months Ended March 2025: 19,516",
        "Operating income; Three Months Ended March 2026: (393); Three Months Ended March 2025: 36,016"]


LEFT = ["The first column begins with the rules for travel", "inside the country, which need no approval as",
        "long as they cost less than four hundred euros,", "and with the rules for trips abroad, which are",
        "approved by the head of the unit in advance. A", "trip that was not approved is not paid for, save",
        "in an emergency that was reported on that day."]
RIGHT = ["The second column says which receipts are asked", "for: one for each item above fifteen euros, and",
         "none below. Claims come within thirty days after", "the trip, and later ones are refused. What is in",
         "another currency is converted at the rate of the", "day on which it was paid, as printed on the card",
         "statement, or else at the reference rate of it."]


@pytest.mark.parametrize("shift", [0, 5], ids=["same lines", "staggered lines"])
def test_columns_of_prose_are_read_one_after_the_other(shift: float) -> None:
    page = both(prose(["A heading that runs across both of the columns and is therefore long enough to do so here"],
                      left=60, top=800),
                prose(LEFT, left=60, top=760), prose(RIGHT, left=320, top=760 - shift),
                prose(["A last line below both columns, which crosses the gutter between them for certain, as one"],
                      left=60, top=640))
    text = " ".join(b.text for b in PARSER.parse("a.pdf", paper(page)).blocks)
    assert " ".join(LEFT) in text
    assert " ".join(RIGHT) in text
    assert text.index(LEFT[-1]) < text.index(RIGHT[0])
    assert text.startswith("A heading")
    assert text.endswith("as one")


def test_a_word_that_a_line_end_broke_is_mended_and_a_compound_keeps_its_hyphen() -> None:
    lines = ["The regis-", "ter of long-term loans is kept; every long-", "term loan is in it for as long as it runs."]
    text = PARSER.parse("a.pdf", paper(prose(lines))).blocks[0].text
    assert text == ("The register of long-term loans is kept; every long-term loan is in it for as long as it runs.")


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_turned_page_is_read_as_it_is_shown(turned: int) -> None:
    def page(canvas: Any) -> None:  # drawn so that turning the page makes it upright
        canvas.translate(300, 420)
        canvas.rotate(turned)
        for n, line in enumerate(("First line of the page.", "Second line of the page.")):
            canvas.drawString(-100, 50 - 14 * n, line)

    text = " ".join(b.text for b in PARSER.parse("a.pdf", paper(page, turned=turned)).blocks)
    assert text == "First line of the page. Second line of the page."


def test_running_lines_are_dropped_on_left_and_right_pages_alike() -> None:
    pages = [both(prose([f"Larkenfeld Bank {'Handbook' if n % 2 else 'Rules'}"], top=820),
                  prose([f"What page {word} says is not on any other page."], top=700), prose([f"{n + 1}"], top=30))
             for n, word in enumerate("one two three four five six seven eight nine ten".split())]
    parsed = PARSER.parse("a.pdf", paper(*pages))
    assert [b.text for b in parsed.blocks] == [
        f"What page {word} says is not on any other page."
        for word in "one two three four five six seven eight nine ten".split()]


def test_a_passage_of_a_table_names_its_page() -> None:
    first = prose(["Nothing but text stands on this page, and it is the first."])
    pieces = chunk(PARSER.parse("a.pdf", paper(first, table(KEPT, widths=(150, 120, 150), framed=True))))
    assert [p.page for p in pieces] == [1, 2]
    assert pieces[1].text.count("Kept for: ") == 3


WORDS = st.text(alphabet="abcdefghijklmnop", min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=2, max_size=12), framed=st.booleans())
def test_no_word_of_a_page_is_lost_or_told_twice(rows: list[list[str]], framed: bool) -> None:
    page = both(table(rows, widths=(120, 120, 120), framed=framed), prose(["some words below it"], top=120))
    text = " ".join(b.text for b in PARSER.parse("a.pdf", paper(page)).blocks)
    shown = text.replace(":", " ").replace(";", " ").split()
    told = sorted(w for row in rows for w in row) + "some words below it".split()
    assert set(shown) == set(told)
    assert all(shown.count(w) >= told.count(w) for w in told)
