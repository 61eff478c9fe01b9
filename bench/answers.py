"""How well the built-in extractive model answers and declines: CLAPNQ against two baselines, and the demo's questions.

Sketch before measuring: CLAPNQ gives one passage of 7.5 sentences a question, 2.6 of them gold, so citing the whole
passage always scores about 2 * (2.6 / 7.5) / (1 + 2.6 / 7.5) = .52 of sentence F1, and declines nothing; a cosine of
sentence embeddings should separate answerable from unanswerable at an AUC of .8 to .9. Lines are drawn over the whole
set by cross-validation, never on single questions.

    python bench/answers.py [--data ../shared/data] [--demo] [--filings]
"""

import argparse
import asyncio
import csv
import gzip
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from math import log, sqrt
from pathlib import Path
from typing import Any

import yaml

from pilothouse.backends.sqlite.database import SqliteDatabase
from pilothouse.steps.gateway.contracts import Prompt
from pilothouse.steps.gateway.drivers.extractive import ExtractiveModel
from pilothouse.steps.knowledge.contracts import AccessRule, Retrieval
from pilothouse.steps.knowledge.drivers.exact_vectors import ExactVectors
from pilothouse.steps.knowledge.drivers.minilm import load
from pilothouse.steps.knowledge.drivers.parsing import FileParser
from pilothouse.steps.knowledge.drivers.tantivy_index import TantivyIndex
from pilothouse.steps.knowledge.migrations import MIGRATIONS
from pilothouse.steps.knowledge.ports import Embedder
from pilothouse.testing.fakes import CountingMint, PlainKeys, StillClock
from pilothouse.testing.knowledge import Library
from pilothouse.text.answering import Tuning, select
from pilothouse.text.tokens import content_words

ROOT = Path(__file__).parents[1]
FOLDS, REPEATS, RESAMPLES = 5, 20, 2000
NO_LINE = Tuning(least_share=-1.0, least_likeness=-1.0)
Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with its one passage: where its sentences lie, and which of them answer (none: unanswerable)."""

    question: str
    title: str
    text: str
    sentences: tuple[Span, ...]
    gold: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one way of answering did with one question: the gold sentences' F1, and how sure it was."""

    cited: frozenset[int]
    evidence: float


Way = Callable[[Asked], Outcome]


def clapnq(folder: Path) -> list[Asked]:
    """Read both halves of the set."""
    found = []
    for name in ("answerable", "unanswerable"):
        with gzip.open(folder / "clapnq" / f"{name}.jsonl.gz", "rt", encoding="utf8") as lines:
            found += [_asked(json.loads(line)) for line in lines]
    return found


def _asked(record: dict[str, Any]) -> Asked:
    passage = record["passages"][0]
    text, spans, at = passage["text"], [], 0
    for sentence in passage["sentences"]:
        start = text.index(sentence, at)
        at = start + len(sentence)
        spans.append((start, at))
    wanted = {s.strip() for s in record["output"][0]["selected_sentences"]}
    gold = frozenset(n for n, s in enumerate(passage["sentences"]) if s.strip() in wanted)
    return Asked(question=record["input"], title=passage["title"], text=text, sentences=tuple(spans), gold=gold)


def covered(asked: Asked, spans: Sequence[Span]) -> frozenset[int]:
    """Return the sentences of which at least half was cited."""
    return frozenset(n for n, (a, b) in enumerate(asked.sentences)
                     if sum(max(0, min(b, e) - max(a, s)) for s, e in spans) >= 0.5 * (b - a))


def extractive(tuning: Tuning, embedder: Embedder | None) -> Way:
    """The built-in model's own selection."""
    model = ExtractiveModel(embedder=embedder)

    def way(a: Asked) -> Outcome:
        found = select(a.question, [a.text], contexts=[a.title], tuning=tuning,
                       likeness=model._likeness if embedder else None)
        return Outcome(cited=covered(a, [(c.span.start, c.span.end) for c in found.chosen]), evidence=found.evidence)

    return way


def whole_passage(a: Asked) -> Outcome:
    """BM25's top passage, cited whole: with one passage given it is that one."""
    return Outcome(cited=frozenset(range(len(a.sentences))), evidence=1.0)


def top_sentence(a: Asked) -> Outcome:
    """The best sentence by BM25 (k1 = 1.2, b = 0.75) over the passage's sentences; always answers."""
    bags = [content_words(a.text[s:e]) for s, e in a.sentences]
    mean = sum(map(len, bags)) / len(bags)

    def score(bag: list[str]) -> float:
        held = {w: sum(w in b for b in bags) for w in set(content_words(a.question))}
        return sum(log(1 + (len(bags) - df + 0.5) / (df + 0.5)) * bag.count(w) * 2.2
                   / (bag.count(w) + 1.2 * (0.25 + 0.75 * len(bag) / mean)) for w, df in held.items())

    best = max(range(len(bags)), key=lambda n: score(bags[n]))
    return Outcome(cited=frozenset({best}), evidence=1.0)


