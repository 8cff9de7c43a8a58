"""ONNX files as users have them: old ones, NHWC, grey, named instead of code; all against numpy."""

import numpy as np
import pytest

import cem_jax as cem
from cem_jax.network.factory import made_by

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

NCHW = ("n", 3, "h", "w")
WEIGHT = np.linspace(-1, 1, 9, dtype=np.float32).reshape(3, 3, 1, 1)


def written(path, shape=NCHW, *, weight=WEIGHT, opset=17, weights_are_inputs=False):
    """A 1 x 1 convolution."""
    h, kind = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [h.make_tensor_value_info("x", kind, shape)]
    if weights_are_inputs:  # as files were before version 4 of the format
        inputs.append(h.make_tensor_value_info("w", kind, weight.shape))
    graph = h.make_graph(
        [h.make_node("Conv", ["x", "w"], ["y"])], "g", inputs,
        [h.make_tensor_value_info("y", kind, shape)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )  # fmt: skip
    version = 3 if weights_are_inputs else 8
    onnx.save(
        h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=version), path
    )
    return path


def image(channels=3):
    return np.random.default_rng(0).random((2, 6, 5, channels), np.float32)


@pytest.mark.parametrize("name", ["net.onnx", "NET.ONNX"])
def test_a_file_is_named_instead_of_code(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / name)
    network = made_by(name, size_multiple=2)
    assert (network.name, network.anchor) == (name[:3], 2)
    assert network.source is not None and network.source.startswith(f"{name} sha256:")
    np.testing.assert_allclose(network(image()), image() @ WEIGHT[:, :, 0, 0].T, atol=1e-6)
    assert made_by(name, label="mine").name == "mine"


def test_a_file_that_is_none_is_told_with_the_factorys_name(tmp_path):
    (tmp_path / "net.onnx").write_text("no model")
    for name in ("net.onnx", "none.onnx"):
        with pytest.raises(ValueError, match=rf"^factory='.*{name}': path="):
            made_by(str(tmp_path / name))


@pytest.mark.parametrize("opset", [7, 9])
def test_old_operators_are_rewritten(opset, tmp_path):
    network = cem.wrap_onnx(written(tmp_path / "old.onnx", opset=opset, weights_are_inputs=True))
    assert not network.on_host and set(network.params) == {"w"}
    np.testing.assert_allclose(network(image()), image() @ WEIGHT[:, :, 0, 0].T, atol=1e-6)
    difference = network.check(image())
    assert difference is not None and difference < 1e-6


def test_old_operators_that_onnx_cannot_rewrite_run_on_the_host(tmp_path):
    # A file of version 3 whose weight is no input is none that onnx's converter reads.
    path = written(tmp_path / "old.onnx", opset=7)
    model = onnx.load(path)
    model.ir_version = 3
    onnx.save(model, path)
    network = cem.wrap_onnx(path)
    assert network.on_host and "operators of version 7" in network.note


@pytest.mark.parametrize("shape", [("n", "h", "w", 3), (1, 64, 48, 3), ("n", "h", "w", 1)])
def test_channels_at_the_end_are_refused(shape, tmp_path):
    h, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = h.make_graph(
        [h.make_node("Relu", ["x"], ["y"])], "g", [h.make_tensor_value_info("x", kind, shape)],
        [h.make_tensor_value_info("y", kind, shape)],
    )  # fmt: skip
    path = tmp_path / "nhwc.onnx"
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(ValueError, match=r"path=.*looks like NHWC; expected NCHW"):
        cem.wrap_onnx(path)


def test_a_grey_network_says_its_channels(tmp_path):
    weight = np.full((1, 1, 1, 1), 0.5, np.float32)
    network = cem.wrap_onnx(written(tmp_path / "grey.onnx", ("n", 1, "h", "w"), weight=weight))
    assert network.channels == 1
    clean = np.full((16, 16, 3), 0.5, np.float32)
    scene = cem.Scene.custom(clean, clean, lambda patch, y, x, key: patch)
    with pytest.raises(ValueError, match=r"takes images of 1 channels.*cem.to_grey"):
        cem.causal_effect_map(network, scene, cem.ROI(0, 0, 8, 8), progress=False)


def test_sides_that_a_file_does_not_take_are_told_in_one_message(tmp_path, capfd):
    h, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = h.make_graph(
        [h.make_node("Conv", ["x", "w"], ["a"], strides=[2, 2]),
         h.make_node("ConvTranspose", ["a", "w"], ["b"], strides=[2, 2]),
         h.make_node("Add", ["x", "b"], ["y"])],
        "g", [h.make_tensor_value_info("x", kind, NCHW)],
        [h.make_tensor_value_info("y", kind, NCHW)],
        [onnx.numpy_helper.from_array(np.ones((3, 3, 2, 2), np.float32), "w")],
    )  # fmt: skip
    path = tmp_path / "even.onnx"
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(ValueError, match="state size_multiple=2"):
        cem.wrap_onnx(path)(image())
    assert capfd.readouterr().err == ""
