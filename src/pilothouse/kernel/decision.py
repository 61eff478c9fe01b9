"""Decision: what boards, councils and gates share; a person's choice on a question, with its evidence and dissent."""

from dataclasses import dataclass

from pilothouse.kernel.ledger import Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that must be done by a date (ISO, `2026-03-01`) for a decision to stand."""

    text: str
    due: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decided question; `reason` is sealed, `evidence` are ledger entry numbers."""

    question: str
    verdict: str
    recommended: str
    reason: Sealed
    evidence: tuple[int, ...] = ()
    quorum: tuple[str, ...] = ()
    dissent: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    expires_at: str = ""
