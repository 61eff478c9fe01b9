"""The directory's façade: who is there, who may act, and how they prove who they are."""

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta

from pilothouse.directory import store, tokens
from pilothouse.directory.contracts import (
    AccessRefused,
    Credentials,
    GrantRequest,
    IssuedKey,
    KeyIssued,
    NewPerson,
    PasswordSet,
    PeopleQuery,
    Person,
    PersonAdded,
    PersonDisabled,
    PersonRef,
    RoleGranted,
    Session,
    SignedIn,
    SignInRefused,
)
from pilothouse.directory.errors import KeyRefused, NoSuchPerson, SignInFailed, TooManyTries
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Denied, Invalid
from pilothouse.kernel.ids import Mint, PrincipalId, SubjectId
from pilothouse.kernel.operation import NoFields, operation
from pilothouse.kernel.principal import Principal
from pilothouse.kernel.store import Database, Reader, Transaction

SESSION_LASTS = timedelta(hours=12)
FAILURE_WINDOW = timedelta(minutes=15)
FAILURES_PER_ACCOUNT, FAILURES_PER_ADDRESS = 5, 30
PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = 12, 256
ID = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


class Directory:
    """People and what they may do. Principals are read through a cache that any change here empties."""

    def __init__(self, *, database: Database, mint: Mint) -> None:
        self._database, self._mint = database, mint
        self._epoch = -1
        self._principals: dict[str, Principal] = {}
        self._keys: dict[str, str] = {}

    @operation("GET /api/v1/me", effect="read")
    async def me(self, call: Call, request: NoFields) -> Person:
        """Return who the caller is, as the directory knows them."""
        call.authorize("directory:me", on=call.principal.id)
        return await self._load(call.principal.id)

    @operation("GET /api/v1/people", effect="read")
    async def list_people(self, call: Call, request: PeopleQuery) -> tuple[Person, ...]:
        """List people by name, of one unit or with one role where given."""
        call.authorize("directory:list", on="*")
        found = await self._database.read(store.people)
        return tuple(p for p in found if request.unit in ("", p.unit)
                     and (not request.role or any(g.role == request.role for g in p.grants)))

    @operation("POST /api/v1/people", effect="write")
    async def add_person(self, call: Call, request: NewPerson) -> Person:
        """Add a person, a service or an agent with groups and roles.

        Raises:
            AlreadyThere: the id is taken.
            Invalid: the id or the password does not fit the stated limits.
        """
        call.authorize("directory:manage", on="*")
        check_person(request)
        hashed = await asyncio.to_thread(tokens.hash_password, request.password) if request.password else None

        def work(tx: Transaction) -> None:
            store.insert(tx, request, tenant=call.principal.tenant, password_hash=hashed, demo=call.demo)
            tx.record(f"person/{request.id}", PersonAdded(
                person=request.id, principal_kind=request.kind, name=tx.seal(SubjectId(request.id), request.name),
                unit=request.unit, country=request.country, roles=request.roles))

        await self._database.write(call, work)
        return await self._load(request.id)

    @operation("POST /api/v1/people/{person}/disabled", effect="write")
    async def disable_person(self, call: Call, request: PersonRef) -> Person:
        """End somebody's access: keys and sessions stop working with the next request."""
        call.authorize("directory:manage", on="*")
        if request.person == call.principal.id:
            raise Denied("you may not disable yourself; ask another administrator", rule="not-oneself")
        await self._load(request.person)

        def work(tx: Transaction) -> None:
            store.disable(tx, request.person)
            tx.record(f"person/{request.person}", PersonDisabled(person=request.person))

        await self._database.write(call, work)
        return await self._load(request.person)

    @operation("POST /api/v1/people/{person}/grants", effect="write")
    async def grant_role(self, call: Call, request: GrantRequest) -> Person:
        """Give somebody a role on one use case, or everywhere."""
        call.authorize("directory:manage", on="*")
        await self._load(request.person)

        def work(tx: Transaction) -> None:
            if store.grant(tx, request.person, request.role, request.scope):
                store.touch(tx)
                tx.record(f"person/{request.person}", RoleGranted(person=request.person, role=request.role,
                                                                  scope=request.scope))

        await self._database.write(call, work)
        return await self._load(request.person)

    @operation("POST /api/v1/people/{person}/keys", effect="write")
    async def rekey(self, call: Call, request: PersonRef) -> IssuedKey:
        """Issue a new API key and end all earlier ones; the key is shown this once."""
        call.authorize("directory:me", on=call.principal.id)
        if request.person != call.principal.id:
            call.authorize("directory:manage", on="*")
        person = await self._load(request.person)
        key, key_id = tokens.new_token("ph"), self._mint("key")

        def work(tx: Transaction) -> None:
            store.end_keys(tx, person.id)
            store.add_key(tx, digest=tokens.digest(key), key_id=key_id, person=person.id, at=stamp(call.at))
            tx.record(f"person/{person.id}", KeyIssued(person=person.id, key_id=key_id, replaces=True))

        await self._database.write(call, work)
        return IssuedKey(key_id=key_id, person=person.id, key=key)

    async def set_password(self, call: Call, person: str, password: str) -> None:
        """Give somebody a password, and end their sessions; not an operation, so that no key can take over a person."""
        call.authorize("directory:manage", on="*")
        check_password(password)
        hashed = await asyncio.to_thread(tokens.hash_password, password)

        def work(tx: Transaction) -> None:
            store.set_password(tx, person, hashed)
            tx.record(f"person/{person}", PasswordSet(person=person))

        await self._load(person)
        await self._database.write(call, work)

    async def sign_in(self, call: Call, credentials: Credentials) -> Session:
        """Check a password and open a session; `call` is the anonymous call of the door.

        Raises:
            TooManyTries: this account or this address failed too often within 15 minutes.
            SignInFailed: the name or the password is wrong (never said which).
        """
        since = stamp(call.at - FAILURE_WINDOW)
        stored, counts = await self._database.read(lambda r: (
            store.password_of(r, credentials.person),
            store.failures(r, since=since, person=credentials.person, address=credentials.address)))
        if counts[0] >= FAILURES_PER_ACCOUNT or counts[1] >= FAILURES_PER_ADDRESS:
            await self._refuse(call, credentials, "too many", count=False)
            raise TooManyTries("too many failed sign-ins; wait 15 minutes, or ask an administrator for a new key",
                               wait_s=int(FAILURE_WINDOW.total_seconds()))
        if not await asyncio.to_thread(tokens.password_matches, stored, credentials.password):
            await self._refuse(call, credentials, "password" if stored else "unknown", count=True)
            raise SignInFailed("the name or the password is not right; check both and try again",
                               rule="password-matches")
        return await self._open_session(call, credentials.person)

    async def _refuse(self, call: Call, credentials: Credentials, why: str, *, count: bool) -> None:
        def work(tx: Transaction) -> None:
            if count:
                store.add_failure(tx, at=stamp(call.at), person=credentials.person, address=credentials.address,
                                  forget_before=stamp(call.at - FAILURE_WINDOW))
            named = credentials.person if why == "password" else ""  # what an unknown typed may be a password
            tx.record("directory/sign-in", SignInRefused(person=named, why=why))

        await self._database.write(call, work)

    async def _open_session(self, call: Call, person: str) -> Session:
        session = Session(token=tokens.new_token("phs"), form_token=tokens.new_token("phf"),
                          person=PrincipalId(person), expires_at=stamp(call.at + SESSION_LASTS))

        def work(tx: Transaction) -> None:
            store.add_session(tx, digest=tokens.digest(session.token), person=person, form_token=session.form_token,
                              expires_at=session.expires_at)
            tx.record(f"person/{person}", SignedIn(person=person))

        await self._database.write(call, work)
        return session

    async def sign_out(self, call: Call, token: str) -> None:
        """End one session."""
        await self._database.write(call, lambda tx: store.end_session(tx, tokens.digest(token)))

    async def principal_by_key(self, key: str) -> Principal:
        """Return who an API key belongs to; raises KeyRefused. Cached until anything in the directory changes."""
        return await self._database.read(lambda r: self._by_key(r, tokens.digest(key)), quick=True)

    def _by_key(self, reader: Reader, digest: str) -> Principal:
        self._refresh(reader)
        person = self._keys.get(digest)
        if person is None:
            person = store.key_owner(reader, digest)
            if person is None:
                raise KeyRefused("this API key is not valid; ask an administrator for a new one", rule="valid-key")
            self._keys[digest] = person
        return self._principal(reader, person)

    async def principal_by_session(self, token: str, *, now: str) -> tuple[Principal, str]:
        """Return who a session belongs to, and its form token; raises KeyRefused when it ended."""
        def look(reader: Reader) -> tuple[Principal, str]:
            self._refresh(reader)
            found = store.session(reader, tokens.digest(token), now=now)
            if found is None:
                raise KeyRefused("your session has ended; sign in again", rule="valid-session")
            return self._principal(reader, found[0]), found[1]

        return await self._database.read(look, quick=True)

    async def principal(self, person: str) -> Principal:
        """Return a principal by id, for the platform's own work on somebody's behalf; raises NoSuchPerson."""
        def look(reader: Reader) -> Principal:
            self._refresh(reader)
            return self._principal(reader, person)

        return await self._database.read(look, quick=True)

    def _refresh(self, reader: Reader) -> None:
        epoch = store.epoch(reader)
        if epoch != self._epoch:
            self._principals, self._keys, self._epoch = {}, {}, epoch

    def _principal(self, reader: Reader, person: str) -> Principal:
        held = self._principals.get(person)
        if held is None:
            held = self._principals[person] = as_principal(_one(store.people(reader, only=person), person))
        return held

    async def everybody(self) -> tuple[Person, ...]:
        """Return all people, for steps that count or recognise them (not an operation: the caller authorizes)."""
        return tuple(await self._database.read(store.people))

    def people_in(self, reader: Reader) -> tuple[Person, ...]:
        """Return all people in an open snapshot (the caller authorizes)."""
        return tuple(store.people(reader))

    async def record_refusal(self, call: Call, operation: str, denied: Denied) -> None:
        """Record that an operation was refused; doors call this whenever Denied reaches them."""
        event = AccessRefused(operation=operation, permission=str(denied.facts.get("permission", "")),
                              scope=str(denied.facts.get("scope", "")), rule=str(denied.facts.get("rule", "")))
        await self._database.write(call, lambda tx: tx.record(f"person/{call.principal.id}", event))

    async def _load(self, person: str) -> Person:
        return _one(await self._database.read(lambda r: store.people(r, only=person), quick=True), person)


def _one(found: Sequence[Person], person: str) -> Person:
    if found:
        return found[0]
    raise NoSuchPerson(f"nobody called {person} is in the directory", person=person)


def as_principal(person: Person) -> Principal:
    """Return the principal somebody acts as; raises KeyRefused for the disabled."""
    if person.disabled:
        raise KeyRefused("this account is disabled; ask an administrator", rule="not-disabled")
    return Principal(id=person.id, tenant=person.tenant, kind=person.kind, name=person.name, unit=person.unit,
                     country=person.country, groups=frozenset(person.groups), grants=person.grants)


def check_person(new: NewPerson) -> None:
    """Raise Invalid naming the field that does not fit."""
    if not ID.fullmatch(new.id):
        raise Invalid("an id is 2 to 64 characters of a-z, 0-9, dot, dash or underscore, such as mara.lindt",
                      field="id")
    if not 1 <= len(new.name) <= 200:
        raise Invalid("a name has 1 to 200 characters", field="name")
    if new.password:
        check_password(new.password)


def check_password(password: str) -> None:
    """Raise Invalid when a password is too short or too long."""
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        raise Invalid(f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters", field="password")
