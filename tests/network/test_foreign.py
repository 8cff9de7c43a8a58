"""Networks of any framework: the same network gives the same outcomes, whoever evaluates it."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from small_denoiser import onnx_file

import cem_jax as cem

RADIUS = cem.load("DnCNN-compact").receptive_radius


@pytest.fixture(scope="module")
def weights() -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernels in torch layout and biases of the bundled denoiser, layer by layer."""
    state = cem.to_torch(cem.load("DnCNN-compact"))
    layers = sorted({int(key.split(".")[1]) for key in state})
    return [(state[f"model.{n}.weight"], state[f"model.{n}.bias"]) for n in layers]


@pytest.fixture(scope="module")
def interventions():
    clean = cem.example_image("facade")[:64, :72]
    scene = cem.Scene.denoising(clean, sigma=50 / 255)
    rng = np.random.default_rng(3)
    blocks = rng.integers(0, (8, 9), (21, 2))
    patches = rng.random((21, 8, 8, 3), np.float32)
    return scene, cem.ROI(24, 32, 16, 16), blocks, patches


@pytest.fixture(scope="module")
def native(interventions) -> np.ndarray:
    return cem.outcomes(cem.load("DnCNN-compact"), *interventions)


def check(network: cem.Network, interventions, native) -> None:
    """Outcomes on two devices, in chunks whose last one is filled up, equal the native ones."""
    found = cem.outcomes(network, *interventions, chunk=8)
    np.testing.assert_allclose(found, native, atol=1e-4)


