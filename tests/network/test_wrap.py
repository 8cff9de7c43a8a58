"""Functions as networks: images of any size, crops on the function's own grid, bad arguments."""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import cem_jax as cem


class Sides(nnx.Module):
    """Doubles an image, and tells the sides that it was given by a shift."""

    def __call__(self, x):
        doubled = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
        return doubled + 100 * x.shape[1] + 10000 * x.shape[2]


def window_means(x):
    """Every pixel of a window of 4 x 4 becomes its mean; takes multiples of 4 alone."""
    n, h, w, c = x.shape
    means = x.reshape(n, h // 4, 4, w // 4, 4, c).mean((2, 4))
    return 0.5 * x + 0.5 * means.repeat(4, 1).repeat(4, 2)


def test_sides_that_a_function_does_not_take_are_padded_by_reflection_and_cut_back():
    network = cem.wrap(Sides(), scale=2, size_multiple=4)
    for (h, w), (full_h, full_w) in {(3, 9): (4, 12), (8, 12): (8, 12), (1, 6): (4, 8)}.items():
        levels = np.random.default_rng(0).integers(0, 64, (2, h, w, 3))
        x = (levels / 64).astype(np.float32)  # all sums are exact, in any order
        want = x.repeat(2, 1).repeat(2, 2) + np.float32(100 * full_h + 10000 * full_w)
        np.testing.assert_array_equal(network(x), want)
    x = np.random.default_rng(0).random((1, 7, 4, 3), np.float32)
    reflected = np.pad(x, ((0, 0), (0, 1), (0, 0), (0, 0)), mode="reflect")
    found = cem.wrap(window_means, size_multiple=4)(x)
    np.testing.assert_array_equal(found, cem.wrap(window_means)(reflected)[:, :7])


def test_crops_of_a_function_with_windows_begin_on_its_grid():
    rng = np.random.default_rng(1)
    clean = rng.integers(0, 256, (30, 37, 3), np.uint8)
    scene = cem.Scene.denoising(clean, seed=3)
    blocks = [(row, column) for row in range(8) for column in range(10)]
    patches = rng.random((len(blocks), 4, 4, 3), np.float32)
    for roi in (cem.ROI(10, 13, 6, 5), cem.ROI(22, 30, 8, 7)):
        found, whole = (
            cem.outcomes(
                cem.wrap(window_means, size_multiple=4, receptive_radius=radius),
                scene, roi, blocks, patches, block=4,
            )
            for radius in (3, 37)
        )  # fmt: skip
        np.testing.assert_allclose(found, whole, atol=1e-4)
        assert len(set(np.round(np.asarray(found), 3).tolist())) > 4


@pytest.mark.parametrize("value", [0, -1, 2.5, None])
def test_a_bad_multiple_is_refused(value):
    with pytest.raises(ValueError, match=rf"size_multiple={value}"):
        cem.wrap(window_means, size_multiple=value)


def test_what_wrap_does_not_take_is_told_what_to_call():
    class Torch:
        __module__ = "torch.nn.modules.module"

    Torch.__qualname__ = "Module"
    with pytest.raises(ValueError, match=r"fn=Torch.*wrap_torch"):
        cem.wrap(Torch())
    with pytest.raises(ValueError, match=r"fn=Dense.*wrap\(module\.apply, params="):
        cem.wrap(linen.Dense(3))
    with pytest.raises(ValueError, match=r"fn=numpys.*jax\.numpy"):
        cem.wrap(numpys)
    with pytest.raises(ValueError, match=r"fn=numpys.*jax\.numpy"):
        cem.wrap(lambda params, x: numpys(x), params=0, name="numpys")
    with pytest.raises(ValueError, match=r"fn=branches.*values"):
        cem.wrap(branches)
    with pytest.raises(ValueError, match=r"fn=Dense: a class"):
        cem.wrap(linen.Dense)
    with pytest.raises(
        ValueError, match=r"fn=numpys: expected a function f\(params, x\), has \(x\)"
    ):
        cem.wrap(numpys, params=0)
    with pytest.raises(ValueError, match=r"expected a function f\(x\), has \(\)"):
        cem.wrap(lambda: numpys)


def test_functions_and_methods_of_torch_are_told_what_to_call():
    torch = pytest.importorskip("torch")
    module = torch.nn.Conv2d(3, 3, 1)
    for fn in (torch.relu, lambda x: module(x), lambda x: torch.clamp(x, 0, 1), module.forward):
        with pytest.raises(ValueError, match=r"^fn=.*wrap_torch\(module\)"):
            cem.wrap(fn)
    assert cem.wrap(linen.Dense(3).apply, params={}).name == "apply"


@pytest.mark.parametrize("method", ["permute", "unsqueeze", "detach"])
def test_methods_that_only_torch_has_are_told_what_to_call(method):
    with pytest.raises(ValueError, match=rf"fn=own: .*no attribute {method}\).*wrap_torch\(module"):
        cem.wrap(lambda x: getattr(x, method)(0), name="own")


def numpys(x):
    return np.clip(np.array(x), 0, 1)


def branches(x):
    return x if x.sum() > 0 else -x


def test_functions_of_other_channels_and_sides_than_three_by_32_are_taken():
    grey = cem.wrap(lambda x: x.reshape(x.shape[0], 7, 5, 1))
    assert grey(np.zeros((2, 5, 7, 1), np.float32)).shape == (2, 7, 5, 1)


def test_modules_in_training_mode_are_refused_by_the_layer():
    class Trained(nnx.Module):
        def __init__(self):
            self.norm = nnx.BatchNorm(3, rngs=nnx.Rngs(0))
            self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return self.drop(self.norm(x))

    module = Trained()
    with pytest.raises(ValueError, match=r"fn=Trained.*(BatchNorm|Dropout).*training mode"):
        cem.wrap(module)
    module.norm.eval()
    with pytest.raises(ValueError, match=r"Dropout \(drop\)"):
        cem.wrap(module)
    module.eval()
    x = np.random.default_rng(0).random((2, 4, 5, 3), np.float32)
    np.testing.assert_allclose(cem.wrap(module)(x), x / np.sqrt(1 + 1e-5), rtol=1e-5)


@pytest.mark.parametrize(
    ("value", "call"),
    [("mine.pth", r"fn='mine.pth': a file; call cem_jax.load\(path"),
     (pathlib.Path("mine.ONNX"), r"a file; call cem_jax.wrap_onnx\(path"),
     ({"conv.weight": np.zeros(3)}, r"weights without a network.*call cem_jax.load\(path")],
)  # fmt: skip
def test_what_holds_a_network_but_is_none_is_told_what_to_call(value, call):
    with pytest.raises(ValueError, match=call):
        cem.wrap(value)


def test_programs_and_models_of_other_frameworks_are_told_what_to_call():
    torch, onnx = pytest.importorskip("torch"), pytest.importorskip("onnx")
    program = torch.export.export(torch.nn.ReLU(), (torch.zeros(1, 3, 8, 8),))
    for wrap in (cem.wrap, cem.wrap_torch):
        with pytest.raises(ValueError, match=r"call cem_jax.wrap_torch\(program.module\(\)"):
            wrap(program)
    network = cem.wrap_torch(program.module())
    np.testing.assert_array_equal(network(np.ones((2, 8, 8, 3), np.float32)), 1)
    assert not network.on_host
    with pytest.raises(ValueError, match=r"a model of ONNX.*wrap_onnx\(path"):
        cem.wrap(onnx.ModelProto())


def test_a_method_of_a_linen_module_needs_its_variables():
    with pytest.raises(ValueError, match=r"fn=Dense: a Linen module.*params=variables"):
        cem.wrap(linen.Dense(3).apply)


def test_a_network_needs_no_wrap():
    network = cem.wrap(lambda x: x, name="own")
    with pytest.raises(ValueError, match=r"fn=Network\(name='own'.*a Network already"):
        cem.wrap(network)


def into(x):
    x[0] = 0
    return x


def of_pillow(x):
    from PIL import Image

    return np.asarray(Image.fromarray(x))


@pytest.mark.parametrize("fn", [into, of_pillow])
def test_functions_that_treat_the_image_as_numpys_are_refused_at_once(fn):
    with pytest.raises(ValueError, match=rf"fn={fn.__name__}: expected a function of jax.numpy"):
        cem.wrap(fn)


def test_a_session_of_onnxruntime_is_told_what_to_call():
    class Session:
        __module__ = "onnxruntime.capi.onnxruntime_inference_collection"

    Session.__name__ = "InferenceSession"
    with pytest.raises(ValueError, match=r"a model of ONNX.*wrap_onnx\(path"):
        cem.wrap(Session())
