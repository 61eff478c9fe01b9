"""Figures in a normal form: what says the same compares equal, and what does not never does."""

import time
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.text.numerals import Fact, facts


@pytest.mark.parametrize(("text", "kind", "value"), [
    ("1,250", "number", "1250"), ("1.250.000", "number", "1250000"), ("1'250'000", "number", "1250000"),
    ("12,34,567.50", "number", "1234567.5"), ("1.250,75", "number", "1250.75"), ("0,125", "number", "0.125"),
    ("0.125", "number", "0.125"), ("1,5", "number", "1.5"), ("007", "number", "7"), ("3.0", "number", "3"),
    ("2.5 million", "number", "2500000"), ("5 lakh", "number", "500000"), ("2 Mrd.", "number", "2000000000"),
    ("3.5%", "percent", "3.5"), ("3,5 Prozent", "percent", "3.5"), ("12 per cent", "percent", "12"),
    ("EUR 1,250.00", "money", "EUR 1250"), ("€1250", "money", "EUR 1250"), ("1.250,00 €", "money", "EUR 1250"),
    ("1,250 euros", "money", "EUR 1250"), ("$5m", "money", "USD 5000000"), ("5 Mio. EUR", "money", "EUR 5000000"),
    ("1.250 €", "money", "EUR 1250"), ("$1.250 billion", "money", "USD 1250000000"),
    ("₹ 12 lakh", "money", "INR 1200000"),
    ("2026-03-12", "date", "2026-03-12"), ("12 March 2026", "date", "2026-03-12"),
    ("March 12, 2026", "date", "2026-03-12"), ("12.03.2026", "date", "2026-03-12"),
    ("12. März 2026", "date", "2026-03-12"), ("12th of March 2026", "date", "2026-03-12"),
    ("Mar. 12th, 2026", "date", "2026-03-12"),
    ("BX-2041", "code", "bx-2041"), ("INV2041", "code", "inv2041"), ("1.2.3", "code", "1.2.3"),
])
def test_one_figure_has_one_normal_form(text: str, kind: str, value: str) -> None:
    assert facts(f"It says {text} here.") == {Fact(kind, value)}  # type: ignore[arg-type]


@pytest.mark.parametrize(("one", "other"), [
    ("5%", "5"), ("EUR 5", "USD 5"), ("EUR 5", "5"), ("5 million", "5 billion"), ("12 March 2026", "13 March 2026"),
    ("1.2.3", "12.3"), ("0,125", "125"), ("INV2041", "INV2042"), ("BX-2041", "BX-2042"), ("$5m", "$5"),
])
def test_different_figures_never_compare_equal(one: str, other: str) -> None:
    assert not facts(one) & facts(other)


def test_text_without_figures_holds_no_facts() -> None:
    assert facts("A year-end review, as agreed; see the well-known policy.") == frozenset()


def test_a_sentence_that_introduces_a_figure_is_seen_and_one_that_rephrases_it_is_not() -> None:
    source = "The fee is EUR 1,250.00 from 12 March 2026, that is 3.5% of the sum."
    assert facts("Ab 12.03.2026 kostet es 1.250 €, also 3,5 Prozent.") <= facts(source)
    assert facts("It costs EUR 1,260.") - facts(source) == {Fact("money", "EUR 1260")}


@given(st.integers(0, 10**12), st.sampled_from([",", "'", "\u202f", "\u00a0"]))
def test_thousands_separators_do_not_change_a_whole_number(number: int, mark: str) -> None:
    assert facts(f"{number:,}".replace(",", mark)) == facts(str(number)) == {Fact("number", str(number))}


@given(st.dates(date(1000, 1, 1), date(9999, 12, 31)))
def test_every_way_to_write_a_date_is_the_same_fact(day: date) -> None:
    month = ("January February March April May June July August September October November December").split()[
        day.month - 1]
    written = (day.isoformat(), f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}",
               f"{day.day:02d}.{day.month:02d}.{day.year}", f"{day.day} {month[:3]} {day.year}")
    assert {facts(text) for text in written} == {frozenset({Fact("date", day.isoformat())})}


@given(st.text(), st.text())
def test_figures_of_a_text_stay_known_when_text_is_added_in_another_paragraph(one: str, other: str) -> None:
    assert facts(one) <= facts(f"{one}\n;\n{other}")


@pytest.mark.parametrize("unit", ["a-", "1,", "1'", "12. ", "eur ", "$", "9", "a1-", "1.1."])
def test_time_grows_with_the_text_and_not_with_its_square(unit: str) -> None:
    def seconds(repeats: int) -> float:
        text, best = unit * repeats, 9e9
        for _ in range(3):  # the quickest of three: other programs only ever add to it
            begun = time.process_time()
            facts(text)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(40_000) < 60 * max(seconds(4_000), 0.002), "linear is 10 times, quadratic 100"
