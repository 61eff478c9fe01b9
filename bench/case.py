"""How long a business case takes, value of information included, beside a plain loop over the same draws.

Sketch before measuring: 17 inputs x 100,000 draws are 1.7 M uniforms (20 ms) and as many look-ups in a table (40 ms);
100,000 x 37 months are 3.7 M cells, touched about ten times (100 ms); 19 regressions on four columns (100 ms) and a few
quantiles (50 ms): .3 to .5 s on one core. A loop in Python spends about .3 us on each of 36 months and 50 ns on each of
a hundred other operations a draw: 15 us a draw, 1.5 s, without paybacks and without value of information.

    python bench/case.py [--draws 100000] [--runs 7]
"""

import argparse
import math
import random
import resource
import statistics
import time

from pilothouse.stats import cash
from pilothouse.steps.portfolio.contracts.cases import Case
from pilothouse.steps.portfolio.logic import flowing, sampling, selecting, valuing
from pilothouse.steps.portfolio.logic.selecting import Limits, Option
from pilothouse.testing.cases import a_case, costs, fewer_reopened, replies

LOOP_DRAWS = 2_000


def largest() -> Case:
    """Return a case with 30 drivers over ten years: the limits."""
    drivers = tuple(replies(f"Replies {i}") for i in range(29))
    return a_case(horizon_months=120, drivers=(replies(), *drivers[:28], fewer_reopened()), costs=costs())


def by_loop(case: Case, seed: int, draws: int) -> tuple[float, float]:
    """Return (mean hard NPV, mean whole NPV) by one Python loop a draw: no payback, no return, no information value."""
    columns = {path: values.tolist() for path, values in sampling.drawn(case, seed=seed, draws=draws).items()}
    factor = [float(f) for f in cash.discounts(flowing.rate(case), case.horizon_months + 1)]
    steep, start = math.log(81) / float(case.adoption.climb), case.adoption.starts_month
    totals = [0.0, 0.0]
    for n in range(draws):
        at = {path: values[n] for path, values in columns.items()}
        first = 1 / (1 + math.exp(steep * at["adoption.half"]))
        served = sum(factor[t] * (1 / (1 + math.exp(-steep * (t - start - at["adoption.half"]))) - first) / (1 - first)
                     for t in range(start + 1, case.horizon_months + 1)) * at["adoption.ceiling"]
        spent = 0.0
        for c in case.costs:
            amount = at[f"cost/{c.name}"]
            if c.kind == "per_unit":
                spent += amount * at[f"driver/{c.driver}/volume"] * served
            else:
                last = c.starts_month if c.kind == "one_off" else case.horizon_months
                spent += amount * sum(factor[c.starts_month: last + 1])
        for side, share in enumerate((flowing.cash_share, flowing.counted_share)):
            gained = 0.0
            for d in case.drivers:
                own = {k: at.get(f"driver/{d.name}/{k}", 0.0) for k in ("volume", "effect", "rate", "review", "rework")}
                net = (own["effect"] - own["review"] - own["rework"]) / 60 if d.basis == "minutes" else own["effect"]
                gained += own["volume"] * net * own["rate"] * float(d.attribution * d.overlap_share) * share(d)
            totals[side] += gained * served - spent
    return totals[0] / draws, totals[1] / draws


def timed(act: object, runs: int) -> list[float]:
    taken = []
    for _ in range(runs):
        begin = time.perf_counter()
        act()  # type: ignore[operator]
        taken.append(time.perf_counter() - begin)
    return taken


def said(name: str, taken: list[float]) -> None:
    print(f"{name:58} median {statistics.median(taken):7.3f} s   least {min(taken):7.3f}   most {max(taken):7.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=7)
    asked = parser.parse_args()
    plain, most = a_case(), largest()
    begin = time.perf_counter()
    valuing.value(plain, seed=1, draws=asked.draws)
    print(f"first call, imports of scipy included: {time.perf_counter() - begin:.3f} s")
    one = timed(lambda: valuing.value(plain, seed=1, draws=asked.draws), asked.runs)
    again = timed(lambda: valuing.value(plain, seed=1, draws=asked.draws), asked.runs)
    said(f"2 drivers, 5 costs, 36 months, {asked.draws:,} draws, EVPPI", one)
    said("the same again (A/A)", again)
    said(f"30 drivers, 5 costs, 120 months, {asked.draws:,} draws, EVPPI",
         timed(lambda: valuing.value(most, seed=1, draws=asked.draws), max(1, asked.runs // 3)))
    loop = timed(lambda: by_loop(plain, 1, LOOP_DRAWS), 3)
    said(f"plain loop, {LOOP_DRAWS:,} draws, means only", loop)
    scaled = statistics.median(loop) * asked.draws / LOOP_DRAWS
    means = timed(lambda: valuing.reckon(plain, sampling.drawn(plain, seed=1, draws=asked.draws)), asked.runs)
    said("draws, present values and paybacks alone", means)
    print(f"plain loop at {asked.draws:,} draws (scaled): {scaled:.1f} s, {scaled / statistics.median(means):.1f} times"
          " as long as that, without paybacks")
    ours = valuing.value(plain, seed=1, draws=LOOP_DRAWS)
    theirs = by_loop(plain, 1, LOOP_DRAWS)
    print(f"they agree: {ours.hard.npv.mean.amount} and {theirs[0]:.2f},"
          f" {ours.whole.npv.mean.amount} and {theirs[1]:.2f}")
    rng = random.Random(1)
    options = [Option(name=str(i), net=rng.uniform(-50, 400), cost=rng.uniform(20, 150), capacity=rng.uniform(1, 30))
               for i in range(1_000)]
    limits = Limits(budget=10_000, capacity=2_000)
    said("selection among 1,000 use cases", timed(lambda: selecting.choose(options, limits), 3))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
