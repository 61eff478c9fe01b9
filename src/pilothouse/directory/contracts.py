"""Values of the directory: people, groups, roles held on scopes, accounts, sessions, API keys."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pilothouse.kernel.ids import PrincipalId, TenantId
from pilothouse.kernel.ledger import Sealed
from pilothouse.kernel.principal import Grant, PrincipalKind

Role = Literal["employee", "owner", "reviewer", "engineer", "risk", "sponsor", "administrator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody or something that may act: a human, a service, or an AI agent."""

    id: PrincipalId
    tenant: TenantId
    kind: PrincipalKind
    name: str
    email: str
    unit: str
    country: str
    title: str
    groups: tuple[str, ...]
    grants: tuple[Grant, ...]
    disabled: bool
    demo: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPerson:
    """Who to add; `password` is optional, since keys and single sign-on need none."""

    id: str
    name: str
    email: str = ""
    kind: PrincipalKind = "human"
    unit: str = ""
    country: str = ""
    title: str = ""
    groups: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ("employee",)
    password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRef:
    """Names one principal."""

    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleQuery:
    """Which people to list; empty fields do not narrow."""

    unit: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRequest:
    """Give a role to somebody, on one scope or everywhere (`*`)."""

    person: str
    role: Role
    scope: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What somebody types to sign in; `address` is where the request came from, for rate limits."""

    person: str
    password: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in browser: the token goes into a cookie, the form token into every form."""

    token: str
    form_token: str
    person: PrincipalId
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A new API key: shown once, stored only as a hash."""

    key_id: str
    person: PrincipalId
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAdded:
    """Somebody was added; the name lies sealed under their own key."""

    kind: ClassVar[str] = "directory.person_added"
    person: str
    principal_kind: PrincipalKind
    name: Sealed
    unit: str
    country: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDisabled:
    """Somebody may not act any more: keys and sessions ended at once."""

    kind: ClassVar[str] = "directory.person_disabled"
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordSet:
    """Somebody was given a new password: their sessions ended."""

    kind: ClassVar[str] = "directory.password_set"
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGranted:
    """A role was given on a scope."""

    kind: ClassVar[str] = "directory.role_granted"
    person: str
    role: str
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIssued:
    """An API key was issued; `replaces` says that all earlier keys of the person ended."""

    kind: ClassVar[str] = "directory.key_issued"
    person: str
    key_id: str
    replaces: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody signed in with a password."""

    kind: ClassVar[str] = "directory.signed_in"
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInRefused:
    """A sign-in failed; `why` is `password`, `unknown`, `disabled` or `too many`."""

    kind: ClassVar[str] = "directory.sign_in_refused"
    person: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRefused:
    """An operation was refused to an authenticated principal, by which rule."""

    kind: ClassVar[str] = "directory.access_refused"
    operation: str
    permission: str
    scope: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """Forbid, or allow again, the erasure of one subject."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRef:
    """Names whose texts are meant: a person's id."""

    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseRequest:
    """Erase a subject for good."""

    subject: str
    reason: str
    canaries: tuple[str, ...] = ()
    """Strings (8 characters or more) that must be found nowhere afterwards, beside those taken from their own texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedCount:
    """How much one store held of a subject."""

    store: str
    unit: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectState:
    """What is kept about a subject, and whether it may be erased."""

    subject: str
    key: Literal["active", "held", "destroyed", "none"]
    holds: tuple[ErasedCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What an erasure did, and what a search through the raw files found afterwards."""

    subject: str
    erased: tuple[ErasedCount, ...]
    files_scanned: int
    bytes_scanned: int
    needles: int
    """How many strings were searched for."""
    found_in: tuple[str, ...]
    """Files that still hold one; empty when the erasure is proven."""
    seq: int
    """Ledger entry of the proof."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlaced:
    """A legal hold forbids erasing a subject."""

    kind: ClassVar[str] = "privacy.hold_placed"
    subject: str
    reason: Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReleased:
    """A legal hold ended."""

    kind: ClassVar[str] = "privacy.hold_released"
    subject: str
    reason: Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureOrdered:
    """Somebody decided to erase a subject; the work is durable from here on."""

    kind: ClassVar[str] = "privacy.erasure_ordered"
    subject: str
    reason: Sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectErased:
    """A subject's key was destroyed and their rows are gone; how many, by store."""

    kind: ClassVar[str] = "privacy.subject_erased"
    subject: str
    erased: tuple[ErasedCount, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureProven:
    """The raw files were searched after an erasure; an empty `found_in` means that nothing is left."""

    kind: ClassVar[str] = "privacy.erasure_proven"
    subject: str
    files: int
    bytes: int
    needles: int
    found: int
