"""An embedder that remembers: questions asked again and sentences quoted again cost a look-up instead of a model."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from pilothouse.steps.knowledge.ports import Embedder, Vectors

KEPT_MAX = 20_000
"""Vectors kept, the latest used: 31 MB at 384 dimensions."""
BULK = 64
"""More texts than this at once are documents on their way in: each comes once, and would push out what is asked."""


class RememberingEmbedder:
    """Wraps an embedder; keeps vectors in memory alone, and forgets all of them when anything is erased."""

    def __init__(self, embedder: Embedder, *, most: int = KEPT_MAX) -> None:
        self._embedder, self._most = embedder, most
        self.name, self.dimensions = embedder.name, embedder.dimensions
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = threading.Lock()
        self._erasures = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts or len(texts) > BULK:
            return self._embedder.embed(texts)
        with self._lock:
            erasures = self._erasures
            known = {t: self._kept[t] for t in texts if t in self._kept}
        new = [t for t in dict.fromkeys(texts) if t not in known]
        if new:
            known.update(zip(new, self._embedder.embed(new), strict=True))
        with self._lock:
            if erasures == self._erasures:  # else one of these texts may just have been erased
                self._keep(known)
        return np.stack([known[t] for t in texts])

    def _keep(self, known: dict[str, Vectors]) -> None:
        for text, vector in known.items():
            self._kept[text] = vector
            self._kept.move_to_end(text)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()
            self._erasures += 1
