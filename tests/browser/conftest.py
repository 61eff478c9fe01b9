"""A demo server in a process of its own and a real browser in front of it."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, sync_playwright

ROLES = ("employee", "owner", "reviewer", "engineer", "risk", "sponsor", "administrator")
ORGANISATION = Path(__file__).parents[2] / "src/pilothouse/app/demo/organisation.yaml"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")


@dataclass(frozen=True)
class Demo:
    """A served demo: its address, the password of its sign-ins, and who holds which role."""

    address: str
    password: str
    people: dict[str, str]
    keys: dict[str, str]
    """Lines of `demo-keys.env`."""

    def enter(self, page: Page, role: str) -> None:
        """Sign in through the form."""
        page.goto(self.address + "/sign-in")
        page.fill("#person", self.people[role])
        page.fill("#password", self.password)
        page.click("button.primary")
        page.wait_for_selector("main")


def found_browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("PILOTHOUSE_BROWSER") or next((p for n in names if (p := shutil.which(n))), "")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not (binary := found_browser()):
        pytest.skip("no Chromium or Chrome found; install one, or name it in PILOTHOUSE_BROWSER")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=binary, args=list(FLAGS))
        yield running
        running.close()


class HostPage:
    """A page of somebody else's, on an origin of its own; what its form sends is remembered."""

    def __init__(self) -> None:
        page = self
        self.html, self.sent = b"", 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(page.html)

            def do_POST(self) -> None:
                page.sent += 1
                self._answer(b"sent")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="session")
def host_page() -> Iterator[HostPage]:
    page = HostPage()
    yield page
    page.server.shutdown()
    page.server.server_close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, host_page: HostPage) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("demo") / "workspace"
    server = subprocess.Popen([sys.executable, "-m", "pilothouse", "demo", "--home", str(home), "--port", "0"],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              env={**os.environ, "PILOTHOUSE_ASSIST_ORIGINS": host_page.address})
    assert server.stdout is not None
    address = re.search(r"http://\S+", server.stdout.readline())
    assert address is not None
    threading.Thread(target=server.communicate, daemon=True).start()
    _wait_for_history(home / "pilothouse.db")
    keys = dict(line.split("=", 1) for line in (home / "demo-keys.env").read_text().splitlines() if "=" in line)
    people = yaml.safe_load(ORGANISATION.read_text(encoding="utf8"))["sign_ins"]
    yield Demo(address.group(), keys["PILOTHOUSE_DEMO_PASSWORD"], people, keys)
    server.terminate()
    server.wait(60)


def _wait_for_history(database: Path) -> None:
    state: tuple[str, ...] = ("",)
    for _ in range(300):
        with sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True) as db:
            state = db.execute("select state, error from job where kind = 'demo.history'").fetchone()
        db.close()
        if state[0] == "done":
            return
        assert state[0] != "failed", state
        time.sleep(0.5)
    raise AssertionError(f"the demo's history did not load in 150 seconds: {state}")
