"""Simulation studies: what our statistics promise, held against worlds whose truth is known."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from pilothouse.stats import effects, power, quasi
from pilothouse.stats.clusters import clustered_difference
from pilothouse.stats.effects import Effect, Floats
from pilothouse.stats.sequences import lower_sequence, sequence

LOOKS, PER_LOOK = 40, 12
"""Forty looks, twelve new people an arm at each: 480 an arm at the end, a large pilot."""
Draw = Callable[[np.random.Generator, int], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One simulated share and the bounds it must keep; `low` and `high` None where it is only shown."""

    name: str
    share: float
    runs: int
    low: float | None = None
    high: float | None = None

    @property
    def error(self) -> float:
        """Monte-Carlo standard error of the share."""
        return sqrt(max(self.share * (1 - self.share), 1 / self.runs) / self.runs)

    def kept(self, errors: float = 3.0) -> bool:
        """Say whether the bounds hold but for so many Monte-Carlo errors."""
        slack = errors * self.error
        return (self.low is None or self.share >= self.low - slack) and (
            self.high is None or self.share <= self.high + slack)


def normal(draw: np.random.Generator, n: int) -> Floats:
    return draw.normal(0, 1, n)


def exponential(draw: np.random.Generator, n: int) -> Floats:
    return draw.exponential(1, n) - 1


def rare(draw: np.random.Generator, n: int) -> Floats:
    return (draw.random(n) < 0.1).astype(np.float64) - 0.1


WORLDS: Sequence[tuple[str, Draw]] = (("normal", normal), ("exponential", exponential), ("share of .1", rare))


def _looks(draw: np.random.Generator, world: Draw, shift: float = 0.0) -> Iterator[tuple[Floats, Floats]]:
    a, b = world(draw, LOOKS * PER_LOOK), world(draw, LOOKS * PER_LOOK) + shift
    for look in range(1, LOOKS + 1):
        yield a[:look * PER_LOOK], b[:look * PER_LOOK]


def _excludes(effect: Effect | None, truth: float = 0.0) -> bool:
    if effect is None or effect.low is None or effect.high is None:
        return False
    return not effect.low <= truth <= effect.high


HORIZON = 2 * LOOKS * PER_LOOK


def peeking(runs: int, seed: int = 1) -> Sequence[Study]:
    """How often somebody who looks 40 times at nothing claims something: by the sequence, and by plain Welch."""
    found = []
    for name, world in WORLDS:
        draw, ours, naive = np.random.default_rng(seed), 0, 0
        for _ in range(runs):
            looks = list(_looks(draw, world))
            ours += any(_excludes(sequence(a, b, horizon=HORIZON)) for a, b in looks)
            naive += any(_excludes(effects.welch(a, b)) for a, b in looks)
        found += [Study(name=f"false positives in {LOOKS} looks, sequence, {name}", share=ours / runs, runs=runs,
                        high=0.05),
                  Study(name=f"false positives in {LOOKS} looks, plain Welch, {name}", share=naive / runs, runs=runs)]
    return found


def sequences_cover(runs: int, seed: int = 2) -> Sequence[Study]:
    """How often the sequence holds the truth at all looks at once, a true effect of .3 standard deviations."""
    found = []
    for name, world in WORLDS:
        draw = np.random.default_rng(seed)
        held = sum(not any(_excludes(sequence(a, b, horizon=HORIZON), 0.3) for a, b in _looks(draw, world, 0.3))
                   for _ in range(runs))
        found.append(Study(name=f"coverage of the sequence over {LOOKS} looks, {name}", share=held / runs, runs=runs,
                           low=0.95))
    return found


def no_harm(runs: int, seed: int = 3, margin: float = 0.3) -> Sequence[Study]:
    """How often harm exactly at the margin is called within it in 40 looks: by the sequence, by the plain bound."""
    draw, often, naive = np.random.default_rng(seed), 0, 0
    for _ in range(runs):
        looks = list(_looks(draw, normal, -margin))
        often += any(effects.non_inferior(lower_sequence(a, b, horizon=HORIZON), margin).outcome == "held"
                     for a, b in looks)
        naive += any(effects.non_inferior(effects.welch(a, b, confidence=0.9), margin).outcome == "held"
                     for a, b in looks)
    return [Study(name=f"false non-inferiority, sequence, {LOOKS} looks", share=often / runs, runs=runs, high=0.05),
            Study(name=f"false non-inferiority, plain bound, {LOOKS} looks", share=naive / runs, runs=runs)]


