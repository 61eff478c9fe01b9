"""Declared against there: what would be created, changed or left, and what a declaration cannot change."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from pilothouse.app.programme.declaring import Declared
from pilothouse.app.programme.reading import Problem
from pilothouse.kernel.codec import nearest
from pilothouse.kernel.principal import EVERYWHERE

Action = Literal["create", "change", "unchanged"]
FIXED = {"use_cases": "a proposed use case keeps its answers; propose another, or decide its gate",
         "people": "people are changed where they sign in; use pilothouse user or the directory's operations",
         "sources": "a source stays where it was first taken in; declare another source"}
"""What is never changed by a declaration, and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What applying would do to one declared thing, field by field as (name, there now, declared)."""

    action: Action
    declared: Declared
    fields: tuple[tuple[str, Any, Any], ...] = ()


Held = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""What is there, as plain values, by (kind, use case, key)."""


def compare(wanted: Sequence[Declared], held: Held) -> tuple[list[Change], list[Problem]]:
    """Return what to do, in order, and what stands in the way."""
    changes, problems = [], list(_twice(wanted))
    for d in wanted:
        there = held.get((d.kind, d.use_case, d.key))
        fields = tuple(_different(d, there)) if there is not None else ()
        fixed = [name for name, _, _ in fields if d.kind in FIXED and (d.kind != "sources" or name == "location")]
        if fixed:
            names = ", ".join(fixed)
            problems.append(Problem(place=d.place, says=f"{d.key} differs in {names}: {FIXED[d.kind]}"))
        changes.append(Change(action="create" if there is None else "change" if fields else "unchanged", declared=d,
                              fields=fields))
    return changes, problems


def _twice(wanted: Iterable[Declared]) -> Iterable[Problem]:
    seen: dict[tuple[str, str, str], Declared] = {}
    for d in wanted:
        first = seen.setdefault((d.kind, d.use_case, d.key), d)
        if first is not d:
            yield Problem(place=d.place, says=f"{d.key} is declared twice in {d.kind}; the first is at {first.place}")


def _different(d: Declared, there: Mapping[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    """Yield the fields that the file names and that are otherwise there; what it leaves out is left alone."""
    plain: Mapping[str, Any] = msgspec.to_builtins(d.value)
    for name in d.named:
        if name in there and _canonical(there[name]) != _canonical(plain.get(name)):
            yield name, there[name], plain.get(name)


def _canonical(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return sorted(repr(_canonical(v)) for v in value)
    if isinstance(value, dict):
        return {k: _canonical(v) for k, v in sorted(value.items())}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def references(wanted: Sequence[Declared], held: Held) -> Iterable[Problem]:
    """Yield what is referred to and neither declared nor there, with the nearest name."""
    people = _keys("people", wanted, held)
    sources = _keys("sources", wanted, held)
    scopes = _keys("use_cases", wanted, held) | {there["id"] for (kind, _, _), there in held.items()
                                                 if kind == "use_cases"} | {EVERYWHERE}
    for d in wanted:
        if d.kind == "grants":
            yield from _known(d, "person", [d.value.person], people)
            yield from _known(d, "use case", [d.value.scope], scopes)
        if d.kind == "use_cases":
            yield from _known(d, "owner", [d.value.owner] if d.value.owner else [], people)
            yield from _known(d, "source", d.value.sources, sources)
        if d.kind == "raci":
            named = (*d.value.accountable, *d.value.responsible, *d.value.consulted, *d.value.informed)
            yield from _known(d, "person", named, people)


def _keys(kind: str, wanted: Sequence[Declared], held: Held) -> set[str]:
    return {d.key for d in wanted if d.kind == kind} | {key for k, _, key in held if k == kind}


def _known(d: Declared, what: str, names: Iterable[str], known: set[str]) -> Iterable[Problem]:
    for name in names:
        if name not in known:
            yield Problem(place=d.place, says=f"{d.key}: there is no {what} `{name}`{nearest(name, known)}")
