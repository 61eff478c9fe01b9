"""The one question of access control: may this principal do this, to that, and by which rule?"""

from dataclasses import dataclass
from typing import Protocol

from pilothouse.kernel.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """An access ruling and the rule that fired, so that a refusal can be explained."""

    allowed: bool
    rule: str
    could_allow: tuple[str, ...] = ()
    """Roles that would have allowed it: what a refusal tells its reader to ask for."""


class AccessPolicy(Protocol):
    """Rules on access. Implementations are pure lookups: no network on the request path."""

    def ruling(self, principal: Principal, permission: str, scope: str) -> Ruling: ...
