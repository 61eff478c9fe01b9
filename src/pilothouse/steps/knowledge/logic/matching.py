"""Which documents a question is about: the names and periods it states, against what documents are named and dated."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

from pilothouse.steps.knowledge.contracts.matching import Held
from pilothouse.text.tokens import STOPWORDS

NAMES_MAX = 40
"""Names kept of a document: those in most of its passages."""
COMMON_SHARE = 0.5
"""A name of more than this share of all documents tells none apart."""
NEAR_BEST = 0.4
"""A document takes part if it has this much of the weight of the best one."""
DOCUMENTS_MAX = 64
"""A question that fits more documents than this is about none in particular."""
SPREAD_MAX = 8
"""Documents that an answer is gathered from one by one."""

_CAPITAL = re.compile(r"[^\W\d_][\w&]*[^\W_]")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;•▪\n|\"“(])\s*$")
_RUN = re.compile(r"(?<!\w)(?:[^\W\d_a-z][\w&.-]*[^\W_](?:['’]s\b)?)(?:[ \t]+[^\W\d_a-z][\w&.-]*[^\W_](?:['’]s\b)?)*")
_CALENDAR = frozenset(
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday januar februar märz mai juni juli oktober dezember".split())
_NUMBERED_DAY = r"(?:\d{1,2}(?:st|nd|rd|th)? )?"
_DAY = re.compile(rf"\b{_NUMBERED_DAY}(?:{'|'.join(sorted(_CALENDAR))}) {_NUMBERED_DAY}\d{{4}}\b"
                  r"|\b\d{4} \d\d \d\d\b|\b\d\d? \d\d? \d{4}\b")
"""A month or day with its year: a day on which something happens, and no period that a report is about."""
_POSSESSIVE = re.compile(r"['’]s\b")
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}
_YEAR = r"((?:19|20)\d\d)"
_PERIOD = re.compile(
    rf"\b{_YEAR} ?q([1-4])\b|\bq([1-4]) (?:of )?(?:fy ?|fiscal )?(?:year )?{_YEAR}\b|\b([1-4])q ?{_YEAR}\b"
    rf"|\b({'|'.join(_ORDINALS)}) quarter (?:of )?(?:the )?(?:fiscal )?(?:year )?{_YEAR}\b|\b{_YEAR}\b")
_LATEST = re.compile(r"\b(?:latest|most recent|newest|neueste[nrs]?|jüngste[nrs]?|la plus récente|más reciente)\b")
_EARLIER = re.compile(r"\b(?:previous|prior|earlier|preceding|past|vorige[nrs]?|frühere[nrs]?)\b")
_SPREAD = re.compile(
    r"\b(?:over time|over the|across|compar\w+|versus|vs|trends?|chang\w+|evol\w+|each|differ\w*|previous|prior|varied|"
    r"vary|fluctuat\w+|(?:quarter|year|month)(?:ly)?[ -]to[ -](?:quarter|year|month)|periods|quarters|years|reports|"
    r"vergl\w+|entwickel\w+|jeweils)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a question says of the documents it is about; empty when it says nothing."""

    mentions: tuple[tuple[str, ...], ...]
    """Names, each of one or more words, lower-cased."""
    periods: frozenset[str]
    """Such as `2023q1`, or `2023` where no quarter is said."""
    latest: bool
    spread: bool
    """The answer is to be gathered from several documents."""

    def __bool__(self) -> bool:
        return bool(self.mentions or self.periods)


def wanted(question: str) -> Wanted:
    """Read a question's names (words in capitals, but for the first of a sentence) and periods."""
    low = _plain(question)
    return Wanted(mentions=tuple(dict.fromkeys(_mentions(question))), periods=_stated(low),
                  latest=bool(_LATEST.search(low)) and not _EARLIER.search(low), spread=bool(_SPREAD.search(low)))


