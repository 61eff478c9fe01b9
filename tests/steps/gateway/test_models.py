"""Every model driver keeps the contract; the OpenAI-protocol one survives what upstreams do."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from pilothouse.steps.gateway.contracts import Completion, Delta, ModelRoute, Parameters, Turn
from pilothouse.steps.gateway.drivers.extractive import NOTHING, SILENT, ExtractiveModel
from pilothouse.steps.gateway.drivers.openai_compatible import OpenAiModel, messages
from pilothouse.steps.gateway.drivers.opening import OpenModels
from pilothouse.steps.gateway.errors import ModelRefused, ModelUnavailable
from pilothouse.steps.gateway.ports import ChatModel
from pilothouse.testing.knowledge import BagEmbedder
from pilothouse.testing.models import EchoModel, ScriptedModel
from pilothouse.testing.suites.chat_model import CHECKS, Check, already, prompt, run_check
from pilothouse.testing.upstream import ANSWER, USAGE, Upstream, upstream


@asynccontextmanager
async def served(model: str = "ok", environ: dict[str, str] | None = None, **fields: object
                 ) -> AsyncIterator[tuple[OpenAiModel, Upstream]]:
    """Open the driver on a fresh upstream that behaves as `model` says."""
    async with upstream() as server:
        route: dict[str, Any] = {"name": "remote", "base_url": server.base_url, "upstream_model": model, **fields}
        driver = OpenAiModel(ModelRoute(**route), environ=environ if environ is not None else {})
        try:
            yield driver, server
        finally:
            await driver.close()


@asynccontextmanager
async def remote(model: str) -> AsyncIterator[ChatModel]:
    async with served(model) as (driver, _):
        yield driver


OPENERS: dict[str, Callable[[], object]] = {
    "extractive": lambda: already(ExtractiveModel()),
    "extractive with an embedder": lambda: already(ExtractiveModel(embedder=BagEmbedder())),
    "openai": lambda: remote("ok"), "openai split at every byte": lambda: remote("split"),
    "openai without usage": lambda: remote("silent"), "echo": lambda: already(EchoModel()),
    "scripted": lambda: already(ScriptedModel("The notice period is 32 days [1].")),
}


@pytest.mark.parametrize("name", OPENERS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_a_model_keeps_the_contract(name: str, check: Check) -> None:
    run_check(OPENERS[name], check)  # type: ignore[arg-type]


async def collected(driver: ChatModel) -> list[Delta]:
    async with aclosing(driver.stream(prompt(), Parameters())) as pieces:
        return [piece async for piece in pieces]


@pytest.mark.parametrize("model", ["ok", "split"])
def test_usage_and_text_arrive_however_the_stream_is_split(model: str) -> None:
    async def run() -> Completion | None:
        async with served(model) as (driver, _):
            return (await collected(driver))[-1].completion

    done = asyncio.run(run())
    assert done is not None
    assert (done.text, done.tokens_in, done.tokens_out, done.estimated_tokens) == (
        ANSWER, USAGE["prompt_tokens"], USAGE["completion_tokens"], False)


def test_tokens_are_marked_as_estimated_when_the_upstream_counts_none() -> None:
    async def run() -> tuple[Completion, Completion | None]:
        async with served("silent") as (driver, _):
            return await driver.complete(prompt(), Parameters()), (await collected(driver))[-1].completion

    whole, streamed = asyncio.run(run())
    assert streamed is not None
    assert whole.estimated_tokens
    assert streamed.estimated_tokens


@pytest.mark.parametrize(("model", "way"), [
    *((model, way) for model in ("limited", "broken", "garbage") for way in ("complete", "stream")),
    ("drops", "stream"), ("unfinished", "stream"), ("fails", "stream")])
def test_what_may_pass_is_unavailable(model: str, way: str) -> None:
    async def run() -> object:
        async with served(model) as (driver, _):
            if way == "stream":
                return await collected(driver)
            return await driver.complete(prompt(), Parameters())

    with pytest.raises(ModelUnavailable):
        asyncio.run(run())


@pytest.mark.parametrize("model", ["refuses", "locked", "moved"])
def test_a_refusal_says_what_to_check_and_repeats_no_secret(model: str) -> None:
    async def run() -> None:
        async with served(model) as (driver, _):
            await driver.complete(prompt(), Parameters())

    with pytest.raises(ModelRefused) as refused:
        asyncio.run(run())
    assert "model name and key" in refused.value.message
    assert "sk-secret" not in f"{refused.value.message} {refused.value.facts}"


def test_a_slow_upstream_is_unavailable_after_the_routes_time() -> None:
    async def run() -> None:
        async with served("slow", timeout_s=0.1) as (driver, server):
            with pytest.raises(ModelUnavailable):
                await driver.complete(prompt(), Parameters())
            await asyncio.wait_for(server.cancelled.wait(), 5)

    asyncio.run(run())


def test_nobody_listening_is_unavailable() -> None:
    async def run() -> None:
        driver = OpenAiModel(ModelRoute(name="gone", base_url="http://127.0.0.1:9", timeout_s=2))
        with pytest.raises(ModelUnavailable):
            await driver.complete(prompt(), Parameters())
        await driver.close()

    asyncio.run(run())


def test_the_upstream_is_cancelled_when_its_reader_leaves() -> None:
    async def run() -> None:
        async with served("endless") as (driver, server):
            async with aclosing(driver.stream(prompt(), Parameters())) as pieces:
                assert (await anext(pieces)).text
                assert not server.cancelled.is_set()
            await asyncio.wait_for(server.cancelled.wait(), 5)

    asyncio.run(run())


def test_connections_are_kept_and_the_key_is_read_at_each_call() -> None:
    environ = {"GATEWAY_TEST_KEY": ""}

    async def run() -> Upstream:
        async with served("ok", environ, key_env="GATEWAY_TEST_KEY") as (driver, server):
            for key in ("", "sk-one", "sk-two"):
                environ["GATEWAY_TEST_KEY"] = key
                await driver.complete(prompt(), Parameters(temperature=0.5, stop=("END",)))
            return server

    server = asyncio.run(run())
    assert server.keys == ["", "Bearer sk-one", "Bearer sk-two"]
    assert len(server.connections) == 1
    body = server.bodies[0]
    assert (body["temperature"], body["stop"]) == (0.5, ["END"])
    assert "max_tokens" not in body
    assert "stream" not in body


def test_a_prompt_is_laid_out_in_the_order_models_expect() -> None:
    laid = messages(prompt(turns=(Turn(role="user", text="Hello"), Turn(role="assistant", text="Hi"))))
    assert [m["role"] for m in laid] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert laid[-1]["content"] == (
        "Passages:\n\n[1] Notice savings > Terms\nThe notice period is 32 days. The fee is 12 EUR.\n\n"
        "[2] Notice savings > Terms\nBranches open at 9:00 on weekdays.\n\nQuestion: How long is the notice period?")


def test_one_client_serves_a_route_until_the_route_changes() -> None:
    models = OpenModels(extractive=ExtractiveModel())
    route = ModelRoute(name="remote", base_url="http://127.0.0.1:9")
    assert models.open(route) is models.open(ModelRoute(name="remote", base_url="http://127.0.0.1:9"))
    assert models.open(route) is not models.open(ModelRoute(name="remote", base_url="http://127.0.0.1:10"))
    asyncio.run(models.close())


def test_the_extractive_model_quotes_and_cites_and_orders() -> None:
    done = ExtractiveModel().answer(prompt(
        "What is the notice period and the fee of notice savings?", "Branches open at nine.",
        "Savings are simple. The notice period is 32 days. The fee is 12 EUR a year."))
    assert done.answered
    assert "The notice period is 32 days. [2]" in done.text
    assert done.text.index("32 days") < done.text.index("12 EUR")


@pytest.mark.parametrize("embedder", [None, BagEmbedder()])
def test_the_extractive_model_says_plainly_when_the_sources_do_not_answer(embedder: BagEmbedder | None) -> None:
    model = ExtractiveModel(embedder=embedder)
    done = model.answer(prompt("Who won the chess olympiad?"))
    assert (done.answered, done.text) == (False, SILENT)
    bare = replace(prompt(), passages=())
    assert model.answer(bare).text == NOTHING


def test_a_short_follow_up_borrows_the_words_of_the_question_before() -> None:
    texts = ("Remote work in Germany is allowed for 20 days a year.", "Remote work in France is allowed for 10 days.")
    before = (Turn(role="user", text="How many remote work days are allowed?"), Turn(role="assistant", text="Where?"))
    alone = ExtractiveModel().answer(prompt("And in Germany?", *texts))
    after = ExtractiveModel().answer(prompt("And in Germany?", *texts, turns=before))
    assert "20 days" in after.text
    assert "20 days" not in alone.text or len(after.text) >= len(alone.text)


def test_a_year_that_no_source_mentions_weighs_against_an_answer() -> None:
    source = "Revenue for fiscal 2022 was 12 million EUR."
    known, unknown = (ExtractiveModel().answer(prompt(f"What was revenue in {year}?", source)) for year in (2022, 2019))
    assert known.answered
    assert known.text.startswith("Revenue for fiscal 2022")
    assert not unknown.answered