def no_harm_at_the_end(runs: int, seed: int = 10, margin: float = 0.3) -> Sequence[Study]:
    """How often harm exactly at the margin is called within it by the one look of a fixed analysis: 5 % by design."""
    draw, found = np.random.default_rng(seed), 0
    for _ in range(runs):
        effect = effects.welch(normal(draw, 120), normal(draw, 120) - margin, confidence=0.9)
        found += effects.non_inferior(effect, margin).outcome == "held"
    return [Study(name="false non-inferiority, one look", share=found / runs, runs=runs, high=0.05)]


def means_cover(runs: int, seed: int = 4) -> Sequence[Study]:
    """How often Welch's interval holds the truth, with and without CUPED."""
    found = []
    for name, world, bound in (("normal", normal, True), ("exponential", exponential, True),
                               ("lognormal", lambda d, n: d.lognormal(0, 1, n) - np.exp(0.5), False)):
        for n in (30, 100):
            draw = np.random.default_rng(seed)
            held = sum(not _excludes(effects.welch(world(draw, n), world(draw, n))) for _ in range(runs))
            found.append(Study(name=f"coverage of a mean difference, {name}, n {n} an arm", share=held / runs,
                               runs=runs, low=0.94 if bound else None, high=0.96 if bound else None))
    draw, held = np.random.default_rng(seed), 0
    for _ in range(runs):
        x = draw.normal(0, 1, 60)
        y, _ = effects.cuped(x + draw.normal(0, 1, 60), x)
        held += not _excludes(effects.welch(y[:30], y[30:]))
    return [*found, Study(name="coverage of a mean difference, CUPED, n 30 an arm", share=held / runs, runs=runs,
                          low=0.94, high=0.96)]


def shares_cover(runs: int, seed: int = 5) -> Sequence[Study]:
    """How often Newcombe's interval holds the true difference."""
    found = []
    for n, before, after in ((20, 0.05, 0.05), (20, 0.5, 0.7), (50, 0.1, 0.3), (100, 0.02, 0.02), (100, 0.9, 0.8)):
        draw = np.random.default_rng(seed)
        counts = zip(draw.binomial(n, before, runs), draw.binomial(n, after, runs), strict=True)
        held = sum(not _excludes(effects.shares((int(a), n), (int(b), n)), after - before) for a, b in counts)
        found.append(Study(name=f"coverage of a share difference, {before} and {after}, n {n} an arm",
                           share=held / runs, runs=runs, low=0.93))
    return found


