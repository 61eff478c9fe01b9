"""Contradictions: sentences of two documents about the same thing whose figures, dates or rules cannot both hold."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt

from pilothouse.steps.knowledge.contracts.cleansing import Mark, Text, Told
from pilothouse.text.numerals import facts
from pilothouse.text.sentences import sentences
from pilothouse.text.tokens import content_words, stem

Likeness = Callable[[Sequence[str], Sequence[tuple[int, int]]], Sequence[float]]
"""Returns the cosine of each pair of some texts, given by their positions; costs milliseconds a text."""

POSTINGS_MAX = 60
"""A stem that more sentences hold than this names no subject; it is not used to bring sentences together."""
PAIRS_MAX = 4_000
"""Sentence pairs looked at closely, best by words first."""
WORDS_MIN, WORDS_MAX = 4, 60
"""Sentences outside carry no rule of their own, or several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """Where a contradiction is told; `bench/contradictions.py` measures it on planted pairs that it was not set on."""

    words_least: float = 0.25
    """Least weighted share of common words for a pair to be looked at."""
    evidence_least: float = 0.52
    """With a likeness: least mean of the words' share, the cosine of the sentences, and that with their headings."""
    words_enough: float = 0.5
    """Without one: least share of common words."""
    rule_least: float = 0.6
    """A rule against its opposite, without figures, must be worded this much alike, and its evidence reach this."""
    shared_least: int = 3
    """Subject words in common, headings included; two of them must stand in the sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """One sentence: its figures by what they measure, its rule, its subject words, and the places it holds for."""

    home: Text
    span: tuple[int, int]
    figures: Mapping[str, frozenset[str]]
    rule: str
    stems: frozenset[str]
    above: frozenset[str]
    """Words of its title and headings."""
    places: frozenset[str]

    @property
    def text(self) -> str:
        return self.home.text[self.span[0]:self.span[1]]


_WORDED = {w: str(n) for n, w in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve".split())}
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_SCALES = "million|thousand|billion|lakh|crore"
_FIGURE = re.compile(
    r"(?P<time>(?<![\d.:])(?:[01]?\d|2[0-3]):[0-5]\d(?![\d:]))"
    rf"|(?P<date>\d{{4}}-\d{{2}}-\d{{2}}\b|\b\d{{1,2}}(?:st|nd|rd|th)? (?:{_MONTHS})[a-z]* \d{{4}}\b"
    rf"|\b(?:{_MONTHS})[a-z]* \d{{1,2}},? \d{{4}}\b)"
    rf"|(?P<money>(?:[€$£₹]|\b(?:eur|usd|gbp|inr|chf)\b)\s?\d(?:[\d.,]*\d)?(?:\s?(?:{_SCALES}|k|m)\b)?"
    rf"|\b\d(?:[\d.,]*\d)?\s?(?:(?:{_SCALES}) )?(?:[€$£₹]|(?:eur|usd|gbp|inr|chf|euros?|dollars|rupees)\b))"
    r"|(?P<percent>\b\d(?:[\d.,]*\d)?\s?(?:%|percent\b|per cent\b))"
    rf"|(?P<count>(?<![\w.,:/-])(?:\d[\d,]*(?:\.\d+)?|{'|'.join(_WORDED)}))[ \u00a0-]"
    r"(?P<unit>(?:(?:working|business|calendar|consecutive|full|full-time|more|days'|months'|other) )?[^\W\d_]{2,})",
    re.IGNORECASE)
_BROAD = {"year": ("month", 12), "month": ("month", 1), "week": ("day", 7), "day": ("day", 1), "hour": ("hour", 1)}
_NO_UNITS = frozenset("of and or to in on at by the a an is are was were per for from with as".split())
_NEGATION = re.compile(r"\b(?:not|never|no longer|cannot|nobody|none|prohibited|forbidden)\b|n['’]t\b", re.IGNORECASE)
_MUST = re.compile(r"\b(?:must|shall|required|mandatory|always|obliged|has to|have to)\b", re.IGNORECASE)
_MAY = re.compile(r"\b(?:may|can|allowed|permitted|optional|voluntary|free to)\b", re.IGNORECASE)
_PLACES = frozenset(stem(w) for w in """germany german ireland irish india indian france french spain spanish italy
italian poland polish portugal portuguese netherlands dutch belgium austria austrian switzerland swiss uk british
england scotland wales usa american canada europe dublin berlin mumbai london paris""".split())
_OPPOSED = {frozenset(p) for p in (("must", "must not"), ("may", "must not"), ("is", "is not"))}
_RULE_WORDS = frozenset(stem(w) for w in """must shall required mandatory always obliged may can allowed permitted
optional voluntary not never cannot nobody none prohibited forbidden longer eur usd gbp inr chf euro dollar day week
month year hour minute working business calendar item value feature use""".split())
_FRONT = re.compile(r"\b(?:version|effective|supersedes|owner|date of incident|report version|classification):",
                    re.IGNORECASE)
"""Lines about the document itself: they differ between any two, and contradict nothing."""


def figures(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield (what it measures, value in normal form, start, end) of each figure of a text."""
    for m in _FIGURE.finditer(text):
        kind, said = m.lastgroup if m.lastgroup != "unit" else "count", m.group(0)
        if kind == "count":
            yield from _counted(m)
        elif kind == "time":
            yield "time", said.zfill(5), m.start(), m.end()
        else:
            for fact in facts(said):
                measure = fact.value[:3] if fact.kind == "money" else fact.kind
                yield measure, fact.value, m.start(), m.end()


