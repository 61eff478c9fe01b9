"""The cost of governance: requests a second and added latency, directly, through Pilothouse, and through LiteLLM.

One run, one machine, the same local upstream, everything of ours on: sign-in by key, permission check, masking,
guardrail, two durable commits with sealed texts, receipt. What one answer costs, counted in the code: two group commits
(begin, head, leaf, nodes, new head, commit; shared by what waits together) and in them two works under a savepoint,
three sealed texts (AES-GCM and an HMAC commitment each), one row written and one changed, two ledger entries, two hops
to the writer and two back, two snapshot look-ups on the event loop, one request upstream. Measured for one answer:
0.6 to 0.8 ms of processor time on the event loop and 0.35 to 0.45 ms in the writer, which seldom holds the
interpreter's lock. `direct` is run twice: the difference of those two rows is the noise.

    python bench/gateway.py                     # LiteLLM is run when bench/.venv-litellm holds it:
    python bench/gateway.py --passages 100000   # and a row with hybrid retrieval and the extractive model
    uv venv bench/.venv-litellm && uv pip install --python bench/.venv-litellm/bin/python 'litellm[proxy]'
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import aiohttp
import corpus
import psutil
from aiohttp import web

HERE = Path(__file__).parent
LITELLM = HERE / ".venv-litellm" / "bin" / "litellm"
ANSWER = {"id": "x", "object": "chat.completion", "created": 0, "model": "mock", "choices": [
    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Thirty days, it says."}}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28}}
ASKED = "How many days of leave does mara.lindt@bank.example have left this year?"
BODY = {"messages": [{"role": "user", "content": ASKED}]}
IN_FLIGHT, SECONDS = 32, 8.0
RATES = {"litellm": 20, "retrieval": 10}
RATE = 200
Way = AsyncIterator[tuple[str, dict[str, str], list[dict[str, object]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one way of asking gave; `memory_mb` is that of the server with its children after the load."""

    per_second: float
    rate: int
    taken: list[float]
    memory_mb: float


async def upstream(request: web.Request) -> web.Response:
    """Answer at once, so that what is measured is the way there and back."""
    await request.read()
    return web.json_response(ANSWER)


