"""Copies, near copies and outdated versions among documents, said so that their owner understands."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

from pilothouse.steps.knowledge.contracts import Filed, Finding
from pilothouse.text.similarity import jaccard, shingles

NEAR_SHARE = 0.6
"""Share of common five-word runs from which two documents are near copies: above it, people take one for the other."""

_VERSION_WORDS = re.compile(r"\b(?:v(?:ersion)?[ .]*\d[\d.]*|(?:19|20)\d\d(?:[-./]\d\d?){0,2}|archived?|old|superseded"
                            r"|draft|final)\b|[^\w\s]|_")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_VERSION_NAMED = re.compile(r"\bv(?:ersion)?[ .]*(\d[\d.]*\d|\d)", re.IGNORECASE)


def compare(documents: Sequence[Filed], pairs: Iterable[tuple[Filed, Filed]], text_of: Callable[[Filed], str]
            ) -> tuple[Finding, ...]:
    """Return what is wrong between documents; `pairs` are those whose texts may be alike, verified here on the texts.

    Two documents get one finding at most: a copy is not also a near copy, nor an old version also a near copy.
    """
    copies, old = tuple(exact(documents)), tuple(outdated(documents))
    told = {frozenset((f.document_id, f.other_id)) for f in (*copies, *old)}
    copied = {f.other_id for f in copies}
    open_pairs = ((a, b) for a, b in pairs
                  if frozenset((a.id, b.id)) not in told and not {a.id, b.id} & copied)
    return (*copies, *old, *near(open_pairs, text_of))


def wording(text: str) -> str:
    """Return a hash (hex) that is the same for texts with the same words in the same order, whatever their layout."""
    return hashlib.sha256(" ".join(_BETWEEN_WORDS.split(text.lower())).strip().encode()).hexdigest()


def exact(documents: Iterable[Filed]) -> Iterator[Finding]:
    """Yield documents with the same words as one that lies higher or before them."""
    first: dict[str, Filed] = {}
    for d in sorted(documents, key=_standing):
        held = first.setdefault(d.fingerprint, d)
        if held is not d:
            yield _finding("exact duplicate", held, d, 1.0,
                           f"`{d.path}` has the same words as `{held.path}`: keep one and delete the other")


def near(pairs: Iterable[tuple[Filed, Filed]], text_of: Callable[[Filed], str]) -> Iterator[Finding]:
    """Yield the pairs whose texts really share enough."""
    for pair in pairs:
        one, other = sorted(pair, key=_standing)
        share = jaccard(shingles(text_of(one)), shingles(text_of(other)))
        if one.fingerprint != other.fingerprint and share >= NEAR_SHARE:
            yield _finding("near duplicate", one, other, share,
                           f"`{other.path}` shares {share:.0%} of its wording with `{one.path}`: say in each what it"
                           " is for, or keep one")


def outdated(documents: Sequence[Filed]) -> Iterator[Finding]:
    """Yield older versions that still stand beside a newer one of the same title, or beside one that replaced them."""
    titled: dict[str, list[Filed]] = defaultdict(list)
    for d in documents:
        titled[plain_title(d.title)].append(d)
    titled.pop("", None)  # a title that is nothing but a year names no document
    for group in titled.values():
        for old in group:
            if newer := [d for d in group if _is_newer(d, old)]:
                yield _replaced(max(newer, key=_age), old)
    for d in documents:
        for old in titled.get(plain_title(d.supersedes), ()):
            if old.id != d.id and plain_title(d.title) != plain_title(old.title) and not _is_newer(old, d):
                yield _replaced(d, old)


def plain_title(title: str) -> str:
    """Return a title without version words, years and punctuation, so that versions of one document meet."""
    return " ".join(_VERSION_WORDS.sub(" ", title.lower()).split())


def _is_newer(one: Filed, other: Filed) -> bool:
    """Say whether a document of the same title is newer: by date, else by version, else by what it says it replaced."""
    if one.fingerprint == other.fingerprint:
        return False
    if one.effective_on and other.effective_on and one.effective_on != other.effective_on:
        return one.effective_on > other.effective_on
    if one.declared_version and other.declared_version and _numbers(one) != _numbers(other):
        return _numbers(one) > _numbers(other)
    named = _VERSION_NAMED.search(one.supersedes)
    return bool(named and other.declared_version.lstrip("vV") == named.group(1))


def _age(d: Filed) -> tuple[str, tuple[int, ...], str]:
    return d.effective_on, _numbers(d), d.path


def _numbers(d: Filed) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d{1,9}", d.declared_version))


def _standing(d: Filed) -> tuple[int, str]:
    """Order documents so that the one to keep comes first: the least deep, then by name."""
    return d.path.count("/"), d.path


def _replaced(new: Filed, old: Filed) -> Finding:
    since = f" since {new.effective_on}" if new.effective_on else ""
    dated = f" ({old.effective_on})" if old.effective_on else ""
    return _finding("outdated version", new, old, 0.0, f"`{old.path}`{dated} is replaced by `{new.path}`{since}: remove"
                    " it from the source, or move it out of what is searched")


def _finding(kind: Literal["exact duplicate", "near duplicate", "outdated version"], one: Filed, other: Filed,
             share: float, says: str) -> Finding:
    return Finding(kind=kind, document_id=one.id, path=one.path, other_id=other.id, other_path=other.path,
                   share=round(share, 3), says=says)
