"""The built-in model: it quotes the sentences that answer, cites each, and says plainly when the sources do not."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import numpy as np

from pilothouse.steps.gateway.contracts import Completion, Delta, Parameters, Prompt
from pilothouse.steps.knowledge.ports import Embedder
from pilothouse.text.answering import Candidate, Tuning, select
from pilothouse.text.tokens import words

SILENT = "The sources do not answer this question."
NOTHING = "There is no source that you may read on this."


class ExtractiveModel:
    """Selects, orders and quotes; it writes no sentence of its own, so it can invent nothing."""

    def __init__(self, *, embedder: Embedder | None = None, tuning: Tuning | None = None) -> None:
        self._embedder = embedder
        self._tuning = tuning or Tuning()

    async def complete(self, prompt: Prompt, parameters: Parameters) -> Completion:
        if self._embedder is None or not prompt.passages:
            return self.answer(prompt)
        return await asyncio.to_thread(self.answer, prompt)  # an embedder computes for tens of milliseconds

    async def stream(self, prompt: Prompt, parameters: Parameters) -> AsyncGenerator[Delta]:
        done = await self.complete(prompt, parameters)
        yield Delta(text=done.text)
        yield Delta(text="", completion=done)

    def answer(self, prompt: Prompt) -> Completion:
        """Answer from the passages of a prompt; an earlier question gives words to one too short to stand alone."""
        texts = [p.text for p in prompt.passages]
        found = select(asked(prompt), texts, contexts=[" ".join((p.title, *p.heading)) for p in prompt.passages],
                       tuning=self._tuning, likeness=self._likeness if self._embedder else None)
        text = told(found.chosen, texts) if found.chosen else SILENT if texts else NOTHING
        return Completion(text=text, model="extractive", answered=bool(found.chosen), estimated_tokens=True,
                          tokens_in=_tokens(prompt.question, *texts), tokens_out=_tokens(text))

    def _likeness(self, question: str, sentences: Sequence[str]) -> Sequence[float]:
        assert self._embedder is not None
        vectors = np.asarray(self._embedder.embed([question, *sentences]))
        return [float(x) for x in vectors[1:] @ vectors[0]]


def asked(prompt: Prompt) -> str:
    """Return the question, with the last one before it when it is too short to stand alone (`And in Germany?`)."""
    earlier = [t.text for t in prompt.turns if t.role == "user"]
    return f"{earlier[-1]} {prompt.question}" if earlier and len(words(prompt.question)) < 5 else prompt.question


def told(chosen: Sequence[Candidate], texts: Sequence[str]) -> str:
    """Return the chosen sentences in reading order, each with its citation; list marks and table bars go."""
    return " ".join(f"{_plain(c.span.of(texts[c.text_number]))} [{c.text_number + 1}]" for c in chosen)


def _plain(sentence: str) -> str:
    return " ".join(sentence.strip("-*•#| \t").split())


def _tokens(*texts: str) -> int:
    """Estimate tokens as a quarter of the characters, the usual rule of thumb for English."""
    return sum(len(t) // 4 + 1 for t in texts)
