"""A directory answers for one torch module or ONNX file: another of the same name is refused."""

import numpy as np
import pytest
from conftest import unchanged
from small_denoiser import onnx_file

import cem_jax as cem

torch = pytest.importorskip("torch")
ROI = cem.ROI(24, 32, 16, 16)


class Native(torch.nn.Module):
    """Becomes a function of JAX."""

    def __init__(self, seed=0, factor=0.1):
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.factor = torch.nn.Conv2d(3, 3, 3, padding=1), factor

    def forward(self, x):
        return (x + self.factor * self.conv(x)).clamp(0, 1)


class OnHost(Native):
    """Is called by way of the host."""

    def forward(self, x):
        return super().forward(x) + 0 * torch.histc(x).sum()


def made(network, clean, directory):
    scene = cem.Scene.custom(clean, clean, unchanged)
    return cem.causal_effect_map(
        network, scene, ROI, plan=cem.Fixed(1), progress=False, directory=directory
    )


@pytest.mark.parametrize("kind", [Native, OnHost])
@pytest.mark.parametrize("other", [{"seed": 1}, {"factor": 0.2}], ids=["weights", "number"])
def test_another_module_of_the_class_is_refused(kind, other, clean, tmp_path):
    first = made(cem.wrap_torch(kind(), name="net"), clean, tmp_path)
    assert ("host" in cem.wrap_torch(kind()).note) == (kind is OnHost)
    again = made(cem.wrap_torch(kind(), name="net"), clean, tmp_path)
    np.testing.assert_array_equal(again.values, first.values)
    with pytest.raises(ValueError, match=r"holds another sweep: .*(parameters|function) was"):
        made(cem.wrap_torch(kind(**other), name="net"), clean, tmp_path)


@pytest.mark.parametrize("size", [("h", "w"), (72, 88)], ids=["any size", "one size"])
def test_an_onnx_file_that_was_replaced_is_refused(size, clean, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    random = np.random.default_rng(0)
    weights = [
        (random.normal(0, 0.1, shape).astype(np.float32), np.zeros(shape[0], np.float32))
        for shape in ((4, 3, 3, 3), (3, 4, 3, 3))
    ]
    path, folder = tmp_path / "net.onnx", tmp_path / "sweep"
    first = made(cem.wrap_onnx(onnx_file(onnx, weights, path, size=size)), clean, folder)
    again = made(cem.wrap_onnx(onnx_file(onnx, weights, path, size=size)), clean, folder)
    np.testing.assert_array_equal(again.values, first.values)
    (kernel, bias), last = weights
    replaced = onnx_file(onnx, [(0.5 * kernel, bias), last], path, size=size)
    with pytest.raises(ValueError, match=r"holds another sweep: .*(parameters|function) was"):
        made(cem.wrap_onnx(replaced), clean, folder)
