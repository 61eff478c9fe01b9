"""The key ring: a wrapped key for each data subject, whose destruction is erasure, and the key that signs checkpoints.

A key is on disk before anything is sealed with it, and the keystore is rewritten whole, so that a destroyed key is in
no file of the directory afterwards. Copies made earlier (backups, freed disk blocks) are beyond its reach.
"""

import binascii
import hmac
import os
import stat
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pilothouse.backends.checkpoints import replace_file
from pilothouse.kernel.checkpoint import VerifierKey, parse_verifier_key
from pilothouse.kernel.clock import Clock, stamp
from pilothouse.kernel.errors import Conflict, Denied, Missing, Unavailable
from pilothouse.kernel.ledger import Tampered

KEY_BYTES = 32
NONCE_BYTES = 12
OPEN_MAX = 20_000
"""How many unwrapped keys stay in memory before they are read afresh (about 1 kB each)."""

State = Literal["active", "held", "destroyed"]


class KeysExposed(Denied):
    """A key file may be read, or the directory changed, by other accounts of this machine."""

    code = "keys.exposed"


class KeysLost(Missing):
    """A key file that must be there is not; making a new one would orphan what the old one sealed or signed."""

    code = "keys.lost"


class SubjectErased(Conflict):
    """The subject's key was destroyed: nothing of theirs can be sealed any more."""

    code = "keys.subject_erased"


class SubjectHeld(Conflict):
    """A legal hold forbids destroying the subject's key."""

    code = "keys.subject_held"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectKey:
    """One line of the keystore: a wrapped key (base64), or none once destroyed."""

    state: State
    since: str
    wrapped: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class _Open:
    """A subject's key, ready to use; without a repr, so that no log shows it."""

    cipher: AESGCM
    commitment_key: bytes


class KeyRing:
    """Seals and signs with the keys of one directory; safe for many threads of the one process that owns it.

    An empty directory gets its keys on first opening, unless `create` is false; then nothing is written until something
    is sealed. `name` is what new keys sign as.
    """

    def __init__(self, directory: Path, *, clock: Clock, name: str = "pilothouse", create: bool = True) -> None:
        self._clock = clock
        self._store = directory / "subjects.json"
        self._lock = threading.Lock()
        self._open: dict[str, _Open] = {}
        _refuse_exposed(directory)
        if create:
            _prepare(directory, name)
        self._subjects = _read_subjects(self._store)
        self._master = AESGCM(_read_master(directory / "master.key"))
        self._signer = _read_signer(directory / "signing.key")
        self.vkey = _read_vkey(directory / "signing.pub", self._signer)

    def seal(self, subject: str, plaintext: bytes, aad: bytes) -> bytes:
        """Encrypt for a subject, making its key durable first if it has none; returns nonce and ciphertext."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._key(subject).cipher.encrypt(nonce, plaintext, aad)

    def unseal(self, subject: str, sealed: bytes, aad: bytes) -> bytes | None:
        """Return the plaintext, or None once the subject's key is destroyed; raises Tampered, KeysLost if unknown."""
        if (key := self._known(subject)) is None:
            return None
        try:
            return key.cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], aad)
        except (InvalidTag, ValueError) as problem:
            raise Tampered("a sealed text is not what was stored; restore it from a backup",
                           subject=subject) from problem

    def commit(self, subject: str, plaintext: bytes) -> str:
        """Return a keyed commitment (hex), which says nothing about the text once the key is destroyed."""
        return hmac.digest(self._key(subject).commitment_key, plaintext, "sha256").hex()

    def ensure(self, subjects: Iterable[str]) -> None:
        """Make and save keys for those that have none, all in one rewrite of the keystore."""
        with self._lock:
            missing = dict.fromkeys(subject for subject in subjects if subject not in self._subjects)
            if missing:
                self._save({subject: self._fresh(subject) for subject in missing})

    def state(self, subject: str) -> State | None:
        """Return how a subject's key stands, or None if it never had one."""
        known = self._subjects.get(subject)
        return known.state if known else None

    def destroy(self, subject: str) -> None:
        """Destroy a subject's key for good; once is the same as twice. Raises SubjectHeld under a legal hold.

        A subject without a key is marked too, so that nothing is ever sealed for them.
        """
        with self._lock:
            known = self._subjects.get(subject)
            if known and known.state == "held":
                raise SubjectHeld("this subject is under legal hold; release the hold before erasing", subject=subject)
            if not known or known.state != "destroyed":
                self._save({subject: SubjectKey(state="destroyed", since=stamp(self._clock.now()))})
            self._open.pop(subject, None)

    def hold(self, subject: str) -> None:
        """Put a legal hold on a subject, known or not; raises SubjectErased if it comes too late."""
        with self._lock:
            known = self._subjects.get(subject) or self._fresh(subject)
            if known.state == "destroyed":
                raise SubjectErased("this subject was erased already; there is nothing left to hold", subject=subject)
            if known.state == "active":
                self._save({subject: replace(known, state="held", since=stamp(self._clock.now()))})

    def release(self, subject: str) -> None:
        """Lift a legal hold; where there is none this changes nothing."""
        with self._lock:
            known = self._subjects.get(subject)
            if known and known.state == "held":
                self._save({subject: replace(known, state="active", since=stamp(self._clock.now()))})

    def sign(self, text: bytes) -> bytes:
        """Return the Ed25519 signature of a note's text, which `vkey` verifies."""
        return self._signer.sign(text)

    def _key(self, subject: str) -> _Open:
        """Return a subject's key for new content, made if there is none; raises SubjectErased."""
        if key := self._open.get(subject):
            return key
        self.ensure((subject,))
        if (known := self._known(subject)) is None:
            raise SubjectErased("this subject was erased; nothing can be kept about them any more", subject=subject)
        return known

    def _known(self, subject: str) -> _Open | None:
        if key := self._open.get(subject):
            return key
        with self._lock:
            if (stored := self._subjects.get(subject)) is None:
                raise KeysLost("the keystore has no key for this subject; it is not the one this text was sealed "
                               "with: restore subjects.json from the latest backup", subject=subject)
            return None if stored.state == "destroyed" else self._unwrap(subject, stored)

    def _unwrap(self, subject: str, stored: SubjectKey) -> _Open:
        try:
            wrapped = b64decode(stored.wrapped, validate=True)
            key = self._master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], subject.encode())
        except (InvalidTag, ValueError) as problem:
            raise Tampered("a subject's key does not open with master.key; restore both files from one backup",
                           subject=subject) from problem
        if len(self._open) >= OPEN_MAX:
            self._open.clear()
        made = _Open(AESGCM(_derive(key, b"pilothouse/seal/1")), _derive(key, b"pilothouse/commit/1"))
        self._open[subject] = made
        return made

    def _fresh(self, subject: str) -> SubjectKey:
        nonce = os.urandom(NONCE_BYTES)
        wrapped = nonce + self._master.encrypt(nonce, os.urandom(KEY_BYTES), subject.encode())
        return SubjectKey(state="active", since=stamp(self._clock.now()), wrapped=b64encode(wrapped).decode())

    def _save(self, changed: Mapping[str, SubjectKey]) -> None:
        """Make the changed lines durable and only then known, so that a failed write leaves all as it was."""
        subjects = {**self._subjects, **changed}
        replace_file(self._store, msgspec.json.encode(subjects), mode=0o600)
        self._subjects = subjects


