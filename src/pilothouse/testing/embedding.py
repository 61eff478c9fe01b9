"""A small real embedder for tests: words and their three-letter parts hashed into 64 dimensions."""

from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np

from pilothouse.steps.knowledge.ports import Vectors
from pilothouse.text.tokens import content_words

DIMENSIONS = 64
PART_WEIGHT = 0.3
"""What a three-letter part counts against a whole word: spelling variants come close, other words stay apart."""


class HashingEmbedder:
    """Embeds without weights in a few microseconds: texts that share words, or parts of words, are close."""

    name, dimensions = "hashing-64/1", DIMENSIONS

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text (shape: texts × 64); a text without words gets a fixed one of its own."""
        made = np.zeros((len(texts), DIMENSIONS), np.float32)
        for i, text in enumerate(texts):
            for feature, weight in _features(text):
                hashed = crc32(feature.encode())
                made[i, hashed % DIMENSIONS] += weight if hashed & 0x10000 else -weight
        made[~made.any(axis=1), 0] = 1
        return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in content_words(text):
        yield word, 1.0
        yield from ((word[at:at + 3], PART_WEIGHT) for at in range(len(word) - 2))
