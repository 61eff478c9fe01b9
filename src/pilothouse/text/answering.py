"""Which sentences answer a question: selected, ordered and scored, or none when the texts do not answer."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from pilothouse.text.numerals import facts
from pilothouse.text.sentences import Span, sentences
from pilothouse.text.tokens import content_words, words

Likeness = Callable[[str, Sequence[str]], Sequence[float]]
"""Scores sentences against a question in [-1, 1], such as cosines of an embedder; costs milliseconds a sentence."""

CANDIDATES_MAX = 12
"""Sentences that the likeness sees: those best by words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One sentence of one text, and how well it seems to answer (0 to about 1)."""

    text_number: int
    span: Span
    score: float
    coverage: float
    """Share of the question's weighted content words that it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Where selection draws its lines; calibrated as a whole by `bench/answers.py`, never on single questions."""

    least: float = 0.42
    """Below this score of the best sentence the texts do not answer."""
    near: float = 0.8
    """Further sentences must reach this share of the best one's score."""
    sentences_max: int = 3
    likeness_weight: float = 0.5
    expected_weight: float = 0.15
    rank_weight: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The sentences that answer, in reading order; empty when nothing reaches the line. `best` is the top score."""

    chosen: tuple[Candidate, ...]
    best: float


def select(question: str, texts: Sequence[str], *, tuning: Tuning | None = None, likeness: Likeness | None = None
           ) -> Selection:
    """Choose the sentences of `texts` (best first, as retrieval ranked them) that answer the question."""
    tuning = tuning or Tuning()
    ranked = rank(question, texts, tuning=tuning, likeness=likeness)
    if not ranked or ranked[0].score < tuning.least:
        return Selection(chosen=(), best=ranked[0].score if ranked else 0.0)
    line = ranked[0].score * tuning.near
    chosen = [c for c in ranked if c.score >= line][:tuning.sentences_max]
    return Selection(chosen=tuple(sorted(chosen, key=lambda c: (c.text_number, c.span.start))), best=ranked[0].score)


def rank(question: str, texts: Sequence[str], *, tuning: Tuning, likeness: Likeness | None = None
         ) -> Sequence[Candidate]:
    """Return the candidate sentences, best first."""
    asked = frozenset(content_words(question))
    found = [(n, span, span.of(text)) for n, text in enumerate(texts) for span in sentences(text)]
    bags = [frozenset(content_words(s)) for _, _, s in found]
    if not asked or not found:
        return ()
    weight = _weights(asked, bags)
    scored = [_scored(question, n, span, s, _coverage(weight, bag), tuning)
              for (n, span, s), bag in zip(found, bags, strict=True) if bag & asked and len(bag) > 1]
    scored.sort(key=lambda c: -c.score)
    return _blended(question, texts, scored[:CANDIDATES_MAX], tuning, likeness) if likeness else scored


def _weights(asked: frozenset[str], bags: Sequence[frozenset[str]]) -> Mapping[str, float]:
    """Weigh the question's words by rarity among the candidate sentences (as BM25 does), so that rare ones decide."""
    n = len(bags)
    return {w: log(1 + (n - df + 0.5) / (df + 0.5)) for w in asked for df in (sum(w in b for b in bags),)}


def _coverage(weight: Mapping[str, float], bag: frozenset[str]) -> float:
    total = sum(weight.values())
    return sum(v for w, v in weight.items() if w in bag) / total if total else 0.0


def _scored(question: str, number: int, span: Span, sentence: str, coverage: float, tuning: Tuning) -> Candidate:
    expected = tuning.expected_weight if holds_expected(question, sentence) else 0.0
    prior = tuning.rank_weight / (1 + number)
    heading = 0.5 if len(words(sentence)) < 4 or sentence.rstrip().endswith("?") else 1.0
    return Candidate(text_number=number, span=span, coverage=coverage,
                     score=heading * (coverage + expected + prior) / (1 + tuning.expected_weight + tuning.rank_weight))


def _blended(question: str, texts: Sequence[str], candidates: Sequence[Candidate], tuning: Tuning, likeness: Likeness
             ) -> Sequence[Candidate]:
    alike = likeness(question, [c.span.of(texts[c.text_number]) for c in candidates])
    w = tuning.likeness_weight
    blended = [Candidate(text_number=c.text_number, span=c.span, coverage=c.coverage,
                         score=(1 - w) * c.score + w * max(0.0, float(a))) for c, a in zip(candidates, alike, strict=True)]
    return sorted(blended, key=lambda c: -c.score)


_QUANTITY = re.compile(r"\bhow (?:many|much|long|often|old|far|high|large|big|late|early|soon|fast)\b|\bwhat (?:\w+ ){0,3}"
                       r"(?:number|amount|share|percentage|rate|limit|fee|price|cost|deadline|threshold|revenue|sales)\b")
_TIME = re.compile(r"\bwhen\b|\bwhat (?:year|date|day|month|time)\b|\bby when\b")
_PERSON = re.compile(r"\bwho\b|\bwhom\b|\bwhose\b")
_PLACE = re.compile(r"\bwhere\b|\bwhich (?:country|city|state|branch)\b")
_CLOCK = re.compile(r"\b\d{1,2}[:.]\d{2}\b|\b(?:1[0-9]|20)\d\d\b|\b(?:day|week|month|year|hour|minute|monday|friday)s?\b")
_CAPITAL = re.compile(r"(?<=[a-z,;] )[A-Z][\w'’-]+")
_SPELLED = re.compile(r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|hundred|daily|weekly"
                      r"|monthly|annual|yearly)\b")


def holds_expected(question: str, sentence: str) -> bool:
    """Say whether a sentence holds the kind of thing the question word asks for: a figure, a time, a name, a place."""
    asked, lowered = question.lower(), sentence.lower()
    if _QUANTITY.search(asked):
        return bool(facts(sentence) - facts(question)) or bool(_SPELLED.search(lowered))
    if _TIME.search(asked):
        return bool(_CLOCK.search(lowered))
    if _PERSON.search(asked) or _PLACE.search(asked):
        return bool(set(_CAPITAL.findall(sentence)) - set(_CAPITAL.findall(question)))
    return False
