"""Public layouts of a network's weights: each is the same network, whatever code wrote it."""

import re

import jax
import numpy as np
import pytest
import zoo
from parity_formula import image

import cem_jax as cem

X = image(8, 10)[None]


def bare(network: str) -> dict[str, np.ndarray]:
    return zoo.state_dict(network, zoo.small(network))


def renamed(state, *pairs):
    """The state dict with keys rewritten by (pattern, replacement)."""
    found = {}
    for key, value in state.items():
        for pattern, replacement in pairs:
            key = re.sub(pattern, replacement, key)
        found[key] = value
    return found


def old_esrgan(state):
    return renamed(
        state,
        (r"^conv_first", "model.0"),
        (r"^body\.(\d+)\.rdb(\d)\.(conv\d)", r"model.1.sub.\1.RDB\2.\3.0"),
        (r"^conv_body", "model.1.sub.2"),
        (r"^conv_up1", "model.3"), (r"^conv_up2", "model.6"),
        (r"^conv_hr", "model.8"), (r"^conv_last", "model.10"),
    )  # fmt: skip


def new_esrgan(state):
    return renamed(
        state,
        (r"^body\.(\d+)\.rdb(\d)", r"RRDB_trunk.\1.RDB\2"), (r"^conv_body", "trunk_conv"),
        (r"^conv_up", "upconv"), (r"^conv_hr", "HRconv"),
    )  # fmt: skip


@pytest.mark.parametrize("layout", [old_esrgan, new_esrgan])
def test_both_earlier_layouts_of_esrgan_are_the_network(layout):
    state = bare("RRDBNet")
    found = cem.from_torch("RRDBNet", layout(state))
    np.testing.assert_array_equal(found(X), cem.from_torch("RRDBNet", state)(X))
    assert cem.models.choose(layout(state)) == "RRDBNet"


