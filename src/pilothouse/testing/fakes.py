"""Fakes that behave: a clock that only moves when told, ids that count, policies as tables, and calls to begin with."""

import itertools
from datetime import UTC, datetime, timedelta

from pilothouse.kernel.access import AccessPolicy, Ruling
from pilothouse.kernel.call import Call, Door
from pilothouse.kernel.ids import PrincipalId, TenantId, TraceId
from pilothouse.kernel.principal import Grant, Principal, PrincipalKind

EPOCH = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""A Monday morning, so that tests on weeks and working hours read naturally."""


class StillClock:
    """A clock that moves only when told to."""

    def __init__(self, at: datetime = EPOCH) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> datetime:
        """Move on by `by` and return the new instant."""
        self._at += by
        return self._at


class CountingMint:
    """Mints `uc_000001`, `uc_000002`, …: one row of numbers over all prefixes, so that ids sort by age."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):06d}"


class OpenAccess:
    """Allows everything to everybody."""

    def ruling(self, principal: Principal, permission: str, scope: str) -> Ruling:
        return Ruling(allowed=True, rule="open-access")


class PlainKeys:
    """Keys that hide nothing but forget: `destroy` makes a subject's texts unreadable, as erasure does."""

    def __init__(self) -> None:
        self._gone: set[str] = set()

    def seal(self, subject: str, plaintext: bytes, aad: bytes) -> bytes:
        return aad + b"\0" + plaintext

    def unseal(self, subject: str, sealed: bytes, aad: bytes) -> bytes | None:
        if subject in self._gone:
            return None
        bound_to, _, plaintext = sealed.partition(b"\0")
        assert bound_to == aad, "this text was sealed for another id"
        return plaintext

    def commit(self, subject: str, plaintext: bytes) -> str:
        return plaintext[::-1].hex()

    def destroy(self, subject: str) -> None:
        self._gone.add(subject)


def person(name: str = "ada", *roles: str, kind: PrincipalKind = "human", tenant: str = "bank", unit: str = "retail",
           on: str = "*") -> Principal:
    """Return a principal named `name` with these roles granted on the scope `on`."""
    return Principal(id=PrincipalId(f"pr_{name}"), tenant=TenantId(tenant), kind=kind, name=name.capitalize(),
                     unit=unit, country="DE", grants=tuple(Grant(role=role, scope=on) for role in roles))


def call_as(principal: Principal, *, access: AccessPolicy | None = None, at: datetime = EPOCH, door: Door = "http",
            demo: bool = False) -> Call:
    """Return a call by this principal; everything is allowed unless a policy is given."""
    return Call(principal=principal, access=access or OpenAccess(), trace=TraceId("tr_test"), at=at, door=door,
                demo=demo)


def system_call(*, at: datetime = EPOCH, demo: bool = False) -> Call:
    """Return a call by a service principal to which everything is allowed."""
    return call_as(person("system", kind="service"), at=at, door="job", demo=demo)
