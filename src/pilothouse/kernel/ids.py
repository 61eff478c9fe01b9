"""Typed, prefixed ids (`uc_…`), minted from injected entropy so that a seed replays a run."""

from typing import NewType, Protocol

TenantId = NewType("TenantId", str)
PrincipalId = NewType("PrincipalId", str)
TraceId = NewType("TraceId", str)
SubjectId = NewType("SubjectId", str)
"""Whose key seals a text: a principal's id, or `organisation` for what belongs to nobody in person."""

ORGANISATION = SubjectId("organisation")


class Mint(Protocol):
    """Makes the next id with a given prefix, such as `uc` or `rel`; ids sort by the time they were made."""

    def __call__(self, prefix: str) -> str: ...
