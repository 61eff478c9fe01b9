"""`/v1/models` and `/v1/embeddings`: what a key may ask, and unit vectors as numbers or base64."""

import array
import base64
from typing import Literal

import msgspec

from pilothouse.doors.http.wire import Receive, Send, parsed, reply
from pilothouse.kernel.call import Call
from pilothouse.kernel.operation import NoFields
from pilothouse.platform import Platform
from pilothouse.steps.gateway.contracts import EmbedRequest
from pilothouse.steps.gateway.errors import Unsupported


class EmbeddingsBody(msgspec.Struct, forbid_unknown_fields=True):
    """An embeddings request; token arrays are not read."""

    input: str | list[str]
    model: str = ""
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None


_decoder: "msgspec.json.Decoder[EmbeddingsBody]" = msgspec.json.Decoder(EmbeddingsBody)


class ModelsAndEmbeddings:
    """Serves both endpoints on one platform."""

    def __init__(self, platform: Platform) -> None:
        self._gateway = platform.gateway

    async def models(self, call: Call, body: bytes, receive: Receive, send: Send) -> None:
        """List the use cases this key may ask now, in both lists that clients look for."""
        found = [{"id": a.slug, "object": "model", "created": 0, "owned_by": "pilothouse", "title": a.title}
                 for a in await self._gateway.askable(call, NoFields())]
        await reply(send, msgspec.json.encode({"object": "list", "data": found, "models": found}))

    async def embeddings(self, call: Call, body: bytes, receive: Receive, send: Send) -> None:
        """Embed one text or several."""
        request: EmbeddingsBody = parsed(body, _decoder)
        if request.dimensions is not None:
            raise Unsupported("vectors have the model's own length; leave `dimensions` out", field="dimensions")
        texts = (request.input,) if isinstance(request.input, str) else tuple(request.input)
        made = await self._gateway.embed(call, EmbedRequest(texts=texts))
        data = [{"object": "embedding", "index": i, "embedding": _written(v, request.encoding_format)}
                for i, v in enumerate(made.vectors)]
        usage = {"prompt_tokens": made.tokens, "total_tokens": made.tokens}
        await reply(send, msgspec.json.encode({"object": "list", "data": data, "model": made.model, "usage": usage}))


def _written(vector: tuple[float, ...], encoding: str) -> object:
    """Return a vector as numbers, or as base64 of little-endian float32, as the official clients ask by default."""
    return list(vector) if encoding == "float" else base64.b64encode(array.array("f", vector).tobytes()).decode()
