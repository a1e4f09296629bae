"""Which ONNX files are refused before anything runs them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from adapters.onnx import guard
from adapters.onnx.guard import check_onnx
from adapters.onnx.session import OnnxModel
from aitrader.testing.model_samples import linear_onnx, words_onnx
from domain.common.errors import Invalid

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])


def model(*nodes: Any, weights: Any = (), opsets: Any = (("", 17),), **more: Any) -> ModelProto:
    graph = helper.make_graph(list(nodes), "g", [X], [Y], list(weights))
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets]
    return helper.make_model(graph, opset_imports=imports, ir_version=9, **more)


def refused(data: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        check_onnx(data)
    assert caught.value.code == "invalid_model"
    return caught.value.detail


ADD = helper.make_node("Add", ["x", "w"], ["y"])
WEIGHT = numpy_helper.from_array(np.ones(1, np.float32), "w")


def test_plain_models_may_be_loaded() -> None:
    for data in (linear_onnx(), words_onnx(), model(ADD, weights=[WEIGHT]).SerializeToString()):
        check_onnx(data)
        OnnxModel(data)


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a model", b"\x80\x04K\x01.", b"PK\x03\x04", b"\xff" * 100])
def test_garbage(data: bytes) -> None:
    refused(data)


def test_a_pickle() -> None:
    refused(pickle.dumps({"weights": [1.0, 2.0]}))


def test_a_file_that_was_cut_short() -> None:
    whole = linear_onnx()
    for end in range(0, len(whole) - 1, 7):
        try:
            check_onnx(whole[:end])
        except Invalid:
            continue
        # What still reads as a model must at least not be taken for a good one by the runtime.
        with pytest.raises(Invalid):
            OnnxModel(whole[:end])


@given(st.binary(max_size=400))
@example(b"\x3a\x00")
def test_any_bytes_are_refused_or_loaded_but_never_crash(data: bytes) -> None:
    try:
        check_onnx(data)
        OnnxModel(data)
    except Invalid:
        pass


def test_too_large_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_BYTES", 100)
    assert "more than 100" in refused(linear_onnx())


def test_too_many_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_NODES", 1)
    assert "2 nodes, more than 1" in refused(linear_onnx())


def test_no_graph() -> None:
    assert "no graph" in refused(ModelProto(ir_version=9).SerializeToString())
    assert "no graph" in refused(model().SerializeToString())


def external(path: str) -> Any:
    tensor = numpy_helper.from_array(np.ones(1, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=path)
    return tensor


@pytest.mark.parametrize("path", ["weights.bin", "/etc/passwd", "../../../../etc/passwd", "a/../../b"])
def test_weights_in_another_file(path: str) -> None:
    """CVE-2024-27318, CVE-2024-5187: paths of external data lead out of the folder."""
    assert "outside the file" in refused(model(ADD, weights=[external(path)]).SerializeToString())


def test_weights_of_a_constant_in_another_file(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["w"], value=external("/etc/passwd"))
    assert "outside the file" in refused(model(constant, ADD).SerializeToString())


def test_weights_of_a_list_of_tensors_in_another_file() -> None:
    node = helper.make_node("Add", ["x", "x"], ["y"])
    attribute = node.attribute.add(name="tensors", type=7)  # TENSORS
    attribute.tensors.append(external("/etc/passwd"))
    assert "outside the file" in refused(model(node).SerializeToString())


def test_sparse_weights() -> None:
    made = model(ADD)
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    places = numpy_helper.from_array(np.zeros(1, np.int64), "places")
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1]))
    assert "outside the file" in refused(made.SerializeToString())
    node = helper.make_node("Constant", [], ["w"], sparse_value=helper.make_sparse_tensor(values, places, [1]))
    assert "outside the file" in refused(model(node, ADD).SerializeToString())


def branch(name: str) -> Any:
    node = helper.make_node("Identity", ["x"], [name])
    return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])])


def test_graphs_inside_the_graph() -> None:
    condition = numpy_helper.from_array(np.array(True), "c")
    chooses = helper.make_node("If", ["c"], ["y"], then_branch=branch("a"), else_branch=branch("b"))
    assert "graphs inside" in refused(model(chooses, weights=[condition]).SerializeToString())
    loops = helper.make_node("Loop", ["", "", "x"], ["y"], body=branch("a"))
    assert "graphs inside" in refused(model(loops).SerializeToString())


def test_a_graph_in_an_attribute_that_says_it_is_a_number() -> None:
    node = helper.make_node("Neg", ["x"], ["y"])
    node.attribute.add(name="axis", type=2).g.CopyFrom(branch("a"))  # INT
    assert "graphs inside" in refused(model(node).SerializeToString())
    node = helper.make_node("Neg", ["x"], ["y"])
    node.attribute.add(name="axis", type=2).t.CopyFrom(external("/etc/passwd"))
    assert "outside the file" in refused(model(node).SerializeToString())


def test_instructions_for_training() -> None:
    made = model(ADD, weights=[WEIGHT])
    made.training_info.add().algorithm.CopyFrom(branch("a"))
    assert "graphs inside" in refused(made.SerializeToString())


def test_functions_of_its_own() -> None:
    opset = [helper.make_opsetid("", 17)]
    function = helper.make_function("mine", "f", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], opset)
    node = helper.make_node("f", ["x"], ["y"], domain="mine")
    assert "functions" in refused(model(node, functions=[function]).SerializeToString())


@pytest.mark.parametrize("domain", ["mine", "com.example.ops", "ai.onnx.preview.training", "ai.onnx.contrib"])
def test_operators_of_others(domain: str) -> None:
    node = helper.make_node("Op", ["x"], ["y"], domain=domain)
    assert f"operators of {domain}" in refused(model(node).SerializeToString())
    plain = helper.make_node("Neg", ["x"], ["y"])
    assert f"operators of {domain}" in refused(model(plain, opsets=(("", 17), (domain, 1))).SerializeToString())


def test_an_operator_that_the_runtime_does_not_know() -> None:
    data = model(helper.make_node("NoSuchOperator", ["x"], ["y"])).SerializeToString()
    check_onnx(data)
    with pytest.raises(Invalid, match="cannot be loaded"):
        OnnxModel(data)


def test_a_kind_of_tensor_that_nobody_can_send() -> None:
    half = helper.make_tensor_value_info("x", TensorProto.FLOAT16, [1])
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [half], [half])
    graph.output[0].name = "y"
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    with pytest.raises(Invalid, match=r"x is a tensor\(float16\)"):
        OnnxModel(data)
