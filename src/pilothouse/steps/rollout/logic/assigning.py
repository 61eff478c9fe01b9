"""Who a phase serves: stable buckets, so that a growing share never takes anybody's access away."""

import hashlib
from collections.abc import Sequence


def bucket(person: str, use_case_id: str, salt: str = "") -> float:
    """Return a person's place in [0, 1) for one use case: the same today and tomorrow, on every machine."""
    drawn = "\n".join((use_case_id, salt, person) if salt else (use_case_id, person))
    digest = hashlib.sha256(drawn.encode()).digest()
    # 53 bits are what a float holds: with more, the largest ones would round up to 1 and be served by no phase
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def served(person: str, unit: str, use_case_id: str, *, units: Sequence[str], share: float, salt: str = "") -> bool:
    """Say whether somebody is among those a phase serves."""
    return (not units or unit in units) and bucket(person, use_case_id, salt) < share


def grows(units: Sequence[str], share: float, *, to_units: Sequence[str], to_share: float) -> bool:
    """Say whether everybody whom the one serves is served by the other too; no units means all of them."""
    return to_share >= share and (not to_units or (bool(units) and set(units) <= set(to_units)))
