"""Connected sources on a real server: declared, synced, killed in the middle, seen in the console, named to agents."""

import asyncio
import json
import os
import signal
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pilothouse.testing import systems
from pilothouse.testing.serving import begun, command, running

NETWORKS = {"PILOTHOUSE_SOURCE_NETWORKS": "127.0.0.0/8"}


@contextmanager
def web_site(pages: int) -> Iterator[systems.Site]:
    """Serve a site from a thread of its own."""
    ready, done = threading.Event(), asyncio.Event()
    held: dict[str, Any] = {}

    async def serve() -> None:
        held["loop"] = asyncio.get_running_loop()
        async with systems.site() as site:
            names = [f"/rules/{n}.html" for n in range(pages)]
            site.pages = {"/": "".join(f'<a href="{n}">x</a>' for n in names)} | {
                n: f"<h1>Rule {i}</h1><p>The vault number {i} opens at nine.</p>" for i, n in enumerate(names)}
            held["site"] = site
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield held["site"]
    finally:
        held["loop"].call_soon_threadsafe(done.set)
        thread.join(20)


def ask(address: str, key: str, path: str, body: object = None) -> Any:
    request = urllib.request.Request(address + path, data=None if body is None else json.dumps(body).encode(),
                                     headers={"authorization": f"Bearer {key}", "content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def waited(look: Any, until: Any) -> Any:
    for _ in range(300):
        if until(found := look()):
            return found
        time.sleep(0.1)
    raise AssertionError(f"it never came: {found}")


def test_a_declared_site_is_synced_through_a_kill_and_its_changes_follow(tmp_path: Path) -> None:
    home, programme = tmp_path / "home", tmp_path / "programme"
    programme.mkdir()
    with web_site(30) as site:
        key = begun(home, **NETWORKS)
        (programme / "sources.yaml").write_text(
            f"connections:\n  - {{source: rules, kind: web, address: '{site.base_url}/', options: {{delay_s: '0.02'}},"
            " every_minutes: 30, rules: [{readers: [everyone]}]}\n")
        assert "+ connections rules" in command("apply", str(programme), home=home, **NETWORKS)
        assert "0 of 1 changed" in command("apply", str(programme), home=home, **NETWORKS)
        with running(home, **NETWORKS) as server:
            ask(server.address, key, "/api/v1/connections/rules/sync", {})
            waited(lambda: ask(server.address, key, "/api/v1/documents?source=rules"), lambda d: len(d) >= 1)
            os.kill(server.pid, signal.SIGKILL)
        with running(home, **NETWORKS) as server:
            def state() -> Any:
                return ask(server.address, key, "/api/v1/connections")[0]

            held = waited(state, lambda s: s["finished_at"])
            documents = ask(server.address, key, "/api/v1/documents?source=rules")
            assert (held["items"], held["problem"], len(documents)) == (31, "", 31)
            assert {d["version"] for d in documents} == {1}
            del site.pages["/rules/7.html"]
            site.pages["/rules/8.html"] = "<h1>Rule 8</h1><p>The vault number 8 was moved.</p>"
            first = held["finished_at"]
            ask(server.address, key, "/api/v1/connections/rules/sync", {})
            held = waited(state, lambda s: s["finished_at"] > first)
            assert (held["removed"], held["fetched"]) == (1, 1)
            found = ask(server.address, key, "/api/v1/retrievals", {"text": "vault number 8 moved"})
            assert "was moved" in found["passages"][0]["text"]
        command("verify", home=home)


def test_the_console_shows_a_connection_with_its_problem_and_keeps_the_secret(tmp_path: Path) -> None:
    home = tmp_path / "home"
    secret = {"PILOTHOUSE_SOURCE_WIKI": "ada@bank.example:hunter2-token"}
    key = begun(home, **secret)
    with running(home, **secret) as server:
        made = ask(server.address, key, "/api/v1/connections", {
            "source": "wiki", "kind": "confluence", "address": "http://127.0.0.1:9", "options": {"spaces": "HR"},
            "credential": "PILOTHOUSE_SOURCE_WIKI"})
        assert made["state"] == "active"
        ask(server.address, key, "/api/v1/connections/wiki/sync", {})
        held = waited(lambda: ask(server.address, key, "/api/v1/connections")[0], lambda s: s["problem"])
        assert "private network" in held["problem"]
        assert "hunter2" not in json.dumps(held)
    for file in home.rglob("*"):
        assert not file.is_file() or b"hunter2" not in file.read_bytes(), file
