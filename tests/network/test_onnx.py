"""ONNX files as functions of JAX: every operation against onnxruntime."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cem_jax as cem

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

C, H, W = 4, 6, 8


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def whole(*numbers: int) -> np.ndarray:
    return np.asarray(numbers, np.int64)


def floats(*numbers: float) -> np.ndarray:
    return np.asarray(numbers, np.float32)


EMPTY = floats()
PLACES = np.asarray([1, -1]).reshape(1, 1, 2, 1) * np.ones((1, C, 1, W), np.int64)
SAME = (
    "Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Identity", "Neg", "Relu", "Round", "Sigmoid",
    "Sign", "Sin", "Softplus", "Tanh", "HardSwish", "Elu", "LeakyRelu", "HardSigmoid",
    "GlobalAveragePool", "GlobalMaxPool", "Dropout", "Softmax", "LogSoftmax",
)  # fmt: skip
CASES: list[tuple[str, list[np.ndarray], dict]] = [
    *((name, [], {}) for name in SAME),
    *((name, [values(C, 1, 1)], {}) for name in ("Add", "Sub", "Mul", "Max", "Min", "PRelu")),
    ("Div", [np.abs(values(W)) + 1], {}),
    ("Pow", [floats(2)], {}),
    ("Clip", [np.float32(-0.5), np.float32(0.5)], {}),
    ("Elu", [], {"alpha": 0.5}),
    ("LeakyRelu", [], {"alpha": 0.2}),
    ("HardSigmoid", [], {"alpha": 0.1, "beta": 0.4}),
    ("Softmax", [], {"axis": 1}),
    ("Conv", [values(5, C, 3, 3), values(5)], {"pads": [1] * 4}),
    ("Conv", [values(C, 1, 3, 3)], {"pads": [0, 1, 2, 1], "group": C, "strides": [2, 1]}),
    ("Conv", [values(6, 2, 3, 3)], {"dilations": [1, 2], "group": 2}),
    ("ConvTranspose", [values(C, 3, 4, 4), values(3)], {"pads": [1] * 4, "strides": [2, 2]}),
    ("ConvTranspose", [values(C, 3, 3, 3)], {"strides": [2, 2], "output_padding": [1, 1]}),
    ("MaxPool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 0, 1], "strides": [2, 1]}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1] * 4, "strides": [2, 2]}),
    ("AveragePool", [], {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1], "count_include_pad": 1}),
    ("BatchNormalization", [values(C), values(C + 0), values(C), np.abs(values(C)) + 1], {}),
    ("InstanceNormalization", [values(C), values(C)], {}),
    ("LayerNormalization", [values(W), values(W)], {}),
    ("LayerNormalization", [values(H, W)], {"axis": 2}),
    ("MatMul", [values(W, 5)], {}),
    ("MatMul", [values(1, C, W, 5)], {}),
    ("Concat", [values(1, 2, H, W)], {"axis": 1}),
    ("Slice", [whole(1, -2), whole(4, -9), whole(2, 3), whole(1, -2)], {}),
    ("Gather", [np.asarray([[3, 0], [1, 1]]).reshape(-1)], {"axis": 1}),
    ("Reshape", [whole(0, 2, -1, W)], {}),
    ("Transpose", [], {"perm": [0, 2, 3, 1]}),
    ("Expand", [whole(1, 1, H, W)], {}),
    ("Tile", [whole(1, 2, 1, 3)], {}),
    ("Pad", [whole(0, 0, 1, 2, 0, 1, 0, 3), np.float32(0.5)], {}),
    ("Pad", [whole(0, 0, 1, 2, 0, 0, 0, 3)], {"mode": "reflect"}),
    ("Pad", [whole(0, 0, 1, 2, 0, 0, 0, 3)], {"mode": "edge"}),
    ("DepthToSpace", [], {"blocksize": 2}),
    ("DepthToSpace", [], {"blocksize": 2, "mode": "CRD"}),
    ("SpaceToDepth", [], {"blocksize": 2}),
    ("ReduceMean", [], {"axes": [1]}),
    ("ReduceMax", [], {"axes": [2, 3]}),
    ("ReduceMin", [], {"axes": [-1]}),
    ("ReduceL2", [], {"axes": [1]}),
    ("ReduceProd", [], {"axes": [3]}),
    ("ReduceSum", [whole(1)], {}),
    ("Resize", [EMPTY, floats(1, 1, 2, 2)], {
        "mode": "nearest", "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor"}),
    *(("Resize", [EMPTY, EMPTY, whole(1, C, 9, 16)], {
        "mode": mode, "coordinate_transformation_mode": places})
      for mode in ("linear", "cubic") for places in ("align_corners", "half_pixel")),
    *(("Resize", [EMPTY, floats(1, 1, factor, factor)], {
        "mode": mode, "coordinate_transformation_mode": "pytorch_half_pixel"})
      for mode in ("linear", "cubic") for factor in (1.3, 0.7, 2.4)),
    ("Resize", [EMPTY, floats(1, 1, 1.4, 0.7)], {
        "mode": "nearest", "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor"}),
    ("Cast", [], {"to": 1}),
    ("Selu", [], {}),
    ("Selu", [], {"alpha": 1.5, "gamma": 0.9}),
    ("Celu", [], {"alpha": 0.7}),
    ("Trilu", [], {}),
    ("Trilu", [whole(-1).reshape(())], {"upper": 0}),
    ("Einsum", [values(C, 5)], {"equation": "nchw, cd -> ndhw"}),
    ("Einsum", [values(1, C, W, 5)], {"equation": "...hw,...wk"}),
    *(("GridSample", [np.tanh(values(1, 5, 7, 2)) * np.float32(1.2)], {
        "mode": mode, "padding_mode": padding, "align_corners": aligned})
      for mode in ("bilinear", "nearest", "bicubic") for aligned in (0, 1)
      for padding in ("zeros", "border", "reflection")),
    ("GatherND", [np.asarray([[[0, 1], [0, -1]]])], {}),
    ("GatherND", [np.asarray([[[2], [-1]]])], {"batch_dims": 1}),
    *(("CumSum", [whole(axis).reshape(())], {"exclusive": exclusive, "reverse": reverse})
      for axis, exclusive, reverse in ((1, 0, 0), (-1, 1, 0), (2, 0, 1), (3, 1, 1))),
    ("Mod", [floats(0.3)], {"fmod": 1}),
    ("GatherElements", [whole(*range(-4, 4)).repeat(H).reshape(1, 1, H, 8)], {"axis": 3}),
    ("ScatterElements", [PLACES, values(1, C, 2, 8)], {"axis": 2}),
    ("ScatterElements", [PLACES, values(1, C, 2, 8)], {"axis": 2, "reduction": "add"}),
    *(("ScatterND", [np.asarray([[0, 1, 2], [0, 3, -1]]), values(2, W)], {"reduction": kind})
      for kind in ("none", "add", "mul")),
]  # fmt: skip


def written(
    path: Path, nodes, held: dict[str, np.ndarray], batch=1, sides=(H, W), opset=17
) -> Path:
    helper, arrays = onnx.helper, onnx.numpy_helper
    ends = [helper.make_tensor_value_info(key, 1, [batch, C, *sides]) for key in "x"]
    out = [helper.make_tensor_value_info("y", 1, [batch, None, None, None])]
    initial = [arrays.from_array(np.array(v, order="C"), key) for key, v in held.items()]
    graph = helper.make_graph(nodes, "graph", ends, out, initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, path)
    return path


def of_onnxruntime(network: cem.Network, x: np.ndarray) -> np.ndarray:
    assert network.reference is not None
    return np.asarray(network.reference(None, jnp.asarray(x)))


@pytest.mark.parametrize(
    ("name", "inputs", "attributes"), CASES, ids=[f"{k}-{case[0]}" for k, case in enumerate(CASES)]
)
def test_every_operation_is_onnxruntimes(name, inputs, attributes, tmp_path):
    held = {f"i{k}": value for k, value in enumerate(inputs)}
    names = ["" if value is EMPTY and name == "Resize" else key for key, value in held.items()]
    held = {key: value for key, value in held.items() if key in names}
    node = onnx.helper.make_node(name, ["x", *names], ["y"], **attributes)
    network = cem.wrap_onnx(written(tmp_path / "one.onnx", [node], held))
    assert not network.on_host, network.note
    x = np.asarray(values(1, H, W, C) * 0.9 + 0.05, np.float32)
    np.testing.assert_allclose(network(x), of_onnxruntime(network, x), rtol=2e-5, atol=2e-5)


def test_sizes_that_follow_from_the_images_own_are_known_while_tracing(tmp_path):
    """The flattening of an image and its way back, as torch's exporter writes it."""
    make = onnx.helper.make_node
    nodes = [
        make("Shape", ["x"], ["shape"]),
        make("Slice", ["shape", "zero", "two"], ["first"]),
        make("Concat", ["first", "minus"], ["flat"], axis=0),
        make("Reshape", ["x", "flat"], ["tokens"]),
        make("Transpose", ["tokens"], ["turned"], perm=[0, 2, 1]),
        make("MatMul", ["turned", "weight"], ["mixed"]),
        make("Unsqueeze", ["mixed", "zero"], ["more"]),
        make("Squeeze", ["more", "zero"], ["less"]),
        make("Transpose", ["less"], ["back"], perm=[0, 2, 1]),
        make("Reshape", ["back", "shape"], ["y"]),
    ]
    held = {"zero": whole(0), "two": whole(2), "minus": whole(-1), "weight": values(C, C)}
    network = cem.wrap_onnx(written(tmp_path / "tokens.onnx", nodes, held, "n", ("h", "w")))
    assert "host" not in network.note and set(network.params) == {"weight"}
    for shape in ((1, 5, 7, C), (3, 9, 4, C)):
        x = values(*shape)
        np.testing.assert_allclose(network(x), of_onnxruntime(network, x), rtol=1e-5, atol=1e-5)
        assert network.check(x) < 1e-5
    gradient = jax.grad(lambda params: jnp.sum(network.apply(params, x) ** 2))(network.params)
    assert np.abs(gradient["weight"]).min() > 0


