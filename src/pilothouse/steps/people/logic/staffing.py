"""Who does what: the rules of RACI and of squad coverage, and how long a credential is good."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pilothouse.kernel.clock import instant
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.people.contracts import (
    ACTIVITIES,
    Activity,
    Need,
    NewSquad,
    OutsideCredential,
    RaciRequest,
    RaciRow,
    SquadMember,
)

SOON = timedelta(days=30)
VALID_DAYS_MAX, PEOPLE_MAX, NAME_LENGTH_MAX, REASON_LENGTH_MAX = 1826, 50, 120, 2000


def check_raci(request: RaciRequest) -> None:
    """Raise Invalid naming the field: exactly one Accountable, at least one Responsible, nobody twice in a list."""
    if len(request.accountable) != 1:
        raise Invalid(f"`{request.activity}` needs exactly one Accountable, and {len(request.accountable)} are named;"
                      " choose the one person who answers for it", field="accountable")
    if not request.responsible:
        raise Invalid(f"`{request.activity}` needs at least one Responsible; name who does the work",
                      field="responsible")
    for field in ("responsible", "consulted", "informed"):
        _check_names(field, getattr(request, field))


def _check_names(field: str, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise Invalid("somebody is named twice; name each person once", field=field)
    if len(names) > PEOPLE_MAX:
        raise Invalid(f"at most {PEOPLE_MAX} people; name a squad's lead instead of everybody", field=field)


def missing(rows: Sequence[RaciRow]) -> tuple[Activity, ...]:
    """Return the activities nobody answers for, in their usual order."""
    assigned = {r.activity for r in rows}
    return tuple(a for a in ACTIVITIES if a not in assigned)


def check_squad(squad: NewSquad) -> None:
    """Raise Invalid naming the field of a squad that does not fit."""
    if not 2 <= len(squad.name.strip()) <= NAME_LENGTH_MAX:
        raise Invalid(f"a squad's name has 2 to {NAME_LENGTH_MAX} characters", field="name")
    if not squad.members:
        raise Invalid("a squad has at least one member", field="members")
    _check_names("members", [m.person for m in squad.members])
    if any(n.at_least < 1 or not n.role.strip() for n in squad.needs):
        raise Invalid("each part of the coverage rule names a role and at least 1 person", field="needs")


def gaps(members: Sequence[SquadMember], needs: Sequence[Need]) -> tuple[str, ...]:
    """Return what the coverage rule still asks for, in words."""
    have = Counter(m.role.casefold() for m in members)
    return tuple(f"{n.role}: {have[n.role.casefold()]} of {n.at_least}" for n in needs
                 if have[n.role.casefold()] < n.at_least)


def check_outside(credential: OutsideCredential) -> None:
    """Raise Invalid naming the field of an outside credential that does not fit."""
    if not 1 <= credential.valid_days <= VALID_DAYS_MAX:
        raise Invalid(f"a credential is valid for 1 to {VALID_DAYS_MAX} days", field="valid_days")
    if not 2 <= len(credential.issuer.strip()) <= NAME_LENGTH_MAX:
        raise Invalid(f"name who issued it, in 2 to {NAME_LENGTH_MAX} characters", field="issuer")
    if not 3 <= len(credential.reason.strip()) <= REASON_LENGTH_MAX:
        raise Invalid(f"say what you saw, in 3 to {REASON_LENGTH_MAX} characters", field="reason")


def validity(expires_at: str, now: datetime) -> Literal["valid", "expires soon", "expired"]:
    """Return how a credential stands at an instant."""
    left = instant(expires_at) - now
    if left <= timedelta(0):
        return "expired"
    return "expires soon" if left <= SOON else "valid"
