"""Which sentences answer a question: selected, ordered and scored, or none when the texts do not answer."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from pilothouse.text.expecting import expectation
from pilothouse.text.sentences import Span, sentences
from pilothouse.text.tokens import content_words, words

Likeness = Callable[[str, Sequence[str]], Sequence[float]]
"""Scores sentences against a question in [-1, 1], such as cosines of an embedder; costs milliseconds a sentence."""

_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
CANDIDATES_MAX = 16
"""Sentences that the likeness sees: those best by words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One sentence of one text, and how well it seems to answer (0 to about 1)."""

    text_number: int
    span: Span
    score: float
    share: float
    """Share of the question's content words that it holds, each counted alike."""
    alike: float | None = None
    """Its likeness to the question, where one was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Where selection draws its lines; calibrated over whole sets by `bench/answers.py`, never on single questions."""

    least_share: float = 0.36
    """Without a likeness: below this share of the question's words in its best sentence, the texts do not answer."""
    least_likeness: float = 0.50
    """With one: below this mean of the best sentence's score and the highest likeness, the texts do not answer."""
    missing_year: float = 0.15
    """Taken off that evidence when a year of the question stands nowhere in the texts or their headings."""
    near: float = 0.55
    """Further sentences must reach this part of the best one's score; words alone spread wider, see `near_words`."""
    near_words: float = 0.25
    sentences_max: int = 4
    likeness_weight: float = 0.7
    expected_weight: float = 0.1
    context_weight: float = 0.1
    rank_weight: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The sentences that answer, in reading order; empty when the evidence (0 to 1) stays under its line."""

    chosen: tuple[Candidate, ...]
    evidence: float


def select(question: str, texts: Sequence[str], *, contexts: Sequence[str] = (), tuning: Tuning | None = None,
           likeness: Likeness | None = None) -> Selection:
    """Choose the sentences of `texts` (best first, as retrieval ranked them) that answer the question.

    `contexts`, where given, holds the title and headings above each text: they help to choose between texts, and a
    year that stands there counts as found, but they never make a text answer.
    """
    tuning = tuning or Tuning()
    ranked = rank(question, texts, contexts=contexts, tuning=tuning, likeness=likeness)
    if not ranked:
        return Selection(chosen=(), evidence=0.0)
    evidence, least = _evidence(ranked, tuning)
    if set(_YEAR.findall(question)) - set(_YEAR.findall(" ".join((*texts, *contexts)))):
        evidence -= tuning.missing_year
    chosen = _near_best(ranked, tuning) if evidence >= least else ()
    return Selection(chosen=tuple(sorted(chosen, key=lambda c: (c.text_number, c.span.start))),
                     evidence=round(max(0.0, evidence), 4))


def rank(question: str, texts: Sequence[str], *, contexts: Sequence[str] = (), tuning: Tuning,
         likeness: Likeness | None = None) -> Sequence[Candidate]:
    """Return the candidate sentences, best first; without a likeness, only those that share a word."""
    asked = frozenset(content_words(question))
    found = [(n, span, span.of(text)) for n, text in enumerate(texts) for span in sentences(text)]
    bags = [frozenset(content_words(s)) for _, _, s in found]
    if not found or not (asked or likeness):
        return ()
    weight, expected = _weights(asked, bags), expectation(question)
    priors = _priors(weight, len(texts), contexts, tuning)
    scored = [Candidate(text_number=n, span=span, share=len(asked & bag) / max(1, len(asked)), score=_full(s) * (
                  _coverage(weight, bag) + tuning.expected_weight * expected(s) + priors[n]))
              for (n, span, s), bag in zip(found, bags, strict=True) if len(bag) > 1 and (likeness or bag & asked)]
    scored.sort(key=lambda c: -c.score)
    return _blended(question, texts, scored[:CANDIDATES_MAX], tuning, likeness) if likeness else scored


def _priors(weight: Mapping[str, float], count: int, contexts: Sequence[str], tuning: Tuning) -> Sequence[float]:
    """Return what each text brings before its sentences are read: its rank, and its title and headings."""
    above = [_coverage(weight, frozenset(content_words(c))) for c in contexts] or [0.0] * count
    return [tuning.rank_weight / (1 + n) + tuning.context_weight * a for n, a in enumerate(above)]


def _near_best(ranked: Sequence[Candidate], tuning: Tuning) -> Sequence[Candidate]:
    near = tuning.near if ranked[0].alike is not None else tuning.near_words
    return [c for c in ranked if c.score >= near * ranked[0].score][:tuning.sentences_max]


def _evidence(ranked: Sequence[Candidate], tuning: Tuning) -> tuple[float, float]:
    """Return how well the texts seem to answer, and the least that counts as an answer."""
    alike = [c.alike for c in ranked if c.alike is not None]
    if alike:
        return (max(alike) + ranked[0].score) / 2, tuning.least_likeness
    return max(c.share for c in ranked), tuning.least_share


def _weights(asked: frozenset[str], bags: Sequence[frozenset[str]]) -> Mapping[str, float]:
    """Weigh the question's words by rarity among the candidate sentences (as BM25 does), so that rare ones decide."""
    n = len(bags)
    return {w: log(1 + (n - df + 0.5) / (df + 0.5)) for w in asked for df in (sum(w in b for b in bags),)}


def _coverage(weight: Mapping[str, float], bag: frozenset[str]) -> float:
    total = sum(weight.values())
    return sum(v for w, v in weight.items() if w in bag) / total if total else 0.0


def _full(sentence: str) -> float:
    """Return less for what is hardly a sentence: a heading, a stub, a question."""
    return 0.6 if len(words(sentence)) < 5 or sentence.rstrip().endswith("?") else 1.0


def _blended(question: str, texts: Sequence[str], candidates: Sequence[Candidate], tuning: Tuning, likeness: Likeness
             ) -> Sequence[Candidate]:
    spans = [c.span.of(texts[c.text_number]) for c in candidates]
    w = tuning.likeness_weight
    blended = [Candidate(text_number=c.text_number, span=c.span, share=c.share, alike=a,
                         score=(1 - w) * c.score + w * _full(s) * max(0.0, a))
               for c, s, a in zip(candidates, spans, map(float, likeness(question, spans)), strict=True)]
    return sorted(blended, key=lambda c: -c.score)
