"""Any model behind the OpenAI chat protocol, by aiohttp's client: kept connections, one call, bounded by time."""

import os
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp
import msgspec

from pilothouse.steps.gateway.contracts import Completion, Delta, FinishReason, ModelRoute, Parameters, Prompt
from pilothouse.steps.gateway.errors import ModelRefused, ModelUnavailable

CONNECTIONS_MAX = 256
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class OpenAiModel:
    """Calls `{base_url}/chat/completions`. The key is read from the environment at each call and never logged."""

    def __init__(self, route: ModelRoute, *, environ: Mapping[str, str] = os.environ) -> None:
        self._route, self._environ = route, environ
        self._url = route.base_url.rstrip("/") + "/chat/completions"
        self._session: aiohttp.ClientSession | None = None

    async def complete(self, prompt: Prompt, parameters: Parameters) -> Completion:
        try:
            async with self._open().post(self._url, data=self._body(prompt, parameters, stream=False),
                                         headers=self._headers(), allow_redirects=False) as response:
                raw = await response.read()
                _check(response.status, raw)
        except (aiohttp.ClientError, TimeoutError, OSError) as failed:
            raise ModelUnavailable(f"the model `{self._route.name}` did not answer", route=self._route.name) from failed
        return self._completion(prompt, _parsed(raw))

    async def stream(self, prompt: Prompt, parameters: Parameters) -> AsyncGenerator[Delta]:
        body = self._body(prompt, parameters, stream=True)
        text: list[str] = []
        usage: dict[str, Any] = {}
        finish = ""
        try:
            async with self._open().post(self._url, data=body, headers=self._headers(),
                                         allow_redirects=False) as response:
                if response.status != 200:
                    _check(response.status, await response.read())
                async for event in _events(response.content):
                    usage = event.get("usage") or usage
                    for choice in (event.get("choices") or ())[:1]:
                        finish = choice.get("finish_reason") or finish
                        if piece := (choice.get("delta") or {}).get("content"):
                            text.append(piece)
                            yield Delta(text=piece)
        except (aiohttp.ClientError, TimeoutError, OSError) as failed:
            raise ModelUnavailable(f"the model `{self._route.name}` broke off", route=self._route.name) from failed
        if not finish:
            raise ModelUnavailable(f"the model `{self._route.name}` ended without a reason", route=self._route.name)
        whole = {"choices": [{"message": {"content": "".join(text)}, "finish_reason": finish}], "usage": usage}
        yield Delta(text="", completion=self._completion(prompt, whole))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX), auto_decompress=True,
                timeout=aiohttp.ClientTimeout(total=self._route.timeout_s))
        return self._session

    def _headers(self) -> Mapping[str, str]:
        key = self._environ.get(self._route.key_env, "") if self._route.key_env else ""
        headers = {"content-type": "application/json"}
        return {**headers, "authorization": f"Bearer {key}"} if key else headers

    def _body(self, prompt: Prompt, parameters: Parameters, *, stream: bool) -> bytes:
        chosen = {"temperature": parameters.temperature, "top_p": parameters.top_p, "seed": parameters.seed,
                  "max_tokens": parameters.max_tokens, "stop": list(parameters.stop) or None}
        streamed = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        return _encode({"model": self._route.upstream_model or self._route.name, "messages": messages(prompt),
                        **{k: v for k, v in chosen.items() if v is not None}, **streamed})

    def _completion(self, prompt: Prompt, body: Any) -> Completion:
        try:
            choice = body["choices"][0]
            text = choice["message"]["content"] or ""
        except (KeyError, IndexError, TypeError) as broken:
            raise ModelUnavailable(f"the model `{self._route.name}` sent no answer", route=self._route.name) from broken
        usage = body.get("usage") or {}
        sent = usage.get("prompt_tokens") or len(str(prompt)) // 4
        return Completion(text=text, model=self._route.name, tokens_in=sent, estimated_tokens=not usage,
                          tokens_out=usage.get("completion_tokens") or len(text) // 4,
                          finish_reason=_finish(choice.get("finish_reason")))


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """Render a prompt for the chat protocol: instructions, examples, earlier turns, numbered passages, question."""
    shots = [{"role": role, "content": text} for pair in prompt.examples
             for role, text in zip(("user", "assistant"), pair, strict=True)]
    turns = [{"role": t.role, "content": t.text} for t in prompt.turns]
    sources = "\n\n".join(f"[{n}] {p.title}{''.join(f' > {h}' for h in p.heading)}\n{p.text}"
                          for n, p in enumerate(prompt.passages, start=1))
    asked = f"Passages:\n\n{sources}\n\nQuestion: {prompt.question}" if sources else prompt.question
    return [{"role": "system", "content": prompt.instructions}, *shots, *turns, {"role": "user", "content": asked}]


async def _events(content: aiohttp.StreamReader) -> AsyncGenerator[dict[str, Any]]:
    """Yield the JSON events of a server-sent stream, however its bytes are split; comments and blanks are skipped."""
    held = b""
    async for chunk in content.iter_any():
        held += chunk
        *lines, held = held.split(b"\n")
        for line in lines:
            line = line.strip()
            if line.startswith(b"data:") and (data := line[5:].strip()) not in (b"", b"[DONE]"):
                yield _object(_parsed(data))


def _parsed(raw: bytes) -> Any:
    try:
        return _decode(raw)
    except msgspec.DecodeError as broken:
        raise ModelUnavailable("the model's answer is not JSON") from broken


def _object(event: Any) -> dict[str, Any]:
    """Return an event that says something; one that only tells of an error ends the stream."""
    if not isinstance(event, dict) or event.get("error"):
        raise ModelUnavailable("the model broke off with an error")
    return event


def _check(status: int, raw: bytes) -> None:
    """Raise for anything but success: what may pass is unavailable, what we sent wrong is refused."""
    if status == 200:
        return
    if status in (408, 409, 429) or status >= 500:
        raise ModelUnavailable(f"the model answered {status}", upstream_status=status)
    raise ModelRefused(f"the model refused the request with {status}; check the route's model name and key",
                       upstream_status=status)


def _finish(reason: object) -> FinishReason:
    return reason if reason in ("stop", "length", "tool_calls", "content_filter") else "stop"
