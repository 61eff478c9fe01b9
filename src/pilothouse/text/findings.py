"""Findings: pieces of personal data in a text, and which of them stay where several claim the same characters."""

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One piece of personal data: its kind and its characters `start` to `end` (exclusive)."""

    kind: str
    start: int
    end: int
    text: str


def disjoint(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Keep the longest of those that overlap, then the one given first; return them in order of the text."""
    starts: list[int] = []
    kept: list[Finding] = []
    for f in sorted(found, key=lambda f: f.start - f.end):
        at = bisect(starts, f.start)
        if (at == 0 or kept[at - 1].end <= f.start) and (at == len(kept) or f.end <= kept[at].start):
            starts.insert(at, f.start)
            kept.insert(at, f)
    return tuple(kept)