def serve_upstream(port: int) -> None:
    """Run the mock upstream in this process."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", upstream)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


async def up(address: str, headers: dict[str, str], body: dict[str, object]) -> None:
    """Wait until a server answers a real question; raises after 90 seconds."""
    async with aiohttp.ClientSession() as client:
        for _ in range(180):
            try:
                async with client.post(address, json=body, headers=headers) as answer:
                    if answer.status == 200:
                        return
                    said = await answer.text()
            except aiohttp.ClientError as error:
                said = str(error)
            await asyncio.sleep(0.5)
    raise RuntimeError(f"{address} does not answer: {said[:300]}")


async def closed_loop(address: str, headers: dict[str, str], bodies: list[dict[str, object]]) -> float:
    """Return answers a second with 32 requests in flight."""
    done, until = 0, time.perf_counter() + SECONDS

    async def worker(client: aiohttp.ClientSession) -> None:
        nonlocal done
        while time.perf_counter() < until:
            async with client.post(address, data=raw[done % len(raw)], headers=headers) as answer:
                await answer.read()
                assert answer.status == 200, answer.status
            done += 1

    raw = [json.dumps(body).encode() for body in bodies]
    headers = {**headers, "content-type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        started = time.perf_counter()
        await asyncio.gather(*(worker(client) for _ in range(IN_FLIGHT)))
        return done / (time.perf_counter() - started)


async def open_loop(address: str, headers: dict[str, str], bodies: list[dict[str, object]], rate: int) -> list[float]:
    """Send at a fixed rate whatever comes back; returns seconds from when each was due to its last byte, sorted."""
    taken: list[float] = []
    raw = [json.dumps(body).encode() for body in bodies]
    headers = {**headers, "content-type": "application/json"}

    async def one(client: aiohttp.ClientSession, n: int, due: float) -> None:
        async with client.post(address, data=raw[n % len(raw)], headers=headers) as answer:
            await answer.read()
            assert answer.status == 200, answer.status
        taken.append(time.perf_counter() - due)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client, asyncio.TaskGroup() as group:
        start = time.perf_counter() + 0.1
        for i in range(int(rate * SECONDS)):
            due = start + i / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(client, i, due))
    return sorted(taken)


def quantile(values: list[float], share: float) -> float:
    """Return a quantile in milliseconds."""
    return 1000 * values[min(len(values) - 1, int(share * len(values)))]


@asynccontextmanager
async def process(*words: str, **env: str) -> AsyncIterator["subprocess.Popen[str]"]:
    """Run a program while the block lasts."""
    out = subprocess.DEVNULL if words[0] == str(LITELLM) else subprocess.PIPE
    running = subprocess.Popen(words, env={**os.environ, **env}, text=True, stdout=out, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(20)


async def pilothouse(home: Path, upstream_port: int) -> Way:
    """Make a workspace whose trial answers through the mock upstream, and serve it."""
    made = subprocess.run([sys.executable, "-m", "pilothouse", "init", str(home), "--name", "Bench"], text=True,
                          capture_output=True, check=True)
    key = made.stdout.split("API key ")[1].split()[0]
    headers = {"authorization": f"Bearer {key}"}
    async with process(sys.executable, "-m", "pilothouse", "serve", "--home", str(home), "--port", "0") as server:
        assert server.stdout is not None
        address = next(line for line in server.stdout if "answers at" in line).split()[-1]
        async with aiohttp.ClientSession(headers=headers) as client:
            case = await (await client.post(address + "/api/v1/use-cases", json=CASE)).json()
            await client.post(address + "/api/v1/models", json={
                "name": "mock", "base_url": f"http://127.0.0.1:{upstream_port}/v1", "upstream_model": "mock"})
            await _start_pilot(client, address, case["id"], home)
        yield address + "/v1/chat/completions", headers, [{**BODY, "model": "bench"}]


CASE = {"title": "Bench", "slug": "bench", "problem": "Measure what governance costs on this machine.",
        "outcome": "speed", "unit_of_work": "question answered"}


async def _start_pilot(client: aiohttp.ClientSession, address: str, case: str, home: Path) -> None:
    """Bring the use case to a pilot by the shortest honest way, and open a phase on the mock without documents."""
    base = f"{address}/api/v1/use-cases/{case}"
    await client.post(base + "/kpis", json={"slug": "m", "title": "Minutes", "unit": "min", "shape": "mean",
                                            "better": "lower", "least_change": 1})
    await client.post(base + "/samples", json={"kpi": "m", "period": "baseline", "values": [1.0, 2.0, 3.0],
                                               "source": "bench"})
    await client.post(base + "/baselines", json={"kpi": "m"})
    for activity in ("decide gate", "operate", "review answers", "own data", "own risk"):
        await client.post(base + "/raci", json={"activity": activity, "accountable": ["admin"],
                                                "responsible": ["admin"]})
    await client.post(address + "/api/v1/people", json={"id": "sponsor", "name": "Sponsor", "roles": ["sponsor"]})
    issued = await (await client.post(address + "/api/v1/people/sponsor/keys", json={})).json()
    decided = await client.post(base + "/gate", json={"verdict": "go", "reason": "bench"},
                                headers={"authorization": f"Bearer {issued['key']}"})
    assert decided.status == 200, await decided.text()
    await asyncio.sleep(2)  # the decision opens a first phase; ours replaces it
    opened = await client.post(base + "/phases", json={"model": "mock", "passages": 0})
    assert opened.status == 200, await opened.text()


async def litellm(directory: Path, upstream_port: int) -> Way:
    """Serve LiteLLM's proxy with one worker in front of the same upstream."""
    config = directory / "litellm.yaml"
    config.write_text(json.dumps({"model_list": [{"model_name": "mock", "litellm_params": {
        "model": "openai/mock", "api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "none"}}]}))
    async with process(str(LITELLM), "--config", str(config), "--port", "4999", "--num_workers", "1",
                       LITELLM_LOG="ERROR", LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY="true"):
        yield "http://127.0.0.1:4999/v1/chat/completions", {}, [{**BODY, "model": "mock"}]


async def retrieval(home: Path, passages: int) -> Way:
    """Serve many passages: hybrid retrieval, the built-in extractive model, and questions that people asked."""
    home, key = corpus.workspace(passages, home)
    asked: list[dict[str, object]] = [{"model": "trial", "messages": [{"role": "user", "content": question}]}
                                      for question in corpus.questions()]
    async with process(sys.executable, "-m", "pilothouse", "serve", "--home", str(home), "--port", "0") as server:
        assert server.stdout is not None
        address = next(line for line in server.stdout if "answers at" in line).split()[-1]
        yield address + "/v1/chat/completions", {"authorization": f"Bearer {key}"}, asked


async def main(passages: int) -> None:
    """Measure each in turn and print one table with ratios."""
    port = 4998
    rows: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as scratch:
        async with process(sys.executable, __file__, "upstream", str(port)):
            direct = f"http://127.0.0.1:{port}/v1/chat/completions"
            ways = {"direct": _only(direct), "pilothouse": pilothouse(Path(scratch) / "ws", port)}
            if passages:
                ways["retrieval"] = retrieval(Path(scratch) / "many", passages)
            if LITELLM.exists():
                ways["litellm"] = litellm(Path(scratch), port)
            for name, way in {**ways, "direct again": _only(direct)}.items():
                rows[name] = await _measured(way, RATES.get(name, RATE))
    _print(rows)


async def _measured(way: Way, rate: int) -> Row:
    async for address, headers, bodies in way:
        await up(address, headers, bodies[0])
        await open_loop(address, headers, bodies, min(rate, 20))  # warm
        speed = await closed_loop(address, headers, bodies)
        taken = await open_loop(address, headers, bodies, rate)
        newest = psutil.Process().children()[-1]
        memory = sum(p.memory_info().rss for p in (newest, *newest.children(recursive=True))) / 1e6
    # Not returned from within the loop: that would leave this server running beside the next one.
    return Row(per_second=speed, rate=rate, taken=taken, memory_mb=memory)


async def _only(address: str) -> Way:
    yield address, {}, [{**BODY, "model": "mock"}]


def _print(rows: dict[str, Row]) -> None:
    base = rows["direct"].taken
    names = ("req/s at 32", "rate", "p50 ms", "p95", "p99", "p99.9", "added p50", "added p99", "MB")
    print(" " * 13 + "".join(f"{name:>12}" for name in names))
    for name, row in rows.items():
        q = [quantile(row.taken, s) for s in (0.5, 0.95, 0.99, 0.999)]
        added = [q[0] - quantile(base, 0.5), q[2] - quantile(base, 0.99)]
        print(f"{name:13}{row.per_second:12.0f}{row.rate:12}" + "".join(f"{v:12.2f}" for v in (*q, *added)) +
              f"{row.memory_mb:12.0f}")
    for name in ("direct", "litellm"):
        if name in rows:
            ratio = rows["pilothouse"].per_second / rows[name].per_second
            print(f"pilothouse / {name}, requests a second: {ratio:.2f}")
    print(f"{platform.platform()}, {os.cpu_count()} cores, CPython {platform.python_version()}, "
          f"pilothouse {version('pilothouse')}, aiohttp {version('aiohttp')}, {len(base)} requests a row at {RATE}/s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["upstream"]:
        serve_upstream(int(sys.argv[2]))
    else:
        options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        options.add_argument("--passages", type=int, default=0, help="a row with retrieval over so many; 0 for none")
        asyncio.run(main(options.parse_args().passages))
