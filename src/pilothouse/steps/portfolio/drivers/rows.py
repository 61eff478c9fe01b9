"""Rows of a database as samples: one page after a mark that grows, each row once."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

from pilothouse.kernel.clock import instant, stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts.samples import Feed, Pulled

COLUMNS = ("mark", "value")


def check(feed: Feed) -> None:
    """Raise Invalid unless the query is one select."""
    first = feed.query.split(None, 1)[0].lower()
    if first not in ("select", "with") or ";" in feed.query:
        raise Invalid("write one select, without a semicolon, that gives the columns `mark`, `value` and, where known,"
                      " `at`; `mark` is unique and grows, such as the row's id", field="query")


def refusal(database: str, problem: Exception) -> Invalid:
    """Return what to say when the database does not take the query."""
    return Invalid(f"{database} refuses the query, which must name `mark` and `value`: {problem}", field="query")


def page_sql(query: str, *, after: bool, marker: str, limit: int) -> str:
    """Wrap a query so that it gives one page in order of its mark, and one row more."""
    where = f" where pulled.mark > {marker}" if after else ""
    return f"select * from (\n{query}\n) as pulled{where} order by pulled.mark limit {limit + 1}"  # noqa: S608


def mark_of(position: str) -> Any:
    """Read a position back as the value it was; times come back as times."""
    if not position:
        return None
    kind, value = json.loads(position)
    return {"at": datetime.fromisoformat, "day": date.fromisoformat}.get(kind, lambda v: v)(value)


def position_of(mark: Any) -> str:
    """Write a mark so that it is read back as the same type."""
    if isinstance(mark, datetime):
        return json.dumps(["at", mark.isoformat()])
    if isinstance(mark, date):
        return json.dumps(["day", mark.isoformat()])
    if not isinstance(mark, int | float | str) or isinstance(mark, bool):
        raise Invalid("`mark` must be a number, a text or a time that is unique and grows, such as the row's id",
                      field="query")
    return json.dumps(["plain", mark])


def pulled(feed: Feed, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, limit: int) -> Pulled:
    """Turn one page of rows into observations; what is NULL is counted as missing."""
    if rows and not set(COLUMNS) <= set(columns):
        raise Invalid(f"the query gives {', '.join(columns) or 'nothing'}; it must name `mark` and `value`",
                      field="query")
    page = [dict(zip(columns, row, strict=True)) for row in rows]
    _unique(page)
    taken = page[:limit]
    held = [r for r in taken if r["value"] is not None]
    times = tuple(_time(r["at"]) for r in held) if "at" in columns else ()
    return Pulled(values=tuple(_number(r["value"]) for r in held), times=times, more=len(page) > limit,
                  position=position_of(taken[-1]["mark"]) if taken else feed.position,
                  missing=len(taken) - len(held))


def _unique(page: Sequence[dict[str, Any]]) -> None:
    for before, after in pairwise(page):
        if before["mark"] == after["mark"]:
            raise Invalid("two rows carry the same `mark`, so that one of them could be lost or counted twice; use a"
                          " column that is unique and grows, such as the row's id", field="query")
    if any(r["mark"] is None for r in page):
        raise Invalid("a row has no `mark`; use a column that always holds one", field="query")


def _number(value: Any) -> float:
    if isinstance(value, int | float | Decimal):
        return float(value)
    raise Invalid(f"`value` holds {type(value).__name__}, not a number; cast it in the query", field="query")


def _time(value: Any) -> str:
    """Write a time of the source as an instant; text needs its offset, and a time without one is taken as UTC."""
    if isinstance(value, datetime):
        return stamp(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return stamp(datetime.fromtimestamp(value, UTC))
    try:
        return stamp(instant(str(value)))
    except ValueError as wrong:
        raise Invalid("`at` must be a time, seconds since 1970, or text such as 2026-03-02T09:30:00Z", field="query"
                      ) from wrong
