"""Models that behave as a test tells them: one echoes, one follows a script; both remember what they were shown."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace

from pilothouse.steps.gateway.contracts import Completion, Delta, ModelRoute, Parameters, Prompt
from pilothouse.steps.gateway.errors import ModelUnavailable
from pilothouse.steps.gateway.ports import ChatModel


class EchoModel:
    """Says the question back, citing every passage; costs no time, so that what surrounds a model can be timed."""

    name = "echo"

    async def complete(self, prompt: Prompt, parameters: Parameters) -> Completion:
        marks = "".join(f" [{n}]" for n in range(1, len(prompt.passages) + 1))
        text = f"You asked: {prompt.question}{marks}"
        return Completion(text=text, model=self.name, tokens_in=len(prompt.question) // 4 + 1,
                          tokens_out=len(text) // 4 + 1)

    async def stream(self, prompt: Prompt, parameters: Parameters) -> AsyncGenerator[Delta]:
        done = await self.complete(prompt, parameters)
        for word in done.text.split(" "):
            yield Delta(text=word if word == "You" else f" {word}")
        yield Delta(text="", completion=done)


class ScriptedModel:
    """Plays its script one line a call, the last one for ever: a text, a completion, or an error to raise.

    An error that follows the words `after:` in a pair is raised once those words were streamed.
    """

    def __init__(self, *script: str | Completion | BaseException | tuple[str, BaseException], name: str = "scripted",
                 pause_s: float = 0.0) -> None:
        self._script, self._name, self._pause_s = script, name, pause_s
        self.prompts: list[Prompt] = []
        self.asked = asyncio.Event()
        self.left_early = 0

    async def complete(self, prompt: Prompt, parameters: Parameters) -> Completion:
        line = self._next(prompt)
        await asyncio.sleep(self._pause_s)
        if isinstance(line, tuple):
            raise line[1]
        return self._completion(line)

    async def stream(self, prompt: Prompt, parameters: Parameters) -> AsyncGenerator[Delta]:
        line, finished = self._next(prompt), False
        said, problem = line if isinstance(line, tuple) else (self._completion(line).text, None)
        try:
            for piece in said.splitlines(keepends=True) if "\n" in said else _words(said):
                await asyncio.sleep(self._pause_s)
                yield Delta(text=piece)
            if problem is not None:
                raise problem
            finished = True
            yield Delta(text="", completion=self._completion(said if isinstance(line, tuple) else line))
        finally:
            self.left_early += not finished

    def _next(self, prompt: Prompt) -> str | Completion | BaseException | tuple[str, BaseException]:
        line = self._script[min(len(self.prompts), len(self._script) - 1)]
        self.prompts.append(prompt)
        self.asked.set()
        return line

    def _completion(self, line: str | Completion | BaseException) -> Completion:
        if isinstance(line, BaseException):
            raise line
        if isinstance(line, Completion):
            return replace(line, model=self._name)
        return Completion(text=line, model=self._name, tokens_in=10, tokens_out=len(line) // 4 + 1)


def _words(text: str) -> list[str]:
    """Split a text before each blank, so that the pieces add up to it."""
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


class FixedModels:
    """Opens routes from a table by name; a route that is not in it is unavailable."""

    def __init__(self, models: Mapping[str, ChatModel]) -> None:
        self._models = models

    def open(self, route: ModelRoute) -> ChatModel:
        if route.name not in self._models:
            raise ModelUnavailable(f"no model stands behind `{route.name}` in this test", route=route.name)
        return self._models[route.name]
