"""How the portfolio page and a KPI's page grow with the number of samples, over HTTP, with the server's memory.

Sketch before measuring: a portfolio page reads 1,000 rows of 22 columns and draws them: 20 us a row in Python, 50 to
100 us a row in the template. A KPI's page reads four rows by primary key, 50 batches by index and at most 400 days: it
must not grow with the samples at all. Writing: a batch of 1,000 values with times is hashed, summed up and kept, with
about 50 rows of summaries: 5 to 10 ms.

A tenth of all samples belongs to one KPI (`hot`), whose page is measured; the rest is spread over 1,000 use cases.

    python bench/kpis.py [--samples 10000 100000 1000000] [--cases 1000] [--address postgresql://…]
"""

import argparse
import asyncio
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from statistics import median, quantiles

from pilothouse.app.channels import with_platform
from pilothouse.app.settings import from_environment
from pilothouse.app.verifying import verify
from pilothouse.app.wire import Assembled
from pilothouse.app.workspace import Workspace
from pilothouse.kernel.call import Call
from pilothouse.kernel.clock import stamp
from pilothouse.kernel.operation import NoFields
from pilothouse.steps.portfolio.contracts import FreezeRequest, Kpi, Proposal, SampleBatch, UseCaseId
from pilothouse.steps.portfolio.contracts.samples import KpiProfile

PASSWORD = "correct horse battery"
BATCH = 1000
HOT_SHARE = 0.1
START = datetime(2025, 1, 1, tzinfo=UTC)
TIMES = 40
AT_ONCE = 8
PAGES = {"portfolio page": "/portfolio", "KPI page": "/use-cases/hot/kpis/minutes",
         "use case page": "/use-cases/hot", "list operation": "/api/v1/use-cases",
         "KPI operation": "/api/v1/use-cases/hot/kpis", "trend operation": "/api/v1/use-cases/hot/kpis/minutes/trend",
         "stale operation": "/api/v1/kpis/stale"}


async def build(a: Assembled, call: Callable[[], Call], cases: int, samples: int) -> float:
    """Make the use cases with a KPI and a baseline each, then the samples; returns samples a second."""
    for n in range(cases):
        await one_case(a, call(), "hot" if n == 0 else f"case-{n:04d}")
    batches = list(plan(cases, samples))
    left, began = iter(batches), time.perf_counter()

    async def send() -> None:
        for slug, day, size in left:
            await a.platform.portfolio.measure(call(), batch(slug, day, size))

    await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    return samples / (time.perf_counter() - began)


async def one_case(a: Assembled, call: Call, slug: str) -> None:
    portfolio = a.platform.portfolio
    u = await portfolio.propose(call, Proposal(
        title=f"Answer questions of desk {slug}", problem="Clerks look the same thing up every day.", outcome="speed",
        unit_of_work="question", slug=slug, volume_per_month=1000.0, current_cost_eur=4.0, join_anyway="measured"))
    await portfolio.define_kpi(call, Kpi(use_case_id=u.id, slug="minutes", title="Minutes", unit="min", shape="mean",
                                         better="lower", least_change=1.0))
    await a.platform.samples.set_profile(call, KpiProfile(use_case_id=u.id, kpi="minutes", cadence="weekly"))
    await portfolio.measure(call, SampleBatch(use_case_id=u.id, kpi="minutes", period="baseline", source="bench",
                                              values=(9.0, 10.0, 11.0), starts_on="2024-12-01", ends_on="2024-12-31"))
    await portfolio.freeze_baseline(call, FreezeRequest(use_case_id=u.id, kpi="minutes"))


def plan(cases: int, samples: int) -> Iterator[tuple[str, int, int]]:
    """Yield (use case, day, how many values) until there are enough samples."""
    hot = int(samples * HOT_SHARE)
    for day, start in enumerate(range(0, hot, BATCH)):
        yield "hot", day % 400, min(BATCH, hot - start)
    each = (samples - hot) // max(1, cases - 1)
    for n in range(1, cases):
        for i, start in enumerate(range(0, each, BATCH)):
            yield f"case-{n:04d}", i, min(BATCH, each - start)


