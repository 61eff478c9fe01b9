"""The assembled server on each database: begun, fed, asked, gated, reviewed, measured, verified, and owned by one."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pilothouse.testing.postgres import fresh_address
from pilothouse.testing.serving import begun, command, running
from tests.wire.conftest import DOCUMENTS

QUESTION = "How many days of annual leave may I carry over?"
CASE = {"title": "Leave desk", "slug": "leave", "problem": "People ask the desk what the policy already says.",
        "outcome": "speed", "unit_of_work": "question answered"}


@dataclass(frozen=True)
class Site:
    """A workspace on one database: how its commands see it, and its administrator's key."""

    home: Path
    env: dict[str, str]
    key: str

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, "-m", "pilothouse", *words], text=True, capture_output=True, check=False,
                              timeout=120, env={**os.environ, **self.env, "PILOTHOUSE_HOME": str(self.home)})


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    home = tmp_path_factory.mktemp("site") / "workspace"
    env = {"PILOTHOUSE_EMBEDDER": "none"}
    if request.param == "postgres":
        env["PILOTHOUSE_DATABASE"] = fresh_address()
    key = begun(home, **env)
    folder = home.parent / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf8")
    assert "2 added" in command("ingest", str(folder), "--readers", "everyone", home=home, **env)
    return Site(home=home, env=env, key=key)


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    with running(site.home, **site.env) as server:
        yield server.address


