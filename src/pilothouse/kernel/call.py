"""Call: who asks, why, when and until when; the first argument of every operation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pilothouse.kernel.access import AccessPolicy
from pilothouse.kernel.errors import Denied
from pilothouse.kernel.ids import TraceId
from pilothouse.kernel.principal import Principal

Door = Literal["http", "console", "cli", "mcp", "job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The circumstances of one operation, passed down unchanged from door to driver."""

    principal: Principal
    access: AccessPolicy
    trace: TraceId
    at: datetime
    """When it happens (UTC): the wall clock, or simulated time in the demo's history."""
    door: Door = "http"
    purpose: str = ""
    deadline: datetime | None = None
    demo: bool = False
    """True for the demo's simulated history: every entry it leaves is marked."""

    def authorize(self, permission: str, *, on: str) -> None:
        """Return if the principal holds `permission` on scope `on`; raise Denied naming the rule if not."""
        ruling = self.access.ruling(self.principal, permission, on)
        if not ruling.allowed:
            who = ", ".join(ruling.could_allow) or "nobody"
            raise Denied(f"you may not {permission.replace(':', ' ').replace('_', ' ')} here; roles that may: {who}",
                         rule=ruling.rule, permission=permission, scope=on)

    def may(self, permission: str, *, on: str) -> bool:
        """Return the same ruling as a yes or no, for pages that leave out what a reader may not do."""
        return self.access.ruling(self.principal, permission, on).allowed
