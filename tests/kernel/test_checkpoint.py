"""Checkpoints and signed notes as text: exact forms, published examples, and refusals that name what is wrong."""

import string
from base64 import b64encode
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from pilothouse.kernel.checkpoint import (
    Checkpoint,
    Note,
    NoteMalformed,
    Signature,
    SignatureInvalid,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
    sign_note,
    verify_note,
)

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = VerifierKey(name="bank.example/ledger", public=PRIVATE.public_key().public_bytes_raw())
ROOT = sha256(b"root").digest()
CHECKPOINT = Checkpoint(origin="bank.example/ledger", size=20_852_163, root=ROOT)
NOTE = sign_note(str(CHECKPOINT), KEY, PRIVATE.sign)
GOOD = str(NOTE)

names = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z"), exclude_characters="+"), min_size=1, max_size=20)
lines = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)


def check(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_a_checkpoint_reads_as_the_form_prescribes() -> None:
    signature = PRIVATE.sign(str(CHECKPOINT).encode())
    key_id = sha256(b"bank.example/ledger\n\x01" + KEY.public).digest()[:4]
    expected = (f"bank.example/ledger\n20852163\n{b64encode(ROOT).decode()}\n\n"
                f"— bank.example/ledger {b64encode(key_id + signature).decode()}\n")
    assert expected == GOOD


def test_the_published_example_of_a_key_reads_and_has_the_id_it_states() -> None:
    text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert str(parse_verifier_key(text)) == text
    assert parse_verifier_key(text).name == "PeterNeumann"


def test_a_signed_checkpoint_is_read_back_and_verified() -> None:
    note = parse_note(GOOD.encode())
    verify_note(note, KEY, check)
    assert note == NOTE
    assert parse_checkpoint(note.text) == CHECKPOINT


@given(lines, st.integers(0, 10**20 - 1), st.binary(min_size=32, max_size=32), st.lists(lines, max_size=3).map(tuple))
def test_every_checkpoint_survives_writing_and_reading(origin: str, size: int, root: bytes,
                                                       extensions: tuple[str, ...]) -> None:
    made = Checkpoint(origin=origin, size=size, root=root, extensions=extensions)
    assert parse_checkpoint(str(made)) == made
    note = sign_note(str(made), KEY, PRIVATE.sign)
    assert parse_note(str(note).encode()) == note


@given(names, st.binary(min_size=32, max_size=32))
def test_every_key_survives_writing_and_reading(name: str, public: bytes) -> None:
    key = VerifierKey(name=name, public=public)
    assert parse_verifier_key(str(key)) == key


@given(st.integers(0, len(GOOD.encode()) * 8 - 1))
def test_a_note_with_any_bit_changed_is_refused(bit: int) -> None:
    raw = bytearray(GOOD.encode())
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises((NoteMalformed, SignatureInvalid)):
        verify_note(parse_note(bytes(raw)), KEY, check)


@given(st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
def test_no_input_makes_the_parser_fail_in_another_way(raw: bytes) -> None:
    try:
        note = parse_note(raw)
    except NoteMalformed:
        return
    assert str(note).encode() == raw


def test_a_cosignature_of_an_unknown_key_changes_nothing() -> None:
    other = Signature(name="witness.example", key_id=b"abcd", signature=b"x" * 72)
    both = Note(text=NOTE.text, signatures=(other, *NOTE.signatures))
    verify_note(parse_note(str(both).encode()), KEY, check)


def test_a_second_bad_signature_of_the_known_key_is_refused() -> None:
    bad = Signature(name=KEY.name, key_id=KEY.id, signature=bytes(64))
    with pytest.raises(SignatureInvalid, match="not for this text"):
        verify_note(Note(text=NOTE.text, signatures=(*NOTE.signatures, bad)), KEY, check)


def test_a_note_of_another_key_says_whose_signature_was_wanted() -> None:
    stranger = VerifierKey(name="other.example", public=KEY.public)
    with pytest.raises(SignatureInvalid, match=r"not signed by other\.example") as refusal:
        verify_note(NOTE, stranger, check)
    assert refusal.value.facts == {"key": "other.example"}


@pytest.mark.parametrize(("raw", "wrong"), [
    (b"", "no blank line"),
    (b"text\nno signature\n", "no blank line"),
    (b"text\n\n", "0 signature lines"),
    (b"text\n\n\xe2\x80\x94 name AAAAAAA=", "last line has no end"),
    (b"text\n\n- name AAAAAAA=\n", "em dash"),
    (b"text\n\n\xe2\x80\x94 na+me AAAAAAA=\n", "em dash"),
    (b"text\n\n\xe2\x80\x94 name  AAAAAAA=\n", "em dash"),
    (b"text\n\n\xe2\x80\x94 name AAAAAA==\n", "which leaves none after the key id"),
    (b"text\n\n\xe2\x80\x94 name AAAAAAB=\n", "canonical spelling"),
    (b"text\n\n\xe2\x80\x94 name !!!!\n", "is not base64"),
    (b"te\txt\n\n\xe2\x80\x94 name AAAAAAA=\n", "control character"),
    (b"te\r\n\n\xe2\x80\x94 name AAAAAAA=\n", "control character"),
    (b"te\xff\n\n\xe2\x80\x94 name AAAAAAA=\n", "byte 2 is not UTF-8"),
    (b"text\n\n" + b"\xe2\x80\x94 name AAAAAAA=\n" * 101, "101 signature lines"),
    (b"x" * 1_000_001, "more than 1000000"),
])
def test_a_malformed_note_is_refused_and_the_fault_named(raw: bytes, wrong: str) -> None:
    with pytest.raises(NoteMalformed, match=wrong):
        parse_note(raw)


@pytest.mark.parametrize(("text", "part"), [
    ("origin\n5\n", "checkpoint"),
    ("\n5\n{root}\n", "origin"),
    ("origin\n05\n{root}\n", "size"),
    ("origin\n+5\n{root}\n", "size"),
    ("origin\n-5\n{root}\n", "size"),
    ("origin\n٥\n{root}\n", "size"),
    ("origin\n\n{root}\n", "size"),
    ("origin\n999999999999999999999\n{root}\n", "size"),
    ("origin\n5\nAAAA\n", "root"),
    ("origin\n5\n{root} \n", "root"),
    ("origin\n5\n{root}\n\nextension\n", "extension"),
    ("origin\n5\n{root}", "text"),
])
def test_a_malformed_checkpoint_is_refused_and_the_line_named(text: str, part: str) -> None:
    with pytest.raises(NoteMalformed) as refusal:
        parse_checkpoint(text.format(root=b64encode(ROOT).decode()))
    assert refusal.value.facts == {"part": part}


@pytest.mark.parametrize(("text", "part"), [
    ("name", "verifier key"),
    ("name+00000000+" + b64encode(b"\x01" + bytes(32)).decode(), "key id"),
    ("name+00000000+" + b64encode(b"\x02" + bytes(32)).decode(), "public key"),
    ("name+00000000+" + b64encode(b"\x01" + bytes(31)).decode(), "public key"),
    ("a name+00000000+" + b64encode(b"\x01" + bytes(32)).decode(), "key name"),
    ("+00000000+" + b64encode(b"\x01" + bytes(32)).decode(), "key name"),
    ("name+00000000+???", "public key"),
])
def test_a_malformed_verifier_key_is_refused_and_the_part_named(text: str, part: str) -> None:
    with pytest.raises(NoteMalformed) as refusal:
        parse_verifier_key(text)
    assert refusal.value.facts == {"part": part}
