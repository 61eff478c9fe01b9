"""The machine's clock tells UTC; minted ids are unique, sorted by age and safe on many threads."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pilothouse.backends.system import RandomMint, SystemClock, crockford


def test_the_clock_tells_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - now) < timedelta(seconds=5)


def test_ids_are_a_prefix_and_26_characters() -> None:
    assert re.fullmatch(r"uc_[0-9A-HJKMNP-TV-Z]{26}", RandomMint()("uc"))


def test_an_id_says_its_millisecond() -> None:
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    before, minted = time.time_ns() // 1_000_000, RandomMint()("x")[2:]
    said = 0
    for character in minted:
        said = said * 32 + digits.index(character)
    assert before <= said >> 80 <= time.time_ns() // 1_000_000


def test_ids_of_many_threads_are_unique_and_each_threads_sort_by_age() -> None:
    mint = RandomMint()
    with ThreadPoolExecutor(8) as threads:
        rows = list(threads.map(lambda _: [mint("x") for _ in range(2000)], range(8)))
    assert all(row == sorted(row) for row in rows)
    assert len({minted for row in rows for minted in row}) == 16_000


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_text_order_is_number_order(one: int, other: int) -> None:
    assert (crockford(one) < crockford(other)) == (one < other)
