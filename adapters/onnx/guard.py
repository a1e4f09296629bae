"""Which ONNX files may be loaded. A model file comes from somebody: it is data, and must not become more.

ONNX files have led to reading other files and to crashes (CVE-2024-27318, CVE-2024-5187): so nothing outside the file
is read, no graph inside a graph is run, and only operators of the standard sets are.
"""

from __future__ import annotations

from domain.common.errors import Invalid

MOST_BYTES = 512 << 20
MOST_NODES = 20_000
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}


def check_onnx(data: bytes) -> None:
    """Check that a file may be loaded.

    Raises:
        Invalid: it is too large, no ONNX file, refers to other files, or uses what is not allowed; it says what.
    """
    if len(data) > MOST_BYTES:
        raise _refused(f"it has {len(data)} bytes, more than {MOST_BYTES}")
    from google.protobuf.message import DecodeError
    from onnx import ModelProto, TensorProto

    try:
        model = ModelProto.FromString(data)
    except DecodeError:
        raise _refused("it is no ONNX file") from None
    graph = model.graph
    if not graph.node or not graph.output:
        raise _refused("it holds no graph")
    if model.functions:
        raise _refused("it defines functions of its own")
    if len(graph.node) > MOST_NODES:
        raise _refused(f"it has {len(graph.node)} nodes, more than {MOST_NODES}")
    foreign = {node.domain for node in graph.node} | {item.domain for item in model.opset_import}
    if foreign - _DOMAINS:
        raise _refused(f"it uses operators of {', '.join(sorted(foreign - _DOMAINS))}")
    # What an attribute holds counts, not what it says that it is.
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    if model.training_info or any(item.HasField("g") or item.graphs for item in attributes):
        raise _refused("it has graphs inside its graph")
    sparse = any(item.HasField("sparse_tensor") or item.sparse_tensors for item in attributes)
    tensors = [*graph.initializer, *(tensor for item in attributes for tensor in (item.t, *item.tensors))]
    outside = any(item.external_data or item.data_location == TensorProto.EXTERNAL for item in tensors)
    if sparse or graph.sparse_initializer or outside:
        raise _refused("it keeps weights outside the file, or sparse ones")


def _refused(reason: str) -> Invalid:
    return Invalid(f"the model cannot be loaded: {reason}", code="invalid_model")
