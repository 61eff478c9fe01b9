"""What large work leaves behind in the C library's heaps goes back to the system."""

import asyncio
import subprocess
import sys

import pytest

GROW = """
import asyncio, threading
from pilothouse.app import memory

async def main():
    keeper = memory.Keeper()
    await keeper.look()
    before = memory.resident()
    kept = []
    def work():
        many = [bytes(n % 40_000) for n in range(12_000)]
        kept.append(many[::600])
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    grown = memory.resident()
    await keeper.look()
    print(before, grown, memory.resident())

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of this system gives memory back by itself")
def test_memory_that_large_work_freed_is_given_back() -> None:
    said = subprocess.run([sys.executable, "-c", GROW], capture_output=True, text=True, check=True).stdout
    before, grown, after = map(int, said.split())
    assert grown - before > 48e6, "the work left nothing behind; make it larger"
    assert after - before < (grown - before) / 4


def test_where_the_library_cannot_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    from pilothouse.app import memory

    monkeypatch.setattr(sys, "platform", "darwin")
    asyncio.run(memory.Keeper().look())
