"""Roles and what they permit: the one table that access rulings read, deny by default."""

from collections.abc import Callable, Mapping
from typing import get_args

from pilothouse.directory.contracts import Role
from pilothouse.kernel.access import Ruling
from pilothouse.kernel.principal import EVERYWHERE, Principal

ROLES: tuple[str, ...] = get_args(Role)

_EMPLOYEE = frozenset({
    "directory:me", "use_case:read", "use_case:propose", "gateway:ask", "gateway:read_own", "knowledge:query",
    "knowledge:read", "people:learn", "people:read", "workflows:rate", "workflows:read_own", "adoption:read",
    "rollout:read", "learning:record",
})
_LEAD = frozenset({"gateway:list", "gateway:read_all", "oversight:read", "ledger:read", "workflows:read",
                   "directory:list", "jobs:read", "case:read"})
PERMITS: Mapping[str, frozenset[str]] = {
    "employee": _EMPLOYEE,
    "owner": _EMPLOYEE | _LEAD | {
        "use_case:define", "use_case:measure", "use_case:feed", "use_case:freeze", "use_case:assess",
        "case:write", "knowledge:define",
        "knowledge:ingest", "knowledge:resolve", "people:assign", "rollout:propose", "rollout:advance",
        "rollout:halt", "experiment:register", "experiment:run", "experiment:assign", "experiment:observe"},
    "reviewer": _EMPLOYEE | _LEAD | {"oversight:review", "oversight:unmask"},
    "engineer": _EMPLOYEE | _LEAD | {
        "gateway:configure", "gateway:embed", "knowledge:define", "knowledge:ingest", "knowledge:resolve",
        "knowledge:rebuild", "use_case:measure", "use_case:feed", "rollout:propose", "rollout:halt", "jobs:cancel",
        "experiment:assign", "experiment:observe"},
    "risk": _EMPLOYEE | _LEAD | {
        "use_case:assess", "use_case:decide", "oversight:configure", "oversight:unmask", "rollout:halt",
        "privacy:hold", "privacy:erase", "ledger:export"},
    "sponsor": _EMPLOYEE | _LEAD | {"use_case:assess", "use_case:decide", "objective:define", "rollout:advance",
                                    "rollout:halt"},
    "administrator": _EMPLOYEE | _LEAD | {
        "directory:manage", "gateway:configure", "gateway:embed", "knowledge:define", "knowledge:ingest",
        "knowledge:resolve", "knowledge:rebuild", "people:assign", "people:define", "people:certify",
        "use_case:define", "use_case:measure", "use_case:feed", "use_case:freeze", "use_case:assess",
        "use_case:configure", "objective:define", "case:write", "oversight:configure", "rollout:propose",
        "rollout:halt", "privacy:hold", "privacy:erase", "ledger:export", "jobs:cancel", "experiment:register",
        "experiment:run", "experiment:assign", "experiment:observe"},
    "system": frozenset({"*"}),
}
"""Permissions by role. `system` is the platform acting for itself (jobs, sweepers) and is granted to nobody."""


class RoleRulings:
    """Access by role table and grants: a permission holds where a role that permits it is granted on the scope.

    `canonical` gives the one name of a scope that has several, as a use case has an id and a slug.
    """

    def __init__(self, canonical: Callable[[str], str] = str) -> None:
        self._canonical = canonical

    def ruling(self, principal: Principal, permission: str, scope: str) -> Ruling:
        on = self._canonical(scope)
        for grant in principal.grants:
            if (grant.scope == EVERYWHERE or self._canonical(grant.scope) == on) and permits(grant.role, permission):
                return Ruling(allowed=True, rule=f"role:{grant.role}@{grant.scope}")
        return Ruling(allowed=False, rule="no-role-grants-it", could_allow=roles_that_may(permission))


def permits(role: str, permission: str) -> bool:
    """Return whether a role permits it anywhere; unknown roles permit nothing."""
    held = PERMITS.get(role, frozenset())
    return permission in held or "*" in held


def roles_that_may(permission: str) -> tuple[str, ...]:
    """Return the roles a refusal may name."""
    return tuple(r for r in ROLES if permission in PERMITS[r])
