"""The official OpenAI client, unmodified, against a real server; and the stream read byte by byte."""

import json
import urllib.error
import urllib.request
from typing import Any

import openai
import pytest

from tests.wire.conftest import Served

QUESTION = "How many days of annual leave may I carry over?"


@pytest.fixture
def client(served: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=served.address + "/v1", api_key=served.key, max_retries=0)


def test_a_chat_completion_quotes_the_source_and_names_its_receipt(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model="trial", messages=[{"role": "user", "content": QUESTION}])
    assert "five days" in (done.choices[0].message.content or "")
    assert done.choices[0].finish_reason == "stop"
    ours: Any = done.model_extra["pilothouse"]  # type: ignore[index]
    assert (ours["status"], ours["ai_assisted"]) == ("final", True)
    assert ours["citations"][0]["title"] == "Leave Policy"


def test_a_question_that_the_sources_do_not_answer_is_declined(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model="trial", messages=[
        {"role": "user", "content": "What is the boiling point of mercury?"}])
    assert done.model_extra["pilothouse"]["answered"] is False  # type: ignore[index]


def test_a_stream_gives_the_same_text_one_finish_reason_usage_and_an_end(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="trial", stream=True, stream_options={"include_usage": True},
                                                 messages=[{"role": "user", "content": QUESTION}]))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "five days" in text
    assert [c.choices[0].finish_reason for c in chunks if c.choices].count("stop") == 1
    assert chunks[-1].choices == [] and chunks[-1].usage is not None and chunks[-1].usage.total_tokens > 0


def test_a_stream_ends_with_the_end_mark_on_the_wire(served: Served) -> None:
    raw = _post(served, "/v1/chat/completions", {"model": "trial", "stream": True, "messages": [
        {"role": "user", "content": QUESTION}]})
    events = [e for e in raw.split("\n\n") if e]
    assert events[-1] == "data: [DONE]"
    bodies = [json.loads(e.removeprefix("data: ")) for e in events[:-1]]
    assert bodies[0]["choices"][0]["delta"]["role"] == "assistant"
    assert sum(b["choices"][0]["finish_reason"] is not None for b in bodies if b["choices"]) == 1


def test_models_lists_what_the_key_may_ask(client: openai.OpenAI) -> None:
    assert [m.id for m in client.models.list()] == ["trial"]


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_are_unit_vectors_in_both_encodings(client: openai.OpenAI, encoding: Any) -> None:
    made = client.embeddings.create(model="local", input=["annual leave", "train"], encoding_format=encoding)
    first = made.data[0].embedding
    if encoding == "float":
        assert abs(sum(x * x for x in first) - 1) < 1e-3
    assert len(made.data) == 2


def test_an_unknown_use_case_and_a_wrong_key_are_told_apart_and_not_repeated(served: Served, client: openai.OpenAI
                                                                             ) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="nothing-here", messages=[{"role": "user", "content": "hello there"}])
    assert missing.value.response.headers["x-should-retry"] == "false"
    stranger = openai.OpenAI(base_url=served.address + "/v1", api_key="ph_wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_a_parameter_that_is_not_served_is_a_400_that_names_it(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="trial", messages=[{"role": "user", "content": QUESTION}], tools=[
            {"type": "function", "function": {"name": "f", "parameters": {}}}])
    assert refused.value.param == "tools"


def test_every_operation_is_described_and_an_unknown_field_is_refused_by_name(served: Served) -> None:
    described = json.loads(_get(served, "/openapi.json"))
    assert described["openapi"] == "3.1.0"
    assert len(described["paths"]) > 50
    with pytest.raises(urllib.error.HTTPError) as refused:
        _post(served, "/api/v1/answers", {"use_case": "trial", "txet": "hello"})
    with refused.value:
        problem = json.loads(refused.value.read())
    assert (problem["status"], problem["field"]) == (422, "$.txet")
    assert "did you mean `text`" in problem["title"]


def test_the_operator_finds_health_readiness_and_metrics(served: Served) -> None:
    assert _get(served, "/healthz") == "ok\n"
    assert _get(served, "/readyz") == "ready"
    assert "pilothouse_ledger_entries" in _get(served, "/metrics")


def _get(served: Served, path: str) -> str:
    with urllib.request.urlopen(served.address + path, timeout=30) as answer:
        return str(answer.read().decode())


def _post(served: Served, path: str, body: dict[str, Any]) -> str:
    sent = urllib.request.Request(served.address + path, data=json.dumps(body).encode(), headers={
        "authorization": f"Bearer {served.key}", "content-type": "application/json"})
    with urllib.request.urlopen(sent, timeout=60) as answer:
        return str(answer.read().decode())
