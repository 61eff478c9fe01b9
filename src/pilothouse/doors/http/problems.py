"""Kernel errors as RFC 9457 problem details, and in the shape that OpenAI's clients expect."""

from collections.abc import Mapping

import msgspec

from pilothouse.kernel.errors import Exhausted, PilothouseError, Unavailable

TYPES = "https://pilothouse.dev/errors/"
_WIRE_TYPES: Mapping[int, str] = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
                                  404: "not_found_error", 422: "invalid_request_error", 429: "rate_limit_error"}


def problem(error: PilothouseError) -> bytes:
    """Return the problem document of an error; facts stand beside the standard members."""
    return msgspec.json.encode({**error.facts, "type": TYPES + error.code, "title": error.message,
                                "status": error.status, "code": error.code})


def wire_error(error: PilothouseError) -> tuple[int, bytes, Mapping[str, str]]:
    """Return (status, body, headers) for a wire-compatible door.

    Official clients repeat 409 and 5xx by themselves, so what is not safe to repeat is 403 or 400, with
    `x-should-retry` saying it outright.
    """
    status = {409: 403, 422: 400}.get(error.status, error.status)
    body = {"error": {"message": error.message, "type": _WIRE_TYPES.get(status, "api_error"),
                      "param": error.facts.get("field"), "code": error.code}}
    retry = "true" if isinstance(error, Unavailable | Exhausted) else "false"
    headers = {"x-should-retry": retry}
    if isinstance(error, Exhausted) and "wait_s" in error.facts:
        headers["retry-after"] = str(error.facts["wait_s"])
    return status, msgspec.json.encode(body), headers


def bug(trace: str) -> bytes:
    """Return the problem document of a failure nobody planned for; the log holds the rest under the trace."""
    return msgspec.json.encode({"type": TYPES + "bug", "title": "something broke on our side; it has been recorded",
                                "status": 500, "code": "bug", "trace": trace})
