"""Which passages an answer stands on: its citations, and how much of it they support."""

import re
from collections.abc import Sequence
from dataclasses import replace

from pilothouse.steps.gateway.contracts import AnswerSentence, Citation, SentenceStatus
from pilothouse.steps.knowledge.contracts import Passage
from pilothouse.text.numerals import facts
from pilothouse.text.sentences import Span, sentences
from pilothouse.text.tokens import content_words

MARK = re.compile(r"\s?\[(\d{1,3})\]")
SUPPORT_SHARE = 0.6
"""Share of a sentence's content words that a cited passage must hold to support it."""


def cited(answer: str, passages: Sequence[Passage | None]) -> tuple[int, ...]:
    """Return the numbers (from 1) that an answer cites as `[n]` and that exist, in order of first citation."""
    numbers = (int(m.group(1)) for m in MARK.finditer(answer))
    return tuple(dict.fromkeys(n for n in numbers if 1 <= n <= len(passages)))


def split(answer: str, passages: Sequence[Passage | None]) -> tuple[AnswerSentence, ...]:
    """Split an answer into sentences, each with what it cites and if that supports it; None is a hidden passage."""
    found = []
    for span in sentences(answer):
        piece = span.of(answer)
        numbers = cited(piece, passages)
        plain = MARK.sub("", piece).strip()
        if plain:
            found.append(AnswerSentence(text=plain, citations=numbers,
                                        status=_status(plain, [passages[n - 1] for n in numbers])))
    return tuple(found)


def _status(sentence: str, cited: Sequence[Passage | None]) -> SentenceStatus:
    asked, sources = set(content_words(sentence)), [p for p in cited if p is not None]
    if not asked or (cited and not sources):
        return "not checkable"
    if not sources:
        return "unsupported"
    held = set().union(*(content_words(f"{' '.join(p.heading)} {p.text}") for p in sources))
    known = frozenset().union(*(facts(p.text) for p in sources))
    if not facts(sentence) <= known:
        return "unsupported"
    return "supported" if len(asked & held) >= SUPPORT_SHARE * len(asked) else "unsupported"


def groundedness(parts: Sequence[AnswerSentence]) -> float | None:
    """Return the share of checkable sentences that are supported (0 to 1); None when nothing can be checked."""
    checkable = [p for p in parts if p.status != "not checkable"]
    return sum(p.status == "supported" for p in checkable) / len(checkable) if checkable else None


def citations(numbers: Sequence[int], parts: Sequence[AnswerSentence], passages: Sequence[Passage]
              ) -> tuple[Citation, ...]:
    """Return what an answer cites, each with the sentence of the source that stands behind it."""
    return tuple(_citation(n, [p.text for p in parts if n in p.citations], passages[n - 1]) for n in numbers)


def bare(citations: Sequence[Citation]) -> tuple[Citation, ...]:
    """Return citations without any words of their sources: what may be stored in the clear."""
    return tuple(replace(c, title="", path="", heading=(), quote="") for c in citations)


def filled(citations: Sequence[Citation], passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """Put the words back from the passages that a reader may see now; the others stay bare."""
    seen = {str(p.id): p for p in passages}
    return tuple(_filled(c, seen[c.passage_id]) if c.passage_id in seen else c for c in citations)


def _filled(c: Citation, p: Passage) -> Citation:
    return replace(c, title=p.title, path=p.path, heading=p.heading, quote=p.text[c.start - p.start:c.end - p.start])


def _citation(number: int, claims: Sequence[str], p: Passage) -> Citation:
    span = _best(" ".join(claims), p.text)
    return Citation(number=number, passage_id=p.id, document_id=p.document_id, title=p.title, path=p.path,
                    version=p.version, page=p.page, heading=p.heading, quote=span.of(p.text),
                    start=p.start + span.start, end=p.start + span.end)


def _best(claim: str, source: str) -> Span:
    """Return the sentence of a source that shares most content words with a claim; the whole source if none does."""
    asked = set(content_words(claim))
    spans = sentences(source) or (Span(0, len(source)),)
    return max(spans, key=lambda s: (len(asked & set(content_words(s.of(source)))), -s.start))
