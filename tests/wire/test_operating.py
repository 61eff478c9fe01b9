"""What an operator meets: a disk that fills up and empties again, readiness, metrics, logs without content, origins."""

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.wire.conftest import KEY, STARTED, Served, run

SMALL_MB = 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that can be filled: a small tmpfs, where mounting is allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_MB}m", "tmpfs", str(place)],
                             capture_output=True, check=False).returncode == 0
    yield place
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=False)


def _get(address: str, path: str, key: str = "") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address + path, headers={
                "authorization": f"Bearer {key}"}), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def _ask(address: str, key: str, text: str) -> tuple[int, dict[str, Any]]:
    sent = urllib.request.Request(address + "/api/v1/answers", headers={
        "authorization": f"Bearer {key}", "content-type": "application/json"},
        data=json.dumps({"use_case": "trial", "text": text}).encode())
    try:
        with urllib.request.urlopen(sent, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


class Server:
    """One server process whose standard error is kept."""

    def __init__(self, home: Path, log: Path, **env: str) -> None:
        self._log = open(log, "w", encoding="utf8")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pilothouse", "serve", "--home", str(home), "--port", "0"], text=True,
            stdout=subprocess.PIPE, stderr=self._log, env={**os.environ, "PILOTHOUSE_EMBEDDER": "none", **env})
        assert self.process.stdout is not None
        found = next(m for line in self.process.stdout if (m := STARTED.search(line)))
        self.address = found.group(1)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()


def _begun(home: Path) -> str:
    made = run("init", str(home), "--name", "Ada", "--password", "correct horse battery", home=home,
               PILOTHOUSE_EMBEDDER="none")
    assert made.returncode == 0, made.stderr
    found = KEY.search(made.stdout)
    assert found
    return found.group(1)


def test_a_full_disk_refuses_loses_nothing_and_recovers_when_there_is_space_again(small_disk: Path, tmp_path: Path
                                                                                  ) -> None:
    if not small_disk.is_mount():
        pytest.skip("mounting a small file system is not allowed here; run as root, or in a user namespace")
    home = small_disk / "workspace"
    key = _begun(home)
    server = Server(home, tmp_path / "log")
    try:
        given = [_ask(server.address, key, "Before the disk is full?")[1]["interaction_id"]]
        filler = small_disk / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        refused = 0
        for n in range(400):
            status, said = _ask(server.address, key, f"While it is full, number {n}?")
            if status == 200:
                given.append(said["interaction_id"])
                continue
            refused += 1
            assert (status, said["code"]) in ((503, "store.full"), (503, "store.unavailable")), said
            if refused == 5:
                break
        assert refused == 5
        assert _get(server.address, "/readyz")[0] == 503
        assert _get(server.address, "/healthz")[0] == 200
        assert _get(server.address, f"/api/v1/answers/{given[0]}", key)[0] == 200, "reading goes on"
        filler.unlink()
        assert _get(server.address, "/readyz") == (200, "ready")
        status, said = _ask(server.address, key, "And when there is space again?")
        assert status == 200, said
        given.append(said["interaction_id"])
        for id in given:
            assert _get(server.address, f"/api/v1/answers/{id}", key)[0] == 200
    finally:
        server.stop()
    verified = run("verify", str(home), home=home)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_logs_and_metrics_hold_no_content_and_no_secret(tmp_path: Path) -> None:
    home = tmp_path / "workspace"
    key = _begun(home)
    server = Server(home, tmp_path / "log")
    try:
        assert _ask(server.address, key, "Is the wolpertinger insured?")[0] == 200
        assert _ask(server.address, "ph_not_a_key_at_all", "Is the wolpertinger insured?")[0] == 401
        broken = urllib.request.Request(server.address + "/api/v1/answers", data=b'{"use_case": "wolpertinger",',
                                        headers={"authorization": f"Bearer {key}"})
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(broken, timeout=10)
        status, metrics = _get(server.address, "/metrics")
        assert status == 200 and "pilothouse_ledger_entries" in metrics and "process_resident_memory" in metrics
    finally:
        server.stop()
    logged = (tmp_path / "log").read_text(encoding="utf8")
    for secret in ("wolpertinger", key, "ph_not_a_key", "correct horse"):
        assert secret not in logged and secret not in metrics
    assert all(json.loads(line)["level"] for line in logged.splitlines())


def test_a_page_of_an_allowed_origin_may_use_the_assist_and_no_other_page_and_no_other_endpoint(tmp_path: Path) -> None:
    home = tmp_path / "workspace"
    key = _begun(home)
    server = Server(home, tmp_path / "log", PILOTHOUSE_ASSIST_ORIGINS="https://desk.example, http://127.0.0.1:9")

    def preflight(path: str, origin: str) -> tuple[int, dict[str, str]]:
        asked = urllib.request.Request(server.address + path, method="OPTIONS", headers={
            "origin": origin, "access-control-request-method": "POST"})
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}
        except urllib.error.HTTPError as refused:
            return refused.code, {k.lower(): v for k, v in refused.headers.items()}

    try:
        status, headers = preflight("/api/v1/answers", "https://desk.example")
        assert status == 204 and headers["access-control-allow-origin"] == "https://desk.example"
        assert "access-control-allow-credentials" not in headers
        for path, origin in (("/api/v1/answers", "https://evil.example"), ("/api/v1/people", "https://desk.example"),
                             ("/api/v1/answers", "null"), ("/v1/chat/completions", "https://desk.example")):
            status, headers = preflight(path, origin)
            assert "access-control-allow-origin" not in headers and status != 204
        asked = urllib.request.Request(server.address + "/api/v1/answers", headers={
            "origin": "https://desk.example", "authorization": f"Bearer {key}", "content-type": "application/json"},
            data=json.dumps({"use_case": "trial", "text": "What is carried over?"}).encode())
        with urllib.request.urlopen(asked, timeout=20) as answer:
            assert answer.headers["access-control-allow-origin"] == "https://desk.example"
    finally:
        server.stop()


@pytest.mark.parametrize("origins", ["*", "desk.example", "https://desk.example/path", "https://*.example"])
def test_what_is_no_origin_stops_the_server_from_starting(tmp_path: Path, origins: str) -> None:
    home = tmp_path / "workspace"
    _begun(home)
    done = run("serve", home=home, PILOTHOUSE_ASSIST_ORIGINS=origins, PILOTHOUSE_EMBEDDER="none")
    assert done.returncode == 2 and "PILOTHOUSE_ASSIST_ORIGINS" in done.stderr


def test_serving_on_all_addresses_without_tls_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "workspace"
    _begun(home)
    done = run("serve", "--host", "0.0.0.0", home=home)
    assert done.returncode == 2 and "--behind-proxy" in done.stderr


def test_readiness_is_answered_beside_work(served: Served) -> None:
    assert _get(served.address, "/readyz") == (200, "ready")
    assert re.fullmatch(r"ok\n", _get(served.address, "/healthz")[1])
