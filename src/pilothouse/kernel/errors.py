"""Every refusal and failure the platform can express: one tree, six kinds, a stable code each.

* PilothouseError
  x Invalid       the caller can fix the request             422   exit 2
  x Denied        policy says no                             403   exit 3
  x Missing       no such thing, or not visible to you       404   exit 4
  x Conflict      the thing moved, or is not ready           409   exit 5
  x Exhausted     a budget, quota or deadline ran out        429   exit 6
  x Unavailable   a dependency failed; safe to try again     503   exit 7

Anything else that escapes is a bug: it is recorded, and every door says 500 or exit 70.
"""

from typing import ClassVar

Fact = str | int | float


class PilothouseError(Exception):
    """Base of everything raised on purpose; `facts` are safe to show and to log."""

    code: ClassVar[str] = "kernel.error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, **facts: Fact) -> None:
        super().__init__(message)
        self.facts = facts

    @property
    def message(self) -> str:
        return str(self.args[0])


class Invalid(PilothouseError):
    """The request can never succeed as written; `facts["field"]`, where there is one, names the field."""

    code, status, exit_code = "kernel.invalid", 422, 2


class Denied(PilothouseError):
    """Policy says no; `facts["rule"]` names the rule that fired."""

    code, status, exit_code = "kernel.denied", 403, 3


class Unauthenticated(Denied):
    """Nobody is signed in, or the key or session is not valid any more."""

    code, status, exit_code = "kernel.unauthenticated", 401, 3


class Missing(PilothouseError):
    """No such thing, or nothing this principal may see: the two are told apart only in the ledger."""

    code, status, exit_code = "kernel.missing", 404, 4


class Conflict(PilothouseError):
    """The thing moved since the caller looked, or is not ready for this."""

    code, status, exit_code = "kernel.conflict", 409, 5


class Exhausted(PilothouseError):
    """A budget, quota or deadline ran out; `facts` say which and when it refills."""

    code, status, exit_code = "kernel.exhausted", 429, 6


class Unavailable(PilothouseError):
    """A dependency failed in a way that is safe to try again."""

    code, status, exit_code = "kernel.unavailable", 503, 7