@pytest.mark.parametrize(("unshuffle", "scale"), [(2, 2), (4, 1)])
def test_esrgan_behind_a_pixel_unshuffle_has_a_smaller_scale(unshuffle, scale):
    config = {**zoo.small("RRDBNet"), "unshuffle": unshuffle}
    state = zoo.state_dict("RRDBNet", config)
    assert state["conv_first.weight"].shape[1] == 3 * unshuffle**2
    network = cem.from_torch("RRDBNet", state)
    assert (network.scale, network.channels, network.anchor) == (scale, 3, unshuffle)
    # A plain network of the same weights sees the pixels of a cell as channels of one pixel; it
    # returns as many channels as it takes, so that it is not taken for one with an unshuffle.
    width = 10 // unshuffle * unshuffle
    whole = X[:, :, :width]
    cells = whole.reshape(1, 8 // unshuffle, unshuffle, width // unshuffle, unshuffle, 3)
    cells = cells.transpose(0, 1, 3, 5, 2, 4)
    last = {
        key: np.concatenate([state[key]] * unshuffle**2)
        for key in ("conv_last.weight", "conv_last.bias")
    }
    plain = cem.from_torch("RRDBNet", {**state, **last})
    assert plain.scale == 4
    want = plain(cells.reshape(*cells.shape[:3], -1))[..., :3]
    np.testing.assert_allclose(network(whole), want, atol=1e-5)
    odd = network(X[:, :7, :9])
    assert odd.shape == (1, 7 * scale, 9 * scale, 3)
    padded = np.pad(
        X[:, :7, :9], ((0, 0), (0, -7 % unshuffle), (0, -9 % unshuffle), (0, 0)), mode="reflect"
    )
    np.testing.assert_array_equal(odd, network(padded)[:, : 7 * scale, : 9 * scale])


@pytest.mark.parametrize("doublings", [0, 1, 3])
def test_esrgan_of_other_scales_is_told_by_its_doublings(doublings):
    state = zoo.state_dict("RRDBNet", {**zoo.small("RRDBNet"), "doublings": doublings})
    network = cem.from_torch("RRDBNet", state)
    assert network.scale == 2**doublings
    x = jax.ShapeDtypeStruct((1, 8, 10, 3), np.float32)
    restored = jax.eval_shape(network.apply, network.params, x)
    assert restored.shape == (1, 8 * 2**doublings, 10 * 2**doublings, 3)


def test_basicsr_names_of_edsr_are_edsr_on_0_to_255():
    state = bare("EDSR")
    depth = zoo.small("EDSR")["depth"]
    theirs = renamed(
        state,
        (r"^head\.0", "conv_first"), (rf"^body\.{depth}\.", "conv_after_body."),
        (r"^(body\.\d+)\.body\.0", r"\1.conv1"), (r"^(body\.\d+)\.body\.2", r"\1.conv2"),
        (r"^tail\.0", "upsample"), (r"^tail\.1", "conv_last"),
    )  # fmt: skip
    mean = np.float32([0.4488, 0.4371, 0.4040])
    shifts = {"sub_mean.bias": -255 * mean, "add_mean.bias": 255 * mean}
    network = cem.from_torch("EDSR", theirs)
    np.testing.assert_array_equal(network(X), cem.from_torch("EDSR", {**state, **shifts})(X))


def test_earlier_names_of_srresnet_are_the_network():
    state = zoo.state_dict("SRResNet", zoo.small("SRResNet"))
    theirs = renamed(state, (r"^body", "recon_trunk"), (r"^conv_hr", "HRconv"))
    np.testing.assert_array_equal(
        cem.from_torch("SRResNet", theirs)(X), cem.from_torch("SRResNet", state)(X)
    )


def test_one_residual_block_for_all_is_prenet_r():
    state = bare("PReNet")
    shared = {key: value for key, value in state.items() if not re.match(r"res_conv[2-5]", key)}
    every = {
        key: state[re.sub(r"^res_conv\d", "res_conv1", key)] for key in state
    }  # fmt: skip
    np.testing.assert_array_equal(
        cem.from_torch("PReNet", shared, iterations=2)(X),
        cem.from_torch("PReNet", every, iterations=2)(X),
    )


@pytest.mark.parametrize(
    ("root", "biased", "epsilon"),
    [("model", "all", 1e-4), ("dncnn", "first", 1e-4), ("dncnn", "none", 1e-5)],
)
def test_batch_normalisation_is_folded_into_dncnn(root, biased, epsilon):
    """The authors' code, and the one without biases that most others use."""
    rng = np.random.default_rng(0)
    state, place = {}, 0
    convolutions = []
    sizes = [(1, 4), (4, 4), (4, 4), (4, 1)]
    for n, (i, o) in enumerate(sizes):
        kernel = rng.standard_normal((o, i, 3, 3)).astype(np.float32) / 3
        bias = rng.standard_normal(o).astype(np.float32)
        has_bias = biased == "all" or (biased == "first" and n == 0)
        state[f"{root}.{place}.weight"] = kernel
        if has_bias:
            state[f"{root}.{place}.bias"] = bias
        convolutions.append((kernel, bias if has_bias else np.zeros(o, np.float32)))
        place += 1
        norm = None
        if 0 < n < len(sizes) - 1:
            norm = {
                "weight": rng.random(o) + 0.5, "bias": rng.standard_normal(o),
                "running_mean": rng.standard_normal(o), "running_var": rng.random(o) + 0.5,
            }  # fmt: skip
            state |= {f"{root}.{place}.{leaf}": v.astype(np.float32) for leaf, v in norm.items()}
            state[f"{root}.{place}.num_batches_tracked"] = np.array(7)
            place += 1
        convolutions[-1] += (norm,)
        place += 1
    x = image(9, 7)[None, ..., :1].astype(np.float64)
    want = x
    for n, (kernel, bias, norm) in enumerate(convolutions):
        padded = np.pad(want, ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
        want = np.einsum("nhwcij,ocij->nhwo", windows, kernel.astype(np.float64)) + bias
        if norm is not None:
            want = (want - norm["running_mean"]) / np.sqrt(norm["running_var"] + epsilon)
            want = want * norm["weight"] + norm["bias"]
        if n < len(convolutions) - 1:
            want = np.maximum(want, 0)
    network = cem.from_torch("DnCNN", state)
    assert (network.channels, network.receptive_radius) == (1, 4)
    np.testing.assert_allclose(network(x.astype(np.float32)), x - want, atol=2e-5)


FEW = {"embed_dim": 8, "depths": (2,), "num_heads": (2,)}
SWINIR = {
    "the large one": {"resi_connection": "3conv", "upsampler": "nearest+conv"},
    "the light one": {"upsampler": "pixelshuffledirect", "upscale": 3},
    "for JPEG": {"upsampler": "", "upscale": 1, "window_size": 7, "value_range": 255},
    "for grey noise": {"upsampler": "", "upscale": 1, "in_chans": 1},
}


@pytest.mark.parametrize("kind", SWINIR)
def test_every_kind_of_swinir_is_told_by_its_tensors(kind):
    config = {**FEW, **SWINIR[kind]}
    state = zoo.state_dict("SwinIR", config)
    network = cem.from_torch("SwinIR", state)
    found = zoo.config(network)
    assert {key: found[key] for key in SWINIR[kind]} == SWINIR[kind]
    assert network.channels == config.get("in_chans", 3)
    assert network.anchor == config.get("window_size", 8)
    x = jax.ShapeDtypeStruct((1, 8, 10, network.channels), np.float32)
    restored = jax.eval_shape(network.apply, network.params, x)
    assert restored.shape == (1, 8 * network.scale, 10 * network.scale, network.channels)
    assert cem.models.recognise(state)[0].startswith("SwinIR")


def test_windows_of_seven_mean_values_to_255():
    config = {**FEW, **SWINIR["for JPEG"]}
    state = zoo.state_dict("SwinIR", config)
    found = cem.from_torch("SwinIR", state)
    to_255, to_1 = (cem.from_torch("SwinIR", state, range=one) for one in (255, 1))
    assert found.apply == to_255.apply != to_1.apply
    assert np.abs(np.asarray(to_1(X)) - found(X)).max() > 1e-3
    masks = cem.models.find("SwinIR").architecture.tables(**{**config, "img_size": 126})
    masked = cem.from_torch("SwinIR", {**state, **masks})
    assert zoo.config(masked) == zoo.config(found)
    assert zoo.config(masked)["img_size"] == 126
    assert cem.to_torch(masked).keys() == {**state, **masks}.keys()


@pytest.mark.filterwarnings("ignore:torch.meshgrid")
@pytest.mark.parametrize("kind", SWINIR)
def test_swinir_is_the_one_that_torch_runs(kind):
    torch = pytest.importorskip("torch")
    SwinIR = pytest.importorskip("spandrel.architectures.SwinIR").SwinIR
    config = {**FEW, **SWINIR[kind]}
    state = zoo.state_dict("SwinIR", config)
    module = SwinIR(
        img_size=126 if kind == "for JPEG" else 64, in_chans=config.get("in_chans", 3),
        embed_dim=config["embed_dim"], depths=list(config["depths"]),
        num_heads=list(config["num_heads"]), window_size=config.get("window_size", 8), mlp_ratio=2,
        upscale=config.get("upscale", 4), img_range=float(config.get("value_range", 1)),
        upsampler=config["upsampler"], resi_connection=config.get("resi_connection", "1conv"),
    ).eval()  # fmt: skip
    loaded = module.load_state_dict(
        {k: torch.from_numpy(v) for k, v in state.items()}, strict=False
    )
    assert all("attn_mask" in k or "position_index" in k for k in loaded.missing_keys)
    assert not loaded.unexpected_keys
    x = image(16, 15)[None, ..., : config.get("in_chans", 3)]
    with torch.inference_mode():
        want = module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
    got = np.asarray(cem.from_torch("SwinIR", state)(x)).transpose(0, 3, 1, 2)
    assert np.linalg.norm(got - want) < 1e-5 * np.linalg.norm(want)


def test_the_dual_pixel_network_takes_two_views_and_returns_one_image():
    config = {
        **zoo.small("Restormer_DR"), "inp_channels": 6, "out_channels": 3, "dual_pixel_task": True,
    }  # fmt: skip
    state = zoo.state_dict("Restormer_DR", config)
    network = cem.from_torch("Restormer_DR", state)
    assert network.channels == 6
    x = np.concatenate([image(8, 16), image(8, 16, salt=1)], -1)[None]
    assert network(x).shape == (1, 8, 16, 3)
    # Without weights between, the first features reach the last convolution twice: by the skip of
    # the outermost level, behind zeros from within, and by that of the two views.
    silent = {key: np.zeros_like(value) for key, value in state.items()}
    for key in ("patch_embed.proj.weight", "skip_conv.weight", "output.weight"):
        silent[key] = state[key]
    first, skip, last = (silent[key] for key in (
        "patch_embed.proj.weight", "skip_conv.weight", "output.weight"))  # fmt: skip

    def convolve(y, kernel):
        margin = kernel.shape[-1] // 2
        padded = np.pad(y, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], (1, 2))
        return np.einsum("nhwcij,ocij->nhwo", windows, kernel)

    features = convolve(x, first)
    within = np.concatenate([np.zeros_like(features), features], -1)
    want = convolve(within + convolve(features, skip), last)
    np.testing.assert_allclose(cem.from_torch("Restormer_DR", silent)(x), want, atol=1e-4)


GREY = {
    "DnCNN": {"in_nc": 1, "out_nc": 1, "nb": 17}, "FFDNet": {"in_nc": 1, "out_nc": 1},
    "FDnCNN": {"in_nc": 1, "out_nc": 1}, "DRUNet": {"in_nc": 1, "out_nc": 1, "nb": 2},
    "IRCNN": {"in_nc": 1, "out_nc": 1}, "SCUNet": {"in_nc": 1},
    "Restormer_DN": {"inp_channels": 1, "out_channels": 1},
}  # fmt: skip


@pytest.mark.parametrize("name", GREY)
def test_grey_denoisers_have_one_channel(name):
    state = zoo.state_dict(name, {**zoo.small(name), **GREY[name]})
    network = cem.from_torch(name, state)
    assert network.channels == 1
    assert cem.from_torch(name, bare(name)).channels == 3
    x = jax.ShapeDtypeStruct((1, 8, 10, 1), np.float32)
    assert jax.eval_shape(network.apply, network.params, x).shape == x.shape
    scene = cem.Scene.denoising(np.full((32, 32, 3), 128, np.uint8))
    with pytest.raises(ValueError, match=r"takes images of 1 channels, the scene has 3"):
        cem.causal_effect_map(network, scene, cem.ROI(8, 8, 8, 8), plan=cem.Fixed(1))


def test_srvggnet_adds_to_the_nearest_enlargement():
    network = cem.from_torch("SRVGGNetCompact", bare("SRVGGNetCompact"))
    assert (network.scale, network.channels, network.receptive_radius) == (4, 3, 5)
    silent = {key: np.zeros_like(value) for key, value in bare("SRVGGNetCompact").items()}
    still = cem.from_torch("SRVGGNetCompact", silent)
    np.testing.assert_array_equal(still(X), X.repeat(4, 1).repeat(4, 2))


def test_srvggnet_is_the_one_that_torch_runs():
    torch = pytest.importorskip("torch")
    state = bare("SRVGGNetCompact")
    layers = []
    for n in range(4):
        width = state[f"body.{2 * n}.weight"].shape
        layers += [torch.nn.Conv2d(width[1], width[0], 3, padding=1), torch.nn.PReLU(width[0])]
    last = state["body.8.weight"].shape
    body = torch.nn.Sequential(*layers, torch.nn.Conv2d(last[1], last[0], 3, padding=1))
    body.load_state_dict({k.removeprefix("body."): torch.from_numpy(v) for k, v in state.items()})
    x = torch.from_numpy(X.transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        want = torch.nn.functional.pixel_shuffle(body(x), 4)
        want = want + torch.nn.functional.interpolate(x, scale_factor=4, mode="nearest")
    got = np.asarray(cem.from_torch("SRVGGNetCompact", state)(X)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(got, want.numpy(), atol=1e-5)
