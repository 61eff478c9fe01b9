"""`/v1/chat/completions`: OpenAI's protocol in, a governed answer out, whole or streamed to the byte."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

import msgspec

from pilothouse.doors.http.wire import Receive, Send, parsed, reply
from pilothouse.kernel.call import Call
from pilothouse.kernel.errors import Invalid, PilothouseError
from pilothouse.platform import Platform
from pilothouse.steps.gateway.contracts import Answer, Delta, Parameters, Question, Turn
from pilothouse.steps.gateway.errors import Unsupported

_encode = msgspec.json.Encoder().encode
UNSUPPORTED = frozenset({"tools", "tool_choice", "functions", "function_call", "audio", "modalities", "prediction",
                         "response_format", "logprobs", "top_logprobs", "web_search_options"})
IGNORED = frozenset({"user", "metadata", "store", "service_tier", "parallel_tool_calls", "safety_identifier",
                     "prompt_cache_key", "presence_penalty", "frequency_penalty", "logit_bias", "reasoning_effort",
                     "verbosity"})


class Part(msgspec.Struct):
    """One part of a message; only text is read."""

    type: str
    text: str = ""


class Message(msgspec.Struct):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None


class StreamOptions(msgspec.Struct):
    """What a stream carries beside the text."""

    include_usage: bool = False


class Body(msgspec.Struct):
    """The part of a chat completion request that is served."""

    model: str
    messages: list[Message]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    n: int | None = 1


_decoder: "msgspec.json.Decoder[Body]" = msgspec.json.Decoder(Body)
_names = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KNOWN = frozenset(Body.__struct_fields__) | IGNORED


class ChatCompletions:
    """Serves the endpoint on one platform."""

    def __init__(self, platform: Platform) -> None:
        self._gateway = platform.gateway

    async def handle(self, call: Call, body: bytes, receive: Receive, send: Send) -> None:
        """Answer one request; errors are the endpoint's to shape until the first byte is out."""
        request: Body = parsed(body, _decoder)
        _refuse_unsupported(body, request)
        question = question_of(request)
        if request.stream:
            usage = bool(request.stream_options and request.stream_options.include_usage)
            await self._stream(call, question, request.model, usage, receive, send)
        else:
            answer = await self._gateway.answer(call, question)
            await reply(send, _encode(completion(answer, request.model, int(call.at.timestamp()))),
                        headers={"x-pilothouse-interaction": answer.interaction_id})

    async def _stream(self, call: Call, question: Question, model: str, usage: bool, receive: Receive, send: Send
                      ) -> None:
        async with aclosing(self._gateway.stream(call, question)) as pieces:
            first = await anext(pieces)  # refusals come before the first byte, as a plain error
            created = int(call.at.timestamp())
            sending = asyncio.create_task(_send_events(send, _with(first, pieces), model, created, usage))
            leaving = asyncio.create_task(_left(receive))
            done, _ = await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if sending not in done:  # the client left: closing the generator cancels the upstream call
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                return
            await sending


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _with(first: Delta | Answer, rest: AsyncGenerator[Delta | Answer]) -> AsyncGenerator[Delta | Answer]:
    yield first
    async for piece in rest:
        yield piece


async def _send_events(send: Send, pieces: AsyncGenerator[Delta | Answer], model: str, created: int, usage: bool
                       ) -> None:
    """Send the stream: a role, the text, exactly one finish reason, usage if asked for, and the end mark."""
    await send({"type": "http.response.start", "status": 200, "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no")]})
    chunk = Chunk(model, created)
    try:
        await _event(send, chunk.of({"role": "assistant", "content": ""}))
        async for piece in pieces:
            if isinstance(piece, Delta):
                await _event(send, chunk.of({"content": piece.text}))
            else:
                await _event(send, {**chunk.of({}, finish=piece.finish_reason), "id": piece.interaction_id,
                                    "pilothouse": extras(piece)})
                if usage:
                    await _event(send, {**chunk.of(None), "id": piece.interaction_id, "usage": usage_of(piece)})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
    except PilothouseError as broke:  # the head is out: the error goes into the stream, and the end mark does not
        await _event(send, {"error": {"message": broke.message, "type": "api_error", "code": broke.code}})
        await send({"type": "http.response.body", "body": b""})


