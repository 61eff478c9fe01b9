"""How alike two texts are: a fingerprint for copies, shingles and their overlap for near copies."""

import hashlib
from collections.abc import Set

from pilothouse.text.tokens import words

SHINGLE_WORDS = 5


def fingerprint(text: str) -> str:
    """Return a hash (hex) that is the same for texts with the same words in the same order, whatever their layout."""
    return hashlib.sha256(" ".join(words(text)).encode()).hexdigest()


def shingles(text: str, size: int = SHINGLE_WORDS) -> frozenset[str]:
    """Return every run of `size` words; a shorter text is one shingle of its own."""
    found = words(text)
    if len(found) <= size:
        return frozenset((" ".join(found),)) if found else frozenset()
    return frozenset(" ".join(found[i:i + size]) for i in range(len(found) - size + 1))


def jaccard(one: Set[str], other: Set[str]) -> float:
    """Return the shared part of two sets (0 to 1); two empty sets share nothing."""
    union = len(one | other)
    return len(one & other) / union if union else 0.0
