"""The contract of a chat model as checks that run on any driver."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

from pilothouse.steps.gateway.contracts import Parameters, Prompt, Turn
from pilothouse.steps.gateway.ports import ChatModel
from pilothouse.steps.knowledge.contracts import DocumentId, Passage, PassageId

Open = Callable[[], AbstractAsyncContextManager[ChatModel]]
Check = Callable[[ChatModel], Awaitable[None]]


def passage(text: str, *, number: int = 1, title: str = "Notice savings", page: int | None = None) -> Passage:
    """Return a passage that says `text`."""
    return Passage(id=PassageId(f"psg_{number}"), document_id=DocumentId(f"doc_{number}"), source="docs",
                   path=f"{number}.md", title=title, version=1, page=page, heading=("Terms",), start=0, end=len(text),
                   text=text, label="internal", score=1.0)


def prompt(question: str = "How long is the notice period?", *texts: str, turns: tuple[Turn, ...] = ()) -> Prompt:
    """Return a prompt on these passages; on two about savings when none are given."""
    texts = texts or ("The notice period is 32 days. The fee is 12 EUR.", "Branches open at 9:00 on weekdays.")
    return Prompt(instructions="Answer from the passages.", examples=(("What is the fee?", "It is 12 EUR [1]."),),
                  turns=turns, passages=tuple(passage(t, number=n) for n, t in enumerate(texts, start=1)),
                  question=question)


@asynccontextmanager
async def already(model: ChatModel) -> AsyncIterator[ChatModel]:
    """Wrap a model that needs no opening."""
    yield model


def run_check(open_model: Open, check: Check) -> None:
    """Run one check on a freshly opened model."""

    async def run() -> None:
        async with open_model() as model:
            await asyncio.wait_for(check(model), 30)

    asyncio.run(run())


async def a_completion_says_something_and_counts_its_tokens(model: ChatModel) -> None:
    done = await model.complete(prompt(), Parameters())
    assert done.text.strip()
    assert done.model
    assert done.tokens_in > 0
    assert done.tokens_out > 0
    assert done.finish_reason == "stop"


async def a_stream_adds_up_to_its_completion_which_comes_last_and_once(model: ChatModel) -> None:
    async with aclosing(model.stream(prompt(), Parameters())) as pieces:
        found = [piece async for piece in pieces]
    *before, last = found
    assert last.completion is not None
    assert all(piece.completion is None for piece in before)
    assert "".join(piece.text for piece in found) == last.completion.text


async def a_stream_may_be_left_after_its_first_piece(model: ChatModel) -> None:
    async with aclosing(model.stream(prompt(), Parameters())) as pieces:
        assert (await anext(pieces)).text
    assert [piece async for piece in pieces] == []


async def many_prompts_are_answered_at_once(model: ChatModel) -> None:
    found = await asyncio.gather(*(model.complete(prompt(), Parameters()) for _ in range(16)))
    assert len({done.text for done in found}) == 1


async def turns_examples_and_settings_are_accepted(model: ChatModel) -> None:
    turns = (Turn(role="user", text="Tell me about savings."), Turn(role="assistant", text="Which account?"))
    settings = Parameters(temperature=0.2, top_p=0.9, max_tokens=200, stop=("END",), seed=7)
    assert (await model.complete(prompt(turns=turns), settings)).text


async def a_prompt_without_passages_gets_an_answer(model: ChatModel) -> None:
    bare = Prompt(instructions="", examples=(), turns=(), passages=(), question="How are you?")
    assert (await model.complete(bare, Parameters())).text


CHECKS: tuple[Check, ...] = (
    a_completion_says_something_and_counts_its_tokens, a_stream_adds_up_to_its_completion_which_comes_last_and_once,
    a_stream_may_be_left_after_its_first_piece, many_prompts_are_answered_at_once,
    turns_examples_and_settings_are_accepted, a_prompt_without_passages_gets_an_answer,
)