def _counted(m: "re.Match[str]") -> Iterator[tuple[str, str, int, int]]:
    """Read a count with its unit; years and months meet, and so do weeks and days, but not working days with others."""
    words = m["unit"].lower().split()
    unit, number = stem(words[-1]), m["count"].lower().replace(",", "")
    if words[-1] in _NO_UNITS:
        return
    value = float(_WORDED.get(number, number))
    base, times = _BROAD.get(unit, (unit, 1))
    working = "working " if words[0] in ("working", "business") else ""
    yield working + base, f"{value * times:g}", m.start(), m.end()


def told(texts: Sequence[Text], apart: frozenset[frozenset[str]] = frozenset(), *, likeness: Likeness | None = None,
         tuning: Tuning | None = None) -> tuple[Told, ...]:
    """Return the pairs of sentences that cannot both hold, best first, one for two passages.

    `apart` names pairs of documents that are not compared: versions and copies of one another, told elsewhere.
    Without a likeness the words alone decide: fewer are found, and those are worded alike.
    """
    tuning = tuning or Tuning()
    said = [s for t in texts for s in _said(t)]
    pairs = _alike(said, _weights(said), apart, tuning)
    cosines = _cosines(said, pairs, likeness)
    best: dict[tuple[str, str], Told] = {}
    for n, (i, j, share) in enumerate(pairs):
        evidence = share if cosines is None else (share + sum(cosines[n])) / 3
        if differs := _differs(said[i], said[j], share, evidence, tuning, bare=cosines is None):
            found = _told(said[i], said[j], evidence, differs)
            held = best.get((found.left, found.right))
            best[found.left, found.right] = max(held or found, found, key=lambda f: f.share)
    return tuple(sorted(best.values(), key=lambda f: (-f.share, f.left, f.right)))


def _said(text: Text) -> Iterator[_Said]:
    for span in sentences(text.text):
        one = span.of(text.text).rstrip()
        stems = frozenset(content_words(one))
        held: dict[str, set[str]] = defaultdict(set)
        for measure, value, _, _ in figures(one):
            held[measure].add(value)
        rule = rule_of(one)
        if WORDS_MIN <= len(one.split()) <= WORDS_MAX and not _FRONT.search(one):
            above = frozenset(content_words(text.context))
            places = (stems | above) & _PLACES
            subject = frozenset(s for s in stems - _RULE_WORDS if not s[0].isdigit()) - _WORDED.keys()
            yield _Said(home=text, span=(span.start, span.start + len(one)), rule=rule, stems=subject, above=above,
                        places=places,                        figures={k: frozenset(v) for k, v in held.items()})


def rule_of(text: str) -> str:
    """Return what a sentence rules: `must`, `may`, `must not`, `is not`, or `is` where it only states."""
    negated = len(_NEGATION.findall(text)) % 2 == 1
    if _MUST.search(text) or _MAY.search(text):
        return "must not" if negated else "must" if _MUST.search(text) else "may"
    return "is not" if negated else "is"


def _weights(said: Iterable[_Said]) -> Mapping[str, float]:
    """Weigh subject words by rarity among sentences."""
    held = Counter(w for s in said for w in s.stems)
    n = max(1, sum(1 for _ in said))
    return {w: log(1 + n / df) for w, df in held.items()}


