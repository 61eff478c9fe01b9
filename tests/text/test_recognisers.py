"""Recognisers: what is personal data, what only looks like it, and what neither layout nor neighbours may hide."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.text.checksums import IBAN_LENGTHS, aadhaar_holds, iban_holds, luhn_holds, ssn_holds
from pilothouse.text.recognisers import RECOGNISERS, Finding, NameIndex, find

NAMES = NameIndex(("Lena Vogt", "Arjun Mehta", "Jürgen Müller", "राम शर्मा", "John Q. Public", "Ann Price",
                   "Peter van der Berg", "Eva Schmidt", "Otto Schmidt", "Li Wu", "Anne-Marie O'Neill"))


def found(text: str) -> list[tuple[str, str]]:
    return [(f.kind, f.text) for f in find(text, NAMES)]


@pytest.mark.parametrize("recogniser", RECOGNISERS, ids=lambda r: f"{r.kind}: {r.example}")
def test_each_recogniser_finds_its_example_alone_and_inside_a_sentence(recogniser) -> None:
    number = recogniser.example.removeprefix("call ")
    for text in (recogniser.example, f"Please use {recogniser.example}.", f"({recogniser.example}), as agreed"):
        assert found(text) == [(recogniser.kind, number)]


@pytest.mark.parametrize(("text", "kind", "number"), [
    ("Karte 4111 1111 1111 1111 12/28 gültig", "card", "4111 1111 1111 1111"),
    ("2026 4111 1111 1111 1111", "card", "4111 1111 1111 1111"),
    ("378282246310005", "card", "378282246310005"), ("3782 822463 10005", "card", "3782 822463 10005"),
    ("4111-1111-1111-1111", "card", "4111-1111-1111-1111"),
    ("BE68 5390 0754 7034 from the branch", "iban", "BE68 5390 0754 7034"),
    ("FY24 DE89 3704 0044 0532 0130 00 and", "iban", "DE89 3704 0044 0532 0130 00"),
    ("DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000", "iban",
     "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000"),
    ("de89370400440532013000", "iban", "de89370400440532013000"),
    ("jürgen.müller@bänk.example", "email", "jürgen.müller@bänk.example"),
    ("an o'neill@bank.example.", "email", "o'neill@bank.example"),
    ("+49 (0)30 1234567", "phone", "+49 (0)30 1234567"), ("+1 (555) 010-9999 x12", "phone", "+1 (555) 010-9999 x12"),
    ("+91 98765 43210", "phone", "+91 98765 43210"), ("98765 43210", "phone", "98765 43210"),
    ("(030) 1234567", "phone", "(030) 1234567"), ("01 23 45 67 89", "phone", "01 23 45 67 89"),
    ("020 7946 0958", "phone", "020 7946 0958"), ("555-010-9999 ext. 4", "phone", None),
    ("phone number is 9761 9808", "phone", "9761 9808"), ("Tel.: 92 34 70", "phone", "92 34 70"),
])
def test_layout_and_neighbours_do_not_hide_a_number(text: str, kind: str, number: str | None) -> None:
    assert found(text) == [(kind, number or text)]


@pytest.mark.parametrize("text", [
    "4111 1111 1111 1112", "DE88 3704 7044 8532 7130 70", "000-12-3456", "900-12-3456", "123-00-4567",
    "2341 2341 2347", "ABCXE1234F", "from 01-02-2026 to 28-02-2026", "call on 2026-03-12", "a band of 75000 80000",
    "10@3.50 each", "12 March 2026, EUR 1,250,000.00", "section 4.2.1 of 2026", "order 10001234", "user@localhost",
    "the years 2019 2020 2021 2022", "version 10.0.0.1", "2023 2024 2025 2026", "file 001-36743", "0000 0000 0000 0000",
])
def test_what_only_looks_like_personal_data_is_left_alone(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(("text", "names"), [
    ("Ask Lena Vogt.", ["Lena Vogt"]), ("ask lena vogt", ["lena vogt"]), ("Lena Vogt's account", ["Lena Vogt"]),
    ("Lena Vogts Konto", ["Lena Vogts"]), ("Vogt, Lena: 3", ["Vogt, Lena"]), ("Lena\nVogt", ["Lena\nVogt"]),
    ("Is Vogt there?", ["Vogt"]), ("VOGT", ["VOGT"]), ("vogt", []), ("Bernd Vogt", ["Vogt"]),
    ("we met Bernd Vogt", []), ("we met Frau Vogt", ["Vogt"]), ("Call Lena. Arjun left.", []),
    ("Lena, Arjun", []), ("Ju\u0308rgen Mu\u0308ller", ["Ju\u0308rgen Mu\u0308ller"]), ("श्री राम शर्मा ने", ["राम शर्मा"]),
    ("John Q. Public", ["John Q. Public"]), ("The Price of a loan", []), ("Mr Price", ["Price"]),
    ("Peter van der Berg", ["Peter van der Berg"]), ("Schmidt", []), ("Eva Schmidt", ["Eva Schmidt"]), ("Wu", []),
    ("li wu", ["li wu"]), ("Anne-Marie O’Neill", []), ("Anne-Marie O'Neill's", ["Anne-Marie O'Neill"]),
])
def test_names_are_found_whole_or_by_an_unambiguous_surname(text: str, names: list[str]) -> None:
    assert [t for kind, t in found(text) if kind == "person"] == names


def test_an_index_without_names_finds_none() -> None:
    assert list(NameIndex(()).find("Lena Vogt")) == list(NameIndex(("Cher",)).find("Cher")) == []


def test_the_longer_finding_wins_where_two_overlap() -> None:
    assert found("lena.vogt@bank.example") == [("email", "lena.vogt@bank.example")]


MIXED = st.lists(st.sampled_from([r.example for r in RECOGNISERS] + ["Lena Vogt", " ", "x", "0", "-", "+", "@", ".",
                                                                    "\n", "ü", "𝒜", "4111 "]), max_size=20)


@given(st.text() | MIXED.map("".join))
def test_findings_are_disjoint_in_order_and_say_what_stands_there(text: str) -> None:
    at = 0
    for f in find(text, NAMES):
        assert at <= f.start < f.end <= len(text)
        assert f.text == text[f.start:f.end]
        at = f.end


@given(st.text(st.characters(exclude_categories=("L", "N", "M", "P", "S")), max_size=20),
       st.sampled_from([r.example for r in RECOGNISERS]), st.text(st.sampled_from(" \n;!?ü𝒜"), max_size=5))
def test_offsets_stay_right_behind_characters_of_any_width(before: str, example: str, after: str) -> None:
    text = f"{before}\n{example}\n{after}"
    assert [f.text for f in find(text)] == [example.removeprefix("call ")]


def with_check_digits(country: str, account: str) -> str:
    remainder = int("".join(str(int(c, 36)) for c in account + country + "00")) % 97
    return f"{country}{98 - remainder:02d}{account}"


@given(st.sampled_from(sorted(IBAN_LENGTHS)), st.data())
def test_every_valid_iban_is_found_in_fours_and_no_single_wrong_digit_holds(country: str, data: st.DataObject) -> None:
    length = IBAN_LENGTHS[country] - 4
    account = data.draw(st.text("0123456789", min_size=length, max_size=length))
    iban = with_check_digits(country, account)
    printed = " ".join(iban[i:i + 4] for i in range(0, len(iban), 4))
    assert ("iban", printed) in found(f"to {printed} from")
    at = data.draw(st.integers(4, len(iban) - 1))
    wrong = iban[:at] + str((int(iban[at]) + 1) % 10) + iban[at + 1:]
    assert iban_holds(iban) and not iban_holds(wrong)


@given(st.text("0123456789", min_size=14, max_size=14).map("4".__add__), st.integers(0, 14), st.integers(1, 9))
def test_exactly_one_check_digit_makes_a_card_and_no_single_wrong_digit_holds(head: str, at: int, off: int) -> None:
    [card] = [c for c in (head + str(d) for d in range(10)) if luhn_holds(c)]
    assert ("card", card) in found(f"paid with {card} today")
    assert not luhn_holds(card[:at] + str((int(card[at]) + off) % 10) + card[at + 1:])


@given(st.text("0123456789", min_size=10, max_size=10).map("2".__add__), st.integers(1, 10), st.integers(1, 9))
def test_exactly_one_check_digit_makes_an_aadhaar_and_no_single_wrong_digit_holds(head: str, at: int, off: int) -> None:
    [number] = [n for n in (head + str(d) for d in range(10)) if aadhaar_holds(n)]
    assert ("aadhaar", number) in found(f"Aadhaar {number} given")
    assert not aadhaar_holds(number[:at] + str((int(number[at]) + off) % 10) + number[at + 1:])


@pytest.mark.parametrize("text", ["123456789", "123-45-6789", "899-99-9999"])
def test_issued_ranges_of_ssn_hold(text: str) -> None:
    assert ssn_holds(text)


@pytest.mark.parametrize("unit", ["a@b.com ", "4111 ", "1 ", "DE89 ", "a", "+1 ", "Lena ", "Vogt ", "a.", "@", "0",
                                  "call ", "Vogt's-", "\u0301", "a@"])
def test_time_grows_with_the_text_and_not_with_its_square(unit: str) -> None:
    def seconds(repeats: int) -> float:
        text, best = unit * repeats, 9e9
        for _ in range(3):  # the quickest of three: other programs only ever add to it
            begun = time.process_time()
            find(text, NAMES)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(20_000) < 60 * max(seconds(2_000), 0.002), "linear is 10 times, quadratic 100"


def test_a_clean_question_of_four_hundred_characters_costs_little() -> None:
    """The budget is 60 microseconds on an idle core; a busy one gets five times that."""
    text = ("Staff may work from another country of the Union for up to twenty working days a year; the request goes "
            "to the manager four weeks before travel begins. ") * 3
    names = NameIndex((*(f"First{i} Surname{i}x" for i in range(1000)), "Lena Vogt"))

    def microseconds() -> float:
        begun = time.perf_counter()
        for _ in range(200):
            assert find(text[:400], names) == ()
        return (time.perf_counter() - begun) / 200 * 1e6

    assert min(microseconds() for _ in range(5)) < 300


def test_half_a_character_neither_breaks_nor_hides_anything() -> None:
    assert found("\ud800 lena.vogt@bank.example \udfff") == [("email", "lena.vogt@bank.example")]


def test_a_finding_is_a_plain_frozen_value() -> None:
    assert find("ABCPE1234F") == (Finding(kind="pan", start=0, end=10, text="ABCPE1234F"),)