def test_an_image_is_resized_to_the_side_that_float32_gives(tmp_path):
    """20 times 1.3 is 26, and less than 26 with what float32 makes of 1.3."""
    attributes = {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}
    node = onnx.helper.make_node("Resize", ["x", "", "i0"], ["y"], **attributes)
    path = written(tmp_path / "r.onnx", [node], {"i0": floats(1, 1, 1.3, 0.7)}, sides=(20, 30))
    network = cem.wrap_onnx(path)
    x = values(1, 20, 30, C)
    found = np.asarray(network(x))
    assert not network.on_host and found.shape == (1, 26, 21, C)
    np.testing.assert_allclose(found, of_onnxruntime(network, x), atol=1e-5)


PLACED: list[tuple[str, list[np.ndarray], dict, int]] = [
    *((name, [], {"axis": axis, "select_last_index": last}, 0)
      for name in ("ArgMax", "ArgMin") for axis, last in ((1, 0), (-1, 1), (0, 0))),
    *(("TopK", [whole(3)], {"axis": axis, "largest": largest}, output)
      for axis, largest in ((1, 1), (-1, 0)) for output in (0, 1)),
    ("Cast", [], {"to": 2}, 0),
    ("Cast", [], {"to": 5}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "inputs", "attributes", "output"), PLACED)
