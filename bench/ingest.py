"""Parsing speed and tables on twenty quarterly reports: pages a second beside pypdf and kreuzberg, and what is kept.

The peers run in an environment of their own, named by --peers (a Python with `pypdf` and `kreuzberg` installed; what it
lacks is left out and said to be). Each parser reads every file from memory in its own process, one thread, after one
unmeasured file; rounds alternate between parsers, and the median round counts. Ours gives blocks with tables, headings
and page numbers; pypdf gives plain text; kreuzberg gives text with its own pdfium.

Words: the share of distinct words of three letters and more that pypdfium2's plain text has and the parser's text has
too (running lines are meant to go). Rows alone: how many lines of the plain text that hold a label and two amounts come
out as a line or paragraph that holds no second such line. Rows named: how many of them also say, before an amount, a
year or month that their plain line does not: the column's name.

Sketch before measuring: pdfium needs about 4 ms a page for its text alone, the words' boxes twice that, and the tables
in Python about as much again: 50 to 80 pages a second; pypdf, Python throughout, about 20.

    python bench/ingest.py [--data ../shared/data] [--peers PYTHON] [--rounds 3]
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
WORD = re.compile(r"[^\W\d_]{3,}")
NAMED = re.compile(r"\b(?:(?:19|20)\d\d|January|February|March|April|May|June|July|August|September|October|November|"
                   r"December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b[^;]*: ")
AMOUNTS = re.compile(r"^(.*[A-Za-z)].*?)\s+\$?\s*(\(?\d[\d,.]*\)?)\s+\$?\s*(\(?\d[\d,.]*\)?)\s*$")


def ours() -> Callable[[str, bytes], tuple[str, int]]:
    """Return our parser: text and pages of a file."""
    from pilothouse.steps.knowledge.drivers.parsing import FileParser

    parser = FileParser()

    def read(name: str, content: bytes) -> tuple[str, int]:
        parsed = parser.parse(name, content)
        return "\n".join(b.text for b in parsed.blocks), parsed.pages or 0

    return read


def pdfium() -> Callable[[str, bytes], tuple[str, int]]:
    """Return pdfium's plain text: the floor of what reading costs."""
    import pypdfium2

    def read(name: str, content: bytes) -> tuple[str, int]:
        document = pypdfium2.PdfDocument(content)
        texts = []
        for page in document:
            text = page.get_textpage()
            texts.append(text.get_text_range())
            text.close()
            page.close()
        document.close()
        return "\n".join(texts).replace("\r\n", "\n"), len(texts)

    return read


def pypdf() -> Callable[[str, bytes], tuple[str, int]]:
    import io

    import pypdf as library

    def read(name: str, content: bytes) -> tuple[str, int]:
        pages = library.PdfReader(io.BytesIO(content)).pages
        return "\n".join(p.extract_text() for p in pages), len(pages)

    return read


def kreuzberg() -> Callable[[str, bytes], tuple[str, int]]:
    import kreuzberg as library

    def read(name: str, content: bytes) -> tuple[str, int]:
        found: Any = library.extract_bytes_sync(content, "application/pdf")
        return str(found.content), 0

    return read


PARSERS = {"pilothouse": ours, "pdfium text alone": pdfium, "pypdf": pypdf, "kreuzberg": kreuzberg}


def work(name: str, files: Sequence[Path]) -> None:
    """Read every file with one parser and print the seconds, the pages and the texts as JSON."""
    held = [(f.name, f.read_bytes()) for f in files]
    read = PARSERS[name]()
    read(*held[0])
    seconds, found = [], []
    for one in held:
        started = time.perf_counter()
        try:
            found.append(read(*one))
        except Exception as refused:  # a peer's own kinds are not known here
            print(f"{name}: {one[0]}: {type(refused).__name__}: {str(refused)[:80]}", file=sys.stderr)
            found.append((None, 0))
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds, "pages": [p for _, p in found], "texts": [t for t, _ in found]}))


def measured(python: str, name: str, files: Sequence[Path]) -> dict[str, Any] | None:
    done = subprocess.run([python, __file__, "--work", name, *map(str, files)], text=True, capture_output=True,
                          check=False)
    if done.returncode:
        print(f"{name}: left out ({(done.stderr.strip().splitlines() or ['it failed'])[-1][:90]})")
        return None
    return dict(json.loads(done.stdout.splitlines()[-1]))


def rows_kept(plain: str, text: str) -> tuple[int, int, int]:
    """Return (rows that stand alone, those of them that name their columns, rows) of a text against its plain lines."""
    wanted = list(dict.fromkeys(m.groups() for line in plain.split("\n") if (m := AMOUNTS.match(line.strip()))))
    by_amount: dict[str, list[str]] = {}
    for line in text.split("\n"):
        for amount in set(re.findall(r"\(?\d[\d,.]*\)?", line)):
            by_amount.setdefault(amount, []).append(line)
    alone = named = 0
    for label, one, other in wanted:
        last = label.replace("$", " ").split()[-2:]
        lines = [n for n in by_amount.get(one, ()) if other in n and all(w in n for w in last)]
        single = [n for n in lines if len(re.findall(r"\d[\d,.]*", n)) <= 16 and n.count(" ") < 80 and not any(
            o != other and f" {o}" in n and f" {x}" in n for lab, x, o in wanted if lab != label and x != one)]
        alone += bool(single)
        named += any(NAMED.search(n.replace(label, "")) for n in single)
    return alone, named, len(wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--peers", default="", help="a Python that has the peers installed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", nargs="+", default=[], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.work[0], [Path(f) for f in chosen.work[1:]])
        return
    files = sorted((chosen.data / "docugami" / "docs").glob("*.pdf"))
    if not files:
        print(f"the filings are not at {chosen.data / 'docugami'}: give the evaluation data's folder by --data")
        return
    pythons = {"pilothouse": sys.executable, "pdfium text alone": sys.executable}
    pythons |= {"pypdf": chosen.peers, "kreuzberg": chosen.peers} if chosen.peers else {}
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    for _ in range(chosen.rounds):
        for name in [n for n in pythons if n in rounds]:
            if (found := measured(pythons[name], name, files)) is None:
                del rounds[name]
            else:
                rounds[name].append(found)
    report(rounds)


def report(rounds: dict[str, list[dict[str, Any]]]) -> None:
    """Print the table."""
    plain = rounds["pdfium text alone"][0]
    print(f"{'parser':18} {'files':>5} {'pages/s':>8} {'ms/page':>8} {'rounds, ms/page':24} {'words':>6}  rows alone, "
          "named")
    for name, found in rounds.items():
        read = [n for n, text in enumerate(found[0]["texts"]) if text is not None]
        pages = sum(plain["pages"][n] for n in read)
        each = [1000 * sum(f["seconds"][n] for n in read) / pages for f in found]
        shares, alone, named, every = [], 0, 0, 0
        for n in read:
            whole, text = plain["texts"][n], found[0]["texts"][n]
            words = set(WORD.findall(whole))
            shares.append(len(words & set(WORD.findall(text))) / len(words))
            a, c, of = rows_kept(whole, text)
            alone, named, every = alone + a, named + c, every + of
        print(f"{name:18} {len(read):5} {1000 / median(each):8.1f} {median(each):8.1f} "
              f"{' '.join(f'{e:.1f}' for e in each):24} {sum(shares) / len(shares):6.3f}  {alone}, {named} of {every}")
    print(f"{sum(plain['pages'])} pages of {len(plain['texts'])} files, one thread")


if __name__ == "__main__":
    main()
