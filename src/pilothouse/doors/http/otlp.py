"""`POST /v1/metrics`: OTLP metrics over HTTP as JSON; each data point of a gauge or a delta sum is one observation."""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pilothouse.doors.http.identity import Identity
from pilothouse.doors.http.operations import BODY_BYTES_MAX, TooLarge
from pilothouse.doors.http.wire import Endpoint, Receive, Scope, Send, body_of, reply
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.errors import Conflict, Denied, Invalid, Missing, PilothouseError
from pilothouse.platform import Platform
from pilothouse.steps.portfolio.contracts import SampleBatch, UseCaseId

USE_CASE, KPI, PERIOD = "pilothouse.use_case", "pilothouse.kpi", "pilothouse.period"
"""Attributes, of the resource or the data point, that say which KPI it is an observation of."""
NO_VALUE = 1
DELTA = (1, "AGGREGATION_TEMPORALITY_DELTA")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One data point with everything that says where it belongs; `problem` says why it cannot be taken."""

    use_case: str = ""
    kpi: str = ""
    period: str = "current"
    metric: str = ""
    unit: str = ""
    at: str = ""
    value: float = 0.0
    problem: str = ""


def endpoint(identity: Identity, platform: Platform) -> Endpoint:
    """Return the ASGI endpoint; errors are told in OTLP's shape (google.rpc.Status)."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {k.decode("latin1"): v.decode("latin1") for k, v in scope["headers"]}
        call = None
        try:
            call = await identity.by_key(headers)
            answer = await take(platform, call, points(_read(headers, await body_of(receive))))
            await reply(send, msgspec.json.encode(answer))
        except PilothouseError as refused:
            if isinstance(refused, Denied) and call is not None:
                await identity.directory.record_refusal(call, "portfolio.measure", refused)
            await reply(send, msgspec.json.encode({"code": refused.status, "message": refused.message}),
                        status=refused.status)

    return serve


def _read(headers: Mapping[str, str], body: bytes) -> Any:
    if "json" not in headers.get("content-type", ""):
        raise Invalid("send OTLP as JSON: `encoding: json` in the Collector's otlphttp exporter, or"
                      " OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/json", field="content-type")
    if headers.get("content-encoding", "") == "gzip":
        body = _unzipped(body)
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as broken:
        raise Invalid(f"the body is not valid JSON: {broken}", field="body") from broken


def _unzipped(body: bytes) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    try:
        plain = unzip.decompress(body, BODY_BYTES_MAX)
    except zlib.error as broken:
        raise Invalid("the body is not gzip, although content-encoding says so", field="body") from broken
    if unzip.unconsumed_tail:
        raise TooLarge(f"a request may carry at most {BODY_BYTES_MAX} bytes", limit_bytes=BODY_BYTES_MAX)
    return plain


def points(body: Any) -> Iterator[Point]:
    """Yield every data point of an ExportMetricsServiceRequest; one that holds no value is left out."""
    for resource in _list(body, "resourceMetrics"):
        outer = _attributes(resource.get("resource") or {})
        for scope in _list(resource, "scopeMetrics"):
            for metric in _list(scope, "metrics"):
                yield from _of_metric(metric, outer)


def _list(value: Any, name: str) -> list[dict[str, Any]]:
    found = value.get(name, []) if isinstance(value, dict) else None
    if not isinstance(found, list) or not all(isinstance(v, dict) for v in found):
        raise Invalid(f"`{name}` must be a list of objects", field=name)
    return found


def _attributes(value: Any) -> dict[str, str]:
    return {str(a.get("key")): str((a.get("value") or {}).get("stringValue", "")) for a in _list(value, "attributes")}


def _of_metric(metric: dict[str, Any], outer: Mapping[str, str]) -> Iterator[Point]:
    name, unit = str(metric.get("name", "")), str(metric.get("unit", ""))
    kind = next((k for k in ("gauge", "sum", "histogram", "exponentialHistogram", "summary") if k in metric), "")
    held = metric.get(kind) or {}
    problem = ""
    if kind not in ("gauge", "sum"):
        problem = f"`{name}` is a {kind or 'metric without data'}, which holds no single observations; send a gauge"
    elif kind == "sum" and held.get("aggregationTemporality") not in DELTA:
        problem = f"`{name}` is a cumulative sum; choose delta temporality or send a gauge"
    for p in _list(held, "dataPoints"):
        if not int(p.get("flags") or 0) & NO_VALUE:
            yield Point(metric=name, problem=problem) if problem else _point(p, name, unit, outer)


def _point(p: dict[str, Any], metric: str, unit: str, outer: Mapping[str, str]) -> Point:
    known = {**outer, **_attributes(p)}
    if not (known.get(USE_CASE) and known.get(KPI)):
        return Point(metric=metric, problem=f"`{metric}` names no KPI; set the attributes {USE_CASE} and {KPI}")
    try:
        at = stamp(EPOCH + timedelta(microseconds=int(p["timeUnixNano"]) // 1000))
        value = float(p["asDouble"] if "asDouble" in p else p["asInt"])
    except (KeyError, ValueError, TypeError, OverflowError):
        return Point(metric=metric, problem=f"a data point of `{metric}` lacks a time or a number")
    return Point(use_case=known[USE_CASE], kpi=known[KPI], period=known.get(PERIOD, "current"), metric=metric,
                 unit=unit, at=at, value=value)


async def take(platform: Platform, call: Call, found: Iterator[Point]) -> Mapping[str, Any]:
    """Accept what fits, one batch a KPI; the same request again is taken once. Says how many were refused, and why."""
    groups: defaultdict[tuple[str, str, str, str, str], list[Point]] = defaultdict(list)
    refused, why = 0, ""
    for p in found:
        if p.problem:
            refused, why = refused + 1, why or p.problem
        else:
            groups[p.use_case, p.kpi, p.period, p.metric, p.unit].append(p)
    for held in groups.values():
        try:
            await platform.portfolio.measure(call, _batch(held))
        except (Invalid, Missing, Conflict) as problem:
            refused, why = refused + len(held), why or problem.message
    return {"partialSuccess": {"rejectedDataPoints": str(refused), "errorMessage": why}} if refused else {}


def _batch(held: list[Point]) -> SampleBatch:
    first = held[0]
    if first.period not in ("baseline", "current"):
        raise Invalid(f"{PERIOD} is `baseline` or `current`", field=PERIOD)
    return SampleBatch(use_case_id=UseCaseId(first.use_case), kpi=first.kpi, source="OTLP", instrument=first.metric,
                       period="baseline" if first.period == "baseline" else "current", unit=first.unit,
                       values=tuple(p.value for p in held), times=tuple(p.at for p in held))
