"""Decision: what boards, councils and gates share; people's choice on a question, with its evidence and dissent."""

from dataclasses import dataclass

from pilothouse.kernel.ledger import Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that must be done by a date (ISO, `2026-03-01`) for a decision to stand."""

    text: str
    due: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedCondition:
    """A condition as an event holds it; entries before version 0.2 hold the text itself."""

    text: Sealed | str
    due: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decided question; free text is sealed, `evidence` are ledger entry numbers."""

    question: str
    verdict: str
    recommended: str
    reason: Sealed
    evidence: tuple[int, ...] = ()
    digest: str = ""
    """SHA-256 (hex) of the assessment that the deciders saw."""
    quorum: tuple[str, ...] = ()
    """Who voted for it."""
    votes: tuple[int, ...] = ()
    """Entries of every vote of the round, dissenting ones too."""
    dissent: tuple[Sealed | str, ...] = ()
    conditions: tuple[SealedCondition, ...] = ()
    expires_at: str = ""
