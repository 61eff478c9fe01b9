"""The source `prometheus`: range queries over its HTTP interface, window by window, one series."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pilothouse.kernel.clock import instant, stamp
from pilothouse.kernel.errors import Invalid
from pilothouse.steps.portfolio.contracts.samples import Feed, Pulled
from pilothouse.steps.portfolio.drivers.addresses import address_of, optional
from pilothouse.steps.portfolio.errors import SourceUnavailable

POINTS_MAX = 10_000
"""Prometheus refuses ranges of more than 11,000 points."""
SETTLED = timedelta(seconds=60)
"""Younger points may still change: scrapes and rules arrive late."""
SECONDS_MAX = 30.0
BYTES_MAX = 16_000_000


class PrometheusSource:
    """Reads `query_range`; a point that is NaN or absent is missing. The token is in `<address variable>_TOKEN`."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._env = env

    def check(self, feed: Feed) -> None:
        self._address(feed)

    def _address(self, feed: Feed) -> str:
        address = address_of(feed.address, self._env).rstrip("/")
        if not address.startswith(("http://", "https://")):
            raise Invalid(f"{feed.address} must begin with http:// or https://", field="address")
        return address

    async def pull(self, feed: Feed, *, until: datetime, limit: int) -> Pulled:
        start, end, more = window(feed, until, min(limit, POINTS_MAX))
        if end < start:
            return Pulled(values=(), times=(), position=feed.position, more=False)
        answer = await self._ask(feed, {"query": feed.query, "start": f"{start.timestamp():.3f}",
                                        "end": f"{end.timestamp():.3f}", "step": str(feed.step_s)})
        points = _points(answer)
        held = [(at, float(text)) for at, text in points if math.isfinite(float(text))]
        expected = round((end - start).total_seconds()) // feed.step_s + 1
        return Pulled(values=tuple(v for _, v in held), position=stamp(end), more=more,
                      times=tuple(stamp(datetime.fromtimestamp(float(at), UTC)) for at, _ in held),
                      missing=expected - len(held))

    async def _ask(self, feed: Feed, query: Mapping[str, str]) -> Any:
        import aiohttp

        address = self._address(feed)
        token = optional(f"{feed.address}_TOKEN", self._env)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            async with (aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS_MAX)) as session,
                        session.post(f"{address}/api/v1/query_range", data=query, headers=headers,
                                     allow_redirects=False) as answer):
                body = await _body(answer)
                return _result(answer.status, body)
        except (TimeoutError, aiohttp.ClientError, OSError) as problem:
            raise SourceUnavailable(f"the Prometheus behind {feed.address} does not answer ({type(problem).__name__})"
                                    ) from problem


def window(feed: Feed, until: datetime, points: int) -> tuple[datetime, datetime, bool]:
    """Return the first and last point of the next window, on whole steps since 1970, and whether there is more."""
    step = feed.step_s
    last = int((until - SETTLED).timestamp()) // step * step
    if feed.position:
        first = int(instant(feed.position).timestamp()) + step
    else:
        first = -(-int(instant(feed.since).timestamp()) // step) * step
    end = min(last, first + (points - 1) * step)
    return datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(end, UTC), end < last


async def _body(answer: Any) -> bytes:
    body: bytes = await answer.content.read(BYTES_MAX + 1)
    while len(body) <= BYTES_MAX and (piece := await answer.content.read(BYTES_MAX)):
        body += piece
    if len(body) > BYTES_MAX:
        raise Invalid("Prometheus answered with more than 16 MB; choose a longer step", field="step_s")
    return body


def _result(status: int, body: bytes) -> Any:
    import msgspec

    try:
        plain = msgspec.json.decode(body)
    except msgspec.DecodeError:
        plain = {}
    if status == 200 and isinstance(plain, dict) and plain.get("status") == "success":
        return plain["data"]
    if status in (400, 422) and isinstance(plain, dict) and plain.get("error"):
        raise Invalid(f"Prometheus refuses the query: {str(plain['error'])[:300]}", field="query")
    if status in (401, 403):
        raise Invalid("Prometheus refuses the token; set it in the variable that ends with _TOKEN", field="address")
    raise SourceUnavailable(f"Prometheus answered with status {status}")


def _points(data: Any) -> list[tuple[float, str]]:
    """Return the points of the one series; several would be added up by nobody knows which rule."""
    if not isinstance(data, dict) or data.get("resultType") != "matrix":
        raise Invalid("the query gives no range of numbers; write one that gives an instant vector", field="query")
    series = data["result"]
    if len(series) > 1:
        raise Invalid(f"the query gives {len(series)} series; make it one, for example with sum(…) or avg(…)",
                      field="query")
    return [(float(at), str(text)) for at, text in series[0]["values"]] if series else []