def f1(asked: Asked, outcome: Outcome) -> float:
    """Return the F1 of cited against gold sentences; declining an answerable question scores 0."""
    both = len(asked.gold & outcome.cited)
    return 2 * both / (len(asked.gold) + len(outcome.cited)) if both else 0.0


def interval(values: Sequence[float]) -> str:
    """Return a mean with its 95 % bootstrap interval (seeded)."""
    draw = random.Random(1)
    means = sorted(sum(draw.choices(values, k=len(values))) / len(values) for _ in range(RESAMPLES))
    return f"{sum(values) / len(values):.3f} [{means[int(0.025 * RESAMPLES)]:.3f}, {means[int(0.975 * RESAMPLES)]:.3f}]"


def share(hits: int, n: int) -> str:
    """Return a share with its 95 % Wilson interval (E. B. Wilson, JASA 22, 1927)."""
    z, p = 1.96, hits / n
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return f"{p:.2f} [{low:.2f}, {high:.2f}]"


def report(name: str, way: Way, questions: Sequence[Asked]) -> None:
    """Print one row of the table."""
    started = time.perf_counter()
    outcomes = [(a, way(a)) for a in questions]
    ms = 1000 * (time.perf_counter() - started) / len(questions)
    answerable = [(a, o) for a, o in outcomes if a.gold]
    declined = [o for a, o in outcomes if not a.gold and not o.cited]
    gold = sum(bool(a.gold & o.cited) for a, o in answerable)
    print(f"{name:34} {interval([f1(a, o) for a, o in answerable]):24} {share(gold, len(answerable)):18} "
          f"{share(len(declined), len(outcomes) - len(answerable)):18} {ms:6.1f} ms")


def calibrate(name: str, way: Way, questions: Sequence[Asked]) -> None:
    """Print where cross-validation draws the line between answering and declining, and what it is worth unseen."""
    evidence = [(bool(a.gold), way(a).evidence) for a in questions]
    yes, no = ([e for gold, e in evidence if gold is kind] for kind in (True, False))
    auc = sum((y > n) + 0.5 * (y == n) for y in yes for n in no) / (len(yes) * len(no))
    draw, lines, unseen = random.Random(2), [], []
    for _ in range(REPEATS):
        order = draw.sample(range(len(evidence)), len(evidence))
        for fold in range(FOLDS):
            held = set(order[fold::FOLDS])
            line = _best_line([e for n, e in enumerate(evidence) if n not in held])
            lines.append(line)
            unseen.append(_balanced([evidence[n] for n in held], line))
    lines.sort()
    print(f"{name:34} AUC {auc:.3f}; line {lines[len(lines) // 2]:.2f} (middle 90 %: {lines[len(lines) // 20]:.2f} to "
          f"{lines[-len(lines) // 20]:.2f}); balanced accuracy on unseen folds {sum(unseen) / len(unseen):.3f}")


