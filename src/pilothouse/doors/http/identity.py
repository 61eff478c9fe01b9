"""Who calls: an API key or a session becomes a principal, and a principal a Call."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from pilothouse.directory.api import Directory
from pilothouse.directory.tokens import same
from pilothouse.kernel.access import AccessPolicy
from pilothouse.kernel.call import Call, Door
from pilothouse.kernel.clock import Clock, stamp
from pilothouse.kernel.errors import Unauthenticated
from pilothouse.kernel.ids import PrincipalId, TenantId, TraceId
from pilothouse.kernel.principal import Principal

DEADLINE = timedelta(seconds=120)
NOBODY = Principal(id=PrincipalId("anonymous"), tenant=TenantId("main"))


@dataclass(frozen=True, slots=True)
class Identity:
    """Turns credentials into Calls; holds no state of its own."""

    directory: Directory
    access: AccessPolicy
    clock: Clock
    local: tuple[str, str] = ("", "")
    """(token, person): the token of the workspace's lock file acts as the operator, for commands on this machine."""

    async def by_key(self, headers: Mapping[str, str], *, door: Door = "http") -> Call:
        """Return the call of an `Authorization: Bearer` (or `x-api-key`) header; raises Unauthenticated."""
        key = _bearer(headers.get("authorization", "")) or headers.get("x-api-key", "")
        if not key:
            raise Unauthenticated("send your API key as `Authorization: Bearer ph_…`", rule="key-needed")
        if self.local[0] and same(key, self.local[0]):
            principal = await self.directory.principal(self.local[1])
        else:
            principal = await self.directory.principal_by_key(key)
        return self.call(principal, door=door, trace=trace_of(headers))

    async def by_session(self, token: str) -> tuple[Call, str]:
        """Return (call, form token) of a session cookie; raises Unauthenticated when it has ended."""
        principal, form_token = await self.directory.principal_by_session(token, now=stamp(self.clock.now()))
        return self.call(principal, door="console"), form_token

    def call(self, principal: Principal, *, door: Door, trace: str = "") -> Call:
        now = self.clock.now()
        return Call(principal=principal, access=self.access, door=door, at=now, deadline=now + DEADLINE,
                    trace=TraceId(trace or secrets.token_hex(16)))

    def anonymous(self) -> Call:
        """Return the call of somebody who has not signed in: it holds no grant at all."""
        return self.call(NOBODY, door="console")


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def trace_of(headers: Mapping[str, str]) -> str:
    """Return the trace id of a W3C `traceparent` header, or nothing when there is none or it is malformed."""
    parts = headers.get("traceparent", "").split("-")
    fits = len(parts) == 4 and len(parts[1]) == 32 and all(c in "0123456789abcdef" for c in parts[1])
    return parts[1] if fits else ""
