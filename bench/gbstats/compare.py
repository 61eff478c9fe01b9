"""Our effects against GrowthBook's gbstats: the same samples, six digits, or it fails.

    python bench/gbstats/compare.py                  # compares, from the peer's own environment
    python bench/gbstats/compare.py --record         # also keeps its answers for the suite (answers.json)

The peer's environment is bench/gbstats/.venv, from the hashed lock beside this file (`make nightly` builds it).
Where the methods differ on purpose: shares (Newcombe's interval here, a t interval there; value and error are
compared), and fewer than 20 units an arm in a sequence (no answer here).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pilothouse.stats import effects
from pilothouse.stats.sequences import sequence

HERE = Path(__file__).parent
DIGITS = 6
Case = Mapping[str, Any]


def cases() -> Sequence[Case]:
    """Return the same samples every time: normal, skewed, rare, uneven, small."""
    draw, found = np.random.default_rng(7), []
    for n, m, shift in ((40, 40, 0.5), (25, 90, 0.0), (300, 200, -0.2), (1000, 1000, 0.05)):
        for world in (lambda k: draw.normal(3, 1, k), lambda k: draw.lognormal(1, 0.8, k),
                      lambda k: (draw.random(k) < 0.3).astype(float)):
            a, b = world(n).tolist(), (world(m) + shift).tolist()
            before = (draw.normal(2, 1, n).tolist(), draw.normal(2, 1, m).tolist())
            tied = [[y + 0.7 * x for y, x in zip(s, t, strict=True)] for s, t in zip((a, b), before, strict=True)]
            found += [{"way": "welch", "given": {"control": a, "treatment": b}},
                      {"way": "sequence", "given": {"control": a, "treatment": b, "horizon": 500}},
                      {"way": "cuped", "given": {"control": tied[0], "treatment": tied[1],
                                                 "control_before": before[0], "treatment_before": before[1]}}]
    found += [{"way": "shares", "given": {"control": c, "treatment": t}} for c, t in
              (((30, 100), (45, 110)), ((3, 500), (9, 480)))]
    return [*found, *({"way": "mismatch", "given": {"counts": c, "shares": s}} for c, s in
                      (([480, 520], [0.5, 0.5]), ([300, 100], [0.7, 0.3]), ([821588, 815482], [0.5, 0.5])))]


def ours(case: Case) -> Mapping[str, float | None]:
    """Return our answer to a case, in the peer's words."""
    given = case["given"]
    if case["way"] == "mismatch":
        return {"p": effects.mismatch(given["counts"], given["shares"])}
    if case["way"] == "shares":
        found = effects.shares(tuple(given["control"]), tuple(given["treatment"]))
        assert found is not None
        return {"value": found.value, "se": found.se}
    return _told(case["way"], np.array(given["control"]), np.array(given["treatment"]), given)


def _told(way: str, control: effects.Floats, treatment: effects.Floats, given: Mapping[str, Any]
          ) -> Mapping[str, float | None]:
    if way == "cuped":
        joint = np.concatenate([control, treatment])
        adjusted, _ = effects.cuped(joint, np.array(given["control_before"] + given["treatment_before"]))
        control, treatment = adjusted[:len(control)], adjusted[len(control):]
    found = (sequence(control, treatment, horizon=given["horizon"]) if way == "sequence"
             else effects.welch(control, treatment))
    assert found is not None
    return {"value": found.value, "low": found.low, "high": found.high, "p": found.p}


def agree(mine: Mapping[str, float | None], theirs: Mapping[str, float]) -> bool:
    """Say whether all that both tell is the same to six digits; p under 1e-9 is lost in the peer's 1 - cdf."""
    return all(value is not None and abs(value - theirs[key]) <= 10.0 ** -DIGITS * max(abs(theirs[key]), 1e-3)
               for key, value in mine.items())


def asked_of_peer(python: Path) -> Mapping[str, Any]:
    """Return the peer's answers from a process in its own environment."""
    told = subprocess.run([python, HERE / "peer.py"], input=json.dumps(cases()), capture_output=True, text=True,
                          check=True)
    return dict(json.loads(told.stdout))


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--python", type=Path, default=HERE / ".venv/bin/python", help="the peer's interpreter")
    asked.add_argument("--record", action="store_true", help="keep the peer's answers for the suite")
    given = asked.parse_args()
    theirs = asked_of_peer(given.python)
    if given.record:
        (HERE / "answers.json").write_text(json.dumps(theirs, indent=1) + "\n", encoding="utf8")
    apart = [(c["way"], ours(c), t) for c, t in zip(cases(), theirs["answers"], strict=True) if not agree(ours(c), t)]
    for way, mine, other in apart:
        print(way, mine, other)
    print(f"gbstats {theirs['version']}: {len(cases()) - len(apart)} of {len(cases())} agree to {DIGITS} digits")
    return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(main())