def send(address: str, key: str, verb: str, path: str, body: object = None) -> Any:
    raw = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, method=verb, data=raw,
                                     headers={"authorization": f"Bearer {key}", "content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        raise AssertionError(f"{verb} {path}: {refused.code} {refused.read()!r}") from refused


def get(address: str, path: str) -> str:
    with urllib.request.urlopen(address + path, timeout=60) as answer:
        return str(answer.read().decode())


def test_other_keys_are_refused_before_anything_is_written(site: Site, tmp_path: Path) -> None:
    before = site.run("verify").stdout.splitlines()[0]
    stranger = Site(home=site.home, env={**site.env, "PILOTHOUSE_KEYS": str(tmp_path / "other")}, key=site.key)
    refused = stranger.run("user", "add", "eve", "--name", "Eve")
    assert refused.returncode and "do not open what this database holds" in refused.stderr
    assert site.run("verify").stdout.splitlines()[0] == before


def _person(address: str, key: str, person: str, roles: list[str]) -> str:
    send(address, key, "POST", "/api/v1/people", {"id": person, "name": person.title(), "roles": roles})
    return str(send(address, key, "POST", f"/api/v1/people/{person}/keys", {})["key"])


def _measured_and_assigned(address: str, key: str, base: str) -> None:
    send(address, key, "POST", base + "/kpis", {"slug": "minutes", "title": "Minutes", "unit": "min", "shape": "mean",
                                                "better": "lower", "least_change": 1})
    send(address, key, "POST", base + "/samples", {"kpi": "minutes", "period": "baseline", "values": [1.0, 2.0, 3.0],
                                                   "source": "stopwatch"})
    send(address, key, "POST", base + "/baselines", {"kpi": "minutes"})
    for activity in ("decide gate", "operate", "review answers", "own data", "own risk"):
        send(address, key, "POST", base + "/raci", {"activity": activity, "accountable": ["admin"],
                                                    "responsible": ["vera" if "review" in activity else "admin"]})


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_server_told_to_stop_signs_its_last_entry_and_closes_its_files(site: Site, told: signal.Signals) -> None:
    with running(site.home, **site.env) as server:
        send(server.address, site.key, "POST", "/api/v1/retrievals", {"text": QUESTION})
        os.kill(server.pid, told)
        _until(lambda: '"pid"' not in (site.home / "owner.lock").read_text())
    assert not list(site.home.glob("*-wal"))
    whole = re.search(r"whole: (\d+) entries.*the latest over (\d+) entries", site.run("verify").stdout, re.DOTALL)
    assert whole and whole.group(1) == whole.group(2)


def test_a_question_is_answered_from_the_documents_and_has_a_receipt(site: Site, address: str) -> None:
    answer = send(address, site.key, "POST", "/api/v1/answers", {"use_case": "trial", "text": QUESTION})
    assert "five days" in answer["text"]
    receipt = send(address, site.key, "GET", f"/api/v1/answers/{answer['interaction_id']}/receipt")
    assert receipt["passage_ids"] and len(receipt["entries"]) >= 2


def test_an_operator_reads_health_readiness_and_metrics(address: str) -> None:
    assert get(address, "/readyz") == "ready"
    assert get(address, "/healthz")
    entries = next(line for line in get(address, "/metrics").splitlines()
                   if line.startswith("pilothouse_ledger_entries"))
    assert float(entries.split()[1]) > 3


def test_a_use_case_passes_its_gate_and_a_held_answer_is_reviewed(site: Site, address: str) -> None:
    case = send(address, site.key, "POST", "/api/v1/use-cases", CASE)["id"]
    base = f"/api/v1/use-cases/{case}"
    keys = {person: _person(address, site.key, person, roles)
            for person, roles in (("sponsor", ["sponsor"]), ("vera", ["employee", "reviewer"]))}
    send(address, site.key, "POST", "/api/v1/people/vera/credentials", {
        "course": "review-basics", "issuer": "Academy", "reason": "certificate seen"})
    _measured_and_assigned(address, site.key, base)
    send(address, keys["sponsor"], "POST", base + "/gate", {"verdict": "go", "reason": "worth a pilot"})
    send(address, site.key, "POST", base + "/policy", {"reason": "the first weeks", "holds_every_answer": True})
    asked = _opened(address, base, site.key) and send(address, site.key, "POST", "/api/v1/answers", {
        "use_case": "leave", "text": QUESTION})
    assert asked["status"] == "held" and "five days" not in asked["text"]
    review = _until(lambda: send(address, keys["vera"], "GET", "/api/v1/reviews"))[0]
    seen = send(address, keys["vera"], "GET", f"/api/v1/reviews/{review['id']}")
    send(address, keys["vera"], "POST", f"/api/v1/reviews/{review['id']}/decisions", {
        "decision": "approve", "digest": seen["digest"]})
    final = send(address, site.key, "GET", f"/api/v1/answers/{asked['interaction_id']}")
    assert final["status"] == "final" and "five days" in final["text"]


def _opened(address: str, base: str, key: str) -> object:
    """Wait for the first phase, which the gate's decision opens behind the request."""
    return _until(lambda: [p for p in send(address, key, "GET", base + "/phases") if p["status"] == "open"])


def _until(look: Callable[[], Any]) -> Any:
    for _ in range(100):
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError("waited ten seconds in vain")


def test_commands_go_through_the_server_and_the_ledger_verifies(site: Site, address: str) -> None:
    assert "second class" in site.run("ask", "In which class are trains booked?").stdout
    assert "documents" in site.run("rebuild").stdout
    assert "whole:" in site.run("verify").stdout
    looked = site.run("doctor")
    assert "ledger whole" in looked.stdout and f"at {address}" in looked.stdout


def test_a_second_server_is_refused_whichever_folder_it_starts_from(site: Site, address: str, tmp_path: Path) -> None:
    same = site.run("serve", "--port", "0")
    assert same.returncode and "another process owns this workspace" in same.stderr
    if not site.env.get("PILOTHOUSE_DATABASE"):
        return
    copied = tmp_path / "replica"
    shutil.copytree(site.home, copied, ignore=shutil.ignore_patterns("owner.lock"))
    other = Site(home=copied, env=site.env, key=site.key).run("serve", "--port", "0")
    assert other.returncode and "another Pilothouse process writes to this Postgres database" in other.stderr


def test_a_backup_is_made_or_says_what_to_use(site: Site, address: str, tmp_path: Path) -> None:
    done = site.run("backup", str(tmp_path / "kept"))
    if site.env.get("PILOTHOUSE_DATABASE"):
        assert done.returncode == 2 and "pg_dump" in done.stderr and not (tmp_path / "kept").exists()
        return
    assert "whole:" in site.run("verify", str(tmp_path / "kept")).stdout
    restored = Site(home=tmp_path / "again", env={**site.env, "PILOTHOUSE_KEYS": str(tmp_path / "keys")}, key=site.key)
    assert "verified" in restored.run("restore", str(tmp_path / "kept"), str(restored.home)).stdout
    assert "five days" in restored.run("ask", QUESTION).stdout
    assert not (restored.home / "keys").exists()
    assert "whole:" in restored.run("verify").stdout
    assert "ledger whole" in restored.run("doctor").stdout
