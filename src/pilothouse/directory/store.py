"""Tables of the directory: the only SQL about people, grants, keys and sessions."""

from collections import defaultdict
from collections.abc import Sequence

from pilothouse.directory.contracts import NewPerson, Person
from pilothouse.directory.errors import AlreadyThere
from pilothouse.kernel.ids import PrincipalId, TenantId
from pilothouse.kernel.principal import Grant
from pilothouse.kernel.store import Reader, Row, Transaction

ERASED = "erased"
"""What stands where an erased person's name stood."""


def insert(tx: Transaction, new: NewPerson, *, tenant: str, password_hash: str | None, demo: bool) -> None:
    """Add a person with groups and roles; raise AlreadyThere if the id is taken."""
    if not tx.run("insert into person (id, tenant, kind, name, email, unit, country, title, disabled, demo, password)"
                  " values (?,?,?,?,?,?,?,?,0,?,?) on conflict do nothing", new.id, tenant, new.kind, new.name,
                  new.email, new.unit, new.country, new.title, int(demo), password_hash):
        raise AlreadyThere(f"{new.id} is in the directory already; choose another id", person=new.id)
    for group in new.groups:
        tx.run("insert into membership values (?,?) on conflict do nothing", new.id, group)
    for role in new.roles:
        grant(tx, new.id, role, "*")
    touch(tx)


def grant(tx: Transaction, person: str, role: str, scope: str) -> bool:
    """Give a role; returns False if it was held already."""
    return bool(tx.run("insert into role_grant values (?,?,?) on conflict do nothing", person, role, scope))


def touch(tx: Transaction) -> None:
    """Move the epoch: whatever was cached about principals is read again."""
    tx.run("update directory_epoch set epoch = epoch + 1 where id = 1")


def epoch(reader: Reader) -> int:
    return int(reader.rows("select epoch from directory_epoch where id = 1")[0]["epoch"] or 0)


def people(reader: Reader, *, only: str = "") -> Sequence[Person]:
    """Return everybody by name, or the one with this id (then none or one)."""
    groups: dict[str, list[str]] = defaultdict(list)
    for r in reader.rows("select person, grp from membership where person = ? or ? = '' order by grp", only, only):
        groups[str(r["person"])].append(str(r["grp"]))
    grants: dict[str, list[Grant]] = defaultdict(list)
    for r in reader.rows("select person, role, scope from role_grant where person = ? or ? = '' order by role, scope",
                         only, only):
        grants[str(r["person"])].append(Grant(role=str(r["role"]), scope=str(r["scope"])))
    rows = reader.rows("select * from person where id = ? or ? = '' order by name, id", only, only)
    return [_person(r, groups[str(r["id"])], grants[str(r["id"])]) for r in rows]


def _person(r: Row, groups: list[str], grants: list[Grant]) -> Person:
    return Person(id=PrincipalId(str(r["id"])), tenant=TenantId(str(r["tenant"])), kind=r["kind"],  # type: ignore[arg-type]
                  name=str(r["name"]), email=str(r["email"]), unit=str(r["unit"]), country=str(r["country"]),
                  title=str(r["title"]), groups=tuple(groups), grants=tuple(grants), disabled=bool(r["disabled"]),
                  demo=bool(r["demo"]))


def set_password(tx: Transaction, person: str, password_hash: str) -> None:
    tx.run("update person set password = ? where id = ?", password_hash, person)
    end_sessions(tx, person)


def password_of(reader: Reader, person: str) -> str | None:
    """Return the stored hash of somebody who may sign in; None for the unknown, the disabled, and key-only people."""
    found = reader.rows("select password from person where id = ? and disabled = 0", person)
    return str(found[0]["password"]) if found and found[0]["password"] else None


def disable(tx: Transaction, person: str) -> None:
    tx.run("update person set disabled = 1 where id = ?", person)
    end_keys(tx, person)
    end_sessions(tx, person)
    touch(tx)


def erase(tx: Transaction, person: str) -> int:
    """Take name, address and access from somebody; the id stays, for entries and rows name it. Returns rows touched."""
    disable(tx, person)
    tx.run("delete from membership where person = ?", person)
    tx.run("delete from role_grant where person = ?", person)
    tx.run("delete from sign_in_failure where person = ?", person)
    return tx.run("update person set name = ?, email = '', title = '', password = null where id = ? and name <> ?",
                  ERASED, person, ERASED)


def add_key(tx: Transaction, *, digest: str, key_id: str, person: str, at: str) -> None:
    tx.run("insert into api_key values (?,?,?,?)", digest, key_id, person, at)
    touch(tx)


def end_keys(tx: Transaction, person: str) -> None:
    tx.run("delete from api_key where person = ?", person)
    touch(tx)


def key_owner(reader: Reader, digest: str) -> str | None:
    found = reader.rows("select person from api_key where digest = ?", digest)
    return str(found[0]["person"]) if found else None


def add_session(tx: Transaction, *, digest: str, person: str, form_token: str, expires_at: str) -> None:
    tx.run("insert into session values (?,?,?,?)", digest, person, form_token, expires_at)


def session(reader: Reader, digest: str, *, now: str) -> tuple[str, str] | None:
    """Return (person, form token) of a session that has not expired."""
    found = reader.rows("select person, form_token from session where digest = ? and expires_at > ?", digest, now)
    return (str(found[0]["person"]), str(found[0]["form_token"])) if found else None


def end_session(tx: Transaction, digest: str) -> None:
    tx.run("delete from session where digest = ?", digest)


def end_sessions(tx: Transaction, person: str) -> None:
    tx.run("delete from session where person = ?", person)


def add_failure(tx: Transaction, *, at: str, person: str, address: str, forget_before: str) -> None:
    tx.run("delete from sign_in_failure where at < ?", forget_before)
    tx.run("insert into sign_in_failure values (?,?,?)", at, person, address)


def failures(reader: Reader, *, since: str, person: str, address: str) -> tuple[int, int]:
    """Return failed sign-ins since an instant: for this account, and from this address."""
    r = reader.rows("select coalesce(sum(case when person = ? then 1 else 0 end), 0) as account,"
                    " coalesce(sum(case when address = ? then 1 else 0 end), 0) as address_count"
                    " from sign_in_failure where at > ?", person, address, since)[0]
    return int(r["account"] or 0), int(r["address_count"] or 0)