def batch(slug: str, day: int, size: int) -> SampleBatch:
    at = START + timedelta(days=day)
    step = timedelta(seconds=86_399 / max(1, size))
    return SampleBatch(use_case_id=UseCaseId(slug), kpi="minutes", period="current", source="bench",
                       values=tuple(random.gauss(8.0, 2.0) for _ in range(size)),
                       times=tuple(stamp(at + i * step) for i in range(size)))


class Visitor:
    """Somebody signed in to the console who also holds an API key."""

    def __init__(self, address: str, key: str) -> None:
        self._address, self._key = address, key
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar())).open
        self._open(address + "/sign-in", data=urllib.parse.urlencode({
            "person": "admin", "password": PASSWORD, "next": "/portfolio"}).encode()).read()

    def visit(self, path: str) -> tuple[float, int]:
        """Return (milliseconds, bytes) of one page."""
        headers = {"authorization": f"Bearer {self._key}"} if path.startswith("/api") else {}
        began = time.perf_counter()
        with self._open(urllib.request.Request(self._address + path, headers=headers)) as answer:
            size = len(answer.read())
        return (time.perf_counter() - began) * 1000, size


def serve(home: Path) -> tuple["subprocess.Popen[str]", str]:
    process = subprocess.Popen([sys.executable, "-m", "pilothouse", "serve", "--home", str(home), "--port", "0"],
                               text=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"answers at (\S+)", line):
            return process, found.group(1)
    raise SystemExit("the server did not start")


def memory_mb(pid: int) -> int:
    """Return the resident memory of a process and its children, such as those that draw charts."""
    pids = [pid, *map(int, subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
                                          ).stdout.split())]
    text = "".join(Path(f"/proc/{p}/status").read_text(encoding="utf8") for p in pids if Path(f"/proc/{p}").exists())
    return sum(int(kb) for kb in re.findall(r"VmRSS:\s+(\d+)", text)) // 1024


def one(samples: int, cases: int, folder: Path) -> None:
    """Build, serve, visit and print one column of the table."""
    home = folder / f"w{samples}"
    made = subprocess.run([sys.executable, "-m", "pilothouse", "init", str(home), "--name", "Ada", "--password",
                           PASSWORD], text=True, capture_output=True, check=True)
    key = re.search(r"API key (\S+)", made.stdout)[1]  # type: ignore[index]
    workspace = Workspace(from_environment(home=str(home)))
    rate = asyncio.run(with_platform(workspace, lambda a, call: build(a, call, cases, samples)))
    built = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    size = sum(p.stat().st_size for p in home.glob("pilothouse.db*")) / 1e6
    print(f"\n{samples:,} samples, {cases:,} use cases: built at {rate:,.0f} samples/s, {size:,.0f} MB on disk,"
          f" {built} MB at most while building")
    began = time.perf_counter()
    done = asyncio.run(with_platform(workspace, lambda a, call: a.platform.samples.rebuild(call(), NoFields())))
    print(f"  rebuild of every summary {time.perf_counter() - began:.1f} s, {done.changed} of {done.kpis} differed")
    if not os.environ.get("PILOTHOUSE_DATABASE"):
        began = time.perf_counter()
        verify(home, deep=True)
        print(f"  verify --deep {time.perf_counter() - began:.1f} s")
    process, address = serve(home)
    try:
        visitor = Visitor(address, key)
        for name, path in PAGES.items():
            visitor.visit(path)
            taken = sorted(visitor.visit(path)[0] for _ in range(TIMES))
            p95 = quantiles(taken, n=20)[18]
            print(f"  {name:16} p50 {median(taken):7.1f} ms   p95 {p95:7.1f} ms   {visitor.visit(path)[1] // 1024} KB")
        print(f"  server {memory_mb(process.pid)} MB")
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--address", default="", help="a postgresql:// address of an empty database, for one size")
    given = parser.parse_args()
    if given.address:
        os.environ["PILOTHOUSE_DATABASE"] = given.address
    os.environ["PILOTHOUSE_EMBEDDER"] = "none"
    with tempfile.TemporaryDirectory() as folder:
        for samples in given.samples:
            one(samples, given.cases, Path(folder))


if __name__ == "__main__":
    main()
