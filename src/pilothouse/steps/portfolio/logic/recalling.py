"""Learnings recalled: which ones speak about a new proposal, by shared words and nothing hidden."""

import hashlib
from collections.abc import Sequence

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts import PastLearning
from pilothouse.steps.portfolio.contracts.strategy import Learning, LearningEvidence, NewLearning
from pilothouse.text.tokens import content_words

STATEMENT_LENGTH_MAX, ENTRIES_MAX = 1000, 50
SHARED_WORDS_MIN = 2
"""How many content words a learning and a text must share to be about the same thing."""
SHOWN_MAX = 5


def check(new: NewLearning) -> None:
    """Raise Invalid naming the field that does not fit."""
    if not 10 <= len(new.statement.strip()) <= STATEMENT_LENGTH_MAX:
        raise Invalid(f"say in 10 to {STATEMENT_LENGTH_MAX} characters what was learned", field="statement")
    if len(new.entries) > ENTRIES_MAX:
        raise Invalid(f"name at most {ENTRIES_MAX} entries", field="entries")


def key_of(new: NewLearning) -> str:
    """Return the key of a learning sent without one: its use case and its words."""
    return hashlib.sha256(f"{new.use_case}\n{' '.join(new.statement.lower().split())}".encode()).hexdigest()


def is_known(held: Learning, asked: LearningEvidence, use_case_id: str) -> bool:
    """Say whether exactly this evidence was added before."""
    return any((e.stance, e.use_case_id, e.entries) == (asked.stance, use_case_id, asked.entries)
               for e in held.evidence)


def past(learnings: Sequence[Learning]) -> tuple[PastLearning, ...]:
    """Return learnings as intake shows them; one whose author was erased says nothing and is left out."""
    return tuple(PastLearning(id=x.id, statement=x.statement, supports=sum(e.stance == "supports" for e in x.evidence),
                              contradicts=sum(e.stance == "contradicts" for e in x.evidence))
                 for x in learnings if x.statement)


def nearest(learnings: Sequence[Learning], text: str) -> tuple[Learning, ...]:
    """Return the learnings that share most words with a text, at most five; the newer first among equals."""
    words = frozenset(content_words(text))
    scored = [(len(words & frozenset(content_words(x.statement or ""))), x) for x in learnings]
    about = [(n, x) for n, x in scored if n >= SHARED_WORDS_MIN]
    return tuple(x for _, x in sorted(about, key=lambda s: -s[0])[:SHOWN_MAX])
