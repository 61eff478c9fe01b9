"""People's names as a directory has them, found in text in linear time."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from pilothouse.text.findings import Finding

# Vowel signs and accents are marks, not letters: without them no Hindi name and no decomposed umlaut is one word.
_MARKS = "\u200c\u200d" + "".join(c for c in map(chr, range(0x300, 0x3100)) if unicodedata.category(c) in ("Mn", "Mc"))
_LETTERS = rf"[^\W\d_]+(?:[{_MARKS}]+[^\W\d_]*)*"
_WORD = re.compile(rf"{_LETTERS}(?:['’\-]{_LETTERS})*")
_GAP = re.compile(r"\.?[ \t\u00a0\u202f]*\n?[ \t\u00a0\u202f]*")
_TITLES = frozenset("mr mrs ms miss dr prof sir herr herrn frau shri smt monsieur madame mme".split())
_EVERYDAY = frozenset("""abbott baker bank banks bauer bell best bishop black brown bush butler carpenter church cook
cross day dean english field fields fisher france french good grant gray green grey hall herzog hill holiday hunter
kaiser king knight koch koenig könig lane law lemaire little long march marsh mason may miller money moon moore page
park parker parks penny pope porter potter power price rich rice richter rose sales schmied schneider schreiber sharp
short small snow sommer star stone street summer teller walker ward waters weber weiss weiß west white winter wood woods
young""".split())
"""Surnames that are everyday words too: alone they name nobody, unless a title stands before them."""

_Token = tuple[int, int, str]
"""Start and end of a word in the text, and its folded form."""


def _folded(text: str) -> str:
    return text.casefold() if text.isascii() else unicodedata.normalize("NFC", text).casefold()


def _bare(word: str) -> str:
    """Return a word without the possessive that English puts behind it."""
    return word[:-2] if word[-2:] in ("'s", "’s", "'S", "’S") else word


class NameIndex:
    """Full names match in any case, also as `Surname, First`; a surname alone matches with a capital, and only if it is
    four letters or longer, nobody shares it, and it is no everyday word.
    """

    def __init__(self, full_names: Iterable[str]) -> None:
        split = {tuple(_folded(w) for w in _WORD.findall(name)) for name in full_names}
        names = sorted(name for name in split if len(name) >= 2)
        shared = Counter(name[-1] for name in names)
        self._surnames = frozenset(s for s, n in shared.items() if n == 1 and len(s) >= 4)
        self._full = frozenset(names) | {(name[-1], *name[:-1]) for name in names}
        self._lengths = tuple(sorted({len(name) for name in names}, reverse=True))
        self._firsts = frozenset(name[0] for name in self._full)
        self._lasts = frozenset(shared)
        self._hints = frozenset(last + ending for last in shared for ending in ("", "s", "'s", "’s"))

    def find(self, text: str) -> Iterator[Finding]:
        """Yield the names in a text, disjoint and in order; the longest name that begins at a word wins."""
        tokens = self._tokens(text)
        i = 0
        while i < len(tokens):
            count = self._count_at(text, tokens, i)
            if count:
                start, end = tokens[i][0], tokens[i + count - 1][1]
                yield Finding(kind="person", start=start, end=end, text=text[start:end])
            i += count or 1

    def _tokens(self, text: str) -> Sequence[_Token]:
        """Return the words of a text; none where no surname occurs, as in most texts."""
        if not self._hints or self._hints.isdisjoint(_WORD.findall(_folded(text))):
            return ()
        return [(m.start(), m.start() + len(w), _folded(w)) for m in _WORD.finditer(text) for w in (_bare(m.group()),)]

    def _count_at(self, text: str, tokens: Sequence[_Token], i: int) -> int:
        """Return how many words from `i` on name a person; 0 when they do not."""
        if tokens[i][2] in self._firsts:
            for length in self._lengths:
                if i + length <= len(tokens) and self._is_full(text, tokens[i:i + length]):
                    return length
        return 1 if self._is_surname(text, tokens, i) else 0

    def _is_full(self, text: str, run: Sequence[_Token]) -> bool:
        words = tuple(word for _, _, word in run)
        if words not in self._full and (*words[:-1], words[-1].removesuffix("s")) not in self._full:
            return False
        gaps = [text[a[1]:b[0]] for a, b in pairwise(run)]
        if gaps[0].startswith(",") and words[0] in self._lasts:
            gaps[0] = gaps[0][1:]
        return all(_GAP.fullmatch(gap) and (gap[0] != "." or len(words[n]) == 1) for n, gap in enumerate(gaps) if gap)

    def _is_surname(self, text: str, tokens: Sequence[_Token], i: int) -> bool:
        start, end, word = tokens[i]
        written = text[start:end]
        if word not in self._surnames or written[0].islower():
            return False
        before = tokens[i - 1][2] if i and text[tokens[i - 1][1]:start].strip(" .\t\u00a0") == "" else ""
        if before in _TITLES:
            return True
        return word not in _EVERYDAY and not self._continues(text, tokens, i)

    @staticmethod
    def _continues(text: str, tokens: Sequence[_Token], i: int) -> bool:
        """Say whether a capitalised word right before makes this somebody else's full name."""
        if i == 0 or text[tokens[i - 1][1]:tokens[i][0]] != " ":
            return False
        begins = i == 1 or text[tokens[i - 2][1]:tokens[i - 1][0]].strip() != ""
        return text[tokens[i - 1][0]].isupper() and not begins
