"""Evidence for a draft, sentence by sentence: what supports it, what contradicts it, and what stands in no source."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts import Passage
from pilothouse.steps.oversight.contracts import (
    DraftSentence,
    EvidenceStatus,
    Exchange,
    NewFact,
    ReviewDecision,
    ReviewedPassage,
)
from pilothouse.steps.oversight.logic import injecting
from pilothouse.text.numerals import Fact, facts
from pilothouse.text.sentences import sentences
from pilothouse.text.tokens import content_words, words

SUPPORTED_SHARE = 0.6
"""Share of a sentence's content words that one passage sentence must hold to speak about the same thing."""

TEXT_LENGTH_MAX, REASON_LENGTH_MAX = 20_000, 2_000
NEGATIONS = frozenset("""not no never cannot can't won't don't doesn't isn't aren't mustn't neither nor without
nicht kein keine nie ohne""".split())
_MARK = re.compile(r"\s*\[\d{1,2}(?:\s*,\s*\d{1,2})*\]")
_NAME = re.compile(r"(?<![\w\[])[A-ZÄÖÜÉÈ][\w'’-]+(?:[ \u00a0](?:(?:von|van|de|der|di|la) )?[A-ZÄÖÜÉÈ][\w'’-]+)*")
_HELD = re.compile(r"\[[^\]\n]{1,60}\]|⟦[^⟧\n]{1,60}⟧")
"""Placeholders and withheld secrets: what stands in them is nobody's new fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One sentence of a passage, ready to be compared."""

    passage: int
    start: int
    end: int
    words: frozenset[str]
    facts: frozenset[Fact]
    is_negative: bool


def digest(exchange: Exchange) -> str:
    """Return the SHA-256 (hex) of what a reviewer sees: draft, question, and each passage at its version."""
    seen = [exchange.draft, exchange.question, [[p.id, p.version, p.text] for p in exchange.passages]]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=False).encode()).hexdigest()


def evidence(draft: str, passages: Sequence[Passage]) -> tuple[DraftSentence, ...]:
    """Return the sentences of a draft with their evidence.

    A sentence is supported when one passage sentence holds most of its content words and all of its figures;
    contradicted when that passage sentence speaks of the same thing with another figure or the other polarity.
    Source: a lexical heuristic of our own. It cannot see paraphrase, so `nothing found` is no proof of falsehood.
    """
    lines = [line for n, p in enumerate(passages, start=1) for line in _lines(n, p.text)]
    return tuple(_judge(span.of(draft), lines) for span in sentences(draft))


def _lines(number: int, text: str) -> Iterator[_Line]:
    for span in sentences(text):
        part = span.of(text)
        yield _Line(passage=number, start=span.start, end=span.end, words=frozenset(content_words(part)),
                    facts=facts(part), is_negative=_negative(part))


def _negative(text: str) -> bool:
    return not NEGATIONS.isdisjoint(words(text))


def _judge(sentence: str, lines: Sequence[_Line]) -> DraftSentence:
    claim = _MARK.sub("", sentence)
    wanted, figures = frozenset(content_words(claim)), facts(claim)
    if len(wanted) < 2 and not figures:
        return _sentence(sentence, "no claim", None, 0.0, "says nothing that could be checked")
    best = max(lines, key=lambda line: (_share(wanted, line), figures <= line.facts), default=None)
    share = _share(wanted, best) if best else 0.0
    if best is None or share < SUPPORTED_SHARE:
        return _sentence(sentence, "nothing found", best if share > 0 else None, share, "no passage says this")
    return _sentence(sentence, *_compared(claim, figures, best, share))


def _compared(claim: str, figures: frozenset[Fact], best: _Line, share: float
              ) -> tuple[EvidenceStatus, _Line, float, str]:
    missing = figures - best.facts
    rivals = {f.value for f in best.facts - figures if any(f.kind == m.kind for m in missing)}
    if missing and rivals:
        return "contradicted", best, share, f"the passage says {', '.join(sorted(rivals))}"
    if missing:
        return "nothing found", best, share, f"no source for {', '.join(sorted(f.value for f in missing))}"
    if _negative(claim) != best.is_negative:
        return "contradicted", best, share, "one of the two denies what the other says"
    return "supported", best, share, f"{share:.0%} of its words stand in this sentence"


def _share(wanted: frozenset[str], line: _Line) -> float:
    return len(wanted & line.words) / len(wanted) if wanted else 0.0


def _sentence(text: str, status: EvidenceStatus, line: _Line | None, share: float, says: str) -> DraftSentence:
    return DraftSentence(text=text, status=status, passage=line.passage if line else None, says=says,
                         start=line.start if line else 0, end=line.end if line else 0, share=round(share, 3))


def new_facts(draft: str, question: str, passages: Sequence[Passage]) -> tuple[NewFact, ...]:
    """Return figures, dates and names of the draft that stand neither in a passage nor in the question."""
    sources = [question, *(f"{p.title} {' '.join(p.heading)} {p.text}" for p in passages)]
    known = frozenset(f for s in sources for f in facts(s))
    spoken = frozenset(w for s in sources for w in words(s))
    return tuple(dict.fromkeys(new for n, span in enumerate(sentences(draft))
                               for new in _new_in(_HELD.sub(" ", span.of(draft)), n, known, spoken)))


def _new_in(sentence: str, number: int, known: frozenset[Fact], spoken: frozenset[str]) -> Iterator[NewFact]:
    for fact in sorted(facts(sentence) - known, key=lambda f: (f.kind, f.value)):
        yield NewFact(kind=fact.kind, text=fact.value, sentence=number)
    for name in _names(sentence):
        if not spoken.issuperset(words(name)):
            yield NewFact(kind="name", text=name, sentence=number)


def _names(sentence: str) -> Iterator[str]:
    """Yield capitalised words that do not merely begin the sentence."""
    for match in _NAME.finditer(sentence):
        begins = not sentence[:match.start()].strip(" \"'“„-*•#0123456789.)")
        name = match.group().partition(" ")[2] if begins else match.group()
        if name[:1].isupper():
            yield name


def shown(passages: Sequence[Passage]) -> tuple[ReviewedPassage, ...]:
    """Return passages as reviewers read them, with what is suspicious about each."""
    return tuple(ReviewedPassage(
        number=n, passage_id=p.id, title=p.title, path=p.path, version=p.version, page=p.page, heading=p.heading,
        text=p.text, label=p.label, suspicions=injecting.suspect(p.text, "passage").rules)
        for n, p in enumerate(passages, start=1))


def check(request: ReviewDecision) -> None:
    """Raise Invalid naming the field that the decision lacks."""
    if request.decision in ("send back", "escalate") and not request.reason.strip():
        raise Invalid(f"say why you {request.decision}, in words that help whoever reads it", field="reason")
    if len(request.reason) > REASON_LENGTH_MAX:
        raise Invalid(f"a reason has at most {REASON_LENGTH_MAX} characters", field="reason")
    if request.decision == "edit" and not request.text.strip():
        raise Invalid("an edit needs the better answer; to give none, send it back", field="text")
    if request.decision != "edit" and request.text:
        raise Invalid(f"`{request.decision}` takes no text; to change the answer, choose edit", field="text")
    if len(request.text) > TEXT_LENGTH_MAX:
        raise Invalid(f"an answer has at most {TEXT_LENGTH_MAX} characters", field="text")
