"""Secrets people carry: API keys and session tokens (hashed when stored), passwords (argon2id)."""

import hashlib
import hmac
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
_DECOY = _hasher.hash(secrets.token_urlsafe(16))


def new_token(prefix: str) -> str:
    """Make a token of 256 random bits, recognisable by its prefix."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> str:
    """Return what is stored of a token: SHA-256 in hex, enough because tokens are long and random."""
    return hashlib.sha256(token.encode()).hexdigest()


def hash_password(password: str) -> str:
    """Hash a password with argon2id at the library's current parameters."""
    return _hasher.hash(password)


def password_matches(stored: str | None, password: str) -> bool:
    """Check a password; with no stored hash the same work is done, so that time does not tell who exists."""
    try:
        return _hasher.verify(stored or _DECOY, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def same(one: str, other: str) -> bool:
    """Compare two tokens in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())
