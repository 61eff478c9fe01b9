"""Paragraphs of two documents: which are in both, and which only in one."""

from collections.abc import Sequence

from pilothouse.text.similarity import jaccard, shingles

SAME_SHARE = 0.6
"""Share of common three-word runs from which a paragraph counts as the other document's, too."""
RUN_WORDS = 3


def paragraphs(text: str) -> tuple[str, ...]:
    """Return the paragraphs of a text, in order."""
    return tuple(p.strip() for p in text.split("\n\n") if p.strip())


def only_here(mine: Sequence[str], theirs: Sequence[str]) -> tuple[bool, ...]:
    """Say for each of my paragraphs whether nothing of theirs is like it."""
    others = [shingles(t, RUN_WORDS) for t in theirs]
    return tuple(all(jaccard(shingles(m, RUN_WORDS), o) < SAME_SHARE for o in others) for m in mine)