def test_whole_numbers_of_an_image_are_onnxruntimes(name, inputs, attributes, output, tmp_path):
    make = onnx.helper.make_node
    held = {f"i{k}": value for k, value in enumerate(inputs)}
    results = ["a", "b"] if name == "TopK" else ["a"]
    nodes = [
        make("Mul", ["x", "nine"], ["scaled"]),
        make("Abs", ["scaled"], ["above"]),
        make(name, ["above", *held], results, **attributes),
        make("Cast", [results[output]], ["y"], to=1),
    ]
    path = written(tmp_path / "whole.onnx", nodes, held | {"nine": floats(9)})
    network = cem.wrap_onnx(path)
    x = values(1, H, W, C)
    assert not network.on_host, network.note
    np.testing.assert_allclose(network(x), of_onnxruntime(network, x), rtol=2e-5)


@pytest.mark.parametrize("axis", [1, -1])
def test_classes_of_an_image_are_onnxruntimes(axis, tmp_path):
    make = onnx.helper.make_node
    nodes = [
        make("ArgMax", ["x"], ["largest"], axis=1, keepdims=0),
        make("Sub", ["largest", "two"], ["signed"]),  # negative ones count from the end
        make("OneHot", ["signed", "depth", "values"], ["y"], axis=axis),
    ]
    held = {"two": whole(2), "depth": whole(C), "values": floats(-1, 2)}
    network = cem.wrap_onnx(written(tmp_path / "classes.onnx", nodes, held))
    x = values(1, H, W, C)
    assert not network.on_host, network.note
    found = np.asarray(network(x))
    assert set(np.unique(found)) == {-1, 2}
    np.testing.assert_array_equal(found, of_onnxruntime(network, x))


