"""Who acts: a human, a service or an AI agent, within a tenant, with roles granted on scopes."""

from dataclasses import dataclass
from typing import Literal

from pilothouse.kernel.ids import PrincipalId, TenantId

PrincipalKind = Literal["human", "service", "agent"]
EVERYWHERE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role held on one scope: a use case's id, or `*` for every scope of the tenant."""

    role: str
    scope: str = EVERYWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An authenticated actor as the directory knew it when the call began."""

    id: PrincipalId
    tenant: TenantId
    kind: PrincipalKind = "human"
    name: str = ""
    unit: str = ""
    country: str = ""
    groups: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()

    def holds(self, role: str, *, on: str = EVERYWHERE) -> bool:
        """Return whether the role is granted on this scope or everywhere."""
        return any(g.role == role and g.scope in (EVERYWHERE, on) for g in self.grants)
