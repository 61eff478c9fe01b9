"""Signed checkpoints as text: the C2SP forms signed-note and tlog-checkpoint, written and strictly read.

Signing and checking are functions handed in, so that this module needs no cryptography beyond a hash.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from pilothouse.kernel.errors import Invalid

ED25519 = b"\1"
"""The signature type that stands before a public key in its text form and in its key id."""
KEY_BYTES = 32
KEY_ID_BYTES = 4
NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 100

Sign = Callable[[bytes], bytes]
Check = Callable[[bytes, bytes, bytes], bool]
"""`check(public_key, signature, message)` says whether the signature is the key's on this message."""

_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) (\S+)")
_SIZE = re.compile(r"0|[1-9][0-9]{0,19}")
# The forms allow no control character but the newline, so that what a person reads is all that was signed.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class NoteMalformed(Invalid):
    """The text is not a signed note, checkpoint or verifier key; `facts["part"]` says which part is wrong."""

    code = "ledger.note_malformed"


class SignatureInvalid(Invalid):
    """The note does not carry a good signature of the expected key."""

    code = "ledger.signature_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The size and root of one log at one moment."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines that are signed with it, none of them empty."""

    def __str__(self) -> str:
        """Write the text that is signed, which ends with a newline."""
        return "\n".join((self.origin, str(self.size), _base64(self.root), *self.extensions, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public Ed25519 key with the name it signs under."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or re.search(r"[\s+]", self.name) or _CONTROL.search(self.name):
            raise _malformed("key name", f"{self.name!r} must not be empty nor hold spaces, control characters or `+`")
        if len(self.public) != KEY_BYTES:
            raise _malformed("public key", f"an Ed25519 key has {KEY_BYTES} bytes, this one {len(self.public)}")

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature line names this key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        """Write the form `name+id+key` in which keys are handed to verifiers."""
        return f"{self.name}+{self.id.hex()}+{_base64(ED25519 + self.public)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature line: which key, by name and id, and what it made."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {_base64(self.key_id + self.signature)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text, ending with a newline, and the signatures under it."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        """Write the whole note; `parse_note` reads it back equal."""
        return "".join((self.text, "\n", *(f"{signature}\n" for signature in self.signatures)))


def sign_note(text: str, key: VerifierKey, sign: Sign) -> Note:
    """Sign a text; `sign` must use the private half of `key`. Raises NoteMalformed if the text cannot be a note's."""
    _check_text(text)
    made = Signature(name=key.name, key_id=key.id, signature=sign(text.encode()))
    return Note(text=text, signatures=(made,))


def verify_note(note: Note, key: VerifierKey, check: Check) -> None:
    """Return if `key` signed the note; raise SignatureInvalid if it did not or one of its signatures is wrong.

    Signatures of other keys are neither needed nor looked at.
    """
    ours = [line for line in note.signatures if (line.name, line.key_id) == (key.name, key.id)]
    if not ours:
        raise SignatureInvalid(f"the note is not signed by {key.name} (key {key.id.hex()}); give the verifier key "
                               "of the log that made it", key=key.name)
    if not all(check(key.public, line.signature, note.text.encode()) for line in ours):
        raise SignatureInvalid(f"the signature of {key.name} is not for this text; the note was changed after it was "
                               "signed: get it again from a copy kept elsewhere", key=key.name)


def parse_note(raw: bytes) -> Note:
    """Read a signed note; raises NoteMalformed naming what is wrong. Signatures are not checked here."""
    if len(raw) > NOTE_BYTES_MAX:
        raise _malformed("note", f"it has {len(raw)} bytes, more than {NOTE_BYTES_MAX}")
    try:
        body, gap, signed = raw.decode().rpartition("\n\n")
    except UnicodeDecodeError as problem:
        raise _malformed("note", f"byte {problem.start} is not UTF-8") from problem
    if not gap:
        raise _malformed("note", "no blank line stands between text and signatures")
    text = body + "\n"
    _check_text(text)
    return Note(text=text, signatures=_parse_signatures(signed))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint's note; raises NoteMalformed naming the line that is wrong."""
    _check_text(text)
    lines = text.split("\n")[:-1]
    if len(lines) < 3:
        raise _malformed("checkpoint", f"it has {len(lines)} of the three lines origin, size and root")
    origin, size, root, *extensions = lines
    if not origin:
        raise _malformed("origin", "the first line is empty")
    if not _SIZE.fullmatch(size):
        raise _malformed("size", f"{size[:30]!r} is not a decimal number without sign or leading zeros")
    if len(hashed := _unbase64(root, "root")) != KEY_BYTES:
        raise _malformed("root", f"a SHA-256 hash has 32 bytes, this one {len(hashed)}")
    if "" in extensions:
        raise _malformed("extension", "an extension line is empty")
    return Checkpoint(origin=origin, size=int(size), root=hashed, extensions=tuple(extensions))


def parse_verifier_key(text: str) -> VerifierKey:
    """Read `name+id+key`; raises NoteMalformed naming the part that is wrong."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise _malformed("verifier key", "it must read name+id+key")
    name, key_id, encoded = parts
    typed = _unbase64(encoded, "public key")
    if typed[:1] != ED25519:
        raise _malformed("public key", "only Ed25519 keys (type 1) can be checked here")
    key = VerifierKey(name=name, public=typed[1:])
    if key_id != key.id.hex():
        raise _malformed("key id", f"{key_id[:20]!r} does not belong to this name and key, whose id is {key.id.hex()}")
    return key


def _parse_signatures(signed: str) -> tuple[Signature, ...]:
    lines = signed.split("\n")
    if lines.pop() != "":
        raise _malformed("signature", "the last line has no end")
    if not 1 <= len(lines) <= SIGNATURES_MAX:
        raise _malformed("signature", f"there are {len(lines)} signature lines, not 1 to {SIGNATURES_MAX}")
    return tuple(_parse_signature(line) for line in lines)


def _parse_signature(line: str) -> Signature:
    parts = _SIGNATURE_LINE.fullmatch(line)
    if not parts or _CONTROL.search(line):
        raise _malformed("signature", f"{line[:40]!r} does not read: em dash, key name, base64")
    made = _unbase64(parts[2], "signature")
    if len(made) <= KEY_ID_BYTES:
        raise _malformed("signature", f"it has {len(made)} bytes, which leaves none after the key id")
    return Signature(name=parts[1], key_id=made[:KEY_ID_BYTES], signature=made[KEY_ID_BYTES:])


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise _malformed("text", "it does not end with a newline")
    if found := _CONTROL.search(text):
        raise _malformed("text", f"it holds the control character {found[0]!r}")


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _unbase64(text: str, part: str) -> bytes:
    """Read base64 in its one canonical spelling, so that a text cannot be changed without changing what it says."""
    try:
        value = b64decode(text, validate=True)
    except ValueError as problem:
        raise _malformed(part, f"{text[:40]!r} is not base64") from problem
    if _base64(value) != text:
        raise _malformed(part, f"{text[:40]!r} is not base64 in its canonical spelling")
    return value


def _malformed(part: str, wrong: str) -> NoteMalformed:
    return NoteMalformed(f"bad {part}: {wrong}; take the text exactly as the log published it", part=part)
