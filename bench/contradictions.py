"""How many planted contradictions are found, and how many are told that are none, with and without the embedder.

Subjects, wordings and values are drawn by a seed. Every subject is worded in three ways; a planted pair gives two
values, a decoy the same value in other words, another subject, or another country. The thresholds were set on the
demo's documents and never on these. Run: `python bench/contradictions.py [SEED]`.
"""

import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pilothouse.steps.knowledge.contracts.cleansing import Text
from pilothouse.steps.knowledge.drivers.minilm import load
from pilothouse.steps.knowledge.logic.contradicting import Likeness, told

FACTS: tuple[tuple[tuple[str, str, str], tuple[str, ...]], ...] = (
    (("Visitor badges are returned within {} of the visit.", "Guests hand back their visitor badge no later than {} "
      "after the visit.", "A visitor badge must be back at reception {} after the visit at the latest."),
     ("2 days", "5 days", "10 days")),
    (("Backups of the archive server are restored as a test every {}.", "A test restore of archive server backups "
      "happens once in {}.", "Every {} we test that backups of the archive server can be restored."),
     ("3 months", "6 months", "12 months")),
    (("Suppliers are paid {} after a correct invoice.",
      "Payment to a supplier follows {} after the invoice is correct.",
      "A correct supplier invoice is paid within {}."), ("30 days", "45 days", "60 days")),
    (("The mileage allowance for private cars is {} a kilometre.", "For a private car we refund a mileage allowance of "
      "{} per kilometre.", "Private car mileage is refunded with {} a kilometre."),
     ("EUR 0.30", "EUR 0.38", "EUR 0.42")),
    (("The late fee for a returned laptop is {}.", "Whoever returns a laptop late pays a fee of {}.",
      "A late laptop costs a return fee of {}."), ("EUR 50", "EUR 75", "EUR 120")),
    (("The canteen closes at {} on Fridays.", "On Fridays the canteen is open until {}.",
      "Friday closing time of the canteen is {}."), ("14:00", "14:30", "15:00")),
    (("The discount for annual subscriptions is {}.", "Annual subscriptions get a discount of {}.",
      "Whoever subscribes for a year receives {} discount."), ("10%", "15%", "20%")),
    (("The new expense tool goes live on {}.", "Go-live of the new expense tool is {}.",
      "From {} everybody uses the new expense tool."), ("1 March 2027", "1 April 2027", "15 May 2027")),
    (("Penetration tests of the customer portal are repeated every {}.", "The customer portal has a penetration test "
      "once every {}.", "Every {} testers try to break into the customer portal."), ("6 months",
      "12 months", "2 years")),
    (("Contractors keep building access for {} after their contract ends.", "Building access of a contractor lasts {} "
      "beyond the end of the contract.", "After a contract ends the contractor's building access stays for {}."),
     ("1 day", "3 days", "14 days")),
    (("A hotel night in the capital is refunded up to {}.", "For hotels in the capital we refund at most {} a night.",
      "The capital's hotel limit is {} a night."), ("EUR 140", "EUR 180", "EUR 210")),
    (("Parental leave requests are answered within {}.", "We answer a request for parental leave in {}.",
      "A parental leave request has its answer after {} at most."), ("5 working days", "10 working days",
                                                                    "15 working days")),
)
ELSEWHERE = ("in Germany", "in India", "in Ireland")


def planted(rng: random.Random, rounds: int) -> list[tuple[list[Text], set[frozenset[str]]]]:
    """Return worlds of documents with the pairs of passages that contradict one another in each."""
    worlds = []
    for _ in range(rounds):
        texts: list[Text] = []
        true: set[frozenset[str]] = set()
        for n, (wordings, values) in enumerate(FACTS):
            one, other = rng.sample(values, 2)
            first, second = rng.sample(wordings, 2) if rng.random() < 0.7 else [rng.choice(wordings)] * 2
            kind = rng.choice(("contradiction", "same", "elsewhere"))
            pair = {"contradiction": (one, other), "same": (one, one), "elsewhere": (one, other)}[kind]
            for side, (wording, value) in enumerate(zip((first, second), pair, strict=True)):
                said = wording.format(value)
                if kind == "elsewhere":
                    said = f"{said[:-1]} {ELSEWHERE[side]}."
                texts.append(Text(passage=f"{n}.{side}", document=f"{n}.{side}", context="", text=said))
            if kind == "contradiction":
                true.add(frozenset((f"{n}.0", f"{n}.1")))
        worlds.append((texts, true))
    return worlds


def measured(likeness: Likeness | None, seed: int, rounds: int = 40) -> tuple[int, int, int]:
    """Return (found rightly, told wrongly, missed) over all worlds."""
    right = wrong = missed = 0
    for texts, true in planted(random.Random(seed), rounds):
        found = {frozenset((t.left, t.right)) for t in told(texts, likeness=likeness)}
        right, wrong, missed = right + len(found & true), wrong + len(found - true), missed + len(true - found)
    return right, wrong, missed


def likeness_of(embed: Callable[[Sequence[str]], np.ndarray]) -> Likeness:
    def likeness(texts: Sequence[str], pairs: Sequence[tuple[int, int]]) -> Sequence[float]:
        vectors = embed(texts) if texts else np.empty((0, 1))
        return [float(vectors[i] @ vectors[j]) for i, j in pairs]

    return likeness


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 11
    with tempfile.TemporaryDirectory() as folder:
        embedder = load(Path(folder))
        modes = [("words alone", None)] + ([("with embedder", likeness_of(embedder.embed))] if embedder else [])
        for name, likeness in modes:
            right, wrong, missed = measured(likeness, seed)
            print(f"{name}: precision {right / max(1, right + wrong):.3f} (n = {right + wrong}), "
                  f"recall {right / max(1, right + missed):.3f} (n = {right + missed}), seed {seed}")


if __name__ == "__main__":
    main()
