"""The command line beside a running server, and MCP over HTTP with the official client."""

import asyncio
import http.client
import json
import os
import signal
import sqlite3
import threading
import urllib.request
from pathlib import Path

import pytest

from tests.wire.conftest import Served, run, start


def test_asking_ingesting_and_verifying_work_beside_a_running_server(served: Served, tmp_path: Path) -> None:
    assert "second class" in served.cli("ask", "In which class are trains booked?")
    (tmp_path / "parking.md").write_text("# Parking\n\nVisitors park on level two of the garage.\n", encoding="utf8")
    assert "1 added" in served.cli("ingest", str(tmp_path), "--source", "more", "--readers", "me")
    assert "1 unchanged" in served.cli("ingest", str(tmp_path), "--source", "more")
    assert "level two" in served.cli("ask", "Where do visitors park?")
    assert "whole:" in served.cli("verify", str(served.home))


def test_every_operation_is_a_command_that_prints_json(served: Served) -> None:
    listed = json.loads(served.cli("portfolio", "list-use-cases"))
    assert [u["slug"] for u in listed] == ["trial"]
    assert "no use case `nothing`" in served.cli("portfolio", "use-case", "--use-case", "nothing", expect=4)


def test_a_user_is_added_rekeyed_and_disabled(served: Served) -> None:
    key = served.cli("user", "add", "mara", "--name", "Mara Lindt").split("API key ")[1].split()[0]
    asked = urllib.request.Request(served.address + "/api/v1/me", headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert json.loads(answer.read())["id"] == "mara"
    served.cli("user", "disable", "mara")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=30)
    assert refused.value.code == 401
    refused.value.close()


def test_a_changed_entry_is_named_and_ends_with_exit_code_1(served: Served, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    served.cli("backup", str(target))
    assert "whole" in run("verify", str(target), home=served.home).stdout
    with sqlite3.connect(target / "pilothouse.db") as db:
        leaf = bytes(db.execute("select leaf from ledger where seq = 1").fetchone()[0])
        db.execute("update ledger set leaf = ? where seq = 1", (leaf.replace(b'"seq":1', b'"seq":7'),))
    broken = run("verify", str(target), home=served.home)
    assert broken.returncode == 1
    assert "entry 1 says it is another one" in broken.stderr


def test_a_cut_ledger_is_found_by_its_checkpoints(served: Served, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    served.cli("backup", str(target))
    with sqlite3.connect(target / "pilothouse.db") as db:
        db.execute("delete from ledger where seq > 2")
        db.execute("update ledger_head set size = 3")
    cut = run("verify", str(target), home=served.home)
    assert cut.returncode == 1
    assert "cut" in cut.stderr


def test_a_non_loopback_bind_without_tls_is_refused(served: Served, tmp_path: Path) -> None:
    refused = run("serve", "--host", "0.0.0.0", home=served.home)
    assert refused.returncode == 2
    assert "--behind-proxy" in refused.stderr


def test_mcp_offers_every_operation_but_decisions(served: Served) -> None:
    from mcp.client.session import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def story() -> None:
        import httpx2

        async with (httpx2.AsyncClient(headers={"authorization": f"Bearer {served.key}"}, timeout=60) as http,
                    streamable_http_client(served.address + "/mcp", http_client=http) as streams,
                    ClientSession(streams[0], streams[1]) as session):
            await session.initialize()
            names = {t.name for t in (await session.list_tools()).tools}
            assert "gateway_answer" in names
            assert names.isdisjoint({"portfolio_decide_gate", "oversight_decide_review", "rollout_advance_phase"})
            said = await session.call_tool("gateway_answer", {"use_case": "trial", "text": "May I carry over leave?"})
            assert "five days" in said.structured_content["text"]

    asyncio.run(story())


def test_a_killed_server_keeps_every_answer_it_gave(tmp_path: Path) -> None:
    """Answers are asked for from several threads until the process is killed; each one received is in the ledger."""
    home = tmp_path / "workspace"
    made = run("init", str(home), "--name", "Ada", home=home)
    key = made.stdout.split("API key ")[1].split()[0]
    received: list[str] = []
    for _ in range(int(os.environ.get("PILOTHOUSE_CRASHES", "3"))):
        process, address = start(home)
        before = len(received)
        threads = [threading.Thread(target=_ask_until_gone, args=(address, key, received)) for _ in range(4)]
        for t in threads:
            t.start()
        while len(received) < before + 25 and any(t.is_alive() for t in threads):
            threads[0].join(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        for t in threads:
            t.join(30)
    process, _ = start(home)
    process.terminate()
    process.wait(30)
    assert "whole" in run("verify", str(home), home=home).stdout
    with sqlite3.connect(home / "pilothouse.db") as db:
        kept = [json.loads(bytes(r[0]))["body"]["interaction_id"] for r in db.execute(
            "select leaf from ledger where kind = 'gateway.answer_given'")]
        left_open = db.execute("select count(*) from interaction where status = 'open'").fetchone()[0]
    assert len(kept) == len(set(kept))
    assert set(received) <= set(kept)
    assert left_open == 0


def _ask_until_gone(address: str, key: str, received: list[str]) -> None:
    asked = {"role": "user", "content": "What is our leave policy?"}
    body = json.dumps({"model": "trial", "messages": [asked]}).encode()
    for _ in range(2000):
        try:
            sent = urllib.request.Request(address + "/v1/chat/completions", data=body, headers={
                "authorization": f"Bearer {key}"})
            with urllib.request.urlopen(sent, timeout=10) as answer:
                received.append(json.loads(answer.read())["id"])
        except (OSError, ValueError, http.client.HTTPException):
            return
