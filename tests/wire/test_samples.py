"""Samples through every door of a real server: OTLP, the command line, and the form on a KPI's page."""

import gzip
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from tests.wire.conftest import Served, run

CASE = {"title": "Sort the post", "problem": "Every letter is read by three people.", "outcome": "speed",
        "unit_of_work": "letter", "slug": "post"}
MINUTES = {"slug": "minutes", "title": "Minutes", "unit": "min", "shape": "mean", "better": "lower",
           "least_change": 1.0}


def post(served: Served, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
    sent = urllib.request.Request(served.address + path, data=body, headers={
        "authorization": f"Bearer {served.key}", "content-type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(sent, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


def get(served: Served, path: str) -> Any:
    sent = urllib.request.Request(served.address + path, headers={"authorization": f"Bearer {served.key}"})
    with urllib.request.urlopen(sent, timeout=30) as answer:
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def case(served: Served) -> str:
    """A use case with one KPI, made over HTTP."""
    status, made = post(served, "/api/v1/use-cases", json.dumps(CASE).encode())
    assert status == 200, made
    assert post(served, "/api/v1/use-cases/post/kpis", json.dumps(MINUTES).encode())[0] == 200
    return str(made["id"])


def n_current(served: Served) -> int:
    return int(get(served, "/api/v1/use-cases/post/kpis")[0]["result"]["n_current"])


def metrics(*points: tuple[int, float], unit: str = "min", kpi: str = "minutes", **data: Any) -> bytes:
    held = {"dataPoints": [{"timeUnixNano": str(at * 10**9), "asDouble": v} for at, v in points], **data}
    kind = "sum" if data else "gauge"
    attributes = [{"key": "pilothouse.use_case", "value": {"stringValue": "post"}},
                  {"key": "pilothouse.kpi", "value": {"stringValue": kpi}}]
    return json.dumps({"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [
        {"metrics": [{"name": "post.handling", "unit": unit, kind: held}]}]}]}).encode()


def test_otlp_data_points_become_samples_once_and_what_does_not_fit_is_told(served: Served, case: str) -> None:
    before = n_current(served)
    body = metrics((1_772_000_000, 4.0), (1_772_000_060, 5.0))
    assert post(served, "/v1/metrics", body) == (200, {})
    assert post(served, "/v1/metrics", gzip.compress(body), {"content-encoding": "gzip"}) == (200, {})
    assert n_current(served) == before + 2
    for wrong, says in ((metrics((1, 2.0), unit="h"), "convert"), (metrics((1, 2.0), kpi="none"), "no KPI"),
                        (metrics((1, 2.0), aggregationTemporality=2), "cumulative")):
        status, answer = post(served, "/v1/metrics", wrong)
        assert (status, answer["partialSuccess"]["rejectedDataPoints"]) == (200, "1")
        assert says in answer["partialSuccess"]["errorMessage"]
    assert post(served, "/v1/metrics", metrics((1_772_000_120, 1.0), aggregationTemporality=1)) == (200, {})
    assert n_current(served) == before + 3


@pytest.mark.parametrize(("body", "headers", "status", "says"), [
    (b"\x0a\x00", {"content-type": "application/x-protobuf"}, 422, "http/json"),
    (b"{", {}, 422, "not valid JSON"), (b"plain", {"content-encoding": "gzip"}, 422, "not gzip"),
    (b'{"resourceMetrics": 7}', {}, 422, "must be a list"), (b"{}", {"authorization": "Bearer none"}, 401, "")])
def test_otlp_that_cannot_be_read_is_refused_in_its_own_shape(
        served: Served, body: bytes, headers: dict[str, str], status: int, says: str) -> None:
    got, answer = post(served, "/v1/metrics", body, headers)
    assert got == status
    assert says in answer["message"]


def test_a_gzip_bomb_is_cut_off(served: Served) -> None:
    assert post(served, "/v1/metrics", gzip.compress(b" " * 90_000_000), {"content-encoding": "gzip"})[0] == 413


