"""An experiment over HTTP: registered, started, assigned and refused as any client would see it."""

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.wire.conftest import Served


def asked(served: Served, verb: str, path: str, body: Any = None) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{served.address}{path}", method=verb, data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {served.key}", "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_an_experiment_is_registered_started_and_assigned_over_http(served: Served) -> None:
    status, u = asked(served, "POST", "/api/v1/use-cases", {
        "title": "Draft replies to invoices", "problem": "Clerks type the same reply to every invoice question.",
        "outcome": "speed", "unit_of_work": "invoice answered", "join_anyway": "own team"})
    assert status in (200, 201), u
    base = f"/api/v1/use-cases/{u['id']}"
    asked(served, "POST", f"{base}/kpis", {"slug": "minutes", "title": "Minutes", "unit": "min", "shape": "mean",
                                           "better": "lower", "least_change": 1.0})
    today = datetime.now(UTC).date()
    registration = {
        "slug": "pilot", "hypothesis": "Drafts save clerks two minutes.", "design": "cluster randomised",
        "primary": "minutes", "guardrails": [], "least_effect": 1.0, "planned_n": 24,
        "starts_on": today.isoformat(), "ends_on": (today + timedelta(days=20)).isoformat(),
        "stop_rule": "It runs three weeks, to the end.",
        "members": [{"person": f"clerk-{i}", "cluster": f"team {i % 8}"} for i in range(24)]}
    status, refused = asked(served, "POST", f"{base}/experiments", {**registration, "starts_on": "2020-01-01"})
    assert (status, refused["field"]) == (422, "starts_on"), refused
    status, e = asked(served, "POST", f"{base}/experiments", registration)
    assert (status in (200, 201), e["status"]) == (True, "registered"), e
    assert asked(served, "POST", f"{base}/experiments/pilot/start", {})[1]["status"] == "running"
    one, again = (asked(served, "GET", f"{base}/experiments/pilot/assignments/clerk-3") for _ in range(2))
    assert one == again
    assert one[1]["cluster"] == "team 3"
    assert asked(served, "GET", f"{base}/experiments/pilot/result")[0] == 409