def convolve(x, kernel, bias):
    """A 3x3 convolution of NHWC images with a torch kernel."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "OIHW", "NHWC")
    ) + jnp.reshape(bias, (1, 1, 1, -1))


def test_a_function(weights, interventions, native):
    def denoise(params, x):
        *inner, last = params
        y = x
        for kernel, bias in inner:
            y = jax.nn.relu(convolve(y, kernel, bias))
        return x - convolve(y, *last)

    check(cem.wrap(denoise, params=weights, receptive_radius=RADIUS), interventions, native)


def test_an_nnx_module(weights, interventions, native):
    class Denoiser(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            sides = [kernel.shape[1::-1] for kernel, _ in weights]
            self.layers = nnx.List([nnx.Conv(*s, (3, 3), rngs=rngs) for s in sides])

        def __call__(self, x):
            y = x
            for layer in self.layers[:-1]:
                y = nnx.relu(layer(y))
            return x - self.layers[-1](y)

    module = Denoiser()
    for layer, (kernel, bias) in zip(module.layers, weights, strict=True):
        layer.kernel[...], layer.bias[...] = kernel.transpose(2, 3, 1, 0), bias
    check(cem.wrap(module, receptive_radius=RADIUS), interventions, native)


def test_a_linen_module(weights, interventions, native):
    class Denoiser(linen.Module):
        @linen.compact
        def __call__(self, x):
            y = x
            for kernel, _ in weights[:-1]:
                y = linen.relu(linen.Conv(len(kernel), (3, 3))(y))
            return x - linen.Conv(3, (3, 3))(y)

    params = {
        f"Conv_{n}": {"kernel": kernel.transpose(2, 3, 1, 0), "bias": bias}
        for n, (kernel, bias) in enumerate(weights)
    }
    network = cem.wrap(Denoiser().apply, params={"params": params}, receptive_radius=RADIUS)
    check(network, interventions, native)


def test_an_equinox_module(weights, interventions, native):
    eqx = pytest.importorskip("equinox")

    class Denoiser(eqx.Module):
        layers: list
        activation: object = jax.nn.relu

        def __init__(self):
            key = jax.random.key(0)
            self.layers = []
            for kernel, bias in weights:
                layer = eqx.nn.Conv2d(*kernel.shape[1::-1], 3, padding=1, key=key)
                values = (jnp.asarray(kernel), jnp.asarray(bias)[:, None, None])
                self.layers.append(eqx.tree_at(lambda c: (c.weight, c.bias), layer, values))

        def __call__(self, x):
            return jax.vmap(self.one, in_axes=0)(x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)

        def one(self, x):
            y = x
            for layer in self.layers[:-1]:
                y = self.activation(layer(y))
            return x - self.layers[-1](y)

    network = cem.wrap(Denoiser(), receptive_radius=RADIUS)
    assert network.name == "Denoiser"
    assert sum(leaf.size for leaf in jax.tree.leaves(network.params)) == sum(
        kernel.size + bias.size for kernel, bias in weights
    )
    check(network, interventions, native)


def torch_module(torch, weights):
    class Denoiser(torch.nn.Module):
        def __init__(self):
            super().__init__()
            layers = []
            for kernel, bias in weights:
                layer = torch.nn.Conv2d(*kernel.shape[1::-1], 3, padding=1)
                layer.weight.data, layer.bias.data = map(torch.tensor, (kernel, bias))
                layers += [layer, torch.nn.ReLU()]
            self.model = torch.nn.Sequential(*layers[:-1])
            self.unstable = torch.nn.Dropout(0.5)

        def forward(self, x):
            return self.unstable(x - self.model(x))

    return Denoiser()


def test_a_torch_module(weights, interventions, native):
    torch = pytest.importorskip("torch")
    module = torch_module(torch, weights)
    network = cem.wrap_torch(module, receptive_radius=RADIUS)
    assert network.name == "Denoiser" and network.scale == 1
    check(network, interventions, native)
    found = cem.causal_effect_map(network, *interventions[:2], plan=cem.Fixed(2), progress=False)
    wanted = cem.causal_effect_map(
        cem.load("DnCNN-compact"), *interventions[:2], plan=cem.Fixed(2), progress=False
    )
    np.testing.assert_allclose(found.effect, wanted.effect, atol=1e-4)


@pytest.mark.parametrize("batch", ["batch", 1])
def test_an_onnx_file(batch, weights, interventions, native, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    path = onnx_file(onnx, weights, tmp_path / "denoiser.onnx", batch)
    network = cem.wrap_onnx(path, receptive_radius=RADIUS)
    assert network.name == "denoiser"
    check(network, interventions, native)


def test_an_onnx_file_says_what_it_takes(weights, interventions, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    with pytest.raises(ValueError, match=r"missing\.onnx.*not a file"):
        cem.wrap_onnx(tmp_path / "missing.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"broken\.onnx.*cannot be read"):
        cem.wrap_onnx(tmp_path / "broken.onnx")
    fixed = onnx_file(onnx, weights, tmp_path / "fixed.onnx", size=(16, 16))
    with pytest.raises(ValueError, match=r"network=fixed.*\(64, 72, 3\)"):
        cem.outcomes(cem.wrap_onnx(fixed), *interventions)
    pairs = onnx_file(onnx, weights, tmp_path / "pairs.onnx", batch=2)
    with pytest.raises(ValueError, match=r"pairs\.onnx.*batch of 1"):
        cem.wrap_onnx(pairs)


def test_an_onnx_file_of_one_size_takes_smaller_images(weights, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    path = onnx_file(onnx, weights, tmp_path / "fixed.onnx", size=(16, 16))
    x = np.random.default_rng(0).random((2, 12, 15, 3), np.float32)
    native = cem.load("DnCNN-compact")
    wanted = cem.wrap(lambda x: native.apply(native.params, x), size_multiple=16)(x)
    found = cem.wrap_onnx(path, size_multiple=16)(x)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_torch_modules_enlarge_and_use_their_own_precision():
    torch = pytest.importorskip("torch")
    network = cem.wrap_torch(torch.nn.Upsample(scale_factor=4, mode="nearest"), scale=4, name="big")
    x = np.random.default_rng(0).random((3, 5, 7, 3), np.float32)
    np.testing.assert_array_equal(network(x), x.repeat(4, 1).repeat(4, 2))
    twice = torch.nn.Conv2d(3, 3, 1).double()
    y = cem.wrap_torch(twice)(x)
    assert y.dtype == jnp.float32 and y.shape == x.shape
    nested = jax.vmap(lambda x: network.apply(None, x))(jnp.stack([x, 1 - x]))
    np.testing.assert_array_equal(nested[1], network(1 - x))


def test_torch_modules_with_strides_take_images_of_any_size():
    torch = pytest.importorskip("torch")
    strided = torch.nn.Sequential(torch.nn.PixelUnshuffle(4), torch.nn.PixelShuffle(4))
    x = np.random.default_rng(0).random((2, 9, 14, 3), np.float32)
    with pytest.raises(ValueError, match=r"\(9, 14, 3\)"):
        cem.wrap_torch(strided)(x)
    network = cem.wrap_torch(strided, size_multiple=4, receptive_radius=3)
    assert network.anchor == 4
    np.testing.assert_array_equal(network(x), x)


def test_a_torch_module_cannot_change_the_input():
    torch = pytest.importorskip("torch")

    class InPlace(torch.nn.Module):
        def forward(self, x):
            return x.mul_(0)

    network = cem.wrap_torch(InPlace())
    x = jnp.ones((2, 4, 4, 1))
    both = jax.jit(lambda x: (y := x + 1, network.apply(None, y)))(x)
    np.testing.assert_array_equal(both[0], 2 * x)
    np.testing.assert_array_equal(both[1], 0 * x)


def test_torch_modules_that_do_not_fit_are_named(interventions):
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"module=function.*torch\.nn\.Module"):
        cem.wrap_torch(lambda x: x)
    with pytest.raises(ValueError, match="scale=0"):
        cem.wrap_torch(torch.nn.Identity(), scale=0)
    narrow = cem.wrap_torch(torch.nn.Conv2d(5, 3, 1), name="narrow")
    with pytest.raises(ValueError, match=r"network=narrow.*\(64, 72, 3\).*5 channels"):
        cem.outcomes(narrow, *interventions)
    valid = cem.wrap_torch(torch.nn.Conv2d(3, 3, 3), name="valid")
    with pytest.raises(ValueError, match=r"network=valid.*\(1, 62, 70, 3\)"):
        cem.outcomes(valid, *interventions)

    class Several(torch.nn.Module):
        def forward(self, x):
            return [x, x]

    with pytest.raises(ValueError, match=r"network=Several.*returned a list"):
        cem.wrap_torch(Several())(np.zeros((1, 4, 4, 3), np.float32))


def test_functions_that_cannot_be_hashed_are_refused():
    class Unhashable:
        __hash__ = None

        def __call__(self, x):
            return x

    with pytest.raises(ValueError, match=r"fn=Unhashable.*params="):
        cem.wrap(Unhashable())


def test_what_is_missing_is_named(monkeypatch):
    for module in ("torch", "onnxruntime"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"cem-jax\[torch\]"):
        cem.wrap_torch(None)
    with pytest.raises(ImportError, match=r"cem-jax\[onnx\]"):
        cem.wrap_onnx("model.onnx")


HANGING = """
import faulthandler; faulthandler.dump_traceback_later(100, exit=True)
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
import jax, numpy as np, cem_jax as cem, torch
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
torch.set_num_threads(1)
scene = cem.Scene.custom(*[np.full((512, 512, 3), v, np.float32) for v in (0.5, 0.25)])
network = cem.wrap_torch(torch.nn.Conv2d(3, 3, 3, padding=1))
patches = np.zeros((8 * jax.device_count(), 8, 8, 3), np.float32)
blocks = np.zeros((len(patches), 2), int)
values = cem.outcomes(network, scene, cem.ROI(0, 0, 8, 8), blocks, patches, chunk=4)
assert np.isfinite(values).all() and len(set(values.tolist())) == 1
"""


@pytest.mark.parametrize("devices", [2, 5])
def test_large_images_on_several_devices_do_not_hang(devices):
    """All threads of JAX wait in callbacks here; a copy made by one of them would never come."""
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-c", HANGING, str(devices)], capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr


PAGE = (Path(__file__).parents[2] / "docs" / "own-network.md").read_text()
BLOCKS = [part.split("```")[0] for part in PAGE.split("```python\n")[1:]]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_the_page_on_own_networks_runs_in_under_ten_lines(block, weights, tmp_path, monkeypatch):
    for name in ("equinox", "torch", "onnx"):
        if name in block:
            module = pytest.importorskip(name)
            if name == "onnx":
                pytest.importorskip("onnxruntime")
                onnx_file(module, weights, tmp_path / "denoiser.onnx")
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(block, found)
    x = np.random.default_rng(0).random((2, 9, 11, 3), np.float32)
    assert found["network"](x).shape == x.shape
    assert sum(bool(line.strip()) for line in block.splitlines()) < 10