def names_of(title: str, path: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Return what a document goes by: the words of its title and path, and the names that most passages hold."""
    own = [w for w in re.findall(r"[^\W\d_]+", f"{_stem(path)} {title}".lower()) if len(w) > 1 and w not in STOPWORDS]
    held: Counter[str] = Counter()
    for text in texts:
        held.update({m.group().lower() for m in _CAPITAL.finditer(text) if m.group()[0].isupper()
                     and not _SENTENCE_START.search(text, max(0, m.start() - 4), m.start())})
    common = (w for w, _ in sorted(held.items(), key=lambda x: (-x[1], x[0]))
              if w not in STOPWORDS | _CALENDAR)
    return tuple(dict.fromkeys([*own, *[w for w, _ in zip(common, range(NAMES_MAX), strict=False)]]))


def periods_of(title: str, path: str) -> frozenset[str]:
    """Return the periods in a document's title and path; a quarter brings its year."""
    found = _stated(_plain(f"{path} {title}"))
    return found | {p[:4] for p in found}


def day_of(periods: Iterable[str], effective_on: str) -> str:
    """Return the ISO day by which a document is older or newer than another; empty when nothing says."""
    days = [f"{p[:4]}-{3 * int(p[5]) - 2:02}-01" if len(p) > 4 else f"{p}-01-01" for p in periods]
    return max(days, default=effective_on)


def weights(mentions: Sequence[Sequence[str]], frequency: Mapping[str, int], documents: int) -> Mapping[str, float]:
    """Weigh each word of the mentions by its rarity among documents; a mention's weight is shared by its words."""
    found: dict[str, float] = {}
    for mention in mentions:
        for word in mention:
            held = frequency.get(word, 0)
            if 0 < held <= COMMON_SHARE * documents:
                found[word] = max(found.get(word, 0.0), log(1 + documents / held) / len(mention))
    return found


def attempts(weights: Mapping[str, float], periods: frozenset[str]
             ) -> Iterable[tuple[Mapping[str, float], frozenset[str]]]:
    """Yield what to look for, the strictest first: names and periods, names and years, either alone."""
    years = frozenset(p[:4] for p in periods)
    tries = [(weights, periods), (weights, years), (weights, frozenset[str]()), ({}, periods)]
    return (t for n, t in enumerate(tries) if any(t) and t not in tries[:n])


def chosen(fits: Sequence[Held], latest: bool) -> tuple[Held, ...]:
    """Return the documents that fit best; nothing when too many do, for then the question tells none apart."""
    best = max((f.weight for f in fits), default=0.0)
    near = [f for f in fits if f.weight >= NEAR_BEST * best]
    if latest and near:
        top = [f for f in near if f.weight == best]
        newest = max(f.day for f in top)
        return tuple(f for f in top if f.day == newest) if newest else tuple(near)
    return tuple(near) if len(near) <= DOCUMENTS_MAX else ()


def gathering(question: Wanted, fits: Sequence[Held]) -> Literal["together", "one by one"]:
    """Say whether each document is to be searched by itself, so that none crowds out the others."""
    return "one by one" if (question.spread or len(question.periods) > 1) and 1 < len(fits) <= SPREAD_MAX \
        else "together"


def _mentions(question: str) -> Iterable[tuple[str, ...]]:
    for run in _RUN.finditer(question):
        words = [w.lower() for w in _POSSESSIVE.sub("", run.group()).split()]
        words = [p for w in words for p in re.findall(r"\w[\w&]*", w)]
        kept = tuple(w for w in words if w not in STOPWORDS | _CALENDAR and not re.fullmatch(r"q[1-4]|\d+|[1-4]q", w))
        if kept:
            yield kept


def _stated(low: str) -> frozenset[str]:
    found = set()
    for m in _PERIOD.finditer(_DAY.sub(" ", low)):
        y1, q1, q2, y2, q3, y3, ordinal, y4, y5 = m.groups()
        quarter = q1 or q2 or q3 or (str(_ORDINALS[ordinal]) if ordinal else "")
        found.add((y1 or y2 or y3 or y4 or y5) + (f"q{quarter}" if quarter else ""))
    return frozenset(found)


def _plain(text: str) -> str:
    return re.sub(r"[\s_/.,'’-]+", " ", text.lower())


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder} {name.rpartition('.')[0] or name}"