def test_a_file_is_imported_in_pieces_from_the_command_line_and_once(served: Served, case: str, tmp_path: Path) -> None:
    before = n_current(served)
    file = tmp_path / "export.csv"
    file.write_text("\ufeffvalue\n" + "".join(f"{i % 9}\n" for i in range(100_500)), encoding="utf8")
    said = served.cli("import-samples", str(file), "--use-case", "post", "--kpi", "minutes")
    assert "100500 rows: 100500 taken in 2 batches" in said
    assert "2 batches were here already" in served.cli("import-samples", str(file), "--use-case", "post", "--kpi",
                                                       "minutes")
    assert n_current(served) == before + 100_500
    with file.open("a", encoding="utf8") as more:
        more.write("many\n")
    assert "line 100502: `many` is not a number" in served.cli(
        "import-samples", str(file), "--use-case", "post", "--kpi", "minutes", expect=2)
    assert "hashed again" in run("verify", str(served.home), "--deep", home=served.home).stdout


def signed_in(served: Served) -> urllib.request.OpenerDirector:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    browser.open(served.address + "/sign-in", data=urllib.parse.urlencode(
        {"person": "admin", "password": "correct horse battery", "next": "/"}).encode()).close()
    return browser


def form(token: str, **fields: str) -> tuple[bytes, str]:
    parts = [f'--x\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'
             for k, v in {"form_token": token, "period": "current", "source": "clerk", "text": "", **fields}.items()
             if k != "file"]
    parts.append('--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n'
                 f"\r\n{fields.get('file', '')}\r\n")
    return ("".join(parts) + "--x--\r\n").encode(), "multipart/form-data; boundary=x"


def test_a_form_takes_pasted_rows_and_files_and_names_the_wrong_line(served: Served, case: str) -> None:
    browser, page = signed_in(served), served.address + "/use-cases/post/kpis/minutes"

    def send(**fields: str) -> str:
        shown = browser.open(page).read().decode()
        token = re.search(r'name="form_token" value="([^"]+)"', shown)
        assert token is not None
        body, kind = form(token.group(1), **fields)
        try:
            with browser.open(urllib.request.Request(page, data=body, headers={"content-type": kind})) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refused:
            with refused:
                assert refused.code == 422
                return str(refused.read().decode())

    before = n_current(served)
    assert "2 samples were taken" in send(text="at,value\n2026-03-01T09:00:00Z,4\n2026-03-01T10:00:00Z,5\n")
    assert "1 samples were taken" in send(file="value\n7\n")
    shown = send(text="at,value\nyesterday,4\n")
    assert "line 2:" in shown and "yesterday,4" in shown
    assert n_current(served) == before + 3


def test_a_kpi_that_went_stale_waits_on_its_owners_home_until_it_is_measured(served: Served, case: str) -> None:
    browser = signed_in(served)
    backlog = {**MINUTES, "slug": "backlog", "title": "Backlog", "unit": "{letter}"}
    assert post(served, "/api/v1/use-cases/post/kpis", json.dumps(backlog).encode())[0] == 200
    assert post(served, "/api/v1/use-cases/post/kpis/backlog/profile", b'{"cadence": "weekly"}')[0] == 200
    assert "Measure Backlog" not in browser.open(served.address + "/").read().decode()
    samples = {"kpi": "backlog", "period": "current", "values": [4.0], "source": "count"}
    old = {**samples, "times": ["2020-01-01T09:00:00Z"]}
    assert post(served, "/api/v1/use-cases/post/samples", json.dumps(old).encode())[0] == 200
    assert "Measure Backlog of Sort the post: stale" in browser.open(served.address + "/").read().decode()
    assert post(served, "/api/v1/use-cases/post/samples", json.dumps(samples).encode())[0] == 200
    assert "Measure Backlog" not in browser.open(served.address + "/").read().decode()


def test_a_new_version_of_a_baseline_is_told_on_the_kpis_page(served: Served, case: str) -> None:
    samples = {"kpi": "minutes", "period": "baseline", "values": [9.0, 10.0, 11.0], "source": "count"}
    assert post(served, "/api/v1/use-cases/post/samples", json.dumps(samples).encode())[0] == 200
    for reason in ("", "one floor was left out"):
        frozen = json.dumps({"kpi": "minutes", "reason": reason}).encode()
        assert post(served, "/api/v1/use-cases/post/baselines", frozen)[0] == 200
    shown = signed_in(served).open(served.address + "/use-cases/post/kpis/minutes").read().decode()
    assert "superseded by version 2" in shown and "one floor was left out" in shown