def teams(draw: np.random.Generator, clusters: int, intraclass: float, smallest: int, largest: int, shift: float = 0.0
          ) -> tuple[list[float], list[bool], list[str]]:
    """Make people in teams of any size between two, half of the teams drawn for treatment."""
    sizes = draw.integers(smallest, largest + 1, clusters)
    arm = np.zeros(clusters, bool)
    arm[draw.permutation(clusters)[:clusters // 2]] = True
    which = np.repeat(np.arange(clusters), sizes)
    y = (draw.normal(0, sqrt(intraclass), clusters)[which] + draw.normal(0, sqrt(1 - intraclass), len(which))
         + shift * arm[which])
    return y.tolist(), arm[which].tolist(), [f"t{i}" for i in which]


def clusters_cover(runs: int, seed: int = 6) -> Sequence[Study]:
    """How often CR2 with Bell and McCaffrey's degrees holds the truth; beside it people taken as independent."""
    found = []
    for k in (6, 12, 20, 40):
        for rho in (0.05, 0.2):
            draw, held, naive = np.random.default_rng(seed), 0, 0
            for _ in range(runs):
                y, arm, which = teams(draw, k, rho, 3, 20)
                held += not _excludes(clustered_difference(y, arm, which))
                values, treated = np.array(y), np.array(arm)
                naive += not _excludes(effects.welch(values[~treated], values[treated]))
            found += [Study(name=f"coverage with {k} teams of 3 to 20, ICC {rho}", share=held / runs, runs=runs,
                            low=0.93 if k >= 12 else None),
                      Study(name=f"coverage with {k} teams, ICC {rho}, people taken as independent",
                            share=naive / runs, runs=runs)]
    return found


def plans_keep(runs: int, seed: int = 7) -> Sequence[Study]:
    """How often an effect as large as planned for is found; the planner's promise is the middle of the bounds."""
    draw, found = np.random.default_rng(seed), []
    mean = power.Question(kind="mean", change=0.5, sd=1.0)
    share = power.Question(kind="proportion", share=0.3, change=0.15)
    n, m = power.units_needed(mean), power.units_needed(share)
    hits = sum(_excludes(effects.welch(normal(draw, n), normal(draw, n) + 0.5)) for _ in range(runs))
    found.append(_promised("power for a mean", hits, runs, power.power_of(mean, n)))
    hits = sum(_excludes(effects.shares((int(draw.binomial(m, 0.3)), m), (int(draw.binomial(m, 0.45)), m)))
               for _ in range(runs))
    found.append(_promised("power for a share", hits, runs, power.power_of(share, m)))
    k = power.units_for_non_inferiority(mean, 0.4)
    hits = sum(effects.non_inferior(effects.welch(normal(draw, k), normal(draw, k), confidence=0.9), 0.4).outcome
               == "held" for _ in range(runs))
    found.append(_promised("power for non-inferiority", hits, runs, power.non_inferiority_power(mean, k, 0.4)))
    return [*found, _sequential_plan(draw, runs, mean), *_team_plans(draw, runs, mean)]


def _promised(name: str, hits: int, runs: int, promise: float) -> Study:
    return Study(name=f"{name} (promised {promise:.3f})", share=hits / runs, runs=runs, low=promise - 0.03,
                 high=promise + 0.03)


def _sequential_plan(draw: np.random.Generator, runs: int, q: power.Question, looks: int = 10) -> Study:
    n, hits = power.units_for_sequence(q, looks), 0
    for _ in range(runs):
        a, b = normal(draw, n), normal(draw, n) + q.change
        sizes = [n * look // looks for look in range(1, looks + 1)]
        hits += any(_excludes(sequence(a[:i], b[:i], horizon=2 * n)) for i in sizes)
    return _promised(f"power of the sequence, {looks} looks", hits, runs, power.sequential_power(q, n, looks))


def _team_plans(draw: np.random.Generator, runs: int, q: power.Question) -> Iterator[Study]:
    for rho, smallest, largest in ((0.05, 8, 8), (0.1, 4, 12)):
        spread = sqrt(((largest - smallest + 1) ** 2 - 1) / 12)
        held = power.Clusters(size=8, intraclass=rho, variation=spread / 8)
        k, hits = power.clusters_needed(q, held), 0
        for _ in range(runs):
            hits += _excludes(clustered_difference(*teams(draw, 2 * k, rho, smallest, largest, q.change)))
        yield _promised(f"power with {2 * k} teams of {smallest} to {largest}, ICC {rho}", hits, runs,
                        power.cluster_power(q, k, held))


def series_cover(runs: int, seed: int = 8) -> Sequence[Study]:
    """How often an interrupted series holds the truth: shown, because memory makes it fall short of nominal."""
    found = []
    for rho in (0.0, 0.3, 0.6):
        draw, held = np.random.default_rng(seed), 0
        for _ in range(runs):
            shocks, y = draw.normal(0, 1, 60), np.zeros(60)
            for i in range(1, 60):
                y[i] = rho * y[i - 1] + shocks[i]
            held += not _excludes(quasi.interrupted_series(y[12:], 30))
        found.append(Study(name=f"coverage of an interrupted series of 30 and 18 points, memory {rho}",
                           share=held / runs, runs=runs))
    return found


def wedges_cover(runs: int, seed: int = 9) -> Sequence[Study]:
    """How often a stepped wedge of 12 teams and 5 periods holds the truth."""
    draw, held = np.random.default_rng(seed), 0
    for _ in range(runs):
        crossing = draw.permutation(np.repeat(np.arange(1, 5), 3))
        moods, times = draw.normal(0, 1, 12), draw.normal(0, 1, 5)
        rows = [(f"t{c}", p, p >= crossing[c], moods[c] + times[p] + draw.normal(0, 1)) for c in range(12)
                for p in range(5)]
        panel = quasi.Panel(units=tuple(r[0] for r in rows), clusters=tuple(r[0] for r in rows),
                            periods=tuple(r[1] for r in rows), group=(True,) * len(rows),
                            treated=tuple(bool(r[2]) for r in rows), values=tuple(float(r[3]) for r in rows))
        held += not _excludes(quasi.stepped_wedge(panel))
    return [Study(name="coverage of a stepped wedge of 12 teams", share=held / runs, runs=runs, low=0.93)]


def all_studies(runs: int) -> Iterator[Study]:
    """Run every study; `runs` is for the dearest, the cheap ones get ten times as many."""
    for study in (peeking, sequences_cover, no_harm, clusters_cover, plans_keep, wedges_cover, series_cover):
        yield from study(runs)
    for study in (no_harm_at_the_end, means_cover, shares_cover):
        yield from study(10 * runs)
