"""Our effects against what GrowthBook's gbstats answered to the same samples; `make nightly` asks it anew."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parents[2] / "bench/gbstats"
ANSWERS = json.loads((HERE / "answers.json").read_text(encoding="utf8"))["answers"]


def comparison() -> Any:
    spec = importlib.util.spec_from_file_location("gbstats_comparison", HERE / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def peer() -> Any:
    return comparison()


def test_every_effect_agrees_with_gbstats_to_six_digits(peer: Any) -> None:
    cases = peer.cases()
    assert len(cases) == len(ANSWERS) == 41
    assert {c["way"] for c in cases} == {"welch", "sequence", "cuped", "shares", "mismatch"}
    assert [c["way"] for c, theirs in zip(cases, ANSWERS, strict=True) if not peer.agree(peer.ours(c), theirs)] == []


def test_a_difference_in_the_sixth_digit_is_seen(peer: Any) -> None:
    mine = peer.ours(peer.cases()[0])
    assert not peer.agree(mine, {**ANSWERS[0], "low": ANSWERS[0]["low"] * (1 + 3e-6)})
