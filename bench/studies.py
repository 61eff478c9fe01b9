"""Simulation studies of our statistics: run them, print them with Monte-Carlo errors, fail on a broken promise."""

import argparse
import sys
import time

from pilothouse.testing.studies import all_studies


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=2000, help="runs of the dear studies; cheap ones get ten times that")
    runs, began, broken = asked.parse_args().runs, time.perf_counter(), 0
    print("| study | runs | share | Monte-Carlo error | must be |  |\n|---|---|---|---|---|---|")
    for s in all_studies(runs):
        ends = ("" if s.low is None else f"at least {s.low:.3f}", "" if s.high is None else f"at most {s.high:.3f}")
        bounds = ", ".join(e for e in ends if e) or "shown only"
        broken += not s.kept()
        print(f"| {s.name} | {s.runs} | {s.share:.4f} | {s.error:.4f} | {bounds} | {'' if s.kept() else 'BROKEN'} |",
              flush=True)
    print(f"\n{time.perf_counter() - began:.0f} s; {broken} broken", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