def _best_line(evidence: Sequence[tuple[bool, float]]) -> float:
    """Return the line with the best balanced accuracy; among equals the middle one."""
    marks = sorted({round(e, 2) for _, e in evidence})
    scored = [(_balanced(evidence, m), m) for m in marks]
    best = [m for s, m in scored if s == max(scored)[0]]
    return best[len(best) // 2]


def _balanced(evidence: Sequence[tuple[bool, float]], line: float) -> float:
    yes, no = ([e for gold, e in evidence if gold is kind] for kind in (True, False))
    return (sum(e >= line for e in yes) / max(1, len(yes)) + sum(e < line for e in no) / max(1, len(no))) / 2


def answers_table(folder: Path, embedder: Embedder | None) -> None:
    """Print the CLAPNQ table and the calibration of both ways."""
    questions = clapnq(folder)
    answerable = sum(bool(a.gold) for a in questions)
    print(f"CLAPNQ, {answerable} answerable and {len(questions) - answerable} unanswerable, passages given")
    print(f"{'':34} {'sentence F1 (answerable)':24} {'gold cited':18} {'declined (unans.)':18} time")
    report("BM25 top passage, always answers", whole_passage, questions)
    report("BM25 top sentence, always answers", top_sentence, questions)
    ways = [("words", None), *([("words and embedder", embedder)] if embedder else [])]
    for name, used in ways:
        report(f"by {name}, always answers", extractive(NO_LINE, used), questions)
        report(f"by {name}", extractive(Tuning(), used), questions)
    for name, used in ways:
        calibrate(f"line by {name}", extractive(NO_LINE, used), questions)


def demo_table(embedder: Embedder | None) -> None:
    """Print how the demo's own questions fare end to end, with retrieval, when everybody may read everything."""
    demo = ROOT / "src/pilothouse/app/demo"
    questions = yaml.safe_load((demo / "questions.yaml").read_text())["questions"]
    with tempfile.TemporaryDirectory() as home:
        library = opened(Path(home), demo / "documents", embedder)
        library.define(AccessRule(readers=("everyone",)))
        library.ingest()
        for name, used in (("words", None), *([("embedder", embedder)] if embedder else [])):
            _demo_row(name, questions, library, ExtractiveModel(embedder=used))
        library.database.close()


def _demo_row(name: str, questions: Sequence[dict[str, Any]], library: Library, model: ExtractiveModel) -> None:
    found = [(q, library.ask(q["text"])) for q in questions]
    done = [(q, r, model.answer(prompt(q["text"], r))) for q, r in found]
    answerable = [(q, r, c) for q, r, c in done if q["answerable"]]
    others = [c for q, _, c in done if not q["answerable"]]
    read = sum(_holds(q["fact"], " ".join(p.text for p in r.passages)) for q, r, _ in answerable)
    told = sum(_holds(q["fact"], c.text) for q, _, c in answerable)
    answered = sum(c.answered for _, _, c in answerable)
    print(f"demo by {name:26} fact among passages {share(read, len(answerable))}, fact in the answer "
          f"{share(told, len(answerable))}, answered {share(answered, len(answerable))}, "
          f"unanswerable declined {share(sum(not c.answered for c in others), len(others))}")


def filings_table(folder: Path, embedder: Embedder | None) -> None:
    """Print how often a filing that a question is about is among the passages, and how much is answered (smoke)."""
    with tempfile.TemporaryDirectory() as home, open(folder / "docugami/qna_data.csv", encoding="utf-8-sig") as file:
        library = opened(Path(home), folder / "docugami/docs", embedder)
        library.define(AccessRule(readers=("everyone",)))
        started = time.perf_counter()
        report = library.ingest()
        print(f"filings: {report.added} documents, {report.passages} passages in {time.perf_counter() - started:.1f} s")
        model, hits, answered, n = ExtractiveModel(embedder=embedder), {1: 0, 5: 0, 10: 0}, 0, 0
        for row in csv.DictReader(file):
            found = library.ask(row["Question"], limit=10)
            right = [fnmatch(p.path, row["Source Docs"]) for p in found.passages]
            hits = {k: hits[k] + any(right[:k]) for k in hits}
            answered += model.answer(prompt(row["Question"], found)).answered
            n += 1
        library.database.close()
        shares = "; ".join(f"right filing in top {k} {share(hits[k], n)}" for k in hits)
        print(f"{shares}; answered {share(answered, n)}")


def _holds(fact: str, text: str) -> bool:
    return " ".join(fact.split()).lower() in " ".join(text.split()).lower()


def prompt(question: str, retrieval: Retrieval) -> Prompt:
    return Prompt(instructions="", examples=(), turns=(), passages=retrieval.passages, question=question)


def opened(home: Path, folder: Path, embedder: Embedder | None) -> Library:
    """Return a library on real indexes; without an embedder it searches by words alone."""
    mint, keys = CountingMint(), PlainKeys()
    database = SqliteDatabase(home / "pilothouse.db", clock=StillClock(), mint=mint, keys=keys)
    asyncio.run(database.migrate(MIGRATIONS))
    library = Library(folder=folder, home=home, database=database, mint=mint, keys=keys)
    dense = ExactVectors(home / "vectors", embedder.dimensions) if embedder else None
    library.knowledge = library.opened(parser=FileParser(), lexical=TantivyIndex(home / "words"), dense=dense,
                                       embedder=embedder)
    return library


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--demo", action="store_true", help="ask the demo's questions, with retrieval, as well")
    parser.add_argument("--filings", action="store_true", help="ask the questions on 20 quarterly reports as well")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as graph:
        tables(args, load(Path(graph)))


def tables(args: argparse.Namespace, embedder: Embedder | None) -> None:
    """Print the tables that were asked for."""
    if embedder is None:
        print("no embedder is installed: by words alone")
    if (args.data / "clapnq").is_dir():
        answers_table(args.data, embedder)
    else:
        print(f"CLAPNQ is not at {args.data}: give its folder by --data")
    if args.demo:
        demo_table(embedder)
    if args.filings:
        filings_table(args.data, embedder)


if __name__ == "__main__":
    main()
