"""Who a phase serves: stable buckets, so that a growing share never takes anybody's access away."""

import hashlib
from collections.abc import Sequence


def bucket(person: str, use_case_id: str) -> float:
    """Return a person's place in [0, 1) for one use case: the same today and tomorrow, on every machine."""
    digest = hashlib.sha256(f"{use_case_id}\n{person}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def served(person: str, unit: str, use_case_id: str, *, units: Sequence[str], share: float) -> bool:
    """Say whether somebody is among those a phase serves."""
    return (not units or unit in units) and bucket(person, use_case_id) < share