def test_parts_without_sizes_are_equal(tmp_path):
    make = onnx.helper.make_node
    nodes = [make("Split", ["x"], ["a", "b"], axis=1), make("Sub", ["a", "b"], ["y"])]
    network = cem.wrap_onnx(written(tmp_path / "split.onnx", nodes, {}))
    x = values(1, H, W, C)
    assert not network.on_host
    np.testing.assert_allclose(network(x), x[..., : C // 2] - x[..., C // 2 :], atol=1e-6)


TRAINING = {"ratio": np.float32(0.5), "training": np.asarray(True)}
LEFT = [
    ("ConvTranspose", ["x", "k"], {"k": values(C, 3, 3, 3)}, {
        "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("Resize", ["x", "", "", "s"], {"s": whole(9, 9)}, {
        "mode": "linear", "axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "inputs", "held", "attributes"), LEFT)
def test_what_an_attribute_changes_is_never_left_out(name, inputs, held, attributes, tmp_path):
    node = onnx.helper.make_node(name, inputs, ["y"], **attributes)
    path = written(tmp_path / "one.onnx", [node], held, opset=18)
    network = cem.wrap_onnx(path)
    x = values(1, H, W, C)
    np.testing.assert_allclose(network(x), of_onnxruntime(network, x), atol=1e-5)


def test_a_file_in_training_mode_is_refused(tmp_path):
    node = onnx.helper.make_node("Dropout", ["x", "ratio", "training"], ["y"])
    network = cem.wrap_onnx(written(tmp_path / "drop.onnx", [node], TRAINING))
    with pytest.raises(ValueError, match=r"network=drop.*changes from call to call.*dropout"):
        network(values(1, H, W, C))


def test_a_file_with_another_operation_is_run_by_onnxruntime(tmp_path):
    node = onnx.helper.make_node("ThresholdedRelu", ["x"], ["y"], alpha=0.3)
    network = cem.wrap_onnx(written(tmp_path / "other.onnx", [node], {}))
    assert network.on_host and "host" in network.note and "ThresholdedRelu" in network.note
    x = values(2, H, W, C)
    np.testing.assert_allclose(network(x), np.where(x > 0.3, x, 0), atol=1e-6)
    assert network.check(x) is None


def test_the_original_of_a_file_is_run_by_onnxruntime(tmp_path):
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    network = cem.wrap_onnx(written(tmp_path / "relu.onnx", [node], {}), size_multiple=2)
    own = network.original()
    assert not network.on_host and own.on_host and "onnxruntime runs on the host" in own.note
    x = values(1, H, W, C)
    np.testing.assert_array_equal(own(x), np.maximum(x, 0))
