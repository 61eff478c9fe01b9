"""Lots: who gets the treatment and from when, the same from the same registration, on every machine."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from math import floor

from pilothouse.steps.portfolio.contracts.experiments import Arm, Assignment, Member, Registration
from pilothouse.steps.portfolio.logic.registering import WHOLE_TEAMS, periods


def lot(seed: str, name: str) -> float:
    """Return a draw in [0, 1) from a seed and a name: 53 bits of SHA-256."""
    return (int.from_bytes(hashlib.sha256(f"{seed}\n{name}".encode()).digest()[:8], "big") >> 11) / 2**53


def allot(r: Registration, seed: str) -> Mapping[str, Assignment]:
    """Return every member's assignment by person.

    Lots are drawn over people or whole teams, stratum by stratum: sorted by their draw, every k-th gets the treatment
    (systematic sampling from a random start), so that each stratum holds the registered share to within one unit.
    `seed` is the registration's digest: nobody can know the lots before it is frozen.
    """
    if r.design == "difference in differences":
        return {m.person: _assigned(m, "control" if m.arm == "control" else "treatment", r.starts_on)
                for m in r.members}
    if r.design == "stepped wedge":
        return _wedge(r, seed)
    if r.design == "switchback":
        on = slots_on(r, seed)
        return {m.person: _assigned(m, "treatment", r.starts_on, on) for m in r.members}
    if r.design in ("randomised", "cluster randomised"):
        drawn = _drawn(r, seed)
        return {m.person: _assigned(m, "treatment" if unit(r, m) in drawn else "control", r.starts_on)
                for m in r.members}
    return {m.person: _assigned(m, "treatment", r.starts_on) for m in r.members}


def unit(r: Registration, m: Member) -> str:
    """Return what is drawn for this person: the team in team designs, else the person."""
    return m.cluster if r.design in WHOLE_TEAMS else m.person


def _assigned(m: Member, arm: Arm, from_day: str, slots: Sequence[str] = ()) -> Assignment:
    return Assignment(person=m.person, cluster=m.cluster, stratum=m.stratum, arm=arm,
                      from_day=from_day if arm == "treatment" else "", slots_on=tuple(slots))


def _drawn(r: Registration, seed: str) -> frozenset[str]:
    """Return the units in treatment."""
    strata = {unit(r, m): m.stratum for m in r.members}
    ordered = sorted(strata, key=lambda u: (strata[u], lot(seed, u)))
    start, share = lot(seed, "start"), r.treatment_share
    return frozenset(u for i, u in enumerate(ordered)
                     if floor((i + 1) * share + start) > floor(i * share + start))


def _wedge(r: Registration, seed: str) -> Mapping[str, Assignment]:
    """Deal teams over the periods after the first, in drawn order; all are treated in the last."""
    teams = sorted({m.cluster for m in r.members}, key=lambda c: lot(seed, c))
    steps = periods(r) - 1
    crossing = {team: 1 + i * steps // len(teams) for i, team in enumerate(teams)}
    return {m.person: _assigned(m, "treatment", _day(r, crossing[m.cluster])) for m in r.members}


def slots_on(r: Registration, seed: str) -> Sequence[str]:
    """Return the first days of the slots with treatment: one of each two neighbours, by lot."""
    return [_day(r, i) for i in _halves(range(periods(r)), seed)]


def _halves(slots: Iterable[int], seed: str) -> Iterable[int]:
    for i in slots:
        first = lot(seed, f"slots {i // 2}") < 0.5
        if first == (i % 2 == 0):
            yield i


def _day(r: Registration, period: int) -> str:
    return (date.fromisoformat(r.starts_on) + timedelta(days=period * r.step_days)).isoformat()


def digest(assigned: Mapping[str, Assignment]) -> str:
    """Return the SHA-256 (hex) of who is where, by pseudonym."""
    lines = (f"{a.person}\t{a.arm}\t{a.from_day}\t{','.join(a.slots_on)}\n" for a in
             sorted(assigned.values(), key=lambda a: a.person))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
