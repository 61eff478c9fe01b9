"""MinHash sketches by rensa: 128 permutations, banded so that near copies meet in one bucket."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations, pairwise

PERMUTATIONS, BANDS = 128, 32
SHINGLE = 5
BUCKET_MAX = 200
"""Documents of one bucket that are compared pairwise; a larger bucket is boilerplate, paired in a chain only."""


class MinHashSketcher:
    """Sketches word shingles. Two texts that share 60 % of them meet with a probability above 99 %."""

    def sketch(self, text: str) -> bytes:
        from rensa import RMinHash

        words = text.lower().split()
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=7)
        sketch.update([" ".join(words[i:i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))])
        return b"".join(int(h).to_bytes(4, "little") for h in sketch.digest())

    def alike(self, sketches: Mapping[str, bytes]) -> Iterable[tuple[str, str]]:
        buckets: dict[tuple[int, bytes], list[str]] = defaultdict(list)
        width = 4 * PERMUTATIONS // BANDS
        for name, sketch in sketches.items():
            for band in range(BANDS):
                buckets[band, sketch[band * width:(band + 1) * width]].append(name)
        found: set[tuple[str, str]] = set()
        for names in buckets.values():
            found.update(combinations(sorted(names), 2) if len(names) <= BUCKET_MAX else pairwise(sorted(names)))
        return sorted(found)
