"""Connections: what a definition may hold, when a sync is due next, and how far one came."""

import json
import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from pilothouse.kernel.clock import instant, stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.knowledge.contracts import SourceId
from pilothouse.steps.knowledge.contracts.connections import Connection, NewConnection

CREDENTIAL = re.compile(r"PILOTHOUSE_SOURCE_[A-Z0-9_]{1,60}")
"""Only these variables can be named, so that nobody sends another secret of the server to an address of theirs."""
EVERY_MIN, EVERY_MAX = 5, 43_200
OPTIONS_MAX, OPTION_LENGTH_MAX, ADDRESS_LENGTH_MAX = 20, 4_000, 1_000


def check(new: NewConnection) -> None:
    """Raise Invalid naming the field that cannot be meant."""
    if not 1 <= len(new.source) <= 80 or "/" in new.source or not new.source.isprintable():
        raise Invalid("a source's name has 1 to 80 characters without a slash", field="source")
    if new.credential and not CREDENTIAL.fullmatch(new.credential):
        raise Invalid("name the environment variable that holds the credential, such as PILOTHOUSE_SOURCE_WIKI; the"
                      " credential itself belongs in the server's environment", field="credential")
    if len(new.address) > ADDRESS_LENGTH_MAX or not new.address.isprintable():
        raise Invalid(f"an address has at most {ADDRESS_LENGTH_MAX} printable characters", field="address")
    if "@" in new.address.partition("://")[2].partition("/")[0]:
        raise Invalid("an address holds no user name or password; put them into the server's environment and name the"
                      " variable as the credential", field="address")
    if new.every_minutes and not EVERY_MIN <= new.every_minutes <= EVERY_MAX:
        raise Invalid(f"sync every {EVERY_MIN} to {EVERY_MAX} minutes, or 0 for only when asked", field="every_minutes")
    if len(new.options) > OPTIONS_MAX or any(len(v) > OPTION_LENGTH_MAX for v in new.options.values()):
        raise Invalid(f"at most {OPTIONS_MAX} options of {OPTION_LENGTH_MAX} characters each", field="options")


def connection_of(new: NewConnection, *, source_id: SourceId, by: str, now: datetime,
                  held: Connection | None) -> Connection:
    """Return the connection, due at once when it has a schedule; what it has done so far is kept."""
    due = stamp(now) if new.every_minutes else ""
    if held is not None:
        same = (held.kind, held.address, dict(held.options)) == (new.kind, new.address, dict(new.options))
        return replace(held, kind=new.kind, address=new.address, credential=new.credential, options=dict(new.options),
                       every_minutes=new.every_minutes, state="active", next_due=due, problem="",
                       since=held.since if same else "")
    return Connection(source_id=source_id, source=new.source, kind=new.kind, address=new.address,
                      credential=new.credential, options=dict(new.options), every_minutes=new.every_minutes,
                      state="active", defined_by=by, next_due=due, started_at="", finished_at="", problem="",
                      since="", items=0, fetched=0, removed=0)


def next_due(connection: Connection, now: datetime) -> str:
    """Return the first time after now that lies whole steps after the last: syncs that were missed are not repeated."""
    step, due = timedelta(minutes=connection.every_minutes), instant(connection.next_due)
    return stamp(due + step * (max(timedelta(0), now - due) // step + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far a sync came, as its job remembers it between pages."""

    cursor: str = ""
    fetched: int = 0
    kept_out: int = 0
    unlisted: tuple[str, ...] = ()

    def written(self) -> str:
        return json.dumps(asdict(self))


def reached(cursor: str) -> Reached:
    """Read what `written` wrote; the beginning when there is nothing."""
    held = json.loads(cursor) if cursor else {}
    return Reached(**{**held, "unlisted": tuple(held["unlisted"])}) if held else Reached()


def gone(paths: list[str], unlisted: tuple[str, ...]) -> list[str]:
    """Return the paths that do not lie below one that could not be listed."""
    return [p for p in paths if not any(u in ("", p) or p.startswith(f"{u}/") for u in unlisted)]
