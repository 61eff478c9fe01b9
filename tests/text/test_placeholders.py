"""Placeholders: what is masked comes back exactly, and nobody outside can make, move or bend one unnoticed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.text.placeholders import SHAPE, Vault, mask, restore
from pilothouse.text.recognisers import RECOGNISERS, Finding, NameIndex, find

KEY, OTHER = b"k" * 32, b"o" * 32
NAMES = NameIndex(("Lena Vogt", "Arjun Mehta"))
PIECES = st.sampled_from([
    "<", ">", "_", " ", "PERSON", "<PERSON_1_", "<PERSON_1_0000>", "<person_1_ABCD>", "< IBAN 1 9f3a >", "IBAN_1_9f3a",
    "＜CARD_2_00ff＞", "<LITERAL_1_abcd>", "Lena Vogt", "Vogt", "\\_", "ü", "𝒜", *(r.example for r in RECOGNISERS)])
TEXTS = st.text() | st.lists(PIECES, max_size=20).map("".join)


def masked(text: str, vault: Vault | None = None, key: bytes = KEY):
    return mask(text, find(text, NAMES), key=key, vault=vault)


@given(TEXTS)
def test_what_was_masked_comes_back_exactly_and_nothing_is_reported(text: str) -> None:
    covered = masked(text)
    restored = restore(covered.text, covered.vault)
    assert (restored.text, restored.unknown) == (text, ())


@given(TEXTS)
def test_no_original_stays_readable_where_it_was_found(text: str) -> None:
    covered = masked(text)
    bare = SHAPE.sub("", covered.text)
    kept = sum(len(f.text) for f in find(text, NAMES))
    assert len(bare) <= len(text) - kept


@given(TEXTS, TEXTS)
def test_texts_of_one_exchange_share_a_vault_and_both_come_back(one: str, other: str) -> None:
    first = masked(one)
    second = masked(other, first.vault)
    for text, covered in ((one, first), (other, second)):
        assert restore(covered.text, second.vault).text == text
    assert len(set(second.vault.originals.values())) == len(second.vault.originals)


@given(TEXTS)
def test_a_text_that_looks_like_placeholders_is_never_taken_for_one(text: str) -> None:
    """A user writes placeholders of the exchange into a question: they come back as written, not as originals."""
    secret = masked("Lena Vogt, lena.vogt@bank.example")
    forged = "".join(secret.vault.originals) + text
    covered = masked(forged, secret.vault)
    assert restore(covered.text, covered.vault).text == forged


def test_the_same_original_gets_the_same_placeholder_and_another_gets_another() -> None:
    text = masked("Lena Vogt wrote to Arjun Mehta; Lena Vogt waits.").text
    one, two, three = (m.group() for m in SHAPE.finditer(text))
    assert one == three != two


def test_a_check_depends_on_the_key() -> None:
    assert masked("Ask Lena Vogt").text != masked("Ask Lena Vogt", key=OTHER).text


@pytest.mark.parametrize("bent", [
    lambda p: p.lower(), lambda p: p.replace("_", " "), lambda p: p.replace("_", "\\_"), lambda p: f"< {p[1:-1]} >",
    lambda p: p[1:-1], lambda p: p.replace("_1_", "_2_"), lambda p: p.replace("PERSON", "IBAN"),
    lambda p: p.replace("<", "＜").replace(">", "＞"), lambda p: p[1:-1].lower(), lambda p: p.replace("_", "-"),
])
def test_a_placeholder_that_a_model_bent_is_reported_and_not_restored(bent) -> None:
    covered = masked("Ask Lena Vogt")
    [placeholder] = covered.vault.originals
    answer = f"Write to {bent(placeholder)} today, and to {placeholder}."
    restored = restore(answer, covered.vault)
    assert restored.text == f"Write to {bent(placeholder)} today, and to Lena Vogt."
    assert restored.unknown == (bent(placeholder),)


@given(st.integers(0, 99_999), st.text("0123456789abcdef", min_size=4, max_size=4))
def test_an_invented_placeholder_is_reported(number: int, check: str) -> None:
    covered = masked("Ask Lena Vogt")
    invented = f"<PERSON_{number}_{check}>"
    if invented not in covered.vault.originals:
        assert restore(invented, covered.vault).unknown == (invented,)


def test_names_of_files_and_columns_are_not_taken_for_damaged_placeholders() -> None:
    covered = masked("Ask Lena Vogt")
    text = "See report_1_2024 and <b>field_2_beef</b> in a_1_b."
    assert restore(text, covered.vault).unknown == ()


def test_a_finding_that_crosses_a_literal_is_masked_whole() -> None:
    text = "key <A_1_abcd> end"
    crossing = Finding(kind="person", start=0, end=8, text=text[:8])
    covered = mask(text, [crossing], key=KEY)
    assert re.fullmatch(r"<LITERAL_1_[0-9a-f]{4}> end", covered.text)
    assert restore(covered.text, covered.vault).text == text


def test_more_originals_than_four_digits_count_come_back_too() -> None:
    text = " ".join(f"u{i}@bank.example" for i in range(10_050))
    covered = masked(text)
    assert "@" not in covered.text
    assert restore(covered.text, covered.vault).text == text


def test_a_vault_of_another_exchange_restores_nothing() -> None:
    text = masked("Ask Lena Vogt").text
    assert restore(text, Vault()).unknown == tuple(m.group() for m in SHAPE.finditer(text))
