"""Just enough of ONNX's protobuf form to write a graph: varints, messages, tensors, nodes."""

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

FLOAT, INT8, INT64 = 1, 3, 7
_KINDS = {np.dtype(np.float32): FLOAT, np.dtype(np.int8): INT8, np.dtype(np.int64): INT64}
IR_VERSION, OPSET, MICROSOFT_OPSET = 8, 17, 1


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    return bytes((*out, value))


def number(field: int, value: int) -> bytes:
    """Write an integer field."""
    return _varint(field << 3) + _varint(value)


def data(field: int, value: "bytes | str") -> bytes:
    """Write a string, bytes or message field."""
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def tensor(name: str, array: "npt.NDArray[np.generic]") -> bytes:
    """Write a TensorProto with its values as raw bytes."""
    dims = b"".join(number(1, d) for d in array.shape)
    return dims + number(2, _KINDS[array.dtype]) + data(8, name) + data(9, np.ascontiguousarray(array).tobytes())


def node(kind: str, inputs: Iterable[str], outputs: Iterable[str], *, domain: str = "",
         attributes: Mapping[str, "int | float | list[int]"] | None = None) -> bytes:
    """Write a NodeProto."""
    body = b"".join(data(1, i) for i in inputs) + b"".join(data(2, o) for o in outputs) + data(4, kind)
    body += b"".join(data(5, _attribute(k, v)) for k, v in (attributes or {}).items())
    return body + (data(7, domain) if domain else b"")


def _attribute(name: str, value: "int | float | list[int]") -> bytes:
    if isinstance(value, list):
        return data(1, name) + b"".join(number(8, v) for v in value) + number(20, 7)
    if isinstance(value, float):
        return data(1, name) + _varint(2 << 3 | 5) + np.float32(value).tobytes() + number(20, 1)
    return data(1, name) + number(3, value) + number(20, 2)


def value(name: str, kind: int, dims: Iterable["str | int"]) -> bytes:
    """Write a ValueInfoProto; named dimensions are free."""
    shape = b"".join(data(1, data(2, d) if isinstance(d, str) else number(1, d)) for d in dims)
    return data(1, name) + data(2, data(1, number(1, kind) + data(2, shape)))


def model(nodes: Iterable[bytes], tensors: Iterable[bytes], inputs: Iterable[bytes], outputs: Iterable[bytes]) -> bytes:
    """Write a ModelProto over the standard and Microsoft operator sets."""
    graph = b"".join(data(1, n) for n in nodes) + data(2, "graph") + b"".join(data(5, t) for t in tensors)
    graph += b"".join(data(11, i) for i in inputs) + b"".join(data(12, o) for o in outputs)
    sets = data(8, data(1, "") + number(2, OPSET)) + data(8, data(1, "com.microsoft") + number(2, MICROSOFT_OPSET))
    return number(1, IR_VERSION) + data(2, "pilothouse") + data(7, graph) + sets
