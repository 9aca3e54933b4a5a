"""Check that an ONNX file contains all its weights, without the `onnx` package.

A tensor may refer to another file (`external_data`), which ONNX Runtime would read. The runtime refuses such files.
Field numbers are those of onnx.proto (ONNX 1.x). In the wire format of Protocol Buffers a varint key
(field << 3 | type) precedes a varint, 8 bytes, a length-prefixed block or 4 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

# Message -> {field number: message of that field}, only the paths that lead to a tensor.
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_DEEPEST = 64


def has_external_data(model: bytes) -> bool:
    """Whether a tensor of the ONNX file `model` is stored in another file. Raises ValueError for other bytes."""
    return _scan(memoryview(model), "model", 0)


def _scan(block: memoryview, message: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise ValueError("graphs are nested too deeply")
    children = _CHILDREN[message]
    for field, value in _fields(block):
        if message == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value != 0)):
            return True
        child = children.get(field)
        if child is not None:
            if not isinstance(value, memoryview):
                raise ValueError(f"field {field} of {message} is not a message")
            if _scan(value, child, depth + 1):
                return True
    return False


def _fields(block: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Pairs (field number, varint or block) of one message; fixed-size numbers are blocks."""
    at = 0
    while at < len(block):
        key, at = _varint(block, at)
        kind = key & 7
        if kind == 0:
            number, at = _varint(block, at)
            yield key >> 3, number
            continue
        if kind == 2:
            size, at = _varint(block, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} is not used by ONNX")
        if at + size > len(block):
            raise ValueError("the file ends inside a field")
        yield key >> 3, block[at : at + size]
        at += size


def _varint(block: memoryview, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(block):
            raise ValueError("the file ends inside a number")
        byte = block[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a number is longer than 64 bits")