def _alike(said: Sequence[_Said], weights: Mapping[str, float], apart: frozenset[frozenset[str]], tuning: Tuning
           ) -> list[tuple[int, int, float]]:
    """Return pairs of sentences of two documents that share enough words (a cosine of weighted words), best first."""
    postings: dict[str, list[int]] = defaultdict(list)
    norms = [sqrt(sum(weights[w] ** 2 for w in s.stems)) or 1.0 for s in said]
    held = Counter(w for s in said for w in s.stems)
    found: list[tuple[int, int, float]] = []
    for j, s in enumerate(said):
        naming = [w for w in s.stems if held[w] <= POSTINGS_MAX]
        for i in sorted({i for w in naming for i in postings[w]}):
            share = sum(weights[w] ** 2 for w in said[i].stems & s.stems) / (norms[i] * norms[j])
            if share >= tuning.words_least and _comparable(said[i], s, apart, tuning):
                found.append((i, j, share))
        for word in naming:
            postings[word].append(j)
    return sorted(found, key=lambda p: (-p[2], p[:2]))[:PAIRS_MAX]


def _comparable(one: _Said, other: _Said, apart: frozenset[frozenset[str]], tuning: Tuning) -> bool:
    """Say whether two sentences of different documents are about one thing, in the same places, and could clash."""
    documents = frozenset((one.home.document, other.home.document))
    if len(documents) < 2 or documents in apart or one.places != other.places:
        return False
    clashing = _clashing(one, other)
    units = {stem(w) for m in clashing for w in m.split()}
    within = one.stems & other.stems - units
    shared = (one.stems | one.above) & (other.stems | other.above) - units
    return (len(within) >= 2 and len(shared) >= tuning.shared_least
            and bool(clashing or frozenset((one.rule, other.rule)) in _OPPOSED))


def _clashing(one: _Said, other: _Said) -> tuple[str, ...]:
    """Return the measures of which both give figures and none in common.

    A sentence about one dated day is an exception to a rule, not its opposite.
    """
    if ("date" in one.figures) != ("date" in other.figures):
        return ()
    return tuple(m for m in sorted(one.figures.keys() & other.figures.keys())
                 if not one.figures[m] & other.figures[m])


def _cosines(said: Sequence[_Said], pairs: Sequence[tuple[int, int, float]], likeness: Likeness | None
             ) -> list[tuple[float, float]] | None:
    """Return the cosines of each pair: of the sentences alone, and with the titles and headings above them."""
    if likeness is None:
        return None
    wanted = sorted({i for a, b, _ in pairs for i in (a, b)})
    at = {i: n for n, i in enumerate(wanted)}
    places = [(at[i], at[j]) for i, j, _ in pairs]
    alone = likeness([said[i].text for i in wanted], places)
    under = likeness([f"{said[i].home.context} · {said[i].text}" for i in wanted], places)
    return list(zip(alone, under, strict=True))


def _differs(one: _Said, other: _Said, share: float, evidence: float, tuning: Tuning, *, bare: bool
             ) -> tuple[str, ...]:
    """Return in what two sentences differ, if they are about the same thing; nothing otherwise."""
    if clashing := _clashing(one, other):
        return clashing if evidence >= (tuning.words_enough if bare else tuning.evidence_least) else ()
    alike = share >= tuning.rule_least and evidence >= tuning.rule_least
    return ("rule",) if alike and one.figures == other.figures \
        and frozenset((one.rule, other.rule)) in _OPPOSED else ()


def _told(one: _Said, other: _Said, evidence: float, differs: tuple[str, ...]) -> Told:
    left, right = sorted((one, other), key=lambda s: s.home.passage)
    return Told(left=left.home.passage, right=right.home.passage, left_span=left.span, right_span=right.span,
                differs=differs, share=round(min(1.0, evidence), 3))


def marks(text: str, span: tuple[int, int], differs: Sequence[str]) -> tuple[Mark, ...]:
    """Return what to mark in a passage: the sentence, and within it the figures or rule words that differ."""
    sentence = text[span[0]:span[1]]
    found = [Mark(start=span[0] + a, end=span[0] + b, kind="differs") for m, _, a, b in figures(sentence)
             if m in differs]
    if "rule" in differs:
        found += [Mark(start=span[0] + m.start(), end=span[0] + m.end(), kind="differs")
                  for pattern in (_NEGATION, _MUST, _MAY) for m in pattern.finditer(sentence)]
    return (Mark(start=span[0], end=span[1], kind="sentence"), *sorted(set(found), key=lambda m: m.start))