def _prepare(directory: Path, name: str) -> None:
    """Create what an empty directory lacks, in an order in which any later gap means loss and not a crash."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        raise Unavailable(f"cannot make the directory {directory}: {problem.strerror}; choose another with "
                          "PILOTHOUSE_KEYS or fix its parent's permissions", file=directory.name) from problem
    for left_by_a_crash in directory.glob("*.new"):
        left_by_a_crash.unlink()  # it may hold a key that is destroyed later
    store, master = directory / "subjects.json", directory / "master.key"
    if not store.exists() and not master.exists():
        replace_file(store, b"{}", mode=0o600)
    if not master.exists() and not _read_subjects(store):
        replace_file(master, b64encode(os.urandom(KEY_BYTES)) + b"\n", mode=0o600)
    _prepare_signer(directory / "signing.key", directory / "signing.pub", name)


def _prepare_signer(private: Path, public: Path, name: str) -> None:
    if public.exists():
        return
    if not private.exists():
        replace_file(private, Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), mode=0o600)
    key = VerifierKey(name=name, public=_read_signer(private).public_key().public_bytes_raw())
    replace_file(public, f"{key}\n".encode(), mode=0o600)


def _refuse_exposed(directory: Path) -> None:
    if os.name != "posix":
        return
    files = (directory / name for name in ("master.key", "signing.key", "subjects.json"))
    for path, forbidden in ((directory, 0o022), *((path, 0o077) for path in files)):
        if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & forbidden:
            raise KeysExposed(f"other accounts may use {path} (mode {mode:03o}); run: chmod go-rwx {path}",
                              rule="keys-belong-to-one-account", file=path.name)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as problem:
        raise KeysLost(f"{path} is gone; restore it from a backup (a new one could not open what the old one sealed)",
                       file=path.name) from problem
    except OSError as problem:
        raise Unavailable(f"cannot read {path}: {problem.strerror}; run as the account that owns it",
                          file=path.name) from problem


def _read_subjects(path: Path) -> Mapping[str, SubjectKey]:
    try:
        return msgspec.json.decode(_read(path), type=dict[str, SubjectKey])
    except msgspec.DecodeError as problem:
        raise _unreadable(path) from problem


def _read_master(path: Path) -> bytes:
    try:
        key = b64decode(_read(path).strip(), validate=True)
    except binascii.Error as problem:
        raise _unreadable(path) from problem
    if len(key) != KEY_BYTES:
        raise _unreadable(path)
    return key


def _read_signer(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError) as problem:
        raise _unreadable(path) from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise _unreadable(path)
    return key


def _read_vkey(path: Path, signer: Ed25519PrivateKey) -> VerifierKey:
    key = parse_verifier_key(_read(path).decode("utf8", "replace"))
    if key.public != signer.public_key().public_bytes_raw():
        raise Tampered("signing.pub is not the public half of signing.key; restore both files from one backup")
    return key


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def _unreadable(path: Path) -> Tampered:
    return Tampered(f"{path} is damaged; restore it from a backup", file=path.name)
