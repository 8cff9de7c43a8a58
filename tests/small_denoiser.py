"""A denoiser of a few layers, as the files that users bring."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_small_denoiser(path: Path) -> None:
    """Weights of a DnCNN of three layers."""
    random, shapes = np.random.default_rng(0), [(6, 3), (6, 6), (3, 6)]
    tensors = {}
    for n, (out, into) in enumerate(shapes):
        kernel = random.normal(0, 0.1, (out, into, 3, 3))
        tensors[f"model.{2 * n}.weight"] = kernel.astype(np.float32)
        tensors[f"model.{2 * n}.bias"] = np.zeros(out, np.float32)
    save_file(tensors, path)


def onnx_file(onnx, weights, path: Path, batch: int | str = "batch", size=("h", "w")) -> Path:
    helper, arrays = onnx.helper, onnx.numpy_helper
    nodes, y = [], "x"
    for n, _ in enumerate(weights):
        last = n == len(weights) - 1
        nodes.append(helper.make_node("Conv", [y, f"k{n}", f"b{n}"], [f"c{n}"], pads=[1] * 4))
        if not last:
            nodes.append(helper.make_node("Relu", [f"c{n}"], [f"r{n}"]))
        y = f"c{n}" if last else f"r{n}"
    nodes.append(helper.make_node("Sub", ["x", y], ["restored"]))
    values = [
        (f"{kind}{n}", v)
        for n, pair in enumerate(weights)
        for kind, v in zip("kb", pair, strict=True)
    ]
    image = [helper.make_tensor_value_info(k, 1, [batch, 3, *size]) for k in ("x", "restored")]
    initial = [arrays.from_array(np.ascontiguousarray(value), key) for key, value in values]
    graph = helper.make_graph(nodes, "denoiser", image[:1], image[1:], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, path)
    return path
