"""The local embedder against a plain float32 forward pass of our own, and the small one that tests use."""

import hashlib
import json
import threading
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import erf

from pilothouse.steps.knowledge.drivers import minilm
from pilothouse.steps.knowledge.drivers.minilm import HEADS, LAYERS, WIDTH, MiniLm, WeightsChanged, load
from pilothouse.testing.embedding import HashingEmbedder

Array = npt.NDArray[np.float32]
SPEC = find_spec(minilm.PACKAGE)
MODEL = Path(next(iter(SPEC.submodule_search_locations or ()), "")) / "model" if SPEC else Path()
needs_weights = pytest.mark.skipif(SPEC is None, reason="the package with the embedder's weights is not installed")
TEXTS = ("The notice period is 32 days.", "Customers give notice one month before they withdraw savings.",
         "Branches open at nine on weekdays.", "Wie lange ist die Kündigungsfrist?",
         "IBAN DE89 3704 0044 0532 0130 00",
         "A complaint is answered within fifteen working days, and the customer is told why if it takes longer. " * 12)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(home: Path) -> MiniLm:
    found = load(home)
    assert found is not None
    return found


def plain_forward(ids: Sequence[int]) -> Array:
    """Embed one text as the published model does, step by step in numpy. Source: Devlin et al., NAACL 2019."""
    w = minilm.read_safetensors((MODEL / "model.safetensors").read_bytes())

    def norm(x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        unit = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + 1e-12)
        return np.asarray(unit * w[f"{name}.weight"] + w[f"{name}.bias"], np.float32)

    def linear(x: Array, name: str) -> Array:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    kind, words = w["embeddings.token_type_embeddings.weight"][0], w["embeddings.word_embeddings.weight"][list(ids)]
    x = norm(words + w["embeddings.position_embeddings.weight"][:len(ids)] + kind, "embeddings.LayerNorm")
    for n in range(LAYERS):
        at = f"encoder.layer.{n}"
        q, k, v = (linear(x, f"{at}.attention.self.{p}").reshape(len(ids), HEADS, -1).swapaxes(0, 1)
                   for p in ("query", "key", "value"))
        scores = q @ k.swapaxes(1, 2) / np.sqrt(WIDTH / HEADS)
        share = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (share / share.sum(-1, keepdims=True) @ v).swapaxes(0, 1).reshape(len(ids), WIDTH)
        x = norm(linear(mixed, f"{at}.attention.output.dense") + x, f"{at}.attention.output.LayerNorm")
        inner = linear(x, f"{at}.intermediate.dense")
        x = norm(linear(inner * (1 + erf(inner / np.sqrt(2))) / 2, f"{at}.output.dense") + x, f"{at}.output.LayerNorm")
    pooled = x.mean(0)
    return np.asarray(pooled / np.linalg.norm(pooled), np.float32)


def token_ids(text: str) -> list[int]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    tokenizer.enable_truncation(minilm.TOKENS_MAX)
    tokenizer.no_padding()
    return list(tokenizer.encode(text).ids)


@needs_weights
def test_int8_vectors_stay_close_to_a_float32_forward_pass(model: MiniLm) -> None:
    made = model.embed(TEXTS)
    exact = np.stack([plain_forward(token_ids(t)) for t in TEXTS])
    assert (made * exact).sum(1).min() > 0.98
    assert np.abs(made @ made.T - exact @ exact.T).max() < 0.06


@needs_weights
def test_vectors_are_unit_long_and_meaning_counts(model: MiniLm) -> None:
    made = model.embed(TEXTS)
    assert made.dtype == np.float32
    assert made.shape == (len(TEXTS), model.dimensions)
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
    likeness = made @ made[0]
    assert likeness[1] > likeness[2] + 0.2


@needs_weights
def test_a_text_gets_its_vector_whatever_it_is_embedded_with(model: MiniLm) -> None:
    many = model.embed([*TEXTS, *TEXTS[::-1]] * 4)
    alone = np.concatenate([model.embed([t]) for t in TEXTS])
    # int8 ranges are drawn over a batch, so digits may differ, and no more than between int8 and float32
    assert (many[:len(TEXTS)] * alone).sum(1).min() > 0.98
    assert (many[-len(TEXTS):][::-1] * alone).sum(1).min() > 0.98


@needs_weights
def test_odd_texts_have_vectors_too(model: MiniLm) -> None:
    made = model.embed(["", " ", "\x00", "\ud83d", "🙂" * 2000, "a" * 100_000, "日本語", "\n\n"])
    assert np.isfinite(made).all()
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
    assert model.embed([]).shape == (0, WIDTH)


@needs_weights
def test_many_threads_embed_at_once(model: MiniLm) -> None:
    expected, found = model.embed(TEXTS[:3]), []

    def work() -> None:
        for _ in range(5):
            found.append(model.embed(TEXTS[:3]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 20
    assert all(np.allclose(f, expected, atol=1e-6) for f in found)


@needs_weights
def test_a_short_text_takes_milliseconds(model: MiniLm) -> None:
    took = []
    for n in range(30):
        started = time.perf_counter()
        model.embed([f"How long is the notice period of account {n}?"])
        took.append(time.perf_counter() - started)
    assert sorted(took)[len(took) // 2] < 0.03  # 3 ms alone on the reference machine; others may be using this one


@needs_weights
def test_the_graph_is_written_once_and_again_when_it_is_damaged(home: Path, model: MiniLm, tmp_path: Path) -> None:
    graph = home / minilm.GRAPH
    before = graph.stat().st_mtime_ns
    assert load(home) is not None
    assert graph.stat().st_mtime_ns == before
    torn = tmp_path / minilm.GRAPH
    torn.write_bytes(graph.read_bytes()[:1000])
    again = load(tmp_path)
    assert again is not None
    assert np.array_equal(again.embed(TEXTS[:2]), model.embed(TEXTS[:2]))
    assert [p.name for p in tmp_path.iterdir()] == [minilm.GRAPH]


@needs_weights
def test_the_graph_is_the_same_bytes_every_time(home: Path, model: MiniLm, tmp_path: Path) -> None:
    minilm.write_graph(MODEL / "model.safetensors", tmp_path / "again.onnx")
    one, other = ((p / n).read_bytes() for p, n in ((home, minilm.GRAPH), (tmp_path, "again.onnx")))
    assert hashlib.sha256(one).digest() == hashlib.sha256(other).digest()


def test_other_weights_are_refused(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(WeightsChanged, match="reinstall"):
        minilm.write_graph(tmp_path / "model.safetensors", tmp_path / "graph.onnx")
    assert not (tmp_path / "graph.onnx").exists()


def test_the_embedder_of_tests_is_fast_and_tells_texts_apart() -> None:
    embedder = HashingEmbedder()
    texts = ["The notice period is 32 days", "How long is the notice period?", "Branches open at nine", "", "…"]
    made = embedder.embed(texts)
    assert made.shape == (5, embedder.dimensions)
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
    assert made[0] @ made[1] > made[0] @ made[2] + 0.2
    assert np.array_equal(made, HashingEmbedder().embed(texts))
