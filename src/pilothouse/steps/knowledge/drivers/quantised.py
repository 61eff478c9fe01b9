"""Vectors as 8-bit integers, multiplied by onnxruntime's integer kernels: a first pass with a proven error bound."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pilothouse.steps.knowledge.drivers import onnx_writing as onnx

UINT8, INT32 = 2, 6
"""Element types of ONNX tensors that the writer does not name."""
LEVELS, MIDDLE = 63, 64
"""A query takes 7 bits, twice: kernels without wide accumulators would overflow on 8 unsigned bits by 8 signed ones."""
Vectors = npt.NDArray[np.float32]


class Segment:
    """Some vectors, quantised once. `scores` are off by at most `slack` times the query's length."""

    def __init__(self, vectors: Vectors) -> None:
        import onnxruntime

        plain = np.asarray(vectors, np.float32)
        self._scale = np.maximum(np.abs(plain).max(1) / 127, 1e-12).astype(np.float32)
        codes = np.rint(plain / self._scale[:, None]).astype(np.int8)
        lost = np.linalg.norm(plain - codes * self._scale[:, None], axis=1)
        self._kept = float(np.linalg.norm(codes * self._scale[:, None], axis=1).max(initial=0.0))
        self._lost, self._sums = float(lost.max(initial=0.0)), codes.sum(1, dtype=np.int32) * MIDDLE
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level, options.enable_cpu_mem_arena = 3, False
        graph = onnx.model(
            [onnx.node("MatMulInteger", ["query", "codes"], ["sums"])],
            [onnx.tensor("codes", np.ascontiguousarray(codes.T))],
            [onnx.value("query", UINT8, ("queries", plain.shape[1]))],
            [onnx.value("sums", INT32, ("queries", len(plain)))])
        self._session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def scores(self, query: "Query") -> Vectors:
        """Return the approximate inner product of each vector with the query."""
        coarse, fine = self._session.run(None, {"query": query.codes})[0] - self._sums
        found: Vectors = (coarse * query.steps[0] + fine * query.steps[1]) * self._scale
        return found

    def slack(self, query: "Query") -> float:
        """Return how far any score may be from the exact one.

        By the triangle and Cauchy-Schwarz inequalities: |q·v - q'·v'| <= |q| |v - v'| + |q - q'| |v'|; the last term
        is for rounding in float32.
        """
        return query.length * self._lost + query.lost * self._kept + 1e-6


class Query:
    """A query in two layers of 7 bits, the second holding what the first lost."""

    def __init__(self, vector: Vectors) -> None:
        step = max(float(np.abs(vector).max()) / LEVELS, 1e-12)
        coarse = np.rint(vector / step)
        rest = vector - coarse * step
        finer = max(float(np.abs(rest).max()) / LEVELS, 1e-12)
        fine = np.rint(rest / finer)
        self.steps = np.float32(step), np.float32(finer)
        self.codes = (np.stack([coarse, fine]) + MIDDLE).astype(np.uint8)
        self.length, self.lost = float(np.linalg.norm(vector)), float(np.linalg.norm(rest - fine * finer))