async def _event(send: Send, value: Any) -> None:
    await send({"type": "http.response.body", "body": b"data: " + _encode(value) + b"\n\n", "more_body": True})


class Chunk:
    """Makes the chunks of one stream, which share id, model and time."""

    def __init__(self, model: str, created: int) -> None:
        self._head = {"id": "chatcmpl-stream", "object": "chat.completion.chunk", "created": created, "model": model}

    def of(self, delta: dict[str, Any] | None, *, finish: str | None = None) -> dict[str, Any]:
        """Return a chunk; with no delta at all it carries no choice, as the usage chunk must."""
        choices = [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        return {**self._head, "choices": choices}


def question_of(body: Body) -> Question:
    """Return the question of a request: the last user message; raises Invalid naming what is missing."""
    if body.n not in (None, 1):
        raise Unsupported("one answer is given at a time; leave n out", field="n")
    spoken = [m for m in body.messages if m.role in ("user", "assistant")]
    if not spoken or spoken[-1].role != "user":
        raise Invalid("the last message must be the user's", field="messages")
    system = "\n\n".join(text_of(m) for m in body.messages if m.role in ("system", "developer"))
    turns = tuple(Turn(role=m.role, text=text_of(m)) for m in spoken[:-1])  # type: ignore[arg-type]
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return Question(use_case=body.model.removeprefix("use-case/"), text=text_of(spoken[-1]), turns=turns,
                    instructions=system, parameters=Parameters(
                        temperature=body.temperature, top_p=body.top_p, stop=stop, seed=body.seed,
                        max_tokens=body.max_completion_tokens or body.max_tokens))


def text_of(message: Message) -> str:
    """Return a message's text; raises Unsupported for parts that are not text."""
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    for part in message.content:
        if part.type != "text":
            raise Unsupported(f"a `{part.type}` part is not read here; send text", field="messages")
    return "\n".join(part.text for part in message.content)


def _refuse_unsupported(body: bytes, request: Body) -> None:
    """Raise Unsupported for the first parameter that would change the answer and is not served."""
    for name, raw in _names.decode(body).items():
        if bytes(raw) in (b"null", b"[]", b"{}") or name in _KNOWN:
            continue
        if name == "response_format" and msgspec.json.decode(raw) == {"type": "text"}:
            continue
        said = "is not served here" if name in UNSUPPORTED else "is not a parameter that is known here"
        raise Unsupported(f"`{name}` {said}; leave it out", field=name)


def completion(answer: Answer, model: str, created: int) -> dict[str, Any]:
    """Return an answer in the wire's shape, with ours beside it."""
    return {"id": answer.interaction_id, "object": "chat.completion", "created": created, "model": model,
            "choices": [{"index": 0, "finish_reason": answer.finish_reason, "logprobs": None,
                         "message": {"role": "assistant", "content": answer.text, "refusal": None}}],
            "usage": usage_of(answer), "pilothouse": extras(answer)}


def usage_of(answer: Answer) -> dict[str, int]:
    return {"prompt_tokens": answer.tokens_in, "completion_tokens": answer.tokens_out,
            "total_tokens": answer.tokens_in + answer.tokens_out}


def extras(answer: Answer) -> dict[str, Any]:
    """Return what the wire has no field for: status, citations, and the address of the receipt."""
    return {"status": answer.status, "answered": answer.answered, "ai_assisted": answer.ai_assisted,
            "interaction_id": answer.interaction_id, "groundedness": answer.groundedness, "demo": answer.demo,
            "citations": answer.citations, "receipt": f"/api/v1/answers/{answer.interaction_id}/receipt"}
